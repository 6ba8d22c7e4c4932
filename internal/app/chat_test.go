package app

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

func TestGateway_PlainAnswer(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	got := g.chat(t, asking("both", behaving("reasoning=10,cached=2")), "X-Fairlead-Task", "greet", "X-Fairlead-Task-Id", "t-1", "User-Agent", "tests")
	sent := up.Last(t)
	if got.status != 200 || !strings.Contains(got.body, "Ahoy") || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	// "hi" counts 5 prompt tokens, 2 of them cached; 12 pieces of text and 10 of
	// reasoning: (3×3 + 2×0.3 + 22×15) / 1e6.
	x := g.of(t, got)
	if want := (money.Tokens{Input: 3, CacheRead: 2, Output: int64(pieces(t, got.body)), Reasoning: 10}); x.Bill.Usage != want {
		t.Errorf("usage %+v, want %+v", x.Bill.Usage, want)
	}
	want := money.MustParse("0.000003").Mul(3).Add(money.MustParse("0.0000003").Mul(2)).Add(money.MustParse("0.000015").Mul(int64(pieces(t, got.body)) + 10))
	for name, value := range map[string]string{
		"X-Fairlead-Target": "one", "X-Fairlead-Route": "plan:both", "X-Fairlead-Cache": "miss", "X-Fairlead-Loss": "",
		"X-Fairlead-Cost-Usd": want.String(), "X-Fairlead-Cost-State": "known", "X-Request-Id": got.header.Get("X-Fairlead-Id"),
		"Openai-Version": "2020-10-01", "X-Ratelimit-Limit-Requests": "5000", "Openai-Organization": "", "X-Should-Retry": "",
	} {
		if got.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
		}
	}
	if ms, err := strconv.ParseFloat(got.header.Get("X-Fairlead-Overhead-Ms"), 64); err != nil || ms < 0 || ms > 2000 {
		t.Errorf("overhead %q", got.header.Get("X-Fairlead-Overhead-Ms"))
	}
	if x.Result.Status != exchange.OK || x.Result.HTTPStatus != 200 || x.Result.Target != "one" || x.Asked.Model != "both" || x.Asked.Task != "greet" ||
		x.Asked.TaskID != "t-1" || x.Caller.Key != "app" || x.Result.Route != "plan:both" || x.Result.ConfigHash != g.current().Hash() ||
		x.Result.Bytes != int64(len(got.body)) || x.Asked.Stream || !strings.Contains(x.Asked.Headers, "User-Agent: tests") {
		t.Errorf("recorded %+v", x)
	}
	if !x.Bill.Cost.USD.Equal(want) || x.Bill.Cost.State != money.Known || len(x.Attempts) != 1 || x.Attempts[0].RequestID != "req_fake00000001" {
		t.Errorf("recorded %+v", x)
	}
	if x.FirstByte <= 0 || x.Total < x.FirstByte || x.Overhead > x.FirstByte || x.Attempts[0].TTFT <= 0 {
		t.Errorf("latency %+v", x.Latency)
	}
	if by := g.exchange(t, x.Result.AnswerID); by.ID != x.ID || !strings.HasPrefix(x.Result.AnswerID, "chatcmpl-") {
		t.Errorf("by the answer's id %q: %q", x.Result.AnswerID, by.ID)
	}
	for _, secret := range []string{appKey, "X-Fairlead"} {
		if strings.Contains(headerText(sent.Header), secret) {
			t.Errorf("the upstream saw %s: %v", secret, sent.Header)
		}
	}
}

func headerText(h http.Header) string {
	var text strings.Builder
	_ = h.Write(&text) // into memory: cannot fail
	return text.String()
}

// pieces is how many completion tokens the fake said, without reasoning.
func pieces(t *testing.T, body string) int {
	t.Helper()
	_, rest, ok := strings.Cut(body, `"completion_tokens":`)
	digits, _, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		t.Fatalf("no completion_tokens in %s", body)
	}
	if strings.Contains(body, `"reasoning_tokens":10`) {
		n -= 10
	}
	return n
}

