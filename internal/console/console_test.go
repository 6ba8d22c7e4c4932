package console

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

// sample is one exchange that has everything: two attempts, a task, a loss.
func sample() *exchange.Exchange {
	price := money.Source{Provider: "openai", Model: "gpt-4o", Row: "base", From: "https://example.com/pricing", Date: "2026-11-01"}
	bill := exchange.Bill{
		Usage: money.Tokens{Input: 10, CacheRead: 8, Output: 40, Reasoning: 3},
		Cost:  money.Cost{USD: money.MustParse("0.0000123"), Input: money.MustParse("0.0000023"), Output: money.MustParse("0.00001"), State: money.Known, Price: price},
	}
	return &exchange.Exchange{
		ID: "01M6VZM1VVYQNHF0684KQZEK8Z", Time: time.Date(2026, 11, 7, 21, 46, 18, 875e6, time.UTC),
		Caller: exchange.Caller{Tenant: "default", Project: "shop", KeyID: "config:app", Key: "app"},
		Asked: exchange.Asked{
			Dialect: "openai-chat", Surface: "chat", Model: "assistant", Task: "explain-transfer", TaskID: "task-77", Classes: []string{"wallet"},
			Stream: true, Bytes: 2048, Headers: "User-Agent: OpenAI/Python 3.54.0\nTraceparent: 00-abc",
		},
		Result: exchange.Result{
			Status: exchange.OK, HTTPStatus: 200, Target: "strong", Route: "plan", AnswerID: "chatcmpl-7", Cache: "miss",
			Loss: []string{"logit_bias", "seed"}, Bytes: 4096, Headers: "Content-Type: text/event-stream", ConfigHash: "5f2a9c01d3e4b6a7",
		},
		Bill:    bill,
		Latency: exchange.Latency{Overhead: 110 * time.Microsecond, FirstByte: 210 * time.Millisecond, Total: 412 * time.Millisecond},
		Attempts: []exchange.Attempt{
			{Target: "cheap", Provider: "ollama", Model: "smollm2:135m", Status: exchange.Failed, Kind: "overloaded", Message: "no room", HTTPStatus: 503, Total: 90 * time.Millisecond, Bill: exchange.Bill{Cost: money.Free()}},
			{Seq: 1, Target: "strong", Provider: "openai", Model: "gpt-4o-2024", Status: exchange.OK, HTTPStatus: 200, RequestID: "req_42", Start: 91 * time.Millisecond, TTFT: 119 * time.Millisecond, Total: 321 * time.Millisecond, Bill: bill},
		},
	}
}

