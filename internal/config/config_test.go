package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/money"
)

var loadCatalog = sync.OnceValues(catalog.Load)

// sources are the real catalog, and the environment and files of the test.
func sources(tb testing.TB, env map[string]string, files map[string]string) *config.Sources {
	tb.Helper()
	c, err := loadCatalog()
	if err != nil {
		tb.Fatal(err)
	}
	return &config.Sources{
		Providers: c,
		Dialects:  []string{"openai-chat"},
		Env: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
		ReadFile: func(path string, limit int64) ([]byte, error) {
			text, ok := files[path]
			switch {
			case !ok:
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			case int64(len(text)) > limit:
				return nil, errors.New("too long")
			}
			return []byte(text), nil
		},
	}
}

func usual(tb testing.TB) *config.Sources {
	tb.Helper()
	return sources(tb, map[string]string{
		"OPENAI_API_KEY": "sk-live-4711", "FAIRLEAD_KEY": "fl-4711", "HOST": "10.0.0.5", "EMPTY": "",
	}, map[string]string{"/etc/fairlead/secrets/groq": "gsk-4711\n", "/etc/fairlead/empty": "\n"})
}

const path = "/etc/fairlead/fairlead.yaml"

func parse(tb testing.TB, text string) (*config.Config, error) {
	tb.Helper()
	return config.Parse(path, []byte(text), usual(tb))
}

func mustParse(tb testing.TB, text string) *config.Config {
	tb.Helper()
	cfg, err := parse(tb, text)
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return cfg
}

const shortest = `
listen: 127.0.0.1:8080
data: ./data                     # SQLite, models, indexes
targets:
  cheap:  { provider: ollama, model: "smollm2:135m" }
  strong: { provider: openai, model: gpt-4o, key: "${OPENAI_API_KEY}" }
  own:    { provider: vllm, base_url: "http://10.0.0.5:8000/v1", model: llama-3.1-8b,
            gpu: { kind: H100, count: 1, usd_per_hour: 2.95 }, classes: [public, wallet] }
models:
  assistant: { plan: [cheap, strong] }
keys:
  - { name: app, secret: "${FAIRLEAD_KEY}", budget: { usd: 20, per: month } }
`

func TestParse_ReadsTheShortestUsefulForm(t *testing.T) {
	t.Parallel()
	from := usual(t)
	cfg, err := config.Parse(path, []byte(shortest), from)
	if err != nil {
		t.Fatal(err)
	}
	own := config.Timeouts{Connect: 5 * time.Second, FirstEvent: 10 * time.Minute, Idle: 2 * time.Minute, Total: 30 * time.Minute}
	want := config.Default()
	want.Data = "/etc/fairlead/data"
	want.Targets = []config.Target{
		{
			Name: "cheap", Provider: "ollama", Model: "smollm2:135m", BaseURL: "http://127.0.0.1:11434/v1",
			Dialect: "openai-chat", Timeouts: own, Retry: config.Retry{Attempts: 2},
		},
		{
			Name: "strong", Provider: "openai", Model: "gpt-4o", BaseURL: "https://api.openai.com/v1",
			Key: config.NewSecret("${OPENAI_API_KEY}", "/etc/fairlead", from), Dialect: "openai-chat",
			Timeouts: config.Timeouts{Connect: 5 * time.Second, FirstEvent: 5 * time.Minute, Idle: time.Minute, Total: 10 * time.Minute},
			Retry:    config.Retry{Attempts: 2},
		},
		{
			Name: "own", Provider: "vllm", Model: "llama-3.1-8b", BaseURL: "http://10.0.0.5:8000/v1", Dialect: "openai-chat",
			GPU:     &config.GPU{Kind: "H100", Count: 1, USDPerHour: money.MustParse("2.95")},
			Classes: []string{"public", "wallet"}, Timeouts: own, Retry: config.Retry{Attempts: 2},
		},
	}
	want.Models = []config.Model{{Name: "assistant", Plan: []string{"cheap", "strong"}}}
	want.Keys = []config.Key{{
		Name: "app", Secret: config.NewSecret("${FAIRLEAD_KEY}", "/etc/fairlead", from),
		Budget: &config.Budget{USD: money.MustParse("20"), Per: config.Period{Calendar: "month"}, Unpriced: "refuse"},
	}}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreFields(config.Config{}, "Origin")); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if key, err := cfg.Targets[1].Key.Reveal(); key != "sk-live-4711" || err != nil {
		t.Errorf("Reveal = %q, %v", key, err)
	}
	if cfg.Origin.Path != path || len(cfg.Origin.Warnings) != 0 {
		t.Errorf("origin = %+v", cfg.Origin)
	}
}

