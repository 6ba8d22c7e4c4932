package dialect

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

const claudeOnAWS = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

const weather = `{"model":"m","stream":STREAM,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"weather?"},{"role":"assistant","content":null,` +
	`"reasoning_content":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"s+/=","format":"bedrock","index":0}],"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"city\":\"Ulm\"}"}}]},` +
	`{"role":"tool","tool_call_id":"t1","content":"rain"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"reasoning_effort":"low","seed":7}`

func TestBridge_BedrockIsAskedByAnOpenAIClient(t *testing.T) {
	t.Parallel()
	for stream, path := range map[string]string{"false": "/converse", "true": "/converse-stream"} {
		client := codec(t, "openai-chat")
		b, err := NewBridge(client, codec(t, "bedrock"), newRequest(t, client, strings.Replace(weather, "STREAM", stream, 1)), llm.Options{Model: claudeOnAWS, AskUsage: true})
		if err != nil {
			t.Fatal(err)
		}
		want := `{"messages":[{"role":"user","content":[{"text":"weather?"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"s+/="}}},{"toolUse":{"toolUseId":"t1","name":"f","input":{"city":"Ulm"}}}]},` +
			`{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"rain"}]}}]}],"system":[{"text":"be brief"}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]},` +
			`"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":4096}}}`
		if diff := cmp.Diff(want, string(b.Body.Join())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0" + path; b.Path != got || strings.Join(b.Lost, ",") != "seed" {
			t.Errorf("%s, lost %v", b.Path, b.Lost)
		}
	}
}

func TestBridge_BedrockAnswersAnOpenAIClient(t *testing.T) {
	t.Parallel()
	client := codec(t, "openai-chat")
	b, err := NewBridge(client, codec(t, "bedrock"), newRequest(t, client, strings.Replace(weather, "STREAM", "false", 1)), llm.Options{Model: claudeOnAWS})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := b.Answer([]byte(`{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"So","signature":"x=="}}},{"text":"Rain"},{"toolUse":{"toolUseId":"t2","name":"f","input":{"city":"Bonn"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":7,"totalTokens":14,"cacheReadInputTokens":2,"cacheWriteInputTokens":0}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"chatcmpl-01J","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Rain","refusal":null,"reasoning_content":"So","reasoning_details":[{"type":"reasoning.text","text":"So","signature":"x==","format":"bedrock","index":0}],` +
		`"tool_calls":[{"id":"t2","type":"function","function":{"name":"f","arguments":"{\"city\":\"Bonn\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":7,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}`
	if diff := cmp.Diff(want, string(ev.Raw)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// awsFrames are events as AWS's own encoder writes them, name and payload in turn.
func awsFrames(t *testing.T, events ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for i := 0; i < len(events); i += 2 {
		m := eventstream.Message{Payload: []byte(events[i+1])}
		kind, name := ":event-type", "event"
		if strings.HasSuffix(events[i], "Exception") {
			kind, name = ":exception-type", "exception"
		}
		m.Headers.Set(kind, eventstream.StringValue(events[i]))
		m.Headers.Set(":message-type", eventstream.StringValue(name))
		if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// run reads a target's stream as the client sees it.
func run(t *testing.T, b *Bridge, in []byte) (out string, complete bool, err error) {
	t.Helper()
	decoder, frames := b.Stream(), b.Frames().New(bytes.NewReader(in), 0)
	for {
		raw, err := frames.Next()
		if errors.Is(err, io.EOF) && decoder.Complete() {
			return out + string(decoder.End()), true, nil
		}
		if err != nil {
			return out, decoder.Complete(), err
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			return out + string(decoder.Fail(llm.AsError(err))), decoder.Complete(), err
		}
		out += string(ev.Raw)
	}
}

func TestBridge_BedrockStreamsToAnOpenAIClient(t *testing.T) {
	t.Parallel()
	client, target := codec(t, "openai-chat"), codec(t, "bedrock")
	bridge := func() *Bridge {
		b, err := NewBridge(client, target, newRequest(t, client, strings.Replace(weather, "STREAM", "true", 1)), llm.Options{Model: claudeOnAWS})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	events := []string{
		"messageStart", `{"role":"assistant"}`,
		"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Ra"}}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"in"}}`, "contentBlockStop", `{"contentBlockIndex":0}`,
		"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t2","name":"f"}}}`, "contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\":"}}}`, "contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"1}"}}}`, "contentBlockStop", `{"contentBlockIndex":1}`,
		"messageStop", `{"stopReason":"tool_use"}`, "metadata", `{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12},"metrics":{"latencyMs":1}}`,
	}
	in := awsFrames(t, events...)
	got, complete, err := run(t, bridge(), in)
	if err != nil || !complete {
		t.Fatal(err, complete)
	}
	head := `data: {"id":"chatcmpl-01J","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[`
	delta := func(s, finish string) string {
		return head + `{"index":0,"delta":{` + s + `},"logprobs":null,"finish_reason":` + finish + "}]}\n\n"
	}
	want := delta(`"role":"assistant","content":""`, "null") + delta(`"content":"Ra"`, "null") + delta(`"content":"in"`, "null") +
		delta(`"tool_calls":[{"index":0,"id":"t2","type":"function","function":{"name":"f","arguments":""}}]`, "null") +
		delta(`"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]`, "null") + delta(`"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]`, "null") +
		delta("", `"tool_calls"`) +
		head + `],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}` + "\n\ndata: [DONE]\n\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stop := len(awsFrames(t, events[:len(events)-2]...))
	for cut := range in {
		out, complete, _ := run(t, bridge(), in[:cut])
		if complete != (cut >= stop) || !complete && strings.Contains(out, `finish_reason":"`) {
			t.Fatalf("cut at %d: complete %v", cut, complete)
		}
	}
	got, complete, err = run(t, bridge(), awsFrames(t, "messageStart", `{"role":"assistant"}`, "throttlingException", `{"message":"slow down"}`))
	if llm.AsError(err).Kind != llm.RateLimited || complete || !strings.Contains(got, `"type":"rate_limit_error"`) {
		t.Errorf("%v: %s", err, got)
	}
}

