// Package triton is the codec of Triton Inference Server's generate extension as a
// TensorRT-LLM model answers it (/v2/models/MODEL/generate), for upstreams only.
//
// It answers how a text is continued there, and what the answer says; it opens no
// connection and knows no target. The extension knows texts alone and no chat template:
// servers with a chat have OpenAI's API in front, the dialect openai-chat. Source:
// https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html
// and, where that is silent, what request and StreamDecoder name. Start reading at
// Write, then StreamDecoder.
package triton

import (
	"net/url"

	"github.com/fairlead/fairlead/internal/llm"
)

// Name is what configuration and data files call this dialect.
const Name = "triton"

// Path is where a server answers for a surface, below its base URL, which is bare.
func Path(req *llm.Request, opt llm.Options) string {
	if req.Surface != llm.Completions {
		return ""
	}
	path := "/v2/models/" + url.PathEscape(opt.Model) + "/generate"
	if req.Stream {
		path += "_stream"
	}
	return path
}

// request is the body of both requests: the model's inputs by name, each a value or an
// array. They are those of TensorRT-LLM's ensemble and tensorrt_llm_bls
// (github.com/NVIDIA/TensorRT-LLM, triton_backend/all_models/inflight_batcher_llm). What a
// model has no input for, the server hands on as a parameter and the model ignores
// (github.com/triton-inference-server/server, src/http_server.cc), so what only some
// versions know may be sent.
type request struct {
	TextInput         string   `json:"text_input"`
	MaxTokens         int64    `json:"max_tokens"` // models demand it
	Stream            bool     `json:"stream"`
	ExcludeInput      bool     `json:"exclude_input_in_output"` // else the answer begins with the prompt
	Temperature       *float64 `json:"temperature,omitzero"`
	TopP              *float64 `json:"top_p,omitzero"`
	TopK              *int64   `json:"top_k,omitzero"`
	StopWords         []string `json:"stop_words,omitzero"`
	Seed              *int64   `json:"seed,omitzero"`
	RandomSeed        *int64   `json:"random_seed,omitzero"` // what models before 0.17 call it
	PresencePenalty   *float64 `json:"presence_penalty,omitzero"`
	FrequencyPenalty  *float64 `json:"frequency_penalty,omitzero"`
	RepetitionPenalty *float64 `json:"repetition_penalty,omitzero"`
	GuideType         string   `json:"guided_decoding_guide_type,omitzero"`
	Guide             string   `json:"guided_decoding_guide,omitzero"`
	CountInput        bool     `json:"return_num_input_tokens"`
	CountOutput       bool     `json:"return_num_output_tokens"`
}

// usualMaxTokens bounds an answer where neither the client nor the configuration does.
const usualMaxTokens = 1024
