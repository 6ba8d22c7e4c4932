package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/bench/forwarder"
	"github.com/fairlead/fairlead/bench/load"
	"github.com/fairlead/fairlead/bench/upstream"
	"github.com/fairlead/fairlead/internal/app"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
)

// BenchmarkGateway has Fairlead, the upstream and the load in one process, for
// profiles and for before and after:
//
//	go test ./bench -run xxx -bench Gateway/fairlead/chat -cpuprofile cpu.out
//
// Its ns/op are those of all three together; the ratios that count come from
// `go run ./bench`.
func BenchmarkGateway(b *testing.B) {
	for _, g := range []struct {
		name  string
		start func(testing.TB, string) string
	}{{"forwarder", forwarderHere}, {"fairlead", fairleadHere}} {
		b.Run(g.name, func(b *testing.B) {
			addr := g.start(b, upstreamHere(b))
			for _, sc := range []struct {
				name   string
				ask    upstream.Ask
				prompt int
			}{
				{"chat", upstream.Ask{}, small},
				{"stream66", upstream.Ask{Stream: true, Chunks: chunks}, small},
				{"prompt220KB", upstream.Ask{}, large},
			} {
				b.Run(sc.name, func(b *testing.B) { through(b, addr, sc.ask, sc.prompt) })
			}
		})
	}
}

func through(b *testing.B, addr string, ask upstream.Ask, prompt int) {
	s := spec(ask, prompt, inFlight, inFlight, b.N)
	s.Addr, s.MaxTime = addr, 10*time.Minute
	r, err := load.New(s)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	if warm := r.WarmUp(b.Context()); warm.Failed > 0 {
		b.Fatal(warm.FirstError)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if got := r.Measure(b.Context()); got.Failed > 0 || got.Done != b.N {
		b.Fatalf("%d of %d answered: %s", got.Done, b.N, got.FirstError)
	}
}

// The benchmark is a test as well: each gateway answers each kind of request.
func TestGateways_Answer(t *testing.T) {
	t.Parallel()
	behind := upstreamHere(t)
	for name, addr := range map[string]string{"forwarder": forwarderHere(t, behind), "fairlead": fairleadHere(t, behind)} {
		for _, ask := range []upstream.Ask{{}, {Stream: true, Chunks: chunks}} {
			s := spec(ask, large, 4, 0, 20)
			s.Addr = addr
			r, err := load.New(s)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Measure(t.Context())
			r.Close()
			if got.Done != 20 {
				t.Errorf("%s answered %d of 20, stream %t: %s", name, got.Done, ask.Stream, got.FirstError)
			}
		}
	}
}

func upstreamHere(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error { return upstream.Serve(ctx, l) })
	return l.Addr().String()
}

func forwarderHere(t testing.TB, behind string) string {
	t.Helper()
	s := httptest.NewServer(forwarder.Handler(&url.URL{Scheme: "http", Host: behind}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func fairleadHere(t testing.TB, behind string) string {
	t.Helper()
	prices, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fairlead.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, filepath.Join(dir, "data"), behind, benchKey), 0o600); err != nil {
		t.Fatal(err)
	}
	from := config.System(prices)
	cfg, err := config.Load(file, from)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Config: cfg, Sources: from, Version: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	ready := make(chan string, 1)
	ended := background(t, func(ctx context.Context) error {
		return a.Run(ctx, func(s app.Started) { ready <- s.URL })
	})
	select {
	case u := <-ready:
		return strings.TrimPrefix(u, "http://")
	case <-ended:
		t.Fatal("Fairlead ended at its start")
		return ""
	}
}

// background runs f until the test ends, and waits for it.
func background(t testing.TB, f func(context.Context) error) (ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return done
}