func TestParse_FillsInWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, `
targets:
  a: { provider: groq, model: m, key: "file:secrets/groq", timeouts: { total: 3s } }
  b: { provider: openai-compatible, model: "${HOST}-model", base_url: "http://${HOST}:9000", headers: { x-team: "a$${b}", authorization: "Bearer ${FAIRLEAD_KEY}" } }
  c: { provider: local }
  d: { provider: gemini, dialect: openai-chat, base_url: "https://generativelanguage.googleapis.com/v1beta/openai", model: gemini-2.5-flash-lite }
  e: { provider: tgi, base_url: "http://10.0.0.6:3000/", model: m, timeouts: { first_event: 45m } }
engine: { model: small.gguf, server: ./bin/llama-server }
limits: { requests: 10, body: 64MiB }
`)
	if key, err := cfg.Targets[0].Key.Reveal(); key != "gsk-4711" || err != nil {
		t.Errorf("a.key = %q, %v: want the file's line without its end", key, err)
	}
	if got, want := cfg.Targets[0].Timeouts, (config.Timeouts{Connect: 3 * time.Second, FirstEvent: 3 * time.Second, Idle: 3 * time.Second, Total: 3 * time.Second}); got != want {
		t.Errorf("a.timeouts = %v, want %v: a shorter total shortens the rest", got, want)
	}
	b := cfg.Targets[1]
	if b.BaseURL != "http://10.0.0.5:9000" || b.Model != "10.0.0.5-model" {
		t.Errorf("b = %s %s", b.BaseURL, b.Model)
	}
	for i, want := range []string{"a${b}", "Bearer fl-4711"} {
		if got, err := b.Headers[i].Value.Reveal(); got != want || err != nil {
			t.Errorf("header %s = %q, %v, want %q", b.Headers[i].Name, got, err, want)
		}
	}
	if c := cfg.Targets[2]; c.Model != "small.gguf" || !c.Loopback() {
		t.Errorf("c = %+v", c)
	}
	if d := cfg.Targets[3]; d.Provider != "google" || d.Loopback() {
		t.Errorf("d = %+v: want the alias replaced", d)
	}
	if e := cfg.Targets[4]; e.BaseURL != "http://10.0.0.6:3000/v1" || e.Timeouts.Total != 45*time.Minute {
		t.Errorf("e = %+v", e)
	}
	if cfg.Engine.Server != "/etc/fairlead/bin/llama-server" || cfg.Engine.Model != "small.gguf" {
		t.Errorf("engine = %+v", cfg.Engine)
	}
	if cfg.Limits.Streams != 10 || cfg.Limits.Body != 64<<20 {
		t.Errorf("limits = %+v", cfg.Limits)
	}
	if len(cfg.Origin.Warnings) != 1 || !strings.Contains(cfg.Origin.Warnings[0].String(), "targets.b.base_url: OpenAI-style addresses usually end in /v1") {
		t.Errorf("warnings = %v", cfg.Origin.Warnings)
	}
}

func TestParse_AnEmptyFileIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "{}\n"} {
		cfg := mustParse(t, text)
		if cfg.Listen != "127.0.0.1:8080" || len(cfg.Origin.Warnings) != 1 {
			t.Errorf("%q: listen %s, warnings %v", text, cfg.Listen, cfg.Origin.Warnings)
		}
	}
}

func TestTarget_KnowsThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"http://127.0.0.1:8000/v1": true, "http://localhost:1": true, "http://[::1]:8000": true, "http://127.8.8.8/": true,
		"http://[::ffff:127.0.0.1]/": true, "http://10.0.0.5:8000/v1": false, "https://localhost.example.com": false, "https://127.0.0.1.example.com/": false,
	} {
		if got := (&config.Target{BaseURL: address}).Loopback(); got != want {
			t.Errorf("%s: Loopback = %t, want %t", address, got, want)
		}
	}
}

func TestSecret_IsNeverShown(t *testing.T) {
	t.Parallel()
	from := usual(t)
	for _, text := range []string{"plain-4711", "${FAIRLEAD_KEY}", "Bearer ${FAIRLEAD_KEY}"} {
		s := config.NewSecret(text, "", from)
		type inner struct{ s config.Secret }
		asJSON, err := json.Marshal(map[string]any{"s": s})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "in", config.Header{Value: s})
		shown := strings.Join([]string{
			fmt.Sprint(s), fmt.Sprintf("%s %v %+v %#v %q %x", s, s, s, s, s, s), fmt.Sprintf("%+v %#v", inner{s}, inner{s}), fmt.Sprintf("%v", &inner{s}),
			fmt.Sprintf("%+v", config.Header{Value: s}), string(asJSON), log.String(), s.String(),
		}, "\n")
		if strings.Contains(shown, "4711") || strings.Contains(shown, "FAIRLEAD") {
			t.Errorf("%s was shown:\n%s", text, shown)
		}
	}
	if got := config.NewSecret("plain-4711", "", from).Reference(); got != "•••" {
		t.Errorf("Reference of a literal = %q", got)
	}
	if got := config.NewSecret("${FAIRLEAD_KEY}", "", from).Reference(); got != "${FAIRLEAD_KEY}" {
		t.Errorf("Reference = %q", got)
	}
}

