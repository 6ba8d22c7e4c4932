// Package pipeline is the hallway: one request's way through the rooms, in order,
// and nothing else.
//
//	authenticate → accept → decide → reserve → call → check → record
//
// Each stage is a few lines that hand a value from one room to the next; what a
// room does is written in the room. A body is read only for a caller who may ask,
// so accept comes second. Whatever happens, an exchange that was accepted is
// recorded. Start reading at Hall.Walk.
package pipeline

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Hall holds what every request passes through. It is immutable but for what its
// funcs reach.
type Hall struct {
	// Authenticate turns a secret into its caller.
	Authenticate func(secret string) (auth.Caller, error)
	// House is the part that a reload replaces, taken once per request.
	House func() *House
	// AnsweredBy finds the target that gave a key the answer of that id.
	AnsweredBy func(ctx context.Context, keyID, answerID string) (target string, ok bool)
	// Recordable says why nothing may be answered now, where a record is required.
	Recordable func() error
	// Streams holds one token for each open stream; when it is full the next is
	// refused. Nil is no bound.
	Streams chan struct{}
	// Reserve sets the expected cost of a request of a key aside, and gives the func
	// that puts the true cost in its place. Its error refuses the request.
	Reserve func(keyID string, expected money.Amount) (settle func(money.Amount), err error)
	// Record takes the row of a finished exchange; it must not block.
	Record func(*exchange.Exchange)
	// NewID gives an id that sorts by time.
	NewID func(time.Time) string
}

// House is what one configuration makes of the rooms.
type House struct {
	Hash    string // of the configuration
	Routes  *route.Table
	Targets map[string]*upstream.Target
	Keys    map[string]KeyPolicy // by key id; keys that are not in it have the zero policy
	Limits  Limits
}

// KeyPolicy is what the configuration says of one key.
type KeyPolicy struct {
	Classes []string // data classes that every request of the key carries
	// Priced keeps targets without a price out of its plans: a budget that cannot be
	// counted against is no budget.
	Priced bool
}

// Limits bound what one request may bring and fetch.
type Limits struct {
	JSON     rawjson.Limits
	Upstream upstream.Limits
}

// Inbound is a request as it stands at the door.
type Inbound struct {
	Codec   *dialect.Codec
	Surface llm.Surface
	Secret  string
	Header  http.Header
	// Model, Stream and Array are what the path says of the request, where the dialect
	// has them there.
	Model         string
	Stream, Array bool
	// Body reads the body, bounded; its error is an *llm.Error.
	Body func() ([]byte, error)
}

// Passage is one request's state on its way.
type Passage struct {
	In    Inbound
	ID    string
	Start time.Time

	House   *House
	Caller  auth.Caller
	Request *llm.Request
	Plan    route.Plan
	Call    *upstream.Call

	settle    func(money.Amount)
	reserved  money.Amount  // what was set aside
	streaming bool          // a token of Hall.Streams is held
	reading   time.Duration // of the body, at the client's pace
	begun     bool          // the answer's first event was passed on
	firstByte time.Duration
	overhead  time.Duration
	bytes     int64 // of the answer
	answerID  string
	err       *llm.Error
}

// Enter opens the passage of one request.
func (h *Hall) Enter(in Inbound) *Passage {
	now := time.Now()
	return &Passage{In: in, ID: h.NewID(now), Start: now, House: h.House()}
}

// Walk leads a request through the rooms. The sequence is the answer; its error is
// an *llm.Error. When it ends, and however, the exchange is recorded.
func (h *Hall) Walk(ctx context.Context, p *Passage) llm.Stream {
	return func(yield func(llm.Event, error) bool) {
		if err := h.authenticate(p); err != nil {
			yield(llm.Event{}, err)
			return
		}
		defer h.record(p)
		for _, stage := range [...]func(context.Context, *Passage) error{h.accept, h.openStream, h.decide, h.reserve} {
			if err := stage(ctx, p); err != nil {
				p.err = llm.AsError(err)
				yield(llm.Event{}, p.err)
				return
			}
		}
		p.err = errUnfinished
		for ev, err := range h.call(ctx, p) {
			p.note(ev, err)
			if !yield(ev, err) {
				p.left(err)
				return
			}
		}
		p.finish()
	}
}

