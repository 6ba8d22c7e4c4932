package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
)

// block is the README's first code block of a language that holds a text.
func block(t testing.TB, language, holds string) string {
	t.Helper()
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		if strings.Contains(match[1], holds) {
			return match[1]
		}
	}
	t.Fatalf("the README has no %s block with %q", language, holds)
	return ""
}

// The README's keys come from the environment.
var readmeEnv = []string{"OPENAI_API_KEY=" + upstreamKey, "FAIRLEAD_KEY=" + appKey}

func TestReadme_ConfigurationIsValid(t *testing.T) {
	t.Parallel()
	prices, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	from := config.System(prices)
	from.Env = func(name string) (string, bool) {
		for _, kv := range readmeEnv {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	if _, err := config.Parse("fairlead.yaml", []byte(block(t, "yaml", "targets:")), from); err != nil {
		t.Error(err)
	}
}

// installed is the folder where `make test` put the real local engine.
func installed(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(testkit.Root(t), ".cache", "engine")
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("the local engine is not there, which CI must have: make setup-test")
	}
	t.Skip("the local engine is not there: make setup-test gets it")
	return ""
}

// TestReadme_NewcomerGetsAnAnswer does what the README says, word for word but for
// the port, with the real local model.
func TestReadme_NewcomerGetsAnAnswer(t *testing.T) {
	t.Parallel()
	engine := []string{"FAIRLEAD_ENGINE_DIR=" + installed(t), "OPENAI_API_KEY=", "ANTHROPIC_API_KEY="}

	t.Run("the curl against make run", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		// What `make run` starts, and with what flags, stands in the Makefile.
		_, url := serve(t, dir, engine, "--setup", "--data", "data")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		curl := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(block(t, "sh", "curl http"), "http://127.0.0.1:8080", url))
		curl.Dir, curl.WaitDelay = dir, time.Second
		out, err := curl.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if text := string(out); !strings.HasPrefix(text, "data: {") || !strings.HasSuffix(strings.TrimSpace(text), "data: [DONE]") {
			t.Errorf("the curl of the README gets:\n%s", text)
		}
	})

	t.Run("the configuration", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, filepath.Join(dir, "fairlead.yaml"), block(t, "yaml", "targets:"))
		p, url := serve(t, dir, append(engine, readmeEnv...))
		body := `{"model": "assistant", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16}`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+appKey)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct {
			Choices []struct {
				Message struct{ Content string }
			}
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || json.Unmarshal(text, &answer) != nil || len(answer.Choices) != 1 || answer.Choices[0].Message.Content == "" {
			t.Fatalf("HTTP %d, %v: %s", res.StatusCode, err, text)
		}
		// The names that the README tells to look for.
		for name, want := range map[string]string{"x-fairlead-target": "here", "x-fairlead-cost-usd": "0", "x-fairlead-cost-state": "known"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		c := &client{base: url, key: appKey, http: &http.Client{}}
		var record struct{ Target string }
		if err := c.get(t.Context(), "/v1/exchanges/"+res.Header.Get(headerID), &record); err != nil || record.Target != "here" {
			t.Errorf("the record is %+v, %v", record, err)
		}
		if out := p.stdout.String() + p.stderr.String(); strings.Contains(out, upstreamKey) || strings.Contains(out, appKey) {
			t.Errorf("a secret is shown:\n%s", out)
		}
	})
}
