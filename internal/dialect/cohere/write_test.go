package cohere

import (
	stdjson "encoding/json"
	"strings"
	"testing"

	api "github.com/cohere-ai/cohere-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func user(parts ...llm.Part) llm.Turn      { return llm.Turn{Role: llm.User, Parts: parts} }
func assistant(parts ...llm.Part) llm.Turn { return llm.Turn{Role: llm.Assistant, Parts: parts} }

func call(id, name, arguments string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: name, Arguments: arguments}}
}

func result(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: id, Parts: parts}}
}

// judge reports whether JSON survives Cohere's own type: what that does not know would be missing.
func judge(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := stdjson.Unmarshal(raw, into); err != nil {
		t.Fatalf("Cohere's SDK cannot read %s: %v", raw, err)
	}
	again, err := stdjson.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	_ = stdjson.Unmarshal(again, &want)
	_ = stdjson.Unmarshal(raw, &got)
	delete(want, "stream")
	delete(got, "stream")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-as the SDK has it +ours):\n%s", diff)
	}
}

func TestWrite_Chat(t *testing.T) {
	t.Parallel()
	hi := []llm.Turn{user(text("hi"))}
	const msg = `{"model":"m","messages":[{"role":"user","content":"hi"}]`
	f := []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: new(true)}}
	for name, c := range map[string]struct {
		in         llm.Prompt
		want, lost string
	}{
		"words": {
			llm.Prompt{System: []llm.Part{text("be brief")}, Turns: hi, Sampling: llm.Sampling{MaxTokens: new(int64(5)), Temperature: new(.5), TopP: new(1.), TopK: new(int64(4)), Seed: new(int64(1)), Stop: []string{"x"}, FrequencyPenalty: new(.5), PresencePenalty: new(2.)}},
			`{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"max_tokens":5,"stop_sequences":["x"],"temperature":0.5,"p":0.99,"k":4,"seed":1,"frequency_penalty":0.5,"presence_penalty":1}`, "presence_penalty",
		},
		"what Cohere has no word for": {
			llm.Prompt{Turns: []llm.Turn{{Role: llm.User, Name: "n", Parts: []llm.Part{{Kind: llm.Text, Text: "hi", Cache: &llm.Cache{}}}}}, User: "u", Tier: "flex", Metadata: map[string]string{"a": "b"}, Parallel: new(false), Tools: []llm.Tool{{Name: "web", Raw: []byte("{}"), Dialect: "x"}},
				Sampling: llm.Sampling{MinP: new(.1), RepeatPenalty: new(1.1), LogitBias: []byte(`{"1":2}`), N: 2, Logprobs: true, TopLogprobs: 3, FrequencyPenalty: new(-1.)}},
			msg + `}`, "name,cache_control,frequency_penalty,tools,min_p,repeat_penalty,logit_bias,n,logprobs,top_logprobs,user,metadata,service_tier,parallel_tool_calls",
		},
		"tools": {
			llm.Prompt{Tools: f, Choice: llm.ToolChoice{Mode: llm.ChoiceAny}, Turns: []llm.Turn{
				user(text("w?")), assistant(llm.Part{Kind: llm.Reasoning, Text: "I will"}, call("a", "f", `{"x":1}`), call("b", "f", " ")),
				user(llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: "a", Failed: true, Parts: []llm.Part{text("1"), {Kind: llm.Image, Media: &llm.Media{URL: "https://x/a.png"}}}}}, result("b"), text("so?")),
			}},
			`{"model":"m","messages":[{"role":"user","content":"w?"},{"role":"assistant","tool_plan":"I will","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"a"},{"role":"tool","content":" ","tool_call_id":"b"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}},{"type":"text","text":"so?"}]}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"REQUIRED","strict_tools":true}`,
			"is_error",
		},
		"one tool of several": {
			llm.Prompt{Turns: hi, Tools: append([]llm.Tool{{Name: "g"}}, f...), Choice: llm.ToolChoice{Mode: llm.ChoiceOne, Name: "g"}},
			msg + `,"tools":[{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}],"tool_choice":"REQUIRED"}`, "",
		},
		"some strict, none to be called, no format beside them": {
			llm.Prompt{Turns: hi, Tools: append([]llm.Tool{{Name: "g"}}, f...), Choice: llm.ToolChoice{Mode: llm.ChoiceNone}, Format: llm.Format{Kind: llm.FormatJSON}},
			msg + `,"tools":[{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"NONE"}`, "strict,response_format",
		},
		"a schema": {
			llm.Prompt{Turns: hi, Format: llm.Format{Kind: llm.FormatSchema, Name: "n", Schema: []byte(`{"type":"object"}`)}},
			msg + `,"response_format":{"type":"json_object","json_schema":{"type":"object"}}}`, "",
		},
		"thought": {
			llm.Prompt{Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "low"}, Turns: []llm.Turn{user(text("a")), assistant(llm.Part{Kind: llm.Reasoning, Text: "Hm", Signature: "s", Signer: "anthropic"}, text("b")), assistant(), {Role: llm.System, Parts: []llm.Part{text("rule")}}, user(text("c"))}},
			`{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm"},{"type":"text","text":"b"}]},{"role":"system","content":"rule"},{"role":"user","content":"c"}],"thinking":{"type":"enabled","token_budget":4096}}`, "signature",
		},
		"no thought of a model without": {llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOff}}, msg + `}`, ""},
		"media": {
			llm.Prompt{Turns: []llm.Turn{user(text("see"),
				llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/gif", Base64: "R0", Detail: "low"}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "aGk=", Name: "t"}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "JVBERi0="}},
				llm.Part{Kind: llm.Audio, Media: &llm.Media{}}, llm.Part{Kind: llm.Image, Media: &llm.Media{FileID: "f"}}, llm.Part{Kind: llm.Other})}},
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0","detail":"low"}}]}],"documents":[{"id":"doc:0","data":{"title":"t","text":"hi"}}],"citation_options":{"mode":"OFF"}}`,
			"document,audio,file_id,content",
		},
		"documents to cite": {
			llm.Prompt{Turns: []llm.Turn{user(text("see"), llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "aGk=", Cite: true}})}},
			`{"model":"m","messages":[{"role":"user","content":"see"}],"documents":[{"id":"doc:0","data":{"text":"hi"}}]}`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.in.Surface = llm.Chat
			body, losses, err := Write(&c.in, false, llm.Options{Model: "m"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := joined(losses); got != c.lost {
				t.Errorf("lost %q, want %q", got, c.lost)
			}
			judge(t, body, &api.V2ChatRequest{})
		})
	}
	body, _, err := Write(&llm.Prompt{Surface: llm.Chat, Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOff}}, true, llm.Options{Model: "command-a-reasoning-08-2025"})
	if want := `{"model":"command-a-reasoning-08-2025","messages":[{"role":"user","content":"hi"}],"stream":true,"thinking":{"type":"disabled"}}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
}

func joined(losses llm.Losses) string {
	names := make([]string, len(losses))
	for i, f := range losses {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}

func TestWrite_Embeddings(t *testing.T) {
	t.Parallel()
	for purpose, want := range map[string]string{"": "search_document", "query": "search_query", "classification": "classification", "odd": "search_document"} {
		body, lost, err := Write(&llm.Prompt{Surface: llm.Embeddings, Texts: []string{"a", "b"}, Purpose: purpose, Dimensions: 256}, false, llm.Options{Model: "m"})
		if got := `{"model":"m","texts":["a","b"],"input_type":"` + want + `","embedding_types":["float"],"output_dimension":256}`; err != nil || lost != nil || string(body) != got {
			t.Errorf("%q: %s, %v, %v", purpose, body, lost, err)
		}
		judge(t, body, &api.V2EmbedRequest{})
	}
	if _, _, err := Write(&llm.Prompt{Surface: llm.Completions}, false, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported {
		t.Errorf("completions: %v", err)
	}
	for surface, want := range map[llm.Surface]string{llm.Chat: "/chat", llm.Embeddings: "/embed", llm.Rerank: "/rerank", llm.Completions: ""} {
		if got := Path(&llm.Request{Surface: surface}, llm.Options{}); got != want {
			t.Errorf("%s: %q", surface, got)
		}
	}
}
