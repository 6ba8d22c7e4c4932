package openai

import (
	"cmp"
	"fmt"

	"github.com/fairlead/fairlead/internal/dialect/openaierr"
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
	if req.Surface.Forwarded() {
		return forwardedAnswer(req, body)
	}
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	list := "choices"
	if req.Surface == llm.Embeddings {
		list = "data"
	}
	items, _ := doc.Get(list)
	if items.Kind() != rawjson.Array || items.Empty() {
		if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
			return out, decodeStreamError(body)
		}
		if base, ok := doc.Get("base_resp"); ok {
			if e := openaierr.DecodeBase(base); e != nil {
				return out, e
			}
		}
		return out, &llm.Error{Kind: llm.Upstream, Message: fmt.Sprintf("the upstream's answer has no %s", list)}
	}
	if id, ok := doc.Get("id"); ok {
		out.AnswerID, _ = id.Str()
	}
	if usage, ok := doc.Get("usage"); ok && usage.Kind() == rawjson.Object {
		if tokens, err := Usage(usage); err == nil {
			out.Marks |= llm.MarkUsage
			out.Usage = tokens
		}
	}
	if req.Surface != llm.Embeddings {
		out.StopReason, out.TextBytes = stopAndText(items)
	}
	if useGrammar(req, opt) {
		out.Raw, err = answerByGrammar(&doc)
	}
	if opt.Translate && err == nil {
		out.Answer = neutralAnswer(req.Surface, &out)
	}
	return out, err
}

// neutralAnswer reads all of an answer that was checked.
func neutralAnswer(surface llm.Surface, ev *llm.Event) *llm.Answer {
	root, _ := rawjson.Lookup(ev.Raw)
	if surface == llm.Embeddings {
		return &llm.Answer{Usage: ev.Usage, Counted: ev.Marks&llm.MarkUsage != 0, Vectors: readVectors(root)}
	}
	var read deltas
	var c llm.Collect
	for _, d := range read.chunk(root) {
		c.Add(d)
	}
	a := c.Whole()
	a.Usage, a.Counted = ev.Usage, ev.Marks&llm.MarkUsage != 0
	return a
}

func readVectors(root rawjson.Value) (vectors [][]float32) {
	data, _ := root.Get("data")
	for item := range data.Items() {
		list, _ := item.Get("embedding")
		vectors = append(vectors, wire.ReadVector(list))
	}
	return vectors
}

// stopAndText finds the first choice's stop reason and how much text was generated.
func stopAndText(choices rawjson.Value) (stop string, textBytes int) {
	for choice := range choices.Items() {
		for name, v := range choice.Members() {
			switch {
			case name.Is("finish_reason"):
				if stop == "" {
					stop, _ = v.Str()
				}
			case name.Is("text"): // completions
				textBytes += generated(v)
			case name.Is("message"):
				textBytes += messageBytes(v)
			}
		}
	}
	return stop, textBytes
}

func messageBytes(message rawjson.Value) (n int) {
	for name, v := range message.Members() {
		if name.Is("content") || name.Is("reasoning_content") || name.Is("tool_calls") {
			n += generated(v)
		}
	}
	return n
}

// generated is how many bytes a field has that the model may have written.
func generated(v rawjson.Value) int {
	if v.Kind() == rawjson.Null {
		return 0
	}
	return len(v.Raw())
}

// Usage turns a usage object into disjoint token classes. OpenAI's prompt_tokens
// include cached and audio ones, its completion_tokens include reasoning and audio;
// who counts reasoning beside them is told by total_tokens. DeepSeek and Moonshot
// name the cached tokens in places of their own.
func Usage(usage rawjson.Value) (money.Tokens, error) {
	var c money.Inclusive
	var cacheHits, cachedBeside int64
	for name, v := range usage.Members() {
		switch {
		case name.Is("prompt_tokens"):
			c.Prompt = count(v)
		case name.Is("completion_tokens"):
			c.Completion = count(v)
		case name.Is("total_tokens"):
			c.Total = count(v)
		case name.Is("prompt_tokens_details"):
			promptDetails(v, &c)
		case name.Is("completion_tokens_details"):
			completionDetails(v, &c)
		case name.Is("prompt_cache_hit_tokens"):
			cacheHits = count(v)
		case name.Is("cached_tokens"):
			cachedBeside = count(v)
		}
	}
	c.Cached = cmp.Or(c.Cached, cacheHits, cachedBeside)
	if c.Prompt == 0 && c.Completion == 0 { // Voyage's embeddings have one count
		c.Prompt = c.Total
	}
	return money.FromInclusive(c)
}

func promptDetails(details rawjson.Value, c *money.Inclusive) {
	for name, v := range details.Members() {
		switch {
		case name.Is("cached_tokens"):
			c.Cached = count(v)
		case name.Is("cache_write_tokens"):
			c.CacheWrite = count(v)
		case name.Is("audio_tokens"):
			c.Audio = count(v)
		}
	}
}

func completionDetails(details rawjson.Value, c *money.Inclusive) {
	for name, v := range details.Members() {
		switch {
		case name.Is("reasoning_tokens"):
			c.Reasoning = count(v)
		case name.Is("audio_tokens"):
			c.AudioOut = count(v)
		}
	}
}

// count is a number of tokens; what is no whole number counts as none.
func count(v rawjson.Value) int64 {
	n, _ := v.Int()
	return n
}
