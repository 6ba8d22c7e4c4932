package sdktests

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/testkit/anthropicfake"
	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// claudeSuite is Anthropic's Go SDK against one server.
type claudeSuite struct {
	*stack
	client anthropic.Client
}

func newClaudeSuite(s *stack) *claudeSuite {
	return &claudeSuite{s, anthropic.NewClient(option.WithBaseURL(s.url()), option.WithAPIKey(s.key),
		option.WithMaxRetries(0), option.WithRequestTimeout(time.Minute))}
}

func tell(model, text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 100, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
}

// both asks plainly and streamed, with the SDK's accumulator, and gives both answers to a check.
func (c *claudeSuite) both(t *testing.T, params anthropic.MessageNewParams, check func(how string, m *anthropic.Message)) {
	t.Helper()
	plain, err := c.client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	check("plain", plain)
	streamed, err := c.follow(t, params)
	if err != nil {
		t.Fatal(err)
	}
	check("streamed", streamed)
}

func (c *claudeSuite) follow(t *testing.T, params anthropic.MessageNewParams) (*anthropic.Message, error) {
	t.Helper()
	stream := c.client.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	message := new(anthropic.Message)
	for stream.Next() {
		if err := message.Accumulate(stream.Current()); err != nil {
			t.Fatalf("the accumulator refuses %s: %v", stream.Current().RawJSON(), err)
		}
	}
	return message, stream.Err()
}

func (c *claudeSuite) fake() []named {
	return []named{
		{"messages", c.messages}, {"tools over two turns", c.tools}, {"thinking", c.thinking},
		{"signatures over two turns", c.signatures}, {"errors", c.errors}, {"broken streams", c.broken},
	}
}

func (c *claudeSuite) messages(t *testing.T) {
	for _, model := range []string{"chat", "claude", "gemini", "odd", "undone", "fallback", "to-claude", "to-gemini"} {
		c.both(t, tell(model, "hi"), func(how string, m *anthropic.Message) {
			if len(m.Content) != 1 || m.Content[0].Text != openaifake.Sentence || m.StopReason != anthropic.StopReasonEndTurn {
				t.Errorf("%s, %s: %s", model, how, m.RawJSON())
			}
			if m.Usage.InputTokens < 1 || m.Usage.OutputTokens != 14 {
				t.Errorf("%s, %s: %d and %d tokens", model, how, m.Usage.InputTokens, m.Usage.OutputTokens)
			}
		})
	}
}

func claudeTools() []anthropic.ToolUnionParam {
	declare := func(name string, properties map[string]any, required ...string) anthropic.ToolUnionParam {
		return anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: properties, Required: required}, name)
	}
	return []anthropic.ToolUnionParam{
		declare("weather", map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}, "city", "days"),
		declare("clock", map[string]any{"zone": map[string]any{"type": "string"}}, "zone"),
	}
}

// answered is a conversation with an assistant's calls and their results.
func answered(params anthropic.MessageNewParams, m *anthropic.Message) (anthropic.MessageNewParams, map[string]string) {
	calls := map[string]string{}
	var results []anthropic.ContentBlockParamUnion
	for _, block := range m.Content {
		if block.Type == "tool_use" {
			calls[block.Name] = string(block.Input)
			results = append(results, anthropic.NewToolResultBlock(block.ID, "17 °C", false))
		}
	}
	params.Messages = append(params.Messages[:1:1], m.ToParam(), anthropic.NewUserMessage(results...))
	return params, calls
}

func (c *claudeSuite) tools(t *testing.T) {
	for _, model := range []string{"chat", "claude", "gemini"} {
		params := tell(model, "hi")
		params.Tools = claudeTools()
		c.both(t, params, func(how string, m *anthropic.Message) {
			next, calls := answered(params, m)
			for name, arguments := range calls {
				calls[name] = strings.ReplaceAll(arguments, " ", "")
			}
			want := map[string]string{"weather": `{"city":"Paris","days":7}`, "clock": `{"zone":"Paris"}`}
			if diff := cmp.Diff(want, calls); diff != "" || m.StopReason != anthropic.StopReasonToolUse {
				t.Errorf("%s, %s: stop %q:\n%s", model, how, m.StopReason, diff)
			}
			second, err := c.client.Messages.New(t.Context(), next)
			if err != nil || !strings.Contains(second.Content[0].Text, "17 °C") {
				t.Errorf("%s, %s: after the tools: %+v %v", model, how, second, err)
			}
		})
	}
}

