package dialect

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// bridgeTo carries a client's request to a target's dialect.
func bridgeTo(t *testing.T, client, target string, in llm.Incoming) *Bridge {
	t.Helper()
	in.Limits = rawjson.Default()
	req, err := codec(t, client).Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	b, err := NewBridge(codec(t, client), codec(t, target), req, llm.Options{Model: "t", AskUsage: true, Takes: []string{"top_k", "reasoning_content"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// follow gives what a client sees of a stream.
func follow(t *testing.T, b *Bridge, stream string) string {
	t.Helper()
	decoder, reader := b.Stream(), b.Frames().New(strings.NewReader(stream), 0)
	var got bytes.Buffer
	for {
		raw, err := reader.Next()
		if err == io.EOF {
			break
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(ev.Raw)
	}
	if !decoder.Complete() {
		t.Error("the stream is complete")
	}
	got.Write(decoder.End())
	return got.String()
}

const geminiStream = `data: {"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7},"modelVersion":"big","responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1}}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":12}}

`

func TestBridge_OpenAIClientOfGemini(t *testing.T) {
	t.Parallel()
	b := bridgeTo(t, "openai-chat", "gemini", llm.Incoming{Surface: llm.Chat, Body: []byte(`{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,
		"messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lG"}}]}],
		"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"logit_bias":{"1":1},"fairlead_x":1}`)})
	want := `{"contents":[{"role":"user","parts":[{"text":"see"},{"inlineData":{"mimeType":"image/gif","data":"R0lG"}}]}],"systemInstruction":{"parts":[{"text":"be brief"}]},"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],"generationConfig":{"maxOutputTokens":5}}`
	if diff := cmp.Diff(want, string(b.Body.Join())); diff != "" || b.Path != "/models/t:streamGenerateContent?alt=sse" {
		t.Errorf("%s (-want +got):\n%s", b.Path, diff)
	}
	if got := strings.Join(b.Lost, ","); got != "fairlead_x,logit_bias" {
		t.Errorf("lost %q", got)
	}
	got := follow(t, b, geminiStream)
	for _, part := range []string{
		`"id":"r1"`, `"model":"big"`, `"delta":{"reasoning_content":"Hm"}`, `"delta":{"content":"Hi"}`, `"name":"f","arguments":""`, `"function":{"arguments":"{\"x\":1}"}`,
		`"signature":"c2ln"`, `"finish_reason":"tool_calls"`, `"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12`, "data: [DONE]\n\n",
	} {
		if strings.Count(got, part) < 1 {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if strings.Count(got, `"usage":{`) != 1 {
		t.Errorf("usage is told once: %s", got)
	}
}

func TestBridge_ASignedCallComesHomeThroughOpenAI(t *testing.T) {
	t.Parallel()
	ask := `{"model":"m","messages":[{"role":"user","content":"w?"}`
	b := bridgeTo(t, "openai-chat", "gemini", llm.Incoming{Surface: llm.Chat, Body: []byte(ask + `]}`)})
	answer := `{"candidates":[{"content":{"parts":[{"text":"Let me see","thoughtSignature":"dGV4dA=="},{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"own","name":"g","args":{}}}],"role":"model"},"finishReason":"STOP"}],"responseId":"r1"}`
	ev, err := b.Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	message, _ := rawjson.Lookup(ev.Raw, "choices")
	for choice := range message.Items() {
		message, _ = choice.Get("message")
	}
	b = bridgeTo(t, "openai-chat", "gemini", llm.Incoming{Surface: llm.Chat, Body: []byte(ask + `,` + string(message.Raw()) +
		`,{"role":"tool","tool_call_id":"call_01J_0","content":"1"},{"role":"tool","tool_call_id":"own","content":"2"}]}`)})
	want := `{"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"text":"Let me see","thoughtSignature":"dGV4dA=="},{"functionCall":{"id":"call_01J_0","name":"f","args":{"x":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"own","name":"g","args":{}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"call_01J_0","name":"f","response":{"output":"1"}}},{"functionResponse":{"id":"own","name":"g","response":{"output":"2"}}}]}]}`
	if diff := cmp.Diff(want, string(b.Body.Join())); diff != "" || len(b.Lost) > 0 {
		t.Errorf("lost %v (-want +got):\n%s", b.Lost, diff)
	}
}

const openaiStream = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{"content":"H\"i"},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"big","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":3}}}

data: [DONE]

`

func TestBridge_GeminiClientOfOpenAI(t *testing.T) {
	t.Parallel()
	body := `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}}]}],
		"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generationConfig":{"maxOutputTokens":9,"topK":3},"safetySettings":[{}]}`
	const finish = `"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":12,"thoughtsTokenCount":3},"modelVersion":"big","responseId":"c1"}`
	chunks := []string{
		`{"candidates":[{"content":{"parts":[{"text":"H\"i"}],"role":"model"},"index":0}],"modelVersion":"big","responseId":"c1"}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}}}],"role":"model"},"index":0}],"modelVersion":"big","responseId":"c1"}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"id":"b","name":"g","args":{}}}],"role":"model"},"index":0}],"modelVersion":"big","responseId":"c1"}`,
		`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},` + finish,
	}
	for _, array := range []bool{false, true} {
		b := bridgeTo(t, "gemini", "openai-chat", llm.Incoming{Surface: llm.Chat, Body: []byte(body), Model: "m", Stream: true, Array: array})
		want := `{"model":"t","messages":[{"role":"system","content":"s"},{"role":"user","content":"w?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"1","tool_call_id":"call_1"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"top_k":3,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`
		var got, expected any
		if err := json.Unmarshal(b.Body.Join(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, got); diff != "" || strings.Join(b.Lost, ",") != "safetySettings" {
			t.Errorf("lost %v (-want +got):\n%s", b.Lost, diff)
		}
		wire := "[" + strings.Join(chunks, ",\n") + "]"
		if !array {
			wire = "data: " + strings.Join(chunks, "\n\ndata: ") + "\n\n"
		}
		if diff := cmp.Diff(wire, follow(t, b, openaiStream)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestBridge_GeminiToGeminiKeepsBytes(t *testing.T) {
	t.Parallel()
	body := `{"contents":[{"parts":[{"text":"x"}]}], "new_field":1}`
	b := bridgeTo(t, "gemini", "gemini", llm.Incoming{Surface: llm.Chat, Body: []byte(body), Model: "m", Stream: true})
	if string(b.Body.Join()) != body || b.Path != "/models/t:streamGenerateContent?alt=sse" || len(b.Lost) > 0 {
		t.Errorf("%s %s %v", b.Path, b.Body, b.Lost)
	}
	if got := follow(t, b, geminiStream); got != geminiStream {
		t.Errorf("%s", got)
	}
	ev, err := b.AsStream([]byte(`{"candidates":[{"content":{"parts":[{"text":"x"}],"role":"model"},"finishReason":"STOP"}],"responseId":"r"}`))
	if err != nil || ev.Marks&llm.MarkDone == 0 {
		t.Fatal(err)
	}
	reader := sse.NewReader(bytes.NewReader(ev.Raw), 0)
	if first, err := reader.Next(); err != nil || !strings.Contains(string(first.Data), `"text":"x"`) {
		t.Errorf("%s, %v", ev.Raw, err)
	}
}

func TestBridge_VectorsBetweenOpenAIAndGemini(t *testing.T) {
	t.Parallel()
	b := bridgeTo(t, "openai-chat", "gemini", llm.Incoming{Surface: llm.Embeddings, Body: []byte(`{"model":"m","input":["a","b"],"dimensions":2}`)})
	if want := `{"requests":[{"model":"models/t","content":{"parts":[{"text":"a"}]},"outputDimensionality":2},{"model":"models/t","content":{"parts":[{"text":"b"}]},"outputDimensionality":2}]}`; string(b.Body.Join()) != want || b.Path != "/models/t:batchEmbedContents" {
		t.Errorf("%s %s", b.Path, b.Body)
	}
	ev, err := b.Answer([]byte(`{"embeddings":[{"values":[1,2]},{"values":[3,0.5]}]}`))
	if err != nil || !strings.Contains(string(ev.Raw), `"index":1,"embedding":[3,0.5]`) {
		t.Errorf("%s, %v", ev.Raw, err)
	}
	b = bridgeTo(t, "gemini", "openai-chat", llm.Incoming{Surface: llm.Embeddings, Model: "m", Body: []byte(`{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}`)})
	ev, err = b.Answer([]byte(`{"data":[{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":3,"total_tokens":3}}`))
	if want := `{"embedding":{"values":[1,2]},"usageMetadata":{"promptTokenCount":3}}`; err != nil || string(ev.Raw) != want {
		t.Errorf("%s, %v", ev.Raw, err)
	}
}
