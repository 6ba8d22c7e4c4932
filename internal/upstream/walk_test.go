package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

// noQuota is what OpenAI says, with status 429, when the account's money is gone.
var noQuota = testkit.Body("application/json", `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`)

func TestWalk_ByClassOfError(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	for _, tc := range []struct {
		behavior string
		kind     llm.Kind
		tries    int  // of two, alone
		fallback bool // the second target is asked
		billed   money.State
	}{
		{"reset", llm.Upstream, 2, true, money.Known},
		{"status=400", llm.Invalid, 1, false, money.Known},
		{"status=401", llm.Unauthorized, 1, true, money.Known},
		{"status=402", llm.Unpaid, 1, true, money.Known},
		{noQuota + ",status=429,retry-after=1", llm.Unpaid, 1, true, money.Known},
		{noQuota, llm.Unpaid, 1, true, money.Estimated},
		{"status=403", llm.Forbidden, 1, true, money.Known},
		{"status=404", llm.NotFound, 1, true, money.Known},
		{"status=408", llm.Timeout, 1, true, money.Estimated},
		{"status=413", llm.TooLarge, 1, true, money.Known},
		{"status=422", llm.Invalid, 1, false, money.Known},
		{"status=429", llm.RateLimited, 2, true, money.Known},
		{"status=500", llm.Upstream, 2, true, money.Known},
		{"status=503", llm.Overloaded, 2, true, money.Known},
		{"status=529", llm.Overloaded, 2, true, money.Known},
		{"status=204", llm.Upstream, 2, true, money.Known},
		{"redirect", llm.Upstream, 2, true, money.Known},
		{"garbage", llm.Upstream, 2, true, money.Estimated},
		{"html", llm.Upstream, 2, true, money.Estimated},
		{"empty", llm.Upstream, 2, true, money.Estimated},
		{"type=text/plain", llm.Upstream, 2, true, money.Estimated},
		{"duplicate", llm.Upstream, 2, true, money.Estimated},
		{"cut=10", llm.Upstream, 2, true, money.Estimated},
		{testkit.Body("application/json", `{"error":{"message":"x","code":"context_length_exceeded"}}`), llm.TooLong, 1, true, money.Estimated},
		{testkit.Body("application/json", `{"error":{"message":"x","code":"context_length_exceeded"}}`) + ",status=400", llm.TooLong, 1, true, money.Known},
	} {
		t.Run(tc.behavior, func(t *testing.T) {
			t.Parallel()
			alone := fake(t, up, tc.behavior)
			alone.Attempts = 2
			call := newCall(request(t, llm.Chat, plainBody), alone)
			got := listen(t.Context(), call)
			if got.err == nil || got.err.Kind != tc.kind || got.err.Target != alone.Name || got.raw != "" {
				t.Fatalf("alone it gives %+v, %q, want %s", got.err, got.raw, tc.kind)
			}
			if len(call.Attempts) != tc.tries {
				t.Errorf("%d tries, want %d", len(call.Attempts), tc.tries)
			}
			for i, row := range call.Attempts {
				if row.Seq != i || row.Status != exchange.Failed || row.Kind != string(tc.kind) || row.Message != got.err.Message || row.TTFT != 0 {
					t.Errorf("recorded %+v", row)
				}
				if cost := row.Bill.Cost; cost.State != tc.billed || cost.USD.IsZero() != (tc.billed == money.Known) {
					t.Errorf("billed %+v, want %s", cost, tc.billed)
				}
			}

			second := fake(t, up, "say=second")
			second.Name = "second"
			call = newCall(request(t, llm.Chat, plainBody), alone, second)
			got = listen(t.Context(), call)
			if fell := got.err == nil && strings.Contains(got.raw, "second") && call.Target == second; fell != tc.fallback {
				t.Errorf("the second target answered: %v, want %v (%v)", fell, tc.fallback, got.err)
			}
		})
	}
}

