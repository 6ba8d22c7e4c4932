package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
)

// Run writes what Record took in until ctx ends, then what is left, for as long as
// Config.Drain allows. It returns nil when everything was written. Call it once, and
// end it after the last request.
func (l *Ledger) Run(ctx context.Context) error {
	for l.gather(ctx) {
		if !l.flush(ctx) {
			break
		}
	}
	return l.drain(ctx)
}

// gather waits for something to write, and then for a batch or for Config.Every. It
// is false when ctx ended.
func (l *Ledger) gather(ctx context.Context) bool {
	select {
	case <-l.wake:
	case <-ctx.Done():
		return false
	}
	timer := time.NewTimer(l.cfg.Every)
	defer timer.Stop()
	select {
	case <-l.full:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// flush writes all that waited when it was called. What came meanwhile waits for
// the next turn: to chase it would mean many small writes. It is false when ctx ended
// first.
func (l *Ledger) flush(ctx context.Context) bool {
	for n := l.waiting(); n > 0; {
		batch := l.take()
		if !l.persist(ctx, batch) {
			return false
		}
		n -= len(batch)
	}
	if l.waiting() > 0 {
		signal(l.wake)
	}
	return ctx.Err() == nil
}

func (l *Ledger) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) + len(l.writing)
}

// take moves the oldest rows from pending to writing, or returns those that are
// there already.
func (l *Ledger) take() []*exchange.Exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.writing) == 0 {
		n := min(len(l.pending), l.cfg.Batch)
		l.writing = append(l.writing[:0:0], l.pending[:n]...)
		if n == len(l.pending) && cap(l.pending) <= 4*l.cfg.Batch {
			clear(l.pending)
			l.pending = l.pending[:0]
		} else {
			l.pending = append([]*exchange.Exchange(nil), l.pending[n:]...)
		}
	}
	return l.writing
}

// persist writes one batch, again and again while the store fails. It is false when
// ctx ended first: the rows stay.
func (l *Ledger) persist(ctx context.Context, batch []*exchange.Exchange) bool {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		// A write is not broken off half-way by a stop: drain has its own clock.
		err := l.store.Append(context.WithoutCancel(ctx), batch)
		if err == nil {
			l.settle(len(batch), 0)
			return true
		}
		if errors.Is(err, ErrBadRow) {
			return l.persistEach(ctx, batch, err)
		}
		l.fail(err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// persistEach writes a batch row by row, to drop those that no store would take.
func (l *Ledger) persistEach(ctx context.Context, batch []*exchange.Exchange, err error) bool {
	if len(batch) == 1 {
		l.log.Error("an exchange cannot be recorded and is dropped; please report this", "id", batch[0].ID, "err", err)
		l.settle(0, 1)
		return true
	}
	for i := range batch {
		if !l.persist(ctx, batch[i:i+1:i+1]) {
			return false
		}
	}
	return true
}

// settle takes rows out of writing: those that were written and those given up.
func (l *Ledger) settle(written, dropped int) {
	l.mu.Lock()
	n := written + dropped
	for _, x := range l.writing[:n] {
		l.bytes -= sizeOf(x)
	}
	l.writing = l.writing[n:]
	l.settled += uint64(n)
	l.stats.Written += uint64(written)
	l.stats.Dropped += uint64(dropped)
	healed := l.trouble != nil
	l.trouble = nil
	s := l.stats
	l.tellLocked()
	l.mu.Unlock()
	if healed {
		l.log.Info("the record is written again", "written", s.Written, "dropped", s.Dropped)
	}
}

// fail notes why the store fails. Only the first of a row of failures is logged.
func (l *Ledger) fail(err error) {
	l.mu.Lock()
	first := l.trouble == nil
	l.trouble = err
	l.stats.Failures++
	l.stats.LastError = err.Error()
	l.stats.LastErrorAt = time.Now()
	l.tellLocked()
	l.mu.Unlock()
	if first {
		l.log.Error("the record cannot be written: exchanges wait in memory, answers go on", "err", err)
	}
}

func (l *Ledger) tellLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// drain writes what is left within Config.Drain, then closes the queue.
func (l *Ledger) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Drain)
	defer cancel()
	l.flush(ctx)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	left := len(l.pending) + len(l.writing)
	l.stats.Dropped += uint64(left)
	l.tellLocked()
	if left == 0 {
		return nil
	}
	return fmt.Errorf("%d exchanges were not recorded: the store did not take them within %s: %w", left, l.cfg.Drain, l.trouble)
}
