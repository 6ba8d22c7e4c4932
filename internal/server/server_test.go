package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/pipeline"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const ours, theirs = "https://app.example.com", "https://evil.example.com"
	for name, tc := range map[string]struct {
		origins []string
		method  string
		path    string
		origin  string
		asked   string // Access-Control-Request-Method
		status  int
		allowed string
	}{
		"configured":               {[]string{ours}, "GET", "/v1/models", ours, "", 200, ours},
		"another":                  {[]string{ours}, "GET", "/v1/models", theirs, "", 200, ""},
		"any":                      {[]string{"*"}, "GET", "/v1/models", theirs, "", 200, theirs},
		"none configured":          {nil, "GET", "/v1/models", ours, "", 200, ""},
		"no browser":               {[]string{ours}, "GET", "/v1/models", "", "", 200, ""},
		"preflight":                {[]string{ours}, "OPTIONS", "/v1/chat/completions", ours, "POST", 204, ours},
		"preflight of another":     {[]string{ours}, "OPTIONS", "/v1/chat/completions", theirs, "POST", 405, ""},
		"preflight, none":          {nil, "OPTIONS", "/v1/chat/completions", ours, "POST", 405, ""},
		"OPTIONS without a method": {[]string{ours}, "OPTIONS", "/v1/chat/completions", ours, "", 405, ours},
		"an error is readable too": {[]string{ours}, "GET", "/v1/nothing", ours, "", 404, ours},
		"never the admin API":      {[]string{ours}, "GET", "/api/keys", ours, "", 0, ""},
		"nor its preflight":        {[]string{"*"}, "OPTIONS", "/api/keys", ours, "POST", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(well)
			r.cfg.CORSOrigins = tc.origins
			r.rooms.Keys = nil
			base, client := r.serve(t)
			if tc.status == 0 { // without a key: what matters is the header
				tc.status = 401
			}
			headers := []string{"Origin", tc.origin, "Access-Control-Request-Method", tc.asked, "Access-Control-Request-Headers", "authorization,x-stainless-os"}
			if tc.status == 401 {
				headers = append(headers, "Authorization", "Bearer wrong")
			}
			res, body := do(t, client, tc.method, base+tc.path, "", headers...)
			if res.StatusCode != tc.status || res.Header.Get("Access-Control-Allow-Origin") != tc.allowed {
				t.Fatalf("%d, allowed %q: %s", res.StatusCode, res.Header.Get("Access-Control-Allow-Origin"), body)
			}
			if res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("cookies are never allowed")
			}
			if tc.status == 204 && (res.Header.Get("Access-Control-Allow-Headers") != "authorization,x-stainless-os" || !strings.Contains(res.Header.Get("Access-Control-Allow-Methods"), "POST") || res.Header.Get("Access-Control-Max-Age") != "600") {
				t.Errorf("preflight: %v", res.Header)
			}
			if varies := res.Header.Get("Vary") == "Origin"; varies != (tc.origins != nil && tc.origin != "" && strings.HasPrefix(tc.path, "/v1/")) {
				t.Errorf("Vary %q", res.Header.Get("Vary"))
			}
			if tc.allowed != "" && tc.method == "GET" && !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "X-Fairlead-Id") {
				t.Errorf("exposed: %q", res.Header.Get("Access-Control-Expose-Headers"))
			}
		})
	}
}

func TestCORS_OnlyTheConfiguredHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(well)
	r.cfg.CORSOrigins, r.cfg.CORSHeaders = []string{"*"}, []string{"authorization", "content-type"}
	base, client := r.serve(t)
	res, body := do(t, client, "OPTIONS", base+"/v1/chat/completions", "", "Origin", "https://app.example.com",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-evil")
	if got := res.Header.Get("Access-Control-Allow-Headers"); res.StatusCode != 204 || got != "authorization, content-type" {
		t.Errorf("%d, allowed %q: %s", res.StatusCode, got, body)
	}
}