func TestGateway_StreamedAnswer(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for name, tc := range map[string]struct {
		body        string
		path        string
		has, hasNot []string
		target      string
	}{
		"chat":             {asking("both", streamed), chatPath, []string{"Ahoy", "\n\ndata: [DONE]\n\n"}, []string{`"usage":{`}, "one"},
		"with usage":       {asking("both", withUsage), chatPath, []string{`"usage":{"prompt_tokens":5`, "[DONE]"}, nil, "one"},
		"odd frames":       {asking("one", withUsage, behaving("crlf,unknown,fields,split")), chatPath, []string{"event: vendor.debug\r\n", "retry: 3000\r\n"}, []string{"\n\n"}, "one"},
		"byte by byte":     {asking("one", streamed, behaving("write=1")), chatPath, []string{"你好", "🚢", "[DONE]"}, []string{"\ufffd"}, "one"},
		"no done":          {asking("one", streamed, behaving("no-done")), chatPath, []string{"\n\ndata: [DONE]\n\n"}, nil, "one"},
		"large event":      {asking("one", streamed, behaving("huge=1000000")), chatPath, []string{strings.Repeat("a", 1_000_000), "[DONE]"}, nil, "one"},
		"fallback":         {asking("both", streamed, behaving("status=500")), chatPath, []string{"second", "[DONE]"}, []string{"Ahoy", "error"}, "two"},
		"late fallback":    {asking("both", streamed, behaving("cut-event=1")), chatPath, []string{"second", "[DONE]"}, []string{"Ahoy", "error"}, "two"},
		"unreachable":      {asking("half", streamed), chatPath, []string{"second", "[DONE]"}, []string{"error"}, "two"},
		"error event":      {asking("both", streamed, behaving("error-event=0")), chatPath, []string{"second", "[DONE]"}, []string{"Ahoy", "error"}, "two"},
		"old completion":   {`{"model":"one","prompt":"hi","stream":true}`, completionPath, []string{`"text":"Ahoy!"`, "[DONE]"}, []string{`"usage":{`}, "one"},
		"a target by name": {asking("two", streamed), chatPath, []string{"second"}, nil, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.do(t, "POST", tc.path, tc.body)
			if got.status != 200 || got.err != nil || got.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
				t.Fatalf("%d %v %v %s", got.status, got.err, got.header, got.body)
			}
			mustHold(t, got.body, tc.has, tc.hasNot)
			for name, value := range map[string]string{"X-Fairlead-Target": tc.target, "X-Fairlead-Cost-Usd": "", "X-Fairlead-Cost-State": "", "X-Accel-Buffering": "no", "Cache-Control": "no-cache"} {
				if got.header.Get(name) != value {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
				}
			}
			x := g.of(t, got)
			if x.Result.Status != exchange.OK || !x.Asked.Stream || x.Result.Target != tc.target || x.Attempts[len(x.Attempts)-1].Bill.Cost.State != money.Known || x.Result.Bytes != int64(len(got.body)) {
				t.Errorf("recorded %+v", x)
			}
		})
	}
}

func mustHold(t testing.TB, body string, has, hasNot []string) {
	t.Helper()
	for _, want := range has {
		if !strings.Contains(body, want) {
			t.Errorf("%.80q is missing in\n%.3000s", want, body)
		}
	}
	for _, no := range hasNot {
		if strings.Contains(body, no) {
			t.Errorf("%.80q is in\n%.3000s", no, body)
		}
	}
}

func TestGateway_OtherSurfaces(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	got := g.do(t, "POST", completionPath, `{"model":"one","prompt":"hi","max_tokens":3}`)
	if got.status != 200 || !strings.Contains(got.body, `"finish_reason":"length"`) || g.of(t, got).Asked.Surface != "completions" {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = g.do(t, "POST", embeddingsPath, `{"model":"embed","input":["a b","c"],"encoding_format":"base64"}`)
	x := g.of(t, got)
	if got.status != 200 || !strings.Contains(got.body, `"object":"embedding"`) || x.Asked.Surface != "embeddings" || x.Bill.Usage.Input == 0 || x.Bill.Cost.State != money.Known {
		t.Errorf("%d %s %+v", got.status, got.body, x.Bill)
	}
	got = g.do(t, "GET", "/v1/models", "")
	mustHold(t, got.body, []string{`"object":"list"`, `"id":"both"`, `"id":"one"`, `"owned_by":"openai-compatible"`}, []string{appKey, up.URL()})
	got = g.do(t, "GET", "/v1/models/both", "")
	mustHold(t, got.body, []string{`"id":"both"`, `"object":"model"`, `"owned_by":"fairlead"`}, []string{`"data"`})
	if got = g.do(t, "GET", "/v1/models/none", ""); got.status != 404 || text(failure(t, got.body).Error.Code) != "model_not_found" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestGateway_SaysWhatTheUpstreamSaid(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for _, behavior := range []string{"", "write=5", "think", "refuse", "gzip", "close"} {
		got := g.chat(t, asking("one", behaving(behavior)))
		want := openaifake.Sentence
		if behavior == "refuse" {
			want = "I cannot help with that."
		}
		if got.status != 200 || got.err != nil || !strings.Contains(got.body, want) || got.header.Get("Content-Encoding") != "" ||
			got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
			t.Errorf("%q: %d %v %v %s", behavior, got.status, got.err, got.header, got.body)
		}
	}
}
