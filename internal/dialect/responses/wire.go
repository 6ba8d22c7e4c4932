// Package responses is the codec of OpenAI's Responses dialect, for clients that speak
// it and for upstreams that do.
//
// Bytes in, values out: it opens no connection and knows no target. What both sides
// speak is not re-encoded; the few fields that Fairlead edits are spliced into the
// bytes that came. Sources of the wire format: OpenAI's published OpenAPI description
// (2026-08) and https://platform.openai.com/docs/api-reference/responses and
// …/responses-streaming. Start reading at Decode, then Encode, Read, Write,
// StreamDecoder and Writer.
package responses

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Name is what configuration and data files call this dialect.
const Name = "openai-responses"

// Path is where an upstream of this dialect answers, below its base URL (which ends in
// /v1).
func Path(req *llm.Request, _ llm.Options) string {
	if req.Surface == llm.Chat {
		return "/responses"
	}
	return ""
}

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldSystem: "instructions", llm.FieldImage: "input_image", llm.FieldAudio: "input_audio", llm.FieldDocument: "input_file", llm.FieldTitle: "filename",
	llm.FieldFile: "file_id", llm.FieldSignature: "encrypted_content", llm.FieldCitations: "annotations",
	llm.FieldIsError: "function_call_output", llm.FieldFormat: "text.format", llm.FieldThinking: "reasoning",
	llm.FieldMaxTokens: "max_output_tokens", llm.FieldOther: "input", llm.FieldLogprobs: "include",
}

var (
	isString  = wire.Kinds{rawjson.String}
	isBool    = wire.Kinds{rawjson.Bool}
	isNumber  = wire.Kinds{rawjson.Number}
	isObject  = wire.Kinds{rawjson.Object}
	isArray   = wire.Kinds{rawjson.Array}
	isInput   = wire.Kinds{rawjson.String, rawjson.Array}
	isChoice  = wire.Kinds{rawjson.String, rawjson.Object}
	isPointer = isChoice // an id, or an object that holds one
)

// fieldKinds are the fields whose type is checked before anything is sent. Any other
// field travels on unseen: the upstream knows best what it takes.
var fieldKinds = map[string]wire.Kinds{
	"model": isString, "input": isInput, "instructions": isString, "stream": isBool, "stream_options": isObject,
	"max_output_tokens": isNumber, "max_tool_calls": isNumber, "temperature": isNumber, "top_p": isNumber, "top_logprobs": isNumber,
	"tools": isArray, "tool_choice": isChoice, "parallel_tool_calls": isBool, "text": isObject, "reasoning": isObject,
	"include": isArray, "store": isBool, "background": isBool, "previous_response_id": isString, "conversation": isPointer,
	"prompt": isObject, "metadata": isObject, "user": isString, "safety_identifier": isString, "prompt_cache_key": isString,
	"service_tier": isString, "truncation": isString,
}

// rawJSON is a value that is carried and not looked into.
type rawJSON = jsontext.Value

// request is the body of a request. Fields that are not here have no neutral word.
type request struct {
	Model              string             `json:"model"`
	Instructions       string             `json:"instructions,omitzero"`
	Input              rawJSON            `json:"input,omitzero"` // a string or items
	Stream             bool               `json:"stream,omitzero"`
	Store              *bool              `json:"store,omitzero"`
	MaxOutputTokens    *int64             `json:"max_output_tokens,omitzero"`
	Temperature        *float64           `json:"temperature,omitzero"`
	TopP               *float64           `json:"top_p,omitzero"`
	TopLogprobs        int                `json:"top_logprobs,omitzero"`
	Tools              []rawJSON          `json:"tools,omitzero"`
	ToolChoice         rawJSON            `json:"tool_choice,omitzero"`
	ParallelToolCalls  *bool              `json:"parallel_tool_calls,omitzero"`
	Text               *textOptions       `json:"text,omitzero"`
	Reasoning          *reasoningOptions  `json:"reasoning,omitzero"`
	Include            []string           `json:"include,omitzero"`
	User               string             `json:"user,omitzero"`
	SafetyIdentifier   string             `json:"safety_identifier,omitzero"`
	Metadata           map[string]string  `json:"metadata,omitzero"`
	ServiceTier        string             `json:"service_tier,omitzero"`
	Truncation         string             `json:"truncation,omitzero"`
	Background         bool               `json:"background,omitzero"`
	PreviousResponseID string             `json:"previous_response_id,omitzero"`
	Conversation       rawJSON            `json:"conversation,omitzero"`
	Prompt             rawJSON            `json:"prompt,omitzero"`
	StreamOptions      rawJSON            `json:"stream_options,omitzero"`
	Extra              map[string]rawJSON `json:",embed"`
}

