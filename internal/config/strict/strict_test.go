package strict_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/config/strict"
	"github.com/fairlead/fairlead/internal/money"
)

type doc struct {
	Name  string        `yaml:"name" doc:"A name."`
	Count int           `yaml:"count" min:"1" max:"9" doc:"A count."`
	On    bool          `yaml:"on" doc:"A switch."`
	Wait  time.Duration `yaml:"wait" doc:"A time."`
	USD   money.Amount  `yaml:"usd" doc:"An amount."`
	Tags  []string      `yaml:"tags" enum:"red,blue" doc:"Tags."`
	Parts []part        `yaml:"parts" doc:"Parts."`
	Pairs []pair        `yaml:"pairs" doc:"Pairs."`
	Inner *inner        `yaml:"inner" doc:"More."`
}

type part struct {
	Name string `yaml:",key" pattern:"^[a-z]+$"`
	Size int    `yaml:"size" required:"say how large, such as size: 1" doc:"A size."`
}

type pair struct {
	Name  string `yaml:",key"`
	Value string `yaml:",value"`
}

type inner struct {
	Day time.Time `yaml:"day" doc:"A day."`
}

func TestDecode_ReadsEveryKind(t *testing.T) {
	t.Parallel()
	text := `
name: |
  two
  lines
count: 3
on: true
wait: 90s
usd: 0.10
tags: &t [red, blue]
parts: { b: { size: 2 }, a: { size: 1 } }
pairs: { x: "1", 2: y }
inner: { day: 2027-01-31 }
`
	got := doc{Name: "before"}
	places, problems := strict.Decode([]byte(text), &got, strict.Options{File: "f"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := doc{
		Name: "two\nlines", Count: 3, On: true, Wait: 90 * time.Second, USD: money.MustParse("0.1"), Tags: []string{"red", "blue"},
		Parts: []part{{"b", 2}, {"a", 1}}, Pairs: []pair{{"x", "1"}, {"2", "y"}},
		Inner: &inner{time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := places.Problem("x", "parts", "a", "size"); p.String() != "f:10:37: parts.a.size: x" {
		t.Errorf("problem = %s", p)
	}
	if p := places.Problem("x", "parts", "a", "color"); p.String() != "f:10:26: parts.a.color: x" {
		t.Errorf("problem in what is not there = %s: want it at the part's name", p)
	}
	again, err := strict.Show(&got)
	if err != nil {
		t.Fatal(err)
	}
	var second doc
	if _, problems := strict.Decode(again, &second, strict.Options{}); len(problems) > 0 {
		t.Errorf("what Show wrote does not read: %v\n%s", problems, again)
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("what Show wrote (-want +got):\n%s", diff)
	}
}

func TestDecode_KeepsWhatIsGoodBesideMistakes(t *testing.T) {
	t.Parallel()
	var got doc
	_, problems := strict.Decode([]byte("name: x\ncount: 10\nparts: { A: { size: 1 }, b: {} }\nnmae: y\n"), &got, strict.Options{})
	if got.Name != "x" || len(got.Parts) != 2 {
		t.Errorf("got %+v", got)
	}
	want := []string{
		`:2:8: count: "10" must be from 1 to 9`,
		`:3:10: parts.A: this name cannot be used: begin with a letter or digit, go on with those and . _ - + : / @, at most 128 in all`,
		`:3:26: parts.b: size is missing: say how large, such as size: 1`,
		`:4:1: unknown key "nmae": did you mean "name"?`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), problems.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecode_ExpandsTextAlone(t *testing.T) {
	t.Parallel()
	var got doc
	_, problems := strict.Decode([]byte("name: a\nwait: 3s\ntags: [red]\npairs: { x: bad }"), &got, strict.Options{Expand: func(s string) (string, error) {
		if s == "bad" {
			return "", errors.New("cannot")
		}
		return "<" + s + ">", nil
	}})
	if got.Name != "<a>" || got.Wait != 3*time.Second || got.Tags[0] != "red" {
		t.Errorf("got %+v", got)
	}
	if want := ":4:13: pairs.x: cannot"; problems.Error() != want {
		t.Errorf("problems = %s, want %s", problems, want)
	}
}

func TestNearest_FindsWhatWasMeant(t *testing.T) {
	t.Parallel()
	names := []string{"targets", "models", "keys", "data", "log", "per"}
	for mistyped, want := range map[string]string{
		"target": "targets", "tragets": "targets", "Models": "models", "modes": "models", "key": "keys", "dta": "data",
		"route": "", "x": "", "lgo": "log", "perr": "per", "": "", strings.Repeat("targets", 30): "",
	} {
		if got := strict.Nearest(mistyped, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", mistyped, got, want)
		}
	}
}
