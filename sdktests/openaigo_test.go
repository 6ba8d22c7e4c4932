package sdktests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// goSuite is OpenAI's Go SDK against one server.
type goSuite struct {
	*stack
	client openai.Client
}

func newGoSuite(s *stack) *goSuite {
	return &goSuite{s, openai.NewClient(option.WithBaseURL(s.baseURL), option.WithAPIKey(s.key),
		option.WithMaxRetries(0), option.WithRequestTimeout(time.Minute))}
}

func goFake(t *testing.T, s *stack) {
	g := newGoSuite(s)
	tests := []struct {
		name string
		test func(*testing.T)
	}{
		{"chat", g.chat}, {"stream", g.stream}, {"stream with usage", g.streamUsage}, {"two answers", g.twoAnswers},
		{"logprobs", g.logprobs}, {"refusal and details", g.details}, {"tools", g.tools}, {"structured answer", g.structured},
		{"completions", g.completions}, {"embeddings", g.embeddings}, {"models", g.models}, {"errors", g.errors},
		{"broken streams", g.brokenStreams}, {"a cut at any byte", g.cuts}, {"complete streams", g.completeStreams}, {"leaving", g.leaving},
		{"fairlead headers", g.headers}, {"metadata", g.metadata}, {"fallback", g.fallback}, {"nonsense", g.nonsense},
	}
	for _, test := range tests {
		t.Run(test.name, test.test) // in turn: they count at the fake who went away
	}
}

func say(model, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}}
}

func (g *goSuite) ask(t *testing.T, params openai.ChatCompletionNewParams, options ...option.RequestOption) *openai.ChatCompletion {
	t.Helper()
	answer, err := g.client.Chat.Completions.New(t.Context(), params, options...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return answer
}

// follow reads a stream to its end with the SDK's accumulator, and says how many chunks carried a usage.
func (g *goSuite) follow(ctx context.Context, params openai.ChatCompletionNewParams, options ...option.RequestOption) (acc openai.ChatCompletionAccumulator, usages int, err error) {
	stream := g.client.Chat.Completions.NewStreaming(ctx, params, options...)
	defer stream.Close()
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			return acc, usages, fmt.Errorf("the accumulator refuses %s", chunk.RawJSON())
		}
		if chunk.Usage.TotalTokens > 0 {
			usages++
		}
	}
	return acc, usages, stream.Err()
}

func (g *goSuite) chat(t *testing.T) {
	answer := g.ask(t, say("chat", "hi"))
	if answer.Choices[0].Message.Content != openaifake.Sentence || answer.Choices[0].FinishReason != "stop" || answer.Usage.TotalTokens != 19 {
		t.Errorf("%s", answer.RawJSON())
	}
	if !answer.JSON.SystemFingerprint.Valid() || answer.ServiceTier != "default" {
		t.Errorf("fields were lost: %s", answer.RawJSON())
	}
}

func (g *goSuite) stream(t *testing.T) {
	acc, usages, err := g.follow(t.Context(), say("chat", "hi"))
	if err != nil {
		t.Fatal(err)
	}
	if usages != 0 || acc.Choices[0].Message.Content != openaifake.Sentence || acc.Choices[0].FinishReason != "stop" {
		t.Errorf("%d usages, %+v", usages, acc.Choices)
	}
}

func (g *goSuite) streamUsage(t *testing.T) {
	params := say("chat", "hi")
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	acc, usages, err := g.follow(t.Context(), params)
	if err != nil || usages != 1 || acc.Usage.CompletionTokens != 14 {
		t.Errorf("%d usages, %+v, %v", usages, acc.Usage, err)
	}
}

