package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Position is a place in a text; lines and columns begin at 1, columns count
// characters.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Problem is one mistake. Message says the next step.
type Problem struct {
	File string `json:"file,omitempty"`
	Position
	Path    string `json:"path,omitempty"` // "targets.cheap.model"
	Message string `json:"message"`
}

// String is "fairlead.yaml:12:5: targets.cheap.model: …".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems are all mistakes of a text. As an error they are one a line.
type Problems []Problem

// Error gives one line for each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Sorted gives the problems by position.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// Err is the problems as an error, nil where there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Place is where a setting stands: its key, or the dash of a list's entry, and its value.
type Place struct{ Key, Value Position }

// Places are where every setting of a text stands.
type Places struct {
	file string
	at   map[string]Place
}

// separator joins the steps of a path inside Places: no key contains it.
const separator = "\x00"

func join(path []string) string { return strings.Join(path, separator) }

// Has reports whether the text names the setting.
func (p *Places) Has(path ...string) bool {
	_, ok := p.at[join(path)]
	return ok
}

// Problem is a mistake in the value at a path. Where the text does not name the
// setting, it is placed at what would contain it.
func (p *Places) Problem(message string, path ...string) Problem {
	at, exact := p.find(path)
	pos := at.Value
	if !exact {
		pos = at.Key
	}
	return Problem{File: p.file, Position: pos, Path: Dotted(path), Message: message}
}

// KeyProblem is a mistake in the name at a path.
func (p *Places) KeyProblem(message string, path ...string) Problem {
	at, _ := p.find(path)
	return Problem{File: p.file, Position: at.Key, Path: Dotted(path), Message: message}
}

func (p *Places) find(path []string) (at Place, exact bool) {
	for i := len(path); i >= 0; i-- {
		if at, ok := p.at[join(path[:i])]; ok {
			return at, i == len(path)
		}
	}
	return Place{}, false
}

// Dotted is a path as people read it: "keys[0].budget".
func Dotted(path []string) string {
	var b strings.Builder
	for i, step := range path {
		if i > 0 && !strings.HasPrefix(step, "[") {
			b.WriteByte('.')
		}
		b.WriteString(clip(step))
	}
	return b.String()
}

// Nearest is the name among names that a mistyped one probably means, "" where
// none is near: at most a third of its letters may differ.
func Nearest(name string, names []string) string {
	if len(name) > 64 {
		return ""
	}
	best, least := "", 0
	for _, candidate := range names {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if d <= max(1, (len(candidate)+1)/3) && d < len(candidate) && (best == "" || d < least) {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out, changed or swapped with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			change := 1
			if x[i] == y[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// DidYouMean is `: did you mean "x"?`, or the names there are where none is near.
func DidYouMean(name string, names []string) string {
	if near := Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	const most = 24
	if len(names) > most {
		return "known are " + strings.Join(names[:most], ", ") + " and others"
	}
	return "known are " + strings.Join(names, ", ")
}

// clip keeps what strangers wrote short.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func position(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return start
	}
	return Position{Line: max(t.Position.Line, 1), Column: max(t.Position.Column, 1)}
}

// controlCharacter finds the first byte that no configuration text holds.
func controlCharacter(text []byte) (Position, bool) {
	at := start
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < 0x20 && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return at, true
		case r == '\n':
			at.Line++
			at.Column = 0
		}
		at.Column++
		i += size
	}
	return at, false
}

// Nowhere are the places of settings that no text holds.
func Nowhere(file string) *Places { return &Places{file: file} }
