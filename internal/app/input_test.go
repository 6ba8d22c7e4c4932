package app

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/testkit"
)

func zipped(t testing.TB, s string) string {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestInput_IsRefused(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets+"limits: { body: 64KiB, json_depth: 32 }\n")
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	gz := []string{"Content-Encoding", "gzip"}
	for name, tc := range map[string]struct {
		path    string
		body    string
		headers []string
		status  int
		param   string
		says    string
	}{
		"no body":              {chatPath, "", nil, 400, "", "not valid JSON"},
		"not JSON":             {chatPath, `{"model":`, nil, 400, "", "not valid JSON"},
		"an array":             {chatPath, `[]`, nil, 400, "", "must be a JSON object"},
		"trailing":             {chatPath, asking("one") + "x", nil, 400, "", "not valid JSON"},
		"duplicate":            {chatPath, asking("one", `,"model":"two"`), nil, 400, "", "model"},
		"escaped duplicate":    {chatPath, asking("one", `,"mod\u0065l":"two"`), nil, 400, "", "model"},
		"deep duplicate":       {chatPath, asking("one", `,"x":{"y":[{"z":1,"z":2}]}`), nil, 400, "", `z`},
		"case matters":         {chatPath, `{"Model":"one","messages":[{"role":"user","content":"hi"}]}`, nil, 400, "model", "model is missing"},
		"depth":                {chatPath, asking("one", `,"x":`+deep), nil, 400, "", "nest less"},
		"bad UTF-8":            {chatPath, asking("one", ",\"x\":\"\xff\""), nil, 400, "", "UTF-8"},
		"no messages":          {chatPath, `{"model":"one"}`, nil, 400, "messages", "messages is missing"},
		"empty messages":       {chatPath, `{"model":"one","messages":[]}`, nil, 400, "messages", "must not be empty"},
		"a message is text":    {chatPath, `{"model":"one","messages":["hi"]}`, nil, 400, "messages[0]", "must be an object"},
		"no prompt":            {completionPath, `{"model":"one"}`, nil, 400, "prompt", "prompt is missing"},
		"no input":             {embeddingsPath, `{"model":"embed"}`, nil, 400, "input", "input is missing"},
		"wrong type":           {chatPath, asking("one", `,"stream":"yes"`), nil, 400, "stream", "stream must be"},
		"n":                    {chatPath, asking("one", `,"n":0`), nil, 400, "n", "from 1 to 128"},
		"too large":            {chatPath, asking("one", `,"x":"`+strings.Repeat("x", 65536)+`"`), nil, 413, "", "limits.body"},
		"too large, zipped":    {chatPath, zipped(t, asking("one", `,"x":"`+strings.Repeat("x", 65536)+`"`)), gz, 413, "", "limits.body"},
		"a gzip bomb":          {chatPath, zipped(t, strings.Repeat(" ", 32<<20)), gz, 413, "", "limits.body"},
		"not gzip":             {chatPath, asking("one"), gz, 400, "", "gzip"},
		"half gzip":            {chatPath, zipped(t, asking("one"))[:40], gz, 400, "", "could not be read"},
		"brotli":               {chatPath, asking("one"), []string{"Content-Encoding", "br"}, 400, "", "Content-Encoding"},
		"unknown model":        {chatPath, asking("none"), nil, 404, "model", "GET /v1/models"},
		"unknown header":       {chatPath, asking("one"), []string{"X-Fairlead-Tasks", "x"}, 400, "x-fairlead-tasks", "is not known"},
		"cache":                {chatPath, asking("one"), []string{"X-Fairlead-Cache", "maybe"}, 400, "x-fairlead-cache", `"off" or "refresh"`},
		"deadline":             {chatPath, asking("one"), []string{"X-Fairlead-Deadline-Ms", "1.5"}, 400, "x-fairlead-deadline-ms", "whole milliseconds"},
		"negative deadline":    {chatPath, asking("one"), []string{"X-Fairlead-Deadline-Ms", "-1"}, 400, "x-fairlead-deadline-ms", "whole milliseconds"},
		"max usd":              {chatPath, asking("one"), []string{"X-Fairlead-Max-Usd", "cheap"}, 400, "x-fairlead-max-usd", "amount in USD"},
		"class":                {chatPath, asking("one"), []string{"X-Fairlead-Class", "Wallet!"}, 400, "x-fairlead-class", "data classes"},
		"long task":            {chatPath, asking("one"), []string{"X-Fairlead-Task", strings.Repeat("x", 257)}, 400, "x-fairlead-task", "256"},
		"metadata":             {chatPath, asking("one", `,"metadata":{"fairlead_cache":"maybe"}`), nil, 400, "metadata.fairlead_cache", "off"},
		"metadata number":      {chatPath, asking("one", `,"metadata":{"fairlead_deadline_ms":5}`), nil, 400, "metadata.fairlead_deadline_ms", "must be a string"},
		"metadata unknown":     {chatPath, asking("one", `,"metadata":{"fairlead_tusk":"x"}`), nil, 400, "metadata.fairlead_tusk", "is not known"},
		"input of other sorts": {chatPath, asking("one", `,"tools":[{"function":{}}]`), nil, 400, "tools[0].type", "must be a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.do(t, "POST", tc.path, tc.body, tc.headers...)
			if got.status != tc.status {
				t.Fatalf("%d, want %d: %.300s", got.status, tc.status, got.body)
			}
			f := failure(t, got.body)
			if text(f.Error.Param) != tc.param || !strings.Contains(f.Error.Message, tc.says) || f.Error.Type != "invalid_request_error" {
				t.Errorf("%s", got.body)
			}
			if got.header.Get("X-Should-Retry") != "" || got.header.Get("X-Fairlead-Target") != "" {
				t.Errorf("%v", got.header)
			}
			x := g.of(t, got)
			if x.Result.Status != exchange.Failed || x.Result.HTTPStatus != tc.status || len(x.Attempts) != 0 || !x.Bill.Cost.USD.IsZero() || x.Result.Message != f.Error.Message {
				t.Errorf("recorded %+v", x)
			}
		})
	}
	t.Cleanup(func() {
		if n, _, _ := up.Counts(); n != 0 {
			t.Errorf("%d requests reached the upstream", n)
		}
	})
}

