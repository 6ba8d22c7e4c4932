package catalog_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/catalog"
)

func TestImportGenAI(t *testing.T) {
	t.Parallel()
	in := `[{"id":"acme","pricing_urls":["https://acme.example/pricing"],"models":[
		{"id":"Big","name":"n","description":"prose stays behind","match":{"equals":"big"},"context_window":1000,
			"prices":{"input_mtok":{"base":1.25,"tiers":[{"start":500000,"price":5},{"start":200000,"price":2.5}]},"output_mtok":1e-7}},
		{"id":"noise","match":{"and":[{"contains":"a"},{"or":[{"starts_with":"b"},{"ends_with":"c"}]}]},
			"prices":{"input_mtok":0.30000000000000004,"output_mtok":1}},
		{"id":"dated","match":{"regex":"^d\\d$"},"prices":[
			{"prices":{"input_mtok":1,"output_mtok":2}},
			{"constraint":{"start_date":"2026-01-02"},"prices":{"input_mtok":3,"output_mtok":4}},
			{"constraint":{"start_time":"16:30:00Z","end_time":"00:30:00Z"},"prices":{"input_mtok":5,"output_mtok":6,"requests_kcount":7}}]},
		{"id":"x:free","match":{"equals":"x:free"},"prices":{}},
		{"id":"songs","match":{"equals":"songs"},"prices":{}},
		{"id":"odd","match":{"equals":"odd"},"prices":{"input_parsec_mtok":1}},
		{"id":"negative","match":{"equals":"negative"},"prices":{"input_mtok":-1}},
		{"id":"nomatch","match":{"sounds_like":"x"},"prices":{"input_mtok":1}}]}]`
	rows, skipped, err := catalog.ImportGenAI(strings.NewReader(in), "2026-11")
	if err != nil {
		t.Fatal(err)
	}
	src := func(r catalog.Row) catalog.Row {
		r.Provider, r.Source, r.Date = "acme", "https://acme.example/pricing", "2026-11"
		return r
	}
	want := []catalog.Row{
		src(catalog.Row{Model: "Big", Context: 1000, Rates: catalog.Rates{Input: "1.25 >200000:2.5 >500000:5", Output: "0.0000001"}}),
		src(catalog.Row{Model: "noise", Match: "~a & ^b | ~a & $c", Rates: catalog.Rates{Input: "0.3", Output: "1"}}),
		src(catalog.Row{Model: "dated", Match: `/^d\d$`, Rates: catalog.Rates{Input: "1", Output: "2"}}),
		src(catalog.Row{Model: "dated", Since: "2026-01-02", Rates: catalog.Rates{Input: "3", Output: "4"}}),
		src(catalog.Row{Model: "dated", Hours: "16:30-00:30", Rates: catalog.Rates{Input: "5", Output: "6", Requests: "7"}}),
		src(catalog.Row{Model: "x:free", Rates: catalog.Rates{Input: "0", Output: "0"}}),
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	var out []string
	for _, s := range skipped {
		out = append(out, s.Model)
	}
	if d := cmp.Diff([]string{"songs", "odd", "negative", "nomatch"}, out); d != "" {
		t.Errorf("skipped (-want +got):\n%s", d)
	}
	if _, _, err := catalog.ImportGenAI(strings.NewReader(`{"not":"an array"}`), "2026-11"); err == nil {
		t.Error("another file was taken")
	}
}

func TestImportGenAI_IsWhatTheFilesHold(t *testing.T) {
	t.Parallel()
	rows, skipped, err := catalog.ImportGenAI(bytes.NewReader(sharedData(t, "prices/genai-prices.json")), "2026-07")
	if err != nil {
		t.Fatal(err)
	}
	if len(skipped) != 3 {
		t.Errorf("skipped: %v", skipped)
	}
	c := load(t)
	byProvider := map[string][]catalog.Row{}
	for _, r := range rows {
		byProvider[r.Provider] = append(byProvider[r.Provider], r)
	}
	for provider, rows := range byProvider {
		for _, change := range catalog.Diff(c.Rows(provider), rows) {
			// Only what importprices lays over the file may differ.
			switch {
			case provider == "anthropic" && (change.Rate == "cache_write_1h" || change.Rate == "searches"):
			case provider == "google" && strings.Contains(change.Model, "image"):
			case provider == "openai" && (change.Rate == "image_input" || change.Rate == "image_output"):
			case provider == "aws" && change.Model == "openai.gpt-5.6-luna":
			default:
				t.Errorf("the price file differs: %s; run importprices", change)
			}
		}
	}
}

// liteLLM is written for this test in the form of LiteLLM's file.
const liteLLM = `{
	"sample_spec": {"litellm_provider": "one of …", "max_input_tokens": "text"},
	"big": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 128000,
		"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
		"input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05, "supports_vision": true},
	"gemini/long": {"litellm_provider": "gemini", "source": "https://example.com/prices",
		"input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
		"output_cost_per_token": 1e-05, "output_cost_per_token_above_200k_tokens": 1.5e-05, "output_cost_per_reasoning_token": 1.2e-05},
	"writer": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
		"cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06},
	"together_ai/org/free": {"litellm_provider": "together_ai", "input_cost_per_token": 0, "output_cost_per_token": 0},
	"vertex_ai/x": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-07},
	"embed": {"litellm_provider": "voyage", "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0},
	"asks": {"litellm_provider": "perplexity", "input_cost_per_token": 1e-06, "input_cost_per_request": 0.005},
	"dall-e": {"litellm_provider": "openai", "input_cost_per_pixel": 1.9e-08},
	"broken": {"litellm_provider": "openai", "input_cost_per_token": "cheap"},
	"negative": {"litellm_provider": "openai", "input_cost_per_token": -1e-06}
}`

func TestImportLiteLLM(t *testing.T) {
	t.Parallel()
	rows, skipped, err := catalog.ImportLiteLLM(strings.NewReader(liteLLM), "2026-11")
	if err != nil {
		t.Fatal(err)
	}
	const page = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
	row := func(provider, model string, context int64, r catalog.Rates) catalog.Row {
		return catalog.Row{Provider: provider, Model: model, Rates: r, Context: context, Source: page, Date: "2026-11"}
	}
	want := []catalog.Row{
		row("anthropic", "writer", 0, catalog.Rates{Input: "3", CacheWrite: "3.75", CacheWrite1h: "6", Output: "15"}),
		row("google", "long", 0, catalog.Rates{Input: "1.25 >200000:2.5", Output: "10 >200000:15", Reasoning: "12"}),
		row("openai", "big", 128000, catalog.Rates{Input: "2.5", CacheRead: "1.25", AudioInput: "40", Output: "10", AudioOutput: "80"}),
		row("perplexity", "asks", 0, catalog.Rates{Input: "1", Requests: "5"}),
		row("together", "org/free", 0, catalog.Rates{Input: "0", Output: "0"}),
		row("vertex", "vertex_ai/x", 0, catalog.Rates{Input: "0.1"}),
		row("voyageai", "embed", 0, catalog.Rates{Input: "0.02", Output: "0"}),
	}
	want[1].Source = "https://example.com/prices"
	want[5].Model = "x"
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if len(skipped) != 3 {
		t.Errorf("skipped: %v", skipped)
	}
	if _, err := load(t).Overlay(rows); err != nil {
		t.Errorf("as an overlay: %v", err)
	}
}

func TestDiff_MarksJumps(t *testing.T) {
	t.Parallel()
	row := func(model, in, out string) catalog.Row {
		return catalog.Row{Provider: "p", Model: model, Rates: catalog.Rates{Input: in, Output: out}}
	}
	old := []catalog.Row{row("a", "1", "10"), row("b", "1", "1"), row("c", "0", "1"), row("gone", "1", "1"), row("same", "1", "1")}
	next := []catalog.Row{row("a", "2", "21"), row("b", "0.49", "0.5"), row("c", "1", "1 >9:99"), row("new", "1", ""), row("same", "1", "1")}
	var got []string
	for _, c := range catalog.Diff(old, next) {
		line := c.String()
		if c.Jump {
			line += "!"
		}
		got = append(got, line)
	}
	want := []string{
		"p a (base) input: 1 → 2", "p a (base) output: 10 → 21!",
		"p b (base) input: 1 → 0.49!", "p b (base) output: 1 → 0.5",
		"p c (base) input: 0 → 1!", "p c (base) output: 1 → 1 >9:99",
		"p gone (base) input: 1 → none", "p gone (base) output: 1 → none",
		"p new (base) input: none → 1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}

func TestRenew_KeepsTheDateOfWhatDidNotChange(t *testing.T) {
	t.Parallel()
	old := []catalog.Row{
		{Provider: "p", Model: "a", Rates: catalog.Rates{Input: "1"}, Date: "2026-01"},
		{Provider: "p", Model: "b", Rates: catalog.Rates{Input: "1"}, Date: "2026-01"},
	}
	next := catalog.Renew(old, []catalog.Row{
		{Provider: "p", Model: "a", Rates: catalog.Rates{Input: "1"}, Date: "2026-11"},
		{Provider: "p", Model: "b", Rates: catalog.Rates{Input: "2"}, Date: "2026-11"},
		{Provider: "p", Model: "c", Rates: catalog.Rates{Input: "1"}, Date: "2026-11"},
	})
	for i, want := range []string{"2026-01", "2026-11", "2026-11"} {
		if next[i].Date != want {
			t.Errorf("%s: date %s, want %s", next[i].Model, next[i].Date, want)
		}
	}
}

func TestRows_ReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	rows := load(t).Rows("deepseek")
	var buf bytes.Buffer
	if err := catalog.WriteRows(&buf, rows); err != nil {
		t.Fatal(err)
	}
	back, err := catalog.ReadRows(&buf, "deepseek")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(rows, back); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, bad := range []string{`{"model":"m","price":"1"}`, `{"model":1}`, `[`, `{"model":"m"`} {
		if _, err := catalog.ReadRows(strings.NewReader(bad), "p"); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
