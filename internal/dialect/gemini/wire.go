// Package gemini is the codec of Google's Gemini dialect: generateContent, embeddings
// and token counts, for clients that speak it and for upstreams that do. The model
// stands in the path. Vertex AI has the same chat; its embeddings and its counts of
// requests with tools differ, and are spoken as the Gemini API has them.
//
// Bytes in, values out: it opens no connection and knows no target. Sources:
// https://ai.google.dev/api/generate-content, …/api/embeddings, …/api/tokens,
// …/gemini-api/docs/thought-signatures, and the types of google.golang.org/genai
// v1.77.0 (2026-08). Start reading at Decode, then Encode, Answer and StreamDecoder.
package gemini

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Name is what configuration and data files call this dialect.
const Name = "gemini"

// Path is where an upstream of this dialect answers for a surface, below its base
// URL, which ends in /v1beta, or in /publishers/google on Vertex AI. It is escaped.
func Path(req *llm.Request, opt llm.Options) string {
	var method string
	switch req.Surface {
	case llm.Chat:
		method = "generateContent"
		if req.Stream {
			method = "streamGenerateContent?alt=sse"
		}
	case llm.Embeddings:
		method = "batchEmbedContents"
		if req.Dialect == Name && !isBatch(req) {
			method = "embedContent"
		}
	case llm.CountTokens:
		method = "countTokens"
	default:
		return ""
	}
	parts := strings.Split(resource(opt.Model), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
		if strings.Trim(part, ".") == "" { // no way up or out
			parts[i] = strings.ReplaceAll(part, ".", "%2E")
		}
	}
	return "/" + strings.Join(parts, "/") + ":" + method
}

// resource is the name of a model as this dialect has it: "models/M", or another
// collection that the name says itself, such as "tunedModels/M".
func resource(model string) string {
	if strings.Contains(model, "/") {
		return model
	}
	return "models/" + model
}

func isBatch(req *llm.Request) bool {
	_, ok := req.Doc.Get("requests")
	return ok
}

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldSystem: "systemInstruction", llm.FieldName: "contents.role",
	llm.FieldImage: "inlineData", llm.FieldAudio: "inlineData", llm.FieldVideo: "inlineData", llm.FieldDocument: "inlineData",
	llm.FieldFile: "fileData", llm.FieldDetail: "mediaResolution", llm.FieldReasoning: "thought", llm.FieldSignature: "thoughtSignature",
	llm.FieldRefusal: "text", llm.FieldCache: "cachedContent", llm.FieldCitations: "groundingMetadata",
	llm.FieldIsError: "functionResponse.response", llm.FieldStrict: "toolConfig", llm.FieldToolChoice: "toolConfig",
	llm.FieldFormat: "responseJsonSchema", llm.FieldThinking: "thinkingConfig", llm.FieldMaxTokens: "maxOutputTokens",
	llm.FieldTopP: "topP", llm.FieldTopK: "topK", llm.FieldStop: "stopSequences", llm.FieldPresencePenalty: "presencePenalty",
	llm.FieldFrequencyPenalty: "frequencyPenalty", llm.FieldLogprobs: "responseLogprobs", llm.FieldTopLogprobs: "logprobs",
	llm.FieldN: "candidateCount", llm.FieldMetadata: "labels", llm.FieldTier: "serviceTier",
	llm.FieldDimensions: "outputDimensionality", llm.FieldOther: "parts",
}

// rawJSON is a value that is carried and not looked into.
type rawJSON = jsontext.Value

// list is an array; as in proto3's JSON one element may stand without brackets, which
// Google's own examples make use of.
type list[T any] []T

