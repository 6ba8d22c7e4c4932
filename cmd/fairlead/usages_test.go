package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// priced is a body of the shared usages.json with what it must cost; nil where no
// price is known.
type priced struct {
	body  json.RawMessage
	model string
	usd   *big.Rat
}

// asked are the ways in which OpenAI's bodies are read, as the file names them and
// as the command does.
var asked = map[string]string{"chat": "chat", "responses": "responses", "embeddings": "embeddings"}

// TestCost_RecordedBodiesOfOpenAI gives all bodies of one flavour to one process, as
// JSON lines, and compares each line that comes back.
func TestCost_RecordedBodiesOfOpenAI(t *testing.T) {
	t.Parallel()
	bodies := openAIBodies(t)
	for _, flavor := range slices.Sorted(maps.Keys(asked)) {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			all := bodies[flavor]
			if len(all) < 10 {
				t.Fatalf("only %d bodies: the file is not the one that this test was made for", len(all))
			}
			right := 0
			for i, line := range costLines(t, asked[flavor], all) {
				if matches(line, all[i].usd) {
					right++
				} else if right+5 > i { // the first few are enough to see why
					t.Logf("model %q: cost_usd %v (%s), want %v:\n%.500s", all[i].model, line.USD, line.State, all[i].usd, all[i].body)
				}
			}
			t.Logf("%d of %d", right, len(all))
			if 100*right < 99*len(all) {
				t.Errorf("%d of %d costs are right: at least 99 %% are due", right, len(all))
			}
		})
	}
}

type costLine struct {
	USD   *string `json:"cost_usd"`
	State string  `json:"state"`
}

func matches(line costLine, want *big.Rat) bool {
	if line.USD == nil || want == nil {
		return line.USD == nil && want == nil
	}
	got, ok := new(big.Rat).SetString(*line.USD)
	return ok && line.State == "known" && got.Cmp(want) == 0
}

// costLines runs the program. The moment is the one for which the file's prices
// were computed, before those that began in September 2026.
func costLines(t *testing.T, flavor string, bodies []priced) []costLine {
	t.Helper()
	var in bytes.Buffer
	for _, b := range bodies {
		if err := json.Compact(&in, b.body); err != nil {
			t.Fatal(err)
		}
		in.WriteByte('\n')
	}
	cmd := exec.Command(binary, "cost", "--provider", "openai", "--flavor", flavor, "--at", "2026-07-20T12:00:00Z")
	cmd.Env = append(os.Environ(), "GORACE="+race)
	cmd.Stdin = &in
	out, err := cmd.Output() // exit code 1 says that a body could not be read, which counts as wrong below
	if err != nil && cmd.ProcessState.ExitCode() != exitFailed {
		t.Fatal(err)
	}
	var lines []costLine
	for text := range bytes.Lines(out) {
		var line costLine
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, line)
	}
	if len(lines) != len(bodies) {
		t.Fatalf("%d lines for %d bodies", len(lines), len(bodies))
	}
	return lines
}

func openAIBodies(t *testing.T) map[string][]priced {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.DataDir(t), "prices", "usages.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Body      json.RawMessage `json:"body"`
		Model     string          `json:"model"`
		Extracted []struct {
			Readings []struct {
				Provider string  `json:"provider_id"`
				Flavor   string  `json:"api_flavor"`
				Input    *string `json:"input_price"`
				Output   *string `json:"output_price"`
			} `json:"extractors"`
		} `json:"extracted"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	bodies := map[string][]priced{}
	for _, rec := range all {
		for _, e := range rec.Extracted {
			for _, r := range e.Readings {
				if r.Provider != "openai" {
					continue
				}
				p := priced{body: rec.Body, model: rec.Model}
				if r.Input != nil && r.Output != nil {
					p.usd = new(big.Rat).Add(rational(t, *r.Input), rational(t, *r.Output))
				}
				bodies[r.Flavor] = append(bodies[r.Flavor], p)
			}
		}
	}
	return bodies
}

func rational(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}
