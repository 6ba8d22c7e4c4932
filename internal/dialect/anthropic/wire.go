// Package anthropic is the codec of the Anthropic Messages dialect: messages and the
// counting of their tokens, for clients that speak it and for upstreams that do.
//
// Bytes in, values out: it opens no connection and knows no target. Where both sides
// speak this dialect the bytes pass through, so unknown fields and beta features ride
// along; only a model name is spliced, and proofs of thought that another provider
// made are taken out. Sources of the wire format, read 2026-11:
// https://platform.claude.com/docs/en/api/messages, …/api/messages-count-tokens,
// …/build-with-claude/streaming, …/build-with-claude/thinking, …/api/errors, and the
// types of the official Go SDK v1.84.0, which the tests use as the judge. Start
// reading at Decode, then Read and Write, Answer, StreamDecoder and Writer.
package anthropic

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Name is what configuration and data files call this dialect.
const Name = "anthropic"

// VersionHeader names the version of the API, which every call must carry, and
// Version is the one that this package speaks.
const (
	VersionHeader = "Anthropic-Version"
	Version       = "2023-06-01"
)

// DefaultMaxTokens is what the dialect's obligatory bound on the output is set to when
// neither the client nor the target says one. All models since Claude 3.5 allow it.
const DefaultMaxTokens = 8192

// Path is where an upstream of this dialect answers for a surface, below its base
// URL (which ends in /v1).
func Path(req *llm.Request, _ llm.Options) string {
	switch req.Surface {
	case llm.Chat:
		return "/messages"
	case llm.CountTokens:
		return "/messages/count_tokens"
	}
	return ""
}

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldSystem: "messages.role", llm.FieldImage: "image", llm.FieldDocument: "document", llm.FieldFile: "source.file_id",
	llm.FieldReasoning: "messages.thinking", llm.FieldSignature: "signature", llm.FieldFormat: "output_config.format",
	llm.FieldParallel: "tool_choice.disable_parallel_tool_use", llm.FieldStop: "stop_sequences", llm.FieldUser: "metadata.user_id",
	llm.FieldOther: "messages.content",
}

// rawJSON is a value that is carried and not looked into.
type rawJSON = jsontext.Value

// request is the body of a request. Fields that are not here have no neutral word.
type request struct {
	Model         string             `json:"model"`
	MaxTokens     *int64             `json:"max_tokens,omitzero"`
	System        rawJSON            `json:"system,omitzero"` // a string or text blocks
	Messages      []message          `json:"messages"`
	Stream        bool               `json:"stream,omitzero"`
	Tools         []rawJSON          `json:"tools,omitzero"`
	ToolChoice    *toolChoice        `json:"tool_choice,omitzero"`
	Thinking      *thinking          `json:"thinking,omitzero"`
	OutputConfig  *outputConfig      `json:"output_config,omitzero"`
	OutputFormat  *format            `json:"output_format,omitzero"` // where format was before output_config
	Temperature   *float64           `json:"temperature,omitzero"`
	TopP          *float64           `json:"top_p,omitzero"`
	TopK          *int64             `json:"top_k,omitzero"`
	StopSequences []string           `json:"stop_sequences,omitzero"`
	Metadata      *metadata          `json:"metadata,omitzero"`
	ServiceTier   string             `json:"service_tier,omitzero"`
	Cache         *cacheControl      `json:"cache_control,omitzero"` // stands for one on the last block
	Extra         map[string]rawJSON `json:",embed"`
}

type message struct {
	Role    string             `json:"role"`
	Content rawJSON            `json:"content"` // a string or blocks
	Extra   map[string]rawJSON `json:",embed"`
}

type cacheControl struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitzero"`
}

type metadata struct {
	UserID string             `json:"user_id,omitzero"`
	Extra  map[string]rawJSON `json:",embed"`
}

type toolChoice struct {
	Type            string `json:"type"`
	Name            string `json:"name,omitzero"`
	DisableParallel *bool  `json:"disable_parallel_tool_use,omitzero"`
}

type thinking struct {
	Type    string `json:"type"` // "enabled", "disabled", "adaptive", "between_tools"
	Budget  int64  `json:"budget_tokens,omitzero"`
	Display string `json:"display,omitzero"` // "summarized", "omitted", "updates"
}

