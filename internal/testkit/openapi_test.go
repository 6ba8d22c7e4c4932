package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	chatPath  = "/v1/chat/completions"
	textPath  = "/v1/completions"
	embedPath = "/v1/embeddings"
)

const tools = `[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{
	"city":{"type":"string"},"unit":{"enum":["C","F"]},"days":{"type":"integer","minimum":9}},"required":["city","unit","days"]}}},
	{"type":"function","function":{"name":"time","parameters":{"type":"object","properties":{"zone":{"type":"string"}},"required":["zone"]}}}]`

const person = `{"type":"json_schema","json_schema":{"name":"person","strict":true,"schema":{"type":"object",
	"properties":{"name":{"type":"string"},"born":{"type":"string","format":"date"},"pets":{"type":"array","items":{"$ref":"#/$defs/pet"}}},
	"required":["name","born","pets"],"additionalProperties":false,
	"$defs":{"pet":{"type":"object","properties":{"kind":{"const":"cat"}},"required":["kind"]}}}}}`

// honest is every kind of request that the fake answers in good faith.
var honest = []struct{ name, path, body string }{
	{"chat", chatPath, `{"model":"fake","messages":[{"role":"user","content":"hi"}]}`},
	{"parts", chatPath, `{"model":"fake","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`},
	{"two answers", chatPath, `{"model":"fake","n":2,"messages":[{"role":"user","content":"hi"}]}`},
	{"stop", chatPath, `{"model":"fake","stop":["naïve"],"messages":[{"role":"user","content":"hi"}]}`},
	{"length", chatPath, `{"model":"fake","max_completion_tokens":3,"messages":[{"role":"user","content":"hi"}]}`},
	{"tools", chatPath, `{"model":"fake","messages":[{"role":"user","content":"hi"}],"tools":` + tools + `}`},
	{"schema", chatPath, `{"model":"fake","messages":[{"role":"user","content":"hi"}],"response_format":` + person + `}`},
	{"logprobs", chatPath, `{"model":"fake","logprobs":true,"top_logprobs":3,"messages":[{"role":"user","content":"hi"}]}`},
	{"refusal", chatPath, `{"model":"fake:refuse","messages":[{"role":"user","content":"hi"}]}`},
	{"details", chatPath, `{"model":"fake:reasoning=40,cached=12,think","messages":[{"role":"user","content":"hi"}]}`},
	{"echo", chatPath, `{"model":"fake:echo","messages":[{"role":"user","content":"hi \" \u00e9 é"}]}`},
	{"completion", textPath, `{"model":"fake","prompt":"Once","max_tokens":5,"logprobs":2}`},
	{"two prompts", textPath, `{"model":"fake","prompt":["Once","Twice"],"n":2,"echo":true}`},
	{"floats", embedPath, `{"model":"fake-embedding","input":["a","b"],"encoding_format":"float","dimensions":8}`},
	{"base64", embedPath, `{"model":"fake-embedding","input":"a","encoding_format":"base64"}`},
	{"tokens", embedPath, `{"model":"fake-embedding","input":[[1,2],[3]]}`},
}

func TestUpstream_HonestAnswersFitThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := OpenAISpec(t)
	up := NewUpstream(t)
	for _, test := range honest {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := spec.ValidateRequest(test.path, []byte(test.body)); err != nil {
				t.Errorf("request: %v", err)
			}
			status, body := post(t, up, test.path, test.body)
			if err := spec.ValidateResponse(test.path, body); err != nil || status != 200 {
				t.Errorf("answer %d %s: %v", status, body, err)
			}
			if test.path == embedPath {
				return
			}
			streamed := strings.Replace(test.body, `{`, `{"stream":true,"stream_options":{"include_usage":true},`, 1)
			if err := spec.ValidateRequest(test.path, []byte(streamed)); err != nil {
				t.Errorf("streaming request: %v", err)
			}
			status, body = post(t, up, test.path, streamed)
			if err := spec.ValidateStream(test.path, body); err != nil || status != 200 {
				t.Errorf("stream %d: %v", status, err)
			}
		})
	}
}

func TestUpstream_ModelsAndErrorsFitThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := OpenAISpec(t)
	up := NewUpstream(t)
	for _, path := range []string{"/v1/models", "/v1/models/fake"} {
		status, body := get(t, up.URL()+path)
		if err := spec.ValidateResponse(path, body); err != nil || status != 200 {
			t.Errorf("%s: %d %s: %v", path, status, body, err)
		}
	}
	for _, wrong := range []struct {
		status     int
		path, body string
	}{
		{400, chatPath, `{"model":"fake"}`},
		{400, chatPath, `{"model":"fake","messages":"hi"}`},
		{400, chatPath, `{`},
		{404, chatPath, `{"model":"none","messages":[{"role":"user","content":"hi"}]}`},
		{429, chatPath, `{"model":"fake:status=429","messages":[{"role":"user","content":"hi"}]}`},
		{503, chatPath, `{"model":"fake:status=503","stream":true,"messages":[{"role":"user","content":"hi"}]}`},
		{404, "/v1/nothing", `{}`},
		{400, embedPath, `{"model":"fake","input":""}`},
		{400, textPath, `{"model":"fake"}`},
	} {
		status, body := post(t, up, wrong.path, wrong.body)
		if err := spec.ValidateError(body); err != nil || status != wrong.status {
			t.Errorf("%s %s: %d, want %d: %s: %v", wrong.path, wrong.body, status, wrong.status, body, err)
		}
	}
}

func TestSpec_RefusesWhatTheDescriptionRefuses(t *testing.T) {
	t.Parallel()
	spec := OpenAISpec(t)
	request := func(body string) error { return spec.ValidateRequest(chatPath, []byte(body)) }
	response := func(body string) error { return spec.ValidateResponse(chatPath, []byte(body)) }
	chunk := func(body string) error { return spec.ValidateChunk(chatPath, []byte(body)) }
	for name, err := range map[string]error{
		"no messages":        request(`{"model":"m"}`),
		"wrong role":         request(`{"model":"m","messages":[{"role":"king","content":"x"}]}`),
		"number as model":    request(`{"model":1,"messages":[{"role":"user","content":"x"}]}`),
		"string temperature": request(`{"model":"m","temperature":"1","messages":[{"role":"user","content":"x"}]}`),
		"no choices":         response(`{"id":"x","object":"chat.completion","created":1,"model":"m"}`),
		"wrong object":       response(`{"id":"x","object":"chat","created":1,"model":"m","choices":[]}`),
		"wrong finish":       response(`{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"done"}]}`),
		"not JSON":           response(`{`),
		"chunk as whole":     response(`{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}`),
		"whole as chunk":     chunk(`{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[]}`),
		"no finish_reason":   chunk(`{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{}}]}`),
		"half a usage":       chunk(`{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1}}`),
		"error without code": spec.ValidateError([]byte(`{"error":{"message":"x","type":"y","param":null}}`)),
		"unknown path":       spec.ValidateResponse("/v1/nothing", []byte(`{}`)),
		"cut stream":         spec.ValidateStream(chatPath, []byte("data: {}\n\n")),
		"bad vector":         spec.ValidateResponse(embedPath, []byte(`{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":["x"]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := chunk(`{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":null}],"usage":null}`); err != nil {
		t.Errorf("null where OpenAI sends null: %v", err)
	}
}

func post(t testing.TB, up *Upstream, path, body string) (int, []byte) {
	t.Helper()
	response, err := http.Post(up.URL()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, response)
}

func get(t testing.TB, url string) (int, []byte) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, response)
}

func drain(t testing.TB, response *http.Response) (int, []byte) {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// collected puts a stream's deltas together: text, refusal and arguments by choice, the finish reasons, the usage.
type collected struct {
	text, finish map[int]string
	arguments    map[string]string // by tool name
	usage        map[string]any
	nulls        int // chunks with usage null
	done         bool
}

func collect(t testing.TB, raw []byte) collected {
	t.Helper()
	c := collected{text: map[int]string{}, finish: map[int]string{}, arguments: map[string]string{}}
	names := map[string]string{}
	for _, data := range EventData(raw) {
		if string(data) == "[DONE]" {
			c.done = true
			continue
		}
		var chunk struct {
			Choices []struct {
				Index int
				Delta struct {
					Content, Refusal string
					ToolCalls        []struct {
						Index    int
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				Finish string `json:"finish_reason"`
			}
			Usage map[string]any
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if bytes.Contains(data, []byte(`"usage":null`)) {
			c.nulls++
		}
		if chunk.Usage != nil {
			c.usage = chunk.Usage
		}
		for _, choice := range chunk.Choices {
			c.text[choice.Index] += choice.Delta.Content + choice.Delta.Refusal
			c.finish[choice.Index] += choice.Finish
			for _, call := range choice.Delta.ToolCalls {
				key := fmt.Sprint(choice.Index, call.Index)
				names[key] += call.Function.Name
				c.arguments[names[key]] += call.Function.Arguments
			}
		}
	}
	return c
}
