package tgi

import (
	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the bytes for a server of this dialect of what a client of another one
// asked. Whether events are wanted is said by the path.
func Write(p *llm.Prompt, _ bool, _ llm.Options) (body []byte, lost llm.Losses, err error) {
	switch {
	case len(p.Texts) != 1:
		return nil, nil, wire.Unsupported("prompt", "this target continues one prompt at a time")
	case p.Suffix != "":
		return nil, nil, wire.Unsupported("suffix", "this target cannot fill in the middle")
	}
	s := &p.Sampling
	out := request{Inputs: p.Texts[0], Parameters: parameters{
		Details: true, MaxNewTokens: s.MaxTokens, Stop: s.Stop,
		FrequencyPenalty: s.FrequencyPenalty, RepetitionPenalty: s.RepeatPenalty,
	}}
	draw(&out.Parameters, s, &lost)
	out.Parameters.Grammar = writeGrammar(p.Format, &lost)
	lost.If(s.MinP != nil, llm.FieldMinP)
	lost.If(s.PresencePenalty != nil && *s.PresencePenalty != 0, llm.FieldPresencePenalty)
	lost.If(len(s.LogitBias) > 0, llm.FieldLogitBias)
	lost.If(s.N > 1, llm.FieldN)
	lost.If(s.Logprobs, llm.FieldLogprobs)
	lost.If(p.User != "", llm.FieldUser)
	lost.If(len(p.Metadata) > 0, llm.FieldMetadata)
	body, err = json.Marshal(&out)
	return body, lost, err
}

// draw says how tokens are drawn. A server refuses a temperature of 0, a top_p of 1 and
// a top_k of 0 or less, though the first means greedy and the others mean nothing: what
// is left out then says the same. It is greedy unless told to sample, so a temperature
// of 1 needs do_sample beside it.
func draw(out *parameters, s *llm.Sampling, lost *llm.Losses) {
	sample := s.Temperature == nil || *s.Temperature > 0
	if s.Temperature != nil {
		out.DoSample = &sample
	}
	if sample {
		out.Temperature = s.Temperature
		switch {
		case s.TopP == nil || *s.TopP >= 1:
		case *s.TopP <= 0:
			lost.Add(llm.FieldTopP)
		default:
			out.TopP, out.DoSample = s.TopP, &sample
		}
		if s.TopK != nil && *s.TopK > 0 {
			out.TopK, out.DoSample = s.TopK, &sample
		}
	}
	if s.Seed != nil && *s.Seed < 0 { // the wire's seeds are unsigned
		lost.Add(llm.FieldSeed)
	} else {
		out.Seed = s.Seed
	}
}

// writeGrammar constrains the answer to a schema. A server wants one with properties,
// so "some JSON object" cannot be said.
func writeGrammar(f llm.Format, lost *llm.Losses) *grammar {
	switch {
	case f.Kind == llm.FormatSchema && len(f.Schema) > 0:
		return &grammar{Type: "json", Value: f.Schema}
	case f.Kind != llm.FormatText:
		lost.Add(llm.FieldFormat)
	}
	return nil
}