func TestWalk_NobodyListens(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	dead := fake(t, up, "")
	up.Close()
	dead.Attempts = 2
	call := newCall(request(t, llm.Chat, plainBody), dead)
	got := listen(t.Context(), call)
	if got.err == nil || got.err.Kind != llm.Upstream || len(call.Attempts) != 2 || call.Attempts[0].HTTPStatus != 0 {
		t.Errorf("%v, %+v", got.err, call.Attempts)
	}
	if strings.Contains(got.err.Message, "127.0.0.1") {
		t.Errorf("the message names an address: %q", got.err.Message)
	}
	if c := call.Cost(); c.State != money.Known || !c.USD.IsZero() {
		t.Errorf("what was never reached costs %+v", c)
	}
}

func TestWalk_TheAnswersHeadersAreItsOwn(t *testing.T) {
	t.Parallel()
	first := over("first", roundTrip(func(r *http.Request) (*http.Response, error) {
		res := jsonAnswer(r, 503, "{}")
		res.Header.Set("Openai-Version", "first")
		return res, nil
	}))
	broken := over("broken", roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }))
	call := newCall(request(t, llm.Chat, plainBody), first, broken)
	if got := listen(t.Context(), call); got.err == nil || call.Answer != nil {
		t.Errorf("an attempt without an answer shows the headers of the one before: %v", call.Answer)
	}
}

func TestWalk_TriesOneTargetBeforeTheNext(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	flaky := fake(t, up, "status=500,times=1,say=flaky")
	flaky.Attempts = 2
	call := newCall(request(t, llm.Chat, plainBody), flaky, fake(t, up, "say=never"))
	got := listen(t.Context(), call)
	if got.err != nil || len(call.Attempts) != 2 || call.Attempts[0].Kind != "upstream" || call.Attempts[1].Status != exchange.OK {
		t.Errorf("%v, %+v", got.err, call.Attempts)
	}
}

func TestWalk_WhatVerifyRefusesMayBeAnsweredByTheNext(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	call := newCall(request(t, llm.Chat, plainBody), fake(t, up, "say=wrong"), fake(t, up, "say=right"))
	call.Verify = func(ev llm.Event) error {
		if bytes.Contains(ev.Raw, []byte("wrong")) {
			return &llm.Error{Kind: llm.Upstream, Message: "not that"}
		}
		return nil
	}
	if got := listen(t.Context(), call); got.err != nil || !strings.Contains(got.raw, "right") || strings.Contains(got.raw, "wrong") {
		t.Errorf("%v, %s", got.err, got.raw)
	}
	if first := call.Attempts[0]; first.Bill.Cost.State != money.Known || first.Bill.Usage.Output == 0 {
		t.Errorf("an answer that was refused is billed all the same: %+v", first.Bill)
	}
}

func TestWalk_AHangUpCancelsTheUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body, behavior string
		passed         bool
	}{
		"before headers":   {plainBody, "hold", false},
		"stream, headers":  {streamBody, "stall=0", false},
		"stream, role":     {streamBody, "stall=300", false},
		"stream, within":   {streamBody, "hold-event=3", true},
		"plain, half read": {plainBody, "stall=40", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := testkit.NewUpstream(t)
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			call := newCall(request(t, llm.Chat, tc.body), fake(t, up, tc.behavior))
			call.Plan[0].Attempts = 3
			reached := make(chan struct{}, 8)
			call.Plan[0].Transport = sees{call.Plan[0].Transport, reached}
			went := make(chan heard, 1)
			go func() { went <- listen(ctx, call) }()
			<-reached
			up.WaitRequests(t, 1)
			if tc.passed {
				<-reached // the headers, behind which events follow
			}
			hangUp()
			begun := time.Now()
			select {
			case <-up.Last(t).Gone:
				if took := time.Since(begun); took > 100*time.Millisecond {
					t.Errorf("the upstream was left after %s", took)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the upstream was not left")
			}
			got := <-went
			if got.err == nil || got.err.Kind != llm.Canceled || len(call.Attempts) != 1 {
				t.Errorf("%v, %d attempts", got.err, len(call.Attempts))
			}
			if row := call.Attempts[0]; row.Status != exchange.Canceled || row.Bill.Cost.State != money.Estimated || row.Bill.Usage.Input == 0 {
				t.Errorf("recorded %+v", row)
			}
		})
	}
}