type outputConfig struct {
	Effort string             `json:"effort,omitzero"`
	Format *format            `json:"format,omitzero"`
	Extra  map[string]rawJSON `json:",embed"`
}

type format struct {
	Type   string  `json:"type"` // "json_schema"
	Schema rawJSON `json:"schema,omitzero"`
}

type tool struct {
	Type        string             `json:"type,omitzero"` // "custom" or absent for a tool that the client runs
	Name        string             `json:"name"`
	Description string             `json:"description,omitzero"`
	InputSchema rawJSON            `json:"input_schema,omitzero"`
	Strict      *bool              `json:"strict,omitzero"`
	Cache       *cacheControl      `json:"cache_control,omitzero"`
	Extra       map[string]rawJSON `json:",embed"`
}

// block is any block of content, as it is read.
type block struct {
	Type      string             `json:"type"`
	Text      string             `json:"text"`
	Source    rawJSON            `json:"source"` // of a file; a string in a search_result
	Title     string             `json:"title"`
	Context   string             `json:"context"`
	Citations rawJSON            `json:"citations"` // a list in a text, a switch in a document
	Thinking  string             `json:"thinking"`
	Signature string             `json:"signature"`
	Data      string             `json:"data"` // of redacted_thinking
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	Input     rawJSON            `json:"input"`
	ToolUseID string             `json:"tool_use_id"`
	Content   rawJSON            `json:"content"` // of tool_result and search_result
	IsError   bool               `json:"is_error"`
	Cache     *cacheControl      `json:"cache_control"`
	Extra     map[string]rawJSON `json:",embed"`
}

// source is where a file's bytes are.
type source struct {
	Type      string  `json:"type"` // "base64", "url", "file", "text", "content"
	MediaType string  `json:"media_type,omitzero"`
	Data      string  `json:"data,omitzero"`
	URL       string  `json:"url,omitzero"`
	FileID    string  `json:"file_id,omitzero"`
	Content   rawJSON `json:"content,omitzero"`
}

type citationSwitch struct {
	Enabled bool `json:"enabled"`
}

// The blocks as they are written, with their fields in the publisher's order.
type (
	textBlock struct {
		Type      string        `json:"type"`
		Text      string        `json:"text"`
		Citations []rawJSON     `json:"citations,omitzero"`
		Cache     *cacheControl `json:"cache_control,omitzero"`
	}
	mediaBlock struct {
		Type      string          `json:"type"` // "image", "document"
		Source    source          `json:"source"`
		Title     string          `json:"title,omitzero"`
		Context   string          `json:"context,omitzero"`
		Citations *citationSwitch `json:"citations,omitzero"`
		Cache     *cacheControl   `json:"cache_control,omitzero"`
	}
	thinkingBlock struct {
		Type      string `json:"type"`
		Thinking  string `json:"thinking"`
		Signature string `json:"signature"`
	}
	redactedBlock struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	toolUseBlock struct {
		Type  string        `json:"type"`
		ID    string        `json:"id"`
		Name  string        `json:"name"`
		Input rawJSON       `json:"input"`
		Cache *cacheControl `json:"cache_control,omitzero"`
	}
	toolResultBlock struct {
		Type      string        `json:"type"`
		ToolUseID string        `json:"tool_use_id"`
		Content   rawJSON       `json:"content,omitzero"`
		IsError   bool          `json:"is_error,omitzero"`
		Cache     *cacheControl `json:"cache_control,omitzero"`
	}
)

var (
	isString  = wire.Kinds{rawjson.String}
	isBool    = wire.Kinds{rawjson.Bool}
	isNumber  = wire.Kinds{rawjson.Number}
	isObject  = wire.Kinds{rawjson.Object}
	isArray   = wire.Kinds{rawjson.Array}
	isContent = wire.Kinds{rawjson.String, rawjson.Array}
)

// fieldKinds are the fields whose type is checked before anything is sent. Any other
// field travels on unseen: the upstream knows best what it takes.
var fieldKinds = map[string]wire.Kinds{
	"model": isString, "max_tokens": isNumber, "system": isContent, "messages": isArray, "stream": isBool,
	"tools": isArray, "tool_choice": isObject, "thinking": isObject, "output_config": isObject, "output_format": isObject,
	"temperature": isNumber, "top_p": isNumber, "top_k": isNumber, "stop_sequences": isArray, "metadata": isObject,
	"service_tier": isString, "cache_control": isObject,
}
