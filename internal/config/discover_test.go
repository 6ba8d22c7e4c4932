package config_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
)

func must(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answers is a Probe over fixed answers by base URL.
func answers(lists map[string][]string) config.Probe {
	return func(_ context.Context, baseURL string) ([]config.Served, error) {
		list, ok := lists[baseURL]
		if !ok {
			return nil, errors.New("connection refused")
		}
		served := make([]config.Served, len(list))
		for i, id := range list {
			served[i].ID = id
		}
		return served, nil
	}
}

func lines(found []config.Found) []string {
	var out []string
	for _, f := range found {
		out = append(out, f.String())
	}
	return out
}

func plans(cfg *config.Config) map[string][]string {
	out := map[string][]string{}
	for _, m := range cfg.Models {
		out[m.Name] = m.Plan
	}
	return out
}

func TestDiscover_PutsThisMachineBeforeHosted(t *testing.T) {
	t.Parallel()
	cfg, found, err := config.Discover(t.Context(), config.Discovery{
		From: sources(t, map[string]string{"OPENAI_API_KEY": "sk-4711", "ANTHROPIC_API_KEY": "x", "AZURE_OPENAI_API_KEY": "y", "GROQ_API_KEY": " "}, nil),
		Probe: answers(map[string][]string{
			"http://127.0.0.1:11434/v1": {"nomic-embed-text:latest", "smollm2:135m", "gpt-4o-mini", "bad name"},
			"http://127.0.0.1:8000/v1":  {"meta-llama/Llama-3.1-8B"},
			"http://127.0.0.1:8080/v1":  {"never asked"},
			"http://127.0.0.1:1234/v1":  {"text-embedding-3"},
		}),
		Engine: func(context.Context) config.EngineState {
			return config.EngineState{Ready: true, Model: "smollm2-135m", Note: "runs smollm2-135m"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"assistant":               {"vllm", "ollama", "local", "openai"},
		"meta-llama/Llama-3.1-8B": {"vllm"},
		"smollm2:135m":            {"ollama"},
		"smollm2-135m":            {"local"},
	}
	if diff := cmp.Diff(want, plans(cfg)); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
	if target, ok := cfg.Target("gpt-4o-mini"); !ok || target.Provider != "ollama" {
		t.Errorf("gpt-4o-mini = %+v: want the one on this machine", target)
	}
	wantLines := []string{
		"vLLM: answers on 127.0.0.1:8000 with 1 model (vllm)",
		"SGLang: nothing answers on 127.0.0.1:30000",
		"Ollama: answers on 127.0.0.1:11434 with 4 models (ollama, gpt-4o-mini)",
		"LM Studio: answers on 127.0.0.1:1234, but has no chat model; load a model into it, then start Fairlead again",
		"llama.cpp: not looked for: 127.0.0.1:8080 is where Fairlead itself listens; name it in fairlead.yaml with its base_url, or listen elsewhere with --listen",
		"Local engine: runs smollm2-135m (local)",
		"Anthropic: ANTHROPIC_API_KEY is set, but this version does not speak anthropic yet",
		"Azure OpenAI: AZURE_OPENAI_API_KEY is set, but which model to use is not known; name a target for it in fairlead.yaml",
		"OpenAI: OPENAI_API_KEY is set (openai, gpt-4o, gpt-5-mini)",
	}
	if diff := cmp.Diff(wantLines, lines(found)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if shown := string(cfg.Redacted()); strings.Contains(shown, "4711") || !strings.Contains(shown, "${OPENAI_API_KEY}") {
		t.Errorf("shown:\n%s", shown)
	}
	if local, _ := cfg.Target("local"); local.Timeouts.Total == 0 || local.Retry.Attempts != 2 {
		t.Errorf("local = %+v: want defaults filled in", local)
	}
}

func TestDiscover_NothingIsStillAStart(t *testing.T) {
	t.Parallel()
	cfg, found, err := config.Discover(t.Context(), config.Discovery{
		From: sources(t, nil, nil), Probe: answers(nil),
		Engine: func(context.Context) config.EngineState {
			return config.EngineState{Note: "no Python 3.10 or newer on PATH", Next: "install one"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Targets)+len(cfg.Models) != 0 {
		t.Errorf("targets %v, models %v", cfg.Targets, cfg.Models)
	}
	got := strings.Join(lines(found), "\n")
	for _, want := range []string{"Local engine: no Python 3.10 or newer on PATH; install one", "Hosted providers: no key in the environment; export one"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not said:\n%s", want, got)
		}
	}
	for _, f := range found {
		if f.OK {
			t.Errorf("%s is found", f.Name)
		}
	}
}

func TestDiscover_HasABoundPerServer(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 50 {
		many = append(many, "model-"+string(rune('a'+i%26))+strings.Repeat("x", i))
	}
	base := config.Default()
	base.Listen = "127.0.0.1:9999"
	cfg, _, err := config.Discover(t.Context(), config.Discovery{
		From: sources(t, nil, nil), Base: base, Probe: answers(map[string][]string{"http://127.0.0.1:8080/v1": many}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Targets) != 8 || cfg.Targets[0].Name != "llamacpp" {
		t.Errorf("%d targets, first %q", len(cfg.Targets), cfg.Targets[0].Name)
	}
}

func TestDiscover_StartersHavePrices(t *testing.T) {
	t.Parallel()
	c := must(t)
	env := map[string]string{}
	for _, p := range c.Providers() {
		for _, name := range p.API.KeyEnv {
			env[name] = "key"
		}
	}
	from := sources(t, env, nil)
	from.Dialects = []string{"openai-chat", "anthropic", "gemini", "cohere"}
	cfg, _, err := config.Discover(t.Context(), config.Discovery{From: from, Probe: answers(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Targets) < 10 {
		t.Errorf("only %d targets", len(cfg.Targets))
	}
	for _, target := range cfg.Targets {
		if _, ok := c.Price(target.Provider, target.Model, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)); !ok {
			t.Errorf("%s has no price for %s", target.Provider, target.Model)
		}
	}
}

func TestHTTPProbe_TakesModelListsOnly(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/good/models", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"object":"list","data":[{"id":"a","owned_by":"vllm"},{"id":"b"}]}`))
	})
	mux.HandleFunc("/html/models", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	mux.HandleFunc("/other/models", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"models":[]}`)) })
	mux.HandleFunc("/closed/models", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("/moved/models", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good/models", http.StatusFound) })
	mux.HandleFunc("/slow/models", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(hang) })
	client, hasty := config.ProbeClient(), config.ProbeClient()
	client.Timeout, hasty.Timeout = time.Minute, 20*time.Millisecond
	probe := config.HTTPProbe(client)
	got, err := probe(t.Context(), srv.URL+"/good")
	if diff := cmp.Diff([]config.Served{{ID: "a", OwnedBy: "vllm"}, {ID: "b"}}, got); diff != "" || err != nil {
		t.Errorf("good: %v %s", err, diff)
	}
	if got, err := config.HTTPProbe(hasty)(t.Context(), srv.URL+"/slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v, %v", got, err)
	}
	for _, bad := range []string{"html", "other", "closed", "moved", "missing"} {
		if got, err := probe(t.Context(), srv.URL+"/"+bad); err == nil {
			t.Errorf("%s: %v", bad, got)
		}
	}
}
