package dialect

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// The exchanges of this file are origin: described, from the publishers' pages.

// bridgeOf asks in one dialect what a target of another answers.
func bridgeOf(t *testing.T, client, target, model, body string) *Bridge {
	t.Helper()
	c := codec(t, client)
	req, err := c.Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
	if err != nil {
		t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	b, err := NewBridge(c, codec(t, target), req, llm.Options{Model: model, AskUsage: true, Takes: []string{"top_k"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// streamed is what the client sees of a stream.
func streamed(t *testing.T, b *Bridge, stream string) string {
	t.Helper()
	decoder, frames := b.Stream(), sse.NewReader(strings.NewReader(stream), 0)
	var got []byte
	for {
		frame, err := frames.Next()
		if err == io.EOF {
			break
		}
		ev, err := decoder.Next(frame)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ev.Raw...)
	}
	if !decoder.Complete() {
		t.Error("the stream is complete")
	}
	return string(append(got, decoder.End()...))
}

func event(data string) string {
	kind, _ := rawjson.Lookup([]byte(data), "type")
	name, _ := kind.Str()
	return "event: " + name + "\ndata: " + data + "\n\n"
}

func differs(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestBridge_AnthropicClientOfOpenAI(t *testing.T) {
	t.Parallel()
	b := bridgeOf(t, "anthropic", "openai-chat", "gpt", `{"model":"m","max_tokens":100,"stream":true,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"w?","cache_control":{"type":"ephemeral"}}]},
{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1","is_error":true}]}],
"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"top_k":5,"thinking":{"type":"disabled"},"container":"c"}`)
	differs(t, "request", `{"model":"gpt","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"w?"}]},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"1","tool_call_id":"a"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"top_k":5,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required"}`, string(b.Body.Join()))
	differs(t, "lost", "container,cache_control,is_error,thinking", strings.Join(b.Lost, ","))
	head := `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","choices":[`
	got := streamed(t, b, head+`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n"+
		head+`{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}`+"\n\n"+
		head+`{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}`+"\n\n"+
		head+`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}`+"\n\n"+
		head+`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]},"finish_reason":null}]}`+"\n\n"+
		head+`{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\n"+
		head+`],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}}`+"\n\n"+
		"data: [DONE]\n\n")
	start, rest, _ := strings.Cut(got, "\n\n")
	if !strings.HasPrefix(start, "event: message_start\n") || strings.Contains(start, `"input_tokens":0`) {
		t.Errorf("the start is %s", start)
	}
	differs(t, "stream", event(`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`)+
		event(`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`)+
		event(`{"type":"content_block_stop","index":0}`)+
		event(`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`)+
		event(`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}`)+
		event(`{"type":"content_block_stop","index":1}`)+
		event(`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`)+
		event(`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}`)+
		event(`{"type":"content_block_stop","index":2}`)+
		event(`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":5,"output_tokens_details":{"thinking_tokens":3}}}`)+
		event(`{"type":"message_stop"}`), rest)
}

func TestBridge_OpenAIClientOfAnthropic(t *testing.T) {
	t.Parallel()
	b := bridgeOf(t, "openai-chat", "anthropic", "claude-opus-5-5", `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]},
{"role":"assistant","content":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic","index":0},{"type":"reasoning.encrypted","data":"red","format":"anthropic","index":1}],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}},{"id":"b","type":"function","function":{"name":"f","arguments":"{"}}]},
{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"},{"role":"user","content":"and?"}],
"tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false,"reasoning_effort":"high","temperature":0.2,"seed":7,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"},"strict":true}},"max_completion_tokens":100,"stop":"x"}`)
	differs(t, "request", `{"model":"claude-opus-5-5","max_tokens":100,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"see","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},`+
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"red"},{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{"invalid_arguments":"{"}}]},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"tool_result","tool_use_id":"b","content":"2"},{"type":"text","text":"and?"}]}],"stream":true,`+
		`"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"adaptive"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}},"stop_sequences":["x"]}`, string(b.Body.Join()))
	differs(t, "lost", "temperature,seed", strings.Join(b.Lost, ","))
	got := streamed(t, b, event(`{"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":7,"cache_creation_input_tokens":5,"output_tokens":1}}}`)+
		event(`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`)+
		event(`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`)+
		event(`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`)+
		event(`{"type":"content_block_stop","index":0}`)+event(`{"type":"ping"}`)+
		event(`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`)+
		event(`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}`)+
		event(`{"type":"content_block_stop","index":1}`)+
		event(`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":11,"output_tokens_details":{"thinking_tokens":4}}}`)+
		event(`{"type":"message_stop"}`))
	head := `data: {"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"claude","choices":[`
	chunk := func(delta, finish string) string {
		return head + `{"index":0,"delta":{` + delta + `},"logprobs":null,"finish_reason":` + finish + "}]}\n\n"
	}
	differs(t, "stream", chunk(`"role":"assistant","content":""`, "null")+chunk(`"reasoning_content":"Hm"`, "null")+
		chunk(`"reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"sig","format":"anthropic","index":0}]`, "null")+": ping\n\n"+
		chunk(`"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]`, "null")+
		chunk(`"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]`, "null")+chunk("", `"tool_calls"`)+
		head+`],"usage":{"prompt_tokens":12,"completion_tokens":11,"total_tokens":23,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":5,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":0}}}`+"\n\ndata: [DONE]\n\n", got)
}

func TestBridge_PlainAnswersBetweenAnthropicAndOpenAI(t *testing.T) {
	t.Parallel()
	ask := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	b := bridgeOf(t, "anthropic", "openai-chat", "gpt", ask)
	ev, err := b.Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "to anthropic", `{"id":"c1","type":"message","role":"assistant","model":"big","content":[{"type":"thinking","thinking":"Hm","signature":""},{"type":"text","text":"Hi"},{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":5,"output_tokens_details":{"thinking_tokens":3}}}`, string(ev.Raw))
	back := bridgeOf(t, "openai-chat", "anthropic", "claude", ask)
	ev, err = back.Answer(ev.Raw)
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "and back", answer, string(ev.Raw))
	e := bridgeOf(t, "openai-chat", "anthropic", "claude", ask).DecodeError(529, []byte(`{"type":"error","error":{"type":"overloaded_error","message":"full"}}`))
	if e.Kind != llm.Overloaded || e.Message != "full" {
		t.Errorf("%+v", e)
	}
}