type textOptions struct {
	Format *textFormat        `json:"format,omitzero"`
	Extra  map[string]rawJSON `json:",embed"` // verbosity
}

type textFormat struct {
	Type        string  `json:"type"`
	Name        string  `json:"name,omitzero"`
	Description string  `json:"description,omitzero"`
	Schema      rawJSON `json:"schema,omitzero"`
	Strict      *bool   `json:"strict,omitzero"`
}

type reasoningOptions struct {
	Effort  string             `json:"effort,omitzero"`
	Summary string             `json:"summary,omitzero"`
	Older   string             `json:"generate_summary,omitzero"` // summary's older name
	Extra   map[string]rawJSON `json:",embed"`
}

// What a client may ask to have included in the answer, as far as there is a neutral
// word for it.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogprobs  = "message.output_text.logprobs"
)

// function is a tool that the client runs.
type function struct {
	Type        string             `json:"type"`
	Name        string             `json:"name"`
	Description string             `json:"description,omitzero"`
	Parameters  rawJSON            `json:"parameters,omitzero"`
	Strict      *bool              `json:"strict,omitzero"`
	Extra       map[string]rawJSON `json:",embed"`
}

// item is one item of the input. Which fields it has depends on its type.
type item struct {
	Type    string     `json:"type,omitzero"`
	ID      string     `json:"id,omitzero"`
	Status  string     `json:"status,omitzero"`
	Role    string     `json:"role,omitzero"`
	Content rawJSON    `json:"content,omitzero"` // a string or parts
	Summary []textPart `json:"summary,omitzero"`
	Sealed  *string    `json:"encrypted_content,omitzero"`
	CallID  string     `json:"call_id,omitzero"`
	Name    string     `json:"name,omitzero"`
	Args    *string    `json:"arguments,omitzero"`
	Output  rawJSON    `json:"output,omitzero"` // a string or parts
	Extra   rawJSON    `json:",embed"`
}

// The items and parts that have neutral words.
const (
	typeMessage     = "message"
	typeCall        = "function_call"
	typeResult      = "function_call_output"
	typeReasoning   = "reasoning"
	typeReference   = "item_reference"
	typeText        = "output_text"
	typeInputText   = "input_text"
	typeImage       = "input_image"
	typeFile        = "input_file"
	typeAudio       = "input_audio"
	typeRefusal     = "refusal"
	typeSummary     = "summary_text"
	typeThought     = "reasoning_text"
	typeFunction    = "function"
	typeURLCitation = "url_citation"
)

type textPart struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// part is one piece of a message's content, or of a tool's result.
type part struct {
	Type        string     `json:"type"`
	Text        *string    `json:"text,omitzero"`
	Annotations []rawJSON  `json:"annotations,omitzero"`
	Refusal     string     `json:"refusal,omitzero"`
	ImageURL    string     `json:"image_url,omitzero"`
	FileID      string     `json:"file_id,omitzero"`
	Detail      string     `json:"detail,omitzero"`
	Filename    string     `json:"filename,omitzero"`
	FileData    string     `json:"file_data,omitzero"`
	FileURL     string     `json:"file_url,omitzero"`
	Audio       *audio     `json:"input_audio,omitzero"`
	Breakpoint  *cacheMark `json:"prompt_cache_breakpoint,omitzero"`
	Extra       rawJSON    `json:",embed"`
}

type audio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

// cacheMark asks that the prompt is cached up to a part.
type cacheMark struct {
	Mode string `json:"mode"`
}
