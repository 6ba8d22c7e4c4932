package server

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/pipeline"
)

// The headers of an answer, in canonical form.
const (
	headerID        = "X-Fairlead-Id"
	headerTarget    = "X-Fairlead-Target"
	headerRoute     = "X-Fairlead-Route"
	headerCost      = "X-Fairlead-Cost-Usd"
	headerCostState = "X-Fairlead-Cost-State"
	headerCache     = "X-Fairlead-Cache"
	headerLoss      = "X-Fairlead-Loss"
	headerOverhead  = "X-Fairlead-Overhead-Ms"
)

// exposedHeaders are those that scripts of other origins may read.
var exposedHeaders = [...]string{headerID, headerTarget, headerRoute, headerCost, headerCostState, headerCache, headerLoss, headerOverhead, "X-Request-Id", "Request-Id", "Retry-After", "X-Should-Retry"}

// passedHeaders are those of the upstream that the client sees as they are.
var passedHeaders = [...]string{
	"Openai-Processing-Ms", "Openai-Version", "Openai-Model",
	"X-Ratelimit-Limit-Requests", "X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Requests",
	"X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens",
	"Anthropic-Organization-Id",
	"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset",
	"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset",
	"Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset",
	"Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset",
}

// asked is what the path of a request says of it.
type asked struct {
	codec         *dialect.Codec
	surface       llm.Surface
	model         string
	stream, array bool
}

// inference is an endpoint of a dialect.
func (s *Server) inference(speaks string, surface llm.Surface) handler {
	to := asked{codec: codecOf(speaks), surface: surface}
	return func(w http.ResponseWriter, r *http.Request) error { return s.infer(w, r, to) }
}

// infer leads one request through the hall.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, to asked) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return &llm.Error{Kind: llm.Overloaded, RetryAfter: time.Second,
			Message: "too many answers are open at once (" + strconv.Itoa(cap(s.slots)) + "); try again in a moment"}
	}
	var body *bytes.Buffer
	p := s.rooms.Hall.Enter(pipeline.Inbound{
		Codec: to.codec, Surface: to.surface, Secret: auth.FromRequest(r), Header: r.Header,
		Model: to.model, Stream: to.stream, Array: to.array,
		Body: func() ([]byte, error) {
			body = takeBody()
			return s.readBody(w, r, body)
		},
	})
	defer func() {
		if body != nil && !p.BodyLent() {
			giveBody(body)
		}
	}()
	out := answer{w: w, server: s, passage: p}
	out.identify()
	for ev, err := range s.rooms.Hall.Walk(r.Context(), p) {
		if err != nil {
			return out.fail(err)
		}
		if !out.write(ev) {
			break
		}
	}
	return nil
}

// answer writes the events of one passage. Nothing is written before the first.
type answer struct {
	w       http.ResponseWriter
	server  *Server
	passage *pipeline.Passage
	begun   bool
	more    bool      // the last event came with another one behind it
	expires time.Time // of the write deadline
	values  []string  // of headers that have one each: they share the memory
}

// usualValues is how many headers of its own an answer has.
const usualValues = 12

// set gives a header, whose name is in canonical form, one value.
func (a *answer) set(name, value string) {
	if a.values == nil {
		a.values = make([]string, 0, usualValues)
	}
	a.values = append(a.values, value)
	n := len(a.values)
	a.w.Header()[name] = a.values[n-1 : n : n]
}

func (a *answer) identify() {
	a.set(headerID, a.passage.ID)
	a.set("X-Request-Id", a.passage.ID)
	if a.passage.In.Codec.Name == "anthropic" {
		a.set("Request-Id", a.passage.ID)
	}
}

// fail writes the error: as a status before the first event, as an event behind it, and
// where there are no events by breaking the connection.
func (a *answer) fail(err error) error {
	if !a.begun {
		a.describe()
		return err
	}
	e := llm.AsError(err)
	a.extend() // a silent upstream may have outlasted the last one
	a.server.rooms.Log.Warn("answer broke off", "id", a.passage.ID, "kind", e.Kind, "target", e.Target, "error", e.Error())
	if e.Kind == llm.Canceled {
		return nil
	}
	event := a.passage.Call.Failure(e.Told())
	if event == nil { // sound or a picture: nothing in it can tell of an error but its missing end
		return http.ErrAbortHandler
	}
	_, _ = a.w.Write(event) // nobody is left to tell
	return nil
}

// write passes one event on and reports whether the client still reads.
func (a *answer) write(ev llm.Event) bool {
	if !a.begun {
		a.begin(ev)
	}
	if len(ev.Raw) > 0 {
		if !a.more { // what came together from the upstream is one piece for the client
			a.extend()
		}
		if _, err := a.w.Write(ev.Raw); err != nil {
			return false
		}
	}
	a.more = ev.More
	if !ev.More && ev.Marks&llm.MarkWhole == 0 {
		return http.NewResponseController(a.w).Flush() == nil
	}
	return true
}

// extend gives the client more time to read, before the time that it has runs out.
func (a *answer) extend() {
	now := time.Now()
	if limit := a.server.cfg.WriteTime; a.expires.Sub(now) < limit/2 {
		a.expires = now.Add(limit)
		_ = http.NewResponseController(a.w).SetWriteDeadline(a.expires) // where it cannot be set the client has all the time
	}
}

func (a *answer) begin(ev llm.Event) {
	a.begun = true
	a.describe()
	a.set(headerOverhead, strconv.FormatFloat(float64(a.passage.Overhead().Microseconds())/1000, 'f', 3, 64))
	switch {
	case ev.Marks&llm.MarkWhole != 0:
		a.set("Content-Type", "application/json")
		a.set("Content-Length", strconv.Itoa(len(ev.Raw)))
		cost := a.passage.Cost()
		a.set(headerCostState, cost.State.String())
		if cost.State != money.Unknown {
			a.set(headerCost, cost.USD.String())
		}
	case ev.MediaType != "":
		a.set("Content-Type", ev.MediaType)
		a.set("X-Content-Type-Options", "nosniff")
		a.set("X-Accel-Buffering", "no")
	default:
		a.set("Content-Type", a.streamType())
		a.set("Cache-Control", "no-cache")
		a.set("X-Accel-Buffering", "no")
	}
	a.w.WriteHeader(http.StatusOK)
}

func (a *answer) streamType() string {
	if a.passage.In.Array {
		return "application/json"
	}
	return a.passage.In.Codec.StreamType
}

// describe says who answered and why, for answers and for errors.
func (a *answer) describe() {
	p := a.passage
	if p.Plan.Route != "" {
		a.set(headerRoute, p.Plan.Route)
		a.set(headerCache, "miss")
	}
	if p.Call == nil {
		return
	}
	if p.Call.Target != nil {
		a.set(headerTarget, p.Call.Target.Name)
	}
	if lost := p.Call.Loss(); len(lost) > 0 {
		a.set(headerLoss, strings.Join(lost, ","))
	}
	h := a.w.Header()
	for _, name := range passedHeaders {
		if v := p.Call.Answer[name]; v != nil {
			h[name] = v
		}
	}
}