func TestBridge_RerankOnBothSides(t *testing.T) {
	t.Parallel()
	cohere := codec(t, "cohere")
	req, err := cohere.Decode(llm.Incoming{Surface: llm.Rerank, Limits: rawjson.Limits{Depth: 64}, Body: []byte(`{"model":"m","query":"q","documents":["a",{"text":"b"}],"return_documents":true,"top_n":1,"overlap":3}`)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBridge(cohere, cohere, req, llm.Options{Model: "rerank-v3.5"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"model":"rerank-v3.5","query":"q","documents":["a","b"],"top_n":1,"overlap":3}`; string(b.Body.Join()) != want || b.Path != "/rerank" || len(b.Lost) > 0 {
		t.Errorf("%s %s, lost %v", b.Path, b.Body, b.Lost)
	}
	ev, err := b.Answer([]byte(`{"id":"r","results":[{"index":1,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}`))
	if want := `{"id":"r","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}}],"meta":{"billed_units":{"search_units":1}}}`; err != nil || string(ev.Raw) != want || ev.Usage.Requests != 1 {
		t.Errorf("%s, %+v, %v", ev.Raw, ev.Usage, err)
	}
	for _, target := range []string{"openai-chat", "bedrock"} {
		if _, err := NewBridge(cohere, codec(t, target), req, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported {
			t.Errorf("%s: %v", target, err)
		}
	}
	other := *cohere // what another dialect with a rerank surface would see
	other.Name = "other"
	b, err = NewBridge(&other, cohere, req, llm.Options{Model: "t"})
	if err != nil || strings.Join(b.Lost, ",") != "overlap" {
		t.Fatal(err, b.Lost)
	}
	ev, err = b.Answer([]byte(`{"id":"r","results":[{"index":1,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}`))
	if want := `{"id":"r","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`; err != nil || string(ev.Raw) != want {
		t.Errorf("%s, %v", ev.Raw, err)
	}
}

func TestBridge_CohereChatsWithAnOpenAIClient(t *testing.T) {
	t.Parallel()
	client := codec(t, "openai-chat")
	b, err := NewBridge(client, codec(t, "cohere"), newRequest(t, client, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"top_p":0.5}`), llm.Options{Model: "command-a-03-2025"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"model":"command-a-03-2025","messages":[{"role":"user","content":"hi"}],"stream":true,"p":0.5}`; string(b.Body.Join()) != want || b.Path != "/chat" || len(b.Lost) > 0 {
		t.Errorf("%s %s %v", b.Path, b.Body, b.Lost)
	}
	in := "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c1\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\n" +
		"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}\n\n" +
		"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":1,\"output_tokens\":1}}}}\n\n"
	got, complete, err := run(t, b, []byte(in))
	if err != nil || !complete || !strings.Contains(got, `"delta":{"content":"Hi"}`) || !strings.Contains(got, `"finish_reason":"stop"`) || strings.Count(got, "[DONE]") != 1 {
		t.Errorf("%v %v %s", err, complete, got)
	}
}
