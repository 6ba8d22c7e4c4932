package anthropic

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// eventLimits bounds what an upstream may send in one event.
var eventLimits = rawjson.Limits{Depth: 128}

// StreamDecoder reads the events of one streamed answer. It is used once, by one
// goroutine.
type StreamDecoder struct {
	neutral *deltas // set where another dialect will write the answer

	doc     rawjson.Doc // of the event at hand
	counts  counts      // so far
	stopped bool        // the stop reason came
	done    bool        // message_stop came
}

// NewStream starts the decoder of the answer to a request.
func NewStream(_ *llm.Request, opt llm.Options) *StreamDecoder {
	d := &StreamDecoder{}
	if opt.Translate {
		d.neutral = new(deltas)
	}
	return d
}

// Complete reports whether the answer has its stop reason.
func (d *StreamDecoder) Complete() bool { return d.stopped }

// End is the terminator, where the upstream forgot it.
func (d *StreamDecoder) End() []byte {
	if d.done {
		return nil
	}
	return []byte(messageStop)
}

const messageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

// Fail is the event that tells of an error.
func (d *StreamDecoder) Fail(e *llm.Error) []byte { return AppendFailure(nil, e) }

// Next turns one server-sent event into an llm.Event. The error is an *llm.Error:
// what the upstream reported inside the stream, or that its bytes are unreadable.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	if d.neutral != nil {
		d.neutral.reset()
	}
	if ev.Comment {
		out.Marks = llm.MarkComment
		d.tell(&out, llm.Delta{Kind: llm.DeltaPing})
		return out, nil
	}
	err := d.doc.Reset(ev.Data, eventLimits)
	root := d.doc.Root()
	if err != nil || root.Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	kind, _ := d.doc.Get("type")
	if kind.Is("error") || ev.Name == "error" {
		return out, decodeStreamError(ev.Data)
	}
	d.event(kind, ev, &out)
	if d.neutral != nil {
		out.Deltas = d.neutral.out
	}
	return out, nil
}

// tell adds a delta, where deltas are wanted.
func (d *StreamDecoder) tell(out *llm.Event, delta llm.Delta) {
	if d.neutral != nil {
		d.neutral.add(delta)
		out.Deltas = d.neutral.out
	}
}

func (d *StreamDecoder) event(kind rawjson.Value, ev sse.Event, out *llm.Event) {
	switch {
	case kind.Is("content_block_delta"):
		d.blockDelta(ev, out)
	case kind.Is("content_block_start"):
		d.blockStart(out)
	case kind.Is("content_block_stop"):
		out.Marks = llm.MarkStart // of no weight by itself, like a beginning
		if d.neutral != nil {
			d.neutral.close(d.index())
		}
	case kind.Is("message_start"):
		d.messageStart(out)
	case kind.Is("message_delta"):
		d.messageDelta(out)
	case kind.Is("message_stop"):
		d.done = true
		out.Marks = llm.MarkDone
		d.tell(out, llm.Delta{Kind: llm.DeltaDone})
	case kind.Is("ping"):
		out.Marks = llm.MarkComment
		d.tell(out, llm.Delta{Kind: llm.DeltaPing})
	default:
		out.Marks = llm.MarkUnknown
		d.tell(out, llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
	}
}

func (d *StreamDecoder) index() int64 {
	v, _ := d.doc.Get("index")
	i, _ := v.Int()
	return i
}

// messageStart reads the head. Its counts are those of the input, and a beginning of
// the output's: only the last ones are a bill.
func (d *StreamDecoder) messageStart(out *llm.Event) {
	out.Marks = llm.MarkStart
	message, _ := d.doc.Get("message")
	id, _ := message.Get("id")
	usage, _ := message.Get("usage")
	out.AnswerID, _ = id.Str()
	d.counts.read(usage)
	if d.neutral != nil {
		d.neutral.begin(message)
	}
}

// messageDelta reads the end: the stop reason and the counts of the whole answer.
func (d *StreamDecoder) messageDelta(out *llm.Event) {
	delta, _ := d.doc.Get("delta")
	usage, ok := d.doc.Get("usage")
	if reason, _ := delta.Get("stop_reason"); reason.Kind() == rawjson.String {
		out.Marks |= llm.MarkStop
		out.StopReason, _ = reason.Str()
		d.stopped = true
		if d.neutral != nil {
			d.neutral.stop(delta)
		}
	}
	if ok && usage.Kind() == rawjson.Object {
		d.counts.read(usage)
		if tokens, ok := d.counts.tokens(); ok {
			out.Marks |= llm.MarkUsage
			out.Usage = tokens
			d.tell(out, llm.Delta{Kind: llm.DeltaUsage, Usage: tokens})
		}
	}
	if out.Marks == 0 {
		out.Marks = llm.MarkUnknown
	}
}

// blockStart reads a block's head. What is whole with it ends the wait for the first
// event; a text that is still empty does not.
func (d *StreamDecoder) blockStart(out *llm.Event) {
	b, _ := d.doc.Get("content_block")
	kind, _ := b.Get("type")
	switch {
	case kind.Is("text"):
		text, _ := b.Get("text")
		d.weigh(text, llm.MarkContent, out)
	case kind.Is("thinking"):
		text, _ := b.Get("thinking")
		d.weigh(text, llm.MarkReasoning, out)
	case kind.Is("redacted_thinking"):
		out.Marks = llm.MarkReasoning
	case kind.Is("tool_use"):
		out.Marks = llm.MarkTool
		if input, _ := b.Get("input"); !wire.NoMembers(input) {
			out.TextBytes = len(input.Raw())
		}
	default: // a provider's own tool, or what it found
		out.Marks = llm.MarkContent
	}
	if d.neutral != nil {
		d.neutral.open(d.index(), b)
	}
}

// weigh marks a text that says something.
func (d *StreamDecoder) weigh(text rawjson.Value, mark llm.Mark, out *llm.Event) {
	if text.Kind() == rawjson.String && len(text.Raw()) > len(`""`) {
		out.Marks |= mark
		out.TextBytes += len(text.Raw()) - len(`""`)
		return
	}
	out.Marks |= llm.MarkStart
}

func (d *StreamDecoder) blockDelta(ev sse.Event, out *llm.Event) {
	delta, _ := d.doc.Get("delta")
	kind, _ := delta.Get("type")
	var text rawjson.Value
	switch {
	case kind.Is("text_delta"):
		text, _ = delta.Get("text")
		d.weigh(text, llm.MarkContent, out)
	case kind.Is("input_json_delta"):
		text, _ = delta.Get("partial_json")
		d.weigh(text, llm.MarkTool, out)
		out.Marks |= llm.MarkTool
	case kind.Is("thinking_delta"):
		text, _ = delta.Get("thinking")
		d.weigh(text, llm.MarkReasoning, out)
	case kind.Is("signature_delta"):
		out.Marks = llm.MarkReasoning
		if d.neutral != nil {
			signature, _ := delta.Get("signature")
			d.neutral.sign(d.index(), signature)
		}
		return
	case kind.Is("citations_delta"):
		out.Marks = llm.MarkContent
		if d.neutral != nil {
			citation, _ := delta.Get("citation")
			d.neutral.cite(d.index(), citation)
		}
		return
	default:
		out.Marks = llm.MarkUnknown
		d.tell(out, llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
		return
	}
	if d.neutral != nil {
		d.neutral.piece(d.index(), text)
	}
}
