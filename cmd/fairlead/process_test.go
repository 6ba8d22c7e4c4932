package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long an event may take that must come.
const patience = 60 * time.Second

// process is a program that runs beside the test.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{}
}

// output is what a process says, and lets tests wait for it.
type output struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed and replaced with every piece
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(b)
}

// String is all that was said so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits for a match and gives it with its groups.
func (o *output) find(ctx context.Context, pattern *regexp.Regexp) []string {
	for {
		o.mu.Lock()
		match, grown := pattern.FindStringSubmatch(o.text.String()), o.grown
		o.mu.Unlock()
		if match != nil {
			return match
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil
		}
	}
}

// launch starts a program. dir and env are the script's or the test's.
func launch(dir string, env []string, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the exit code tells
		close(p.done)
	}()
	return p, nil
}

// find waits for one of the two outputs to match; nil when the process ends first
// or nothing comes.
func (p *process) find(o *output, pattern *regexp.Regexp) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	if match := o.find(ctx, pattern); match != nil {
		return match
	}
	return pattern.FindStringSubmatch(o.String()) // its last words
}

var listens = regexp.MustCompile(`listens on (http://\S+:(\d+))\n`)

// wait gives the exit code, -1 after a signal, and false when the process goes on.
func (p *process) wait() (code int, ended bool) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true
	case <-time.After(patience):
		return 0, false
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// passed are the variables that a script may set for the programs it starts.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "NO_COLOR", "GORACE", "FAKE", "FAKE_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY",
	"FAIRLEAD_APP_KEY", "FAIRLEAD_KEY", "FAIRLEAD_URL", "FAIRLEAD_ENGINE_DIR",
}

func environment(ts *testscript.TestScript) (env []string) {
	for _, name := range passed {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGS…")
	}
	if args[1] == "fairlead" {
		args[1] = binary
	}
	startProcess(ts, args[0], args[1], args[2:]...)
}

func startProcess(ts *testscript.TestScript, name, program string, args ...string) *process {
	p, err := launch(ts.MkAbs("."), environment(ts), program, args...)
	ts.Check(err)
	state(ts).running[name] = p
	return p
}

func cmdUp(ts *testscript.TestScript, _ bool, args []string) {
	if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	p := startProcess(ts, "up", binary, append([]string{"up"}, args...)...)
	match := p.find(p.stdout, listens)
	if match == nil {
		ts.Fatalf("it does not start:\n%s%s", p.stdout, p.stderr)
	}
	ts.Setenv("URL", match[1])
	ts.Setenv("PORT", match[2])
	if key, err := os.ReadFile(filepath.Join(ts.MkAbs("."), "data", "first-key")); err == nil {
		ts.Setenv("KEY", strings.TrimSpace(string(key)))
	}
}

func named(ts *testscript.TestScript, args []string) *process {
	if len(args) < 2 {
		ts.Fatalf("usage: NAME and what about it")
	}
	p := state(ts).running[args[0]]
	if p == nil {
		ts.Fatalf("nothing named %s was started", args[0])
	}
	return p
}

// cmdSees looks at both outputs: a program that says a thing on the other one than
// thought is found by the script's end, not by a timeout.
func cmdSees(ts *testscript.TestScript, _ bool, args []string) {
	p := named(ts, args)
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := make(chan bool, 2)
	for _, o := range []*output{p.stdout, p.stderr} {
		go func() { found <- p.find(o, pattern) != nil }()
	}
	if first := <-found; !first && !<-found {
		ts.Fatalf("%s never says %s:\n%s%s", args[0], args[1], p.stdout, p.stderr)
	}
}

var signals = map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	sig, ok := signals[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(named(ts, args).cmd.Process.Signal(sig))
}

func cmdEnds(ts *testscript.TestScript, _ bool, args []string) {
	p := named(ts, args)
	code, ended := p.wait()
	if !ended {
		ts.Fatalf("%s does not end:\n%s%s", args[0], p.stdout, p.stderr)
	}
	if want := number(ts, args, 1); code != want {
		ts.Fatalf("%s ended with exit code %d, want %d:\n%s%s", args[0], code, want, p.stdout, p.stderr)
	}
	_, err1 := ts.Stdout().Write([]byte(p.stdout.String()))
	_, err2 := ts.Stderr().Write([]byte(p.stderr.String()))
	ts.Check(errors.Join(err1, err2))
}

// serve starts `fairlead up` for a Go test.
func serve(t testing.TB, dir string, env []string, args ...string) (p *process, url string) {
	t.Helper()
	return serveBy(t, binary, dir, env, args...)
}

// serveBy is serve by another binary.
func serveBy(t testing.TB, program, dir string, env []string, args ...string) (p *process, url string) {
	t.Helper()
	p, err := launch(dir, append(os.Environ(), append(env, "GORACE="+race)...), program, append([]string{"up", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	match := p.find(p.stdout, listens)
	if match == nil {
		t.Fatalf("it does not start:\n%s%s", p.stdout, p.stderr)
	}
	return p, match[1]
}
