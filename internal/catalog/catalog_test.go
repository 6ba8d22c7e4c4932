package catalog_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/money"
)

func day(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestLoad_EveryProviderIsComplete(t *testing.T) {
	t.Parallel()
	c := load(t)
	abilities := []string{"stream", "tools", "tools_grammar", "json_schema", "json_object", "vision", "audio", "logprobs", "n", "thinking", "documents"}
	surfaces := []string{"chat", "completions", "embeddings", "rerank", "count_tokens"}
	auths := []string{"bearer", "x-api-key", "api-key", "x-goog-api-key", "aws-sigv4", "google-adc", "none"}
	for _, p := range c.Providers() {
		if !slices.Contains(auths, p.API.Auth) {
			t.Errorf("%s: auth %q is not one of %v", p.ID, p.API.Auth, auths)
		}
		for _, a := range p.Does.Abilities {
			if !slices.Contains(abilities, a) {
				t.Errorf("%s: ability %q is not one of %v", p.ID, a, abilities)
			}
		}
		for _, s := range p.Does.Surfaces {
			if !slices.Contains(surfaces, s) {
				t.Errorf("%s: surface %q is not one of %v", p.ID, s, surfaces)
			}
		}
		if p.Kind == catalog.Hosted && p.API.Auth != "none" && p.API.KeyReference(nil) == "" {
			t.Errorf("%s: a hosted provider names the variable of its key", p.ID)
		}
		if p.Kind == catalog.SelfHosted && p.API.BaseURL != "" {
			u, err := url.Parse(p.API.BaseURL)
			if err != nil || u.Hostname() != "127.0.0.1" {
				t.Errorf("%s: a server of one's own is looked for on 127.0.0.1, not %s", p.ID, p.API.BaseURL)
			}
		}
		for _, from := range p.Prices.From {
			if _, ok := c.Provider(from); !ok {
				t.Errorf("%s: prices.from %q is no provider", p.ID, from)
			}
		}
		if len(p.Date) != len("2026-08") {
			t.Errorf("%s: date %q: write YYYY-MM", p.ID, p.Date)
		}
	}
}

func TestLoad_NamesThatUsersRelyOn(t *testing.T) {
	t.Parallel()
	c := load(t)
	for id := range strings.FieldsSeq(`openai anthropic google azure aws together fireworks groq mistral deepseek
		openrouter cohere x-ai vertex replicate vllm tgi trtllm triton ollama llamacpp sglang lmstudio local
		modal runpod baseten beam openai-compatible jina voyageai`) {
		if p, ok := c.Provider(id); !ok || p.ID != id {
			t.Errorf("provider %s is missing", id)
		}
	}
	if _, ok := c.Provider("opnai"); ok {
		t.Error("a misspelt provider was found")
	}
}

func TestLoad_EveryPriceRowIsSound(t *testing.T) {
	t.Parallel()
	c := load(t)
	rows := 0
	for _, p := range c.Providers() {
		seen := map[string]bool{}
		for _, r := range c.Rows(p.ID) {
			rows++
			if err := r.Check(); err != nil {
				t.Error(err)
			}
			key := r.Model + r.Since + r.Hours
			if seen[key] {
				t.Errorf("%s %s: two rows for the same time", p.ID, r.Model)
			}
			seen[key] = true
		}
	}
	if rows < 1450 {
		t.Errorf("%d price rows, there were 1450: an import lost some", rows)
	}
}

func TestHomeURL(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, tt := range []struct{ provider, base, want string }{
		{"ollama", "", "http://127.0.0.1:11434/v1"},
		{"ollama", "http://10.0.0.5:11434", "http://10.0.0.5:11434/v1"},
		{"ollama", "http://10.0.0.5:11434/v1/", "http://10.0.0.5:11434/v1"},
		{"tgi", "http://10.0.0.5:3000/", "http://10.0.0.5:3000/v1"},
		{"openai", "", "https://api.openai.com/v1"},
		{"vllm", "http://10.0.0.5:8000/v1", "http://10.0.0.5:8000/v1"},
		{"azure", "", ""},
	} {
		p, _ := c.Provider(tt.provider)
		if got := p.API.HomeURL(tt.base, p.API.Dialect); got != tt.want {
			t.Errorf("%s with base %q: %q, want %q", tt.provider, tt.base, got, tt.want)
		}
	}
}

func TestPrice_LookUp(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, tt := range []struct{ name, provider, model, at, wantModel, wantRow, wantProvider string }{
		{"by id", "openai", "gpt-4o", "2026-07-20 12:00", "gpt-4o", "base", "openai"},
		{"any case", "OpenAI", "GPT-4o", "2026-07-20 12:00", "gpt-4o", "base", "openai"},
		{"a provider name of others", "azure-openai", "gpt-4o", "2026-07-20 12:00", "gpt-4o", "base", "openai"},
		{"alias", "gemini", "gemini-2.5-flash", "2026-07-20 12:00", "gemini-2.5-flash", "base", "google"},
		{"resold", "azure", "claude-sonnet-4-5", "2026-07-20 12:00", "claude-sonnet-4-5", "base", "anthropic"},
		{"resold twice removed", "vertex", "gemini-2.5-flash", "2026-07-20 12:00", "gemini-2.5-flash", "base", "google"},
		{"a dated name written compactly", "openai", "gpt-5.2-20251211", "2026-07-20 12:00", "gpt-5.2", "base", "openai"},
		{"before a date", "openai", "o3", "2025-06-09 23:59", "o3", "base", "openai"},
		{"from a date on", "openai", "o3", "2025-06-10 00:00", "o3", "since 2025-06-10", "openai"},
		{"in the hours", "deepseek", "deepseek-chat", "2026-07-20 00:30", "deepseek-chat", "00:30-16:30 UTC", "deepseek"},
		{"at their end", "deepseek", "deepseek-chat", "2026-07-20 16:30", "deepseek-chat", "base", "deepseek"},
		{"no such model", "openai", "gpt-4x", "2026-07-20 12:00", "", "", ""},
		{"no such provider", "nobody", "gpt-4o", "2026-07-20 12:00", "", "", ""},
		{"not sold there", "groq", "claude-sonnet-4-5", "2026-07-20 12:00", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, ok := c.Price(tt.provider, tt.model, day(t, tt.at))
			if ok != (tt.wantModel != "") {
				t.Fatalf("found is %v", ok)
			}
			if !ok {
				if p.Cost(money.Tokens{Input: 1}).State != money.Unknown {
					t.Error("no price must be an unknown cost")
				}
				return
			}
			got := p.Source()
			if got.Model != tt.wantModel || got.Row != tt.wantRow || got.Provider != tt.wantProvider {
				t.Errorf("got %+v", got)
			}
			if got.From == "" || got.Date == "" {
				t.Errorf("no source or date: %+v", got)
			}
		})
	}
}

