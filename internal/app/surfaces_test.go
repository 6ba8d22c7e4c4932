package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// surfaceCases are one request of every surface that generates or lists, with what
// its own clients look for.
var surfaceCases = []struct {
	name, path, body string
	has              []string
	stream           []string // what the same request has as a stream; nil where it has none
}{
	{"chat", "/v1/chat/completions", `{"model":"one",STREAM"messages":[{"role":"user","content":"hi"}]}`,
		[]string{`"object":"chat.completion"`, `"usage":{`}, []string{`"object":"chat.completion.chunk"`, "data: [DONE]\n\n"}},
	{"responses", "/v1/responses", `{"model":"one",STREAM"input":"hi"}`,
		[]string{`"object":"response"`, `"status":"completed"`, `"output_tokens":`}, []string{"event: response.created\n", "event: response.completed\n", `"sequence_number":0`}},
	{"messages", "/v1/messages", `{"model":"one",STREAM"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`,
		[]string{`"type":"message"`, `"stop_reason":"end_turn"`, `"input_tokens":`}, []string{"event: message_start\n", "event: content_block_stop\n", "event: message_stop\n"}},
	{"gemini", "/v1beta/models/one:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		[]string{`"candidates":[`, `"finishReason":"STOP"`, `"usageMetadata":{`}, nil},
	{"gemini stream", "/v1beta/models/one:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		[]string{"data: {", `"finishReason":"STOP"`, `"usageMetadata":{`}, nil},
	{"gemini array", "/v1/models/one:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		[]string{"[{", `"finishReason":"STOP"`, "]"}, nil},
	{"ollama", "/api/chat", `{"model":"one","stream":false,"messages":[{"role":"user","content":"hi"}]}`,
		[]string{`"done":true`, `"eval_count":`, `"message":{`}, nil},
	{"ollama stream", "/api/chat", `{"model":"one","messages":[{"role":"user","content":"hi"}]}`,
		[]string{`"done":false`, `"done":true`, `"done_reason":"stop"`}, nil},
	{"ollama embed", "/api/embed", `{"model":"embed","input":["a","b"]}`, []string{`"embeddings":[[`}, nil},
	{"gemini embed", "/v1beta/models/embed:embedContent", `{"content":{"parts":[{"text":"a"}]}}`, []string{`"embedding":{"values":[`}, nil},
}

func TestSurfaces_EachAnswersInItsOwnWords(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	for _, tc := range surfaceCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := g.do(t, "POST", tc.path, strings.Replace(tc.body, "STREAM", "", 1))
			if got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.body)
			}
			mustHold(t, got.body, tc.has, nil)
			if tc.stream == nil {
				return
			}
			got = g.do(t, "POST", tc.path, strings.Replace(tc.body, "STREAM", `"stream":true,`, 1))
			mustHold(t, got.body, tc.stream, nil)
		})
	}
}

// Every surface answers errors in the words of its own clients: no key, no model, a
// body that is none, and what the upstream said.
func TestSurfaces_EachFailsInItsOwnWords(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	for _, tc := range []struct {
		path, body string
		key        bool
		headers    []string
		status     int
		has        []string
	}{
		{"/v1/messages", `{"model":"one"}`, false, nil, 401, []string{`{"type":"error","error":{"type":"authentication_error"`}},
		{"/v1/messages", `{`, true, nil, 400, []string{`"type":"error"`, `"invalid_request_error"`}},
		{"/v1/messages", `{"model":"none","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`, true, nil, 404, []string{`"not_found_error"`, "none"}},
		{"/v1/messages/batches/x", ``, true, nil, 404, []string{`"type":"error"`, `"not_found_error"`}},
		{"/v1beta/models/one:generateContent", `{}`, false, nil, 401, []string{`{"error":{"code":401,`, `"UNAUTHENTICATED"`}},
		{"/v1beta/models/none:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, true, nil, 404, []string{`"code":404`, `"NOT_FOUND"`}},
		{"/api/show", `{}`, true, nil, 404, []string{`{"error":"there is no POST /api/show`}},
		{"/v1beta/models/one:fly", `{}`, true, nil, 404, []string{`"code":404`, "generateContent"}},
		{"/api/chat", `{"model":"none","messages":[]}`, true, nil, 404, []string{`{"error":"`}},
		{"/v1/responses", `{"model":"one"}`, true, nil, 400, []string{`{"error":{"message":`, `"invalid_request_error"`}},
		{"/v1/rerank", `{"model":"one","query":"q","documents":["a"]}`, true, nil, 400, []string{`"message":`, "rerank"}},
		{"/v1/nothing", ``, true, []string{"Anthropic-Version", "2023-06-01"}, 404, []string{`{"type":"error"`}},
		{"/v1/nothing", ``, true, []string{"X-Goog-Api-Key", "x"}, 404, []string{`{"error":{"code":404`}},
		{"/v1/nothing", ``, true, nil, 404, []string{`{"error":{"message":`}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			t.Parallel()
			headers := tc.headers
			if !tc.key {
				headers = append(headers, "Authorization", "")
			}
			got := g.do(t, "POST", tc.path, tc.body, headers...)
			if got.status != tc.status {
				t.Errorf("status %d, want %d", got.status, tc.status)
			}
			mustHold(t, got.body, tc.has, nil)
		})
	}
}

