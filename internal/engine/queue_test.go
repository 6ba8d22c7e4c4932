//go:build unix

package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func queued(slots, waiting int) *Engine {
	cfg := Default()
	cfg.Slots, cfg.Queue = slots, waiting
	return New(cfg, Installed{}, slog.New(slog.DiscardHandler))
}

func wantLoad(t *testing.T, e *Engine, running, waiting int) {
	t.Helper()
	if r, w := e.Load(); r != running || w != waiting {
		t.Errorf("load is %d running and %d waiting, want %d and %d", r, w, running, waiting)
	}
}

func TestAcquire_RefusesBeyondItsQueue(t *testing.T) {
	t.Parallel()
	e := queued(1, 1)
	first, err := e.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan func())
	go func() {
		release, err := e.Acquire(t.Context())
		if err != nil {
			t.Error(err)
		}
		second <- release
	}()
	eventually(t, "the second one waits", func() bool { _, w := e.Load(); return w == 1 })
	if _, err := e.Acquire(t.Context()); !errors.Is(err, ErrQueueFull) {
		t.Errorf("the third got %v, want ErrQueueFull", err)
	}
	first()
	first() // does nothing
	release := <-second
	wantLoad(t, e, 1, 0)
	release()
	wantLoad(t, e, 0, 0)
}

func TestAcquire_WaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	e := queued(1, 5)
	release, err := e.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client left")
	got := make(chan error)
	go func() { _, err := e.Acquire(ctx); got <- err }()
	eventually(t, "it waits", func() bool { _, w := e.Load(); return w == 1 })
	cancel(gone)
	if err := <-got; !errors.Is(err, gone) {
		t.Errorf("got %v, want the cause", err)
	}
	wantLoad(t, e, 1, 0)
	release()
	if _, err := e.Acquire(ctx); !errors.Is(err, gone) {
		t.Errorf("with a context that ended and a free slot: %v", err)
	}
	wantLoad(t, e, 0, 0)
}

func TestAcquire_QueueOfNoneRefusesAtOnce(t *testing.T) {
	t.Parallel()
	e := queued(1, 0)
	release, err := e.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := e.Acquire(t.Context()); !errors.Is(err, ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
}

func TestConfig_ValidateReportsEverything(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	err := Config{Queue: -1, Server: "/does/not/exist"}.Validate()
	for _, says := range []string{"dir", "model", "context", "slots", "queue", "threads", "start_timeout", "health", "healthy_after", "backoff", "server"} {
		if err == nil || !strings.Contains(err.Error(), "engine: "+says) {
			t.Errorf("no word about %s in: %v", says, err)
		}
	}
}