func override(t *testing.T, r catalog.Rates) *catalog.Price {
	t.Helper()
	p, err := catalog.Override(r, "test", "model")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCost(t *testing.T) {
	t.Parallel()
	full := catalog.Rates{
		Input: "3 >200000:6", CacheRead: "0.3 >200000:0.6", CacheWrite: "3.75", CacheWrite1h: "6",
		AudioInput: "32", AudioCacheRead: "0.4", ImageInput: "5",
		Output: "15 >200000:22.5", Reasoning: "16", AudioOutput: "64", ImageOutput: "40",
		Requests: "12", Searches: "10",
	}
	million := int64(1_000_000)
	for _, tt := range []struct {
		name               string
		rates              catalog.Rates
		tokens             money.Tokens
		input, output, usd string
		state              money.State
	}{
		{"plain", catalog.Rates{Input: "2.5", Output: "10"}, money.Tokens{Input: 19, Output: 10}, "0.0000475", "0.0001", "0.0001475", money.Known},
		{"every class", full, money.Tokens{
			Input: 10, CacheRead: 10, CacheWrite5m: 10, CacheWrite1h: 10, AudioInput: 10, AudioCacheRead: 10, ImageInput: 10,
			Output: 10, Reasoning: 10, AudioOutput: 10, ImageOutput: 10, Requests: 1, Searches: 2,
		}, "0.0005045", "0.00135", "0.0338545", money.Known},
		{"at the step", full, money.Tokens{Input: 199_999, CacheRead: 1, Output: 1}, "0.5999973", "0.000015", "0.6120123", money.Known},
		{"over the step, all of it", full, money.Tokens{Input: 199_999, CacheRead: 2, Output: 1}, "1.1999952", "0.0000225", "1.2120177", money.Known},
		{"classes without a price of their own", catalog.Rates{Input: "1", Output: "2"}, money.Tokens{
			CacheRead: million, CacheWrite5m: million, CacheWrite1h: million, AudioInput: million, AudioCacheRead: million, ImageInput: million,
			Reasoning: million, AudioOutput: million, ImageOutput: million,
		}, "6", "6", "12", money.Known},
		{"the hour's cache without its own price costs as the other", catalog.Rates{Input: "1", CacheWrite: "1.25"}, money.Tokens{CacheWrite1h: million}, "1.25", "0", "1.25", money.Known},
		{"output that has no price", catalog.Rates{Input: "1"}, money.Tokens{Input: 1, Output: 1}, "0", "0", "0", money.Unknown},
		{"a search that has no price", catalog.Rates{Input: "1", Output: "1"}, money.Tokens{Input: million, Searches: 1}, "1", "0", "1", money.Estimated},
		{"nothing used", catalog.Rates{Input: "1", Output: "1"}, money.Tokens{}, "0", "0", "0", money.Known},
		{"as large as can be", catalog.Rates{Input: "99999.9999999999999", Output: "0"}, money.Tokens{Input: money.MaxTokens}, "99999999999.9999999", "0", "99999999999.9999999", money.Known},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := override(t, tt.rates).Cost(tt.tokens)
			got := []string{c.Input.String(), c.Output.String(), c.USD.String(), c.State.String()}
			want := []string{tt.input, tt.output, tt.usd, tt.state.String()}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("input, output, total, state (-want +got):\n%s", d)
			}
		})
	}
}

