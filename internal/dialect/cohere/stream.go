package cohere

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// StreamDecoder reads the events of one streamed answer. It is used once, by one goroutine.
type StreamDecoder struct {
	translate bool
	doc       rawjson.Doc // of the event at hand
	out       []llm.Delta // of the event at hand
	text      []byte      // unescaped, of the event at hand

	began   bool
	stopped bool
	next    int          // the number of the next block
	kind    llm.PartKind // of the open block, 0 for none
	due     bool         // the open block is complete, but may still be cited
}

// NewStream starts the decoder of the answer to a request.
func NewStream(_ *llm.Request, opt llm.Options) *StreamDecoder {
	return &StreamDecoder{translate: opt.Translate}
}

// Complete reports whether the answer has its stop reason.
func (d *StreamDecoder) Complete() bool { return d.stopped }

// End is nothing: no client of this dialect takes streams from us.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is nothing, for the same reason.
func (d *StreamDecoder) Fail(*llm.Error) []byte { return nil }

// Next reads one event. The error is an *llm.Error.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	d.out, d.text = d.out[:0], d.text[:0]
	err := d.read(ev, &out)
	if d.translate && err == nil {
		out.Deltas = d.out
	}
	return out, err
}

func (d *StreamDecoder) read(ev sse.Event, out *llm.Event) error {
	switch {
	case ev.Comment:
		out.Marks = llm.MarkComment
		d.add(llm.Delta{Kind: llm.DeltaPing})
		return nil
	case string(bytes.TrimSpace(ev.Data)) == "[DONE]":
		out.Marks = llm.MarkDone
		return nil
	}
	if err := d.doc.Reset(ev.Data, answerLimits); err != nil || d.doc.Root().Kind() != rawjson.Object {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	root := d.doc.Root()
	kind, _ := root.Get("type")
	name, ok := kind.Str()
	if !ok {
		name = ev.Name
	}
	read, known := readers[name]
	if !known {
		if text := messageOf(ev.Data); text != "" && (name == "" || name == "error") {
			return &llm.Error{Kind: llm.Upstream, Message: text}
		}
		out.Marks = llm.MarkUnknown
		d.add(llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
		return nil
	}
	if name != "message-start" {
		d.begin("")
	}
	return read(d, root, out)
}

// readers are what is done with the events that are known.
var readers = map[string]func(*StreamDecoder, rawjson.Value, *llm.Event) error{
	"message-start": (*StreamDecoder).messageStart, "message-end": (*StreamDecoder).messageEnd,
	"content-start": (*StreamDecoder).contentStart, "content-delta": (*StreamDecoder).contentDelta, "content-end": (*StreamDecoder).blockEnd,
	"tool-plan-delta": (*StreamDecoder).toolPlan,
	"tool-call-start": (*StreamDecoder).callStart, "tool-call-delta": (*StreamDecoder).callDelta, "tool-call-end": (*StreamDecoder).blockEnd,
	"citation-start": (*StreamDecoder).citation, "citation-end": (*StreamDecoder).nothing, "debug": (*StreamDecoder).nothing,
}

func (d *StreamDecoder) nothing(rawjson.Value, *llm.Event) error { return nil }

func (d *StreamDecoder) add(delta llm.Delta) { d.out = append(d.out, delta) }

func (d *StreamDecoder) begin(id string) {
	if !d.began {
		d.began = true
		d.add(llm.Delta{Kind: llm.DeltaBegin, ID: id})
	}
}

func (d *StreamDecoder) messageStart(root rawjson.Value, out *llm.Event) error {
	out.Marks = llm.MarkStart
	id, _ := root.Get("id")
	out.AnswerID, _ = id.Str()
	d.begin(out.AnswerID)
	return nil
}

func (d *StreamDecoder) open(part llm.Part) {
	d.close()
	d.kind, d.due = part.Kind, false
	d.add(llm.Delta{Kind: llm.DeltaOpen, Block: d.next, Part: part})
	d.next++
}

func (d *StreamDecoder) close() {
	if d.kind != 0 {
		d.add(llm.Delta{Kind: llm.DeltaClose, Block: d.next - 1})
		d.kind = 0
	}
}

// words is more of a text of this kind; a block begins where none of it is open.
func (d *StreamDecoder) words(kind llm.PartKind, v rawjson.Value, mark llm.Mark, out *llm.Event) {
	from := len(d.text)
	if d.text, _ = v.AppendStr(d.text); len(d.text) == from {
		return
	}
	if d.kind != kind || d.due {
		part := llm.Part{Kind: kind}
		if kind == llm.ToolCall {
			part.Call = &llm.Call{} // its start was lost
		}
		d.open(part)
	}
	out.Marks |= mark
	out.TextBytes += len(d.text) - from
	d.add(llm.Delta{Kind: llm.DeltaPiece, Block: d.next - 1, Text: d.text[from:]})
}

// contentStart begins a block with its first letters, if it brings any.
func (d *StreamDecoder) contentStart(root rawjson.Value, out *llm.Event) error {
	out.Marks = llm.MarkStart
	d.due = d.kind != 0 // the block before is over
	return d.contentDelta(root, out)
}

func (d *StreamDecoder) contentDelta(root rawjson.Value, out *llm.Event) error {
	content, _ := root.Path("delta", "message", "content")
	if thought, ok := content.Get("thinking"); ok {
		d.words(llm.Reasoning, thought, llm.MarkReasoning, out)
	}
	if text, ok := content.Get("text"); ok {
		d.words(llm.Text, text, llm.MarkContent, out)
	}
	return nil
}

func (d *StreamDecoder) toolPlan(root rawjson.Value, out *llm.Event) error {
	plan, _ := root.Path("delta", "message", "tool_plan")
	d.words(llm.Reasoning, plan, llm.MarkReasoning, out)
	return nil
}

func (d *StreamDecoder) callStart(root rawjson.Value, out *llm.Event) error {
	item, _ := root.Path("delta", "message", "tool_calls")
	call := readCall(item)
	call.Arguments = ""
	out.Marks, out.TextBytes = llm.MarkTool, len(call.Name)
	d.open(llm.Part{Kind: llm.ToolCall, Call: call})
	arguments, _ := item.Path("function", "arguments")
	d.words(llm.ToolCall, arguments, llm.MarkTool, out)
	return nil
}

func (d *StreamDecoder) callDelta(root rawjson.Value, out *llm.Event) error {
	arguments, _ := root.Path("delta", "message", "tool_calls", "function", "arguments")
	d.words(llm.ToolCall, arguments, llm.MarkTool, out)
	return nil
}

// blockEnd closes a block, but for a text, whose citations may come behind its end.
func (d *StreamDecoder) blockEnd(rawjson.Value, *llm.Event) error {
	if d.kind == llm.Text {
		d.due = true
	} else {
		d.close()
	}
	return nil
}

func (d *StreamDecoder) citation(root rawjson.Value, out *llm.Event) error {
	item, _ := root.Path("delta", "message", "citations")
	out.Marks = llm.MarkContent
	if d.kind == llm.Text {
		d.add(llm.Delta{Kind: llm.DeltaCite, Block: d.next - 1, Part: llm.Part{Citations: []llm.Citation{readCitation(item)}}})
	}
	return nil
}

// messageEnd is the last event.
func (d *StreamDecoder) messageEnd(root rawjson.Value, out *llm.Event) error {
	delta, _ := root.Get("delta")
	stop, err := readStop(delta)
	if err != nil {
		return err
	}
	if stop.Word == "" {
		out.Marks = llm.MarkUnknown
		return nil
	}
	d.stopped = true
	d.close()
	out.Marks, out.StopReason = llm.MarkStop|llm.MarkDone, stop.Word
	d.add(llm.Delta{Kind: llm.DeltaStop, Stop: stop})
	usage, _ := delta.Get("usage")
	if tokens, ok := Usage(usage); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
		d.add(llm.Delta{Kind: llm.DeltaUsage, Usage: tokens})
	}
	d.add(llm.Delta{Kind: llm.DeltaDone})
	return nil
}