func TestInput_IsTaken(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	big := asking("one", `,"x":"`+strings.Repeat("x", 10<<20)+`"`)
	for name, tc := range map[string]struct {
		body    string
		headers []string
		sent    string // what the upstream gets
	}{
		"10 MB":              {big, nil, strings.Replace(big, `"model":"one"`, `"model":"fake"`, 1)},
		"zipped":             {zipped(t, asking("one")), []string{"Content-Encoding", "GZip"}, asking("fake")},
		"white space":        {" \n" + asking("one") + "\t\n", nil, " \n" + asking("fake") + "\t\n"},
		"unknown fields":     {asking("one", `,"new":{"a":[1e400,"\ud83d\ude80"]}`), nil, asking("fake", `,"new":{"a":[1e400,"\ud83d\ude80"]}`)},
		"tags":               {asking("one", `,"metadata":{"fairlead_task":"t","team":"7"}`), nil, asking("fake", `,"metadata":{"team":"7"}`)},
		"nothing but tags":   {asking("one", `,"metadata":{"fairlead_task":"t","fairlead_task_id":"u"}`), nil, asking("fake")},
		"metadata of theirs": {asking("one", `,"metadata":{"team":"7"}`), nil, asking("fake", `,"metadata":{"team":"7"}`)},
		"by its name":        {asking("one"), []string{"X-Fairlead-Deadline-Ms", "60000", "X-Fairlead-Cache", "off"}, asking("fake")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := testkit.NewUpstream(t)
			g := start(t, up, twoTargets)
			got := g.chat(t, tc.body, tc.headers...)
			if got.status != 200 {
				t.Fatalf("%d %.300s", got.status, got.body)
			}
			if sent := string(up.Last(t).Body); sent != tc.sent {
				t.Errorf("the upstream got %.200s\nwant %.200s", sent, tc.sent)
			}
		})
	}
	got := g.chat(t, asking("one", `,"metadata":{"fairlead_task":"body","fairlead_class":"wallet","fairlead_task_id":"id"}`), "X-Fairlead-Task", "header", "X-Fairlead-Class", "identity")
	x := g.of(t, got)
	if x.Asked.Task != "header" || x.Asked.TaskID != "id" || strings.Join(x.Asked.Classes, ",") != "identity,wallet" {
		t.Errorf("a header outranks the body, classes add up: %+v", x.Asked)
	}
}

