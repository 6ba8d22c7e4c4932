package openai

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// chunkLimits bounds what an upstream may send in one chunk.
var chunkLimits = rawjson.Limits{Depth: 64}

// StreamDecoder reads the chunks of one streamed answer. It is used once, by one
// goroutine.
type StreamDecoder struct {
	// keepUsage passes the chunk on that carries nothing but usage; a client that
	// did not ask for it must not see it.
	keepUsage bool
	grammar   *grammarCall // set where tools run through a grammar
	neutral   *deltas      // set where another dialect will write the answer

	doc  rawjson.Doc // of the chunk at hand
	last template    // of the last chunk that carried nothing but text

	open     choiceSet // choices that began and have no stop reason yet
	stopped  bool      // some choice has its stop reason
	done     bool      // [DONE] came
	answerID string
}

// NewStream starts the decoder of the answer to req.
func NewStream(req *llm.Request, opt llm.Options) *StreamDecoder {
	d := &StreamDecoder{keepUsage: req.StreamUsage}
	if opt.Translate {
		d.neutral = &deltas{out: make([]llm.Delta, 0, 4)} // most chunks have fewer
	}
	if useGrammar(req, opt) {
		d.grammar = new(grammarCall)
	}
	return d
}

// Next turns one server-sent event into an llm.Event. The error is an *llm.Error:
// what the upstream reported inside the stream, or that its bytes are unreadable.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out, err := d.read(ev)
	if d.neutral != nil && err == nil {
		out.Deltas = d.neutral.event(ev, &out, &d.last)
	}
	return out, err
}

func (d *StreamDecoder) read(ev sse.Event) (llm.Event, error) {
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
	if n, ok := d.last.fits(ev.Data); ok && ev.Name == "" {
		out.Marks, out.TextBytes = d.last.mark, n
		return out, nil
	}
	doc := &d.doc
	err := doc.Reset(ev.Data, chunkLimits)
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent a chunk that is not a JSON object", Err: err}
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null || ev.Name == "error" {
		return out, decodeStreamError(ev.Data)
	}
	choices, ok := doc.Get("choices")
	if !ok || choices.Kind() != rawjson.Array || unknownName(ev.Name) {
		out.Marks = llm.MarkUnknown
		return out, nil
	}
	d.readChoices(choices, &out)
	d.readUsage(doc, &out)
	if d.grammar != nil {
		d.grammar.rewrite(doc, &out)
	}
	if d.answerID == "" {
		if id, ok := doc.Get("id"); ok {
			d.answerID, _ = id.Str()
			out.AnswerID = d.answerID
		}
	}
	if d.grammar == nil {
		d.last.learn(ev.Data, &out)
	}
	return out, nil
}

// template is a chunk around its text. Most chunks of a stream differ from the one
// before in their text alone: what stands before and behind it was checked already,
// byte for byte, so only the text has to be.
type template struct {
	head, tail []byte
	mark       llm.Mark
	text       rawjson.Value // of the chunk at hand, while it is read
	fit        bool          // the chunk at hand did
}

// maxTemplate bounds what is kept of a chunk.
const maxTemplate = 4 << 10

// fits reports whether a chunk is the template around another text, and how long
// that text is. A text of no length is another mark, so it does not fit.
func (t *template) fits(data []byte) (n int, ok bool) {
	n = len(data) - len(t.head) - len(t.tail)
	t.fit = false
	if t.mark == 0 || n <= 0 || !bytes.HasPrefix(data, t.head) || !bytes.HasSuffix(data, t.tail) {
		return 0, false
	}
	t.fit = rawjson.ValidText(t.within(data))
	return n, t.fit
}

// within is the text of a chunk that fits, still escaped.
func (t *template) within(data []byte) []byte { return data[len(t.head) : len(data)-len(t.tail)] }

// learn makes the chunk the template, if it carried one text and nothing else.
func (t *template) learn(data []byte, ev *llm.Event) {
	plain := ev.Marks == llm.MarkContent || ev.Marks == llm.MarkReasoning
	if !plain || ev.AnswerID != "" || len(t.text.Raw()) != ev.TextBytes+len(`""`) || len(data)-ev.TextBytes > maxTemplate {
		t.mark = 0
		return
	}
	start, end := t.text.Pos()
	t.head = append(t.head[:0], data[:start+1]...)
	t.tail = append(t.tail[:0], data[end-1:]...)
	t.mark = ev.Marks
}

