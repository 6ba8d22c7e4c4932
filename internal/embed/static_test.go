package embed

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

// golden is one text with what the algorithm of wordllama 0.4.0.post1 makes of it
// without normalising: its tokenizer run by the Python package tokenizers, its
// weights averaged by numpy. The package's own embed was not run.
type golden struct {
	Text   string    `json:"text"`
	Tokens int       `json:"tokens"`
	Head   []float32 `json:"head"`
	Sum    float64   `json:"sum"`
	Norm   float64   `json:"norm"`
	IDs    []int32   `json:"ids"`
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []golden
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

var openOnce = sync.OnceValues(func() (*Static, error) { return Open(realDir()) })

func realDir() string {
	dir := os.Getenv("FAIRLEAD_ENGINE_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", ".cache", "engine")
	}
	return filepath.Join(dir, "embed")
}

// realStatic opens the downloaded embedding, or skips (in CI: fails).
func realStatic(t testing.TB) *Static {
	t.Helper()
	if _, err := os.Stat(filepath.Join(realDir(), WeightsFile)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the static embedding is not there (%v); `make test` gets it", err)
		}
		t.Skip("the static embedding is not there; `make test` gets it")
	}
	s, err := openOnce()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmbed_AgreesWithWordllama(t *testing.T) {
	t.Parallel()
	s := realStatic(t)
	for _, g := range readGolden(t) {
		got, tokens, err := s.Embed(t.Context(), []string{g.Text}, Options{Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		name := g.Text[:min(len(g.Text), 30)]
		if tokens != g.Tokens {
			t.Errorf("%q: %d tokens, want %d", name, tokens, g.Tokens)
		}
		ids := s.tokens.Append(nil, g.Text)
		if diff := cmp.Diff(g.IDs, append([]int32{}, ids[:min(len(ids), len(g.IDs))]...)); diff != "" {
			t.Errorf("%q: token ids differ (-want +got):\n%s", name, diff)
		}
		for i, want := range g.Head {
			if math.Abs(float64(got[0][i]-want)) > 1e-4 {
				t.Errorf("%q: number %d is %v, want %v", name, i, got[0][i], want)
			}
		}
		var sum, squares float64
		for _, x := range got[0] {
			sum += float64(x)
			squares += float64(x) * float64(x)
		}
		if math.Abs(sum-g.Sum) > 1e-3 || math.Abs(math.Sqrt(squares)-g.Norm) > 1e-4 {
			t.Errorf("%q: sum %v length %v, want %v and %v", name, sum, math.Sqrt(squares), g.Sum, g.Norm)
		}
	}
}

func TestEmbed_PutsRelatedTextsCloser(t *testing.T) {
	t.Parallel()
	s := realStatic(t)
	for _, dim := range []int{64, 128, 256} {
		v, _, err := s.Embed(t.Context(), []string{"the dog chased a cat", "a kitten ran from the puppy", "quarterly revenue grew in Europe"}, Options{Dimensions: dim})
		if err != nil {
			t.Fatal(err)
		}
		near, far := dot(v[0], v[1]), dot(v[0], v[2])
		if len(v[0]) != dim || math.Abs(dot(v[0], v[0])-1) > 1e-5 {
			t.Errorf("%d: length %d, norm² %v", dim, len(v[0]), dot(v[0], v[0]))
		}
		if near <= far {
			t.Errorf("%d: related texts %v, unrelated ones %v", dim, near, far)
		}
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestEmbed_RefusesBadInput(t *testing.T) {
	t.Parallel()
	s := tinyStatic(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		texts []string
		opts  Options
		kind  llm.Kind
		says  string
	}{
		"odd dimensions":   {t.Context(), []string{"a"}, Options{Dimensions: 100}, llm.Invalid, "dimensions is 100"},
		"negative":         {t.Context(), []string{"a"}, Options{Dimensions: -1}, llm.Invalid, "dimensions is -1"},
		"more than it has": {t.Context(), []string{"a"}, Options{Dimensions: 512}, llm.Invalid, "dimensions is 512"},
		"too many texts":   {t.Context(), make([]string, MaxTexts+1), Options{}, llm.Invalid, "split it"},
		"too long a text":  {t.Context(), []string{"a", strings.Repeat("a", MaxTextBytes+1)}, Options{}, llm.TooLong, "text 1 of input"},
		"canceled":         {canceled, []string{"a"}, Options{}, llm.Canceled, "canceled"},
	} {
		_, _, err := s.Embed(c.ctx, c.texts, c.opts)
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: got %v, want %s with %q", name, err, c.kind, c.says)
		}
	}
}

func TestEmbed_EmptyTextIsTheZeroVector(t *testing.T) {
	t.Parallel()
	got, tokens, err := tinyStatic(t).Embed(t.Context(), []string{"", "a"}, Options{})
	if err != nil || tokens != 1 {
		t.Fatalf("tokens %d, error %v; want 1 and none", tokens, err)
	}
	if diff := cmp.Diff([][]float32{{0, 0}, {0.6, 0.8}}, got); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
}

func TestHalf_WidensEveryFiniteValue(t *testing.T) {
	t.Parallel()
	for h, want := range map[uint16]float32{
		0x0000: 0, 0x3c00: 1, 0xbc00: -1, 0x3555: 0.333251953125, 0x7bff: 65504,
		0x0001: 5.960464477539063e-08, 0x03ff: 6.097555160522461e-05, 0x8400: -6.103515625e-05,
	} {
		if got := half(h); got != want {
			t.Errorf("half(%#04x) is %v, want %v", h, got, want)
		}
	}
}

// BenchmarkEmbed is what one text of a given kind costs.
func BenchmarkEmbed(b *testing.B) {
	s := realStatic(b)
	for name, text := range map[string]string{
		"9words":       "What is the price of ETH right now, please?",
		"2KB":          strings.Repeat("The quick brown fox jumps over the lazy dog. ", 45),
		"256KB-1word":  strings.Repeat("ab", MaxTextBytes/2),
		"256KB-spaces": strings.Repeat(" ", MaxTextBytes),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Embed(b.Context(), []string{text}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is what loading costs at start.
func BenchmarkOpen(b *testing.B) {
	realStatic(b)
	for b.Loop() {
		if _, err := Open(realDir()); err != nil {
			b.Fatal(err)
		}
	}
}
