package triton

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// StreamDecoder reads the events of one streamed answer. It is used once, by one
// goroutine, and must be told of the end: see Ended.
//
// An event has the new piece of text. Where the operator set accumulate_tokens it has all
// of the text so far instead, which cannot be told from an event and is not supported.
//
// A stream has neither a stop reason nor a last event: the server ends the body when the
// model's final response is out
// (https://github.com/triton-inference-server/tensorrtllm_backend/issues/383). gRPC has
// triton_final_response for that, but over HTTP the server refuses to be asked for it, as
// for all names that begin so. So an answer is complete when something was said and the
// body ended with HTTP's own mark of the end. A body that ends with its connection has no
// such mark; servers send chunks, which have.
type StreamDecoder struct {
	req       *llm.Request
	translate bool
	doc       rawjson.Doc // of the event at hand
	deltas    []llm.Delta // likewise
	text      []byte
	counts    counts
	began     bool // an event of the model came
	open      bool // the one block of text
	failed    bool
	done      bool
}

// NewStream starts the decoder of the answer to req.
func NewStream(req *llm.Request, opt llm.Options) *StreamDecoder {
	return &StreamDecoder{req: req, translate: opt.Translate}
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
		d.failed = true
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	if v, ok := d.doc.Get("error"); ok && v.Kind() != rawjson.Null {
		d.failed = true
		return out, decodeStreamError(ev.Data)
	}
	text := textOf(d.doc.Root())
	if text.Kind() != rawjson.String {
		out.Marks = llm.MarkUnknown
		return d.with(out, llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw}), nil
	}
	d.piece(&out, text)
	d.counts.add(d.doc.Root())
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

func (d *StreamDecoder) piece(out *llm.Event, text rawjson.Value) {
	if !d.began {
		d.began = true
		begin := llm.Delta{Kind: llm.DeltaBegin}
		name, _ := d.doc.Get("model_name")
		begin.Model, _ = name.Str()
		d.deltas = append(d.deltas, begin)
	}
	out.Marks |= llm.MarkStart
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

// Ended tells that the body ended as a body should. Where the model had answered, that is
// the stop; its event has the usage too, where the model counted.
func (d *StreamDecoder) Ended() llm.Event {
	out := llm.Event{}
	if !d.began || d.failed || d.done {
		return out
	}
	d.done = true
	d.deltas = d.deltas[:0]
	stop := d.counts.stop(d.req)
	out.Marks, out.StopReason = llm.MarkStop|llm.MarkDone, stop.Word
	d.counts.mark(&out)
	if d.open {
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaClose})
	}
	d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaStop, Stop: stop})
	if out.Marks&llm.MarkUsage != 0 {
		d.deltas = append(d.deltas, llm.Delta{Kind: llm.DeltaUsage, Usage: out.Usage})
	}
	return d.with(out, llm.Delta{Kind: llm.DeltaDone})
}

// Complete reports whether the answer ended.
func (d *StreamDecoder) Complete() bool { return d.done }

// End is empty: the dialect has no terminator.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is the event that tells of an error, as a server of this dialect has it.
func (d *StreamDecoder) Fail(e *llm.Error) []byte {
	return sse.Append(nil, "", append(rawjson.AppendString([]byte(`{"error":`), e.Message), '}'))
}
