package gemini

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func TestAnswer_IsRead(t *testing.T) {
	t.Parallel()
	body := `{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"b"},{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"c2ln"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"executableCode":{"code":"1"}}],"role":"model"},"finishReason":"STOP","index":0,
		"citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":1,"uri":"https://y.example"}]}}],
		"usageMetadata":{"promptTokenCount":20,"toolUsePromptTokenCount":4,"cachedContentTokenCount":6,"candidatesTokenCount":8,"thoughtsTokenCount":5,"totalTokenCount":37,
			"promptTokensDetails":[{"modality":"TEXT","tokenCount":9},{"modality":"AUDIO","tokenCount":7},{"modality":"VIDEO","tokenCount":4}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":2}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":3}]},
		"modelVersion":"v","responseId":"r"}`
	ev, err := Answer(&llm.Request{Surface: llm.Chat, ID: "01J"}, llm.Options{Translate: true}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	tokens := money.Tokens{Input: 9, CacheRead: 4, AudioInput: 5, AudioCacheRead: 2, ImageInput: 4, Output: 5, Reasoning: 5, ImageOutput: 3}
	want := &llm.Answer{ID: "r", Model: "v", Usage: tokens, Counted: true, Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopTools, Word: "STOP"}, Parts: []llm.Part{
		{Kind: llm.Reasoning, Text: "a"}, words("b"), signed(call("call_01J_0", "f", `{"x":1}`), Name, "c2ln"),
		{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "AAAA"}},
		{Kind: llm.Other, Raw: []byte(`{"executableCode":{"code":"1"}}`), Dialect: Name},
		{Kind: llm.Text, Citations: []llm.Citation{{Kind: "web", URL: "https://y.example", Document: -1, Start: 0, End: 1, Of: "answer"}}},
	}}}}
	if diff := cmp.Diff(want, ev.Answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ev.StopReason != "STOP" || ev.AnswerID != "r" || string(ev.Raw) != body || ev.Usage != tokens || ev.TextBytes == 0 {
		t.Errorf("%+v", ev)
	}
}

func TestAnswer_MeetsTheUnknownAndTheBroken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		surface llm.Surface
		body    string
		kind    llm.Kind
		stop    string
	}{
		{llm.Chat, ``, llm.Upstream, ""},
		{llm.Chat, `<html>`, llm.Upstream, ""},
		{llm.Chat, `[]`, llm.Upstream, ""},
		{llm.Chat, `{"usageMetadata":{}}`, llm.Upstream, ""},
		{llm.Chat, `{"error":{"code":429,"message":"m"}}`, llm.RateLimited, ""},
		{llm.Chat, `{"candidates":[{"finishReason":"NEW"}],"new":1}`, "", "NEW"},
		{llm.Chat, `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3}}`, "", "PROHIBITED_CONTENT"},
		{llm.Embeddings, `{"x":1}`, llm.Upstream, ""},
		{llm.CountTokens, `{"totalTokens":-1}`, llm.Upstream, ""},
		{llm.CountTokens, `{}`, "", ""},
	} {
		ev, err := Answer(&llm.Request{Surface: tc.surface}, llm.Options{Translate: true}, []byte(tc.body))
		switch {
		case err != nil:
			if e := llm.AsError(err); e.Kind != tc.kind || tc.kind == "" {
				t.Errorf("%s: %v", tc.body, err)
			}
		case tc.kind != "" || ev.StopReason != tc.stop || ev.Answer == nil:
			t.Errorf("%s: %+v", tc.body, ev)
		case tc.stop == "PROHIBITED_CONTENT":
			if a := ev.Answer; a.Choices[0].Stop.Reason != llm.StopFilter || a.Usage.Input != 3 {
				t.Errorf("%+v", a)
			}
		}
	}
}

