// Package anthropicfake answers as Anthropic's Messages API does: request bytes in, answer out, pure and repeatable like
// its neighbour openaifake, whose sentences it says.
//
// It refuses what Anthropic refuses: a missing max_tokens, a thought whose signature is not the one that it gave, and, with
// thinking on, a turn that called a tool and does not begin with its thought. What is asked to be cached counts as written
// to the cache. Written from the publisher's description (origin: described): https://platform.claude.com/docs/en/api/messages,
// .../build-with-claude/streaming, .../extended-thinking, .../prompt-caching, .../api/errors. Start at Messages.
package anthropicfake

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// Signature is what this server signs its thoughts with, and CacheWritten how many tokens
// a request that asks for caching writes to the cache.
const (
	Signature    = "EqQBCkYIAxgCKkD+/thought/of/the/fake+signed=="
	CacheWritten = 11
)

// errorTypes are Anthropic's by status.
var errorTypes = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
	413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}

// Fail writes an error body, which is an error event's data as well.
func Fail(status int, message string) []byte {
	kind, ok := errorTypes[status]
	if !ok {
		kind = "api_error"
	}
	type detail struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	return openaifake.Encode(struct {
		Type      string `json:"type"`
		Error     detail `json:"error"`
		RequestID string `json:"request_id"`
	}{"error", detail{kind, message}, "req_fake"})
}

// Failure is an error answer.
func Failure(status int, message string) openaifake.Answer {
	return openaifake.Answer{Status: status, Body: Fail(status, message), Fail: Fail}
}

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	Signature string          `json:"signature"`
	Name      string          `json:"name"`
	Content   json.RawMessage `json:"content"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type tool struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"input_schema"`
}

type request struct {
	Model      string          `json:"model"`
	MaxTokens  *int            `json:"max_tokens"`
	Messages   []message       `json:"messages"`
	System     json.RawMessage `json:"system"`
	Tools      []tool          `json:"tools"`
	Stops      []string        `json:"stop_sequences"`
	Stream     bool            `json:"stream"`
	ToolChoice struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Single bool   `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Thinking struct {
		Type   string `json:"type"`
		Budget int    `json:"budget_tokens"`
	} `json:"thinking"`
	Output struct {
		Format struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
}

func (r *request) thinks() bool {
	return r.Thinking.Type == "enabled" || r.Thinking.Type == "adaptive"
}

// Messages answers POST /v1/messages.
func Messages(body []byte, knobs openaifake.Knobs) openaifake.Answer {
	r, wrong := read(body)
	if wrong != "" {
		return Failure(400, wrong)
	}
	a := newAnswer(r, body, knobs)
	if r.Stream {
		return openaifake.Answer{Status: 200, Events: a.events(), Named: true, Fail: Fail}
	}
	return openaifake.Answer{Status: 200, Body: a.whole(), Fail: Fail}
}

// CountTokens answers POST /v1/messages/count_tokens.
func CountTokens(body []byte) openaifake.Answer {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return Failure(400, err.Error())
	}
	return openaifake.Answer{Status: 200, Fail: Fail, Body: openaifake.Encode(map[string]int{"input_tokens": r.tokens()})}
}

// read reads a request, and says what Anthropic would find wrong with it.
func read(body []byte) (r *request, wrong string) {
	r = new(request)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, "The request body is not valid JSON: " + err.Error()
	}
	switch {
	case r.Model == "":
		return nil, "model: Field required"
	case r.MaxTokens == nil:
		return nil, "max_tokens: Field required"
	case len(r.Messages) == 0:
		return nil, "messages: at least one message is required"
	case r.Thinking.Type == "enabled" && (r.Thinking.Budget < 1024 || r.Thinking.Budget >= *r.MaxTokens):
		return nil, "`max_tokens` must be greater than `thinking.budget_tokens`, and that at least 1024"
	}
	for i, m := range r.Messages {
		if wrong := r.checkTurn(i, m); wrong != "" {
			return nil, wrong
		}
	}
	return r, ""
}

func (r *request) checkTurn(i int, m message) (wrong string) {
	if m.Role != "user" && m.Role != "assistant" {
		return fmt.Sprintf("messages.%d.role: Input should be 'user' or 'assistant'", i)
	}
	all := blocks(m.Content)
	if len(all) == 0 {
		return fmt.Sprintf("messages.%d: all messages must have non-empty content", i)
	}
	calls := false
	for k, b := range all {
		if b.Type == "thinking" && b.Signature != Signature {
			return fmt.Sprintf("messages.%d.content.%d: Invalid `signature` in `thinking` block", i, k)
		}
		calls = calls || b.Type == "tool_use"
	}
	if r.Thinking.Type == "enabled" && calls && all[0].Type != "thinking" && all[0].Type != "redacted_thinking" {
		return fmt.Sprintf("messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When `thinking` is enabled, "+
			"a final `assistant` message must start with a thinking block", i, all[0].Type)
	}
	return ""
}

// blocks reads a message's content: text, or blocks.
func blocks(raw json.RawMessage) []block {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []block{{Type: "text", Text: text}}
	}
	var all []block
	_ = json.Unmarshal(raw, &all) // neither form: no content
	return all
}

func text(raw json.RawMessage) string {
	var out bytes.Buffer
	for _, b := range blocks(raw) {
		out.WriteString(b.Text)
	}
	return out.String()
}

func (r *request) tokens() int {
	count := openaifake.CountTokens(text(r.System))
	for _, m := range r.Messages {
		count += openaifake.CountTokens(text(m.Content))
	}
	for _, t := range r.Tools {
		count += openaifake.CountTokens(string(t.Schema))
	}
	return count
}

// result is the text of the newest turn's last tool result, if that turn has one.
func (r *request) result() (said string, ok bool) {
	for _, b := range blocks(r.Messages[len(r.Messages)-1].Content) {
		if b.Type == "tool_result" {
			said, ok = text(b.Content), true
		}
	}
	return said, ok
}

// called says which tools the answer calls.
func (r *request) called() []tool {
	_, done := r.result()
	switch {
	case len(r.Tools) == 0, r.ToolChoice.Type == "none", done && r.ToolChoice.Type != "any":
		return nil
	case r.ToolChoice.Type == "tool":
		for _, t := range r.Tools {
			if t.Name == r.ToolChoice.Name {
				return []tool{t}
			}
		}
		return nil
	case r.ToolChoice.Single:
		return r.Tools[:1]
	}
	return r.Tools
}