func TestServer_APanicCostsOneRequest(t *testing.T) {
	t.Parallel()
	r := newRig(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Idempotency-Key") == "boom" {
			panic("boom in a room")
		}
		return well(r)
	})
	r.rooms.Console = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half a pa")) // then it ends
		panic("boom in a page")
	})
	base, client := r.serve(t)
	for _, broken := range []struct{ method, path, body string }{{"POST", "/v1/chat/completions", plainBody}, {"GET", "/console/", ""}} {
		req, err := http.NewRequestWithContext(t.Context(), broken.method, base+broken.path, strings.NewReader(broken.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", secret)
		req.Header.Set("Idempotency-Key", "boom")
		res, err := client.Do(req)
		if err == nil {
			var buf [64]byte
			_, err = res.Body.Read(buf[:])
			for err == nil {
				_, err = res.Body.Read(buf[:])
			}
			_ = res.Body.Close()
			if err.Error() == "EOF" {
				t.Errorf("%s: an answer that broke off looks whole", broken.path)
			}
		}
	}
	if x := <-r.rows; x.Result.Status != exchange.Failed || x.Result.Kind != "internal" || x.Result.HTTPStatus != 500 {
		t.Errorf("recorded %+v", x.Result)
	}
	if log := r.log.String(); !strings.Contains(log, "boom in a room") || !strings.Contains(log, "boom in a page") || !strings.Contains(log, "stack=") {
		t.Errorf("logged %s", log)
	}
	if res, body := do(t, client, "POST", base+"/v1/chat/completions", plainBody); res.StatusCode != 200 {
		t.Errorf("the next request: %d %s", res.StatusCode, body)
	}
}

// A client that closes its half of the connection is gone, and what it may still read
// must not look like an answer.
func TestServer_AHangUpIsNotAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	base, _ := r.serve(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(plainBody), plainBody)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if read, err := io.ReadAll(conn); err != nil || len(read) > 0 {
		t.Errorf("%v, read %q", err, read)
	}
	if x := <-r.rows; x.Result.Status != exchange.Canceled || x.Result.HTTPStatus != pipeline.StatusClientGone {
		t.Errorf("recorded %+v", x.Result)
	}
}

func TestServer_Ready(t *testing.T) {
	t.Parallel()
	r := newRig(well)
	r.rooms.Ready = func() error { return errors.New("the disk is full") }
	base, client := r.serve(t)
	if res, body := do(t, client, "GET", base+"/readyz", "", "Authorization", ""); res.StatusCode != 503 || !strings.Contains(body, `"reason":"the disk is full"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, _ := do(t, client, "GET", base+"/healthz", "", "Authorization", ""); res.StatusCode != 200 {
		t.Errorf("%d: the process itself is well", res.StatusCode)
	}
}

func TestServer_LiveShowsWhatIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(well)
	base, client := r.serve(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/api/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", secret)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r.rooms.Ledger.Record(&exchange.Exchange{ID: "x1", Result: exchange.Result{Status: exchange.OK}})
	lines := bufio.NewScanner(res.Body)
	var read []string
	for len(read) < 3 && lines.Scan() {
		read = append(read, lines.Text())
	}
	if got := strings.Join(read, "\n"); !strings.HasPrefix(got, "event: exchange\ndata: {\"id\":\"x1\"") || !strings.HasSuffix(got, "}\n") {
		t.Errorf("read %q", got)
	}
	r.rooms.Ledger.Live().Close()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("the view goes on after the end: %q, %v", lines.Text(), lines.Err())
	}
}

func TestMetrics_Count(t *testing.T) {
	t.Parallel()
	r := newRig(well)
	m := NewMetrics(r.rooms.Ledger)
	r.rooms.Metrics = m.Handler()
	base, client := r.serve(t)
	x := &exchange.Exchange{
		Asked:    exchange.Asked{Surface: "chat"},
		Result:   exchange.Result{Status: exchange.OK, Target: "m", Loss: []string{"tools"}},
		Bill:     exchange.Bill{Usage: money.Tokens{Input: 5, CacheRead: 2, Output: 7}, Cost: money.Cost{USD: money.MustParse("0.25"), State: money.Known}},
		Latency:  exchange.Latency{FirstByte: 3e6, Total: 9e6, Overhead: 1e5},
		Attempts: []exchange.Attempt{{Target: "m", Status: exchange.OK}},
	}
	m.Observe(x)
	m.Observe(x)
	_, body := do(t, client, "GET", base+"/metrics", "")
	for _, want := range []string{
		`fairlead_exchanges_total{status="ok",surface="chat",target="m"} 2`, `fairlead_attempts_total{status="ok",target="m"} 2`,
		`fairlead_tokens_total{class="input",target="m"} 10`, `fairlead_tokens_total{class="cache_read",target="m"} 4`, `fairlead_tokens_total{class="output",target="m"} 14`,
		`fairlead_cost_usd_total{state="known",target="m"} 0.5`, `fairlead_loss_total{field="tools",target="m"} 2`,
		`fairlead_duration_seconds_bucket{surface="chat",target="m",le="0.01"} 2`, `fairlead_first_byte_seconds_count{surface="chat",target="m"} 2`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
}

func TestSurfaces_EachHasItsCodec(t *testing.T) {
	t.Parallel()
	names := []string{"openai-chat", "gemini", "anthropic", "ollama"} // that shared paths fall to
	for _, at := range surfaces {
		names = append(names, at.dialect)
	}
	for _, name := range names {
		if c := codecOf(name); c == nil || c.Decode == nil || c.WriteAnswer == nil || c.AppendError == nil {
			t.Errorf("clients of %s cannot be served", name)
		}
	}
}