// UnmarshalJSONFrom reads an array, or its one element.
func (l *list[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return json.UnmarshalDecode(dec, (*[]T)(l))
	}
	var one T
	if err := json.UnmarshalDecode(dec, &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// request is the body of generateContent.
type request struct {
	Model             string             `json:"model,omitzero"` // within countTokens only
	Contents          list[content]      `json:"contents,omitzero"`
	SystemInstruction *content           `json:"systemInstruction,omitzero"`
	Tools             list[tool]         `json:"tools,omitzero"`
	ToolConfig        *toolConfig        `json:"toolConfig,omitzero"`
	GenerationConfig  *generationConfig  `json:"generationConfig,omitzero"`
	Labels            map[string]string  `json:"labels,omitzero"` // Vertex AI
	ServiceTier       string             `json:"serviceTier,omitzero"`
	Extra             map[string]rawJSON `json:",embed"`
}

type content struct {
	Role  string     `json:"role,omitzero"`
	Parts list[part] `json:"parts,omitzero"`
}

// The roles of contents.
const (
	roleUser     = "user"
	roleModel    = "model"
	roleFunction = "function" // of older clients, for results
)

// part is one piece of a content: one of its fields, with thought and signature
// beside it.
type part struct {
	Text             *string            `json:"text,omitzero"`
	Thought          bool               `json:"thought,omitzero"`
	InlineData       *blob              `json:"inlineData,omitzero"`
	FileData         *file              `json:"fileData,omitzero"`
	FunctionCall     *functionCall      `json:"functionCall,omitzero"`
	FunctionResponse *functionResponse  `json:"functionResponse,omitzero"`
	ThoughtSignature string             `json:"thoughtSignature,omitzero"`
	MediaResolution  *mediaResolution   `json:"mediaResolution,omitzero"`
	VideoMetadata    rawJSON            `json:"videoMetadata,omitzero"`
	Extra            map[string]rawJSON `json:",embed"`
}

type blob struct {
	MIMEType    string `json:"mimeType,omitzero"`
	Data        string `json:"data"`
	DisplayName string `json:"displayName,omitzero"` // Vertex AI
}

type file struct {
	MIMEType    string `json:"mimeType,omitzero"`
	FileURI     string `json:"fileUri"`
	DisplayName string `json:"displayName,omitzero"`
}

type mediaResolution struct {
	Level string `json:"level,omitzero"`
}

type functionCall struct {
	ID    string             `json:"id,omitzero"`
	Name  string             `json:"name"`
	Args  rawJSON            `json:"args,omitzero"`
	Extra map[string]rawJSON `json:",embed"`
}

type functionResponse struct {
	ID       string             `json:"id,omitzero"`
	Name     string             `json:"name"`
	Response rawJSON            `json:"response,omitzero"`
	Parts    list[part]         `json:"parts,omitzero"` // of inlineData or fileData
	Extra    map[string]rawJSON `json:",embed"`
}

// tool is a set of functions, or something that Google runs itself.
type tool struct {
	FunctionDeclarations list[function]     `json:"functionDeclarations,omitzero"`
	Extra                map[string]rawJSON `json:",embed"`
}

// function is one that the client runs. Its schema is in OpenAPI's words or in JSON
// Schema's.
type function struct {
	Name                 string             `json:"name"`
	Description          string             `json:"description,omitzero"`
	Parameters           rawJSON            `json:"parameters,omitzero"`
	ParametersJSONSchema rawJSON            `json:"parametersJsonSchema,omitzero"`
	Extra                map[string]rawJSON `json:",embed"`
}

type toolConfig struct {
	FunctionCallingConfig *callingConfig     `json:"functionCallingConfig,omitzero"`
	Extra                 map[string]rawJSON `json:",embed"`
}

type callingConfig struct {
	Mode                 string             `json:"mode,omitzero"`
	AllowedFunctionNames []string           `json:"allowedFunctionNames,omitzero"`
	Extra                map[string]rawJSON `json:",embed"`
}

type generationConfig struct {
	StopSequences      []string           `json:"stopSequences,omitzero"`
	ResponseMIMEType   string             `json:"responseMimeType,omitzero"`
	ResponseSchema     rawJSON            `json:"responseSchema,omitzero"`
	ResponseJSONSchema rawJSON            `json:"responseJsonSchema,omitzero"`
	CandidateCount     int                `json:"candidateCount,omitzero"`
	MaxOutputTokens    *int64             `json:"maxOutputTokens,omitzero"`
	Temperature        *float64           `json:"temperature,omitzero"`
	TopP               *float64           `json:"topP,omitzero"`
	TopK               *float64           `json:"topK,omitzero"`
	Seed               *int64             `json:"seed,omitzero"`
	PresencePenalty    *float64           `json:"presencePenalty,omitzero"`
	FrequencyPenalty   *float64           `json:"frequencyPenalty,omitzero"`
	ResponseLogprobs   bool               `json:"responseLogprobs,omitzero"`
	Logprobs           int                `json:"logprobs,omitzero"`
	ThinkingConfig     *thinkingConfig    `json:"thinkingConfig,omitzero"`
	ResponseModalities []string           `json:"responseModalities,omitzero"`
	Extra              map[string]rawJSON `json:",embed"`
}

type thinkingConfig struct {
	IncludeThoughts *bool              `json:"includeThoughts,omitzero"`
	ThinkingBudget  *int64             `json:"thinkingBudget,omitzero"`
	ThinkingLevel   string             `json:"thinkingLevel,omitzero"`
	Extra           map[string]rawJSON `json:",embed"`
}

// embedRequest is the body of embedContent, and an element of batchEmbedContents.
type embedRequest struct {
	Model                string             `json:"model,omitzero"`
	Content              *content           `json:"content,omitzero"`
	TaskType             string             `json:"taskType,omitzero"`
	OutputDimensionality int                `json:"outputDimensionality,omitzero"`
	Extra                map[string]rawJSON `json:",embed"`
}

// maxCandidates is the most answers that one request may ask for. Google allows 8.
const maxCandidates = 64

// fieldKinds are the fields whose type is checked before anything is sent. Any
// other field travels on unseen: the upstream knows best what it takes.
var fieldKinds = map[string]wire.Kinds{
	"contents": isList, "systemInstruction": isObject, "tools": isList, "toolConfig": isObject, "generationConfig": isObject,
	"safetySettings": isList, "cachedContent": isString, "labels": isObject, "content": isObject, "requests": isList,
	"generateContentRequest": isObject, "taskType": isString, "outputDimensionality": isNumber,
}

// configKinds are those of generationConfig.
var configKinds = map[string]wire.Kinds{
	"stopSequences": {rawjson.Array}, "responseMimeType": isString, "candidateCount": isNumber, "maxOutputTokens": isNumber,
	"temperature": isNumber, "topP": isNumber, "topK": isNumber, "seed": isNumber, "presencePenalty": isNumber,
	"frequencyPenalty": isNumber, "responseLogprobs": {rawjson.Bool}, "logprobs": isNumber, "thinkingConfig": isObject,
	"responseSchema": isObject, "responseModalities": {rawjson.Array},
}

var (
	isString = wire.Kinds{rawjson.String}
	isNumber = wire.Kinds{rawjson.Number}
	isObject = wire.Kinds{rawjson.Object}
	isList   = wire.Kinds{rawjson.Array, rawjson.Object}
)
