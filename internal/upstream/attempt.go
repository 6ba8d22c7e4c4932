package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// Why an attempt was stopped from this side.
var (
	errTotal  = errors.New("the exchange's total time passed")
	errSilent = errors.New("nothing came within the target's first_event or idle timeout")
	errDone   = errors.New("the attempt is over")
)

// attempt is one call of one target.
type attempt struct {
	call   *Call
	target *Target
	yield  func(llm.Event, error) bool
	row    exchange.Attempt
	begun  time.Time

	watch watch // first_event, then idle, and the exchange's end

	speaks   int         // the dialect, by its place in the target's
	draining bool        // the answer is complete
	held     []llm.Event // before the first real event
	heldLen  int
	passed   bool // the reader has seen an event
	billed   bool
	usage    money.Tokens
	counted  bool // usage came from the upstream
	text     int  // bytes of generated text
}

// attempt calls the target once. It reports whether any event was passed on: then
// the error can no longer be repaired by another attempt.
func (c *Call) attempt(within context.Context, target *Target, yield func(llm.Event, error) bool) (passed bool, err error) {
	ctx, cancel := context.WithCancelCause(within)
	defer cancel(errDone)
	a := &attempt{call: c, target: target, yield: yield, begun: time.Now()}
	a.row = exchange.Attempt{
		Seq: len(c.Attempts), Target: target.Name, Provider: target.Provider, Model: target.Model,
		Start: a.begun.Sub(c.Start),
	}
	c.Target, c.Answer, c.current, c.bridge, c.decoder = target, nil, a, nil, nil
	a.watch.start(cancel, a.begun, c.end, min(target.Timeouts.FirstEvent, target.Timeouts.Idle))
	defer a.watch.stop()
	a.watch.wait(target.Timeouts.FirstEvent)
	err = a.run(ctx)
	if err != nil && !errors.Is(err, errStopped) {
		err = a.explain(ctx, err)
	}
	a.close(err)
	if err != nil && !a.passed && target.forget(a.speaks, a.row.HTTPStatus) {
		return c.attempt(within, target, yield) // in another dialect
	}
	return a.passed, err
}

func (a *attempt) run(ctx context.Context) error {
	req := a.call.Request
	a.speaks = a.target.speak(a.call.Client.Name, req)
	spoken := a.target.Speaks[a.speaks]
	bridge, err := dialect.NewBridge(a.call.Client, spoken.Codec, req, a.target.Options)
	if err != nil {
		return err
	}
	a.call.bridge = bridge
	out, err := a.newRequest(ctx, spoken)
	if err != nil {
		return err
	}
	if err := a.lossAllowed(); err != nil {
		_ = out.Body.Close() // nobody will read it
		return err
	}
	res, err := a.target.Transport.RoundTrip(out)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	a.row.HTTPStatus = res.StatusCode
	a.row.RequestID = requestID(res.Header)
	a.call.Answer = res.Header
	if res.StatusCode != http.StatusOK {
		return a.refused(res)
	}
	switch {
	case req.Surface.Forwarded():
		return a.forward(res)
	case req.Stream:
		return a.stream(res)
	}
	return a.plain(res)
}

// lossAllowed refuses a target whose dialect cannot carry all of the request, where
// the route says so.
func (a *attempt) lossAllowed() error {
	if !a.call.RejectLoss || len(a.call.bridge.Lost) == 0 {
		return nil
	}
	return &llm.Error{Kind: llm.Unsupported, Code: "loss_rejected",
		Message: "this target cannot be told of " + strings.Join(a.call.bridge.Lost, ", ") + ", and the model's on_loss is reject"}
}

// pass gives one event to the reader. Events before the first real one are held.
func (a *attempt) pass(ev llm.Event) error {
	if ev.Marks&llm.MarkUsage != 0 {
		a.usage, a.counted = ev.Usage, true
	}
	a.text += ev.TextBytes
	if err := a.call.Verify(ev); err != nil {
		return err
	}
	if !a.passed && !ev.Marks.First() {
		return a.hold(ev)
	}
	if !a.passed {
		a.passed = true
		a.watch.rest() // from here on idleReader sets it
		a.row.TTFT = time.Since(a.begun)
		if ev.Marks&llm.MarkWhole != 0 {
			a.bill() // a plain answer carries its cost in a header
		}
		for _, held := range a.held {
			held.More = true
			if !a.yield(held, nil) {
				return errStopped
			}
		}
		a.held = nil
	}
	if !a.yield(ev, nil) {
		return errStopped
	}
	return nil
}

