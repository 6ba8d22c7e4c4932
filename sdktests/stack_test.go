package sdktests

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
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

	"github.com/fairlead/fairlead/internal/testkit"
)

const (
	clientKey   = "sk-sdk-suite-0123456789"
	upstreamKey = "sk-upstream-9876543210"
)

// models are the names that the suites ask for, and how the fake behaves behind each.
var models = map[string]string{
	"chat":         "",
	"embed":        "",
	"refuses":      "refuse",
	"thinks":       "think,reasoning=40,cached=3",
	"echo":         "echo",
	"limited":      "status=429,retry-after=7",
	"failing":      "status=500",
	"overloaded":   "status=503",
	"unauthorized": "status=401",
	"page":         "html",
	"garbage":      "garbage",
	"empty":        "empty",
	"stillborn":    "error-event=0",
	"breaks":       "error-event=5",
	"cut":          "cut-event=5",
	"cut-early":    "cut=60",
	"reset":        "cut-event=5,rst",
	"mute":         "no-finish,no-done",
	"undone":       "no-done",
	"odd":          "crlf,pings,write=5",
	"fields":       "crlf,fields,tight",
	"endless":      "words=1000000,gap=2ms",
	"silent":       "hold",
}

// able are corrections to what a server of that kind is said to be able to do.
var able = map[string]string{"thinks": ", abilities: {add: [thinking]}"}

// claudes and geminis are names behind which the fake speaks Anthropic's and Gemini's dialect.
var (
	claudes = map[string]string{
		"claude": "", "claude-echo": "echo", "claude-counts": "cached=3,reasoning=20,think", "claude-refuses": "refuse", "claude-limited": "status=429,retry-after=7",
		"claude-failing": "status=500", "claude-overloaded": "status=529", "claude-unauthorized": "status=401", "claude-breaks": "error-event=5,error-name=error",
		"claude-cut": "cut-event=6", "claude-mute": "no-finish", "claude-undone": "no-done", "claude-odd": "crlf,pings,write=5",
		"claude-stillborn": "error-event=0,error-name=error",
	}
	geminis = map[string]string{
		"gemini": "", "gemini-echo": "echo", "gemini-counts": "cached=3,reasoning=20,think", "gemini-refuses": "refuse", "gemini-limited": "status=429,retry-after=7",
		"gemini-failing": "status=500", "gemini-overloaded": "status=503", "gemini-breaks": "error-event=5", "gemini-cut": "cut-event=6",
		"gemini-mute": "no-finish", "gemini-odd": "crlf,pings,write=5",
	}
)

// plans are names with two targets; both answer from chat in the end. Crossings have targets of several dialects.
var (
	plans     = map[string]string{"fallback": "[failing, chat]", "fallback-cut": "[cut-early, chat]"}
	crossings = map[string]string{"to-claude": "[failing, gemini-overloaded, claude]", "to-gemini": "[claude-stillborn, cut-early, gemini]"}
)

// stack is a server under test.
type stack struct {
	baseURL, key string
	model, embed string
	fakeURL      string // "" for the real model
	fake         *testkit.Upstream
	direct       bool
}

func (s *stack) environment() []string {
	flag := map[bool]string{true: "1", false: ""}
	return []string{
		"FAIRLEAD_BASE_URL=" + s.baseURL, "FAIRLEAD_API_KEY=" + s.key,
		"FAIRLEAD_MODEL=" + s.model, "FAIRLEAD_EMBED_MODEL=" + s.embed, "FAIRLEAD_FAKE_URL=" + s.fakeURL,
		"FAIRLEAD_SDK_DIRECT=" + flag[s.direct], "FAIRLEAD_REAL=" + flag[s.fakeURL == ""],
	}
}

