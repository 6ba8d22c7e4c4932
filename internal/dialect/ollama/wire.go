// Package ollama is the codec of Ollama's own API: /api/chat, /api/generate and
// /api/embed, for apps that speak it and for Ollama servers.
//
// It answers what these bytes mean and how the same is said in neutral words; it opens
// no connection and knows no target. Streams are newline-delimited JSON, and a request
// streams unless it says otherwise. Sources of the wire format: Ollama's OpenAPI
// description (https://docs.ollama.com/openapi.yaml), its pages on streaming, errors,
// tool calling and thinking (https://docs.ollama.com/api), and the types of its Go client
// (github.com/ollama/ollama/api, v0.17.4) where those are silent. Start reading at
// Decode, then Read and Write, then StreamDecoder and Writer.
package ollama

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Name is what configuration and data files call this dialect.
const Name = "ollama"

// StreamType is the media type of a streamed answer.
const StreamType = "application/x-ndjson"

// Path is where a server answers for a surface, below its base URL, which is bare.
func Path(req *llm.Request, _ llm.Options) string {
	switch req.Surface {
	case llm.Chat:
		return "/api/chat"
	case llm.Completions:
		return "/api/generate"
	case llm.Embeddings:
		return "/api/embed"
	}
	return ""
}

var (
	isString = wire.Kinds{rawjson.String}
	isBool   = wire.Kinds{rawjson.Bool}
	isNumber = wire.Kinds{rawjson.Number}
	isObject = wire.Kinds{rawjson.Object}
	isArray  = wire.Kinds{rawjson.Array}
	isTexts  = wire.Kinds{rawjson.String, rawjson.Array}
	isFormat = wire.Kinds{rawjson.String, rawjson.Object}
	isThink  = wire.Kinds{rawjson.Bool, rawjson.String}
	isTime   = wire.Kinds{rawjson.String, rawjson.Number}
)

// fieldKinds are the fields whose type is checked before anything is sent. Any
// other field travels on unseen.
var fieldKinds = map[llm.Surface]map[string]wire.Kinds{
	llm.Chat: {
		"model": isString, "messages": isArray, "stream": isBool, "tools": isArray, "format": isFormat, "options": isObject,
		"think": isThink, "keep_alive": isTime, "logprobs": isBool, "top_logprobs": isNumber, "truncate": isBool, "shift": isBool,
	},
	llm.Completions: {
		"model": isString, "prompt": isString, "suffix": isString, "system": isString, "template": isString, "images": isArray,
		"context": isArray, "stream": isBool, "raw": isBool, "format": isFormat, "options": isObject, "think": isThink,
		"keep_alive": isTime, "logprobs": isBool, "top_logprobs": isNumber, "truncate": isBool, "shift": isBool,
	},
	llm.Embeddings: {
		"model": isString, "input": isTexts, "dimensions": isNumber, "truncate": isBool, "options": isObject, "keep_alive": isTime,
	},
}

// optionKinds are the options that have a neutral word.
var optionKinds = map[string]wire.Kinds{
	"num_predict": isNumber, "temperature": isNumber, "top_p": isNumber, "top_k": isNumber, "min_p": isNumber, "seed": isNumber,
	"stop": isTexts, "presence_penalty": isNumber, "frequency_penalty": isNumber, "repeat_penalty": isNumber,
}

// rawJSON is a value that is carried and not looked into.
type rawJSON = jsontext.Value

// request is the body of any of the three requests, in the order that the
// publisher documents.
type request struct {
	Model       string    `json:"model"`
	Prompt      *string   `json:"prompt,omitzero"`
	Suffix      string    `json:"suffix,omitzero"`
	Messages    []message `json:"messages,omitzero"`
	Input       any       `json:"input,omitzero"`
	Dimensions  int       `json:"dimensions,omitzero"`
	Truncate    *bool     `json:"truncate,omitzero"`
	Tools       []tool    `json:"tools,omitzero"`
	Format      rawJSON   `json:"format,omitzero"`
	Options     *options  `json:"options,omitzero"`
	Stream      *bool     `json:"stream,omitzero"` // always said where there is one: absent means true
	Think       rawJSON   `json:"think,omitzero"`
	Logprobs    bool      `json:"logprobs,omitzero"`
	TopLogprobs int       `json:"top_logprobs,omitzero"`
}

type options struct {
	NumPredict       *int64   `json:"num_predict,omitzero"`
	Temperature      *float64 `json:"temperature,omitzero"`
	TopP             *float64 `json:"top_p,omitzero"`
	TopK             *int64   `json:"top_k,omitzero"`
	MinP             *float64 `json:"min_p,omitzero"`
	Seed             *int64   `json:"seed,omitzero"`
	Stop             []string `json:"stop,omitzero"`
	PresencePenalty  *float64 `json:"presence_penalty,omitzero"`
	FrequencyPenalty *float64 `json:"frequency_penalty,omitzero"`
	RepeatPenalty    *float64 `json:"repeat_penalty,omitzero"`
}

type message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	Thinking   string     `json:"thinking,omitzero"`
	Images     []string   `json:"images,omitzero"` // base64, without a data: prefix
	ToolCalls  []toolCall `json:"tool_calls,omitzero"`
	ToolName   string     `json:"tool_name,omitzero"` // of a result
	ToolCallID string     `json:"tool_call_id,omitzero"`
	// Extra is what this version does not know of.
	Extra map[string]rawJSON `json:",embed"`
}

type toolCall struct {
	ID       string       `json:"id,omitzero"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Index     int     `json:"index"`
	Name      string  `json:"name"`
	Arguments rawJSON `json:"arguments"` // an object
}

type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitzero"`
	Parameters  rawJSON `json:"parameters"` // JSON Schema; the publisher demands it
}
