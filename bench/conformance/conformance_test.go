package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
)

// gateway answers clients of every dialect with the kit's own text.
func gateway(t *testing.T, change func(answer []byte) []byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for name, path := range surfaces {
			if path == r.URL.Path {
				answer(w, name, change, strings.Contains(string(body), `"stream":true`))
			}
		}
		if strings.HasPrefix(r.URL.Path, "/v1beta/models/m:") {
			answer(w, "gemini", change, strings.Contains(r.URL.Path, "stream"))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, name string, change func([]byte) []byte, stream bool) {
	codec, _ := dialect.ByName(name)
	say := dialecttest.Plain
	if stream {
		say = dialecttest.Streamed
	}
	out, _ := say(codec, dialecttest.ReplyFeatures[0])
	_, _ = w.Write(change(out))
}

func check(t *testing.T, change func([]byte) []byte) []result {
	t.Helper()
	o := options{url: gateway(t, change).URL, dialects: clients(), models: []model{{"m", "m"}}, features: []string{"text"}, timeout: 10 * time.Second}
	return checkAll(t.Context(), &o)
}

func TestConformance_FindsNothingWrongWithSoundAnswers(t *testing.T) {
	t.Parallel()
	results := check(t, func(b []byte) []byte { return b })
	if len(results) != 2*len(clients()) {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if len(r.Problems) > 0 || r.Stop != "end" || r.Input == 0 {
			t.Errorf("%+v", r)
		}
	}
	if table := markdown(results); strings.Count(table, "✓") != len(results) {
		t.Error(table)
	}
}

func TestConformance_NoticesAnswersThatAreCut(t *testing.T) {
	t.Parallel()
	for _, r := range check(t, func(b []byte) []byte { return b[:len(b)/2] }) {
		if len(r.Problems) == 0 {
			t.Errorf("%+v", r)
		}
	}
}
