// Package engine runs the local model: it pulls the files, starts a child process
// that speaks the HTTP API of llama.cpp's server, watches it and starts it again.
//
// The child may crash without harm; the rest of Fairlead sees one more target at
// Endpoint, and nothing here speaks a dialect. One request's way: Wait until the
// engine is ready, Acquire a slot, talk to Endpoint, release. Nor does it decide
// who may ask or what it costs.
//
// Start at Setup (what is fetched, and from where) and at Engine.Run.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Phase is where the engine's life stands.
type Phase string

// Phases. Failed goes on trying, but nobody should wait for it.
const (
	Stopped    Phase = "stopped"
	Starting   Phase = "starting"
	Ready      Phase = "ready"
	Restarting Phase = "restarting"
	Failed     Phase = "failed"
)

// failedAfter is how many starts in a row may fail before nobody waits any more.
const failedAfter = 3

// sickAfter is how many looks at the engine's health in a row may fail.
const sickAfter = 3

// State is the phase, why it is not Ready, and how often the engine was restarted.
type State struct {
	Phase    Phase
	Reason   string
	Restarts int
}

// UnavailableError says that the engine is down and why.
type UnavailableError struct{ State State }

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("the local engine is %s: %s", e.State.Phase, e.State.Reason)
}

// Engine is one local model. Make it with New, keep it alive with Run.
type Engine struct {
	cfg   Config
	in    Installed
	log   *slog.Logger
	queue *queue
	// health has a client of its own, so that no slow answer holds it up.
	health *http.Client

	mu      sync.Mutex
	state   State
	current *child
	changed chan struct{} // closed at each change of state
}

// New prepares an engine; nothing runs before Run. cfg must be valid.
func New(cfg Config, in Installed, log *slog.Logger) *Engine {
	return &Engine{
		cfg: cfg, in: in, log: log,
		queue:   newQueue(cfg.Slots, cfg.Queue),
		health:  &http.Client{Timeout: cfg.HealthTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		state:   State{Phase: Stopped, Reason: "it was not started"},
		changed: make(chan struct{}),
	}
}

// State is the engine's state now.
func (e *Engine) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Endpoint is where the engine listens, without "/v1", and the key it wants as a
// bearer token. Both change with every restart; ok is false while it is not ready.
func (e *Engine) Endpoint() (baseURL, apiKey string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state.Phase != Ready {
		return "", "", false
	}
	return e.current.url, e.current.key, true
}

// Wait returns once the engine is ready. It gives an *UnavailableError at once
// when the engine is stopped or failed, and when ctx ends.
func (e *Engine) Wait(ctx context.Context) error {
	for {
		e.mu.Lock()
		state, changed := e.state, e.changed
		e.mu.Unlock()
		switch state.Phase {
		case Ready:
			return nil
		case Stopped, Failed:
			return &UnavailableError{state}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(&UnavailableError{state}, context.Cause(ctx))
		}
	}
}

// Run starts the engine and keeps it running until ctx ends, then stops it. It
// returns nil: a model that cannot start is a state, not a reason to stop the
// gateway.
func (e *Engine) Run(ctx context.Context) error {
	defer e.health.CloseIdleConnections()
	defer e.set(nil, func(s *State) { s.Phase, s.Reason = Stopped, "Fairlead is stopping" })
	e.set(nil, func(s *State) { s.Phase, s.Reason = Starting, "the model is being loaded" })
	for failures := 0; ; {
		ran, err := e.runOnce(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if ran >= e.cfg.HealthyAfter {
			failures = 0
		}
		failures++
		wait := e.backoff(failures)
		e.log.Warn("the local engine stopped", "error", err, "ran", ran, "failures", failures, "restart_in", wait)
		e.set(nil, func(s *State) {
			s.Phase, s.Reason = Restarting, err.Error()
			if failures >= failedAfter {
				s.Phase = Failed
			}
			s.Restarts++
		})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// backoff is the pause before a restart, after so many failures in a row.
func (e *Engine) backoff(failures int) time.Duration {
	wait := e.cfg.BackoffMin
	for i := 1; i < failures && wait < e.cfg.BackoffMax; i++ {
		wait *= 2
	}
	return min(wait, e.cfg.BackoffMax)
}

// set changes the state and wakes everyone who waits for that.
func (e *Engine) set(c *child, change func(*State)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = c
	change(&e.state)
	close(e.changed)
	e.changed = make(chan struct{})
}

// runOnce runs one child until it ends, falls ill or ctx ends. ran is how long it
// was ready.
func (e *Engine) runOnce(ctx context.Context) (ran time.Duration, err error) {
	c, err := startChild(e.cfg, e.in, e.log)
	if err != nil {
		return 0, err
	}
	defer c.stop()
	begin := time.Now()
	if err := e.untilReady(ctx, c); err != nil {
		return 0, err
	}
	e.log.Info("the local engine is ready", "model", e.in.ModelName, "after", time.Since(begin).Round(time.Millisecond))
	ready := time.Now()
	e.set(c, func(s *State) { s.Phase, s.Reason = Ready, "" })
	err = e.watch(ctx, c)
	return time.Since(ready), err
}

// untilReady asks until the model is loaded.
func (e *Engine) untilReady(ctx context.Context, c *child) error {
	const poll = 50 * time.Millisecond
	late := time.NewTimer(e.cfg.StartTimeout)
	defer late.Stop()
	for {
		if e.healthy(ctx, c) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.done:
			return c.exit()
		case <-late.C:
			return fmt.Errorf("the engine was not ready after %v; its last words:\n%s", e.cfg.StartTimeout, c.output)
		case <-time.After(poll):
		}
	}
}

// watch returns when the child has ended or no longer answers.
func (e *Engine) watch(ctx context.Context, c *child) error {
	tick := time.NewTicker(e.cfg.HealthEvery)
	defer tick.Stop()
	sick := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.done:
			return c.exit()
		case <-tick.C:
		}
		err := e.healthy(ctx, c)
		if err == nil {
			sick = 0
			continue
		}
		if sick++; sick >= sickAfter {
			return fmt.Errorf("the engine no longer answers: %w", err)
		}
	}
}

// healthy asks the child's /health, which is 200 only with the model loaded. The
// question ends with the child.
func (e *Engine) healthy(ctx context.Context, c *child) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer func() { <-ended }()
	go func() {
		defer close(ended)
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := e.health.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("its health is %s", resp.Status)
	}
	return nil
}
