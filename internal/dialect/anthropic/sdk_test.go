package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
	"github.com/anthropics/anthropic-sdk-go/shared"

	"io"
	"net/http"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// accumulate puts a stream together as the official SDK does for its users.
func accumulate(t *testing.T, raw []byte) (sdk.Message, error) {
	t.Helper()
	res := &http.Response{Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(string(raw)))}
	stream := ssestream.NewStream[sdk.MessageStreamEventUnion](ssestream.NewDecoder(res), nil)
	var m sdk.Message
	for stream.Next() {
		if err := m.Accumulate(stream.Current()); err != nil {
			t.Fatalf("the SDK refuses an event: %v", err)
		}
	}
	return m, stream.Err()
}

// conversation is an answer with all that other dialects can say.
func conversation() *llm.Answer {
	return &llm.Answer{
		ID: "chatcmpl-1", Model: "gpt", Counted: true,
		Usage: money.Tokens{Input: 7, CacheRead: 5, CacheWrite5m: 3, CacheWrite1h: 2, Output: 11, Reasoning: 4, Searches: 1},
		Choices: []llm.Choice{{
			Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "Hm, \"Zürich\"", Signature: "abc", Signer: "bedrock"},
				{Kind: llm.Reasoning, Redacted: "xyz", Signer: "openai-responses"},
				{Kind: llm.Text, Text: "Let me\nlook.", Citations: []llm.Citation{{Kind: "web", URL: "https://a.example", Title: "A", Document: -1}}},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "call_1", Name: "f", Arguments: `{"x":[1,2]}`}, Signature: "gem", Signer: "gemini"},
				{Kind: llm.ToolCall, Call: &llm.Call{Name: "g"}},
			},
			Stop: llm.Stop{Reason: llm.StopTools, Word: "tool_calls"},
		}},
	}
}

// checkConversation holds what the SDK understood against conversation.
func checkConversation(t *testing.T, m *sdk.Message) {
	t.Helper()
	types := make([]string, len(m.Content))
	for i, b := range m.Content {
		types[i] = b.Type
	}
	u := m.Usage
	same(t, "message", []any{"chatcmpl-1", "gpt", sdk.StopReasonToolUse}, []any{m.ID, m.Model, m.StopReason})
	same(t, "usage", []int64{7, 5, 5, 15, 4, 1}, []int64{u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens, u.OutputTokens,
		u.OutputTokensDetails.ThinkingTokens, u.ServerToolUse.WebSearchRequests})
	if got := strings.Join(types, " "); !strings.HasPrefix(got, "thinking redacted_thinking text ") || strings.Count(got, "tool_use") != 2 {
		t.Fatalf("blocks %s", got)
	}
	same(t, "thought", []string{"Hm, \"Zürich\"", "fairlead.bedrock.abc", "fairlead.openai-responses.xyz"},
		[]string{m.Content[0].Thinking, m.Content[0].Signature, m.Content[1].Data})
	same(t, "text", "Let me\nlook.", m.Content[2].Text)
	same(t, "citation", "https://a.example", m.Content[2].Citations[0].URL)
	var calls []string
	for _, b := range m.Content {
		if b.Type == "tool_use" {
			calls = append(calls, b.ID, b.Name, string(b.Input))
		}
	}
	same(t, "calls", []string{"call_1", "f", `{"x":[1,2]}`, "toolu_01J_1", "g", `{}`}, calls)
}

