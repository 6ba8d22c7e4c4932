package cohere

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer, or in one event.
var answerLimits = rawjson.Limits{Depth: 128}

// Answer reads a plain answer with status 200.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	doc, err := rawjson.Check(body, answerLimits)
	kind := doc.Root().Kind()
	if err != nil || kind != rawjson.Object && (kind != rawjson.Array || req.Surface != llm.Rerank) {
		return llm.Event{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is not a JSON object", Err: err}
	}
	switch req.Surface {
	case llm.Rerank:
		return rerankAnswer(req, opt, &doc)
	case llm.Embeddings:
		return embedAnswer(opt, &doc)
	}
	return chatAnswer(opt, &doc)
}

func embedAnswer(opt llm.Options, doc *rawjson.Doc) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: doc.Bytes()}
	list, ok := doc.Root().Path("embeddings", "float")
	if !ok {
		list, _ = doc.Get("embeddings") // as v1 had them
	}
	if list.Kind() != rawjson.Array {
		return out, noAnswer(doc, "embeddings")
	}
	a := &llm.Answer{}
	for item := range list.Items() {
		a.Vectors = append(a.Vectors, wire.ReadVector(item))
	}
	meta, _ := doc.Get("meta")
	if tokens, ok := Usage(meta); ok {
		out.Marks |= llm.MarkUsage
		out.Usage, a.Usage, a.Counted = tokens, tokens, true
	}
	id, _ := doc.Get("id")
	out.AnswerID, _ = id.Str()
	if a.ID = out.AnswerID; opt.Translate {
		out.Answer = a
	}
	return out, nil
}

// stopReasons is the table of finish_reason. ERROR and TIMEOUT are errors.
var stopReasons = map[string]llm.StopReason{
	"COMPLETE": llm.StopEnd, "STOP_SEQUENCE": llm.StopSequence, "MAX_TOKENS": llm.StopLength, "TOOL_CALL": llm.StopTools, "ERROR_TOXIC": llm.StopFilter,
}

// readStop reads a finish_reason. The error is of an answer that failed while it was made.
func readStop(at rawjson.Value) (llm.Stop, error) {
	v, _ := at.Get("finish_reason")
	word, _ := v.Str()
	switch word {
	case "ERROR", "TIMEOUT":
		e := &llm.Error{Kind: llm.Upstream, Code: word, Message: "the upstream failed while it made the answer"}
		if word == "TIMEOUT" {
			e.Kind, e.Message = llm.Timeout, "the upstream ran out of time while it made the answer"
		}
		if told, _ := at.Get("error"); told.Kind() == rawjson.String {
			text, _ := told.Str()
			e.Message = wire.Clip(text)
		}
		return llm.Stop{}, e
	}
	reason, ok := stopReasons[word]
	if !ok {
		reason = llm.StopOther
	}
	return llm.Stop{Reason: reason, Word: word}, nil
}

func chatAnswer(opt llm.Options, doc *rawjson.Doc) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: doc.Bytes()}
	message, _ := doc.Get("message")
	if message.Kind() != rawjson.Object {
		return out, noAnswer(doc, "message")
	}
	stop, err := readStop(doc.Root())
	if err != nil {
		return out, err
	}
	if stop.Word == "" {
		return out, noAnswer(doc, "finish_reason")
	}
	out.StopReason = stop.Word
	id, _ := doc.Get("id")
	out.AnswerID, _ = id.Str()
	a := &llm.Answer{ID: out.AnswerID, Choices: []llm.Choice{{Parts: readMessage(message), Stop: stop}}}
	for i := range a.Choices[0].Parts {
		p := &a.Choices[0].Parts[i]
		out.TextBytes += len(p.Text)
		if p.Call != nil {
			out.TextBytes += len(p.Call.Name) + len(p.Call.Arguments)
		}
	}
	usage, _ := doc.Get("usage")
	if tokens, ok := Usage(usage); ok {
		out.Marks |= llm.MarkUsage
		out.Usage, a.Usage, a.Counted = tokens, tokens, true
	}
	if opt.Translate {
		out.Answer = a
	}
	return out, nil
}