// hostile is an exchange whose every text is an attack on a page.
func hostile() *exchange.Exchange {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`
	x := sample()
	x.ID = "01M6VZM1VVYQNHF0684KQZEK90"
	x.Asked.Model, x.Asked.Task, x.Asked.TaskID, x.Caller.Key, x.Caller.Project = evil, evil, evil, evil, evil
	x.Asked.Headers, x.Result.Headers = "User-Agent: "+evil, "Content-Type: "+evil
	x.Asked.Dialect, x.Asked.Surface = evil, evil
	x.Asked.Classes, x.Result.Loss = []string{evil}, []string{evil}
	x.Result.Status, x.Result.Kind, x.Result.Message = exchange.Failed, evil, evil
	x.Result.Target, x.Result.Route, x.Result.AnswerID, x.Result.Cache, x.Result.ConfigHash = evil, evil, evil, evil, evil
	x.Bill.Cost.Price = money.Source{Provider: evil, Model: evil, Row: evil, From: "javascript:alert(3)", Date: evil}
	for i := range x.Attempts {
		a := &x.Attempts[i]
		a.Target, a.Provider, a.Model, a.Kind, a.Message, a.RequestID = evil, evil, evil, evil, evil, evil
	}
	return x
}

func TestPages(t *testing.T) {
	t.Parallel()
	full, empty := emptyRig(t), emptyRig(t)
	full.put(t, sample())
	id := sample().ID
	for _, c := range []struct {
		name, path string
		rig        *rig
		status     int
		want, not  []string
	}{
		{"overview", "/console/?range=1h", full, 200, []string{
			"$0.0000123", "1 request</a> in the last hour", "100&nbsp;%&nbsp;ok", "first byte in 210 ms (p50), p95 not estimable (n = 1)",
			"Requests per minute, UTC", "Spend per minute", "<i>●</i> ready", "restarting", "configured", `href="/console/requests?from=`,
		}, []string{"curl", "failed</a>"}},
		{"overview, day", "/console/", full, 200, []string{"in the last 24 hours", "Requests per hour, UTC", `aria-sort="descending"`}, nil},
		{"overview, month", "/console/?range=30d", full, 200, []string{"Requests per day, UTC", "the last 30 days"}, nil},
		{"overview, sorted", "/console/?sort=-cost", full, 200, []string{`aria-sort="ascending"><a href="/console/?range=24h&amp;sort=cost">Cost USD`}, nil},
		{"overview, empty", "/console/", empty, 200, []string{"No requests in the last 24 hours", "curl http://127.0.0.1:8080/v1/chat/completions", "&#34;model&#34;: &#34;cheap&#34;"}, []string{"<svg class=\"plot\"", "$0"}},
		{"overview, bad range", "/console/?range=1y", full, 400, []string{"`range` must be 1h, 24h, 7d or 30d"}, nil},
		{"overview, bad sort", "/console/?sort=x", full, 400, []string{"click a column"}, nil},
		{"requests", "/console/requests", full, 200, []string{
			"<i>●</i> ok", "assistant</a> → <a", "strong", "explain-transfer", "18 → 43", ">210<", ">412<", "$0.0000123", "1 min ago", "2026-11-07 21:46:18.875 UTC", "/console/live",
		}, []string{"No request has come", "Older"}},
		{"requests, empty", "/console/requests", empty, 200, []string{"No request has come yet", "curl http://"}, nil},
		{"requests, filtered", "/console/requests?status=error", full, 200, []string{"status: <b>failed</b>", "Nothing here"}, []string{"curl", id}},
		{"requests, all filters", "/console/requests?status=ok&target=strong&model=assistant&task=explain-transfer&task_id=task-77&key=app&range=1h", full, 200, []string{
			id, "target: <b>strong</b>", "task id: <b>task-77</b>", "key: <b>app</b>", `value="strong"`, `<option value="ok" selected>`,
		}, []string{"Nothing here"}},
		{"requests, wrong filter", "/console/requests?status=fine", full, 400, []string{"must be ok, error, canceled or cut"}, nil},
		{"requests, out of range", "/console/requests?from=2026-11-08", full, 200, []string{"Nothing here"}, []string{id}},
		{"exchange", "/console/requests/" + id, full, 200, []string{
			"ok</b> in 412 ms from strong at attempt 2, 18 → 43 tokens, <b", "$0.0000123", "input from the cache", "reasoning output",
			"openai <code>gpt-4o</code>, base, from <a href=\"https://example.com/pricing\" rel=\"noreferrer noopener\">", "taken 2026-11-01",
			"overloaded", "no room", "req_42", "OpenAI/Python 3.54.0", "text/event-stream", "logit_bias, seed", "wallet", "5f2a9c01d3e4b6a7", "chatcmpl-7",
			"per output token after the first", "4.81", "0.11 ms", "Where the 412 ms went",
		}, nil},
		{"exchange, none", "/console/requests/nope", full, 404, []string{"no exchange has this id"}, nil},
		{"search, none", "/console/search?q=nope", full, 404, []string{"no exchange has this id"}, nil},
		{"search, nothing asked", "/console/search?q=+", full, 400, []string{"give the id"}, nil},
		{"unknown page", "/console/secrets", full, 404, []string{"there is no GET /console/secrets"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := c.rig.signedIn(t).get(c.path)
			body := res.Body
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("%q is missing in\n%s", want, body)
				}
			}
			for _, not := range append(c.not, adminSecret, plainSecret, "ZgotmplZ", "<no value>", "%!") {
				if strings.Contains(body, not) {
					t.Errorf("%q stands in\n%s", not, body)
				}
			}
			if got := res.Header.Get("Content-Security-Policy"); got != policy {
				t.Errorf("policy %q", got)
			}
			if regexp.MustCompile(`<script>|<style|\sstyle="|\son[a-z]+="`).MatchString(body) {
				t.Error("a script or style stands in the page")
			}
		})
	}
}