// hold keeps a copy of an event until the first real one. Pings need not be kept.
func (a *attempt) hold(ev llm.Event) error {
	if ev.Marks == llm.MarkComment || ev.Raw == nil && ev.AnswerID == "" {
		return nil
	}
	a.heldLen += len(ev.Raw)
	if a.heldLen > a.call.Limits.HeldBytes {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream sent too much before the first event of its answer"}
	}
	ev.Raw = append([]byte(nil), ev.Raw...)
	a.held = append(a.held, ev)
	return nil
}

// explain names the target, and what it was that ended the attempt: a context's
// cause is truer than the read error that it led to.
func (a *attempt) explain(ctx context.Context, err error) error {
	var e *llm.Error
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTotal):
		e = &llm.Error{Kind: llm.Timeout, Message: "the answer was not complete when the exchange's time was over", Err: err}
	case errors.Is(cause, errSilent) && a.answering():
		e = &llm.Error{Kind: llm.Timeout, Message: "the upstream fell silent for " + a.target.Timeouts.Idle.String() + " within its answer", Err: err}
	case errors.Is(cause, errSilent):
		e = &llm.Error{Kind: llm.Timeout, Message: "the upstream did not begin to answer within " + a.target.Timeouts.FirstEvent.String(), Err: err}
	case cause != nil:
		e = gone(ctx, err)
	case errors.As(err, &e):
		e = ours(e, a.target.Name)
	default:
		e = &llm.Error{Kind: llm.Upstream, Message: "the upstream could not be reached or broke off", Err: err}
	}
	e.Target = a.target.Name
	return e
}

// ours is a copy of an attempt's error. Where it is about our key or our account the
// upstream's words are for the log: they speak to us, and may quote the key.
func ours(e *llm.Error, target string) *llm.Error {
	copied := *e
	switch {
	case e.Kind == llm.Unauthorized:
		copied.Message = "the upstream refused the key that Fairlead has for target " + target + "; the key of this request is not the one that is meant"
	case e.Kind == llm.Unpaid, e.Kind == llm.Budget, e.Status == http.StatusPaymentRequired:
		// Whatever its dialect makes of it: an upstream never speaks of a budget of ours.
		copied.Kind = llm.Unpaid
		copied.Message = "the account behind target " + target + " has no money or quota left: top it up, or put another target into the plan"
	default:
		return &copied
	}
	copied.Err = errors.New("the upstream said: " + e.Message)
	return &copied
}

// answering reports whether the wait is for more of an answer, not for its start.
func (a *attempt) answering() bool {
	return a.passed || !a.call.Request.Stream && a.row.HTTPStatus != 0
}

// close writes the attempt's row.
func (a *attempt) close(err error) {
	row := &a.row
	switch {
	case err == nil:
		row.Status = exchange.OK
	case errors.Is(err, errStopped):
		row.Status, row.Kind = exchange.Canceled, string(llm.Canceled)
	default:
		e := llm.AsError(err)
		row.Kind, row.Message = string(e.Kind), e.Message
		row.Status = exchange.Failed
		switch {
		case e.Kind == llm.Canceled:
			row.Status = exchange.Canceled
		case a.passed:
			row.Status = exchange.Cut
		}
	}
	a.bill()
	a.call.Attempts = append(a.call.Attempts, *row)
	a.call.current = nil
}

// bill prices the attempt. Counts that never came are estimated from the bytes
// that did: a hang-up is not free, and neither is a cut stream. The first bill of an
// attempt stands: what a plain answer's header says is what the record says.
func (a *attempt) bill() {
	if a.billed {
		return
	}
	a.billed = true
	row := &a.row
	row.Total = time.Since(a.begun)
	mayBeBilled := a.passed || row.HTTPStatus == http.StatusOK || row.Kind == string(llm.Timeout) || row.Status == exchange.Canceled
	switch {
	case a.counted:
		row.Bill.Usage = a.usage
		row.Bill.Cost = a.target.Bill(a.usage, row.Total)
	case mayBeBilled && a.call.Request.Surface.Forwarded():
		row.Bill.Cost = a.target.uncounted(row.Total)
	case mayBeBilled:
		row.Bill.Usage = money.Tokens{Input: a.call.Request.PromptTokens(), Output: int64(a.text+3) / 4}
		row.Bill.Cost = a.target.Bill(row.Bill.Usage, row.Total).AtBest(money.Estimated)
	default:
		row.Bill.Cost = money.Free()
	}
}
