// Package tgi is the codec of Text Generation Inference's native API, /generate and
// /generate_stream, for upstreams only: no app speaks it that could not speak OpenAI's.
//
// It answers how a text is continued there, and what the answer says; it opens no
// connection and knows no target. That API takes a text as it is and knows no chat
// template, so the codec has no chat: TGI's Messages API, which applies the model's own
// template, is the dialect openai-chat below /v1. Source of the wire format: TGI's
// OpenAPI description (3.3.6, https://huggingface.github.io/text-generation-inference),
// and for what a server refuses its router's validation
// (github.com/huggingface/text-generation-inference, router/src/validation.rs).
// Start reading at Write, then StreamDecoder.
package tgi

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Name is what configuration and data files call this dialect.
const Name = "tgi"

// Path is where a server answers for a surface, below its base URL, which is bare.
func Path(req *llm.Request, _ llm.Options) string {
	switch {
	case req.Surface != llm.Completions:
		return ""
	case req.Stream:
		return "/generate_stream"
	}
	return "/generate"
}

// request is the body of both requests. The server has one model, so none is named.
type request struct {
	Inputs     string     `json:"inputs"`
	Parameters parameters `json:"parameters"`
}

type parameters struct {
	Details           bool     `json:"details"` // the stop reason and the counts
	ReturnFullText    bool     `json:"return_full_text"`
	DoSample          *bool    `json:"do_sample,omitzero"`
	MaxNewTokens      *int64   `json:"max_new_tokens,omitzero"`
	Temperature       *float64 `json:"temperature,omitzero"`
	TopP              *float64 `json:"top_p,omitzero"`
	TopK              *int64   `json:"top_k,omitzero"`
	Seed              *int64   `json:"seed,omitzero"`
	Stop              []string `json:"stop,omitzero"`
	FrequencyPenalty  *float64 `json:"frequency_penalty,omitzero"`
	RepetitionPenalty *float64 `json:"repetition_penalty,omitzero"`
	Grammar           *grammar `json:"grammar,omitzero"`
}

type grammar struct {
	Type  string         `json:"type"`
	Value jsontext.Value `json:"value"`
}