// sees tells when a request goes out and when its headers come.
type sees struct {
	next http.RoundTripper
	said chan<- struct{}
}

func (s sees) RoundTrip(r *http.Request) (*http.Response, error) {
	s.said <- struct{}{}
	defer func() { s.said <- struct{}{} }()
	return s.next.RoundTrip(r)
}

func TestWalk_StoppingTheLoopCancels(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	call := newCall(request(t, llm.Chat, streamBody), fake(t, up, "hold-event=3"))
	for _, err := range call.Walk(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	up.WaitGone(t, 1)
	row := call.Attempts[0]
	if row.Status != exchange.Canceled || row.Kind != "canceled" || row.Bill.Cost.State != money.Estimated {
		t.Errorf("recorded %+v", row)
	}
}

func TestWalk_AHangUpBetweenTwoTriesIsCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		target := refuser("a", &calls, 429, "Retry-After", "30")
		target.Attempts = 2
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, hangUp)
		call := newCall(request(t, llm.Chat, plainBody), target)
		got := listen(ctx, call)
		if got.err == nil || got.err.Kind != llm.Canceled || calls != 1 || time.Since(call.Start) != 3*time.Second {
			t.Errorf("%v after %d calls and %s", got.err, calls, time.Since(call.Start))
		}
	})
}

func TestWalk_AServerThatStopsSaysSo(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]*Target{
		"while it waits":  inSteps("a", time.Hour, true),
		"within a stream": inSteps("a", 0, true, step{0, helloChunk}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				stopping := &llm.Error{Kind: llm.Overloaded, Message: "the server is stopping"}
				time.AfterFunc(time.Second, func() { stop(stopping) })
				call := newCall(request(t, llm.Chat, streamBody), target, inSteps("b", 0, false))
				got := listen(ctx, call)
				if got.err == nil || got.err.Kind != llm.Overloaded || got.err.Message != stopping.Message || got.err == stopping {
					t.Errorf("heard %+v", got.err)
				}
				if len(call.Attempts) != 1 || call.Attempts[0].Kind != string(llm.Overloaded) {
					t.Errorf("recorded %+v", call.Attempts)
				}
			})
		})
	}
}

func TestRequest_CarriesWhatItShould(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	var body string
	target := over("a", roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = r
		b, err := io.ReadAll(r.Body)
		body = string(b)
		return jsonAnswer(r, 200, plainText), err
	}))
	target.Options.Model = "their-name"
	target.Endpoint.Header = http.Header{"Authorization": {"Bearer upstream-key"}, "X-Team": {"seven"}}
	call := newCall(request(t, llm.Chat, `{"model":"fake","metadata":{"fairlead_task":"t","x":"y"},"messages":[{"role":"user","content":"hi"}],"new_field":{"a":1e2}}`), target)
	call.Header = http.Header{
		"Authorization": {"Bearer client-key"}, "X-Api-Key": {"client-key"}, "Cookie": {"session=1"}, "Openai-Beta": {"assistants=v2"},
		"Idempotency-Key": {"abc"}, "X-Fairlead-Task": {"t"}, "Traceparent": {"00-1-2-3"}, "Host": {"client"}, "X-Forwarded-For": {"10.0.0.9"},
	}
	if got := listen(t.Context(), call); got.err != nil {
		t.Fatal(got.err)
	}
	want := http.Header{
		"Authorization": {"Bearer upstream-key"}, "X-Team": {"seven"}, "Openai-Beta": {"assistants=v2"}, "Idempotency-Key": {"abc"},
		"Traceparent": {"00-1-2-3"}, "Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"fairlead"},
	}
	for name := range seen.Header {
		if seen.Header.Get(name) != want.Get(name) {
			t.Errorf("%s: %q was sent, want %q", name, seen.Header[name], want[name])
		}
	}
	for name := range want {
		if seen.Header.Get(name) == "" {
			t.Errorf("%s was not sent", name)
		}
	}
	if u := seen.URL.String(); u != "http://a.invalid/v1/chat/completions" {
		t.Errorf("sent to %s", u)
	}
	if want := `{"model":"their-name","metadata":{"x":"y"},"messages":[{"role":"user","content":"hi"}],"new_field":{"a":1e2}}`; body != want {
		t.Errorf("sent %s\nwant %s", body, want)
	}
}

