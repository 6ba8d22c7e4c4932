package openai

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
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
