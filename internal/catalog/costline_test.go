package catalog_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/money"
)

func costLines(t *testing.T, provider, flavor, model, in string) (out []string, failed int) {
	t.Helper()
	var w bytes.Buffer
	failed, err := load(t).CostLines(strings.NewReader(in), &w, catalog.CostOptions{
		Provider: provider, Flavor: flavor, Model: model, At: day(t, "2026-07-20 12:00"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n"), failed
}

func TestCostLines_OneAnswer(t *testing.T) {
	t.Parallel()
	got, failed := costLines(t, "openai", "chat", "", `{"id":"x","model":"gpt-4o-2024-08-06","choices":[],
	"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,
	"prompt_tokens_details":{"cached_tokens":400},"completion_tokens_details":{"reasoning_tokens":64}}}`)
	want := []string{`{"provider":"openai","flavor":"chat","model":"gpt-4o-2024-08-06",` +
		`"tokens":{"input":600,"cache_read":400,"output":36,"reasoning":64},"input_tokens":1000,"output_tokens":100,` +
		`"cost_usd":"0.003","input_usd":"0.002","output_usd":"0.001","state":"known",` +
		`"price":{"provider":"openai","model":"gpt-4o","row":"base","from":"https://developers.openai.com/api/docs/pricing","date":"2026-07"}}`}
	if d := cmp.Diff(want, got); d != "" || failed != 0 {
		t.Errorf("%d failed (-want +got):\n%s", failed, d)
	}
}

// TestCostLines_KeepsGoing: every value gets its line, whatever stands before it.
func TestCostLines_KeepsGoing(t *testing.T) {
	t.Parallel()
	good := func(n string) string {
		return `{"model":"gpt-4o","usage":{"prompt_tokens":` + n + `,"completion_tokens":1}}`
	}
	pretty := "{\n  \"model\": \"gpt-4o\",\n  \"usage\": {\n    \"prompt_tokens\": 7,\n    \"completion_tokens\": 1\n  }\n}\n"
	for _, tt := range []struct{ name, in, want string }{
		{"lines", good("1") + "\n" + good("2") + "\n", "1 2"},
		{"no newline at the end", good("1") + "\n" + good("2"), "1 2"},
		{"blank lines and CRLF", "\r\n" + good("1") + "\r\n\n\n" + good("2") + "\r\n", "1 2"},
		{"two on a line", good("1") + " " + good("2") + "\n" + good("3"), "1 2 3"},
		{"pretty", pretty + pretty, "7 7"},
		{"array around it", "[" + good("1") + "]", "!1"},
		{"garbage lines", "garbage\nmore garbage\n" + good("3"), "!1 !2 3"},
		{"not JSON inside", "{bad}\n" + good("2"), "!1 2"},
		{"a line cut off", `{"model":"gpt-4o","usage":{"prompt_tokens":1` + "\n" + good("2") + "\n" + good("3"), "!1 2 3"},
		{"cut off after a comma", `{"model":"gpt-4o",` + "\n" + good("2"), "!1 2"},
		{"cut off in a string", `{"model":"gpt-4` + "\n" + good("2"), "!1 2"},
		{"cut off in the last line", good("1") + "\n" + `{"model":"gpt-4o"`, "1 !2"},
		{"pretty, broken in the middle", "{\n  \"model\": gpt\n}\n" + good("4"), "!1 4"},
		{"pretty, brackets do not fit", "{\n  \"a\": [1}\n  \"b\": 1\n}\n" + good("5"), "!1 5"},
		{"pretty, never ends", "{\n  \"a\": [\n    1,\n" + good("4"), "!1 4"},
		{"closing bracket alone", "}\n" + good("2"), "!1 2"},
		{"scalar", "12\n" + good("2"), "!1 2"},
		{"null", "null\n" + good("2"), "!1 2"},
		{"repeated name", `{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":1}}` + "\n" + good("2"), "!1 2"},
		{"too deep", strings.Repeat("[", 2000) + "\n" + good("2"), "!1 2"},
		{"brackets and quotes in strings", `{"x":"}]\"{","model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":1}}` + good("2"), "9 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines, failed := costLines(t, "openai", "chat", "", tt.in)
			var got []string
			bad := 0
			for _, l := range lines {
				var a struct {
					Tokens struct{ Input json.Number }
					Error  string
					Line   json.Number
				}
				if err := json.Unmarshal([]byte(l), &a); err != nil {
					t.Fatalf("%s: %v", l, err)
				}
				if a.Error != "" {
					bad++
					got = append(got, "!"+a.Line.String())
					continue
				}
				got = append(got, a.Tokens.Input.String())
			}
			if s := strings.Join(got, " "); s != tt.want || bad != failed {
				t.Errorf("got %q, want %q; %d failed, reported %d\n%s", s, tt.want, bad, failed, strings.Join(lines, "\n"))
			}
		})
	}
}

func TestCostOf(t *testing.T) {
	t.Parallel()
	c := load(t)
	anthropic := `{"model":"claude-sonnet-4-5","usage":{"input_tokens":10,"cache_creation_input_tokens":30,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":10},"cache_read_input_tokens":100,` +
		`"output_tokens":50,"output_tokens_details":{"thinking_tokens":20},"server_tool_use":{"web_search_requests":3}}}`
	gemini := `{"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":70},{"modality":"AUDIO","tokenCount":30}],` +
		`"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":20}],"candidatesTokenCount":5,"thoughtsTokenCount":7}}`
	for _, tt := range []struct {
		name, provider, flavor, model, body string
		tokens                              money.Tokens
		state                               money.State
		reason                              string
	}{
		{"anthropic", "anthropic", "", "", anthropic,
			money.Tokens{Input: 10, CacheRead: 100, CacheWrite5m: 20, CacheWrite1h: 10, Output: 30, Reasoning: 20, Searches: 3}, money.Known, ""},
		{"gemini", "google", "default", "", gemini,
			money.Tokens{Input: 30, CacheRead: 40, AudioInput: 10, AudioCacheRead: 20, Output: 5, Reasoning: 7}, money.Known, ""},
		{"bedrock", "aws", "default", "", `{"usage":{"inputTokens":5,"cacheReadInputTokens":7,"cacheWriteInputTokens":9,"cacheDetails":[{"ttl":"1h","inputTokens":4}],"outputTokens":3}}`,
			money.Tokens{Input: 5, CacheRead: 7, CacheWrite5m: 5, CacheWrite1h: 4, Output: 3}, money.Unknown, "--model"},
		{"xai counts reasoning beside", "x-ai", "chat", "", `{"model":"grok-3-mini","usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}}`,
			money.Tokens{Input: 32, Output: 9, Reasoning: 94}, money.Known, ""},
		{"so does its total elsewhere", "openrouter", "chat", "x-ai/grok-4.3", `{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}}`,
			money.Tokens{Input: 32, Output: 9, Reasoning: 94}, money.Known, ""},
		{"deepseek's cache", "deepseek", "chat", "deepseek-chat", `{"usage":{"prompt_tokens":12,"prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":7,"completion_tokens":1}}`,
			money.Tokens{Input: 7, CacheRead: 5, Output: 1}, money.Known, ""},
		{"a bare usage object", "openai", "chat", "gpt-4o", `{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":null}`,
			money.Tokens{Input: 3, Output: 1}, money.Known, ""},
		{"whole numbers with a point", "cohere", "default", "", `{"usage":{"billed_units":{"input_tokens":3.0,"output_tokens":1.00}}}`,
			money.Tokens{Input: 3, Output: 1}, money.Unknown, "--model"},
		{"no such model", "openai", "chat", "", `{"model":"gpt-99","usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			money.Tokens{Input: 3, Output: 1}, money.Unknown, "gpt-99"},
		{"no such provider", "opnai", "chat", "gpt-4o", `{"usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			money.Tokens{Input: 3, Output: 1}, money.Unknown, "not in the catalog"},
		{"one's own server", "vllm", "chat", "llama", `{"usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			money.Tokens{Input: 3, Output: 1}, money.Known, ""},
		{"serverless is billed by time", "modal", "chat", "llama", `{"usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			money.Tokens{Input: 3, Output: 1}, money.Unknown, "llama"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.CostOf([]byte(tt.body), catalog.CostOptions{
				Provider: tt.provider, Flavor: tt.flavor, Model: tt.model, At: day(t, "2026-07-20 12:00"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.tokens, got.Tokens); d != "" {
				t.Errorf("tokens (-want +got):\n%s", d)
			}
			if got.State != tt.state || (got.CostUSD != nil) != (tt.state != money.Unknown) {
				t.Errorf("state %s, cost %v", got.State, got.CostUSD)
			}
			if (tt.reason == "") != (got.Reason == "") || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("reason %q, want one with %q", got.Reason, tt.reason)
			}
		})
	}
}

func TestUsage_RefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, tt := range []struct{ name, flavor, body, want string }{
		{"negative", "chat", `{"usage":{"prompt_tokens":-1,"completion_tokens":1}}`, "whole number"},
		{"fraction", "chat", `{"usage":{"prompt_tokens":1.5,"completion_tokens":1}}`, "whole number"},
		{"exponent", "chat", `{"usage":{"prompt_tokens":1e9,"completion_tokens":1}}`, "whole number"},
		{"absurd", "chat", `{"usage":{"prompt_tokens":99999999999999,"completion_tokens":1}}`, "whole number"},
		{"overflow", "chat", `{"usage":{"prompt_tokens":99999999999999999999999,"completion_tokens":1}}`, "whole number"},
		{"text", "chat", `{"usage":{"prompt_tokens":"7","completion_tokens":1}}`, "is a number"},
		{"null where it is required", "chat", `{"usage":{"prompt_tokens":null,"completion_tokens":1}}`, "prompt_tokens"},
		{"more cached than asked", "chat", `{"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens":1}}`, "contradicts"},
		{"more reasoning than output", "chat", `{"usage":{"prompt_tokens":5,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":2}}}`, "contradicts"},
		{"more audio than prompt", "chat", `{"usage":{"prompt_tokens":5,"prompt_tokens_details":{"audio_tokens":6},"completion_tokens":1}}`, "contradicts"},
		{"hour's cache over the cache", "anthropic", `{"usage":{"input_tokens":1,"output_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5}}}`, "contradicts"},
		{"no usage", "chat", `{"model":"gpt-4o"}`, "flavour"},
		{"usage is a list", "chat", `{"usage":[1]}`, "flavour"},
		{"another flavour's body", "responses", `{"usage":{"prompt_tokens":5,"completion_tokens":1}}`, "openai-responses"},
		{"two values", "chat", `{} {}`, "one JSON value"},
		{"repeated name", "chat", `{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":9,"completion_tokens":9}}`, "one JSON value"},
		{"empty", "chat", ``, "one JSON value"},
		{"unknown flavour", "smoke", `{}`, "one of chat, completions, embeddings, responses, anthropic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, tokens, err := c.Usage("openai", tt.flavor, []byte(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v and %v, want an error with %q", tt, err, tt.want)
			}
			if !tokens.IsZero() {
				t.Errorf("tokens %+v came with the error", tokens)
			}
		})
	}
}

