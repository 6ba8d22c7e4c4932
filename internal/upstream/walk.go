// Package upstream walks a plan: it calls one target after the other until one
// answers, and hands the answer on as an llm.Stream.
//
// Retry, fallback, timeouts and the bill of each attempt live here; what to call
// was decided before, and what dialects look like is theirs to know. Nothing is
// given to the caller before an attempt's first real event, so a failure until
// then can still be repaired by the next attempt; after it the answer belongs to
// that target, and no text is ever repeated. Start reading at Call.Walk.
package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// Call is one walk over a plan. It is used once, by one goroutine; the result
// fields are valid while the stream is read and after it ended.
type Call struct {
	Request *llm.Request
	Client  *dialect.Codec // what the client speaks
	Header  http.Header    // the client's
	Plan    []*Target
	Start   time.Time // when the exchange began: attempts are timed from it
	Limits  Limits
	// Verify judges each event of an attempt before it is passed on. What it
	// refuses before the first event may be answered by the next attempt.
	Verify func(llm.Event) error
	// RejectLoss keeps targets out whose dialect cannot carry all of the request.
	RejectLoss bool

	// Results.
	Target   *Target // that answers, or was tried last
	Answer   http.Header
	Attempts []exchange.Attempt
	current  *attempt // that is under way
	bridge   *dialect.Bridge
	decoder  dialect.Decoder
	end      time.Time     // of the total time; each attempt's watch keeps it
	paused   time.Duration // between tries
	lent     atomic.Int32  // bodies that a transport has not closed yet
}

// Limits bound what is read from an upstream.
type Limits struct {
	AnswerBytes int64 // of a plain answer, after decompression
	EventBytes  int   // of one server-sent event
	HeldBytes   int   // of events held back until the first real one
}

// DefaultLimits are generous to real answers and closed to runaway ones.
func DefaultLimits() Limits {
	return Limits{AnswerBytes: 64 << 20, EventBytes: 16 << 20, HeldBytes: 1 << 20}
}

// Loss is what the translation of the last attempt dropped, by the client's own
// field names. Of a stream it is all known at its end.
func (c *Call) Loss() []string {
	if c.bridge == nil {
		return nil
	}
	return c.bridge.Lost
}

// Failure is the event by which the client hears that a stream broke off.
func (c *Call) Failure(e *llm.Error) []byte {
	if c.decoder == nil {
		return nil
	}
	return c.decoder.Fail(e)
}

// Waited is the time that went by while targets worked: until the first event of
// the attempt that answers, all of the attempts that failed, and the pauses that
// they asked for.
func (c *Call) Waited() time.Duration {
	sum := c.paused
	for i := range c.Attempts {
		sum += c.Attempts[i].Total
	}
	if c.current != nil {
		sum += c.current.row.TTFT
	}
	return sum
}

// Cost is the bill of all attempts so far, with that of a plain answer which is
// about to be passed on.
func (c *Call) Cost() money.Cost {
	total := money.Free()
	for i := range c.Attempts {
		total = total.Add(c.Attempts[i].Bill.Cost)
	}
	if c.current != nil && c.current.passed {
		total = total.Add(c.current.row.Bill.Cost)
	}
	return total
}

// errStopped says that the reader of the stream stopped: it wants nothing more,
// not even the error.
var errStopped = errors.New("the reader stopped")

// Walk calls the targets of the plan in order. The sequence yields the events of
// the attempt that answered; its error is the last attempt's, an *llm.Error.
// Stopping the loop cancels the attempt.
func (c *Call) Walk(ctx context.Context) llm.Stream {
	return func(yield func(llm.Event, error) bool) {
		c.end = c.deadline()
		last := c.walk(ctx, yield)
		if last != nil {
			yield(llm.Event{}, last)
		}
	}
}

// deadline is when the exchange must be over: the first target's total timeout,
// shortened by what the client asked for.
func (c *Call) deadline() time.Time {
	total := c.Plan[0].Timeouts.Total
	if ms := c.Request.Tags.DeadlineMS; ms > 0 {
		total = min(total, time.Duration(ms)*time.Millisecond)
	}
	return c.Start.Add(total)
}

func (c *Call) walk(ctx context.Context, yield func(llm.Event, error) bool) error {
	var last *llm.Error
	for i, target := range c.Plan {
		alone := i == len(c.Plan)-1
		for try := range target.Attempts {
			if try > 0 && !c.wait(ctx, last, try, alone) {
				if c.over(ctx) {
					return ended(ctx, target, last)
				}
				break
			}
			passed, err := c.attempt(ctx, target, yield)
			if err == nil || errors.Is(err, errStopped) {
				return nil
			}
			last = llm.AsError(err)
			class := llm.ClassOf(last.Kind)
			if passed || last.Kind == llm.Canceled || c.over(ctx) || !class.Fallback {
				return last
			}
			if !class.Retry {
				break
			}
		}
	}
	return last
}

// over reports whether there is no point in another attempt: nobody waits any more, or
// the exchange's time has passed.
func (c *Call) over(ctx context.Context) bool { return ctx.Err() != nil || !time.Now().Before(c.end) }

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 2 * time.Second
)

// wait pauses before the next try on one target and reports whether there is to be
// one. A Retry-After is waited for only where no other target is left and only
// within the deadline; else the next target or the caller takes over.
func (c *Call) wait(ctx context.Context, last *llm.Error, try int, alone bool) bool {
	pause := min(backoffFirst<<(try-1), backoffMost)
	pause = pause/2 + rand.N(pause/2) //nolint:gosec // jitter is no secret
	if last.RetryAfter > 0 {
		if !alone {
			return false
		}
		pause = last.RetryAfter
	}
	if time.Until(c.end) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	begun := time.Now()
	defer func() { c.paused += time.Since(begun) }()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended is the error of an exchange that was over while it waited for its next try.
func ended(ctx context.Context, target *Target, last *llm.Error) error {
	if ctx.Err() == nil { // its time passed
		return last
	}
	e := gone(ctx, last)
	e.Target = target.Name
	return e
}

// gone is why a call was stopped from the client's side: by the client, or by the
// server, whose cause is an *llm.Error.
func gone(ctx context.Context, err error) *llm.Error {
	if e, ok := errors.AsType[*llm.Error](context.Cause(ctx)); ok {
		stopped := *e
		return &stopped
	}
	return &llm.Error{Kind: llm.Canceled, Message: "the client went away", Err: err}
}