// readMessage reads a message in the order in which models speak: thought, plan, words, calls.
func readMessage(message rawjson.Value) (parts []llm.Part) {
	content, _ := message.Get("content")
	if text, ok := content.Str(); ok {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: text})
	}
	at := map[int]int{} // part by index of content
	n := 0
	for item := range content.Items() {
		kind, _ := item.Get("type")
		word, _ := kind.Str()
		text, _ := item.Get(word)
		p := llm.Part{Kind: llm.Text}
		switch word {
		case "text":
			p.Text, _ = text.Str()
		case "thinking":
			p.Kind = llm.Reasoning
			p.Text, _ = text.Str()
		default:
			p = llm.Part{Kind: llm.Other, Raw: append([]byte(nil), item.Raw()...), Dialect: Name}
		}
		at[n] = len(parts)
		parts = append(parts, p)
		n++
	}
	citations, _ := message.Get("citations")
	for item := range citations.Items() {
		index, _ := item.Get("content_index")
		i, _ := index.Int()
		if where, ok := at[int(i)]; ok && parts[where].Kind == llm.Text {
			parts[where].Citations = append(parts[where].Citations, readCitation(item))
		}
	}
	if plan, _ := message.Get("tool_plan"); plan.Kind() == rawjson.String {
		if text, _ := plan.Str(); text != "" {
			parts = append([]llm.Part{{Kind: llm.Reasoning, Text: text}}, parts...)
		}
	}
	calls, _ := message.Get("tool_calls")
	for item := range calls.Items() {
		parts = append(parts, llm.Part{Kind: llm.ToolCall, Call: readCall(item)})
	}
	return parts
}

func readCall(item rawjson.Value) *llm.Call {
	call := &llm.Call{}
	id, _ := item.Get("id")
	name, _ := item.Path("function", "name")
	arguments, _ := item.Path("function", "arguments")
	call.ID, _ = id.Str()
	call.Name, _ = name.Str()
	call.Arguments, _ = arguments.Str()
	return call
}

// readCitation reads a citation: a span of the answer, and the first of its sources.
func readCitation(item rawjson.Value) llm.Citation {
	c := llm.Citation{Kind: "document", Document: -1, Of: "answer", Raw: append([]byte(nil), item.Raw()...), Dialect: Name}
	start, _ := item.Get("start")
	end, _ := item.Get("end")
	from, _ := start.Int()
	to, _ := end.Int()
	c.Start, c.End = int(from), int(to)
	sources, _ := item.Get("sources")
	for s := range sources.Items() {
		id, _ := s.Get("id")
		name, _ := id.Str()
		if n, err := strconv.Atoi(strings.TrimPrefix(name, documentID)); err == nil && strings.HasPrefix(name, documentID) {
			c.Document = n
		}
		title, _ := s.Path("document", "title")
		url, _ := s.Path("document", "url")
		quote, _ := s.Path("document", "text")
		c.Title, _ = title.Str()
		c.URL, _ = url.Str()
		c.Quote, _ = quote.Str()
		break
	}
	return c
}

// Usage turns a usage object, or the meta of embeddings, into token classes: the billed units,
// or where there are none the tokens that the model saw, the cached ones among them.
func Usage(usage rawjson.Value) (t money.Tokens, ok bool) {
	for _, name := range [...]string{"billed_units", "tokens"} {
		at, _ := usage.Get(name)
		in, hasIn := at.Get("input_tokens")
		out, hasOut := at.Get("output_tokens")
		if !hasIn && !hasOut {
			continue
		}
		n := money.Inclusive{Prompt: count(in), Completion: count(out)}
		if cached, ok := usage.Get("cached_tokens"); ok && name == "tokens" {
			n.Cached = count(cached)
		}
		tokens, err := money.FromInclusive(n)
		return tokens, err == nil // contradictory counts are as good as none
	}
	return t, false
}

func count(v rawjson.Value) int64 {
	n, whole := v.Int()
	if !whole && v.Kind() == rawjson.Number {
		return -1 // refused as a whole
	}
	return n
}