func TestBill_OfAPlainAnswerIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := inSteps("gpu", 2*time.Second, false, step{time.Second, plainText})
		target.Bill = func(_ money.Tokens, elapsed time.Duration) money.Cost {
			return money.Cost{USD: money.MustParse("1").Mul(int64(elapsed / time.Second)), State: money.Estimated}
		}
		call := newCall(request(t, llm.Chat, plainBody), target)
		for _, err := range call.Walk(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c := call.Cost(); c.USD.String() != "3" {
				t.Errorf("the header would say %s, want 3 seconds' worth", c.USD)
			}
			time.Sleep(9 * time.Second)
		}
		if c := call.Cost(); c.USD.String() != "3" || c.State != money.Estimated {
			t.Errorf("the record says %+v, the header said 3", c)
		}
	})
}

func TestWalk_AConnectionThatIsNotMadeInTime(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, and never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	transport := NewTransport(20 * time.Millisecond)
	t.Cleanup(transport.CloseIdleConnections)
	first := over("silent", transport)
	first.Speaks[0].Base = &url.URL{Scheme: "https", Host: silent.Addr().String(), Path: "/v1"}
	first.Timeouts.FirstEvent = time.Hour
	call := newCall(request(t, llm.Chat, plainBody), first, fake(t, testkit.NewUpstream(t), "say=second"))
	got := listen(t.Context(), call)
	if got.err != nil || !strings.Contains(got.raw, "second") || len(call.Attempts) != 2 {
		t.Fatalf("%v, %q, %+v", got.err, got.raw, call.Attempts)
	}
	if row := call.Attempts[0]; row.Kind != string(llm.Upstream) || row.HTTPStatus != 0 || !row.Bill.Cost.USD.IsZero() {
		t.Errorf("recorded %+v", row)
	}
}

// Whatever its dialect calls it, an upstream speaks of our money, never of the client's.
func TestWalk_AnAccountWithoutMoneyInAnyDialect(t *testing.T) {
	t.Parallel()
	for dialectName, answer := range map[string]struct {
		status int
		body   string
	}{
		"openai-chat": {http.StatusTooManyRequests, `{"error":{"type":"insufficient_quota","code":null,"message":"You exceeded your current quota"}}`},
		"anthropic":   {http.StatusBadRequest, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`},
		"gemini":      {http.StatusPaymentRequired, `{"error":{"code":402,"message":"no credit","status":"UNKNOWN"}}`},
		"replicate":   {http.StatusPaymentRequired, `{"title":"Insufficient credit","detail":"no credit"}`},
	} {
		t.Run(dialectName, func(t *testing.T) {
			t.Parallel()
			poor := over("poor", roundTrip(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: answer.status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer.body))}, nil
			}))
			codec, ok := dialect.ByName(dialectName)
			if !ok {
				t.Fatal("no such dialect")
			}
			poor.Speaks[0].Codec, poor.Attempts = codec, 3
			call := newCall(request(t, llm.Chat, plainBody), poor)
			got := listen(t.Context(), call)
			if got.err == nil || got.err.Kind != llm.Unpaid || len(call.Attempts) != 1 || !strings.Contains(got.err.Message, "account behind target poor") {
				t.Errorf("%+v after %d tries", got.err, len(call.Attempts))
			}
			if told := got.err.Told(); told.Kind != llm.Upstream || told.Code != "" {
				t.Errorf("told %+v", told)
			}
		})
	}
}
