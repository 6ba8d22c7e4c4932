// Package sdktests runs the SDKs that clients use against the built fairlead binary, as judges: with a fake upstream, where
// every answer is known to the byte, and with a real small model on this machine.
//
// TestSDK_Fake is OpenAI's Python, JavaScript and Go before targets that speak OpenAI's dialect. TestSDK_Dialects is everyone's
// on the other surfaces (Anthropic's, Google's, Ollama's, Responses, LangChain, Vercel's AI SDK), before targets that speak
// OpenAI's dialect, Anthropic's and Gemini's. TestSDK_Real has the real model behind all of them.
//
// The Go suites are files of this package; the others lie in python and js and run as child processes that get what they need
// by environment variables. They know nothing of Fairlead's code, only its address, a key and the names in stack_test.go.
// What they need is put into .cache/sdk by setup.sh; without it they are skipped, or fail with CI=true. With
// FAIRLEAD_SDK_DIRECT=1 OpenAI's talk to the fake itself: what fails there is the suite's own fault. Start at TestSDK_Fake.
package sdktests

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// patience bounds one suite; the slowest takes a few seconds with the fake and half a minute with the model.
const patience = 3 * time.Minute

// suite is one SDK's tests: how to run them against a server that stands.
type suite struct {
	name string
	fake func(t *testing.T, s *stack)
	real func(t *testing.T, s *stack)
}

var suites = []suite{
	{"go", goFake, goReal},
	{"python", files(python, "test_fake.py"), files(python, "test_real.py")},
	{"js", files(js, "fake.test.js"), files(js, "real.test.js")},
}

// files makes a suite of test files of one language.
func files(runner func(*testing.T, *stack, ...string), names ...string) func(*testing.T, *stack) {
	return func(t *testing.T, s *stack) { runner(t, s, names...) }
}

func TestSDK_Fake(t *testing.T) {
	t.Parallel()
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			t.Parallel()
			need(t, suite.name)
			s := fakeStack(t)
			suite.fake(t, s)
			t.Run("what upstream was sent", func(t *testing.T) { checkRequests(t, s.fake.Requests()) })
		})
	}
}

// TestSDK_Real runs the suites one after another: they share one model on two cores.
//
//nolint:paralleltest,tparallel // see above
func TestSDK_Real(t *testing.T) {
	t.Parallel()
	if direct() {
		t.Skip("FAIRLEAD_SDK_DIRECT=1: only the fake is asked")
	}
	s := realStack(t)
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			need(t, suite.name)
			suite.real(t, s)
		})
	}
	for _, suite := range dialects {
		t.Run(suite.name+" dialects", func(t *testing.T) {
			need(t, suite.name)
			suite.real(t, s)
		})
	}
}

// wrong are the mistakes that the suites make on purpose. Who refuses them, Fairlead or upstream, is not the point here.
var wrong = []string{`"temperature":3`, `"temperature":"hot"`, `"n":0`, `"messages":null`, `"messages":"hi"`}

// checkRequests holds what the upstream received against the publisher's description.
func checkRequests(t *testing.T, requests []*testkit.Received) {
	spec := testkit.OpenAISpec(t)
	checked := 0
	for _, request := range requests {
		body := strings.ReplaceAll(string(request.Body), ": ", ":")
		other := strings.HasPrefix(request.Path, "/v1/messages") || strings.HasPrefix(request.Path, "/v1beta") // the fake checks those itself
		if request.Method != "POST" || other || slices.ContainsFunc(wrong, func(part string) bool { return strings.Contains(body, part) }) {
			continue
		}
		checked++
		if err := spec.ValidateRequest(request.Path, request.Body); err != nil {
			t.Errorf("%s %.2000s: %v", request.Path, request.Body, err)
		}
	}
	if checked < 30 {
		t.Errorf("only %d requests came", checked)
	}
}

func direct() bool { return os.Getenv("FAIRLEAD_SDK_DIRECT") == "1" }

// need skips, or fails with CI=true, where setup.sh has not put the SDK.
func need(t *testing.T, name string) {
	t.Helper()
	if name == "go" {
		return
	}
	if _, err := os.Stat(filepath.Join(sdkDir(t), name+".stamp")); err != nil {
		missing(t, "the %s SDKs are not there; to get it: sh sdktests/setup.sh", name)
	}
}

func missing(t *testing.T, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, arguments...)
	}
	t.Skipf(format, arguments...)
}

func sdkDir(t *testing.T) string { return filepath.Join(testkit.Root(t), ".cache", "sdk") }

func python(t *testing.T, s *stack, files ...string) {
	program := os.Getenv("FAIRLEAD_PYTHON")
	if program == "" {
		program = "python3"
	}
	arguments := []string{"-s", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--durations=3", "-rs", "--rootdir=python"}
	for _, file := range files {
		arguments = append(arguments, filepath.Join("python", file))
	}
	run(t, s, []string{
		"PYTHONPATH=" + filepath.Join(sdkDir(t), "python"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1",
		"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", // only what is pinned, not what this machine has
	}, program, arguments...)
}

func js(t *testing.T, s *stack, files ...string) {
	arguments := []string{"--test", "--test-reporter=spec", "--test-timeout=60000"}
	for _, file := range files {
		arguments = append(arguments, filepath.Join("js", file))
	}
	run(t, s, []string{"NODE_PATH=" + filepath.Join(sdkDir(t), "js", "node_modules")}, "node", arguments...)
}

// run runs one suite and fails with its whole output.
func run(t *testing.T, s *stack, environment []string, program string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = append(append(os.Environ(), s.environment()...), environment...)
	command.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	start := time.Now()
	err := command.Run()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, output.String())
	}
	t.Logf("%s, %s", summary(output.String()), time.Since(start).Round(10*time.Millisecond))
}

// summary picks the line that says how many tests ran, for a reader of -v.
func summary(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range lines {
		if strings.Contains(line, "pass ") {
			return strings.TrimSpace(line)
		}
	}
	return lines[len(lines)-1]
}
