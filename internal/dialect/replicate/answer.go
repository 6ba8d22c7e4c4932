package replicate

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// answerLimits bounds what an upstream may send.
var answerLimits = rawjson.Limits{Depth: 64}

// finished is a prediction that was made.
type finished struct {
	ID      string         `json:"id"`
	Model   string         `json:"model"`
	Status  string         `json:"status"`
	Output  jsontext.Value `json:"output"`
	Error   jsontext.Value `json:"error"`
	Metrics struct {
		Input  *int64 `json:"input_token_count"`
		Output *int64 `json:"output_token_count"`
	} `json:"metrics"`
}

// Answer reads a prediction that is over. Its one stop reason is that it succeeded.
func Answer(_ *llm.Request, _ llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	if _, err := rawjson.Check(body, answerLimits); err != nil {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's prediction is not valid JSON", Err: err}
	}
	var p finished
	if err := json.Unmarshal(body, &p); err != nil {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's prediction is not in the form that is published", Err: err}
	}
	if p.Status != "succeeded" {
		return out, failed(p.Status, text(p.Error))
	}
	said := text(p.Output)
	out.AnswerID, out.StopReason, out.TextBytes = p.ID, p.Status, len(said)
	a := &llm.Answer{ID: p.ID, Model: p.Model, Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.Text, Text: said}}, Stop: llm.Stop{Reason: llm.StopEnd, Word: p.Status},
	}}}
	if in, o := p.Metrics.Input, p.Metrics.Output; in != nil && o != nil && *in >= 0 && *o >= 0 {
		out.Marks |= llm.MarkUsage
		out.Usage = money.Tokens{Input: *in, Output: *o}
		a.Usage, a.Counted = out.Usage, true
	}
	out.Answer = a
	return out, nil
}

// text is a string, or the pieces of one.
func text(v jsontext.Value) string {
	if v.Kind() == '[' {
		var pieces []string
		if json.Unmarshal(v, &pieces) == nil {
			return strings.Join(pieces, "")
		}
	}
	var s string
	if v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	if v.Kind() == 'n' || len(v) == 0 {
		return ""
	}
	return string(v)
}

func failed(status, why string) *llm.Error {
	if why == "" {
		why = "the upstream's prediction ended as " + status
	}
	return &llm.Error{Kind: llm.Upstream, Message: wire.Clip(why)}
}

// StreamDecoder reads the events of a prediction: output, error and done.
type StreamDecoder struct {
	began, done bool
	out         []llm.Delta
	text        []byte
}

// NewStream starts a decoder.
func NewStream(*llm.Request, llm.Options) *StreamDecoder { return &StreamDecoder{} }

// Next reads one event.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	d.out = d.out[:0]
	switch {
	case ev.Comment:
		out.Marks = llm.MarkComment
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaPing})
	case ev.Name == "output":
		out.Marks, out.TextBytes = llm.MarkContent, len(ev.Data)
		d.piece(ev.Data)
	case ev.Name == "error":
		return out, failed("failed", detail(ev.Data))
	case ev.Name == "done":
		if reason := lookup(ev.Data, "reason"); reason != "" {
			return out, failed(reason, "")
		}
		d.done = true
		out.Marks, out.StopReason = llm.MarkStop|llm.MarkDone, "succeeded"
		d.begin()
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaClose},
			llm.Delta{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopEnd, Word: "succeeded"}}, llm.Delta{Kind: llm.DeltaDone})
	default:
		out.Marks = llm.MarkUnknown
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
	}
	out.Deltas = d.out
	return out, nil
}

func (d *StreamDecoder) begin() {
	if !d.began {
		d.began = true
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaBegin}, llm.Delta{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}})
	}
}

func (d *StreamDecoder) piece(data []byte) {
	d.begin()
	d.text = append(d.text[:0], data...)
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaPiece, Text: d.text})
}

// Complete reports whether done came, without a reason for coming early.
func (d *StreamDecoder) Complete() bool { return d.done }

// End is nothing: no client speaks this dialect.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is nothing, for the same reason.
func (d *StreamDecoder) Fail(*llm.Error) []byte { return nil }

func lookup(data []byte, name string) string {
	v, _ := rawjson.Lookup(data, name)
	s, _ := v.Str()
	return s
}

func detail(data []byte) string {
	if s := lookup(data, "detail"); s != "" {
		return s
	}
	return string(data)
}

// ownStatuses are what a status means here beside what it means everywhere.
var ownStatuses = map[int]llm.Kind{402: llm.Unpaid}

// DecodeError reads an error answer: {"title","detail","status"}, or anything.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, ownStatuses)
	e.Message = wire.Clip(lookup(body, "detail"))
	return wire.SayStatus(e)
}
