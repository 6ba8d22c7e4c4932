package ollama

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

func TestRead_AllOfAChat(t *testing.T) {
	t.Parallel()
	got, err := Read(newRequest(t, llm.Chat, `{"model":"m","messages":[
		{"role":"system","content":"be brief"},
		{"role":"User","content":"see","images":["iVBORw0KGgoAAA","AAAA"]},
		{"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"index":0,"name":"f","arguments":{"x":1}}},{"id":"z","function":{"name":"g"}}]},
		{"role":"tool","tool_name":"g","content":"2"},
		{"role":"tool","content":"1"},
		{"role":"system","content":"now French"},
		{"role":"user","content":""}],
		"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"web","function":{"name":"w","parameters":null}}],
		"format":{"type":"object"},"think":"high","stream":false,"logprobs":true,"top_logprobs":2,"keep_alive":"5m","truncate":false,"shift":true,
		"options":{"num_predict":9,"temperature":0.5,"top_p":1,"top_k":40.0,"min_p":0.1,"seed":42,"stop":"x","presence_penalty":1,"frequency_penalty":2,"repeat_penalty":1.1,"num_ctx":8192,"num_gpu":1,"mirostat":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	call := func(id, name, arguments string) llm.Part {
		return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: name, Arguments: arguments}}
	}
	text := func(s string) []llm.Part { return []llm.Part{{Kind: llm.Text, Text: s}} }
	want := &llm.Prompt{
		Surface: llm.Chat, System: text("be brief"),
		Turns: []llm.Turn{
			{Role: llm.User, Parts: append(text("see"), llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "iVBORw0KGgoAAA"}},
				llm.Part{Kind: llm.Image, Media: &llm.Media{Base64: "AAAA"}})},
			{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, call("call_0", "f", `{"x":1}`), call("z", "g", "{}")}},
			{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.Result{CallID: "z", Name: "g", Parts: text("2")}},
				{Kind: llm.ToolResult, Result: &llm.Result{CallID: "call_0", Name: "f", Parts: text("1")}}}},
			{Role: llm.System, Parts: text("now French")},
			{Role: llm.User, Parts: text("")},
		},
		Tools:    []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`)}, {Name: "web", Raw: []byte(`{"type":"web","function":{"name":"w","parameters":null}}`), Dialect: Name}},
		Format:   llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`)},
		Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "high"},
		Sampling: llm.Sampling{MaxTokens: new(int64(9)), Temperature: new(0.5), TopP: new(1.0), TopK: new(int64(40)), MinP: new(0.1), Seed: new(int64(42)),
			Stop: []string{"x"}, PresencePenalty: new(1.0), FrequencyPenalty: new(2.0), RepeatPenalty: new(1.1), Logprobs: true, TopLogprobs: 2},
		Unread: []string{"options.num_ctx", "shift"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRead_OtherSurfaces(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface llm.Surface
		body    string
		want    *llm.Prompt
	}{
		"a completion": {llm.Completions, `{"model":"m","prompt":"a","suffix":"c","system":"s","images":["x"],"raw":false,"format":"json","template":"","options":{"num_predict":-1,"stop":["\n"]}}`,
			&llm.Prompt{Surface: llm.Completions, Texts: []string{"a"}, Suffix: "c", Unread: []string{"format", "images", "system"}, Sampling: llm.Sampling{Stop: []string{"\n"}}}},
		"an input": {llm.Embeddings, `{"model":"m","input":"a","truncate":true}`,
			&llm.Prompt{Surface: llm.Embeddings, Texts: []string{"a"}, Unread: []string{"truncate"}}},
		"inputs": {llm.Embeddings, `{"model":"m","input":["a","b"],"dimensions":64,"keep_alive":"1m"}`,
			&llm.Prompt{Surface: llm.Embeddings, Texts: []string{"a", "b"}, Dimensions: 64}},
		"no thought, any JSON": {llm.Chat, `{"model":"m","messages":[{"role":"user","content":"x","name":"Ada"}],"think":false,"format":"json"}`,
			&llm.Prompt{Surface: llm.Chat, Turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Text, Text: "x"}}}}, Thinking: llm.Thinking{Mode: llm.ThinkingOff}, Format: llm.Format{Kind: llm.FormatJSON}, Unread: []string{"messages.name"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(newRequest(t, tc.surface, tc.body))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRead_RefusesWhatOnlyAServerOfOllamaCanDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface     llm.Surface
		body, param string
	}{
		"load by chat":     {llm.Chat, `{"model":"m","messages":[]}`, "messages"},
		"load by generate": {llm.Completions, `{"model":"m","keep_alive":0}`, "prompt"},
		"nothing to embed": {llm.Embeddings, `{"model":"m","input":[]}`, "input"},
		"token ids":        {llm.Embeddings, `{"model":"m","input":[1]}`, "input"},
		"an unknown role":  {llm.Chat, `{"model":"m","messages":[{"role":"developer","content":"x"}]}`, "messages[0].role"},
		"a call's name":    {llm.Chat, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":1}}]}]}`, "messages.0.tool_calls.0.function.name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(newRequest(t, tc.surface, tc.body))
			if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != tc.param {
				t.Errorf("%v, param %q", err, e.Param)
			}
		})
	}
}

