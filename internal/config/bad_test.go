package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/config"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestParse_ReportsEveryMistake reads testdata/bad/*.yaml and compares all messages
// with the .txt beside each.
func TestParse_ReportsEveryMistake(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse("/etc/fairlead/fairlead.yaml", text, usual(t))
			if err == nil {
				t.Fatal("it loads")
			}
			got := strings.ReplaceAll(err.Error(), "/etc/fairlead/fairlead.yaml", "fairlead.yaml") + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if strings.Contains(got, "4711") {
				t.Errorf("a secret is shown:\n%s", got)
			}
		})
	}
}

func TestParse_FiveMistakesAreFiveMessages(t *testing.T) {
	t.Parallel()
	_, err := parse(t, `listen: here
targets:
  a: { provider: opena, model: m }
  b: { provider: ollama, modle: m }
models:
  x: { plan: [c] }
record: allways
`)
	var all config.Problems
	if !errors.As(err, &all) {
		t.Fatalf("error is %T", err)
	}
	want := []string{
		`1:9 listen "here" is not an address: write host:port, such as 127.0.0.1:8080 or :8080`,
		`3:18 targets.a.provider there is no provider "opena": did you mean "openai"?`,
		`4:3 targets.b model is missing: name the model as the provider calls it, such as model: gpt-4o`,
		`4:26 targets.b unknown key "modle": did you mean "model"?`,
		`6:15 models.x.plan[0] there is no target "c": known are a, b`,
		`7:9 record "allways" is not known: known are best_effort, required`,
	}
	var got []string
	for _, p := range all {
		got = append(got, strings.Replace(strings.TrimPrefix(p.String(), path+":"), ": ", " ", 2))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestParse_HasBounds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"brackets": strings.Repeat("[", 100_000),
		"braces":   strings.Repeat("{a: ", 40_000),
		"dashes":   strings.Repeat("- ", 100_000),
		"complex":  strings.Repeat("? ", 100_000),
		"tags":     "a: " + strings.Repeat("!!str ", 30_000),
		"anchors":  "a: " + strings.Repeat("&a ", 30_000),
		"stairs":   stairs(700),
		"size":     strings.Repeat("# long\n", 200_000),
		"keys":     "targets:\n" + strings.Repeat("  x: {}\n", 20_000),
		"unknown":  strings.Repeat("x: y\n", 30_000),
		"bomb": `a: &a [x, x, x, x, x, x, x, x, x]
` + bomb(),
		"itself": "cors: { origins: &a [*a] }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, text)
			if err == nil {
				t.Fatal("it loads")
			}
			if n := strings.Count(err.Error(), "\n"); n > 200 {
				t.Errorf("%d messages", n)
			}
			if len(err.Error()) > 64<<10 {
				t.Errorf("%d bytes of messages", len(err.Error()))
			}
		})
	}
}

// stairs nests mappings by indentation.
func stairs(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// bomb is nine lists that each name the one before nine times, as CORS origins.
func bomb() string {
	var b strings.Builder
	b.WriteString("cors:\n  origins: &l0 [\"*\"]\n  headers:\n")
	b.WriteString("    - &b0 [a]\n")
	for i := range 9 {
		n := string(rune('0' + i))
		next := string(rune('1' + i))
		b.WriteString("    - &b" + next + " [" + strings.Repeat("*b"+n+", ", 8) + "*b" + n + "]\n")
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"testdata/bad/*.yaml", "../../examples/fairlead.yaml"} {
		files, err := filepath.Glob(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add(shortest)
	f.Add(withSecrets)
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parse(t, text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		shown := cfg.Redacted()
		if _, err := parse(t, string(shown)); err != nil && !strings.Contains(string(shown), "•••") && !strings.Contains(text, "$${") {
			t.Errorf("what was shown does not load: %v\n%s", err, shown)
		}
		_ = cfg.Hash()
	})
}