func TestPages_RedirectToWhatIsMeant(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	r.put(t, sample())
	v := r.signedIn(t)
	for path, want := range map[string]string{
		"/console/search?q=chatcmpl-7":                               "/console/requests/" + sample().ID,
		"/console/search?q=" + strings.ToLower(sample().ID) + "+":    "/console/requests/" + sample().ID,
		"/console/requests/chatcmpl-7":                               "/console/requests/" + sample().ID,
		"/console/requests?status=&target=strong&model=&task=&key=+": "/console/requests?target=strong",
		"/console/requests?status=":                                  "/console/requests?",
		"/console/login":                                             "/console/",
		"/console/login?next=/console/requests":                      "/console/requests",
	} {
		res := v.get(path)
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%s: %d to %q, want %q", path, res.StatusCode, got, want)
		}
	}
}

func TestPages_EscapeWhatClientsAndUpstreamsSay(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	r.put(t, hostile())
	v := r.signedIn(t)
	evil := url.QueryEscape(hostile().Asked.Model)
	for _, path := range []string{
		"/console/?range=1h", "/console/requests", "/console/requests/" + hostile().ID, "/console/requests?model=" + evil + "&target=" + evil + "&task=" + evil,
		"/console/requests?key=" + evil + "&task_id=" + evil, "/console/plots/requests.svg?range=1h", "/console/" + url.PathEscape(hostile().Asked.Model),
	} {
		body := v.get(path).Body
		for _, not := range []string{"<script>alert", "<img", `"javascript:`, "ZgotmplZ"} {
			if strings.Contains(body, not) {
				t.Errorf("%s: %q stands in\n%s", path, not, body)
			}
		}
	}
	if body := v.get("/console/requests").Body; !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Error("the row is not shown at all")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	x := sample()
	x.Asked.Task = `=HYPERLINK("http://evil.example")`
	r.put(t, x)
	v := r.signedIn(t)
	for _, c := range []struct {
		path, kind string
		want       []string
	}{
		{"/console/requests.csv", "text/csv", []string{"id,time,status", x.ID + ",2026-11-07T21:46:18.875Z,ok,,assistant,strong,\"'=HYPERLINK(", ",18,43,210,412,0.0000123,known\n"}},
		{"/console/requests.csv?status=error", "text/csv", []string{"cost_state\n"}},
		{"/console/requests.json", "application/json", []string{`"id": "` + x.ID + `"`, `"next": null`, `"cost_usd": "0.0000123"`}},
		{"/console/requests.json?status=error", "application/json", []string{`"data": []`}},
		{"/console/requests/" + x.ID + "/json", "application/json", []string{`"attempts": [`, `"req_42"`}},
		{"/console/targets.csv?range=1h", "text/csv", []string{"target,requests,ok", "strong,1,1,0,0,0,18,8,43,0.0000123,0,0,"}},
		{"/console/targets.json?range=24h", "application/json", []string{`"target": "strong"`, `"cost_usd": "0.0000123"`, `"first_byte_p95_ms": null`}},
		{"/console/series.csv?range=24h", "text/csv", []string{"start,requests", "2026-11-07T21:00:00Z,1,1,"}},
		{"/console/series.json?range=30d", "application/json", []string{`"start": "2026-11-07T00:00:00Z"`}},
		{"/console/plots/requests.svg?range=1h", "image/svg+xml", []string{`xmlns="http://www.w3.org/2000/svg"`, "<title>Requests per minute, UTC</title>", "<style>"}},
		{"/console/plots/spend.svg", "image/svg+xml", []string{"Spend per hour"}},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			res := v.get(c.path)
			body := res.Body
			if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(got, c.kind) {
				t.Errorf("%d, %q", res.StatusCode, got)
			}
			if !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
				t.Error("it opens in the page's place")
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("%q is missing in\n%s", want, body)
				}
			}
		})
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	var size int
	for name := range hashed {
		res := (&visitorOf{rig: r}).get(assetURL(name))
		body := res.Body
		if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", name, res.StatusCode, res.Header.Get("Cache-Control"))
		}
		if strings.Contains(body, "http://") && !strings.HasSuffix(name, ".svg") || strings.Contains(body, "https://") {
			t.Errorf("%s names another site", name)
		}
		size += len(body)
	}
	if size >= 40_000 {
		t.Errorf("styles and scripts are %d bytes together; 40 KB is the bound", size)
	}
	t.Logf("%d bytes", size)
	if res := (&visitorOf{rig: r}).get("/console/assets/app-000000000000.css"); res.StatusCode != http.StatusNotFound {
		t.Errorf("an old name answers %d", res.StatusCode)
	}
}

