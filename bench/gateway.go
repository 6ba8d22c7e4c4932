package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gateway is what stands before the upstream: the forwarder, or Fairlead.
type gateway interface {
	address() string
	pid() int
	// settle waits until the work of n more answers is done, the record included.
	settle(ctx context.Context, n int) error
	stop() error
}

type bare struct {
	*child
	addr string
}

func startBare(ctx context.Context, upstream string) (gateway, error) {
	c, err := play(ctx, roleForwarder, upstream)
	if err != nil {
		return nil, err
	}
	addr, err := c.address()
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return &bare{c, addr}, nil
}

func (b *bare) address() string                   { return b.addr }
func (b *bare) settle(context.Context, int) error { return nil }

// fairlead is the product's binary on a data folder of its own.
type fairlead struct {
	cmd     *exec.Cmd
	url     string
	log     string
	asked   int // answers so far
	written int // rows, by its own metrics
}

// What the load sends.
const (
	benchKey   = "fl-bench-0123456789abcdef0123456789abcdef"
	benchModel = "assistant"
)

const configuration = `listen: 127.0.0.1:0
data: %q
targets:
  bench: { provider: openai-compatible, base_url: "http://%s/v1", model: bench-model, key: upstream-secret-0123456789, price: { input: 0.15, output: 0.60 } }
models:
  assistant: { plan: [bench] }
keys:
  - { name: bench, secret: %q, scopes: [admin] }
`

// startTime is how long Fairlead may take to answer /healthz.
const startTime = 20 * time.Second

// startFairlead runs it with authentication, a plan, a price and the record on, and
// with every default.
func startFairlead(ctx context.Context, binary, upstream, dir string) (gateway, error) {
	home, err := os.MkdirTemp(dir, "fairlead-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(home, "fairlead.yaml")
	data := filepath.Join(home, "data")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, data, upstream, benchKey), 0o600); err != nil {
		return nil, err
	}
	f := &fairlead{log: filepath.Join(home, "log")}
	log, err := os.Create(f.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	f.cmd = exec.CommandContext(ctx, binary, "up", "--config", file)
	f.cmd.Dir, f.cmd.Stdout, f.cmd.Stderr = home, log, log
	f.cmd.Cancel = func() error { return f.cmd.Process.Signal(os.Interrupt) }
	f.cmd.WaitDelay = stopTime
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	if err := f.await(ctx, data); err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

// await finds the port and waits until it answers.
func (f *fairlead) await(ctx context.Context, data string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return poll(ctx, "Fairlead to start; its log: "+f.log, func() bool {
		text, err := os.ReadFile(filepath.Join(data, "control.json"))
		if err != nil {
			return false
		}
		var control struct{ URL string }
		if json.Unmarshal(text, &control) != nil {
			return false
		}
		f.url = control.URL
		res, err := f.get(ctx, "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (f *fairlead) address() string { return strings.TrimPrefix(f.url, "http://") }
func (f *fairlead) pid() int        { return f.cmd.Process.Pid }

func (f *fairlead) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+benchKey)
	return http.DefaultClient.Do(req)
}

// settleTime is how long rows may take to be written.
const settleTime = 15 * time.Second

// settle waits until n more exchanges are in the store. Its own questions cost a
// millisecond or two of the CPU time that is being measured.
func (f *fairlead) settle(ctx context.Context, n int) error {
	f.asked += n
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := poll(ctx, "the record to be written", func() bool {
		res, err := f.get(ctx, "/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if v, ok := strings.CutPrefix(lines.Text(), "fairlead_ledger_written "); ok {
				rows, _ := strconv.ParseFloat(v, 64) // 0 is not enough, so it is asked again
				f.written = int(rows)
			}
		}
		return f.written >= f.asked
	})
	if f.written != f.asked {
		return errors.Join(fmt.Errorf("%d answers and %d rows in the record", f.asked, f.written), err)
	}
	return nil
}

func (f *fairlead) stop() error {
	_ = f.cmd.Process.Signal(os.Interrupt) // one that has ended is waited for all the same
	late := time.AfterFunc(stopTime, func() { _ = f.cmd.Process.Kill() })
	defer late.Stop()
	err := f.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && f.url == "" {
		text, _ := os.ReadFile(f.log) // the exit status will have to do
		return fmt.Errorf("the gateway ended with %w: %s", exit, text)
	}
	return nil
}

const pollEvery = 100 * time.Millisecond

func poll(ctx context.Context, what string, done func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return nil
}
