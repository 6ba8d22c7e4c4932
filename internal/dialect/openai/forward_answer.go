package openai

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// forwardedAnswer reads a JSON answer of a forwarded surface: is it one, and what did
// it use. Engines answer transcriptions as a bare string, too, where text was asked.
func forwardedAnswer(req *llm.Request, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := rawjson.Check(body, answerLimits)
	if err != nil {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is not JSON, though it says so", Err: err}
	}
	if doc.Root().Kind() != rawjson.Object {
		if req.Surface == llm.Transcriptions || req.Surface == llm.Translations {
			return out, nil
		}
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is not a JSON object"}
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return out, decodeStreamError(body)
	}
	if id, ok := doc.Get("id"); ok {
		out.AnswerID, _ = id.Str()
	}
	if usage, ok := doc.Get("usage"); ok {
		if tokens, ok := forwardedUsage(req.Surface, usage); ok {
			out.Marks |= llm.MarkUsage
			out.Usage = tokens
		}
	}
	return out, nil
}

// forwardedUsage turns a usage object of audio and images into disjoint classes. What
// has no details is what the surface is about: sound or pictures. Usage that is counted
// in seconds has no tokens.
func forwardedUsage(surface llm.Surface, usage rawjson.Value) (money.Tokens, bool) {
	var c money.Inclusive
	var counted, details, outDetails bool
	for name, v := range usage.Members() {
		switch {
		case name.Is("input_tokens"):
			c.Prompt, counted = count(v), true
		case name.Is("output_tokens"):
			c.Completion, counted = count(v), true
		case name.Is("total_tokens"):
			c.Total = count(v)
		case name.Is("input_token_details"), name.Is("input_tokens_details"):
			details = v.Kind() == rawjson.Object
			c.Audio, c.Image, c.Cached = member(v, "audio_tokens"), member(v, "image_tokens"), member(v, "cached_tokens")
		case name.Is("output_token_details"), name.Is("output_tokens_details"):
			outDetails = v.Kind() == rawjson.Object
			c.AudioOut, c.ImageOut = member(v, "audio_tokens"), member(v, "image_tokens")
		}
	}
	switch surface {
	case llm.Transcriptions, llm.Translations:
		if !details {
			c.Audio = c.Prompt
		}
	case llm.Speech:
		if !outDetails {
			c.AudioOut = c.Completion
		}
	case llm.Images, llm.ImageEdits, llm.ImageVariations:
		if !outDetails {
			c.ImageOut = c.Completion
		}
	}
	tokens, err := money.FromInclusive(c)
	return tokens, counted && err == nil
}

func member(v rawjson.Value, name string) int64 {
	m, _ := v.Get(name)
	return count(m)
}

// ForwardedStream reads the events of a forwarded surface: of speech, transcriptions
// and images. They have no [DONE] and no stop reason, but a last event of their own.
type ForwardedStream struct {
	surface llm.Surface
	due     int // last events that are still to come: one for each picture
	usage   money.Tokens
	chat    *StreamDecoder // of engines that send transcriptions as the chunks of a chat
	chunks  bool           // that is what came
}

// NewForwardedStream starts the decoder of the answer to req.
func NewForwardedStream(req *llm.Request, opt llm.Options) *ForwardedStream {
	return &ForwardedStream{surface: req.Surface, due: pictures(req), chat: NewStream(req, opt)}
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
	if ev.Comment || isDone(ev.Data) {
		return d.chat.Next(ev)
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
		out.Marks = llm.MarkContent | llm.MarkStop
		d.readUsage(&doc, &out)
	case strings.HasSuffix(kind, ".delta"), strings.HasSuffix(kind, ".segment"), strings.HasSuffix(kind, ".partial_image"):
		out.Marks = llm.MarkContent
	default:
		out.Marks = llm.MarkUnknown
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
func (d *ForwardedStream) Complete() bool { return d.due <= 0 || d.chunks && d.chat.Complete() }

// End is nothing: the last event is what ends such a stream.
func (d *ForwardedStream) End() []byte { return nil }

// Fail is the event that tells of an error.
func (d *ForwardedStream) Fail(e *llm.Error) []byte { return AppendFailure(nil, e) }