func TestTrouble_StandsAtTheTop(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	err := errors.New("the disk is full")
	r.trouble.Store(&err)
	for _, path := range []string{"/console/", "/console/requests"} {
		body := r.signedIn(t).get(path).Body
		if at := strings.Index(body, "the disk is full"); at < 0 || at > strings.Index(body, "<section") {
			t.Errorf("%s: the trouble stands at %d", path, at)
		}
	}
}

func TestPages_FailCalmly(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	v := r.signedIn(t)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	res := v.get("/console/")
	if body := res.Body; res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "sql:") || !strings.Contains(body, "its log has the detail") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
}

func TestOverview_ComparesWithTheSpanBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		before, cost string
		want, not    string
	}{
		{"more", "0.01", "0.015", "50 % more than in the 24 hours before", ""},
		{"less", "0.01", "0.0097", "3 % less than in the 24 hours before", ""},
		{"the same", "0.01", "0.01", "as much as in the 24 hours before", ""},
		{"much more", "0.01", "0.09", "9 times the 24 hours before", ""},
		{"nothing before", "0", "0.01", "$0.01", "before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := emptyRig(t)
			now := sample()
			old := sample()
			old.ID, old.Time = "01M6S"+old.ID[5:], now.Time.Add(-30*time.Hour)
			now.Time = now.Time.Add(-2 * time.Hour)
			old.Bill.Cost.USD, now.Bill.Cost.USD = money.MustParse(c.before), money.MustParse(c.cost)
			r.put(t, old, now)
			r.clock.Advance(2 * time.Hour)
			body := r.signedIn(t).get("/console/").Body
			if !strings.Contains(body, c.want) || c.not != "" && strings.Contains(body, c.not) {
				t.Errorf("want %q, not %q in\n%s", c.want, c.not, body)
			}
		})
	}
}

func TestOverview_TakesWholeHoursWhereAnHourIsTooMuch(t *testing.T) {
	t.Parallel()
	r := fullRig(t, 1500, 30*time.Minute)
	body := r.signedIn(t).get("/console/?range=1h").Body
	for _, want := range []string{"1,500 requests", "in the last hour and the one before", "Requests per hour"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
}

func TestRequests_PagesByCursor(t *testing.T) {
	t.Parallel()
	r := fullRig(t, 120, time.Hour)
	v := r.signedIn(t)
	seen := map[string]bool{}
	next := "/console/requests?range=24h"
	rows, older := regexp.MustCompile(`<tr id="r-(\w+)">`), regexp.MustCompile(`href="([^"]+)" rel="next"`)
	for pages := 1; ; pages++ {
		body := v.get(next).Body
		for _, m := range rows.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Errorf("%s is there twice", m[1])
			}
			seen[m[1]] = true
		}
		if live := strings.Contains(body, "data-live"); live != (pages == 1) {
			t.Errorf("page %d: live is %v", pages, live)
		}
		m := older.FindStringSubmatch(body)
		if m == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		next = strings.ReplaceAll(m[1], "&amp;", "&")
		if !strings.Contains(next, "range=24h") {
			t.Errorf("the filter is lost: %s", next)
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d rows seen", len(seen))
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	for _, c := range []struct {
		name, key string
		status    int
		want      string
	}{
		{"none", "", 401, "there is no key"},
		{"wrong", "nonsense", 401, "this key is not known here"},
		{"long", strings.Repeat("x", 600), 401, "longer than any key"},
		{"too long for a form", strings.Repeat("x", maxLoginForm+1), 400, "paste the key alone"},
		{"without the scope", plainSecret, 403, "lacks the scope admin"},
		{"right", " " + adminSecret + "\n", 303, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := &visitorOf{rig: r}
			res := v.do(http.MethodPost, "/console/login", url.Values{"key": {c.key}, "next": {"/console/requests?status=ok"}})
			body := res.Body
			if res.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%d\n%s", res.StatusCode, body)
			}
			if (len(v.cookies) > 0) != (c.status == http.StatusSeeOther) {
				t.Errorf("cookies: %v", v.cookies)
			}
			if c.key != "" && strings.Contains(body, c.key) {
				t.Error("the key is in the answer")
			}
			if got := res.Header.Get("Location"); c.status == http.StatusSeeOther && got != "/console/requests?status=ok" {
				t.Errorf("sent to %q", got)
			}
		})
	}
}

