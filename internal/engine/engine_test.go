//go:build unix

package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/engine/enginetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		runHelper(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// client keeps no connections, so that none outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// tinyConfig is an engine with the tiny model, quick to fail and to start again.
func tinyConfig(t testing.TB) (Config, Installed) {
	t.Helper()
	cfg := Default()
	cfg.Dir = enginetest.Dir(t)
	in, err := Find(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = t.TempDir()
	cfg.ContextTokens, cfg.Slots, cfg.Threads = 32768, 2, 1
	cfg.BackoffMin, cfg.BackoffMax = time.Millisecond, 10*time.Millisecond
	in.Model, in.ModelName = filepath.Join(cfg.Dir, "tiny.gguf"), "tiny"
	enginetest.WriteModel(t, in.Model)
	return cfg, in
}

// run runs an engine until the test ends, and waits until it is ready.
func run(t testing.TB, cfg Config, in Installed) *Engine {
	t.Helper()
	e := runUnready(t, cfg, in)
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func runUnready(t testing.TB, cfg Config, in Installed) *Engine {
	t.Helper()
	e := New(cfg, in, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if s := e.State(); s.Phase != Stopped {
			t.Errorf("after Run the state is %v", s)
		}
	})
	eventually(t, "it starts", func() bool { return e.State().Phase != Stopped })
	return e
}

// eventually polls for what nobody sends an event about: another process.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// ask sends a request to the engine. The caller closes the body.
func ask(ctx context.Context, t testing.TB, e *Engine, path string, body any) *http.Response {
	t.Helper()
	url, key, ok := e.Endpoint()
	if !ok {
		t.Fatalf("no endpoint: %+v", e.State())
	}
	var b bytes.Buffer
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url+path, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

type object map[string]any

func prompt(text string, more object) object {
	o := object{"messages": []object{{"role": "user", "content": text}}}
	maps.Copy(o, more)
	return o
}

// answer is the text and the reason of a plain chat answer.
func answer(t testing.TB, e *Engine, body object) (text, finish string) {
	t.Helper()
	resp := ask(t.Context(), t, e, "/v1/chat/completions", body)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s (%v)", resp.Status, b, err)
	}
	var a struct {
		Choices []struct {
			Finish  string `json:"finish_reason"`
			Message struct{ Content string }
		}
	}
	if err := json.Unmarshal(b, &a); err != nil || len(a.Choices) != 1 {
		t.Fatalf("%s (%v)", b, err)
	}
	return a.Choices[0].Message.Content, a.Choices[0].Finish
}

// long is a request whose answer takes many seconds.
func long() object {
	return prompt("hi", object{"stream": true, "max_tokens": 30000, "ignore_eos": true})
}

//nolint:paralleltest,tparallel // one engine: the subtests count its slots and its seeds
func TestEngine_Answers(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	e := run(t, cfg, in)

	t.Run("the same seed the same, another seed another", func(t *testing.T) {
		first, _ := answer(t, e, prompt("hi", object{"seed": 4, "max_tokens": 40, "ignore_eos": true}))
		again, _ := answer(t, e, prompt("hi", object{"seed": 4, "max_tokens": 40, "ignore_eos": true}))
		other, _ := answer(t, e, prompt("hi", object{"seed": 5, "max_tokens": 40, "ignore_eos": true}))
		if first != again || first == other {
			t.Errorf("seed 4 gave %q and %q, seed 5 %q", first, again, other)
		}
	})
	t.Run("stop sequences stop", func(t *testing.T) {
		whole, _ := answer(t, e, prompt("hi", object{"seed": 4, "max_tokens": 100, "ignore_eos": true}))
		at := strings.IndexFunc(whole[3:], func(r rune) bool { return r > ' ' && r < 0x7f }) + 3
		stop := whole[at : at+1]
		text, finish := answer(t, e, prompt("hi", object{"seed": 4, "max_tokens": 100, "ignore_eos": true, "stop": []string{stop}}))
		if want, _, _ := strings.Cut(whole, stop); text != want || finish != "stop" {
			t.Errorf("got %q (%s), want %q (stop)", text, finish, want)
		}
	})
	t.Run("a JSON schema is obeyed by random weights", func(t *testing.T) {
		schema := object{
			"type": "object", "required": []string{"kind", "n"}, "additionalProperties": false,
			"properties": object{"kind": object{"enum": []string{"buy", "sell"}}, "n": object{"type": "integer", "minimum": 0, "maximum": 99}},
		}
		for seed := range 5 {
			text, finish := answer(t, e, prompt("hi", object{
				"seed": seed, "max_tokens": 500,
				"response_format": object{"type": "json_schema", "json_schema": object{"name": "order", "schema": schema}},
			}))
			var got struct {
				Kind string
				N    *int
			}
			d := json.NewDecoder(strings.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&got); err != nil || finish != "stop" || got.N == nil || (got.Kind != "buy" && got.Kind != "sell") {
				t.Errorf("seed %d: %q (%s): %v", seed, text, finish, err)
			}
		}
	})
	t.Run("too long a prompt is refused with both sizes", func(t *testing.T) {
		resp := ask(t.Context(), t, e, "/v1/chat/completions", prompt(strings.Repeat("a", cfg.ContextTokens+100), nil))
		defer resp.Body.Close()
		var got struct {
			Error struct {
				Code    int
				Type    string
				Prompt  int `json:"n_prompt_tokens"`
				Context int `json:"n_ctx"`
			}
		}
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		g := got.Error
		if resp.StatusCode != 400 || g.Code != 400 || g.Type != "exceed_context_size_error" || g.Context != cfg.ContextTokens || g.Prompt <= g.Context {
			t.Errorf("%s %+v", resp.Status, g)
		}
	})
	t.Run("a stream comes piece by piece", func(t *testing.T) {
		resp := ask(t.Context(), t, e, "/v1/chat/completions", prompt("hi", object{"stream": true, "max_tokens": 50, "ignore_eos": true, "seed": 1}))
		defer resp.Body.Close()
		var events []string
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				events = append(events, data)
			}
		}
		if len(events) < 20 || events[len(events)-1] != "[DONE]" || !strings.Contains(events[len(events)-2], `"finish_reason":"length"`) {
			t.Errorf("%d events, the last two %q", len(events), events[max(0, len(events)-2):])
		}
	})
	t.Run("a hang-up frees the slot", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		resp := ask(ctx, t, e, "/v1/chat/completions", long())
		defer resp.Body.Close()
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if n := busySlots(t, e); n != 1 {
			t.Errorf("%d slots work while the answer streams, want 1", n)
		}
		cancel()
		begin := time.Now()
		eventually(t, "the slot is free", func() bool { return busySlots(t, e) == 0 })
		// Ended by itself it would have had some ten thousand tokens to go.
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the slot was free after %v", took)
		}
	})
	t.Run("a stranger is refused", func(t *testing.T) {
		url, _, _ := e.Endpoint()
		resp, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("without the key: %s", resp.Status)
		}
	})
}