func (g *goSuite) twoAnswers(t *testing.T) {
	params := say("chat", "hi")
	params.N = openai.Int(2)
	want := []string{openaifake.Sentence, openaifake.Sentence + " (answer 2)"}
	acc, _, err := g.follow(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for _, choices := range [][]openai.ChatCompletionChoice{g.ask(t, params).Choices, acc.Choices} {
		if len(choices) != 2 || choices[0].Message.Content != want[0] || choices[1].Message.Content != want[1] {
			t.Errorf("%+v", choices)
		}
	}
}

func (g *goSuite) logprobs(t *testing.T) {
	params := say("chat", "hi")
	params.Logprobs, params.TopLogprobs = openai.Bool(true), openai.Int(2)
	tokens := g.ask(t, params).Choices[0].Logprobs.Content
	acc, _, err := g.follow(t.Context(), params)
	if err != nil || len(tokens) != 14 || len(tokens[3].TopLogprobs) != 2 || len(acc.Choices[0].Logprobs.Content) != 14 {
		t.Errorf("%d tokens plain, %d streamed, %v", len(tokens), len(acc.Choices[0].Logprobs.Content), err)
	}
}

func (g *goSuite) details(t *testing.T) {
	refused := g.ask(t, say("refuses", "hi")).Choices[0].Message
	acc, _, err := g.follow(t.Context(), say("refuses", "hi"))
	if err != nil || refused.Refusal != "I cannot help with that." || acc.Choices[0].Message.Refusal != refused.Refusal {
		t.Errorf("refusal %q, streamed %q, %v", refused.Refusal, acc.Choices[0].Message.Refusal, err)
	}
	thought := g.ask(t, say("thinks", "hi"))
	if thought.Usage.CompletionTokensDetails.ReasoningTokens != 40 || thought.Usage.PromptTokensDetails.CachedTokens != 3 {
		t.Errorf("%s", thought.Usage.RawJSON())
	}
	if thought.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw() == "" {
		t.Error("a field that the SDK does not know was lost")
	}
}

func tool(name string, properties map[string]any, required ...string) openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: name, Strict: openai.Bool(true), Description: openai.String("Tells the " + name + "."),
		Parameters: shared.FunctionParameters{"type": "object", "properties": properties, "required": required, "additionalProperties": false},
	})
}

func (g *goSuite) tools(t *testing.T) {
	params := say("chat", "hi")
	params.Tools = []openai.ChatCompletionToolUnionParam{
		tool("weather", map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}, "city", "days"),
		tool("clock", map[string]any{"zone": map[string]any{"type": "string"}}, "zone"),
	}
	want := map[string]string{"weather": `{"city":"Paris","days":7}`, "clock": `{"zone":"Paris"}`}
	plain := g.ask(t, params).Choices[0]
	got := map[string]string{}
	for _, call := range plain.Message.ToolCalls {
		got[call.Function.Name] = call.Function.Arguments
		params.Messages = append(params.Messages, openai.ToolMessage("17 °C", call.ID))
	}
	if diff := cmp.Diff(want, got); diff != "" || plain.FinishReason != "tool_calls" {
		t.Errorf("plain, finish %q:\n%s", plain.FinishReason, diff)
	}
	if follow := g.ask(t, params).Choices[0].Message.Content; follow != "The tool said: 17 °C" {
		t.Errorf("after the tool: %q", follow)
	}
	params.Messages = params.Messages[:1]
	stream := g.client.Chat.Completions.NewStreaming(t.Context(), params)
	var acc openai.ChatCompletionAccumulator
	finished := map[string]string{}
	for stream.Next() {
		acc.AddChunk(stream.Current())
		if call, ok := acc.JustFinishedToolCall(); ok {
			finished[call.Name] = call.Arguments
		}
	}
	if diff := cmp.Diff(want, finished); diff != "" || stream.Err() != nil {
		t.Errorf("streamed: %v\n%s", stream.Err(), diff)
	}
}

func (g *goSuite) structured(t *testing.T) {
	params := say("chat", "hi")
	params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "pet", Strict: openai.Bool(true), Schema: map[string]any{
			"type": "object", "required": []string{"kind", "legs"}, "additionalProperties": false,
			"properties": map[string]any{"kind": map[string]any{"enum": []string{"cat", "dog"}}, "legs": map[string]any{"type": "integer"}},
		},
	}}
	var pet struct {
		Kind string
		Legs int
	}
	if err := json.Unmarshal([]byte(g.ask(t, params).Choices[0].Message.Content), &pet); err != nil || pet.Kind != "cat" || pet.Legs != 7 {
		t.Errorf("%+v %v", pet, err)
	}
}