// fakeStack starts a fake upstream, and Fairlead before it unless the suites ask the fake itself.
func fakeStack(t *testing.T) *stack {
	t.Helper()
	key := upstreamKey
	if direct() {
		key = clientKey
	}
	options := []testkit.Option{testkit.WithKey(key)}
	for name, behavior := range models {
		options = append(options, testkit.WithAlias(name, behavior))
	}
	for _, others := range []map[string]string{claudes, geminis} {
		for name, behavior := range others {
			options = append(options, testkit.WithAlias(name, behavior))
		}
	}
	up := testkit.NewUpstream(t, options...)
	s := &stack{baseURL: up.BaseURL(), key: clientKey, model: "chat", embed: "embed", fakeURL: up.URL(), fake: up, direct: direct()}
	if s.direct {
		return s
	}
	var config strings.Builder
	config.WriteString("targets:\n")
	for _, name := range sorted(models) {
		// One try: a retry would meet the same behaviour again. Where a retry is the point, the name is another's.
		fmt.Fprintf(&config, "  %s: { provider: openai-compatible, base_url: %q, key: \"${UPSTREAM_KEY}\", model: %s, retry: {attempts: %d}%s }\n",
			name, up.BaseURL(), name, attempts(name), able[name])
	}
	for _, name := range sorted(claudes) {
		fmt.Fprintf(&config, "  %s: { provider: anthropic, base_url: %q, key: \"${UPSTREAM_KEY}\", model: %s, retry: {attempts: 1} }\n", name, up.BaseURL(), name)
	}
	for _, name := range sorted(geminis) {
		fmt.Fprintf(&config, "  %s: { provider: google, dialect: gemini, base_url: %q, key: \"${UPSTREAM_KEY}\", model: %s, retry: {attempts: 1} }\n", name, up.URL()+"/v1beta", name)
	}
	config.WriteString("models:\n")
	for _, some := range []map[string]string{plans, crossings} {
		for _, name := range sorted(some) {
			fmt.Fprintf(&config, "  %s: { plan: %s }\n", name, some[name])
		}
	}
	s.baseURL = fairlead(t, config.String(), "UPSTREAM_KEY="+upstreamKey) + "/v1"
	return s
}

// attempts gives the honest targets a second try, as a configuration has by default.
func attempts(name string) int {
	if models[name] == "" {
		return 2
	}
	return 1
}

func sorted(from map[string]string) []string {
	var names []string
	for name := range from {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// realStack starts Fairlead with the local engine that `make test` has set up.
func realStack(t *testing.T) *stack {
	t.Helper()
	dir := os.Getenv("FAIRLEAD_ENGINE_DIR")
	if dir == "" {
		dir = filepath.Join(testkit.Root(t), ".cache", "engine")
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		missing(t, "the local engine is not in %s; to get it: fairlead models pull --dir .cache/engine", dir)
	}
	url := fairlead(t, "targets:\n  local: { provider: local }\n", "FAIRLEAD_ENGINE_DIR="+dir)
	return &stack{baseURL: url + "/v1", key: clientKey, model: "local", embed: "local"}
}

// binary builds fairlead once for all stacks, or takes the one that FAIRLEAD_BIN names.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("FAIRLEAD_BIN"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "fairlead-sdktests-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fairlead")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/fairlead/fairlead/cmd/fairlead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("FAIRLEAD_BIN") == "" && !direct() {
		if path, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path)) // a temporary folder of ours; what stays behind is the system's to clear
		}
	}
	os.Exit(code)
}

var address = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// fairlead starts the binary with a configuration and returns its URL once it listens.
func fairlead(t *testing.T, config string, environment ...string) string {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config = "listen: 127.0.0.1:0\ndata: data\nkeys:\n  - { name: app, secret: \"${FAIRLEAD_KEY}\" }\n" + config
	file := filepath.Join(dir, "fairlead.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "up", "--config", file)
	command.Dir = dir
	command.Env = append(append(os.Environ(), "FAIRLEAD_KEY="+clientKey), environment...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 20 * time.Second
	var logged bytes.Buffer
	command.Stderr = &logged
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	found, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		defer close(found)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			if url := address.FindString(scanner.Text()); url != "" {
				found <- url
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // until the process ends
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		err := command.Wait()
		if t.Failed() {
			t.Logf("fairlead ended with %v and logged:\n%s", err, logged.String())
		}
	})
	select {
	case url := <-found:
		if url != "" {
			return url
		}
	case <-time.After(time.Minute):
	}
	t.Fatal("fairlead did not say where it listens")
	return ""
}