func busySlots(t testing.TB, e *Engine) int {
	t.Helper()
	resp := ask(t.Context(), t, e, "/slots", nil)
	defer resp.Body.Close()
	var slots []struct {
		Busy bool `json:"is_processing"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&slots); err != nil {
		t.Fatal(err)
	}
	busy := 0
	for _, s := range slots {
		if s.Busy {
			busy++
		}
	}
	return busy
}

func TestEngine_KilledInMidStreamIsAnErrorAndTheNextRequestIsAnswered(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	e := run(t, cfg, in)
	before, _, _ := e.Endpoint()
	resp := ask(t.Context(), t, e, "/v1/chat/completions", long())
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	if _, err := body.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	kill(t, e, syscall.SIGKILL)
	rest, err := io.ReadAll(body)
	if err == nil || strings.Contains(string(rest), "[DONE]") {
		t.Errorf("the stream ended with error %v, want a broken connection", err)
	}
	eventually(t, "the death is seen", func() bool { return e.State().Restarts == 1 })
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, _, _ := e.Endpoint(); after == before {
		t.Errorf("still at %s", after)
	}
	if text, _ := answer(t, e, prompt("hi", object{"seed": 1, "max_tokens": 5, "ignore_eos": true})); text == "" {
		t.Error("no answer after the restart")
	}
}

func kill(t testing.TB, e *Engine, sig syscall.Signal) {
	t.Helper()
	e.mu.Lock()
	pid := e.current.pid
	e.mu.Unlock()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func TestEngine_ThatHangsIsRestarted(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	cfg.HealthEvery, cfg.HealthTimeout = 50*time.Millisecond, 500*time.Millisecond
	e := run(t, cfg, in)
	kill(t, e, syscall.SIGSTOP)
	eventually(t, "it is restarted", func() bool { return e.State().Restarts >= 1 })
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEngine_ThatCannotStartFailsWithItsLastWords(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	if err := os.WriteFile(in.Model, []byte("GGUF is not what follows"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := runUnready(t, cfg, in)
	err := e.Wait(t.Context())
	var down *UnavailableError
	if !errors.As(err, &down) || down.State.Phase != Failed || down.State.Restarts < failedAfter {
		t.Fatalf("got %v, want an UnavailableError after %d tries", err, failedAfter)
	}
	if !strings.Contains(err.Error(), "last words") || !strings.Contains(err.Error(), "tiny.gguf") {
		t.Errorf("the error does not say what the engine said: %v", err)
	}
	if _, _, ok := e.Endpoint(); ok {
		t.Error("a failed engine has an endpoint")
	}
}

func TestEngine_WaitIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Dir = t.TempDir()
	e := New(cfg, Installed{}, slog.New(slog.DiscardHandler))
	var down *UnavailableError
	if err := e.Wait(t.Context()); !errors.As(err, &down) || down.State.Phase != Stopped {
		t.Errorf("before Run: %v, want an UnavailableError (stopped)", err)
	}
	e.set(nil, func(s *State) { s.Phase = Starting })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Wait(ctx); !errors.As(err, &down) || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
}

func TestEngine_BackoffDoublesUpToItsBound(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.BackoffMin, cfg.BackoffMax = time.Second, 10*time.Second
	e := New(cfg, Installed{}, slog.New(slog.DiscardHandler))
	var got []time.Duration
	for _, failures := range []int{1, 2, 3, 4, 5, 1000} {
		got = append(got, e.backoff(failures)/time.Second)
	}
	if want := "[1ns 2ns 4ns 8ns 10ns 10ns]"; fmt.Sprint(got) != want {
		t.Errorf("seconds %v, want %v", got, want)
	}
}

// TestEngine_RealModelTalks is the main job: words from the model that make run
// uses.
func TestEngine_RealModelTalks(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Dir = enginetest.Dir(t)
	in, err := Find(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = t.TempDir()
	begin := time.Now()
	e := run(t, cfg, in)
	t.Logf("ready after %v (%s)", time.Since(begin), in.How())
	begin = time.Now()
	text, _ := answer(t, e, prompt("Tell me about the sea.", object{"max_tokens": 24, "temperature": 0}))
	t.Logf("%v: %q", time.Since(begin), text)
	if words := len(strings.Fields(text)); words < 8 {
		t.Errorf("got %q, want a sentence", text)
	}
	resp := ask(t.Context(), t, e, "/v1/completions", object{"prompt": "The capital of France is", "max_tokens": 2, "temperature": 0})
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), "Paris") {
		t.Errorf("the capital of France: %s (%v)", b, err)
	}
}
