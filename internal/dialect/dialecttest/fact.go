package dialecttest

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Fact is one thing that a request or an answer says.
type Fact struct {
	Key   string // what kind of thing: "text", "image", "temperature"
	Place string // where: "system", "user", the name of a tool, the number of a choice
	Value string // JSON in its canonical form
	// Fields are the names under which its loss may be reported. Where there are none
	// it must never be lost.
	Fields []llm.Field
}

// String is the fact for a person.
func (f Fact) String() string {
	s := f.Key
	if f.Place != "" {
		s += " of " + f.Place
	}
	if len(f.Value) > 120 {
		return s + "=" + f.Value[:120] + "…"
	}
	return s + "=" + f.Value
}

func (f Fact) same(g Fact) bool { return f.Key == g.Key && f.Place == g.Place && f.Value == g.Value }

// facts collects what is said.
type facts []Fact

func (r *facts) add(key, place, value string, fields ...llm.Field) {
	*r = append(*r, Fact{Key: key, Place: place, Value: value, Fields: fields})
}

// addIf adds what was said at all.
func (r *facts) addIf(key, place, value string, fields ...llm.Field) {
	if value != "" {
		r.add(key, place, value, fields...)
	}
}

// canonical is JSON with its members sorted and no space, or the text itself where
// it is no JSON.
func canonical(raw []byte) string {
	v := jsontext.Value(slices.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		return string(raw)
	}
	return string(v)
}

// Outcome is what became of a fact.
type Outcome uint8

// The outcomes, the worse the greater.
const (
	Kept    Outcome = iota
	Changed         // said in another form that means the same
	Lost            // and named in the loss report
	Silent          // and nobody was told
)

// Verdict is what became of the facts of one feature.
type Verdict struct {
	Outcome Outcome
	Lost    []string // the client's names of what was lost
	Changed []string // the keys of what was said in another form
	// Problems is what breaks the contract, "" for none.
	Problems []string
}

func (v *Verdict) problem(s string) { v.Problems = append(v.Problems, s) }

// judge compares what was said with what arrived, given the names in the loss report.
func judge(said, arrived []Fact, lost, unread []string, names map[llm.Field]string) (v Verdict) {
	explained := map[string]bool{}
	for _, name := range unread {
		explained[name] = true
		v.Outcome = max(v.Outcome, Lost)
		if !slices.Contains(lost, name) {
			v.problem("lost in silence: the unknown field " + name)
		}
	}
	for _, f := range said {
		outcome := arrives(f, arrived)
		if outcome == Silent && narrowed(f, said, arrived) {
			outcome = Changed
		}
		if outcome == Kept {
			continue
		}
		named := false
		for _, field := range f.Fields {
			name := nameOf(field, names)
			explained[name] = true
			named = named || slices.Contains(lost, name)
		}
		switch {
		case named:
			outcome = Lost
		case outcome == Silent:
			v.problem("lost in silence: " + f.String())
		}
		if outcome == Changed && !slices.Contains(v.Changed, f.Key) {
			v.Changed = append(v.Changed, f.Key)
		}
		v.Outcome = max(v.Outcome, outcome)
	}
	for _, f := range arrived {
		if invented(f, said) {
			v.problem("nobody said: " + f.String())
		}
	}
	for _, name := range lost {
		if !explained[name] {
			v.problem("reported as lost, but nothing of it is missing: " + name)
		}
	}
	v.Lost = lost
	return v
}

// invented says that words, thought, calls or files arrived that were never said.
func invented(f Fact, said []Fact) bool {
	switch f.Key {
	case "text", "thought", "refusal", "call", "image", "audio", "video", "document":
		return !slices.ContainsFunc(said, func(g Fact) bool {
			return g.Value != "" && (strings.Contains(f.Value, g.Value) || strings.Contains(g.Value, f.Value))
		})
	}
	return false
}

// narrowed says that a tool is left out because it must not be called, which means the
// same as to offer it and forbid it.
func narrowed(f Fact, said, arrived []Fact) bool {
	allowed := ""
	for _, g := range said {
		switch {
		case g.Key == "allowed tools":
			allowed = " " + g.Value + " "
		case g.Key == "choice" && g.Value == "one":
			allowed = " " + g.Place + " "
		case g.Key == "choice" && g.Value == "none":
			allowed = "  "
		}
	}
	switch {
	case allowed == "":
		return false
	case f.Key == "tool" || f.Key == "schema":
		return !strings.Contains(allowed, " "+f.Place+" ")
	case f.Key == "allowed tools", f.Key == "choice" && f.Value == "none":
		return !slices.ContainsFunc(arrived, func(g Fact) bool { return g.Key == "tool" && !strings.Contains(allowed, " "+g.Place+" ") })
	}
	return false
}

func nameOf(f llm.Field, names map[llm.Field]string) string {
	if name, ok := names[f]; ok {
		return name
	}
	return string(f)
}

// arrives says what became of one fact: Kept, Changed or Silent.
func arrives(f Fact, arrived []Fact) Outcome {
	if slices.ContainsFunc(arrived, f.same) {
		return Kept
	}
	if f.Key == "text" {
		return textArrives(f, arrived)
	}
	for _, g := range arrived {
		if meansTheSame(f, g) {
			return Changed
		}
	}
	if stands(f) {
		return Changed
	}
	return Silent
}

// textArrives looks for words among all of their place, since dialects divide text
// differently, and then anywhere.
func textArrives(f Fact, arrived []Fact) Outcome {
	var here, all strings.Builder
	for _, g := range arrived {
		if g.Key != "text" {
			continue
		}
		all.WriteString(g.Value)
		if g.Place == f.Place {
			here.WriteString(g.Value)
		}
	}
	switch {
	case strings.Contains(here.String(), f.Value):
		return Kept
	case strings.Contains(all.String(), f.Value):
		return Changed
	}
	return Silent
}