func TestAnswer_GivesVectorsAndCounts(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"embedding":{"values":[0.5,1e-3]}}`: 1,
		`{"embeddings":[{"values":[0.5,1e-3]},{"values":[1,2]}],"usageMetadata":{"promptTokenCount":4}}`: 2,
	} {
		ev, err := Answer(&llm.Request{Surface: llm.Embeddings}, llm.Options{Translate: true}, []byte(body))
		if err != nil || len(ev.Answer.Vectors) != want || ev.Answer.Vectors[0][1] != 1e-3 || ev.Answer.Counted != (want == 2) {
			t.Errorf("%s: %+v, %v", body, ev.Answer, err)
		}
	}
	ev, err := Answer(&llm.Request{Surface: llm.CountTokens}, llm.Options{Translate: true}, []byte(`{"totalTokens":31}`))
	if err != nil || ev.Answer.Usage.Input != 31 || !ev.Usage.IsZero() || ev.Marks&llm.MarkUsage == 0 {
		t.Errorf("%+v, %v", ev, err)
	}
}

func TestWriteAnswer_FitsTheRequest(t *testing.T) {
	t.Parallel()
	one := &llm.Answer{Vectors: [][]float32{{0.5, -1e-7}}, Usage: money.Tokens{Input: 2}, Counted: true}
	for body, want := range map[string]string{
		`{"content":{"parts":[{"text":"x"}]}}`:                `{"embedding":{"values":[0.5,-1e-07]},"usageMetadata":{"promptTokenCount":2}}`,
		`{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`: `{"embeddings":[{"values":[0.5,-1e-07]}],"usageMetadata":{"promptTokenCount":2}}`,
	} {
		got, _ := WriteAnswer(decode(t, llm.Embeddings, body), one)
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	got, lost := WriteAnswer(decode(t, llm.Chat, `{`+hi+`}`), &llm.Answer{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopFilter}}}})
	if want := `{"candidates":[{"content":{"role":"model"},"finishReason":"SAFETY","index":0}],"modelVersion":"m","responseId":"01J"}`; string(got) != want || len(lost) > 0 {
		t.Errorf("%s", got)
	}
}

func TestSignatures_FindTheirWayHome(t *testing.T) {
	t.Parallel()
	for _, p := range []llm.Part{
		{Signer: "anthropic", Signature: "EqQB+/="}, {Signer: "anthropic", Redacted: "r=="}, {Signer: "openai-responses", Redacted: "e", Signature: "rs_1"},
		{Signer: Name, Signature: "not base64 at all"}, {Signer: Name, Signature: "ZmFpcmxlYWQu"},
	} {
		shown := carry(&p)
		for _, sent := range []string{shown, strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(shown, "="))} {
			var got llm.Part
			carried(&got, sent)
			if p.Signer == Name && sent != shown {
				continue // nobody changes what is Google's own
			}
			if diff := cmp.Diff(p, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	}
}

func TestErrors_AreReadWhateverComes(t *testing.T) {
	t.Parallel()
	const info = "type.googleapis.com/google.rpc."
	for _, tc := range []struct {
		status int
		body   string
		want   llm.Error
	}{
		{500, ``, llm.Error{Kind: llm.Upstream, Message: "the upstream answered with HTTP status 500"}},
		{502, `<html>bad</html>`, llm.Error{Kind: llm.Upstream, Message: "the upstream answered with HTTP status 502"}},
		{400, `{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}`, llm.Error{Kind: llm.Invalid, Message: "m"}},
		{400, `[{"error":{"code":400,"message":"m","status":"FAILED_PRECONDITION"}}]`, llm.Error{Kind: llm.Forbidden, Message: "m"}},
		{400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"` + info + `ErrorInfo","reason":"API_KEY_INVALID"}]}}`, llm.Error{Kind: llm.Unauthorized, Message: "API key not valid."}},
		{400, `{"error":{"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}`, llm.Error{Kind: llm.TooLong, Message: "The input token count (9) exceeds the maximum number of tokens allowed (8)."}},
		{400, `{"error":{"message":"m","status":"INVALID_ARGUMENT","details":[{"@type":"` + info + `BadRequest","fieldViolations":[{"field":"contents[0]","description":"d"}]}]}}`, llm.Error{Kind: llm.Invalid, Message: "m", Param: "contents[0]"}},
		{429, `{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"` + info + `QuotaFailure"},{"@type":"` + info + `RetryInfo","retryDelay":"22.5s"}]}}`,
			llm.Error{Kind: llm.RateLimited, Message: "quota", RetryAfter: 22500 * time.Millisecond}},
		{404, `{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}`, llm.Error{Kind: llm.NotFound, Message: "no"}},
		{503, `{"error":"plain"}`, llm.Error{Kind: llm.Overloaded, Message: "plain"}},
	} {
		tc.want.Status = tc.status
		if diff := cmp.Diff(&tc.want, DecodeError(tc.status, []byte(tc.body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.body, diff)
		}
	}
	if long := DecodeError(500, []byte(`{"error":{"message":"`+strings.Repeat("é", 5000)+`"}}`)); len(long.Message) > wire.MaxMessage+8 {
		t.Errorf("%d bytes", len(long.Message))
	}
	mine := AppendError(nil, &llm.Error{Kind: llm.NotFound, Message: `a "b"`, Target: "t"})
	if want := `{"error":{"code":502,"message":"a \"b\"","status":"UNAVAILABLE"}}`; string(mine) != want {
		t.Errorf("%s", mine)
	}
	for kind := range wireErrors {
		if _, err := rawjson.Check(AppendError(nil, &llm.Error{Kind: kind, RetryAfter: 1}), rawjson.Default()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
