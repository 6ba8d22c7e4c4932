//go:build unix

package enginetests

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// startLiteLLM runs LiteLLM's proxy before an upstream until the test ends. It is spoken to as a vLLM, so that it
// translates every client's request to OpenAI's Chat, as Fairlead does.
func startLiteLLM(t *testing.T, up *testkit.Upstream) server {
	t.Helper()
	dir := filepath.Join(testkit.Root(t), ".cache", "litellm")
	program := filepath.Join(dir, "bin", "litellm")
	if _, err := os.Stat(program); err != nil {
		// Not a failure with CI=true: it is a second opinion, and 750 MB.
		t.Skipf("LiteLLM's proxy is not in %s; to get it: make test-engines", dir)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	home := t.TempDir()
	file := filepath.Join(home, "config.yaml")
	config := "model_list:\n"
	for name := range opinionModels {
		config += fmt.Sprintf("  - { model_name: %s, litellm_params: { model: hosted_vllm/%s, api_base: %q, api_key: k, use_chat_completions_api: true } }\n", name, name, up.BaseURL())
	}
	config += "router_settings: { disable_cooldowns: true, num_retries: 0 }\nlitellm_settings: { drop_params: true, telemetry: false, num_retries: 0 }\ngeneral_settings: { master_key: sk-litellm }\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, program, "--config", file, "--host", "127.0.0.1", "--port", port, "--telemetry", "False")
	// Nothing is fetched from anywhere: prices come with the package.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LITELLM_LOCAL_MODEL_COST_MAP=True", "NO_DOCS=True"}
	command.Dir = home
	command.Stdout, command.Stderr = &said, &said
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait() // by our signal
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("LiteLLM's last words:\n%s", said.String()[max(0, said.Len()-4000):])
		}
	})
	s := newServer(t, "http://127.0.0.1:"+port, "sk-litellm")
	s.untilUp(t, "/health/liveliness")
	return s
}

// opinionModels are the upstream's models and how they behave.
var opinionModels = map[string]string{
	"chat": "say=Hi there", "thinks": "say=Hi,think,reasoning=4,cached=3", "refuses": "refuse", "limited": "status=429,retry-after=7", "breaks": "error-event=3",
}

// TestSecondOpinion sends the same requests through LiteLLM's proxy and through Fairlead to the same upstream. Where what
// the upstream is sent, or what the client gets, differs, the difference stands in testdata/golden/second_opinion.txt, and
// docs/second-opinion.md says who is right.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	options := []testkit.Option{}
	for name, behavior := range opinionModels {
		options = append(options, testkit.WithAlias(name, behavior))
	}
	up := testkit.NewUpstream(t, options...)
	theirs := startLiteLLM(t, up)
	config := "targets:\n"
	for name := range opinionModels {
		config += fmt.Sprintf("  %s: { provider: vllm, base_url: %q, key: k, model: %s, dialect: openai-chat, retry: { attempts: 1 } }\n", name, up.BaseURL(), name)
	}
	ours := startFairlead(t, config)

	found, cases := map[string][]string{}, map[string][]string{}
	for _, c := range opinions {
		sentUs, gotUs := hear(t, ours, up, c)
		sentThem, gotThem := hear(t, theirs, up, c)
		var lines []string
		differences(&lines, "sent", sentUs, sentThem)
		differences(&lines, "got", gotUs, gotThem)
		found[c.name] = lines
		for _, line := range lines {
			cases[line] = append(cases[line], c.name)
		}
	}
	testkit.Golden(t, "golden/second_opinion.txt", report(found, cases))
}

// often is in how many cases a difference must be to be told once for all.
const often = 3

func report(found, cases map[string][]string) []byte {
	var out bytes.Buffer
	out.WriteString("# often\n")
	for _, line := range slices.Sorted(maps.Keys(cases)) {
		if n := len(cases[line]); n >= often {
			fmt.Fprintf(&out, "%s (%d cases, such as %s)\n", line, n, cases[line][0])
		}
	}
	for _, c := range opinions {
		fmt.Fprintf(&out, "\n# %s\n%s %s\n", c.name, c.path, c.body)
		for _, line := range found[c.name] {
			if len(cases[line]) < often {
				out.WriteString(line + "\n")
			}
		}
	}
	return out.Bytes()
}

// hear sends a case and gives what upstream was sent and what the client got, as JSON values without what is
// different each time.
func hear(t *testing.T, s server, up *testkit.Upstream, c opinion) (sent, got any) {
	t.Helper()
	before, _, _ := up.Counts()
	r := s.do(t, c.path, []byte(c.body))
	if after, _, _ := up.Counts(); after > before {
		decode(t, up.Last(t).Body, &sent)
	}
	answer := object{"status": float64(r.status)}
	if strings.Contains(r.header.Get("Content-Type"), "event-stream") {
		streamed(answer, events(t, r.body))
	} else {
		var body any
		if json.Unmarshal(r.body, &body) != nil {
			body = string(r.body)
		}
		answer["body"] = body
	}
	return sent, scrub(any(answer))
}

// streamed describes a stream: its kinds of events in their order, and the first and the last in full.
func streamed(answer object, data [][]byte) {
	var kinds []string
	var first, last any
	for _, d := range data {
		var v any
		kind := string(d)
		if json.Unmarshal(d, &v) == nil {
			if last = v; first == nil {
				first = v
			}
			kind = "event"
			if m, ok := v.(map[string]any); ok && m["type"] != nil {
				kind, _ = m["type"].(string)
			}
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	answer["kinds"], answer["first"], answer["last"] = strings.Join(kinds, " "), first, last
}

// scrub replaces what is made anew for every answer.
func scrub(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			switch name {
			case "id", "call_id", "item_id", "sequence_number", "created", "created_at", "completed_at", "responseId", "createTime", "obfuscation":
				v[name] = "…"
			default:
				v[name] = scrub(m)
			}
		}
		return v
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
		return v
	}
	return v
}

// differences writes a line for each place where two values are not the same.
func differences(out *[]string, at string, ours, theirs any) {
	if reflect.DeepEqual(ours, theirs) {
		return
	}
	a, aok := ours.(map[string]any)
	b, bok := theirs.(map[string]any)
	if aok && bok {
		names := slices.Sorted(maps.Keys(a))
		for name := range b {
			if _, ok := a[name]; !ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			x, xok := a[name]
			y, yok := b[name]
			if xok && yok {
				differences(out, at+"."+name, x, y)
			} else {
				*out = append(*out, fmt.Sprintf("%s.%s: ours %s, theirs %s", at, name, shown(x, xok), shown(y, yok)))
			}
		}
		return
	}
	c, cok := ours.([]any)
	d, dok := theirs.([]any)
	if cok && dok && len(c) == len(d) {
		for i := range c {
			differences(out, fmt.Sprintf("%s[%d]", at, i), c[i], d[i])
		}
		return
	}
	*out = append(*out, fmt.Sprintf("%s: ours %s, theirs %s", at, shown(ours, true), shown(theirs, true)))
}

func shown(v any, there bool) string {
	if !there {
		return "nothing"
	}
	text := string(encode(v))
	return cmp.Or(text[:min(len(text), 600)], "nothing")
}