func TestSurfaces_ModelsAreListedInTheClientsForm(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	for _, tc := range []struct {
		path    string
		headers []string
		has     []string
	}{
		{"/v1/models", nil, []string{`"object":"list"`, `"id":"both"`}},
		{"/v1/models", []string{"Anthropic-Version", "2023-06-01"}, []string{`"type":"model"`, `"display_name":"both"`, `"has_more":false`}},
		{"/v1beta/models", nil, []string{`"name":"models/both"`, `"supportedGenerationMethods"`}},
		{"/v1beta/models/both", nil, []string{`"name":"models/both"`}},
		{"/api/tags", nil, []string{`{"models":[{"name":`}},
	} {
		got := g.do(t, "GET", tc.path, "", tc.headers...)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d", tc.path, got.status)
		}
		mustHold(t, got.body, tc.has, nil)
	}
}

func TestSurfaces_AModelMayRejectWhatATargetCannotBeTold(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets+"  strict: { plan: [one], on_loss: reject }\n")
	body := `{"model":"MODEL","max_tokens":100,"top_k":5,"messages":[{"role":"user","content":"hi"}]}`
	got := g.do(t, "POST", "/v1/messages", strings.Replace(body, "MODEL", "one", 1), "Anthropic-Beta", "new-2026-01-01")
	if lost := got.header.Get("X-Fairlead-Loss"); got.status != http.StatusOK || lost != "top_k,anthropic-beta" {
		t.Errorf("%d, lost %q", got.status, lost)
	}
	got = g.do(t, "POST", "/v1/messages", strings.Replace(body, "MODEL", "strict", 1))
	if got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
	mustHold(t, got.body, []string{`"type":"error"`, "top_k", "on_loss is reject"}, nil)
}

// No target here counts tokens: the count is an estimate, says so, costs nothing and
// is on record.
func TestSurfaces_TokensAreEstimatedWhereNoTargetCounts(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for path, tc := range map[string]struct{ body, has string }{
		"/v1/messages/count_tokens":      {`{"model":"one","messages":[{"role":"user","content":"how many tokens are these?"}]}`, `{"input_tokens":21}`},
		"/v1beta/models/one:countTokens": {`{"contents":[{"role":"user","parts":[{"text":"how many tokens are these?"}]}]}`, `"totalTokens":`},
	} {
		got := g.do(t, "POST", path, tc.body)
		if got.status != http.StatusOK || !strings.Contains(got.body, tc.has) || got.header.Get("X-Fairlead-Route") != "estimate" || got.header.Get("X-Fairlead-Cost-Usd") != "0" {
			t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
		}
		if x := g.exchange(t, got.header.Get("X-Fairlead-Id")); x.Result.Route != "estimate" || len(x.Attempts) != 0 {
			t.Errorf("%s: recorded %+v", path, x)
		}
	}
	if got := g.do(t, "POST", "/v1/messages/count_tokens", `{"model":"none","messages":[{"role":"user","content":"hi"}]}`); got.status != http.StatusNotFound {
		t.Errorf("a model that is not there: %d %s", got.status, got.body)
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}
