package bedrock

import (
	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer, or in one event.
var answerLimits = rawjson.Limits{Depth: 128}

// stopReasons is the table of stopReason.
var stopReasons = map[string]llm.StopReason{
	"end_turn": llm.StopEnd, "tool_use": llm.StopTools, "max_tokens": llm.StopLength, "stop_sequence": llm.StopSequence,
	"guardrail_intervened": llm.StopFilter, "content_filtered": llm.StopFilter, "model_context_window_exceeded": llm.StopLength,
	"refusal": llm.StopRefusal, "pause_turn": llm.StopPause, // Claude's own, where they come through
}

// readStop reads a stop reason with the sequence that was met, where the model told of it.
func readStop(at rawjson.Value) llm.Stop {
	v, _ := at.Get("stopReason")
	word, _ := v.Str()
	stop := llm.Stop{Reason: llm.StopOther, Word: word}
	if reason, ok := stopReasons[word]; ok {
		stop.Reason = reason
	}
	sequence, _ := at.Path("additionalModelResponseFields", "stop_sequence")
	stop.Sequence, _ = sequence.Str()
	return stop
}

// Answer reads a plain answer with status 200. Converse gives it neither id nor model.
func Answer(_ *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	root := doc.Root()
	content, ok := root.Path("output", "message", "content")
	stop := readStop(root)
	if !ok || content.Kind() != rawjson.Array || stop.Word == "" {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no output with a stopReason"}
	}
	out.StopReason = stop.Word
	var parts []llm.Part
	for item := range content.Items() {
		part, err := readBlock(item)
		if err != nil {
			return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has a block that cannot be read", Err: err}
		}
		parts = append(parts, part)
		out.TextBytes += textOf(&part)
	}
	a := &llm.Answer{Choices: []llm.Choice{{Parts: parts, Stop: stop}}}
	if usage, ok := root.Get("usage"); ok && usage.Kind() == rawjson.Object {
		if tokens, err := Usage(usage); err == nil {
			out.Marks |= llm.MarkUsage
			out.Usage, a.Usage, a.Counted = tokens, tokens, true
		}
	}
	served, _ := root.Path("serviceTier", "type")
	a.Tier, _ = served.Str()
	if opt.Translate {
		out.Answer = a
	}
	return out, nil
}

func textOf(p *llm.Part) int {
	if p.Call != nil {
		return len(p.Call.Name) + len(p.Call.Arguments)
	}
	return len(p.Text)
}

// readBlock reads one block of an answer's content. What this version does not know is
// carried as it is.
func readBlock(item rawjson.Value) (llm.Part, error) {
	var b block
	if err := json.Unmarshal(item.Raw(), &b); err != nil {
		return llm.Part{}, err
	}
	switch {
	case b.Text != nil:
		return llm.Part{Kind: llm.Text, Text: *b.Text}, nil
	case b.ToolUse != nil && b.ToolUse.Type == "":
		call := &llm.Call{ID: b.ToolUse.ID, Name: b.ToolUse.Name, Arguments: string(b.ToolUse.Input)}
		return llm.Part{Kind: llm.ToolCall, Call: call}, nil
	case b.Reasoning != nil && b.Reasoning.Redacted != "":
		return llm.Part{Kind: llm.Reasoning, Redacted: b.Reasoning.Redacted, Signer: Name}, nil
	case b.Reasoning != nil && b.Reasoning.Text != nil:
		t := b.Reasoning.Text
		p := llm.Part{Kind: llm.Reasoning, Text: t.Text, Signature: t.Signature}
		if t.Signature != "" {
			p.Signer = Name
		}
		return p, nil
	case b.Citations != nil:
		p := llm.Part{Kind: llm.Text}
		for _, c := range b.Citations.Content {
			p.Text += c.Text
		}
		for _, raw := range b.Citations.Citations {
			at, _ := rawjson.Lookup(raw)
			p.Citations = append(p.Citations, readCitation(at))
		}
		return p, nil
	case b.Image != nil && b.Image.Source.Bytes != "":
		return llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/" + b.Image.Format, Base64: b.Image.Source.Bytes}}, nil
	}
	return llm.Part{Kind: llm.Other, Raw: append([]byte(nil), item.Raw()...), Dialect: Name}, nil
}

// citationKinds are the members of a citation's location.
var citationKinds = [...]struct{ member, kind, index string }{
	{"web", "web", ""}, {"documentChar", "document", "documentIndex"}, {"documentPage", "document", "documentIndex"},
	{"documentChunk", "document", "documentIndex"}, {"searchResultLocation", "search_result", "searchResultIndex"},
}

func readCitation(at rawjson.Value) llm.Citation {
	c := llm.Citation{Kind: "document", Document: -1, Raw: append([]byte(nil), at.Raw()...), Dialect: Name}
	title, _ := at.Get("title")
	c.Title, _ = title.Str()
	quotes, _ := at.Get("sourceContent")
	for q := range quotes.Items() {
		text, _ := q.Get("text")
		s, _ := text.Str()
		c.Quote += s
	}
	for _, k := range citationKinds {
		where, ok := at.Path("location", k.member)
		if !ok {
			continue
		}
		c.Kind = k.kind
		url, _ := where.Get("url")
		c.URL, _ = url.Str()
		if index, ok := where.Get(k.index); ok {
			n, _ := index.Int()
			c.Document = int(n)
		}
		if k.member == "documentChar" { // pages and chunks count something else
			c.Of, c.Start, c.End = "document", number(where, "start"), number(where, "end")
		}
	}
	return c
}

func number(at rawjson.Value, name string) int {
	v, _ := at.Get(name)
	n, _ := v.Int()
	return int(n)
}

// Usage turns a usage object into disjoint token classes. Converse counts what the cache gave
// and kept beside inputTokens; who wrote for an hour is told by cacheDetails.
func Usage(usage rawjson.Value) (money.Tokens, error) {
	read, written := count(usage, "cacheReadInputTokens"), count(usage, "cacheWriteInputTokens")
	n := money.Inclusive{
		Prompt: count(usage, "inputTokens") + read + written, Cached: read, CacheWrite: written, Completion: count(usage, "outputTokens"),
	}
	details, _ := usage.Get("cacheDetails")
	for d := range details.Items() {
		if ttl, _ := d.Get("ttl"); ttl.Is("1h") {
			n.CacheWrite1h += count(d, "inputTokens")
		}
	}
	return money.FromInclusive(n)
}

func count(at rawjson.Value, name string) int64 {
	v, _ := at.Get(name)
	n, ok := v.Int()
	if !ok && v.Kind() == rawjson.Number || n > money.MaxTokens {
		return -1 // refused as a whole, and no sum overflows
	}
	return n
}
