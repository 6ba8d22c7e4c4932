package testkit

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait; nothing that a test waits for takes a tenth of it.
const patience = 30 * time.Second

// Received is one request as it came in. Gone is closed when the client went away before the answer was complete; Done
// when the handler has returned. The other fields do not change.
type Received struct {
	Seq      int // from 1
	Method   string
	Path     string
	Query    string
	Header   http.Header
	Body     []byte // the exact bytes, undecoded
	Model    string
	Behavior string // the directives that came with it, for a reader of failures
	Gone     chan struct{}
	Done     chan struct{}
}

// log remembers requests and wakes those who wait for one.
type log struct {
	logMu    sync.Mutex
	keep     int
	total    int
	inFlight int
	gone     int
	requests []*Received
	changed  chan struct{} // closed and replaced at every change
}

func (l *log) init(keep int) {
	l.keep = keep
	l.changed = make(chan struct{})
}

func (l *log) change(edit func()) {
	l.logMu.Lock()
	defer l.logMu.Unlock()
	edit()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *log) begin(r *Received) {
	l.change(func() {
		l.total++
		l.inFlight++
		r.Seq = l.total
		l.requests = append(l.requests, r)
		if len(l.requests) > l.keep {
			l.requests = slices.Delete(l.requests, 0, len(l.requests)-l.keep)
		}
	})
}

func (l *log) finish(r *Received) {
	close(r.Done)
	l.change(func() { l.inFlight-- })
}

func (l *log) left(r *Received) {
	close(r.Gone)
	l.change(func() { l.gone++ })
}

// Requests returns what was received and is still remembered, oldest first.
func (l *log) Requests() []*Received {
	l.logMu.Lock()
	defer l.logMu.Unlock()
	return slices.Clone(l.requests)
}

// Counts says how many requests came, how many are being answered now, and how many clients went away early.
func (l *log) Counts() (total, inFlight, gone int) {
	l.logMu.Lock()
	defer l.logMu.Unlock()
	return l.total, l.inFlight, l.gone
}

// Last returns the newest request and fails the test if there is none.
func (l *log) Last(t testing.TB) *Received {
	t.Helper()
	all := l.Requests()
	if len(all) == 0 {
		t.Fatal("the upstream received no request")
	}
	return all[len(all)-1]
}

// WaitRequests waits until n requests have come in all and returns those remembered.
func (l *log) WaitRequests(t testing.TB, n int) []*Received {
	t.Helper()
	l.Wait(t, "requests at the upstream", func(total, _, _ int) bool { return total >= n })
	return l.Requests()
}

// WaitIdle waits until no request is being answered.
func (l *log) WaitIdle(t testing.TB) {
	t.Helper()
	l.Wait(t, "the upstream to be idle", func(_, inFlight, _ int) bool { return inFlight == 0 })
}

// WaitGone waits until n clients have gone away early.
func (l *log) WaitGone(t testing.TB, n int) {
	t.Helper()
	l.Wait(t, "clients to go away", func(_, _, gone int) bool { return gone >= n })
}

// Wait waits until the counts satisfy a condition, and fails the test after half a minute.
func (l *log) Wait(t testing.TB, what string, holds func(total, inFlight, gone int) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !l.until(ctx, holds) {
		total, inFlight, gone := l.Counts()
		t.Fatalf("waited %s for %s; total %d, in flight %d, gone %d", patience, what, total, inFlight, gone)
	}
}

func (l *log) until(ctx context.Context, holds func(total, inFlight, gone int) bool) bool {
	for {
		l.logMu.Lock()
		ok, changed := holds(l.total, l.inFlight, l.gone), l.changed
		l.logMu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
