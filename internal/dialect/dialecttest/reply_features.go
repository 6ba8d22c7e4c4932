package dialecttest

import (
	"cmp"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// ReplyFeature is something that an answer may say.
type ReplyFeature struct {
	Name string
	// Make is the answer as an upstream of the given dialect would give it.
	Make func(target string) *llm.Answer
	// Piece is how many bytes of text an event of its stream has, 0 for a few.
	Piece int
}

const fewBytes = 5

func (f *ReplyFeature) pieceSize() int { return cmp.Or(f.Piece, fewBytes) }

// ReplyFeatures are what answers may say, in the order of the table.
var ReplyFeatures = []ReplyFeature{
	{Name: "text", Make: says(text("Hello there."))},
	{Name: "unicode", Make: says(text("naïve “日本” 👩‍👩‍👧 \u2028 <b> & \\ \"q\"\n\ttab"))},
	{Name: "empty text", Make: says()},
	{Name: "1 MB of text", Make: says(text(strings.Repeat("sixteen letters ", 1<<16))), Piece: 1 << 20},
	{Name: "tool call", Make: stops(llm.StopTools, call("call_a", "get_weather", `{"city":"Oslo"}`))},
	{Name: "parallel tool calls", Make: stops(llm.StopTools, text("Let me look."), call("call_a", "get_weather", `{"city":"Oslo"}`), call("call_b", "get_time", `{"zone":"CET"}`))},
	{Name: "tool call without arguments", Make: stops(llm.StopTools, call("call_a", "now", ""))},
	{Name: "thought", Make: says(thought("Hm.", "", ""), text("Hello."))},
	{Name: "thought signed", Make: func(target string) *llm.Answer {
		return says(thought("Hm.", target, proof(target)), text("Hello."))(target)
	}},
	{Name: "thought signed and not shown", Make: func(target string) *llm.Answer {
		return says(thought("", target, proof(target)), text("Hello."))(target)
	}},
	{Name: "thought redacted", Make: func(target string) *llm.Answer {
		return says(llm.Part{Kind: llm.Reasoning, Redacted: "UmVkYWN0ZWQ=", Signer: target}, text("Hello."))(target)
	}},
	{Name: "tool call signed", Make: func(target string) *llm.Answer {
		p := call("call_a", "get_weather", `{"city":"Oslo"}`)
		p.Signature, p.Signer = "U2lnbmVkIQ==", target
		return stops(llm.StopTools, p)(target)
	}},
	{Name: "refusal", Make: stops(llm.StopRefusal, llm.Part{Kind: llm.Refusal, Text: "I will not."})},
	{Name: "citation of the web", Make: says(cited("Grass is green.", llm.Citation{Kind: "web", URL: "https://example.com/grass", Title: "Grass", Document: -1, Of: "answer", End: 15}))},
	{Name: "citation of a document", Make: says(cited("Grass is green.", llm.Citation{Kind: "document", Quote: "The grass is green.", Title: "Plants", Document: 0, Of: "document", Start: 0, End: 19}))},
	{Name: "logprobs", Make: logprobs},
	{Name: "two choices", Make: twoChoices},
	{Name: "usage: cached input", Make: uses(money.Tokens{Input: 100, CacheRead: 900, Output: 20})},
	{Name: "usage: cache written", Make: uses(money.Tokens{Input: 100, CacheWrite5m: 300, Output: 20})},
	{Name: "usage: cache written for an hour", Make: uses(money.Tokens{Input: 100, CacheWrite1h: 300, Output: 20})},
	{Name: "usage: reasoning", Make: uses(money.Tokens{Input: 100, Output: 20, Reasoning: 64})},
	{Name: "usage: audio", Make: uses(money.Tokens{Input: 100, AudioInput: 50, Output: 20, AudioOutput: 30})},
	{Name: "stop: end", Make: says(text("Done."))},
	{Name: "stop: sequence", Make: func(string) *llm.Answer {
		return answer(llm.Choice{Parts: []llm.Part{text("Done")}, Stop: llm.Stop{Reason: llm.StopSequence, Sequence: "END"}})
	}},
	{Name: "stop: length", Make: stops(llm.StopLength, text("Do"))},
	{Name: "stop: filter", Make: stops(llm.StopFilter, text("Do"))},
	{Name: "stop: refusal", Make: stops(llm.StopRefusal, text("No."))},
	{Name: "stop: pause", Make: stops(llm.StopPause, text("Wait."))},
}

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func thought(s, signer, signature string) llm.Part {
	return llm.Part{Kind: llm.Reasoning, Text: s, Signer: signer, Signature: signature}
}

func call(id, name, arguments string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: name, Arguments: arguments}}
}

func cited(s string, c llm.Citation) llm.Part {
	return llm.Part{Kind: llm.Text, Text: s, Citations: []llm.Citation{c}}
}

func says(parts ...llm.Part) func(string) *llm.Answer { return stops(llm.StopEnd, parts...) }

func stops(reason llm.StopReason, parts ...llm.Part) func(string) *llm.Answer {
	return func(string) *llm.Answer {
		return answer(llm.Choice{Parts: append([]llm.Part(nil), parts...), Stop: llm.Stop{Reason: reason}})
	}
}

func uses(t money.Tokens) func(string) *llm.Answer {
	return func(string) *llm.Answer {
		a := says(text("Hello."))("")
		a.Usage = t
		return a
	}
}

func answer(choices ...llm.Choice) *llm.Answer {
	return &llm.Answer{ID: "answer-1", Model: "target-model", Choices: choices, Usage: money.Tokens{Input: 12, Output: 7}, Counted: true}
}

func logprobs(string) *llm.Answer {
	return answer(llm.Choice{
		Parts: []llm.Part{text("Hi")}, Stop: llm.Stop{Reason: llm.StopEnd},
		Logprobs: []byte(`{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.5,"bytes":[72,105]}]}],"refusal":null}`),
	})
}

func twoChoices(string) *llm.Answer {
	end := llm.Stop{Reason: llm.StopEnd}
	return answer(llm.Choice{Parts: []llm.Part{text("Heads.")}, Stop: end}, llm.Choice{Parts: []llm.Part{text("Tails.")}, Stop: end})
}