const withSecrets = `
targets:
  a: { provider: openai, model: m, key: sk-literal-4711, headers: { x-token: "t-${FAIRLEAD_KEY}", x-env: "${FAIRLEAD_KEY}" } }
  b: { provider: azure, model: m, base_url: "https://r.openai.azure.com/openai/v1?api-version=1&api_key=4711", key: "file:secrets/groq" }
keys:
  - { name: z, secret: literal-4711, expires: 2027-01-31 }
  - { name: app, secret: "${FAIRLEAD_KEY}", budget: { usd: 0.50, per: 30d } }
`

func TestRedacted_HoldsNoSecretAndLoadsAgain(t *testing.T) {
	t.Parallel()
	text := string(mustParse(t, withSecrets).Redacted())
	for _, secret := range []string{"4711", "t-${"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
	for _, want := range []string{"${FAIRLEAD_KEY}", "file:secrets/groq", "api-version=1", "•••", "per: 30d", "body: 32MiB", "first_event: 5m"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	first := mustParse(t, shortest)
	again := mustParse(t, string(first.Redacted()))
	if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(config.Config{}, "Origin")); diff != "" {
		t.Errorf("what was shown reads differently (-want +got):\n%s", diff)
	}
	if first.Hash() != again.Hash() {
		t.Error("what was shown has another hash")
	}
}

func TestHash_IsOfWhatHolds(t *testing.T) {
	t.Parallel()
	base := mustParse(t, shortest).Hash()
	if len(base) != 12 {
		t.Errorf("hash = %q", base)
	}
	reordered := `
# the same, the other way round
keys: [ { budget: { per: month, usd: 20.0, unpriced: refuse }, secret: "${FAIRLEAD_KEY}", name: app } ]
models: { assistant: { plan: [cheap, strong] } }
targets:
  own: { provider: vllm, base_url: "http://10.0.0.5:8000/v1", model: llama-3.1-8b, classes: [public, wallet], gpu: { kind: H100, usd_per_hour: 2.95 } }
  strong: { provider: openai, model: gpt-4o, key: "${OPENAI_API_KEY}", retry: { attempts: 2 } }
  cheap: { provider: ollama, model: "smollm2:135m" }
data: data
`
	if got := mustParse(t, reordered).Hash(); got != base {
		t.Errorf("hash of the same in another order = %s, want %s", got, base)
	}
	for _, edit := range [][2]string{{"gpt-4o", "gpt-4.1"}, {"[cheap, strong]", "[strong, cheap]"}, {"${FAIRLEAD_KEY}", "${OPENAI_API_KEY}"}, {"usd: 20", "usd: 21"}} {
		if got := mustParse(t, strings.Replace(shortest, edit[0], edit[1], 1)).Hash(); got == base {
			t.Errorf("%s → %s: the hash is the same", edit[0], edit[1])
		}
	}
	literal := func(secret string) string {
		return mustParse(t, "keys: [ { name: a, secret: "+secret+" } ]").Hash()
	}
	if literal("one-secret") != literal("another-secret") {
		t.Error("the hash tells literal secrets apart, so they could be guessed from it")
	}
}

func TestNeedsRestart_NamesWhatIsFixed(t *testing.T) {
	t.Parallel()
	a, b := mustParse(t, "{}"), mustParse(t, "{listen: ':9', log: {level: debug}}")
	if diff := cmp.Diff([]string{"listen", "log"}, config.NeedsRestart(a, b)); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_SaysWhereItLooked(t *testing.T) {
	t.Parallel()
	c, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, err = config.Load(filepath.Join(dir, "fairlead.yaml"), config.System(c))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "name another") {
		t.Errorf("Load of nothing: %v", err)
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# long\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(big, config.System(c)); err == nil || !strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("Load of a huge file: %v", err)
	}
}

func TestLoad_ReadsTheExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/fairlead.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"OPENAI_API_KEY": "a", "GROQ_API_KEY": "b", "FAIRLEAD_KEY": "c", "FAIRLEAD_ADMIN_KEY": "d", "GPU_HOST": "10.0.0.5"}
	prices, err := os.ReadFile("../../examples/prices.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"/etc/fairlead/secrets/team-token": "e\n", "/etc/fairlead/prices.jsonl": string(prices)}
	cfg, err := config.Parse(path, text, sources(t, env, files))
	if err != nil {
		t.Fatalf("the example does not load:\n%v", err)
	}
	if len(cfg.Origin.Warnings) > 0 {
		t.Errorf("the example has warnings:\n%v", cfg.Origin.Warnings)
	}
	validate(t, compileSchema(t), string(text), true)
}