func TestInput_50MB(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	body := asking("one", `,"x":"`+strings.Repeat("x", 50<<20)+`"`)
	got := g.chat(t, body)
	if got.status != 413 || text(failure(t, got.body).Error.Code) != "request_too_large" {
		t.Errorf("%d %.300s", got.status, got.body)
	}
	// Without a length the bytes themselves are counted.
	r, err := http.NewRequestWithContext(t.Context(), "POST", g.url+chatPath, struct{ *strings.Reader }{strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", appKey)
	r.ContentLength = -1
	res, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("in chunks: %d", res.StatusCode)
	}
}

func TestKeys_OpenTheDoor(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	for name, tc := range map[string]struct {
		headers []string
		status  int
		says    string
	}{
		"bearer":       {[]string{"Authorization", "Bearer " + appKey}, 200, ""},
		"lower case":   {[]string{"Authorization", "bearer " + appKey}, 200, ""},
		"x-api-key":    {[]string{"Authorization", "", "X-Api-Key", appKey}, 200, ""},
		"google's":     {[]string{"Authorization", "", "X-Goog-Api-Key", appKey}, 200, ""},
		"none":         {[]string{"Authorization", ""}, 401, "there is no key"},
		"wrong":        {[]string{"Authorization", "Bearer app-secre"}, 401, "not known"},
		"basic":        {[]string{"Authorization", "Basic YTpi"}, 401, "there is no key"},
		"endless":      {[]string{"Authorization", "Bearer " + strings.Repeat("x", 600)}, 401, "longer than any key"},
		"wrong, right": {[]string{"Authorization", "Bearer nope", "X-Api-Key", appKey}, 401, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"POST " + chatPath, "GET /v1/models", "GET /v1/exchanges"} {
				method, path, _ := strings.Cut(path, " ")
				got := g.do(t, method, path, asking("one"), tc.headers...)
				if got.status != tc.status {
					t.Fatalf("%s: %d %s", path, got.status, got.body)
				}
				if tc.status == 200 {
					continue
				}
				f := failure(t, got.body)
				if !strings.Contains(f.Error.Message, tc.says) || text(f.Error.Code) != "invalid_api_key" || got.header.Get("Www-Authenticate") == "" {
					t.Errorf("%s: %s", path, got.body)
				}
			}
		})
	}
	for _, path := range []string{"GET /metrics", "GET /api/keys", "POST /api/keys", "GET /api/offers", "GET /api/live", "GET /api/version", "DELETE /api/keys/x"} {
		method, path, _ := strings.Cut(path, " ")
		if got := g.do(t, method, path, ""); got.status != 403 || !strings.Contains(failure(t, got.body).Error.Message, "scope admin") {
			t.Errorf("%s without the scope: %d %s", path, got.status, got.body)
		}
	}
}

func TestRoutes_UnknownOnes(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", chatPath, 405, "POST"}, {"DELETE", "/v1/models", 405, "GET"}, {"PUT", "/api/keys", 405, "GET, POST"},
		{"POST", "/v1/nothing", 404, ""}, {"GET", "/v2/models", 404, ""}, {"POST", "/v1/chat", 404, ""}, {"POST", "/healthz", 405, "GET"},
		{"POST", "/v1/chat/completions/", 404, ""},
	} {
		got := g.do(t, tc.method, tc.path, asking("one"))
		if got.status != tc.status || got.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q: %s", tc.method, tc.path, got.status, got.header.Get("Allow"), got.body)
			continue
		}
		if f := failure(t, got.body); !strings.Contains(f.Error.Message, tc.method) {
			t.Errorf("%s", got.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := g.do(t, "GET", path, "", "Authorization", ""); got.status != 200 || got.body != fmt.Sprintln(`{"status":"ok"}`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
