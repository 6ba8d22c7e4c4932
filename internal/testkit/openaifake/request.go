package openaifake

import (
	"encoding/json"
	"fmt"
	"strings"
)

type streamOptions struct {
	IncludeUsage       bool  `json:"include_usage"`
	IncludeObfuscation *bool `json:"include_obfuscation"`
}

type message struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
	Custom struct {
		Name string `json:"name"`
	} `json:"custom"`
}

func (t tool) name() string { return t.Function.Name + t.Custom.Name }

type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []message       `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	N                   *int            `json:"n"`
	Stop                json.RawMessage `json:"stop"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         *int            `json:"top_logprobs"`
	Tools               []tool          `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

var roles = map[string]bool{
	"system": true, "developer": true, "user": true, "assistant": true, "tool": true, "function": true,
}

// check refuses what OpenAI refuses, naming the parameter.
func (r *chatRequest) check() *Answer {
	switch {
	case r.Model == "":
		return badRequest("model", "missing_required_parameter", "Missing required parameter: 'model'.")
	case r.Messages == nil:
		return badRequest("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	case len(r.Messages) == 0:
		return badRequest("messages", "empty_array", "Invalid 'messages': expected at least one message.")
	case r.Temperature != nil && (*r.Temperature < 0 || *r.Temperature > 2):
		return badRequest("temperature", "decimal_above_max_value", "Invalid 'temperature': expected 0 to 2.")
	case r.N != nil && (*r.N < 1 || *r.N > 128):
		return badRequest("n", "integer_out_of_range", "Invalid 'n': expected 1 to 128.")
	case r.TopLogprobs != nil && !r.Logprobs:
		return badRequest("top_logprobs", "", "'top_logprobs' needs 'logprobs' to be true.")
	case r.TopLogprobs != nil && (*r.TopLogprobs < 0 || *r.TopLogprobs > 20):
		return badRequest("top_logprobs", "integer_out_of_range", "Invalid 'top_logprobs': expected 0 to 20.")
	case r.StreamOptions != nil && !r.Stream:
		return badRequest("stream_options", "", "'stream_options' is only allowed when 'stream' is true.")
	}
	for i, m := range r.Messages {
		if !roles[m.Role] {
			return badRequest(fmt.Sprintf("messages[%d].role", i), "invalid_value",
				fmt.Sprintf("Invalid value for a role: '%s'.", m.Role))
		}
	}
	return nil
}

func (r *chatRequest) tokenLimit() int {
	for _, most := range []*int{r.MaxCompletionTokens, r.MaxTokens} {
		if most != nil {
			return *most
		}
	}
	return 0
}

func (r *chatRequest) promptTokens() int {
	count := 0
	for _, m := range r.Messages {
		count += countTokens(contentText(m.Content))
	}
	return count
}

// last returns the role and text of the newest message.
func (r *chatRequest) last() (role, text string) {
	m := r.Messages[len(r.Messages)-1]
	return m.Role, contentText(m.Content)
}

// called says which tools the answer calls: none after a tool's result, the one that was named, all of them when
// parallel calls are allowed, else the first. OpenAI's default is that they are.
func (r *chatRequest) called() []tool {
	role, _ := r.last()
	var mode string
	var named struct {
		Function struct{ Name string } `json:"function"`
		Custom   struct{ Name string } `json:"custom"`
	}
	if json.Unmarshal(r.ToolChoice, &mode) != nil {
		_ = json.Unmarshal(r.ToolChoice, &named) // any other shape names no tool
	}
	switch name := named.Function.Name + named.Custom.Name; {
	case len(r.Tools) == 0 || mode == "none":
		return nil
	case name != "":
		for _, t := range r.Tools {
			if t.name() == name {
				return []tool{t}
			}
		}
		return nil
	case role == "tool" && mode != "required":
		return nil
	case r.ParallelToolCalls != nil && !*r.ParallelToolCalls:
		return r.Tools[:1]
	default:
		return r.Tools
	}
}

// contentText reads a message's content, a string or a list of parts.
func contentText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(raw, &parts) // neither form: no text
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
	}
	return all.String()
}

// texts reads a value that is one string or a list of strings.
func texts(raw json.RawMessage) []string {
	var one string
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	return nil
}
