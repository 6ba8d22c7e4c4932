package app

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

// wrong is a way of an upstream to fail and what the client of a lone target sees.
type wrong struct {
	behavior string
	status   int
	kind     string // type of the error
	code     string
	says     string
	fallback bool
	headers  string // of interest, "name: value" joined by "; "
}

var wrongs = []wrong{
	{"reset", 502, "upstream_error", "upstream_error", "could not be reached or broke off", true, "X-Should-Retry: false"},
	{"status=400", 400, "invalid_request_error", "invalid_request_error", "The fake upstream says 400.", false, ""},
	{"status=401", 502, "upstream_error", "upstream_error", "refused the key that Fairlead has for target one", true, "X-Should-Retry: false"},
	{"status=402", 502, "upstream_error", "upstream_error", "the account behind target one has no money", true, "X-Should-Retry: false"},
	{testkit.Body("application/json", `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":null}}`) + ",status=429", 502, "upstream_error", "upstream_error", "the account behind target one has no money", true, "X-Should-Retry: false"},
	{"status=403", 502, "upstream_error", "upstream_error", "The fake upstream says 403.", true, "X-Should-Retry: false"},
	{"status=404", 502, "upstream_error", "upstream_error", "The fake upstream says 404.", true, "X-Should-Retry: false"},
	{"status=413", 413, "invalid_request_error", "request_too_large", "The fake upstream says 413.", true, ""},
	{"status=422", 422, "invalid_request_error", "invalid_request_error", "The fake upstream says 422.", false, ""},
	{"status=429", 429, "rate_limit_error", "rate_limit_exceeded", "The fake upstream says 429.", true, ""},
	{"status=429,retry-after=17", 429, "rate_limit_error", "rate_limit_exceeded", "The fake upstream says 429.", true, "Retry-After: 17"},
	{"status=500", 502, "upstream_error", "server_error", "The fake upstream says 500.", true, "X-Should-Retry: false"},
	{"status=503", 503, "overloaded_error", "overloaded", "The fake upstream says 503.", true, "X-Should-Retry: false"},
	{"status=503,retry-after=2", 503, "overloaded_error", "overloaded", "The fake upstream says 503.", true, "Retry-After: 2; X-Should-Retry: false"},
	{"garbage", 502, "upstream_error", "", "not a JSON object", true, "X-Should-Retry: false"},
	{"html", 502, "upstream_error", "upstream_error", "text/html", true, "X-Should-Retry: false"},
	{"status=502,html", 502, "upstream_error", "upstream_error", "HTTP status 502", true, "X-Should-Retry: false"},
	{"empty", 502, "upstream_error", "", "upstream", true, "X-Should-Retry: false"},
	{"type=text/plain", 502, "upstream_error", "upstream_error", "text/plain", true, "X-Should-Retry: false"},
	{"redirect", 502, "upstream_error", "upstream_error", "HTTP status 307", true, "X-Should-Retry: false"},
	{"redirect=http://169.254.169.254/", 502, "upstream_error", "upstream_error", "HTTP status 307", true, "X-Should-Retry: false"},
	{testkit.Body("application/json", `{"error":{"message":"32 is too many","type":"exceed_context_size_error","code":400}}`) + ",status=400", 400, "invalid_request_error", "context_length_exceeded", "32 is too many", true, ""},
	{testkit.Body("application/json", `{"id":"x","choices":[{"index":0,"message":{"content":"half"},"finish_reason":null}]}`), 502, "upstream_error", "", "", true, "X-Should-Retry: false"},
}

