package upstream

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// watch ends an attempt that waits for its upstream for too long, or beyond the end
// of the exchange. An answer may be read a thousand times, and to move a timer twice
// for each read shows. So a wait only notes until when it may last, and the timer,
// which goes off now and then, looks at the note.
type watch struct {
	cancel  context.CancelCauseFunc
	begun   time.Time
	end     time.Duration // of the exchange, counted from begun as all below
	tick    time.Duration // the shortest wait there will be
	until   atomic.Int64  // until when the wait may last; 0 while nobody waits
	timer   *time.Timer
	stopped atomic.Bool
}

// start begins the watch, which ends the attempt with cancel.
func (w *watch) start(cancel context.CancelCauseFunc, begun, end time.Time, tick time.Duration) {
	w.cancel, w.begun, w.end, w.tick = cancel, begun, end.Sub(begun), tick
	w.timer = time.AfterFunc(math.MaxInt64, w.look) // look uses the timer, so it must not go off before it is set here
	w.timer.Reset(min(w.tick, w.end))
}

// wait begins a wait that may last for limit, which is not shorter than the tick.
func (w *watch) wait(limit time.Duration) { w.until.Store(int64(time.Since(w.begun) + limit)) }

// rest says that the wait is over.
func (w *watch) rest() { w.until.Store(0) }

// hurry begins a wait that may be shorter than the tick.
func (w *watch) hurry(limit time.Duration) {
	w.wait(limit)
	w.timer.Reset(limit)
}

// stop ends the watch.
func (w *watch) stop() {
	w.stopped.Store(true)
	w.timer.Stop()
}

// look ends the attempt if it is time, else it looks again when that may be so: a wait
// that begins from now on lasts for a tick at least.
func (w *watch) look() {
	now, until := time.Since(w.begun), time.Duration(w.until.Load())
	switch {
	case w.stopped.Load():
		return
	case now >= w.end:
		w.cancel(errTotal)
		return
	case until != 0 && now >= until:
		w.cancel(errSilent)
		return
	}
	next := min(w.tick, w.end-now)
	if until != 0 {
		next = min(next, until-now)
	}
	w.timer.Reset(next)
	if until = time.Duration(w.until.Load()); until != 0 && until-now < next { // hurry came meanwhile
		w.timer.Reset(until - now)
	}
}