func TestOverride_RefusesBadPrices(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"-1", "1e3", "$1", "1,5", "0.00000000000001", "1 >x:2", "1 >10", "1 >10:2 >10:3", "1 >10:-2", "1 10:2"} {
		if _, err := catalog.Override(catalog.Rates{Input: bad}, "p", "m"); err == nil {
			t.Errorf("price %q was taken", bad)
		}
	}
}

func TestGPUCost(t *testing.T) {
	t.Parallel()
	got := catalog.GPUCost(money.MustParse("2.95"), 2, 36*time.Second)
	if got.USD.String() != "0.059" || got.State != money.Estimated {
		t.Errorf("2 × 2.95 USD/h for 36 s: %s (%s)", got.USD, got.State)
	}
	if got := catalog.GPUCost(money.MustParse("2.95"), 1, -time.Second); got.State != money.Unknown {
		t.Errorf("negative time: %s", got.State)
	}
}

func TestFree_IsAKnownNothing(t *testing.T) {
	t.Parallel()
	c := catalog.Free("ollama", "smollm2").Cost(money.Tokens{Input: 5, Reasoning: 7, Output: 1})
	if c.State != money.Known || !c.USD.IsZero() {
		t.Errorf("%+v", c)
	}
}

func TestOverlay_Wins(t *testing.T) {
	t.Parallel()
	c := load(t)
	row := catalog.Row{
		Provider: "openai", Model: "gpt-4o", Match: "^gpt-4o", Rates: catalog.Rates{Input: "1", Output: "2"},
		Source: "contract", Date: "2026-11",
	}
	next, err := c.Overlay([]catalog.Row{row})
	if err != nil {
		t.Fatal(err)
	}
	at := day(t, "2026-11-01 00:00")
	for _, tt := range []struct {
		c    *catalog.Catalog
		name string
		want string
	}{{next, "gpt-4o", "1"}, {next, "gpt-4o-mini", "1"}, {next, "o3", "2"}, {c, "gpt-4o", "2.5"}} {
		p, ok := tt.c.Price("openai", tt.name, at)
		if !ok {
			t.Fatalf("%s: no price", tt.name)
		}
		if in, _, _, _ := p.PerMillion(); in.String() != tt.want {
			t.Errorf("%s: input %s, want %s", tt.name, in, tt.want)
		}
	}
	for _, bad := range []catalog.Row{
		{Provider: "nobody", Model: "m", Rates: row.Rates, Source: "s", Date: "d"},
		{Provider: "openai", Model: "m", Rates: row.Rates},
		{Provider: "openai", Model: "m", Match: "gpt", Rates: row.Rates, Source: "s", Date: "d"},
		{Provider: "openai", Model: "m", Rates: catalog.Rates{Input: "x"}, Source: "s", Date: "d"},
		{Provider: "openai", Model: "m", Hours: "1-2", Rates: row.Rates, Source: "s", Date: "d"},
		{Provider: "openai", Model: "m", Since: "tomorrow", Rates: row.Rates, Source: "s", Date: "d"},
	} {
		if _, err := c.Overlay([]catalog.Row{bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		match, name string
		want        bool
	}{
		{"=gpt-4o", "gpt-4o", true}, {"=GPT-4o", "gpt-4o", true}, {"=gpt-4o", "gpt-4o-mini", false},
		{"^gpt-4o-", "gpt-4o-mini", true}, {"$-latest", "x-latest", true}, {"~claude", "a/claude-3", true},
		{`/^o\d+$`, "o33", true}, {`/^o\d+$`, "o3-mini", false},
		{"^a & $z", "abz", true}, {"^a & $z", "ab", false}, {"^a & $z | =q", "q", true}, {"", "", false},
	} {
		m, err := catalog.ParseMatch(tt.match)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Names(tt.name); got != tt.want {
			t.Errorf("%q names %q: %v", tt.match, tt.name, got)
		}
	}
	for _, bad := range []string{"gpt", "=", "/(", "=a | ", "=a|| =b & x"} {
		if _, err := catalog.ParseMatch(bad); err == nil {
			t.Errorf("match %q was taken", bad)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}

func BenchmarkFirstPrice(b *testing.B) {
	for b.Loop() {
		if _, ok := load(b).Price("openrouter", "openai/gpt-4o", time.Time{}); !ok {
			b.Fatal("no price")
		}
	}
}

func BenchmarkCost(b *testing.B) {
	p, _ := load(b).Price("openai", "gpt-4o", time.Time{})
	tokens := money.Tokens{Input: 1200, CacheRead: 300, Output: 410, Reasoning: 90}
	b.ReportAllocs()
	for b.Loop() {
		if p.Cost(tokens).State != money.Known {
			b.Fatal("unknown")
		}
	}
}

func TestCost_AllocatesNothing(t *testing.T) {
	p, ok := load(t).Price("openai", "gpt-4o", time.Time{})
	if !ok {
		t.Fatal("no price")
	}
	tokens := money.Tokens{Input: 1200, CacheRead: 300, Output: 410, Reasoning: 90}
	if n := testing.AllocsPerRun(100, func() { p.Cost(tokens) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUsage(b *testing.B) {
	c := load(b)
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",` +
		`"content":"` + strings.Repeat("Words and more words. ", 100) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,` +
		`"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":64}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Usage("openai", "chat", body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDoes_ModelsThatLackWhatTheirProviderHas(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, tc := range []struct{ provider, model, lack string }{
		{"aws", "anthropic.claude-3-haiku-20240307-v1:0", "json_schema thinking"},
		{"aws", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "json_schema"},
		{"aws", "eu.anthropic.claude-sonnet-4-20250514-v1:0", "json_schema"},
		{"aws", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", ""},
		{"aws", "amazon.nova-lite-v1:0", "json_schema thinking"},
		{"aws", "openai.gpt-oss-120b-1:0", ""},
		{"anthropic", "claude-3-5-haiku-latest", "json_schema thinking"},
		{"anthropic", "claude-sonnet-4-20250514", "json_schema"},
		{"anthropic", "claude-sonnet-4-5", ""},
		{"anthropic", "claude-opus-4-1-20250805", ""},
		{"google", "gemini-2.0-flash", "thinking"},
		{"google", "gemini-2.5-flash", ""},
		{"vertex", "gemini-1.5-pro-002", "thinking"},
		{"openai", "gpt-4o", "thinking"},
		{"openai", "o4-mini", ""},
	} {
		p, _ := c.Provider(tc.provider)
		got := p.Does.Lacks(tc.model)
		slices.Sort(got)
		if text := strings.Join(got, " "); text != tc.lack {
			t.Errorf("%s %s lacks %q, want %q", tc.provider, tc.model, text, tc.lack)
		}
	}
}
