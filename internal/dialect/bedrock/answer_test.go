package bedrock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// origin: described, from the API reference of Converse.
const plainAnswer = `{"metrics":{"latencyMs":9},"output":{"message":{"role":"assistant","content":[
{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"s+/="}}},{"reasoningContent":{"redactedContent":"cmVk"}},{"reasoningContent":{"reasoningText":{"text":"no proof"}}},
{"text":"Hi"},{"citationsContent":{"content":[{"text":"So"},{"text":" it is"}],"citations":[{"title":"t","location":{"web":{"url":"https://x","domain":"x"}}}]}},
{"toolUse":{"toolUseId":"t1","name":"f","input":{"x": 1}}},{"toolUse":{"toolUseId":"w","name":"web","input":{},"type":"server_tool_use"}},{"hologram":{"y":2}},{"image":{"format":"png","source":{"bytes":"QUJD"}}}]}},
"stopReason":"tool_use","additionalModelResponseFields":{"stop_sequence":null},"serviceTier":{"type":"flex"},
"usage":{"inputTokens":10,"outputTokens":7,"totalTokens":47,"cacheReadInputTokens":20,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4},{"ttl":"5m","inputTokens":6}],"new":1}}`

func TestAnswer_SaysAllOfIt(t *testing.T) {
	t.Parallel()
	ev, err := Answer(&llm.Request{}, llm.Options{Translate: true}, []byte(plainAnswer))
	if err != nil {
		t.Fatal(err)
	}
	web := llm.Citation{Kind: "web", Title: "t", URL: "https://x", Document: -1, Raw: []byte(`{"title":"t","location":{"web":{"url":"https://x","domain":"x"}}}`), Dialect: Name}
	want := &llm.Answer{
		Usage: usage, Counted: true, Tier: "flex",
		Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopTools, Word: "tool_use"}, Parts: []llm.Part{
			{Kind: llm.Reasoning, Text: "Hm", Signature: "s+/=", Signer: Name}, {Kind: llm.Reasoning, Redacted: "cmVk", Signer: Name}, {Kind: llm.Reasoning, Text: "no proof"},
			text("Hi"), {Kind: llm.Text, Text: "So it is", Citations: []llm.Citation{web}}, call("t1", "f", `{"x": 1}`),
			{Kind: llm.Other, Raw: []byte(`{"toolUse":{"toolUseId":"w","name":"web","input":{},"type":"server_tool_use"}}`), Dialect: Name},
			{Kind: llm.Other, Raw: []byte(`{"hologram":{"y":2}}`), Dialect: Name},
			{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "QUJD"}},
		}}},
	}
	if diff := cmp.Diff(want, ev.Answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ev.Marks != llm.MarkWhole|llm.MarkUsage || ev.Usage != usage || ev.StopReason != "tool_use" || ev.TextBytes != len("Hm"+"no proof"+"Hi"+"So it is"+"f"+`{"x": 1}`) {
		t.Errorf("%+v", ev)
	}
}

// TestThought_GoesThereAndBack: what an answer signed comes back byte for byte with the next turn.
func TestThought_GoesThereAndBack(t *testing.T) {
	t.Parallel()
	ev, err := Answer(&llm.Request{}, llm.Options{Translate: true}, []byte(plainAnswer))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := write(t, claude45, llm.Prompt{Turns: []llm.Turn{user(text("hi")), assistant(ev.Answer.Choices[0].Parts[:2]...), user(text("more"))}})
	if want := `{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"s+/="}}},{"reasoningContent":{"redactedContent":"cmVk"}}`; !strings.Contains(body, want) {
		t.Errorf("%s lacks %s", body, want)
	}
}

func TestAnswer_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "<html>", "[]", "{}", `{"message":"x"}`, `{"output":{"message":{"content":"x"}},"stopReason":"end_turn"}`, `{"output":{"message":{"content":[]}}}`,
		`{"output":{"message":{"content":[]}},"stopReason":"a","stopReason":"b"}`, `{"output":{"message":{"content":[{"text":1}]}},"stopReason":"a"}`,
	} {
		if _, err := Answer(&llm.Request{}, llm.Options{}, []byte(body)); err == nil || llm.AsError(err).Kind != llm.Upstream {
			t.Errorf("%q: %v", body, err)
		}
	}
	ev, err := Answer(&llm.Request{}, llm.Options{}, []byte(`{"output":{"message":{"content":[]}},"stopReason":"content_filtered","usage":{"inputTokens":1e99}}`))
	if err != nil || ev.Marks != llm.MarkWhole || ev.Answer != nil {
		t.Errorf("%+v, %v", ev, err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		`{"inputTokens":3,"outputTokens":2,"totalTokens":5}`:                                                         5,
		`{"inputTokens":3,"outputTokens":2,"cacheReadInputTokens":5}`:                                                10,
		`{"inputTokens":3,"outputTokens":2,"cacheWriteInputTokens":1,"cacheDetails":[{"ttl":"1h","inputTokens":2}]}`: -1,
		`{"inputTokens":1.5}`: -1, `{"inputTokens":9999999999999999}`: -1, `{"outputTokens":-1}`: -1,
	} {
		v, _ := rawjson.Lookup([]byte(in))
		got, err := Usage(v)
		if (err != nil) != (want < 0) || err == nil && got.Total() != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		body    string
		kind    llm.Kind
		message string
	}{
		{400, `{"message":"The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum"}`, llm.TooLong, ""},
		{400, `{"message":"Input is too long for requested model."}`, llm.TooLong, ""},
		{400, `{"message":"The provided model identifier is invalid."}`, llm.NotFound, ""},
		{400, `{"message":"1 validation error detected"}`, llm.Invalid, "1 validation error detected"},
		{403, `{"message":"The security token included in the request is expired"}`, llm.Unauthorized, ""},
		{403, `{"Message":"User is not authorized to perform bedrock:InvokeModel"}`, llm.Forbidden, ""},
		{403, `{"message":"Authentication failed: Please make sure your API Key is valid."}`, llm.Unauthorized, ""},
		{404, `{"message":"This model version has reached the end of its life."}`, llm.NotFound, ""},
		{408, `{}`, llm.Timeout, ""}, {424, `{"message":"x","originalStatusCode":500}`, llm.Upstream, "x"},
		{429, `{"message":"Too many tokens, please wait before trying again."}`, llm.RateLimited, ""},
		{500, `<html>`, llm.Upstream, "the upstream answered with HTTP status 500"}, {503, ``, llm.Overloaded, ""}, {418, `null`, llm.Upstream, ""},
		{400, `{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"x"}`, llm.Unauthorized, "x"},
		{500, `{"message":"` + strings.Repeat("é", 3000) + `"}`, llm.Upstream, strings.Repeat("é", 1000) + " …"},
	} {
		e := DecodeError(c.status, []byte(c.body))
		if e.Kind != c.kind || e.Status != c.status || c.message != "" && e.Message != c.message || e.Message == "" {
			t.Errorf("%d %.60s: %+v", c.status, c.body, e)
		}
	}
}
