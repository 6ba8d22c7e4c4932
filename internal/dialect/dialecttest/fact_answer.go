package dialecttest

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// AnswerFacts lists what an answer says, as a client of the dialect home reads it.
func AnswerFacts(home string, a *llm.Answer) []Fact {
	var r facts
	for i := range a.Choices {
		var extra []llm.Field
		if i > 0 {
			extra = []llm.Field{llm.FieldN}
		}
		r.choice(home, strconv.Itoa(i), &a.Choices[i], extra)
	}
	if a.Counted {
		r.usage(a.Usage)
	}
	return r
}

func (r *facts) choice(home, place string, c *llm.Choice, extra []llm.Field) {
	with := func(fields ...llm.Field) []llm.Field { return append(fields, extra...) }
	for i := range c.Parts {
		p := &c.Parts[i]
		switch p.Kind {
		case llm.Text:
			r.addIf("text", place, p.Text, extra...)
		case llm.Refusal:
			r.addIf("refusal", place, p.Text, with(llm.FieldRefusal)...)
		case llm.Reasoning:
			r.addIf("thought", place, p.Text, with(llm.FieldReasoning)...)
			r.addIf("redacted", place, ownProof(home, p.Signer, p.Redacted), with(llm.FieldReasoning, llm.FieldSignature)...)
		case llm.ToolCall:
			r.add("call", place, p.Call.Name+" "+arguments(p.Call.Arguments), extra...)
			r.addIf("call id", place, p.Call.ID, extra...)
		default:
			r.add("other", place, canonical(p.Raw), with(llm.FieldOther)...)
		}
		r.addIf("signature", place, ownProof(home, p.Signer, p.Signature), with(llm.FieldSignature, llm.FieldReasoning)...)
		for _, cited := range p.Citations {
			r.add("citation", place, citation(&cited), with(llm.FieldCitations)...)
		}
	}
	if c.Logprobs != nil {
		r.add("logprobs", place, canonical(c.Logprobs), with(llm.FieldLogprobs)...)
	}
	r.addIf("stop", place, string(c.Stop.Reason), extra...)
	r.addIf("stop sequence", place, c.Stop.Sequence, with(llm.FieldStop)...)
}

// ownProof is a proof of thought under the name of who made it, however the client's
// dialect carries it.
func ownProof(home, signer, proof string) string {
	if proof == "" || signer != home {
		return signed(signer, proof)
	}
	if text, err := base64.StdEncoding.DecodeString(proof); home == "gemini" && err == nil && strings.HasPrefix(string(text), "fairlead.") {
		signer, proof = llm.ReadSignature(home, string(text))
		return signed(signer, strings.TrimPrefix(proof, "redacted:"))
	}
	if strings.HasPrefix(proof, "{") { // a detail of the openai-chat dialect
		format, _ := rawjson.Lookup([]byte(proof), "format")
		if name, ok := format.Str(); ok {
			for _, field := range [...]string{"data", "signature"} {
				v, _ := rawjson.Lookup([]byte(proof), field)
				if text, ok := v.Str(); ok && text != "" {
					return signed(name, text)
				}
			}
		}
	}
	return signed(llm.ReadSignature(home, proof))
}

// usage lists the totals, which must be kept, and the classes within them, which a
// dialect may have no names for.
func (r *facts) usage(t money.Tokens) {
	n := func(key string, v int64) {
		if v > 0 {
			r.add(key, "usage", strconv.FormatInt(v, 10))
		}
	}
	n("all input", t.TotalInput())
	n("all output", t.TotalOutput())
	n("cache read", t.CacheRead)
	n("cache write 5m", t.CacheWrite5m)
	n("cache write 1h", t.CacheWrite1h)
	n("audio input", t.AudioInput)
	n("reasoning", t.Reasoning)
	n("audio output", t.AudioOutput)
}

// stopForms are the words that stand for a reason in dialects that lack its own.
var stopForms = map[llm.StopReason][]llm.StopReason{
	llm.StopSequence: {llm.StopEnd},
	llm.StopRefusal:  {llm.StopFilter, llm.StopEnd}, // the refusal itself says it
	llm.StopFilter:   {llm.StopRefusal},
	llm.StopPause:    {llm.StopEnd, llm.StopOther, llm.StopLength},
	llm.StopOther:    {llm.StopEnd, llm.StopPause},
	llm.StopTools:    {llm.StopEnd}, // the calls themselves say it
}

// meansTheSameOfAnswers is meansTheSame for what only answers say.
func meansTheSameOfAnswers(said, arrived Fact) bool {
	switch said.Key {
	case "stop":
		for _, form := range stopForms[llm.StopReason(said.Value)] {
			if arrived.Key == "stop" && arrived.Place == said.Place && arrived.Value == string(form) {
				return true
			}
		}
	case "stop sequence": // the text ends before it
		return arrived.Key == "stop" && arrived.Place == said.Place
	case "cache read", "cache write 5m", "cache write 1h", "audio input":
		return arrived.Key == "all input" // a class without a name is within the total, which is compared itself
	case "reasoning", "audio output":
		return arrived.Key == "all output"
	case "redacted", "signature":
		return (arrived.Key == "redacted" || arrived.Key == "signature") && arrived.Place == said.Place && arrived.Value == said.Value
	}
	return false
}