// Fail is the event that tells of an error.
func (d *StreamDecoder) Fail(e *llm.Error) []byte { return AppendFailure(nil, e) }

// Complete reports whether the answer has its stop reason: the bar for calling a
// stream whole. A [DONE] without one is not enough.
func (d *StreamDecoder) Complete() bool { return d.stopped && d.open.empty() }

// End is the terminator, where the upstream forgot it.
func (d *StreamDecoder) End() []byte {
	if d.done {
		return nil
	}
	return []byte("data: [DONE]\n\n")
}

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

func unknownName(name string) bool { return name != "" && name != "message" }

func (d *StreamDecoder) readChoices(choices rawjson.Value, out *llm.Event) {
	for choice := range choices.Items() {
		var index, reason rawjson.Value
		for name, v := range choice.Members() {
			switch {
			case name.Is("index"):
				index = v
			case name.Is("delta"):
				d.readDelta(v, out)
			case name.Is("text"): // completions
				d.readText(v, llm.MarkContent, out)
			case name.Is("finish_reason"):
				reason = v
			case name.Is("usage"): // Moonshot
				d.count(v, out)
			}
		}
		i, _ := index.Int()
		d.open.add(i)
		if reason.Kind() == rawjson.String {
			out.Marks |= llm.MarkStop
			out.StopReason, _ = reason.Str()
			d.stopped = true
			d.open.remove(i)
		}
	}
}

func (d *StreamDecoder) readDelta(delta rawjson.Value, out *llm.Event) {
	for name, v := range delta.Members() {
		switch {
		case name.Is("content"), name.Is("refusal"):
			d.readText(v, llm.MarkContent, out)
		case name.Is("role"):
			out.Marks |= llm.MarkStart
		case name.Is("reasoning_content"), name.Is("reasoning"):
			d.readText(v, llm.MarkReasoning, out)
		case name.Is("tool_calls"), name.Is("function_call"):
			if v.Kind() != rawjson.Null {
				out.Marks |= llm.MarkTool
				out.TextBytes += len(v.Raw())
			}
		case name.Is("audio"):
			if v.Kind() == rawjson.Object {
				out.Marks |= llm.MarkContent
			}
		}
	}
}

// readText marks a text field. An empty one is what role chunks carry: it is not
// yet an answer.
func (d *StreamDecoder) readText(v rawjson.Value, mark llm.Mark, out *llm.Event) {
	if v.Kind() == rawjson.Array && !v.Empty() { // Mistral's thought, and the text behind it
		out.Marks |= mark
		out.TextBytes += len(v.Raw())
		return
	}
	if v.Kind() != rawjson.String {
		return
	}
	if n := len(v.Raw()) - len(`""`); n > 0 {
		out.Marks |= mark
		out.TextBytes += n
		d.last.text = v
	}
}

func (d *StreamDecoder) readUsage(doc *rawjson.Doc, out *llm.Event) {
	usage, ok := doc.Get("usage")
	if !ok && out.Marks&llm.MarkStop != 0 { // Groq, where it was not asked
		usage, ok = doc.Root().Path("x_groq", "usage")
	}
	if !ok || !d.count(usage, out) {
		return
	}
	if choices, _ := doc.Get("choices"); choices.Empty() {
		out.Marks |= llm.MarkUsageOnly
		if !d.keepUsage {
			out.Raw = nil
		}
	}
}

// count reads a usage object. Contradictory counts are as good as none: the bill is
// estimated.
func (d *StreamDecoder) count(usage rawjson.Value, out *llm.Event) bool {
	if usage.Kind() != rawjson.Object {
		return false
	}
	tokens, err := Usage(usage)
	if err != nil {
		return false
	}
	out.Marks |= llm.MarkUsage
	out.Usage = tokens
	return true
}

// choiceSet holds the indexes of open choices: a bit each for the usual few, and
// a bounded count of the rest.
type choiceSet struct{ low, high uint64 }

func (s *choiceSet) add(i int64) {
	switch {
	case i >= 0 && i < 64:
		s.low |= 1 << i
	case i >= 64 && i < maxChoices:
		s.high |= 1 << (i - 64)
	}
}

func (s *choiceSet) remove(i int64) {
	switch {
	case i >= 0 && i < 64:
		s.low &^= 1 << i
	case i >= 64 && i < maxChoices:
		s.high &^= 1 << (i - 64)
	}
}

func (s *choiceSet) empty() bool { return s.low == 0 && s.high == 0 }