func TestErrors_BeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for _, tc := range wrongs {
		for _, stream := range []string{"", streamed} {
			t.Run(tc.behavior+stream, func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				got := g.chat(t, asking("one", stream, behaving(tc.behavior)))
				if got.status != tc.status || got.header.Get("Content-Type") != "application/json" {
					t.Fatalf("%d %s: %s", got.status, got.header.Get("Content-Type"), got.body)
				}
				f := failure(t, got.body)
				if f.Error.Type != tc.kind || tc.code != "" && text(f.Error.Code) != tc.code || stream == "" && !strings.Contains(f.Error.Message, tc.says) {
					t.Errorf("%s", got.body)
				}
				var headers []string
				for _, name := range []string{"Retry-After", "X-Should-Retry"} {
					if v := got.header.Get(name); v != "" {
						headers = append(headers, name+": "+v)
					}
				}
				if has := strings.Join(headers, "; "); has != tc.headers {
					t.Errorf("headers %q, want %q", has, tc.headers)
				}
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				x := g.of(t, got)
				if x.Result.Status != exchange.Failed || x.Result.HTTPStatus != tc.status || x.Result.Message != f.Error.Message || x.Result.Target != "one" || len(x.Attempts) != 1 {
					t.Errorf("recorded %+v", x)
				}
				if a := x.Attempts[0]; a.Status != exchange.Failed || a.Kind != x.Result.Kind || a.Kind == "" || x.Bill.Cost.State == money.Unknown {
					t.Errorf("recorded %+v", x)
				}
				g.fallsBack(t, tc, stream)
			})
		}
	}
}

func (g *gateway) fallsBack(t *testing.T, tc wrong, stream string) {
	t.Helper()
	begun := time.Now()
	got := g.chat(t, asking("both", stream, behaving(tc.behavior)))
	if !tc.fallback {
		if got.status != tc.status || got.header.Get("X-Fairlead-Target") != "one" {
			t.Errorf("with a second target: %d %s", got.status, got.body)
		}
		return
	}
	if got.status != 200 || !strings.Contains(got.body, "second") || got.header.Get("X-Fairlead-Target") != "two" {
		t.Errorf("with a second target: %d %s", got.status, got.body)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("with a second target it took %s", took)
	}
	x := g.of(t, got)
	if x.Result.Status != exchange.OK || x.Result.Kind != "" || len(x.Attempts) != 2 || x.Attempts[0].Kind == "" || x.Attempts[1].Kind != "" {
		t.Errorf("recorded %+v", x)
	}
	sum := money.Amount{}
	for _, a := range x.Attempts {
		sum = sum.Add(a.Bill.Cost.USD)
	}
	if !sum.Equal(x.Bill.Cost.USD) {
		t.Errorf("the attempts cost %s, the exchange %s", sum, x.Bill.Cost.USD)
	}
}

func TestErrors_WithinAStream(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	for behavior, want := range map[string]struct {
		says, code string
	}{
		"error-event=3":                  {"failed in the middle", "server_error"},
		"error-event=3,error-name=error": {"failed in the middle", "server_error"},
		"garbage-event=3":                {"not a JSON object", "upstream_error"},
		"cut-event=3":                    {"without a stop reason", "stream_cut"},
		"cut-event=3,rst":                {"", ""}, // a reset may also swallow what came before
		"cut-event=3,cut-frame":          {"", ""},
		"no-finish":                      {"without a stop reason", "stream_cut"},
		"no-finish,no-done":              {"without a stop reason", "stream_cut"},
		"duplicate,no-finish":            {"", ""},
		"cut-event=4,gzip":               {"", ""},
		"cut-event=3,pings,crlf,fields":  {"without a stop reason", "stream_cut"},
	} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			got := g.chat(t, asking("both", streamed, behaving(behavior)))
			if strings.Contains(got.body, "second") && !strings.Contains(got.body, "Ahoy") {
				return // nothing had been sent yet: the other target answered
			}
			if got.status != 200 || got.err != nil {
				t.Fatalf("%d %v: a stream that began ends as one", got.status, got.err)
			}
			mustHold(t, got.body, []string{"Ahoy", want.says, `data: {"error":{"message":`}, []string{"[DONE]", "second", `"finish_reason":"stop"`})
			events := testkit.EventData([]byte(got.body))
			f := failure(t, string(events[len(events)-1]))
			if want.code != "" && text(f.Error.Code) != want.code {
				t.Errorf("code %q, want %q", text(f.Error.Code), want.code)
			}
			if strings.Count(got.body, "Ahoy") != 1 {
				t.Error("text was repeated")
			}
			x := g.of(t, got)
			if x.Result.Status != exchange.Cut || x.Result.HTTPStatus != 200 || x.Result.Message != f.Error.Message || len(x.Attempts) != 1 || x.Attempts[0].Status != exchange.Cut {
				t.Errorf("recorded %+v", x)
			}
			state := money.Estimated
			if strings.Contains(behavior, "no-finish") {
				state = money.Known // its usage did come
			}
			if x.Bill.Cost.State != state || x.Bill.Usage.Output == 0 || x.Bill.Usage.Input == 0 {
				t.Errorf("billed %+v", x.Bill)
			}
		})
	}
}

