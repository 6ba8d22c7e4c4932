// Package enginetests asks model servers that others wrote, through Fairlead: llama.cpp's server, which speaks OpenAI's
// Chat and Completions, Anthropic's Messages and OpenAI's Responses, and Ollama with its native API. LiteLLM's proxy is
// asked beside Fairlead, as a second opinion on translations.
//
// It lies beside sdktests and not in internal/app, since it judges the whole house from outside by code that is not ours:
// it knows addresses, keys and wires (those of the official Go SDKs' types), and none of the codecs. Fairlead runs inside
// the test, so that the race detector sees it; the servers are child processes of this one, on loopback. Start reading at
// TestLlamacpp, then at clients, which says how each dialect asks the same question.
package enginetests

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/app"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	appKey = "app-secret"
	// patience bounds one answer: two busy cores generate ten tokens a second.
	patience = 2 * time.Minute
)

// missing skips a test, or fails it with CI=true.
func missing(t testing.TB, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, arguments...)
	}
	t.Skipf(format, arguments...)
}

// startEngine runs llama.cpp's server with one slot until the test ends, so that one
// answer comes after the other. model "" is the small model that talks.
func startEngine(t testing.TB, model string, tokens int) server {
	t.Helper()
	cfg := engine.Default()
	cfg.Dir, cfg.ContextTokens, cfg.Slots = enginetest.Dir(t), tokens, 1
	if model != "" {
		cfg.Model = model
	}
	in, err := engine.Find(cfg)
	if err != nil {
		missing(t, "%v", err)
	}
	e := engine.New(cfg, in, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine: %v", err)
		}
	})
	wait, stop := context.WithTimeout(t.Context(), cfg.StartTimeout)
	defer stop()
	for err = e.Wait(wait); err != nil; err = e.Wait(wait) {
		if wait.Err() != nil || e.State().Phase == engine.Failed {
			t.Fatal(err)
		}
		runtime.Gosched() // Run has not begun
	}
	url, key, _ := e.Endpoint()
	return newServer(t, url, key)
}

// server is something that answers HTTP: an engine, or Fairlead before it.
type server struct {
	url, key string
	client   *http.Client
}

func newServer(t testing.TB, url, key string) server {
	c := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(c.CloseIdleConnections)
	return server{url, key, c}
}

// open sends a body and gives the answer unread.
func (s server) open(ctx context.Context, path string, body []byte) (*http.Response, error) {
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	return s.client.Do(r)
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (s server) do(t testing.TB, path string, body []byte) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := s.open(ctx, path, body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v after %s", path, err, read)
	}
	return reply{res.StatusCode, res.Header, read}
}

var loadCatalog = sync.OnceValues(catalog.Load)

// startFairlead runs a gateway on a free port until the test ends.
func startFairlead(t testing.TB, yaml string) server {
	t.Helper()
	prices, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	text := "listen: 127.0.0.1:0\ndata: " + t.TempDir() + "\nkeys:\n  - { name: app, secret: " + appKey + " }\n" + yaml
	cfg, err := config.Parse("fairlead.yaml", []byte(text), &config.Sources{
		Providers: prices, Dialects: dialect.Names(), Env: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	a, err := app.New(t.Context(), app.Options{Config: cfg, Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- a.Run(ctx, func(s app.Started) { ready <- s.URL }) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if t.Failed() {
			t.Logf("Fairlead logged:\n%s", log.String())
		}
	}
	select {
	case url := <-ready:
		t.Cleanup(stop)
		return newServer(t, url, appKey)
	case err := <-ended:
		ended <- err
		stop()
		t.Fatal(err)
	}
	return server{}
}