func TestSDK_AccumulatesWhatTheWriterStreams(t *testing.T) {
	t.Parallel()
	w := NewWriter(shortRequest(t))
	var raw []byte
	for _, d := range conversation().Deltas() {
		raw = w.Append(raw, &d)
	}
	m, err := accumulate(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	checkConversation(t, &m)
	lostAre(t, "", w.Lost())
}

func TestSDK_ReadsThePlainAnswer(t *testing.T) {
	t.Parallel()
	body, lost := WriteAnswer(shortRequest(t), conversation())
	lostAre(t, "", lost)
	var m sdk.Message
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	checkConversation(t, &m)
	if c := m.Usage.CacheCreation; c.Ephemeral5mInputTokens != 3 || c.Ephemeral1hInputTokens != 2 {
		t.Errorf("cache creation %+v", c)
	}
}

// TestSDK_GivesSignaturesBack sends an answer back as the SDK's users do, and finds all
// of what other providers signed in it.
func TestSDK_GivesSignaturesBack(t *testing.T) {
	t.Parallel()
	for _, streamed := range []bool{true, false} {
		var m sdk.Message
		if streamed {
			w := NewWriter(shortRequest(t))
			var raw []byte
			for _, d := range conversation().Deltas() {
				raw = w.Append(raw, &d)
			}
			m, _ = accumulate(t, raw)
		} else {
			body, _ := WriteAnswer(shortRequest(t), conversation())
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
		}
		body, err := json.Marshal(sdk.MessageNewParams{Model: "m", MaxTokens: 9, Messages: []sdk.MessageParam{
			sdk.NewUserMessage(sdk.NewTextBlock("hi")), m.ToParam(), sdk.NewUserMessage(sdk.NewToolResultBlock("call_1", "42", false)),
		}})
		if err != nil {
			t.Fatal(err)
		}
		p := read(t, string(body))
		parts := p.Turns[1].Parts
		want := conversation().Choices[0].Parts
		if len(parts) != len(want) {
			t.Fatalf("streamed %v: %d parts, want %d: %+v", streamed, len(parts), len(want), parts)
		}
		for i := range want {
			same(t, "proof", []string{want[i].Signature, want[i].Redacted, want[i].Signer}, []string{parts[i].Signature, parts[i].Redacted, parts[i].Signer})
		}
		sent, lost, err := Encode(decode(t, llm.Chat, string(body)), llm.Options{Model: "m"})
		if err != nil || strings.Contains(string(sent.Join()), "fairlead.") {
			t.Errorf("foreign proofs reach the provider: %s, %v", sent, err)
		}
		same(t, "lost", []string{"signature"}, lost)
	}
}

// TestSDK_KnowsTheRequest reads what is written for an upstream into the SDK's types and
// back: a field that the SDK does not know would be gone.
func TestSDK_KnowsTheRequest(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	temperature, topK := 0.5, int64(3)
	prompt := &llm.Prompt{
		Surface: llm.Chat,
		System:  []llm.Part{{Kind: llm.Text, Text: "be brief", Cache: &llm.Cache{TTL: "1h"}}},
		Turns: []llm.Turn{
			{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.Text, Text: "see"},
				{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "iVBORw0KGgo="}},
				{Kind: llm.Image, Media: &llm.Media{URL: "https://a.example/b.png"}},
				{Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "JVBERg==", Name: "a.pdf", Context: "c", Cite: true}},
				{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "aGk="}, Cache: &llm.Cache{}},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hm", Signature: "s", Signer: Name},
				{Kind: llm.Reasoning, Redacted: "r", Signer: Name},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: `{"x":1}`}},
			}},
			{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.Result{CallID: "a", Failed: true, Parts: []llm.Part{
				{Kind: llm.Text, Text: "no"}, {Kind: llm.Image, Media: &llm.Media{MIME: "image/gif", Base64: "R0lGOD"}},
			}}}}},
		},
		Tools:    []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object","properties":{}}`), Strict: &yes, Cache: &llm.Cache{TTL: "5m"}}},
		Choice:   llm.ToolChoice{Mode: llm.ChoiceAuto},
		Parallel: &no,
		Format:   llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object","additionalProperties":false}`)},
		Sampling: llm.Sampling{Temperature: &temperature, TopK: &topK, Stop: []string{"x"}},
		User:     "u", Tier: "auto",
	}
	for _, model := range []string{"claude-sonnet-4-5", "claude-opus-5-5", "claude-sonnet-5-5"} {
		for _, mode := range []llm.ThinkingMode{llm.ThinkingUnset, llm.ThinkingOn, llm.ThinkingOff} {
			prompt.Thinking = llm.Thinking{Mode: mode, Effort: map[bool]string{true: "high"}[mode == llm.ThinkingOn]}
			body, _, err := Write(prompt, true, llm.Options{Model: model})
			if err != nil {
				t.Fatal(err)
			}
			var params sdk.MessageNewParams
			if err := json.Unmarshal(body, &params); err != nil {
				t.Fatal(err)
			}
			back, err := json.Marshal(params)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(string(body), `"stream":true,`, "", 1) // the SDK sets it itself
			same(t, model, normal(t, want), normal(t, string(back)))
		}
	}
}

// normal is JSON as a value, with the short forms of content that the SDK writes out.
func normal(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return spellOut(v)
}

func spellOut(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && (name == "content" || name == "system") {
				inner = []any{map[string]any{"type": "text", "text": text}}
			}
			v[name] = spellOut(inner)
		}
	case []any:
		for i := range v {
			v[i] = spellOut(v[i])
		}
	}
	return v
}

func TestSDK_KnowsEveryError(t *testing.T) {
	t.Parallel()
	for kind := range errorTypes {
		var e shared.ErrorResponse
		if err := json.Unmarshal(AppendError(nil, &llm.Error{Kind: kind, Message: "no"}), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type != "error" || e.Error.Type != errorTypes[kind] || !strings.Contains(e.Error.Message, "no") {
			t.Errorf("%s: %s", kind, e.RawJSON())
		}
	}
	w := NewWriter(shortRequest(t))
	raw := w.Append(nil, &llm.Delta{Kind: llm.DeltaBegin})
	raw = w.Fail(raw, &llm.Error{Kind: llm.Overloaded, Message: "full"})
	if _, err := accumulate(t, raw); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("the SDK's user hears %v", err)
	}
	if rest := w.Append(w.End(nil), &llm.Delta{Kind: llm.DeltaDone}); len(rest) > 0 {
		t.Errorf("%q follows the error", rest)
	}
}
