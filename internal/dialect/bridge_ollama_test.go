package dialect

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/testkit"
)

// bridged makes the bridge of a client's request to a target of another dialect.
func bridged(t *testing.T, client, target string, surface llm.Surface, body string) *Bridge {
	t.Helper()
	from, _ := ByName(client)
	to, _ := ByName(target)
	req, err := from.Decode(llm.Incoming{Surface: surface, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	b, err := NewBridge(from, to, req, llm.Options{Model: "t", AskUsage: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// through is what a client sees of a target's stream: of one that is cut, without an
// end.
func through(t *testing.T, b *Bridge, stream string) (seen string, d Decoder, err error) {
	t.Helper()
	var out strings.Builder
	d = b.Stream()
	reader := b.Frames().New(strings.NewReader(stream), 0)
	for {
		raw, err := reader.Next()
		if errors.Is(err, io.EOF) {
			if ender, ok := d.(Ender); ok {
				out.Write(ender.Ended().Raw)
			}
		}
		if err != nil {
			if d.Complete() {
				out.Write(d.End())
			}
			return out.String(), d, nil
		}
		ev, err := d.Next(raw)
		if err != nil {
			return out.String(), d, err
		}
		out.Write(ev.Raw)
	}
}

func TestBridge_ChatToOllama(t *testing.T) {
	t.Parallel()
	b := bridged(t, "openai-chat", "ollama", llm.Chat, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[
		{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"w?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","tool_call_id":"a","content":"1"}],
		"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required","response_format":{"type":"json_object"},"max_completion_tokens":9,"reasoning_effort":"low","seed":1,"fairlead_x":1}`)
	want := `{"model":"t","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"w?","images":["AA"]},` +
		`{"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}}]},{"role":"tool","content":"1","tool_name":"f","tool_call_id":"a"}],` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"format":"json","options":{"num_predict":9,"seed":1},"stream":true,"think":true}`
	if diff := cmp.Diff(want, string(b.Body.Join())); diff != "" || b.Path != "/api/chat" {
		t.Errorf("%s (-want +got):\n%s", b.Path, diff)
	}
	if got := strings.Join(b.Lost, ","); got != "fairlead_x,tool_choice,reasoning_effort" {
		t.Errorf("lost %s", got)
	}
	line := func(message string) string {
		return `{"model":"big","created_at":"2026-08-01T10:00:00Z","message":{"role":"assistant",` + message + `},"done":false}` + "\n"
	}
	stream := line(`"content":"","thinking":"Hm"`) + line(`"content":"So"`) + line(`"content":":\n"`) +
		line(`"content":"","tool_calls":[{"function":{"name":"f","arguments":{"x": 1}}},{"id":"z","function":{"index":1,"name":"g","arguments":{}}}]`) +
		`{"model":"big","created_at":"2026-08-01T10:00:01Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5}` + "\n"
	seen, d, err := through(t, b, stream)
	if err != nil || !d.Complete() {
		t.Fatalf("complete %v, %v", d.Complete(), err)
	}
	head := `data: {"id":"chatcmpl-01J","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[`
	chunk := func(delta, finish string) string {
		return head + `{"index":0,"delta":{` + delta + `},"logprobs":null,"finish_reason":` + finish + `}]}` + "\n\n"
	}
	call := func(s string) string { return chunk(`"tool_calls":[{`+s+`}]`, "null") }
	want = chunk(`"role":"assistant","content":""`, "null") + chunk(`"reasoning_content":"Hm"`, "null") + chunk(`"content":"So"`, "null") + chunk(`"content":":\n"`, "null") +
		call(`"index":0,"id":"call_01J_0","type":"function","function":{"name":"f","arguments":""}`) + call(`"index":0,"function":{"arguments":"{\"x\": 1}"}`) +
		call(`"index":1,"id":"z","type":"function","function":{"name":"g","arguments":""}`) + call(`"index":1,"function":{"arguments":"{}"}`) +
		chunk("", `"tool_calls"`) +
		head + `],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}` + "\n\ndata: [DONE]\n\n"
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := range len(stream) - 1 {
		if _, d, _ := through(t, b, stream[:i]); d.Complete() {
			t.Fatalf("cut at %d it is complete", i)
		}
	}
	t.Run("as published", func(t *testing.T) {
		t.Parallel()
		if err := testkit.OpenAISpec(t).ValidateStream("/chat/completions", []byte(seen)); err != nil {
			t.Error(err)
		}
	})
}

func TestBridge_EmbeddingsToOllama(t *testing.T) {
	t.Parallel()
	b := bridged(t, "openai-chat", "ollama", llm.Embeddings, `{"model":"m","input":["a","b"],"encoding_format":"float"}`)
	if got, want := string(b.Body.Join()), `{"model":"t","input":["a","b"],"truncate":false}`; got != want || b.Path != "/api/embed" {
		t.Errorf("%s %s", b.Path, got)
	}
	ev, err := b.Answer([]byte(`{"model":"big","embeddings":[[0.5],[-1]],"prompt_eval_count":4}`))
	want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]},{"object":"embedding","index":1,"embedding":[-1]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}`
	if diff := cmp.Diff(want, string(ev.Raw)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestBridge_OllamaToChat(t *testing.T) {
	t.Parallel()
	b := bridged(t, "ollama", "openai-chat", llm.Chat, `{"model":"m","messages":[{"role":"user","content":"w?","images":["/9j/AA"]},
		{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]},{"role":"tool","tool_name":"f","content":"1"}],
		"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"format":{"type":"object"},"options":{"num_predict":9,"num_ctx":4096},"keep_alive":-1}`)
	want := `{"model":"t","messages":[{"role":"user","content":[{"type":"text","text":"w?"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/AA"}}]},` +
		`{"role":"assistant","tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"1","tool_call_id":"call_0"}],` +
		`"stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}}`
	if diff := cmp.Diff(want, string(b.Body.Join())); diff != "" || b.Path != "/chat/completions" {
		t.Errorf("%s (-want +got):\n%s", b.Path, diff)
	}
	if got := strings.Join(b.Lost, ","); got != "options.num_ctx" {
		t.Errorf("lost %s", got)
	}
	head := `data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[{"index":0,`
	stream := head + `"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"content":"H\"i"},"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]},"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{},"finish_reason":"tool_calls"}]}` + "\n\n" +
		`data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}` + "\n\n" +
		"data: [DONE]\n\n"
	at := `{"model":"big","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":`
	want = at + `"H\"i"},"done":false}` + "\n" + at + `"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}}]},"done":false}` + "\n" +
		at + `""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5}` + "\n"
	for name, stream := range map[string]string{"whole": stream, "without a terminator": strings.TrimSuffix(stream, "data: [DONE]\n\n")} {
		seen, d, err := through(t, b, stream)
		if diff := cmp.Diff(want, seen); diff != "" || err != nil || !d.Complete() {
			t.Errorf("%s: complete %v, %v (-want +got):\n%s", name, d.Complete(), err, diff)
		}
	}
	untold, _, _ := strings.Cut(stream, `"delta":{},`)
	seen, d, err := through(t, b, untold)
	if err != nil || d.Complete() || strings.Contains(seen, `"done":true`) {
		t.Errorf("cut: complete %v, %v, %s", d.Complete(), err, seen)
	}
	if got := string(d.Fail(&llm.Error{Kind: llm.Cut, Message: "cut"})); got != `{"error":"cut"}`+"\n" {
		t.Errorf("%q", got)
	}
}

// TestBridge_OllamaLoadsAModel: that answer comes plain to a request that streams by
// default.
func TestBridge_OllamaLoadsAModel(t *testing.T) {
	t.Parallel()
	b := bridged(t, "ollama", "ollama", llm.Completions, `{"model":"m","keep_alive":"5m"}`)
	if string(b.Body.Join()) != `{"model":"t","keep_alive":"5m"}` || b.Path != "/api/generate" {
		t.Errorf("%s %s", b.Path, b.Body)
	}
	ev, err := b.AsStream([]byte(`{"model":"t","created_at":"2026-08-01T10:00:00Z","response":"","done":true,"done_reason":"load"}`))
	if want := `{"model":"t","created_at":"2023-11-14T22:13:20Z","response":"","done":true,"done_reason":"load"}` + "\n"; err != nil || string(ev.Raw) != want {
		t.Errorf("%s, %v", ev.Raw, err)
	}
}

func TestBridge_CompletionsToEnginesOfOneText(t *testing.T) {
	t.Parallel()
	ask := `{"model":"m","prompt":"Once","max_tokens":3,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}`
	head := func(model string) string {
		return `data: {"id":"chatcmpl-01J","object":"text_completion","created":1700000000,"model":"` + model + `","choices":[`
	}
	for target, tc := range map[string]struct{ path, body, stream, model, finish, usage string }{
		"tgi": {
			"/generate_stream", `{"inputs":"Once","parameters":{"details":true,"return_full_text":false,"do_sample":false,"max_new_tokens":3}}`,
			`data:{"index":1,"token":{"id":1,"text":" a","logprob":-1,"special":false},"generated_text":null,"details":null}` + "\n\n" +
				`data:{"index":2,"token":{"id":2,"text":"b","logprob":-1,"special":false},"generated_text":" ab","details":{"finish_reason":"length","generated_tokens":2,"input_length":5,"seed":null}}` + "\n\n",
			"m", `"length"`, `,"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}`,
		},
		"triton": {
			"/v2/models/t/generate_stream", `{"text_input":"Once","max_tokens":3,"stream":true,"exclude_input_in_output":true,"top_k":1,"return_num_input_tokens":true,"return_num_output_tokens":true}`,
			`data: {"model_name":"ensemble","model_version":"1","text_output":" a"}` + "\n\n" + `data: {"model_name":"ensemble","model_version":"1","text_output":"b"}` + "\n\n",
			"ensemble", `"stop"`, "",
		},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			b := bridged(t, "openai-chat", target, llm.Completions, ask)
			if diff := cmp.Diff(tc.body, string(b.Body.Join())); diff != "" || b.Path != tc.path || b.Lost != nil {
				t.Errorf("%s, lost %v (-want +got):\n%s", b.Path, b.Lost, diff)
			}
			seen, d, err := through(t, b, tc.stream)
			text := func(s, finish string) string {
				return head(tc.model) + `{"index":0,"text":"` + s + `","logprobs":null,"finish_reason":` + finish + `}]}` + "\n\n"
			}
			want := text(" a", "null") + text("b", "null") + text("", tc.finish)
			if tc.usage != "" {
				want += head(tc.model) + `]` + tc.usage + "}\n\n"
			}
			want += "data: [DONE]\n\n"
			if diff := cmp.Diff(want, seen); diff != "" || err != nil || !d.Complete() {
				t.Errorf("complete %v, %v (-want +got):\n%s", d.Complete(), err, diff)
			}
		})
	}
}
