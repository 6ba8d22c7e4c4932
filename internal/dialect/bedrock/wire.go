// Package bedrock is the codec of Amazon Bedrock's Converse and ConverseStream, for
// targets: no client speaks it to us.
//
// Bytes in, values out: it opens no connection and signs nothing; frames of the stream
// are cut by sse.EventStream. Source of the wire format: the Amazon Bedrock Runtime API
// reference (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
// API_runtime_ConverseStream.html) and the model of the AWS SDK for Go (2026-11), which
// the tests hold our requests against. Start reading at Path, then Write, Answer and
// StreamDecoder; model.go has what differs between the makers of models.
package bedrock

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Name is what configuration and data files call this dialect.
const Name = "bedrock"

// MediaType is that of a streamed answer.
const MediaType = "application/vnd.amazon.eventstream"

// Path is where a model answers, below https://bedrock-runtime.REGION.amazonaws.com. A
// model is named by its id, by an inference profile, or by an ARN.
func Path(req *llm.Request, opt llm.Options) string {
	if req.Surface != llm.Chat {
		return ""
	}
	path := "/model/" + escape(opt.Model) + "/converse"
	if req.Stream {
		path += "-stream"
	}
	return path
}

// escape escapes all but RFC 3986's unreserved characters, as AWS's clients do and its
// signatures demand.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// request is the body of a call. The model stands in the path, and whether events are
// wanted, too.
type request struct {
	Messages     []message         `json:"messages"`
	System       []any             `json:"system,omitzero"`
	Inference    *inference        `json:"inferenceConfig,omitzero"`
	Tools        *toolConfig       `json:"toolConfig,omitzero"`
	ModelFields  *modelFields      `json:"additionalModelRequestFields,omitzero"`
	ModelAnswers []string          `json:"additionalModelResponseFieldPaths,omitzero"`
	Output       *outputConfig     `json:"outputConfig,omitzero"`
	Metadata     map[string]string `json:"requestMetadata,omitzero"`
	Tier         *tier             `json:"serviceTier,omitzero"`
}

type message struct {
	Role    string `json:"role"`
	Content []any  `json:"content"` // *block, or a block that is carried as it is
}

type inference struct {
	MaxTokens   *int64   `json:"maxTokens,omitzero"`
	Temperature *float64 `json:"temperature,omitzero"`
	TopP        *float64 `json:"topP,omitzero"`
	Stop        []string `json:"stopSequences,omitzero"`
}

type toolConfig struct {
	Tools  []any       `json:"tools"` // *tool or *block with a cache point
	Choice *toolChoice `json:"toolChoice,omitzero"`
}

type tool struct {
	Spec toolSpec `json:"toolSpec"`
}

type toolSpec struct {
	Name        string      `json:"name"`
	Description string      `json:"description,omitzero"`
	Schema      inputSchema `json:"inputSchema"`
	Strict      *bool       `json:"strict,omitzero"`
}

type inputSchema struct {
	JSON jsontext.Value `json:"json"`
}

// toolChoice has one member.
type toolChoice struct {
	Auto *struct{} `json:"auto,omitzero"`
	Any  *struct{} `json:"any,omitzero"`
	Tool *toolName `json:"tool,omitzero"`
}

type toolName struct {
	Name string `json:"name"`
}

type outputConfig struct {
	Effort     string      `json:"effort,omitzero"`
	TextFormat *textFormat `json:"textFormat,omitzero"`
}

type textFormat struct {
	Type      string        `json:"type"`
	Structure textStructure `json:"structure"`
}

type textStructure struct {
	JSONSchema jsonSchema `json:"jsonSchema"`
}

// jsonSchema holds the schema as text.
type jsonSchema struct {
	Schema      string `json:"schema"`
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
}

type tier struct {
	Type string `json:"type"`
}

// block is one piece of a message; it has one member.
type block struct {
	Text       *string           `json:"text,omitzero"`
	Image      *media            `json:"image,omitzero"`
	Document   *document         `json:"document,omitzero"`
	Video      *media            `json:"video,omitzero"`
	Audio      *media            `json:"audio,omitzero"`
	ToolUse    *toolUse          `json:"toolUse,omitzero"`
	ToolResult *toolResult       `json:"toolResult,omitzero"`
	Reasoning  *reasoning        `json:"reasoningContent,omitzero"`
	Citations  *citationsContent `json:"citationsContent,omitzero"`
	CachePoint *cachePoint       `json:"cachePoint,omitzero"`
	JSON       jsontext.Value    `json:"json,omitzero"` // of a tool's result
}

type media struct {
	Format string `json:"format"`
	Source source `json:"source"`
}

type source struct {
	Bytes string `json:"bytes,omitzero"` // base64
	S3    *s3    `json:"s3Location,omitzero"`
}

type s3 struct {
	URI string `json:"uri"`
}

type document struct {
	Format    string     `json:"format"`
	Name      string     `json:"name"`
	Source    source     `json:"source"`
	Context   string     `json:"context,omitzero"`
	Citations *citations `json:"citations,omitzero"`
}

type citations struct {
	Enabled bool `json:"enabled"`
}

type toolUse struct {
	ID    string         `json:"toolUseId"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
	Type  string         `json:"type,omitzero"` // "server_tool_use"
}

type toolResult struct {
	ID      string `json:"toolUseId"`
	Content []any  `json:"content"`
	Status  string `json:"status,omitzero"`
}

// reasoning has one member. Redacted is base64.
type reasoning struct {
	Text     *reasoningText `json:"reasoningText,omitzero"`
	Redacted string         `json:"redactedContent,omitzero"`
}

type reasoningText struct {
	Text      string `json:"text"`
	Signature string `json:"signature,omitzero"`
}

type citationsContent struct {
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	Citations []jsontext.Value `json:"citations"`
}

type cachePoint struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitzero"`
}
