package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// grammarTargets know a JSON-schema grammar and no tools, as small engines do.
const grammarTargets = `
targets:
  small: { provider: llamacpp, base_url: UPSTREAM, model: fake, abilities: { add: [tools_grammar], remove: [tools] }, retry: { attempts: 1 } }
  large: { provider: openai-compatible, base_url: UPSTREAM, model: fake }
`

const weather = `,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}}}]`

// called is what a client makes of the pieces of one tool call.
type called struct{ id, name, arguments, finish string }

func call(t testing.TB, events [][]byte) (c called) {
	t.Helper()
	for _, data := range events {
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content   *string
					ToolCalls []struct {
						Index    int
						ID       string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				Finish string `json:"finish_reason"`
			}
		}
		if string(data) == "[DONE]" {
			continue
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for _, choice := range chunk.Choices {
			c.finish += choice.Finish
			for _, piece := range choice.Delta.ToolCalls {
				c.id += piece.ID
				c.name += piece.Function.Name
				c.arguments += piece.Function.Arguments
			}
		}
	}
	return c
}

// inPieces is a stream whose text comes a few bytes at a time.
func inPieces(text, finish string) string {
	var out strings.Builder
	chunk := func(delta, finish string) {
		out.WriteString(`data: {"id":"chatcmpl-g1","object":"chat.completion.chunk","created":1,"model":"fake","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}` + "\n\n")
	}
	chunk(`{"role":"assistant","content":null}`, "null")
	for len(text) > 0 {
		n := min(len(text), 5)
		quoted, err := json.Marshal(text[:n])
		if err != nil {
			panic(err) // a string is always JSON
		}
		chunk(`{"content":`+string(quoted)+`}`, "null")
		text = text[n:]
	}
	chunk(`{}`, finish)
	return out.String() + "data: [DONE]\n\n"
}

func TestTools_ThroughAGrammar(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, grammarTargets)
	const arguments = `{"city":"Paris","days":7}`
	const says = `{"name": "weather", "arguments": ` + arguments + `}`
	up.Next(t, testkit.Body("text/event-stream", inPieces(says, `"stop"`)))
	got := g.chat(t, asking("small", weather, streamed))
	if got.status != 200 || got.header.Get("X-Fairlead-Loss") != "tools" {
		t.Fatalf("%d, loss %q: %s", got.status, got.header.Get("X-Fairlead-Loss"), got.body)
	}
	events := testkit.EventData([]byte(got.body))
	if c := call(t, events); c.name != "weather" || c.arguments != arguments || c.finish != "tool_calls" || !strings.HasPrefix(c.id, "call_") {
		t.Errorf("the client reads %+v of\n%s", c, got.body)
	}
	if n := strings.Count(got.body, `"tool_calls":[`); n < 3 {
		t.Errorf("the arguments came in %d pieces: they are to be passed on as they come", n)
	}
	mustHold(t, got.body, []string{"[DONE]"}, []string{`"name\"`, "json_schema"})
	x := g.of(t, got)
	if strings.Join(x.Result.Loss, ",") != "tools" || g.exchange(t, x.Result.AnswerID).ID != x.ID {
		t.Errorf("recorded %+v", x.Result)
	}
	sent := string(up.Last(t).Body)
	mustHold(t, sent, []string{`"json_schema"`, `"const":"weather"`}, []string{`"tools"`})

	quoted, err := json.Marshal(says)
	if err != nil {
		t.Fatal(err)
	}
	up.Next(t, testkit.Body("application/json", `{"id":"chatcmpl-g2","choices":[{"index":0,"message":{"role":"assistant","content":`+string(quoted)+`},"finish_reason":"stop"}]}`))
	got = g.chat(t, asking("small", weather, `,"tool_choice":"required"`))
	var whole struct {
		Choices []struct {
			Message struct {
				Content   *string
				ToolCalls []struct {
					ID, Type string
					Function struct{ Name, Arguments string }
				} `json:"tool_calls"`
			}
			Finish string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal([]byte(got.body), &whole); err != nil || len(whole.Choices) != 1 || len(whole.Choices[0].Message.ToolCalls) != 1 {
		t.Fatalf("%v: %s", err, got.body)
	}
	if c := whole.Choices[0]; c.Finish != "tool_calls" || c.Message.Content != nil || c.Message.ToolCalls[0].Function.Arguments != arguments || c.Message.ToolCalls[0].Type != "function" {
		t.Errorf("%s", got.body)
	}

	got = g.chat(t, asking("large", weather))
	if got.header.Get("X-Fairlead-Loss") != "" || !strings.Contains(string(up.Last(t).Body), `"tools"`) {
		t.Errorf("a target with tools of its own gets them: %v", got.header)
	}
}

func TestTools_AGrammarsStreamThatBreaks(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, grammarTargets)
	whole := inPieces(`{"name":"weather","arguments":{"city":"Paris","days":7}}`, `"stop"`)
	for _, at := range []int{len(whole) / 3, len(whole) / 2, len(whole) - 200} {
		up.Next(t, testkit.Body("text/event-stream", whole[:at]))
		got := g.chat(t, asking("small", weather, streamed, `,"n":1`))
		if got.status == 200 {
			mustHold(t, got.body, []string{"tool_calls", `data: {"error"`}, []string{"[DONE]", `"finish_reason":"tool_calls"`})
		} else if got.status != 502 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	got := g.chat(t, asking("small", `,"tools":[{"type":"custom","custom":{"name":"f"}}]`))
	if f := failure(t, got.body); got.status != 400 || text(f.Error.Param) != "tools[0].type" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
