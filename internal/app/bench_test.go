package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
)

// canned answers every call at once, without a network: what is left is what
// Fairlead itself costs.
type canned struct {
	contentType string
	body        []byte
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {c.contentType}},
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: r,
	}, nil
}

func benchApp(b *testing.B, answer canned) http.Handler {
	b.Helper()
	dir := b.TempDir()
	path := filepath.Join(dir, "fairlead.yaml")
	text := "data: data\ntargets:\n  up: { provider: openai, model: gpt-4o, key: x }\nmodels:\n  m: { plan: [up] }\nkeys: [{ name: app, secret: sesame }]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	prices, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Load(path, config.System(prices))
	if err != nil {
		b.Fatal(err)
	}
	a, err := New(context.Background(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	target := *a.house.Load().Targets["up"]
	target.Transport = answer
	a.house.Load().Targets["up"] = &target
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.ledger.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		_ = <-done // Close says what went wrong
		if err := a.Close(); err != nil {
			b.Error(err)
		}
	})
	return a.Handler()
}

// BenchmarkGateway is the cost of one request without sockets.
func BenchmarkGateway(b *testing.B) {
	plain := canned{"application/json", []byte(`{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("word ", 300) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":400,"completion_tokens":300,"total_tokens":700}}`)}
	var stream bytes.Buffer
	for i := range 66 {
		fmt.Fprintf(&stream, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token%d\"},\"finish_reason\":null}]}\n\n", i)
	}
	stream.WriteString("data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":66,\"total_tokens\":70}}\n\ndata: [DONE]\n\n")
	for _, bc := range []struct {
		name   string
		prompt int
		extra  string
		answer canned
	}{
		{"plain 2 KB", 2 << 10, "", plain},
		{"stream of 66", 2 << 10, `,"stream":true`, canned{"text/event-stream", stream.Bytes()}},
		{"prompt 220 KB", 220 << 10, "", plain},
	} {
		b.Run(bc.name, func(b *testing.B) {
			handler := benchApp(b, bc.answer)
			body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("a quick brown fox, ", bc.prompt/19) + `"}]` + bc.extra + `}`
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer sesame")
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