func TestCostLines_SaysWhatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ flavor, in, want string }{
		{"nonsense", "{}", "not known"},
		{"chat", " \n\n", "no input"},
		{"chat", `{"x":"` + strings.Repeat("a", catalog.MaxUsageBody) + `"}`, "line 1: a value of more than"},
	} {
		_, err := load(t).CostLines(strings.NewReader(tt.in), &bytes.Buffer{}, catalog.CostOptions{Provider: "openai", Flavor: tt.flavor})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.flavor, err, tt.want)
		}
	}
}

// FuzzUsage: no body makes a negative class, or a total that the classes do not
// make up, or a panic.
func FuzzUsage(f *testing.F) {
	c := load(f)
	flavors := c.Flavors("openai")
	for i := range flavors {
		f.Add(i, []byte(`{"model":"m","usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":4},"completion_tokens":1,"total_tokens":6}}`))
		f.Add(i, []byte(`{"usage":{"input_tokens":5,"cache_creation_input_tokens":3,"cache_read_input_tokens":1,"output_tokens":1}}`))
		f.Add(i, []byte(`{"usageMetadata":{"promptTokenCount":5,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":3}],"thoughtsTokenCount":1}}`))
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		flavor := flavors[uint(i)%uint(len(flavors))]
		_, n, err := c.Usage("openai", flavor, body)
		if err != nil {
			return
		}
		for _, v := range []int64{
			n.Input, n.CacheRead, n.CacheWrite5m, n.CacheWrite1h, n.AudioInput, n.AudioCacheRead, n.ImageInput,
			n.Output, n.Reasoning, n.AudioOutput, n.ImageOutput, n.Searches,
		} {
			if v < 0 || v > money.MaxTokens {
				t.Fatalf("%s: class of %d in %+v", flavor, v, n)
			}
		}
	})
}

// FuzzCostLines: every input ends, and each line of output is JSON.
func FuzzCostLines(f *testing.F) {
	c := load(f)
	f.Add([]byte("{\n\"a\":1}{\n{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n}\n"))
	f.Add([]byte("[{\"a\":\"\\\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var w bytes.Buffer
		if _, err := c.CostLines(bytes.NewReader(in), &w, catalog.CostOptions{Provider: "openai"}); err != nil {
			return
		}
		for line := range bytes.Lines(w.Bytes()) {
			if !json.Valid(line) {
				t.Fatalf("%q", line)
			}
		}
	})
}
