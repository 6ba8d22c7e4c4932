package ollama

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what a server may send as a plain answer, or in one line.
var answerLimits = rawjson.Limits{Depth: maxDepth}

// Answer reads a plain answer with status 200. The body is passed on as it is.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return out, decodeStreamError(body)
	}
	l := readLine(&doc)
	if req.Surface == llm.Embeddings {
		return embeddings(out, opt, &doc, &l)
	}
	if !l.hasText() {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no message and no response"}
	}
	l.mark(&out)
	out.Marks = llm.MarkWhole | out.Marks&llm.MarkUsage
	out.StopReason = l.reason()
	if opt.Translate {
		out.Answer = neutralAnswer(req, &l, &out)
	}
	return out, nil
}

func neutralAnswer(req *llm.Request, l *line, ev *llm.Event) *llm.Answer {
	read := deltas{req: req}
	var c llm.Collect
	l.done = true // a plain answer is done, whether it says so or not
	for _, d := range read.line(l, ev) {
		c.Add(d)
	}
	return c.Whole()
}

func embeddings(out llm.Event, opt llm.Options, doc *rawjson.Doc, l *line) (llm.Event, error) {
	list, _ := doc.Get("embeddings")
	if list.Kind() != rawjson.Array {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no embeddings"}
	}
	if tokens, ok := l.usage(); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
	if opt.Translate {
		out.Answer = &llm.Answer{Usage: out.Usage, Counted: out.Marks&llm.MarkUsage != 0, Vectors: readVectors(list)}
		out.Answer.Model, _ = l.model.Str()
	}
	return out, nil
}

func readVectors(list rawjson.Value) (vectors [][]float32) {
	for row := range list.Items() {
		vectors = append(vectors, wire.ReadVector(row))
	}
	return vectors
}

// line is what one line of a stream, or a plain answer, says.
type line struct {
	model, message, response       rawjson.Value
	content, thinking              rawjson.Value
	calls, images, logprobs        rawjson.Value
	doneReason, prompted, answered rawjson.Value
	done                           bool
}

func readLine(doc *rawjson.Doc) (l line) {
	for name, v := range doc.Root().Members() {
		switch {
		case name.Is("message"):
			l.message = v
			l.readMessage(v)
		case name.Is("response"):
			l.response, l.content = v, v
		case name.Is("thinking"):
			l.thinking = v
		case name.Is("tool_calls"):
			l.calls = v
		case name.Is("model"):
			l.model = v
		case name.Is("logprobs"):
			l.logprobs = v
		case name.Is("done"):
			l.done, _ = v.Bool()
		case name.Is("done_reason"):
			l.doneReason = v
		case name.Is("prompt_eval_count"):
			l.prompted = v
		case name.Is("eval_count"):
			l.answered = v
		}
	}
	return l
}

func (l *line) readMessage(m rawjson.Value) {
	for name, v := range m.Members() {
		switch {
		case name.Is("content"):
			l.content = v
		case name.Is("thinking"):
			l.thinking = v
		case name.Is("tool_calls"):
			l.calls = v
		case name.Is("images"):
			l.images = v
		}
	}
}

func (l *line) hasText() bool {
	return l.message.Kind() == rawjson.Object || l.response.Kind() == rawjson.String
}

// mark notes what a line carries.
func (l *line) mark(out *llm.Event) {
	out.Marks |= llm.MarkStart
	for _, t := range [...]struct {
		v    rawjson.Value
		mark llm.Mark
	}{{l.content, llm.MarkContent}, {l.thinking, llm.MarkReasoning}} {
		if n := len(t.v.Raw()) - len(`""`); t.v.Kind() == rawjson.String && n > 0 {
			out.Marks |= t.mark
			out.TextBytes += n
		}
	}
	if !wire.NoItems(l.calls) {
		out.Marks |= llm.MarkTool
		out.TextBytes += len(l.calls.Raw())
	}
	if !wire.NoItems(l.images) {
		out.Marks |= llm.MarkContent
	}
	if tokens, ok := l.usage(); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
}

// reason is the word for why the answer ended. Servers before 0.1.38 gave none, and
// stopped by themselves then as far as anyone can tell.
func (l *line) reason() string {
	if word, _ := l.doneReason.Str(); word != "" {
		return word
	}
	return "stop"
}

// usage reads the token counts, which come with the last line. Thinking is part of
// eval_count. A count of 0 is left out on the wire, but no prompt has 0 tokens: servers
// of old left the count out where their cache had the prompt, so nothing is known then.
func (l *line) usage() (money.Tokens, bool) {
	prompt, ok := l.prompted.Int()
	if !ok || prompt == 0 {
		return money.Tokens{}, false
	}
	answer, _ := l.answered.Int()
	tokens, err := money.FromInclusive(money.Inclusive{Prompt: prompt, Completion: answer})
	return tokens, err == nil
}
