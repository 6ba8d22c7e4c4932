package tgi

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// StreamDecoder reads the events of one streamed answer, a token each. It is used
// once, by one goroutine. The event of the last token has the whole text again, and the
// details; nothing follows it.
//
// A stop sequence that was met is part of the text here, as the server sends it.
type StreamDecoder struct {
	translate bool
	doc       rawjson.Doc // of the event at hand
	deltas    []llm.Delta // likewise
	text      []byte
	began     bool
	open      bool // the one block of text
	done      bool
}

// NewStream starts the decoder of the answer to req.
func NewStream(_ *llm.Request, opt llm.Options) *StreamDecoder {
	return &StreamDecoder{translate: opt.Translate}
}

// Next turns one server-sent event into an llm.Event. The error is an *llm.Error.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	d.deltas = d.deltas[:0]
	if ev.Comment {
		out.Marks = llm.MarkComment
		return d.with(out, llm.Delta{Kind: llm.DeltaPing}), nil
	}
	err := d.doc.Reset(ev.Data, answerLimits)
	if err != nil || d.doc.Root().Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	if v, ok := d.doc.Get("error"); ok && v.Kind() != rawjson.Null || ev.Name == "error" {
		return out, decodeStreamError(ev.Data)
	}
	token, _ := d.doc.Get("token")
	if token.Kind() != rawjson.Object {
		out.Marks = llm.MarkUnknown
		return d.with(out, llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw}), nil
	}
	d.token(&out, token)
	d.last(&out)
	if d.translate {
		out.Deltas = d.deltas
	}
	return out, nil
}

// with adds a delta where another dialect will write the answer.
func (d *StreamDecoder) with(out llm.Event, delta llm.Delta) llm.Event {
	if d.translate {
		d.deltas = append(d.deltas, delta)
		out.Deltas = d.deltas
	}
	return out
}

// token reads the piece of text of an event. Special tokens, such as the one that ends
// the text, are no part of it.
func (d *StreamDecoder) token(out *llm.Event, token rawjson.Value) {
	if !d.began {
		d.began = true
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaBegin})
	}
	out.Marks |= llm.MarkStart
	special, _ := token.Get("special")
	text, _ := token.Get("text")
	if hidden, _ := special.Bool(); hidden {
		return
	}
	if d.text, _ = text.AppendStr(d.text[:0]); len(d.text) == 0 {
		return
	}
	out.Marks |= llm.MarkContent
	out.TextBytes = len(text.Raw()) - len(`""`)
	if !d.open {
		d.open = true
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}})
	}
	d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaPiece, Text: d.text})
}

// last reads what the event of the last token has beside it.
func (d *StreamDecoder) last(out *llm.Event) {
	details, _ := d.doc.Get("details")
	reason, _ := details.Get("finish_reason")
	word, ok := reason.Str()
	if !ok {
		return
	}
	d.done = true
	out.Marks |= llm.MarkStop | llm.MarkDone
	out.StopReason = word
	input, _ := details.Get("input_length")
	prompt, _ := input.Int()
	readUsage(out, details, prompt)
	if d.open {
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaClose})
	}
	d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaStop, Stop: readStop(word)})
	if out.Marks&llm.MarkUsage != 0 {
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaUsage, Usage: out.Usage})
	}
	d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaDone})
}

// Complete reports whether the details of the last token came.
func (d *StreamDecoder) Complete() bool { return d.done }

// End is empty: the last token is the terminator.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is the event that tells of an error, as a server of this dialect has it.
func (d *StreamDecoder) Fail(e *llm.Error) []byte {
	data := append(rawjson.AppendString([]byte(`{"error":`), e.Message), `,"error_type":"generation"}`...)
	return sse.Append(nil, "", data)
}