func (h *Hall) authenticate(p *Passage) (err error) {
	p.Caller, err = h.Authenticate(p.In.Secret)
	return err
}

// accept reads the request: its body, and the tags of its headers.
func (h *Hall) accept(_ context.Context, p *Passage) error {
	if err := h.Recordable(); err != nil {
		return err
	}
	begun := time.Now()
	body, err := p.In.Body()
	p.reading = time.Since(begun)
	if err != nil {
		return err
	}
	req, err := p.In.Codec.Decode(llm.Incoming{Surface: p.In.Surface, Body: body, Limits: p.House.Limits.JSON,
		ContentType: p.In.Header.Get("Content-Type"), Model: p.In.Model, Stream: p.In.Stream, Array: p.In.Array})
	if err != nil {
		return err
	}
	req.ID, req.Time = p.ID, p.Start
	p.Request = req
	if err := readTags(&req.Tags, p.In.Header); err != nil {
		return err
	}
	if p.probes() && !p.Caller.Admin {
		return &llm.Error{Kind: llm.Forbidden, Param: "x-fairlead-probe", Message: "x-fairlead-probe is for keys with the scope admin"}
	}
	return nil
}

// probes reports whether a target is to be asked for what it is not known to do, to see
// what it says.
func (p *Passage) probes() bool { return p.In.Header[probeHeader] != nil }

// openStream takes one of the places of streams, which record gives back.
func (h *Hall) openStream(_ context.Context, p *Passage) error {
	if !p.Request.Stream || h.Streams == nil {
		return nil
	}
	select {
	case h.Streams <- struct{}{}:
		p.streaming = true
		return nil
	default:
		return &llm.Error{Kind: llm.Overloaded, RetryAfter: time.Second,
			Message: "too many streams are open at once (" + strconv.Itoa(cap(h.Streams)) + "); try again in a moment, or ask without stream"}
	}
}

func (h *Hall) decide(ctx context.Context, p *Passage) (err error) {
	question, err := ask(p.Request, p.House.Keys[p.Caller.KeyID])
	if err != nil {
		return err
	}
	if p.probes() {
		question.Needs = 0
	}
	if id := p.Request.Continues; id != "" && h.AnsweredBy != nil {
		question.Only, _ = h.AnsweredBy(ctx, p.Caller.KeyID, id)
	}
	p.Plan, err = p.House.Routes.Decide(question)
	if err != nil && estimable(p.Request, err) {
		p.Plan, err = route.Plan{Route: estimateRoute}, nil
	}
	return err
}

// reserve sets aside what the first target of the plan is expected to cost.
func (h *Hall) reserve(_ context.Context, p *Passage) (err error) {
	if len(p.Plan.Targets) == 0 { // answered here
		return nil
	}
	first := p.House.Routes.Targets[p.Plan.Targets[0]]
	p.reserved = first.Expect(expected(p.Request)).USD
	p.settle, err = h.Reserve(p.Caller.KeyID, p.reserved)
	return err
}

func (h *Hall) call(ctx context.Context, p *Passage) llm.Stream {
	if len(p.Plan.Targets) == 0 {
		return estimate(p)
	}
	targets := make([]*upstream.Target, len(p.Plan.Targets))
	for i, name := range p.Plan.Targets {
		targets[i] = p.House.Targets[name]
	}
	p.Call = &upstream.Call{
		Request: p.Request, Client: p.In.Codec, Header: p.In.Header, Plan: targets, Start: p.Start,
		Limits: p.House.Limits.Upstream, Verify: check(p.Request), RejectLoss: p.Plan.RejectLoss,
	}
	return p.Call.Walk(ctx)
}

// record writes down what happened, settles what was reserved for it, and gives the
// stream's place back. A cost that nobody knows is not 0: what was set aside for it
// stays spent.
func (h *Hall) record(p *Passage) {
	row := p.row()
	if p.settle != nil {
		spent := row.Bill.Cost.USD
		if row.Bill.Cost.State == money.Unknown {
			spent = p.reserved
		}
		p.settle(spent)
	}
	h.Record(row)
	if p.streaming {
		<-h.Streams
	}
}
