package sdktests

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// geminiSuite is Google's Go SDK against one server.
type geminiSuite struct {
	*stack
	client *genai.Client
}

func newGeminiSuite(t *testing.T, s *stack) *geminiSuite {
	t.Helper()
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: s.key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: s.url()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &geminiSuite{s, client}
}

func (g *geminiSuite) fake() []named {
	return []named{{"generate", g.generate}, {"a chat of three turns", g.chat}, {"functions over two turns", g.functions}, {"embeddings", g.embeddings}, {"errors", g.errors}, {"broken streams", g.broken}}
}

// heard is what came of an answer, plain or streamed.
type heard struct {
	text, finish string
	parts        []*genai.Part
	tokens       int32
}

func (h *heard) add(r *genai.GenerateContentResponse) {
	if r.UsageMetadata != nil {
		h.tokens = r.UsageMetadata.CandidatesTokenCount
	}
	for _, candidate := range r.Candidates {
		if candidate.FinishReason != "" {
			h.finish = string(candidate.FinishReason)
		}
		if candidate.Content == nil {
			continue
		}
		for _, part := range candidate.Content.Parts {
			if part.Text == "" && part.FunctionCall == nil && len(part.ThoughtSignature) == 0 {
				continue // streams end so; the SDK's own chats leave it out as well, and it would go back as {}
			}
			h.parts = append(h.parts, part)
			if !part.Thought {
				h.text += part.Text
			}
		}
	}
}

func (g *geminiSuite) ask(t *testing.T, streamed bool, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (*heard, error) {
	t.Helper()
	h := new(heard)
	if !streamed {
		answer, err := g.client.Models.GenerateContent(t.Context(), model, contents, config)
		if err == nil {
			h.add(answer)
		}
		return h, err
	}
	for chunk, err := range g.client.Models.GenerateContentStream(t.Context(), model, contents, config) {
		if err != nil {
			return h, err
		}
		h.add(chunk)
	}
	return h, nil
}

func (g *geminiSuite) generate(t *testing.T) {
	for _, model := range []string{"chat", "claude", "gemini", "odd", "undone", "fallback", "to-claude", "to-gemini"} {
		for _, streamed := range []bool{false, true} {
			h, err := g.ask(t, streamed, model, genai.Text("hi"), nil)
			if err != nil || h.text != openaifake.Sentence || h.finish != "STOP" || h.tokens != 14 {
				t.Errorf("%s, streamed %t: %+v %v", model, streamed, h, err)
			}
		}
	}
}

// chat uses the SDK's own memory, which drops a turn whose stream it finds odd.
func (g *geminiSuite) chat(t *testing.T) {
	for _, model := range []string{"chat", "claude", "gemini"} {
		chat, err := g.client.Chats.Create(t.Context(), model, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chat.SendMessage(t.Context(), genai.Part{Text: "one"}); err != nil {
			t.Errorf("%s: %v", model, err)
		}
		for range 2 {
			text := ""
			for chunk, err := range chat.SendMessageStream(t.Context(), genai.Part{Text: "more"}) {
				if err != nil {
					t.Fatalf("%s: %v", model, err)
				}
				text += chunk.Text()
			}
			if text != openaifake.Sentence {
				t.Errorf("%s: %q", model, text)
			}
		}
		roles := ""
		for _, content := range chat.History(true) {
			if !strings.HasSuffix(roles, content.Role+" ") { // a streamed turn is one content for each chunk
				roles += content.Role + " "
			}
		}
		if want := strings.Repeat("user model ", 3); roles != want {
			t.Errorf("%s: the SDK remembers %s, want %s", model, roles, want)
		}
	}
}

func (g *geminiSuite) functions(t *testing.T) {
	declare := func(name string, properties map[string]*genai.Schema, required ...string) *genai.FunctionDeclaration {
		return &genai.FunctionDeclaration{Name: name, Parameters: &genai.Schema{Type: genai.TypeObject, Properties: properties, Required: required}}
	}
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
		declare("weather", map[string]*genai.Schema{"city": {Type: genai.TypeString}, "days": {Type: genai.TypeInteger}}, "city", "days"),
		declare("clock", map[string]*genai.Schema{"zone": {Type: genai.TypeString}}, "zone"),
	}}}}
	want := map[string]string{"weather": "map[city:Paris days:7]", "clock": "map[zone:Paris]"}
	for _, model := range []string{"chat", "claude", "gemini"} {
		for _, streamed := range []bool{false, true} {
			h, err := g.ask(t, streamed, model, genai.Text("hi"), config)
			calls, results := map[string]string{}, []*genai.Part(nil)
			for _, part := range h.parts {
				if call := part.FunctionCall; call != nil {
					calls[call.Name] = fmt.Sprint(call.Args)
					result := genai.NewPartFromFunctionResponse(call.Name, map[string]any{"output": "17 °C"})
					result.FunctionResponse.ID = call.ID
					results = append(results, result)
				}
			}
			if diff := cmp.Diff(want, calls); diff != "" || err != nil {
				t.Errorf("%s, streamed %t: %v\n%s", model, streamed, err, diff)
				continue
			}
			turns := append(genai.Text("hi"), genai.NewContentFromParts(h.parts, genai.RoleModel), genai.NewContentFromParts(results, genai.RoleUser))
			second, err := g.ask(t, false, model, turns, config)
			if err != nil || !strings.Contains(second.text, "17 °C") {
				t.Errorf("%s, streamed %t: after the calls: %+v %v", model, streamed, second, err)
			}
		}
	}
}

func (g *geminiSuite) embeddings(t *testing.T) {
	size := int32(5)
	answer, err := g.client.Models.EmbedContent(t.Context(), "embed", genai.Text("sea"), &genai.EmbedContentConfig{OutputDimensionality: &size})
	if err != nil || len(answer.Embeddings) != 1 {
		t.Fatalf("%+v %v", answer, err)
	}
	if diff := cmp.Diff(openaifake.Vector("sea", 5), answer.Embeddings[0].Values); diff != "" {
		t.Error(diff)
	}
}

func (g *geminiSuite) errors(t *testing.T) {
	for model, want := range map[string]struct {
		code   int
		status string
	}{
		"nobody": {404, "NOT_FOUND"}, "limited": {429, "RESOURCE_EXHAUSTED"}, "failing": {502, "UNAVAILABLE"}, "overloaded": {503, "UNAVAILABLE"},
		"claude-limited": {429, "RESOURCE_EXHAUSTED"}, "gemini-limited": {429, "RESOURCE_EXHAUSTED"},
	} {
		for _, streamed := range []bool{false, true} {
			_, err := g.ask(t, streamed, model, genai.Text("hi"), nil)
			var wrong genai.APIError
			if !errors.As(err, &wrong) || wrong.Code != want.code || wrong.Status != want.status || wrong.Message == "" {
				t.Errorf("%s, streamed %t: %v", model, streamed, err)
			}
		}
	}
}

func (g *geminiSuite) broken(t *testing.T) {
	for _, model := range []string{"stillborn", "breaks", "cut", "reset", "mute", "claude-breaks", "claude-cut", "claude-mute", "gemini-cut", "gemini-mute"} {
		h, err := g.ask(t, true, model, genai.Text("hi"), nil)
		if err == nil || h.finish != "" || !strings.HasPrefix(openaifake.Sentence, h.text) { //nolint:gocritic // the part that came is a prefix of the whole
			t.Errorf("%s: %+v %v", model, h, err)
		}
	}
}