func (c *claudeSuite) thinking(t *testing.T) {
	params := tell("thinks", "hi")
	params.MaxTokens, params.Thinking = 2000, anthropic.ThinkingConfigParamOfEnabled(1024)
	c.both(t, params, func(how string, m *anthropic.Message) {
		if len(m.Content) != 2 || m.Content[0].Thinking == "" || m.Content[1].Text != openaifake.Sentence {
			t.Errorf("%s: %s", how, m.RawJSON())
		}
		if m.Usage.OutputTokens != 54 || m.Usage.CacheReadInputTokens != 3 {
			t.Errorf("%s: %+v", how, m.Usage)
		}
	})
}

func (c *claudeSuite) signatures(t *testing.T) {
	params := tell("claude", "hi")
	params.MaxTokens, params.Thinking, params.Tools = 2000, anthropic.ThinkingConfigParamOfEnabled(1024), claudeTools()
	c.both(t, params, func(how string, m *anthropic.Message) {
		if m.Content[0].Signature != anthropicfake.Signature {
			t.Errorf("%s: %s", how, m.RawJSON())
		}
		next, _ := answered(params, m)
		if _, err := c.client.Messages.New(t.Context(), next); err != nil {
			t.Errorf("%s: the upstream refuses what came back: %v", how, err)
		}
	})
}

func (c *claudeSuite) errors(t *testing.T) {
	type body struct{ Error struct{ Type string } }
	for model, want := range map[string]struct {
		status int
		kind   string
	}{
		"nobody": {404, "not_found_error"}, "limited": {429, "rate_limit_error"}, "failing": {502, "api_error"}, "page": {502, "api_error"},
		"claude-limited": {429, "rate_limit_error"}, "claude-overloaded": {0, "overloaded_error"}, "gemini-failing": {502, "api_error"},
	} {
		_, plain := c.client.Messages.New(t.Context(), tell(model, "hi"))
		_, streamed := c.follow(t, tell(model, "hi"))
		for _, err := range []error{plain, streamed} {
			var wrong *anthropic.Error
			if !errors.As(err, &wrong) {
				t.Errorf("%s: %v", model, err)
				continue
			}
			var got body
			_ = json.Unmarshal([]byte(wrong.RawJSON()), &got) // an unreadable body has no type, which is an error below
			if got.Error.Type != want.kind || want.status != 0 && wrong.StatusCode != want.status {
				t.Errorf("%s: %d %s", model, wrong.StatusCode, wrong.RawJSON())
			}
			seconds, _ := strconv.Atoi(wrong.Response.Header.Get("Retry-After"))
			if wrong.StatusCode == 429 && (seconds < 1 || seconds > 7) {
				t.Errorf("%s: Retry-After is %d", model, seconds)
			}
		}
	}
	_, err := c.client.Messages.New(t.Context(), tell("chat", "hi"), option.WithAPIKey("wrong"))
	var wrong *anthropic.Error
	if !errors.As(err, &wrong) || wrong.StatusCode != 401 {
		t.Errorf("wrong key: %v", err)
	}
}

func (c *claudeSuite) broken(t *testing.T) {
	for _, model := range []string{"stillborn", "breaks", "cut", "reset", "mute", "claude-breaks", "claude-cut", "claude-mute", "gemini-cut", "gemini-mute"} {
		message, err := c.follow(t, tell(model, "hi"))
		if err == nil || message.StopReason != "" {
			t.Errorf("%s: error %v, stop reason %q", model, err, message.StopReason)
		}
		for _, block := range message.Content {
			if !strings.HasPrefix(openaifake.Sentence, block.Text) { //nolint:gocritic // the part that came is a prefix of the whole
				t.Errorf("%s: %q", model, block.Text)
			}
		}
	}
}