func TestSignIn_Cookie(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		secure bool
	}{
		{"plain", func(*http.Request) {}, false},
		{"tls", func(q *http.Request) { q.TLS = &tls.ConnectionState{} }, true},
		{"behind a proxy", func(q *http.Request) { q.Header.Set("X-Forwarded-Proto", "https") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(http.MethodPost, "/console/login", strings.NewReader("key="+adminSecret))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			c.change(req)
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, req)
			k, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
			if err != nil {
				t.Fatal(err)
			}
			if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/console/" || k.MaxAge != 12*3600 || k.Secure != c.secure || len(k.Value) != 43 {
				t.Errorf("%+v", k)
			}
		})
	}
}

func TestSignIn_BoundsWrongTries(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	try := func(key string) int {
		v := &visitorOf{rig: r}
		return v.do(http.MethodPost, "/console/login", url.Values{"key": {key}}).StatusCode
	}
	for range triesPerMin {
		if got := try("wrong"); got != http.StatusUnauthorized {
			t.Fatalf("status %d", got)
		}
	}
	if got := try(adminSecret); got != http.StatusTooManyRequests {
		t.Errorf("after %d wrong keys: %d", triesPerMin, got)
	}
	r.clock.Advance(time.Minute)
	if got := try(adminSecret); got != http.StatusSeeOther {
		t.Errorf("a minute later: %d", got)
	}
}

func TestSafeNext(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"":                                      home,
		"/console/":                             "/console/",
		"/console/requests?status=error&a=b%20": "/console/requests?status=error&a=b%20",
		"/console/requests/01ABC":               "/console/requests/01ABC",
		"https://evil.example/console/":         home,
		"//evil.example/console/":               home,
		"/\\evil.example/console/":              home,
		"/console/\\evil.example":               home,
		"/console/../v1/models":                 home,
		"/console/%2e%2e/v1/models":             home,
		"/console":                              home,
		"/consolex/":                            home,
		"/v1/models":                            home,
		"console/requests":                      home,
		"javascript:alert(1)":                   home,
		"/console/login":                        home,
		"/console/live":                         home,
		"/console/requests\r\nSet-Cookie: a=b":  home,
		"http:/console/":                        home,
		"/console/requests#x":                   "/console/requests",
	} {
		if got := safeNext(next); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

// everyPath is what only those who are signed in may see.
var everyPath = []string{
	"/console/", "/console/requests", "/console/requests.csv", "/console/requests.json", "/console/live", "/console/requests/01ABC", "/console/requests/01ABC/json",
	"/console/search?q=x", "/console/plots/requests.svg", "/console/targets.csv", "/console/targets.json", "/console/series.csv", "/console/series.json", "/console/unknown",
}

func TestEveryPath_AsksWhoComes(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	r.put(t, sample())
	expired := r.signedIn(t)
	r.clock.Advance(sessionLife)
	left := r.signedIn(t)
	old := left.cookies
	left.do(http.MethodPost, "/console/logout", url.Values{})
	left.cookies = old
	for name, v := range map[string]*visitorOf{
		"a stranger":          {rig: r},
		"an invented session": {rig: r, cookies: []*http.Cookie{{Name: sessionCookie, Value: strings.Repeat("A", 43)}}},
		"an expired session":  expired,
		"a signed-out one":    left,
	} {
		for _, path := range everyPath {
			res := v.get(path)
			body := res.Body
			if path == "/console/live" {
				if res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %s answers %d", name, path, res.StatusCode)
				}
			} else if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/console/login") {
				t.Errorf("%s: %s answers %d to %q", name, path, res.StatusCode, to)
			}
			if strings.Contains(body, sample().ID) || strings.Contains(body, "5f2a9c01d3e4b6a7") {
				t.Errorf("%s: %s shows\n%s", name, path, body)
			}
		}
	}
	if to := (&visitorOf{rig: r}).get("/console/requests?status=ok").Header.Get("Location"); to != "/console/login?next=%2Fconsole%2Frequests%3Fstatus%3Dok" {
		t.Errorf("sent to %q", to)
	}
}