func (g *goSuite) completions(t *testing.T) {
	params := openai.CompletionNewParams{Model: "chat", MaxTokens: openai.Int(3), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once")}}
	answer, err := g.client.Completions.New(t.Context(), params)
	if err != nil || answer.Choices[0].Text != "Ahoy! The café" || answer.Choices[0].FinishReason != "length" {
		t.Errorf("%+v %v", answer, err)
	}
	text, stream := "", g.client.Completions.NewStreaming(t.Context(), params)
	for stream.Next() {
		text += stream.Current().Choices[0].Text
	}
	if stream.Err() != nil || text != "Ahoy! The café" {
		t.Errorf("streamed %q %v", text, stream.Err())
	}
}

func (g *goSuite) embeddings(t *testing.T) {
	params := openai.EmbeddingNewParams{Model: "embed", Dimensions: openai.Int(5), Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"sea", "mañana"}}}
	answer, err := g.client.Embeddings.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"sea", "mañana"} {
		var got []float32
		for _, value := range answer.Data[i].Embedding {
			got = append(got, float32(value))
		}
		if diff := cmp.Diff(openaifake.Vector(text, 5), got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func (g *goSuite) models(t *testing.T) {
	seen := map[string]bool{}
	pages := g.client.Models.ListAutoPaging(t.Context())
	for pages.Next() {
		seen[pages.Current().ID] = true
	}
	if pages.Err() != nil || !seen["chat"] || !seen["embed"] {
		t.Errorf("%v %v", seen, pages.Err())
	}
	if model, err := g.client.Models.Get(t.Context(), "chat"); err != nil || model.ID != "chat" {
		t.Errorf("%+v %v", model, err)
	}
	var wrong *openai.Error
	if _, err := g.client.Models.Get(t.Context(), "nobody"); !errors.As(err, &wrong) || wrong.StatusCode != 404 {
		t.Errorf("unknown model: %v", err)
	}
}

func (g *goSuite) errors(t *testing.T) {
	hot := say("chat", "hi")
	hot.Temperature = openai.Float(3)
	for _, test := range []struct {
		name        string
		params      openai.ChatCompletionNewParams
		options     []option.RequestOption
		status      int
		code, param string
	}{
		{"wrong key", say("chat", "hi"), []option.RequestOption{option.WithAPIKey("wrong")}, 401, "invalid_api_key", ""},
		{"unknown model", say("nobody", "hi"), nil, 404, "model_not_found", "model"},
		{"bad request", hot, nil, 400, "", "temperature"},
		{"rate limit", say("limited", "hi"), nil, 429, "", ""},
	} {
		_, plain := g.client.Chat.Completions.New(t.Context(), test.params, test.options...)
		_, _, streamed := g.follow(t.Context(), test.params, test.options...)
		for _, err := range []error{plain, streamed} {
			var wrong *openai.Error
			if !errors.As(err, &wrong) {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			if wrong.StatusCode != test.status || test.code != "" && wrong.Code != test.code || wrong.Param != test.param || wrong.Message == "" {
				t.Errorf("%s: %d %s", test.name, wrong.StatusCode, wrong.RawJSON())
			}
			seconds, _ := strconv.Atoi(wrong.Response.Header.Get("Retry-After"))
			if test.status == 429 && (seconds < 1 || seconds > 7) {
				t.Errorf("Retry-After is %d", seconds)
			}
		}
	}
	var wrong *openai.Error
	if _, err := g.client.Chat.Completions.New(t.Context(), say("failing", "hi")); !errors.As(err, &wrong) || wrong.StatusCode < 500 {
		t.Errorf("failing upstream: %v", err)
	}
}

// brokenStreams: an error after output, a cut, a reset, and an end without a stop reason are errors, and never finished.
func (g *goSuite) brokenStreams(t *testing.T) {
	names := []string{"stillborn", "breaks", "cut", "reset", "mute"}
	if g.direct {
		names = names[:4] // nobody but a gateway tells a mute end from a complete answer
	}
	for _, name := range names {
		acc, _, err := g.follow(t.Context(), say(name, "hi"))
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		for _, choice := range acc.Choices {
			if choice.FinishReason != "" || !strings.HasPrefix(openaifake.Sentence, choice.Message.Content) { //nolint:gocritic // the part that came is a prefix of the whole
				t.Errorf("%s: finish %q, text %q", name, choice.FinishReason, choice.Message.Content)
			}
		}
		var wrong *openai.Error
		if name == "stillborn" && !g.direct && (!errors.As(err, &wrong) || wrong.StatusCode < 500) {
			t.Errorf("an error before output is not an HTTP status: %v", err)
		}
	}
}

// cuts takes a prime step through a stream of some 5 KB, so that cuts fall at all places of an event.
func (g *goSuite) cuts(t *testing.T) {
	broken, whole := 0, 0
	for at := 0; at < 6000; at += 41 {
		response, err := http.Post(g.fakeURL+"/_fake/next", "text/plain", strings.NewReader(fmt.Sprint("cut=", at)))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		acc, _, err := g.follow(t.Context(), say("cut", "hi"))
		text, finish := "", ""
		if len(acc.Choices) > 0 {
			text, finish = acc.Choices[0].Message.Content, acc.Choices[0].FinishReason
		}
		switch complete := text == openaifake.Sentence && finish == "stop"; {
		case !strings.HasPrefix(openaifake.Sentence, text): //nolint:gocritic // the part that came is a prefix of the whole
			t.Errorf("cut at %d: text %q", at, text)
		case finish != "" && !complete, err == nil && !complete:
			t.Errorf("cut at %d: error %v, finish %q, text %q", at, err, finish, text)
		case err != nil:
			broken++
		default:
			whole++
		}
	}
	if broken < 50 || whole == 0 {
		t.Errorf("%d broken and %d whole: the cuts do not fall into the stream", broken, whole)
	}
}

func (g *goSuite) completeStreams(t *testing.T) {
	for _, name := range []string{"undone", "odd", "fields"} {
		acc, _, err := g.follow(t.Context(), say(name, "hi"))
		if err != nil || acc.Choices[0].FinishReason != "stop" || acc.Choices[0].Message.Content != openaifake.Sentence {
			t.Errorf("%s: %v %+v", name, err, acc.Choices)
		}
	}
}

// counts asks the fake how many requests came and how many clients went; a query waits.
func (g *goSuite) counts(t *testing.T, query string) (total, gone int) {
	t.Helper()
	response, err := http.Get(g.fakeURL + "/_fake/counts" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	var counts struct{ Total, Gone int }
	if err := json.Unmarshal(body, &counts); err != nil || response.StatusCode != 200 {
		t.Fatalf("counts%s: %d %s %v", query, response.StatusCode, body, err)
	}
	return counts.Total, counts.Gone
}

func (g *goSuite) leaving(t *testing.T) {
	_, gone := g.counts(t, "")
	stream := g.client.Chat.Completions.NewStreaming(t.Context(), say("endless", "hi"))
	for stream.Next() {
		if chunk := stream.Current(); len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			break
		}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	g.counts(t, fmt.Sprintf("?gone=%d", gone+1))

	total, _ := g.counts(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := g.client.Chat.Completions.New(ctx, say("silent", "hi"))
		done <- err
	}()
	g.counts(t, fmt.Sprintf("?total=%d", total+1))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	g.counts(t, fmt.Sprintf("?gone=%d", gone+2))
}

func (g *goSuite) gateway(t *testing.T) {
	t.Helper()
	if g.direct {
		t.Skip("needs Fairlead between the SDK and the upstream")
	}
}

func (g *goSuite) headers(t *testing.T) {
	g.gateway(t)
	var plain *http.Response
	g.ask(t, say("chat", "hi"), option.WithResponseInto(&plain), option.WithHeader("x-fairlead-task", "greet"))
	for _, name := range []string{"id", "target", "route", "cost-usd", "cost-state", "cache", "overhead-ms"} {
		if plain.Header.Get("x-fairlead-"+name) == "" {
			t.Errorf("x-fairlead-%s is missing: %v", name, plain.Header)
		}
	}
	if got := plain.Header.Get("x-fairlead-target"); got != "chat" {
		t.Errorf("target %q", got)
	}
	_, err := g.client.Chat.Completions.New(t.Context(), say("chat", "hi"), option.WithHeader("x-fairlead-max-usd", "much"))
	var wrong *openai.Error
	if !errors.As(err, &wrong) || wrong.StatusCode != 400 || !strings.Contains(wrong.Message, "x-fairlead-max-usd") {
		t.Errorf("a malformed header: %v", err)
	}
}

func (g *goSuite) metadata(t *testing.T) {
	g.gateway(t)
	params := say("echo", "hi")
	params.Metadata = shared.Metadata{"fairlead_task": "greet", "own": "kept"}
	if seen := g.ask(t, params).Choices[0].Message.Content; strings.Contains(seen, "fairlead") || !strings.Contains(seen, `"own"`) {
		t.Errorf("upstream saw %s", seen)
	}
}

func (g *goSuite) fallback(t *testing.T) {
	g.gateway(t)
	for name := range plans {
		var response *http.Response
		answer := g.ask(t, say(name, "hi"), option.WithResponseInto(&response))
		if answer.Choices[0].Message.Content != openaifake.Sentence || response.Header.Get("x-fairlead-target") != "chat" {
			t.Errorf("%s: %s from %s", name, answer.RawJSON(), response.Header.Get("x-fairlead-target"))
		}
		acc, _, err := g.follow(t.Context(), say(name, "hi"))
		if err != nil || acc.Choices[0].Message.Content != openaifake.Sentence {
			t.Errorf("%s streamed: %v %+v", name, err, acc.Choices)
		}
	}
}

func (g *goSuite) nonsense(t *testing.T) {
	g.gateway(t)
	for _, name := range []string{"page", "garbage", "empty", "unauthorized"} {
		_, plain := g.client.Chat.Completions.New(t.Context(), say(name, "hi"))
		_, _, streamed := g.follow(t.Context(), say(name, "hi"))
		for _, err := range []error{plain, streamed} {
			var wrong *openai.Error
			if !errors.As(err, &wrong) || wrong.StatusCode != 502 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// goReal is the same SDK against a real small model: what must hold whatever it says.
func goReal(t *testing.T, s *stack) {
	g := newGoSuite(s)
	sea := say(s.model, "Write one short sentence about the sea.")
	sea.MaxTokens = openai.Int(24)
	t.Run("chat", func(t *testing.T) {
		answer := g.ask(t, sea)
		if strings.TrimSpace(answer.Choices[0].Message.Content) == "" || answer.Usage.CompletionTokens < 1 || answer.Usage.CompletionTokens > 24 {
			t.Errorf("%s", answer.RawJSON())
		}
	})
	t.Run("stream", func(t *testing.T) {
		params := sea
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		acc, usages, err := g.follow(t.Context(), params)
		if err != nil || usages != 1 || acc.Usage.PromptTokens < 5 || strings.TrimSpace(acc.Choices[0].Message.Content) == "" {
			t.Errorf("%v, %d usages, %+v", err, usages, acc.ChatCompletion)
		}
	})
	t.Run("tool", func(t *testing.T) {
		params := say(s.model, "What is the weather in Paris?")
		params.MaxTokens, params.Temperature = openai.Int(96), openai.Float(0)
		params.Tools = []openai.ChatCompletionToolUnionParam{
			tool("weather", map[string]any{"city": map[string]any{"type": "string", "maxLength": 20}}, "city"),
		}
		params.ToolChoice.OfAuto = openai.String("required")
		acc, _, err := g.follow(t.Context(), params)
		if err != nil || len(acc.Choices) != 1 || len(acc.Choices[0].Message.ToolCalls) != 1 {
			t.Fatalf("%v %+v", err, acc.Choices)
		}
		var arguments struct{ City string }
		call := acc.Choices[0].Message.ToolCalls[0].Function
		if err := json.Unmarshal([]byte(call.Arguments), &arguments); err != nil || call.Name != "weather" {
			t.Errorf("%s %s: %v", call.Name, call.Arguments, err)
		}
	})
	t.Run("embeddings", func(t *testing.T) {
		answer, err := g.client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: s.embed, Input: openai.EmbeddingNewParamsInputUnion{
			OfArrayOfStrings: []string{"The boat sails on the sea.", "A ship crosses the ocean.", "My invoice is overdue."},
		}})
		if err != nil {
			t.Fatal(err)
		}
		boat, ship, invoice := answer.Data[0].Embedding, answer.Data[1].Embedding, answer.Data[2].Embedding
		if len(boat) != 256 || cosine(boat, ship) < cosine(boat, invoice)+0.1 {
			t.Errorf("%d dimensions, %f, %f", len(boat), cosine(boat, ship), cosine(boat, invoice))
		}
	})
	t.Run("those who leave do not block the next", func(t *testing.T) {
		for range 4 {
			stream := g.client.Chat.Completions.NewStreaming(t.Context(), say(s.model, "Tell a very long story."))
			if !stream.Next() {
				t.Fatal(stream.Err())
			}
			_ = stream.Close() // what we do on purpose; an error would only say that it was cut
		}
		g.ask(t, sea) // behind four whole stories the time limit would end it
	})
}

func cosine(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	return ab / math.Sqrt(aa*bb)
}
