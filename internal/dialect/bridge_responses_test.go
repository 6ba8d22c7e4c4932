package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/dialect/openai"
	"github.com/fairlead/fairlead/internal/dialect/responses"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

func codecs(t *testing.T) (chat, resp *Codec) {
	t.Helper()
	chat, _ = ByName(openai.Name)
	resp, ok := ByName(responses.Name)
	if !ok {
		t.Fatal("the table has no Responses")
	}
	return chat, resp
}

func bridge(t *testing.T, client, target *Codec, body string) *Bridge {
	t.Helper()
	b, err := NewBridge(client, target, newRequest(t, client, body), llm.Options{Model: "t", AskUsage: true, Takes: []string{"reasoning_content"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stream carries a target's stream to the client.
func stream(t *testing.T, b *Bridge, in string) (out string, complete bool) {
	t.Helper()
	decoder, reader := b.Stream(), sse.NewReader(strings.NewReader(in), 0)
	var got bytes.Buffer
	for {
		raw, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(ev.Raw)
	}
	got.Write(decoder.End())
	return got.String(), decoder.Complete()
}

// compact is JSON without what does not count.
func compact(t *testing.T, raw string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(raw)); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return out.String()
}

// A chat client calls tools of a Responses target, which thinks in secret: its encrypted
// thought goes to the client and comes back with the next turn, byte for byte.
func TestBridge_ChatClientKeepsTheThoughtOfAResponsesTarget(t *testing.T) {
	t.Parallel()
	chat, resp := codecs(t)
	const question = `{"role":"user","content":"weather in Oslo and Rome?"}`
	const asks = `"model":"m","reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"messages":[` + question
	const thought = `{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Two calls."}],"encrypted_content":"gAAAA:b+/=="}`
	const calls = `{"id":"fc_1","type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":\"Oslo\"}","status":"completed"},{"id":"fc_2","type":"function_call","call_id":"b","name":"f","arguments":"{\"x\":\"Rome\"}","status":"completed"}`
	const answer = `{"id":"resp_1","object":"response","model":"big","status":"completed","error":null,"output":[` + thought + `,` + calls + `],"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":12}}`

	first := bridge(t, chat, resp, `{`+asks+`]}`)
	const tools = `"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`
	if diff := cmp.Diff(`{"model":"t","input":[{"role":"user","content":"weather in Oslo and Rome?"}],"store":false,`+tools+`}`, string(first.Body.Join())); diff != "" || first.Path != "/responses" || first.Lost != nil {
		t.Errorf("%s, lost %v (-want +got):\n%s", first.Path, first.Lost, diff)
	}
	ev, err := first.Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0}}`
	const message = `{"role":"assistant","content":null,"refusal":null,"reasoning_content":"Two calls.","reasoning_details":[{"type":"reasoning.text","text":"Two calls.","signature":"rs_1:gAAAA:b+/==","format":"openai-responses","index":0}],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":\"Oslo\"}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{\"x\":\"Rome\"}"}}]}`
	want := `{"id":"resp_1","object":"chat.completion","created":1700000000,"model":"big","choices":[{"index":0,"message":` + message + `,"logprobs":null,"finish_reason":"tool_calls"}],` + usage + `}`
	if diff := cmp.Diff(want, string(ev.Raw)); diff != "" || ev.AnswerID != "resp_1" || first.Lost != nil {
		t.Errorf("lost %v (-want +got):\n%s", first.Lost, diff)
	}

	second := bridge(t, chat, resp, `{`+asks+`,`+message+`,{"role":"tool","tool_call_id":"a","content":"cold"},{"role":"tool","tool_call_id":"b","content":"warm"}]}`)
	wantInput := `[{"role":"user","content":"weather in Oslo and Rome?"},` +
		`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Two calls."}],"encrypted_content":"gAAAA:b+/=="},` +
		`{"type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":\"Oslo\"}"},{"type":"function_call","call_id":"b","name":"f","arguments":"{\"x\":\"Rome\"}"},` +
		`{"type":"function_call_output","call_id":"a","output":"cold"},{"type":"function_call_output","call_id":"b","output":"warm"}]`
	if diff := cmp.Diff(`{"model":"t","input":`+wantInput+`,"store":false,`+tools+`}`, string(second.Body.Join())); diff != "" || second.Lost != nil {
		t.Errorf("lost %v (-want +got):\n%s", second.Lost, diff)
	}
}