func TestWrite_SaysWhatItCan(t *testing.T) {
	t.Parallel()
	user := []llm.Turn{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Text, Text: "hi"}}}}
	head := `{"model":"t","messages":[{"role":"user","content":"hi"}],`
	tools := []llm.Tool{{Name: "f"}, {Name: "g", Description: "d", Schema: []byte(`{"type":"object","properties":{"x":{}}}`)}}
	f := `{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}`
	g := `{"type":"function","function":{"name":"g","description":"d","parameters":{"type":"object","properties":{"x":{}}}}}`
	for name, tc := range map[string]struct {
		p    *llm.Prompt
		opt  llm.Options
		want string
		lost string
	}{
		"words": {&llm.Prompt{System: []llm.Part{{Kind: llm.Text, Text: "a"}, {Kind: llm.Text, Text: "b"}}, Turns: user}, llm.Options{},
			`{"model":"t","messages":[{"role":"system","content":"a\nb"},{"role":"user","content":"hi"}],"stream":false}`, ""},
		"options": {&llm.Prompt{Turns: user, Sampling: llm.Sampling{MaxTokens: new(int64(5)), Temperature: new(0.0), Seed: new(int64(7)), Stop: []string{"x"}, N: 2, LogitBias: []byte(`{}`), Logprobs: true, TopLogprobs: 3}}, llm.Options{},
			head + `"options":{"num_predict":5,"temperature":0,"seed":7,"stop":["x"]},"stream":false,"logprobs":true,"top_logprobs":3}`, "logit_bias n"},
		"tools":             {&llm.Prompt{Turns: user, Tools: tools}, llm.Options{}, head + `"tools":[` + f + `,` + g + `],"stream":false}`, ""},
		"no tool":           {&llm.Prompt{Turns: user, Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceNone}}, llm.Options{}, head + `"stream":false}`, ""},
		"one tool":          {&llm.Prompt{Turns: user, Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceOne, Name: "f"}}, llm.Options{}, head + `"tools":[` + f + `],"stream":false}`, "tool_choice"},
		"some tools":        {&llm.Prompt{Turns: user, Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceAuto, Allowed: []string{"g"}}}, llm.Options{}, head + `"tools":[` + g + `],"stream":false}`, ""},
		"a provider's tool": {&llm.Prompt{Turns: user, Parallel: new(false), Tools: []llm.Tool{{Name: "web", Raw: []byte(`{}`)}}}, llm.Options{}, head + `"stream":false}`, "parallel_tool_calls tools"},
		"JSON":              {&llm.Prompt{Turns: user, Format: llm.Format{Kind: llm.FormatJSON}}, llm.Options{}, head + `"format":"json","stream":false}`, ""},
		"a schema":          {&llm.Prompt{Turns: user, Format: llm.Format{Kind: llm.FormatSchema, Name: "n", Schema: []byte(`{"type":"object"}`)}}, llm.Options{}, head + `"format":{"type":"object"},"stream":false}`, ""},
		"thought":           {&llm.Prompt{Turns: user, Thinking: llm.Thinking{Mode: llm.ThinkingOn}}, llm.Options{}, head + `"stream":false,"think":true}`, ""},
		"no thought":        {&llm.Prompt{Turns: user, Thinking: llm.Thinking{Mode: llm.ThinkingOff, Effort: "none"}}, llm.Options{}, head + `"stream":false,"think":false}`, ""},
		"much thought":      {&llm.Prompt{Turns: user, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "high"}}, llm.Options{}, head + `"stream":false,"think":true}`, "thinking"},
		"a level":           {&llm.Prompt{Turns: user, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "high"}}, llm.Options{Model: "gpt-oss:20b"}, strings.Replace(head, `"t"`, `"gpt-oss:20b"`, 1) + `"stream":false,"think":"high"}`, ""},
		"tokens as a level": {&llm.Prompt{Turns: user, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 500}}, llm.Options{Model: "gpt-oss:20b"}, strings.Replace(head, `"t"`, `"gpt-oss:20b"`, 1) + `"stream":false,"think":"low"}`, "thinking"},
		"notes":             {&llm.Prompt{Turns: user, User: "u", Metadata: map[string]string{"a": "b"}, Tier: "flex"}, llm.Options{}, head + `"stream":false}`, "user metadata service_tier"},
		"media": {&llm.Prompt{Turns: []llm.Turn{{Role: llm.User, Name: "Ada", Parts: []llm.Part{
			{Kind: llm.Image, Media: &llm.Media{Base64: "AA", Detail: "low"}}, {Kind: llm.Image, Media: &llm.Media{URL: "https://x/y.png"}},
			{Kind: llm.Image, Media: &llm.Media{FileID: "f1"}}, {Kind: llm.Audio, Media: &llm.Media{}}, {Kind: llm.Video, Media: &llm.Media{}},
			{Kind: llm.Document, Media: &llm.Media{}}, {Kind: llm.Other}, {Kind: llm.Text, Text: "see", Cache: &llm.Cache{}}}}}}, llm.Options{},
			`{"model":"t","messages":[{"role":"user","content":"see","images":["AA"]}],"stream":false}`, "name detail image file_id audio video document content cache_control"},
		"calls and results": {&llm.Prompt{Turns: []llm.Turn{
			{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm", Signature: "s", Signer: "anthropic"}, {Kind: llm.Text, Text: "a"}, {Kind: llm.Text, Text: "b"},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "1", Name: "f", Arguments: `{"x":1}`}}, {Kind: llm.ToolCall, Call: &llm.Call{ID: "2", Name: "g"}},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "3", Name: "h", Arguments: `{"x":`}}, {Kind: llm.ToolCall, Call: &llm.Call{ID: "4", Name: "i", Arguments: `{"x":1,"x":2}`}}}},
			{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.Result{CallID: "1", Name: "f", Failed: true, Parts: []llm.Part{{Kind: llm.Text, Text: "r"}, {Kind: llm.Image, Media: &llm.Media{Base64: "AA"}}}}}, {Kind: llm.Text, Text: "so?"}}}}}, llm.Options{},
			`{"model":"t","messages":[{"role":"assistant","content":"ab","thinking":"hm","tool_calls":[{"id":"1","function":{"index":0,"name":"f","arguments":{"x":1}}},{"id":"2","function":{"index":1,"name":"g","arguments":{}}},` +
				`{"id":"3","function":{"index":2,"name":"h","arguments":{"arguments":"{\"x\":"}}},{"id":"4","function":{"index":3,"name":"i","arguments":{"arguments":"{\"x\":1,\"x\":2}"}}}]},` +
				`{"role":"tool","content":"r","tool_name":"f","tool_call_id":"1"},{"role":"user","content":"so?","images":["AA"]}],"stream":false}`, "signature is_error"},
		"a completion": {&llm.Prompt{Surface: llm.Completions, Texts: []string{"a"}, Suffix: "c", Sampling: llm.Sampling{MaxTokens: new(int64(3))}}, llm.Options{},
			`{"model":"t","prompt":"a","suffix":"c","options":{"num_predict":3},"stream":false}`, ""},
		"embeddings": {&llm.Prompt{Surface: llm.Embeddings, Texts: []string{"a", "b"}, Dimensions: 64}, llm.Options{},
			`{"model":"t","input":["a","b"],"dimensions":64,"truncate":false}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.p.Surface == "" {
				tc.p.Surface = llm.Chat
			}
			if tc.opt.Model == "" {
				tc.opt.Model = "t"
			}
			body, lost, err := Write(tc.p, false, tc.opt)
			if diff := cmp.Diff(tc.want, string(body)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			var names []string
			for _, f := range lost {
				names = append(names, string(f))
			}
			if got := strings.Join(names, " "); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
			validateRequest(t, tc.p.Surface, body)
		})
	}
	if _, _, err := Write(&llm.Prompt{Surface: llm.Completions, Texts: []string{"a", "b"}}, false, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported {
		t.Errorf("two prompts: %v", err)
	}
}

func TestWrite_IsWhatReadReads(t *testing.T) {
	t.Parallel()
	body := `{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"see","images":["/9j/AA"]},` +
		`{"role":"assistant","content":"a","thinking":"hm","tool_calls":[{"id":"1","function":{"index":0,"name":"f","arguments":{"x":[1,"é"]}}}]},` +
		`{"role":"tool","content":"r","tool_name":"f","tool_call_id":"1"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],` +
		`"format":"json","options":{"num_predict":5,"temperature":0.5,"top_k":40},"stream":true,"think":true}`
	p, err := Read(newRequest(t, llm.Chat, body))
	if err != nil {
		t.Fatal(err)
	}
	got, lost, err := Write(p, true, llm.Options{Model: "m"})
	if diff := cmp.Diff(body, string(got)); diff != "" || err != nil || lost != nil || p.Unread != nil {
		t.Errorf("%v, lost %v, unread %v (-want +got):\n%s", err, lost, p.Unread, diff)
	}
}
