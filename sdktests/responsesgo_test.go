package sdktests

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// responsesSuite is OpenAI's Go SDK on /v1/responses.
type responsesSuite struct{ *goSuite }

func (r responsesSuite) fake() []named {
	return []named{
		{"responses", r.answers}, {"tools over two turns", r.tools}, {"reasoning", r.reasoning}, {"errors", r.wrong}, {"broken streams", r.broken},
	}
}

func input(model, text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt(text)}}
}

// both asks plainly and streamed; a stream counts if it ended with response.completed.
func (r responsesSuite) both(t *testing.T, params responses.ResponseNewParams, check func(how string, answer *responses.Response)) {
	t.Helper()
	plain, err := r.client.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	check("plain", plain)
	streamed, _, err := r.followed(t, params)
	if err != nil || streamed == nil {
		t.Fatalf("%s: streamed: %v", params.Model, err)
	}
	check("streamed", streamed)
}

func (r responsesSuite) followed(t *testing.T, params responses.ResponseNewParams) (final *responses.Response, text string, err error) {
	t.Helper()
	stream := r.client.Responses.NewStreaming(t.Context(), params)
	defer stream.Close()
	for next := int64(0); stream.Next(); next++ {
		event := stream.Current()
		if event.SequenceNumber != next {
			t.Errorf("event %d is %s", next, event.RawJSON())
		}
		switch event.Type {
		case "response.output_text.delta":
			text += event.Delta
		case "response.completed":
			final = &event.Response
		case "response.failed", "error":
			err = errors.New(event.RawJSON())
		}
	}
	return final, text, errors.Join(err, stream.Err())
}

func (r responsesSuite) answers(t *testing.T) {
	for _, model := range []string{"chat", "claude", "gemini", "odd", "undone", "fallback", "to-claude", "to-gemini"} {
		r.both(t, input(model, "hi"), func(how string, answer *responses.Response) {
			if answer.OutputText() != openaifake.Sentence || answer.Status != "completed" || answer.Usage.OutputTokens != 14 || answer.Usage.InputTokens < 1 {
				t.Errorf("%s, %s: %s", model, how, answer.RawJSON())
			}
		})
	}
}

func (r responsesSuite) tools(t *testing.T) {
	declare := func(name string, properties map[string]any, required ...string) responses.ToolUnionParam {
		return responses.ToolUnionParam{OfFunction: &responses.FunctionToolParam{Name: name, Strict: openai.Bool(true), Parameters: map[string]any{
			"type": "object", "properties": properties, "required": required, "additionalProperties": false,
		}}}
	}
	tools := []responses.ToolUnionParam{
		declare("weather", map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}, "city", "days"),
		declare("clock", map[string]any{"zone": map[string]any{"type": "string"}}, "zone"),
	}
	want := map[string]string{"weather": `{"city":"Paris","days":7}`, "clock": `{"zone":"Paris"}`}
	for _, model := range []string{"chat", "claude", "gemini"} {
		params := input(model, "hi")
		params.Tools = tools
		r.both(t, params, func(how string, answer *responses.Response) {
			turns := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage("hi", responses.EasyInputMessageRoleUser)}
			calls, results := map[string]string{}, responses.ResponseInputParam(nil)
			for _, item := range answer.Output {
				switch item.Type {
				case "function_call":
					call := item.AsFunctionCall()
					calls[call.Name] = call.Arguments
					turns = append(turns, responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name))
					result := responses.ResponseInputItemParamOfFunctionCallOutput("17 °C")
					result.OfFunctionCallOutput.CallID = param.NewOpt(call.CallID)
					results = append(results, result)
				case "reasoning":
					own := item.AsReasoning().ToParam()
					turns = append(turns, responses.ResponseInputItemUnionParam{OfReasoning: &own})
				}
			}
			if diff := cmp.Diff(want, calls); diff != "" {
				t.Errorf("%s, %s:\n%s", model, how, diff)
			}
			next := params
			next.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: append(turns, results...)}
			second, err := r.client.Responses.New(t.Context(), next)
			if err != nil || !strings.Contains(second.OutputText(), "17 °C") {
				t.Errorf("%s, %s: after the tools: %+v %v", model, how, second, err)
			}
		})
	}
}

func (r responsesSuite) reasoning(t *testing.T) {
	params := input("thinks", "hi")
	params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
	r.both(t, params, func(how string, answer *responses.Response) {
		if len(answer.Output) != 2 || answer.Output[0].Type != "reasoning" || answer.Usage.OutputTokensDetails.ReasoningTokens != 40 {
			t.Errorf("%s: %s", how, answer.RawJSON())
		}
	})
}

func (r responsesSuite) wrong(t *testing.T) {
	for model, status := range map[string]int{"nobody": 404, "limited": 429, "failing": 502, "overloaded": 503, "claude-limited": 429, "gemini-failing": 502} {
		_, plain := r.client.Responses.New(t.Context(), input(model, "hi"))
		_, _, streamed := r.followed(t, input(model, "hi"))
		for _, err := range []error{plain, streamed} {
			var wrong *openai.Error
			if !errors.As(err, &wrong) || wrong.StatusCode != status || wrong.Message == "" {
				t.Errorf("%s: %v", model, err)
			}
		}
	}
}

func (r responsesSuite) broken(t *testing.T) {
	for _, model := range []string{"stillborn", "breaks", "cut", "reset", "mute", "claude-breaks", "claude-cut", "claude-mute", "gemini-cut", "gemini-mute"} {
		final, text, err := r.followed(t, input(model, "hi"))
		if err == nil || final != nil || !strings.HasPrefix(openaifake.Sentence, text) { //nolint:gocritic // the part that came is a prefix of the whole
			t.Errorf("%s: %v %q %v", model, final, text, err)
		}
	}
}
