//go:build unix

package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// helperDir names, for a copy of this test program, the folder with a config.
const helperDir = "FAIRLEAD_ENGINE_TEST_HELPER"

// runHelper starts an engine as a gateway would, says where, and waits to be
// killed.
func runHelper(dir string) {
	var in Installed
	b, err := os.ReadFile(filepath.Join(dir, "installed.json"))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		panic(err)
	}
	cfg := Default()
	cfg.Dir, cfg.Threads, cfg.ContextTokens = dir, 1, 2048
	c, err := startChild(cfg, in, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	for !listens(c.url) {
		select {
		case <-c.done:
			panic(c.exit())
		case <-time.After(5 * time.Millisecond):
		}
	}
	fmt.Fprintln(os.Stdout, c.url)
	<-c.done
}

func listens(url string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// fakeServer is llama-server as far as its flags go: a Python program that hands
// them to the same engine.
func fakeServer(t *testing.T, cfg Config, in Installed) Installed {
	t.Helper()
	path := filepath.Join(cfg.Dir, "llama-server")
	program := "#!" + in.Python + " -IB\n" + fmt.Sprintf(`
import argparse, os, sys, threading
sys.path.insert(0, %q)
import xllamacpp
a = argparse.ArgumentParser()
for f in ("model", "alias", "host"): a.add_argument("--" + f, required=True)
for f in ("port", "ctx-size", "parallel", "threads"): a.add_argument("--" + f, required=True, type=int)
for f in ("jinja", "metrics", "slots"): a.add_argument("--" + f, action="store_true")
a = a.parse_args()
p = xllamacpp.CommonParams()
p.model.path, p.hostnames, p.port, p.n_ctx, p.n_parallel = a.model, [a.host], a.port, a.ctx_size, a.parallel
p.api_keys = [os.environ["LLAMA_API_KEY"]]
server = xllamacpp.Server(p)
threading.Event().wait()
`, in.Wheel)
	if err := os.WriteFile(path, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	in.Server = path
	return in
}

func TestChild_DoesNotOutliveAParentThatWasKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"wheel", "llama-server"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cfg, in := tinyConfig(t)
			if kind == "llama-server" {
				in = fakeServer(t, cfg, in)
			}
			b, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cfg.Dir, "installed.json"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			parent := exec.CommandContext(t.Context(), os.Args[0])
			parent.Env = append(os.Environ(), helperDir+"="+cfg.Dir)
			parent.Stderr = os.Stderr
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			var url string
			if _, err := fmt.Fscanln(out, &url); err != nil {
				t.Fatal(err)
			}
			if err := parent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait()
			eventually(t, "the engine is gone", func() bool { return !listens(url) })
		})
	}
}

func TestChild_EndsByItselfWhenItsInputCloses(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	c, err := startChild(cfg, in, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	_ = c.stdin.Close()
	select {
	case <-c.done:
		if c.err != nil {
			t.Errorf("it ended with %v, want a clean end:\n%s", c.err, c.output)
		}
	case <-time.After(30 * time.Second):
		t.Error("it runs on without a parent")
	}
}

func TestChild_LlamaServerTakesTheSameMeaning(t *testing.T) {
	t.Parallel()
	cfg, in := tinyConfig(t)
	e := run(t, cfg, fakeServer(t, cfg, in))
	if text, _ := answer(t, e, prompt("hi", object{"seed": 1, "max_tokens": 5, "ignore_eos": true})); text == "" {
		t.Error("no answer")
	}
	if _, _, ok := e.Endpoint(); !ok {
		t.Error("no endpoint")
	}
}

func TestChild_ServerThatEndsSaysWhy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "llama-server")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho no such flag: $1 >&2\nexit 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := startChild(Default(), Installed{Server: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	if err := c.exit(); !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "no such flag: --model") {
		t.Errorf("got %v", err)
	}
}

func TestChildEnv_HoldsNoKeys(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	t.Setenv("CUDA_VISIBLE_DEVICES", "0")
	env := strings.Join(childEnv(), "\n")
	if strings.Contains(env, "secret") || !strings.Contains(env, "CUDA_VISIBLE_DEVICES=0") || !strings.Contains(env, "PATH=") {
		t.Errorf("the child sees:\n%s", env)
	}
}

func TestTail_KeepsTheEndAndLogsLines(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	tl := &tail{log: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, s := range []string{"one\ntw", "o\n", strings.Repeat("x", 3*tailBytes), "\nlast"} {
		if n, err := tl.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	tl.flush()
	if got := tl.String(); len(got) > tailBytes || !strings.HasSuffix(got, "x\nlast") {
		t.Errorf("%d bytes kept, ending in %q", len(got), got[max(0, len(got)-10):])
	}
	if n := strings.Count(lines.String(), "msg=engine"); n != 4 || lines.Len() > 2*tailBytes {
		t.Errorf("%d lines logged in %d bytes", n, lines.Len())
	}
}
