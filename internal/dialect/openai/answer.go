package openai

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer.
var answerLimits = rawjson.Limits{Depth: 128}

// Answer reads a plain answer with status 200: is it well formed, what did it use,
// what is its id. The body is passed on as it is.
func Answer(req *llm.Request, opt Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := rawjson.Check(body, answerLimits)
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is not a JSON object", Err: err}
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
	return out, err
}

// stopAndText finds the first choice's stop reason and how much text was generated.
func stopAndText(choices rawjson.Value) (stop string, textBytes int) {
	for choice := range choices.Items() {
		if reason, _ := choice.Get("finish_reason"); stop == "" {
			stop, _ = reason.Str()
		}
		for _, path := range [][]string{{"text"}, {"message", "content"}, {"message", "reasoning_content"}, {"message", "tool_calls"}} {
			if v, ok := choice.Path(path...); ok && v.Kind() != rawjson.Null {
				textBytes += len(v.Raw())
			}
		}
	}
	return stop, textBytes
}

// Usage turns a usage object into disjoint token classes. OpenAI's prompt_tokens
// include cached and audio ones, its completion_tokens include reasoning and audio;
// who counts reasoning beside them is told by total_tokens. DeepSeek and Moonshot
// name the cached tokens in places of their own.
func Usage(usage rawjson.Value) (money.Tokens, error) {
	cached := count(usage, "prompt_tokens_details", "cached_tokens")
	for _, name := range [...]string{"prompt_cache_hit_tokens", "cached_tokens"} {
		if cached == 0 {
			cached = count(usage, name)
		}
	}
	return money.FromInclusive(money.Inclusive{
		Prompt:     count(usage, "prompt_tokens"),
		Cached:     cached,
		CacheWrite: count(usage, "prompt_tokens_details", "cache_write_tokens"),
		Audio:      count(usage, "prompt_tokens_details", "audio_tokens"),
		Completion: count(usage, "completion_tokens"),
		Reasoning:  count(usage, "completion_tokens_details", "reasoning_tokens"),
		AudioOut:   count(usage, "completion_tokens_details", "audio_tokens"),
		Total:      count(usage, "total_tokens"),
	})
}

func count(usage rawjson.Value, path ...string) int64 {
	v, ok := usage.Path(path...)
	if !ok {
		return 0
	}
	n, _ := v.Int()
	return n
}
