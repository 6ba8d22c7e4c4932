package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Config says which model runs and how much of the machine it may take.
type Config struct {
	// Dir holds what Setup fetched: the engine, models, the static embedding.
	Dir string
	// Python is the interpreter for pip and for the engine's wheel; "" means
	// python3 or python on PATH. It must be 3.10 or newer.
	Python string
	// Server is a llama-server of the user's; "" means the one on PATH, and where
	// there is none the wheel in Dir.
	Server string
	// Model is a built-in name (DefaultModel), the name of a pulled model, or the
	// path of a GGUF file.
	Model string
	// ContextTokens is the context of one request, prompt and answer together.
	ContextTokens int
	// Slots is how many requests generate at once. Memory grows with it.
	Slots int
	// Queue is how many requests may wait for a slot; one more is ErrQueueFull.
	Queue int
	// Threads compute; see DefaultThreads.
	Threads int
	// StartTimeout bounds the time from start to ready, loading included.
	StartTimeout time.Duration
	// HealthEvery is the pause between two looks at a running engine.
	HealthEvery time.Duration
	// HealthTimeout is how long a look may take. It is generous: on a machine that
	// is too busy, a slow answer is better than the reload that a restart costs.
	HealthTimeout time.Duration
	// HealthyAfter is how long it must run before its next crash counts as the
	// first again.
	HealthyAfter time.Duration
	// BackoffMin and BackoffMax bound the pause before a restart, which doubles.
	BackoffMin, BackoffMax time.Duration
}

// DefaultModel is small enough for every machine and good for trying things out.
const DefaultModel = "smollm2:135m"

// Default suits two cores and half a gigabyte.
func Default() Config {
	return Config{
		Dir:           filepath.Join("data", "engine"),
		Model:         DefaultModel,
		ContextTokens: 4096,
		Slots:         2,
		Queue:         32,
		Threads:       DefaultThreads(),
		StartTimeout:  2 * time.Minute,
		HealthEvery:   2 * time.Second,
		HealthTimeout: 10 * time.Second,
		HealthyAfter:  time.Minute,
		BackoffMin:    250 * time.Millisecond,
		BackoffMax:    30 * time.Second,
	}
}

// DefaultThreads leaves one core to everything else, the gateway first of all.
// The engine's threads wait for each other by spinning: with as many threads as
// cores and two other busy processes, generation fell from 80 tokens a second to
// 1, with one thread less only from 50 to 45 (2 cores, docs/decisions/0003).
func DefaultThreads() int { return max(1, min(runtime.NumCPU()-1, 8)) }

// Validate reports every mistake at once.
func (c Config) Validate() error {
	var errs []error
	fail := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("engine: "+format, args...))
		}
	}
	fail(c.Dir != "", "dir is empty: name the folder for engine and models")
	fail(c.Model != "", "model is empty: name one, for example %s, or the path of a GGUF file", DefaultModel)
	fail(c.ContextTokens >= 256 && c.ContextTokens <= 10<<20, "context is %d tokens, want 256 to 10485760", c.ContextTokens)
	fail(c.Slots >= 1 && c.Slots <= 256, "slots is %d, want 1 to 256", c.Slots)
	fail(c.Queue >= 0 && c.Queue <= 100_000, "queue is %d, want 0 to 100000", c.Queue)
	fail(c.Threads >= 1 && c.Threads <= 1024, "threads is %d, want 1 to 1024", c.Threads)
	fail(c.StartTimeout > 0, "start_timeout is %v, want more than 0", c.StartTimeout)
	fail(c.HealthEvery > 0 && c.HealthTimeout > 0, "health is looked at every %v for %v, want both more than 0", c.HealthEvery, c.HealthTimeout)
	fail(c.HealthyAfter > 0, "healthy_after is %v, want more than 0", c.HealthyAfter)
	fail(c.BackoffMin > 0 && c.BackoffMin <= c.BackoffMax, "backoff is %v to %v, want a minimum above 0 and not above the maximum", c.BackoffMin, c.BackoffMax)
	if c.Server != "" {
		info, err := os.Stat(c.Server)
		fail(err == nil && info.Mode().IsRegular(), "server %s is not a file; name a llama-server or leave it out", c.Server)
	}
	return errors.Join(errs...)
}
