package triton

import (
	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the bytes for a server of this dialect of what a client of another one
// asked.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	switch {
	case len(p.Texts) != 1:
		return nil, nil, wire.Unsupported("prompt", "this target continues one prompt at a time")
	case p.Suffix != "":
		return nil, nil, wire.Unsupported("suffix", "this target cannot fill in the middle")
	}
	s := &p.Sampling
	out := request{
		TextInput: p.Texts[0], MaxTokens: maxTokens(s, opt), Stream: stream, ExcludeInput: true, StopWords: s.Stop,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, RepetitionPenalty: s.RepeatPenalty,
		CountInput: true, CountOutput: true,
	}
	draw(&out, s, &lost)
	switch p.Format.Kind {
	case llm.FormatJSON:
		out.GuideType = "json"
	case llm.FormatSchema:
		out.GuideType, out.Guide = "json_schema", string(p.Format.Schema)
	}
	lost.If(s.MinP != nil, llm.FieldMinP)
	lost.If(len(s.LogitBias) > 0, llm.FieldLogitBias)
	lost.If(s.N > 1, llm.FieldN)
	lost.If(s.Logprobs, llm.FieldLogprobs)
	lost.If(p.User != "", llm.FieldUser)
	lost.If(len(p.Metadata) > 0, llm.FieldMetadata)
	body, err = json.Marshal(&out)
	return body, lost, err
}

func maxTokens(s *llm.Sampling, opt llm.Options) int64 {
	switch {
	case s.MaxTokens != nil:
		return *s.MaxTokens
	case opt.MaxTokens > 0:
		return opt.MaxTokens
	}
	return usualMaxTokens
}

// draw says how tokens are drawn. A temperature of 0 means greedy, which is the likeliest
// token alone here, whatever top_p says.
func draw(out *request, s *llm.Sampling, lost *llm.Losses) {
	if s.Temperature != nil && *s.Temperature <= 0 {
		one := int64(1)
		out.TopK = &one
	} else {
		out.Temperature, out.TopP, out.TopK = s.Temperature, s.TopP, s.TopK
	}
	if s.Seed != nil && *s.Seed < 0 { // the wire's seeds are unsigned
		lost.Add(llm.FieldSeed)
		return
	}
	out.Seed, out.RandomSeed = s.Seed, s.Seed
}
