package pipeline

import (
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// note keeps what the record needs of an event that is about to be passed on.
func (p *Passage) note(ev llm.Event, err error) {
	if err != nil {
		p.err = llm.AsError(err)
		return
	}
	if !p.begun {
		p.begun = true
		p.firstByte = time.Since(p.Start)
		p.overhead = max(p.firstByte-p.reading-p.waited(), 0)
	}
	p.bytes += int64(len(ev.Raw))
	if p.answerID == "" {
		p.answerID = ev.AnswerID
	}
}

// waited is the time that targets took until the first event.
func (p *Passage) waited() time.Duration {
	if p.Call == nil {
		return 0
	}
	return p.Call.Waited()
}

// errUnfinished stands in a record whose request neither ended nor failed in a way
// that anyone noticed, as when a handler panics.
var errUnfinished = &llm.Error{Kind: llm.Internal, Message: "the request was given up; the log has the detail"}

// finish says that the answer came to its end.
func (p *Passage) finish() {
	if p.err == errUnfinished {
		p.err = nil
	}
}

// left says that the reader stopped before the end: the client went away.
func (p *Passage) left(err error) {
	if err == nil { // not because it was told of an error
		p.err = &llm.Error{Kind: llm.Canceled, Message: "the client went away"}
	}
}

// BodyLent reports whether the bytes of the body may still be read when the answer
// has ended.
func (p *Passage) BodyLent() bool { return p.Call != nil && p.Call.BodyLent() }

// Cost is what the attempts have cost so far.
func (p *Passage) Cost() money.Cost {
	if p.Call == nil {
		return money.Free()
	}
	return p.Call.Cost()
}

// Overhead is the time until the answer's first byte that was not spent waiting
// for the client's body or for a target.
func (p *Passage) Overhead() time.Duration { return p.overhead }

// row is the record of the exchange as it stands.
func (p *Passage) row() *exchange.Exchange {
	x := &exchange.Exchange{
		ID: p.ID, Time: p.Start.UTC(),
		Caller: exchange.Caller{Tenant: p.Caller.Tenant, Project: p.Caller.Project, KeyID: p.Caller.KeyID, Key: p.Caller.Key},
		Asked:  exchange.Asked{Dialect: p.In.Codec.Name, Surface: string(p.In.Surface), Headers: headerLines(p.In.Header, askedHeaders[:])},
		Result: exchange.Result{Status: exchange.OK, HTTPStatus: http.StatusOK, Route: p.Plan.Route, Cache: "miss",
			AnswerID: p.answerID, Bytes: p.bytes, ConfigHash: p.House.Hash},
		Latency: exchange.Latency{FirstByte: p.firstByte, Total: time.Since(p.Start), Overhead: p.overhead},
	}
	if req := p.Request; req != nil {
		x.Asked.Model, x.Asked.Task, x.Asked.TaskID = req.Model, req.Tags.Task, req.Tags.TaskID
		x.Asked.Classes, x.Asked.Stream, x.Asked.Bytes = req.Tags.Classes, req.Stream, int64(len(req.Body))
	}
	x.Bill.Cost = p.Cost()
	if call := p.Call; call != nil {
		x.Attempts, x.Result.Loss = call.Attempts, call.Loss()
		x.Result.Headers = headerLines(call.Answer, answerHeaders[:])
		if call.Target != nil {
			x.Result.Target = call.Target.Name
		}
		for i := range call.Attempts {
			x.Bill.Usage = x.Bill.Usage.Add(call.Attempts[i].Bill.Usage)
		}
	}
	if p.err != nil {
		p.fail(&x.Result)
	}
	return x
}

func (p *Passage) fail(r *exchange.Result) {
	r.Kind, r.Message = string(p.err.Kind), p.err.Message
	if !p.begun {
		r.HTTPStatus = HTTPStatus(p.err)
	}
	switch {
	case p.err.Kind == llm.Canceled:
		r.Status = exchange.Canceled
	case p.begun:
		r.Status = exchange.Cut
	default:
		r.Status = exchange.Failed
	}
}

// The headers that a record keeps. None of them carries a secret.
var (
	askedHeaders  = [...]string{"User-Agent", "X-Fairlead-Task", "X-Fairlead-Class", "X-Fairlead-Cache", "X-Fairlead-Max-Usd", "X-Fairlead-Deadline-Ms", "Openai-Beta", "Traceparent"}
	answerHeaders = [...]string{"Content-Type", "Openai-Processing-Ms", "Openai-Version", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Remaining-Tokens"}
)

// maxHeaderValue bounds one recorded header.
const maxHeaderValue = 256

func headerLines(h http.Header, names []string) string {
	var lines strings.Builder
	for _, name := range names {
		v := h[name]
		if len(v) == 0 {
			continue
		}
		if lines.Len() > 0 {
			lines.WriteByte('\n')
		}
		lines.WriteString(name)
		lines.WriteString(": ")
		lines.WriteString(v[0][:min(len(v[0]), maxHeaderValue)])
	}
	return lines.String()
}
