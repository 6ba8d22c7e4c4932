package openai

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldThinking: "reasoning_effort", llm.FieldSystem: "messages.role", llm.FieldName: "messages.name",
	llm.FieldImage: "image_url", llm.FieldAudio: "input_audio", llm.FieldDocument: "file", llm.FieldTitle: "file.filename", llm.FieldFile: "file.file_id",
	llm.FieldReasoning: "reasoning_content", llm.FieldSignature: "reasoning_details", llm.FieldCitations: "annotations",
	llm.FieldIsError: "messages.content",
}

// chatRequest is the body of a chat request. Fields that are not here have no
// neutral word.
type chatRequest struct {
	Model               string             `json:"model"`
	Messages            []chatMessage      `json:"messages,omitzero"`
	Stream              bool               `json:"stream,omitzero"`
	StreamOptions       *streamOptions     `json:"stream_options,omitzero"`
	MaxTokens           *int64             `json:"max_tokens,omitzero"`
	MaxCompletionTokens *int64             `json:"max_completion_tokens,omitzero"`
	Temperature         *float64           `json:"temperature,omitzero"`
	TopP                *float64           `json:"top_p,omitzero"`
	TopK                *int64             `json:"top_k,omitzero"`
	MinP                *float64           `json:"min_p,omitzero"`
	Seed                *int64             `json:"seed,omitzero"`
	Stop                jsontext.Value     `json:"stop,omitzero"`
	PresencePenalty     *float64           `json:"presence_penalty,omitzero"`
	FrequencyPenalty    *float64           `json:"frequency_penalty,omitzero"`
	RepetitionPenalty   *float64           `json:"repetition_penalty,omitzero"`
	LogitBias           jsontext.Value     `json:"logit_bias,omitzero"`
	N                   int                `json:"n,omitzero"`
	Logprobs            bool               `json:"logprobs,omitzero"`
	TopLogprobs         int                `json:"top_logprobs,omitzero"`
	Tools               []chatTool         `json:"tools,omitzero"`
	ToolChoice          jsontext.Value     `json:"tool_choice,omitzero"`
	ParallelToolCalls   *bool              `json:"parallel_tool_calls,omitzero"`
	ResponseFormat      *chatFormat        `json:"response_format,omitzero"`
	ReasoningEffort     string             `json:"reasoning_effort,omitzero"`
	User                string             `json:"user,omitzero"`
	Metadata            map[string]string  `json:"metadata,omitzero"`
	ServiceTier         string             `json:"service_tier,omitzero"`
	Extra               map[string]rawJSON `json:",embed"`
}

// rawJSON is a value that is carried and not looked into.
type rawJSON = jsontext.Value

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role             string             `json:"role"`
	Content          jsontext.Value     `json:"content,omitzero"` // a string, parts or null
	Name             string             `json:"name,omitzero"`
	Refusal          *string            `json:"refusal,omitzero"`
	ReasoningContent string             `json:"reasoning_content,omitzero"`
	Reasoning        string             `json:"reasoning,omitzero"` // the same, in vLLM's and OpenRouter's word
	ReasoningDetails []jsontext.Value   `json:"reasoning_details,omitzero"`
	ToolCalls        []chatCall         `json:"tool_calls,omitzero"`
	ToolCallID       string             `json:"tool_call_id,omitzero"`
	Extra            map[string]rawJSON `json:",embed"`
}

// reasoningDetail carries thought with its signature through clients of this
// dialect, in the form that OpenRouter made common
// (https://openrouter.ai/docs/use-cases/reasoning-tokens). Format is the dialect that
// signed; a detail of any other format is an upstream's own and is kept whole.
type reasoningDetail struct {
	Type      string `json:"type"` // "reasoning.text", "reasoning.encrypted"
	Text      string `json:"text,omitzero"`
	Data      string `json:"data,omitzero"`
	Signature string `json:"signature,omitzero"`
	Format    string `json:"format,omitzero"`
	ID        string `json:"id,omitzero"` // of the tool call that the signature belongs to
	Index     int    `json:"index"`
}

const (
	detailText      = "reasoning.text"
	detailEncrypted = "reasoning.encrypted"
)

type chatPart struct {
	Type       string         `json:"type"`
	Text       string         `json:"text,omitzero"`
	Refusal    string         `json:"refusal,omitzero"`
	ImageURL   *chatImage     `json:"image_url,omitzero"`
	InputAudio *chatAudio     `json:"input_audio,omitzero"`
	File       *chatFile      `json:"file,omitzero"`
	Cache      *cacheControl  `json:"cache_control,omitzero"` // as OpenRouter and LiteLLM take it
	VideoURL   *chatImage     `json:"video_url,omitzero"`     // vLLM
	Extra      jsontext.Value `json:",embed"`
}

type chatImage struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitzero"`
}

type chatAudio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

type chatFile struct {
	FileData string `json:"file_data,omitzero"`
	FileID   string `json:"file_id,omitzero"`
	Filename string `json:"filename,omitzero"`
}

type cacheControl struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitzero"`
}

type chatTool struct {
	Type     string         `json:"type"`
	Function *chatFunction  `json:"function,omitzero"`
	Cache    *cacheControl  `json:"cache_control,omitzero"`
	Extra    jsontext.Value `json:",embed"`
}

type chatFunction struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Parameters  jsontext.Value `json:"parameters,omitzero"`
	Strict      *bool          `json:"strict,omitzero"`
}

