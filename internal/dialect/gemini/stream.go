package gemini

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// chunkLimits bounds what an upstream may send in one chunk: arguments of calls are
// as deep as their schema.
var chunkLimits = rawjson.Limits{Depth: 128}

// StreamDecoder reads the chunks of one streamed answer. It is used once, by one
// goroutine. The dialect has no terminator: an answer is complete when every
// candidate that began has its finishReason.
type StreamDecoder struct {
	frame   framing
	array   []byte  // a chunk as an element of the client's array
	neutral *deltas // set where another dialect will write the answer

	doc      rawjson.Doc // of the chunk at hand
	open     uint64      // candidates that began and have no finishReason yet
	stopped  bool        // some candidate has one, or the prompt was blocked
	answerID string

	used    money.Tokens // that the last chunk with counts said
	counted bool
	told    bool // and the writer of another dialect knows it
}

// NewStream starts the decoder of the answer to req.
func NewStream(req *llm.Request, opt llm.Options) *StreamDecoder {
	d := &StreamDecoder{frame: framing{array: req.Array}}
	if opt.Translate {
		d.neutral = &deltas{request: req.ID}
	}
	return d
}

// Next turns one server-sent event into an llm.Event. The error is an *llm.Error:
// what the upstream reported inside the stream, or that its bytes are unreadable.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	switch {
	case ev.Comment || d.frame.ended:
		return d.comment(), nil // not passed on: Google sends none, and its Go SDK takes one for an error
	case string(bytes.TrimSpace(ev.Data)) == "[DONE]": // of a server that imitates Google's
		return d.done(), nil
	}
	doc := &d.doc
	err := doc.Reset(ev.Data, chunkLimits)
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return llm.Event{Raw: ev.Raw}, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent a chunk that is not a JSON object", Err: err}
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return llm.Event{Raw: ev.Raw}, decodeStreamError(ev.Data)
	}
	out := llm.Event{Raw: d.pass(ev)}
	d.read(&out)
	if d.neutral != nil {
		out.Deltas = d.translate(ev, &out)
	}
	return out, nil
}

// pass gives a chunk the form that the client of the same dialect asked for.
func (d *StreamDecoder) pass(ev sse.Event) []byte {
	if !d.frame.array {
		return ev.Raw
	}
	d.array = append(d.frame.open(d.array[:0]), ev.Data...)
	return d.array
}

func (d *StreamDecoder) comment() llm.Event {
	out := llm.Event{Marks: llm.MarkComment}
	if d.neutral != nil {
		d.neutral.begin()
		d.neutral.add(llm.Delta{Kind: llm.DeltaPing})
		out.Deltas = d.neutral.out
	}
	return out
}

func (d *StreamDecoder) done() llm.Event {
	out := llm.Event{Marks: llm.MarkDone, Raw: d.End()}
	if d.neutral != nil {
		d.neutral.begin()
		d.neutral.add(llm.Delta{Kind: llm.DeltaDone})
		out.Deltas = d.neutral.out
	}
	return out
}

// translate gives the chunk at hand in neutral words. Usage rides on every chunk: it
// is told once the answer is complete, and again if it changed after that.
func (d *StreamDecoder) translate(ev sse.Event, out *llm.Event) []llm.Delta {
	d.neutral.begin()
	if out.Marks&llm.MarkUnknown != 0 {
		d.neutral.add(llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
		return d.neutral.out
	}
	d.neutral.chunk(&d.doc)
	if d.Complete() && d.counted && (!d.told || out.Marks&llm.MarkUsage != 0) {
		d.told = true
		d.neutral.usage(d.used)
	}
	return d.neutral.out
}

// read marks what the chunk at hand carries.
func (d *StreamDecoder) read(out *llm.Event) {
	known := false
	for name, v := range d.doc.Fields() {
		switch name {
		case "candidates":
			known = true
			for c := range v.Items() {
				d.candidate(c, out)
			}
		case "usageMetadata":
			known = true
			d.usage(v, out)
		case "responseId":
			known = true
			if d.answerID == "" {
				d.answerID, _ = v.Str()
				out.AnswerID = d.answerID
			}
		case "promptFeedback":
			known = true
		}
	}
	if reason, ok := blocked(&d.doc); ok {
		out.Marks |= llm.MarkStop
		out.StopReason, d.stopped = reason, true
	}
	switch {
	case !known:
		out.Marks = llm.MarkUnknown
	case out.Marks == llm.MarkUsage:
		out.Marks |= llm.MarkUsageOnly
	case out.Marks&^llm.MarkUsage == 0:
		out.Marks |= llm.MarkStart
	}
}

func (d *StreamDecoder) candidate(c rawjson.Value, out *llm.Event) {
	i := indexOf(c)
	if i < 0 {
		return
	}
	d.open |= 1 << i
	marks, n := contentOf(c)
	out.Marks |= marks
	out.TextBytes += n
	if word, ok := finishReason(c); ok {
		out.Marks |= llm.MarkStop
		out.StopReason, d.stopped = word, true
		d.open &^= 1 << i
	}
}

// contentOf is what a candidate carries, and how many bytes of it were generated. A
// chunk whose only text is empty is not yet an answer.
func contentOf(candidate rawjson.Value) (marks llm.Mark, textBytes int) {
	parts, _ := candidate.Path("content", "parts")
	for p := range parts.Items() {
		f := partFields(p)
		switch {
		case f.call.Kind() == rawjson.Object:
			marks |= llm.MarkTool
			textBytes += len(f.call.Raw())
		case f.text.Kind() == rawjson.String:
			n := len(f.text.Raw()) - len(`""`)
			textBytes += n
			switch {
			case n == 0:
			case f.thought:
				marks |= llm.MarkReasoning
			default:
				marks |= llm.MarkContent
			}
		case f.inline.Kind() == rawjson.Object, f.other:
			marks |= llm.MarkContent
		}
	}
	return marks, textBytes
}

// usage reads counts; contradictory ones are as good as none: the bill is estimated.
func (d *StreamDecoder) usage(v rawjson.Value, out *llm.Event) {
	if v.Kind() != rawjson.Object {
		return
	}
	tokens, err := Usage(v)
	if err != nil {
		return
	}
	d.used, d.counted = tokens, true
	out.Marks |= llm.MarkUsage
	out.Usage = tokens
}

// Complete reports whether the answer has its stop reason: the bar for calling a
// stream whole.
func (d *StreamDecoder) Complete() bool { return d.stopped && d.open == 0 }

// End is what an array still lacks; events have no terminator.
func (d *StreamDecoder) End() []byte { return d.frame.end(nil) }

// Fail is the chunk that tells of an error. Nothing follows it.
func (d *StreamDecoder) Fail(e *llm.Error) []byte { return d.frame.fail(nil, e) }

// fail writes an error as the last chunk.
func (f *framing) fail(dst []byte, e *llm.Error) []byte {
	dst = f.close(AppendError(f.open(dst), e))
	return f.end(dst)
}
