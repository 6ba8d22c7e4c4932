package openai

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// ForwardedStream reads the events of a forwarded surface: of speech, transcriptions
// and images. They have no stop reason, but a last event of their own; engines that have
// other events say [DONE].
type ForwardedStream struct {
	surface llm.Surface
	due     int // last events that are still to come: one for each picture
	last    int // that came
	done    bool
	usage   money.Tokens
	chat    *StreamDecoder // of engines that send transcriptions as the chunks of a chat
	chunks  bool           // that is what came
}

// NewForwardedStream starts the decoder of the answer to req.
func NewForwardedStream(req *llm.Request, opt llm.Options) *ForwardedStream {
	chat := NewStream(req, opt)
	chat.keepUsage = true
	return &ForwardedStream{surface: req.Surface, due: pictures(req), chat: chat}
}

// pictures is how many last events a request has.
func pictures(req *llm.Request) int {
	var text string
	if req.Form != nil {
		text, _, _ = req.Form.Text("n") // a form of several is for the upstream to judge
	} else if v, ok := req.Doc.Get("n"); ok {
		text = string(v.Raw())
	}
	n, err := strconv.Atoi(text)
	if err != nil || req.Surface == llm.Speech || req.Surface == llm.Transcriptions {
		return 1
	}
	return min(max(n, 1), maxChoices)
}

// lastEvents are the types of events that complete an answer, or one picture of it.
// transcription.done is Mistral's.
var lastEvents = map[string]bool{
	"speech.audio.done": true, "transcript.text.done": true, "transcription.done": true,
	"image_generation.completed": true, "image_edit.completed": true,
}

// Next reads one event.
func (d *ForwardedStream) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	switch {
	case ev.Comment:
		out.Marks = llm.MarkComment
		return out, nil
	case isDone(ev.Data):
		d.done = true
		out.Marks = llm.MarkDone
		return out, nil
	}
	doc, err := rawjson.Check(ev.Data, chunkLimits)
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null || ev.Name == "error" {
		return out, decodeStreamError(ev.Data)
	}
	v, _ := doc.Get("type")
	kind, isStr := v.Str()
	if _, ok := doc.Get("choices"); ok && !isStr {
		d.chunks = true
		return d.chat.Next(ev)
	}
	switch {
	case lastEvents[kind]:
		d.due--
		d.last++
		out.Marks = llm.MarkContent | llm.MarkStop
		d.readUsage(&doc, &out)
	default: // a piece of it, whatever the engine calls that
		out.Marks = llm.MarkContent
	}
	return out, nil
}

// readUsage adds up what each picture used.
func (d *ForwardedStream) readUsage(doc *rawjson.Doc, out *llm.Event) {
	usage, ok := doc.Get("usage")
	if !ok {
		return
	}
	if tokens, ok := forwardedUsage(d.surface, usage); ok {
		d.usage = d.usage.Add(tokens)
		out.Marks |= llm.MarkUsage
		out.Usage = d.usage
	}
}

// Complete reports whether the last event came.
func (d *ForwardedStream) Complete() bool {
	if d.chunks {
		return d.chat.Complete()
	}
	return d.due <= 0 || d.done && d.last == 0
}

// End is nothing: the last event is what ends such a stream.
func (d *ForwardedStream) End() []byte { return nil }

// Fail is the event that tells of an error.
func (d *ForwardedStream) Fail(e *llm.Error) []byte { return AppendFailure(nil, e) }