// The same in a stream: arguments as they come, the thought's proof before the calls.
func TestBridge_ChatClientReadsTheStreamOfAResponsesTarget(t *testing.T) {
	t.Parallel()
	chat, resp := codecs(t)
	b := bridge(t, chat, resp, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`)
	in := "event: response.created\n" + `data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"big","output":[]}}` + "\n\n" +
		`data: {"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}` + "\n\n" +
		`data: {"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm"}` + "\n\n" +
		`data: {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gA="}}` + "\n\n" +
		`data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc","call_id":"a","name":"f","arguments":""}}` + "\n\n" +
		`data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"x\":"}` + "\n\n" +
		`data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"1}"}` + "\n\n" +
		`data: {"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","id":"fc","call_id":"a","name":"f","arguments":"{\"x\":1}"}}` + "\n\n" +
		`data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}}}` + "\n\n"
	head := `data: {"id":"resp_1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[{"index":0,`
	tail := `,"logprobs":null,"finish_reason":null}]}` + "\n\n"
	want := head + `"delta":{"role":"assistant","content":""}` + tail +
		head + `"delta":{"reasoning_content":"Hm"}` + tail +
		head + `"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"rs_1:gA=","format":"openai-responses","index":0}]}` + tail +
		head + `"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}` + tail +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}` + tail +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}` + tail +
		head + `"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}` + "\n\n" +
		`data: {"id":"resp_1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}` + "\n\n" +
		"data: [DONE]\n\n"
	got, complete := stream(t, b, in)
	if diff := cmp.Diff(want, got); diff != "" || !complete || b.Lost != nil {
		t.Errorf("complete %v, lost %v (-want +got):\n%s", complete, b.Lost, diff)
	}
	for cut := range len(in) {
		d, r := bridge(t, chat, resp, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`).Stream(), sse.NewReader(strings.NewReader(in[:cut]), 0)
		for {
			raw, err := r.Next()
			if err != nil {
				break
			}
			if _, err := d.Next(raw); err != nil {
				t.Fatal(err)
			}
		}
		if d.Complete() && cut < len(in)-1 {
			t.Fatalf("cut at %d of %d it is complete", cut, len(in))
		}
	}
}

// A Responses client calls tools of a chat target over two turns.
func TestBridge_ResponsesClientCallsToolsOfAChatTarget(t *testing.T) {
	t.Parallel()
	chat, resp := codecs(t)
	const asks = `"model":"m","instructions":"be brief","store":true,"reasoning":{"effort":"low"},"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"web_search"}],"parallel_tool_calls":true`
	const tools = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"parallel_tool_calls":true,"reasoning_effort":"low"`
	first := bridge(t, resp, chat, `{`+asks+`,"input":"weather?","max_output_tokens":50}`)
	want := `{"model":"t","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"weather?"}],"max_completion_tokens":50,` + tools + `}`
	if diff := cmp.Diff(want, string(first.Body.Join())); diff != "" || strings.Join(first.Lost, ",") != "store,tools" {
		t.Errorf("lost %v (-want +got):\n%s", first.Lost, diff)
	}
	ev, err := first.Answer([]byte(`{"id":"c1","model":"big","choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"Hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}`))
	if err != nil {
		t.Fatal(err)
	}
	const items = `{"id":"rs_fl_01J_0","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"id":"fc_01J_1","type":"function_call","arguments":"{\"x\":1}","call_id":"a","name":"f","status":"completed"},{"id":"fc_01J_2","type":"function_call","arguments":"{}","call_id":"b","name":"f","status":"completed"}`
	if got := string(ev.Raw); !strings.HasPrefix(got, `{"id":"c1","object":"response","created_at":1700000000,"status":"completed",`) || !strings.Contains(got, `"output":[`+items+`],"usage":{"input_tokens":7,`) {
		t.Errorf("%s", got)
	}
	second := bridge(t, resp, chat, `{`+asks+`,"input":[{"role":"user","content":"weather?"},`+items+`,{"type":"function_call_output","call_id":"a","output":"cold"},{"type":"function_call_output","call_id":"b","output":[{"type":"input_text","text":"warm"}]}]}`)
	messages := `[{"role":"system","content":"be brief"},{"role":"user","content":"weather?"},{"role":"assistant","reasoning_content":"Hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"cold","tool_call_id":"a"},{"role":"tool","content":"warm","tool_call_id":"b"}]`
	if diff := cmp.Diff(`{"model":"t","messages":`+messages+`,`+tools+`}`, string(second.Body.Join())); diff != "" || strings.Join(second.Lost, ",") != "store,tools" {
		t.Errorf("lost %v (-want +got):\n%s", second.Lost, diff)
	}
}

// What a Responses client reads of a chat target's stream: every event numbered, and
// the whole of it again at the end.
func TestBridge_ResponsesClientReadsTheStreamOfAChatTarget(t *testing.T) {
	t.Parallel()
	chat, resp := codecs(t)
	b := bridge(t, resp, chat, `{"model":"m","stream":true,"input":"hi"}`)
	chunk := func(delta, finish string) string {
		return `data: {"id":"c1","model":"big","choices":[{"index":0,"delta":{` + delta + `},"finish_reason":` + finish + `}]}` + "\n\n"
	}
	in := chunk(`"role":"assistant","content":""`, "null") + ": ping\n\n" + chunk(`"content":"H\""`, "null") + chunk(`"content":"i"`, "null") + chunk(``, `"length"`) +
		`data: {"id":"c1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}` + "\n\ndata: [DONE]\n\n"
	got, complete := stream(t, b, in)
	var names []string
	for line := range strings.SplitSeq(got, "\n") {
		if name, ok := strings.CutPrefix(line, "event: response."); ok {
			names = append(names, name)
		} else if strings.HasPrefix(line, ":") {
			names = append(names, "ping")
		}
	}
	want := []string{"created", "in_progress", "ping", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
		"output_text.done", "content_part.done", "output_item.done", "incomplete"}
	if diff := cmp.Diff(want, names); diff != "" || !complete || b.Lost != nil {
		t.Errorf("complete %v, lost %v (-want +got):\n%s", complete, b.Lost, diff)
	}
	_, last, _ := strings.Cut(got, "event: response.incomplete\ndata: ")
	for _, part := range []string{`"sequence_number":9,`, `"id":"c1"`, `"incomplete_details":{"reason":"max_output_tokens"}`, `"text":"H\"i"}],"status":"incomplete"}]`, `"usage":{"input_tokens":7,`} {
		if !strings.Contains(compact(t, last), part) {
			t.Errorf("the last event lacks %s: %s", part, last)
		}
	}
}

// A conversation that only one account has cannot go on elsewhere.
func TestBridge_RefusesToContinueElsewhere(t *testing.T) {
	t.Parallel()
	chat, resp := codecs(t)
	req := newRequest(t, resp, `{"model":"m","input":"go on","previous_response_id":"r1"}`)
	_, err := NewBridge(resp, chat, req, llm.Options{Model: "t"})
	if e := llm.AsError(err); err == nil || e.Kind != llm.Unsupported || e.Code != "stateful" || !req.Bound || req.Continues != "r1" {
		t.Errorf("%v", err)
	}
	if b := bridge(t, resp, resp, `{"model":"m","input":"go on","previous_response_id":"r1"}`); string(b.Body.Join()) != `{"model":"t","input":"go on","previous_response_id":"r1"}` {
		t.Errorf("%s", b.Body)
	}
}
