package sdktests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"google.golang.org/genai"
)

// dialects are the suites of everyone's SDKs on Fairlead's other surfaces, before targets that speak OpenAI's dialect,
// Anthropic's and Gemini's.
var dialects = []suite{
	{"go", goDialects, goDialectsReal},
	{"python", files(python, "dialects"), files(python, "test_real_dialects.py")},
	{"js", files(js, "dialects/anthropic.test.js", "dialects/responses.test.js", "dialects/genai.test.js", "dialects/others.test.js"), files(js, "dialects.real.test.js")},
}

func TestSDK_Dialects(t *testing.T) {
	t.Parallel()
	if direct() {
		t.Skip("FAIRLEAD_SDK_DIRECT=1: the fake translates nothing")
	}
	for _, suite := range dialects {
		t.Run(suite.name, func(t *testing.T) {
			t.Parallel()
			need(t, suite.name)
			s := fakeStack(t)
			suite.fake(t, s)
			t.Run("what upstream was sent", func(t *testing.T) { checkRequests(t, s.fake.Requests()) })
		})
	}
}

// url is the server's address as the SDKs of others take it.
func (s *stack) url() string { return strings.TrimSuffix(s.baseURL, "/v1") }

// named is a test of a suite in Go.
type named struct {
	name string
	test func(*testing.T)
}

func goDialects(t *testing.T, s *stack) {
	for sdk, tests := range map[string][]named{
		"anthropic": newClaudeSuite(s).fake(), "genai": newGeminiSuite(t, s).fake(), "responses": responsesSuite{newGoSuite(s)}.fake(),
	} {
		for _, test := range tests {
			t.Run(sdk+" "+test.name, test.test)
		}
	}
	t.Run("a cut at any byte", func(t *testing.T) { cutAnywhere(t, s) })
}

// goDialectsReal asks a real small model over the other surfaces: what must hold whatever it says.
func goDialectsReal(t *testing.T, s *stack) {
	t.Run("anthropic", func(t *testing.T) {
		params := tell(s.model, "What is the weather in Paris?")
		params.Temperature = anthropic.Float(0)
		params.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{
			Properties: map[string]any{"city": map[string]any{"type": "string", "maxLength": 20}}, Required: []string{"city"},
			ExtraFields: map[string]any{"additionalProperties": false},
		}, "weather")}
		params.ToolChoice = anthropic.ToolChoiceUnionParam{OfAny: &anthropic.ToolChoiceAnyParam{}}
		m, err := newClaudeSuite(s).follow(t, params)
		if err != nil || m.StopReason != anthropic.StopReasonToolUse || m.Usage.InputTokens < 5 || m.Usage.OutputTokens < 1 {
			t.Fatalf("%+v %v", m, err)
		}
		var arguments struct{ City string }
		call := m.Content[len(m.Content)-1]
		if err := json.Unmarshal(call.Input, &arguments); err != nil || call.Name != "weather" {
			t.Errorf("%s: %v", m.RawJSON(), err)
		}
	})
	t.Run("genai", func(t *testing.T) {
		h, err := newGeminiSuite(t, s).ask(t, true, s.model, genai.Text("Write one short sentence about the sea."), &genai.GenerateContentConfig{MaxOutputTokens: 24})
		if err != nil || strings.TrimSpace(h.text) == "" || h.finish == "" || h.tokens < 1 || h.tokens > 24 {
			t.Errorf("%+v %v", h, err)
		}
	})
	t.Run("responses", func(t *testing.T) {
		params := input(s.model, "Write one short sentence about the sea.")
		answer, err := newGoSuite(s).client.Responses.New(t.Context(), params)
		if err != nil || strings.TrimSpace(answer.OutputText()) == "" || answer.Usage.OutputTokens < 1 {
			t.Errorf("%+v %v", answer, err)
		}
	})
}
