package anthropic

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer.
var answerLimits = rawjson.Limits{Depth: 128}

// Answer reads a plain answer with status 200: is it well formed, what did it use,
// what is its id. The body is passed on as it is.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return out, decodeStreamError(body)
	}
	if req.Surface == llm.CountTokens {
		return countedTokens(&doc, out, opt)
	}
	content, _ := doc.Get("content")
	if content.Kind() != rawjson.Array {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no content"}
	}
	id, _ := doc.Get("id")
	reason, _ := doc.Get("stop_reason")
	usage, _ := doc.Get("usage")
	out.AnswerID, _ = id.Str()
	out.StopReason, _ = reason.Str()
	out.TextBytes = textBytes(content)
	var c counts
	c.read(usage)
	if tokens, ok := c.tokens(); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
	if opt.Translate {
		out.Answer = neutralAnswer(doc.Root(), &out)
	}
	return out, nil
}

// countedTokens reads the answer of a count. To count costs nothing, so that is what
// it used; what was counted is in the answer.
func countedTokens(doc *rawjson.Doc, out llm.Event, opt llm.Options) (llm.Event, error) {
	v, _ := doc.Get("input_tokens")
	n, ok := v.Int()
	if !ok || n < 0 {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no input_tokens"}
	}
	out.Marks |= llm.MarkUsage
	if opt.Translate {
		out.Answer = &llm.Answer{Usage: money.Tokens{Input: n}, Counted: true}
	}
	return out, nil
}

// textBytes is how much was generated.
func textBytes(content rawjson.Value) (n int) {
	for b := range content.Items() {
		for name, v := range b.Members() {
			switch {
			case v.Kind() == rawjson.String && (name.Is("text") || name.Is("thinking")):
				n += len(v.Raw()) - len(`""`)
			case name.Is("input"):
				n += len(v.Raw())
			}
		}
	}
	return n
}

// neutralAnswer reads all of an answer that was checked.
func neutralAnswer(root rawjson.Value, ev *llm.Event) *llm.Answer {
	var d deltas
	var c llm.Collect
	d.begin(root)
	content, _ := root.Get("content")
	i := int64(0)
	for b := range content.Items() {
		d.open(i, b)
		citations, _ := b.Get("citations")
		for note := range citations.Items() {
			d.cite(i, note)
		}
		if signature, _ := b.Get("signature"); signature.Kind() == rawjson.String {
			d.sign(i, signature)
		}
		d.close(i)
		i++
	}
	d.stop(root)
	for _, delta := range d.out {
		c.Add(delta)
	}
	a := c.Whole()
	a.Usage, a.Counted = ev.Usage, ev.Marks&llm.MarkUsage != 0
	tier, _ := root.Get("usage")
	tier, _ = tier.Get("service_tier")
	a.Tier, _ = tier.Str()
	return a
}
