// Package openai is the codec of the OpenAI dialect: chat, completions, embeddings,
// moderations, audio and images, for clients that speak it and for upstreams that do.
//
// Bytes in, values out: it opens no connection and knows no target. Requests and
// answers are not re-encoded; the few fields that Fairlead edits are spliced into
// the bytes that came, so unknown fields ride along. Source of the wire format:
// OpenAI's published OpenAPI description (2026-08). Start reading at Decode, then
// Encode, Answer and StreamDecoder.
package openai

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Name is what configuration and data files call this dialect.
const Name = "openai-chat"

// EmbeddingsPath is where embeddings are answered, below the base URL.
const EmbeddingsPath = "/embeddings"

// Path is where an upstream of this dialect answers for a surface, below its base
// URL (which ends in /v1).
func Path(req *llm.Request, _ llm.Options) string {
	switch req.Surface {
	case llm.Chat:
		return "/chat/completions"
	case llm.Completions:
		return "/completions"
	case llm.Embeddings:
		return EmbeddingsPath
	}
	return forwardedPaths[req.Surface]
}

// forwardedPaths are those of the surfaces whose answers are passed on as they are.
var forwardedPaths = map[llm.Surface]string{
	llm.Moderations: "/moderations", llm.Speech: "/audio/speech",
	llm.Transcriptions: "/audio/transcriptions", llm.Translations: "/audio/translations",
	llm.Images: "/images/generations", llm.ImageEdits: "/images/edits", llm.ImageVariations: "/images/variations",
}

var (
	isString = wire.Kinds{rawjson.String}
	isBool   = wire.Kinds{rawjson.Bool}
	isNumber = wire.Kinds{rawjson.Number}
	isObject = wire.Kinds{rawjson.Object}
	isArray  = wire.Kinds{rawjson.Array}
	isInput  = wire.Kinds{rawjson.String, rawjson.Array}
	isChoice = wire.Kinds{rawjson.String, rawjson.Object}
)

// fieldKinds are the fields whose type is checked before anything is sent. Any
// other field travels on unseen: the upstream knows best what it takes.
var fieldKinds = map[llm.Surface]map[string]wire.Kinds{
	llm.Chat: {
		"model": isString, "messages": isArray, "stream": isBool, "stream_options": isObject,
		"n": isNumber, "max_tokens": isNumber, "max_completion_tokens": isNumber,
		"temperature": isNumber, "top_p": isNumber, "presence_penalty": isNumber, "frequency_penalty": isNumber,
		"seed": isNumber, "stop": isInput, "tools": isArray, "tool_choice": isChoice, "parallel_tool_calls": isBool,
		"response_format": isObject, "logprobs": isBool, "top_logprobs": isNumber, "logit_bias": isObject,
		"metadata": isObject, "user": isString, "store": isBool,
	},
	llm.Completions: {
		"model": isString, "prompt": isInput, "stream": isBool, "stream_options": isObject, "n": isNumber,
		"best_of": isNumber, "max_tokens": isNumber, "temperature": isNumber, "top_p": isNumber, "logprobs": isNumber,
		"echo": isBool, "stop": isInput, "suffix": isString, "seed": isNumber, "logit_bias": isObject, "user": isString,
	},
	llm.Embeddings: {
		"model": isString, "input": isInput, "encoding_format": isString, "dimensions": isNumber, "user": isString,
	},
	llm.Moderations: {"model": isString, "input": isInput},
	llm.Speech: {
		"model": isString, "input": isString, "voice": isChoice, "instructions": isString, "response_format": isString,
		"speed": isNumber, "stream_format": isString, "stream": isBool,
	},
	llm.Images:     {"model": isString, "prompt": isString, "n": isNumber, "stream": isBool, "partial_images": isNumber, "user": isString},
	llm.ImageEdits: {"model": isString, "prompt": isString, "n": isNumber, "stream": isBool, "partial_images": isNumber, "user": isString},
}

// requiredField is the field, beside model, that a surface cannot do without.
var requiredField = map[llm.Surface]string{
	llm.Chat: "messages", llm.Completions: "prompt", llm.Embeddings: "input",
	llm.Moderations: "input", llm.Speech: "input", llm.Images: "prompt", llm.ImageEdits: "prompt",
}

// maxChoices is the most answers that one request may ask for, as OpenAI bounds it.
const maxChoices = 128
