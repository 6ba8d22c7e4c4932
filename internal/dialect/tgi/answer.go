package tgi

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what a server may send as a plain answer, or in one event.
var answerLimits = rawjson.Limits{Depth: 64}

// Answer reads a plain answer with status 200.
//
// Its details count the prompt only by the list of its tokens (prefill), which a server
// gives where it is set up to and asked for, at the price of its prefix cache. It is not
// asked, so mostly there are no counts, and the bill is estimated.
func Answer(_ *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	text, _ := doc.Get("generated_text")
	if text.Kind() != rawjson.String {
		if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
			return out, decodeStreamError(body)
		}
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no generated_text"}
	}
	details, _ := doc.Get("details")
	reason, _ := details.Get("finish_reason")
	prefill, _ := details.Get("prefill")
	prompt := int64(0)
	for range prefill.Items() {
		prompt++
	}
	out.StopReason, _ = reason.Str()
	out.TextBytes = len(text.Raw()) - len(`""`)
	readUsage(&out, details, prompt)
	if opt.Translate {
		said, _ := text.Str()
		out.Answer = &llm.Answer{
			Usage: out.Usage, Counted: out.Marks&llm.MarkUsage != 0,
			Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: said}}, Stop: readStop(out.StopReason)}},
		}
	}
	return out, nil
}

// readUsage reads how many tokens were generated for a prompt of so many.
func readUsage(out *llm.Event, details rawjson.Value, prompt int64) {
	v, _ := details.Get("generated_tokens")
	generated, ok := v.Int()
	if !ok || prompt <= 0 {
		return // half a count is none
	}
	tokens, err := money.FromInclusive(money.Inclusive{Prompt: prompt, Completion: generated})
	if err == nil {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
}

// stopReasons is the table of finish_reason.
var stopReasons = map[string]llm.StopReason{
	"eos_token": llm.StopEnd, "length": llm.StopLength, "stop_sequence": llm.StopSequence,
}

func readStop(word string) llm.Stop {
	reason, ok := stopReasons[word]
	if !ok {
		reason = llm.StopOther
	}
	return llm.Stop{Reason: reason, Word: word}
}