type chatCall struct {
	Index    *int         `json:"index,omitzero"` // in streams
	ID       string       `json:"id,omitzero"`
	Type     string       `json:"type,omitzero"`
	Function chatFuncCall `json:"function"`
}

type chatFuncCall struct {
	Name      string `json:"name,omitzero"`
	Arguments string `json:"arguments"`
}

type chatFormat struct {
	Type       string      `json:"type"`
	JSONSchema *chatSchema `json:"json_schema,omitzero"`
}

type chatSchema struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Schema      jsontext.Value `json:"schema,omitzero"`
	Strict      *bool          `json:"strict,omitzero"`
}

// Read reads all of a client's request. The error is of kind Invalid.
func Read(req *llm.Request) (*llm.Prompt, error) {
	switch req.Surface {
	case llm.Completions:
		return readTextPrompt(req)
	case llm.Embeddings:
		return readEmbedPrompt(req)
	}
	var in chatRequest
	if err := json.Unmarshal(req.Body, &in); err != nil {
		return nil, wire.BadField(err)
	}
	p := &llm.Prompt{
		Surface: req.Surface, Parallel: in.ParallelToolCalls, User: in.User, Tier: in.ServiceTier,
		Thinking: readEffort(in.ReasoningEffort), Metadata: wire.WithoutTags(in.Metadata),
		Sampling: llm.Sampling{
			MaxTokens: in.MaxTokens, Temperature: in.Temperature, TopP: in.TopP, TopK: in.TopK, MinP: in.MinP, Seed: in.Seed,
			Stop: readStop(in.Stop), PresencePenalty: in.PresencePenalty, FrequencyPenalty: in.FrequencyPenalty,
			RepeatPenalty: in.RepetitionPenalty, LogitBias: wire.NotNull(in.LogitBias), N: in.N, Logprobs: in.Logprobs, TopLogprobs: in.TopLogprobs,
		},
		Unread: wire.Unread(in.Extra, "", "store"),
	}
	if in.MaxCompletionTokens != nil {
		p.Sampling.MaxTokens = in.MaxCompletionTokens
	}
	if err := readMessages(p, in.Messages); err != nil {
		return nil, err
	}
	p.Tools = readChatTools(in.Tools)
	p.Choice = readChoice(in.ToolChoice)
	p.Format = readFormat(in.ResponseFormat)
	return p, nil
}

// readStop reads a string or an array of strings.
func readStop(v jsontext.Value) (stop []string) {
	switch v.Kind() {
	case '"':
		stop = make([]string, 1)
		_ = json.Unmarshal(v, &stop[0]) // its kind was checked
	case '[':
		_ = json.Unmarshal(v, &stop) // what is no list of strings, no other dialect has either
	}
	return stop
}

func readEffort(effort string) llm.Thinking {
	switch effort {
	case "":
		return llm.Thinking{}
	case "none":
		return llm.Thinking{Mode: llm.ThinkingOff, Effort: effort}
	}
	return llm.Thinking{Mode: llm.ThinkingOn, Effort: effort}
}

func readChatTools(tools []chatTool) (out []llm.Tool) {
	for i := range tools {
		t := &tools[i]
		if t.Type != "function" || t.Function == nil {
			raw, _ := json.Marshal(t) // it was read from JSON
			out = append(out, llm.Tool{Name: t.Type, Raw: raw, Dialect: Name})
			continue
		}
		out = append(out, llm.Tool{
			Name: t.Function.Name, Description: t.Function.Description, Schema: wire.NotNull(t.Function.Parameters),
			Strict: t.Function.Strict, Cache: t.Cache.read(),
		})
	}
	return out
}

func (c *cacheControl) read() *llm.Cache {
	if c == nil {
		return nil
	}
	return &llm.Cache{TTL: c.TTL}
}

func readChoice(v jsontext.Value) llm.ToolChoice {
	if v.Kind() == '"' {
		var word string
		_ = json.Unmarshal(v, &word) // its kind was checked
		return llm.ToolChoice{Mode: choiceWords[word]}
	}
	var one struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
		Allowed struct {
			Mode  string     `json:"mode"`
			Tools []chatTool `json:"tools"`
		} `json:"allowed_tools"`
	}
	if v.Kind() != '{' || json.Unmarshal(v, &one) != nil {
		return llm.ToolChoice{}
	}
	if one.Type == "allowed_tools" {
		c := llm.ToolChoice{Mode: choiceWords[one.Allowed.Mode]}
		for _, t := range one.Allowed.Tools {
			if t.Function != nil {
				c.Allowed = append(c.Allowed, t.Function.Name)
			}
		}
		return c
	}
	return llm.ToolChoice{Mode: llm.ChoiceOne, Name: one.Function.Name}
}

var choiceWords = map[string]llm.ChoiceMode{"auto": llm.ChoiceAuto, "none": llm.ChoiceNone, "required": llm.ChoiceAny}

func readFormat(f *chatFormat) llm.Format {
	switch {
	case f == nil:
	case f.Type == "json_object":
		return llm.Format{Kind: llm.FormatJSON}
	case f.Type == "json_schema" && f.JSONSchema != nil:
		s := f.JSONSchema
		return llm.Format{Kind: llm.FormatSchema, Name: s.Name, Description: s.Description, Schema: s.Schema, Strict: s.Strict}
	}
	return llm.Format{}
}