// The room itself is held against every offset of a stream in internal/upstream; here
// real connections break.
func TestErrors_ConnectionsCutAnywhere(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	whole := g.chat(t, asking("one", streamed, behaving("say=Ahoy")))
	for _, how := range []string{"cut", "end"} {
		for at := 1; at < len(whole.body)+250; at += 61 {
			behavior := how + "=" + strconv.Itoa(at) + ",say=Ahoy"
			got := g.chat(t, asking("one", streamed, behaving(behavior)))
			x := g.of(t, got)
			switch {
			case got.status != 200:
				if got.status != 502 || x.Result.Status != exchange.Failed {
					t.Errorf("%s: %d, %s", behavior, got.status, x.Result.Status)
				}
				failure(t, got.body)
			case x.Result.Status == exchange.OK:
				mustHold(t, got.body, []string{"Ahoy", `"finish_reason":"stop"`, "[DONE]"}, []string{`"error"`})
			default:
				if x.Result.Status != exchange.Cut {
					t.Errorf("%s: recorded %s", behavior, x.Result.Status)
				}
				mustHold(t, got.body, []string{"Ahoy", `data: {"error":`}, []string{"[DONE]", `"finish_reason":"stop"`})
			}
		}
	}
}

func TestErrors_Unreachable(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	got := g.chat(t, asking("dead"))
	mustHold(t, got.body, []string{"could not be reached"}, []string{"127.0.0.1", "connection refused"})
	if got.status != 502 || got.header.Get("X-Should-Retry") != "false" || got.header.Get("X-Fairlead-Target") != "dead" {
		t.Errorf("%d %v", got.status, got.header)
	}
	x := g.of(t, got)
	if x.Bill.Cost.State != money.Known || !x.Bill.Cost.USD.IsZero() {
		t.Errorf("billed %+v", x.Bill)
	}
	if !strings.Contains(g.log.String(), "connection refused") {
		t.Errorf("the log does not say why: %s", g.log)
	}
}

func TestErrors_TheLastOneDecides(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, `
targets:
  busy: { provider: openai-compatible, base_url: UPSTREAM, model: "fake:status=429,retry-after=9", retry: { attempts: 1 } }
  down: { provider: openai-compatible, base_url: "http://127.0.0.1:1/v1", model: fake, retry: { attempts: 1 } }
  slow: { provider: openai-compatible, base_url: UPSTREAM, model: "fake:hold", retry: { attempts: 1 }, timeouts: { first_event: 50ms } }
models:
  a: { plan: [busy, down] }
  b: { plan: [down, busy] }
  c: { plan: [busy, slow] }
`)
	for model, want := range map[string]int{"a": 502, "b": 429, "c": 504} {
		if got := g.chat(t, asking(model)); got.status != want || len(g.of(t, got).Attempts) != 2 {
			t.Errorf("%s: %d %s, want %d", model, got.status, got.body, want)
		}
	}
	got := g.chat(t, asking("slow", streamed), "X-Fairlead-Deadline-Ms", "20")
	if got.status != 504 || text(failure(t, got.body).Error.Code) != "timeout" {
		t.Errorf("past its deadline: %d %s", got.status, got.body)
	}
}