func TestSession_EndsWithItsKey(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	v := r.signedIn(t)
	if got := v.get("/console/").StatusCode; got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	r.revoked.Store(true)
	if got := v.get("/console/").StatusCode; got != http.StatusSeeOther {
		t.Errorf("a revoked key's session answers %d", got)
	}
	r.revoked.Store(false)
	if got := v.get("/console/").StatusCode; got != http.StatusSeeOther {
		t.Errorf("it came back: %d", got)
	}
}

func TestSessions_AreBounded(t *testing.T) {
	t.Parallel()
	s, now := newSessions(), storetest.Start
	first := s.begin(sampleCaller, now)
	for i := range maxSessions {
		s.begin(sampleCaller, now.Add(time.Duration(i+1)*time.Millisecond))
	}
	if len(s.byHash) != maxSessions {
		t.Errorf("%d sessions", len(s.byHash))
	}
	if _, ok := s.find(first, now); ok {
		t.Error("the oldest is still there")
	}
	s.begin(sampleCaller, now.Add(2*sessionLife))
	if len(s.byHash) != 1 {
		t.Errorf("%d sessions after all have expired", len(s.byHash))
	}
}

func TestForms_RefuseOtherSites(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sister site", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another origin, old browser", []string{"Origin", "http://evil.example"}, 403},
		{"no origin to tell", []string{"Origin", "null"}, 403},
		{"our own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8080"}, 303},
		{"our own page, old browser", []string{"Origin", "http://127.0.0.1:8080"}, 303},
		{"no browser", nil, 303},
	} {
		for _, path := range []string{"/console/login", "/console/logout"} {
			t.Run(c.name+path, func(t *testing.T) {
				t.Parallel()
				v := r.signedIn(t)
				res := v.do(http.MethodPost, path, url.Values{"key": {adminSecret}}, c.header...)
				if res.StatusCode != c.status {
					t.Errorf("status %d, want %d", res.StatusCode, c.status)
				}
				if got := v.get("/console/").StatusCode; c.status == 403 && got != http.StatusOK {
					t.Errorf("the session is gone: %d", got)
				}
			})
		}
	}
}

func TestLinkFromAnotherSite_OpensOnceMore(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	res := (&visitorOf{rig: r}).get("/console/requests?status=ok", "Sec-Fetch-Site", "cross-site")
	if got := res.Header.Get("Refresh"); res.StatusCode != http.StatusOK || got != "0; url=/console/requests?status=ok" {
		t.Errorf("%d, %q", res.StatusCode, got)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	v := r.signedIn(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if got := v.do(method, "/console/requests", nil).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", method, got)
		}
	}
	if got := v.do(http.MethodHead, "/console/requests", nil).StatusCode; got != http.StatusOK {
		t.Errorf("HEAD: %d", got)
	}
}

func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := assetFiles.ReadFile("assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--(\w+): light-dark\((#\w+), (#\w+)\)`).FindAllStringSubmatch(string(css), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	for theme, i := range map[string]int{"light": 0, "dark": 1} {
		for _, letter := range []string{"text", "dim", "accent", "ok", "warn", "bad"} {
			for _, ground := range []string{"page", "panel", "wash"} {
				if got := contrast(t, colours[letter][i], colours[ground][i]); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", theme, letter, ground, got)
				}
			}
		}
	}
}

// contrast is that of WCAG 2.2, 1.4.3.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 4 {
		hex = fmt.Sprintf("#%c%c%c%c%c%c", hex[1], hex[1], hex[2], hex[2], hex[3], hex[3])
	}
	var c [3]int
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &c[0], &c[1], &c[2]); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	sum := 0.0
	for i, weight := range [...]float64{0.2126, 0.7152, 0.0722} {
		sum += weight * linear(float64(c[i])/255)
	}
	return sum
}

// linear undoes the gamma of sRGB.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}
