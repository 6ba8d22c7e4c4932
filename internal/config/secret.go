package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/internal/config/strict"
)

const (
	redacted      = "•••"
	filePrefix    = "file:"
	maxSecretFile = 64 << 10
)

// Secret is a secret as it was written: text in which ${NAME} stands for an
// environment variable, or file:PATH. It keeps the reference and not the value, so
// that a changed file is read when it is used; and whatever prints, logs or
// marshals it gets dots.
type Secret struct {
	// A pointer, because fmt cannot call methods on unexported fields: inside one it
	// prints an address.
	in *written
}

type written struct {
	text string
	from *Sources
	dir  string // where a relative file: starts
}

// NewSecret is a secret in the file's own form; a relative file: starts at dir.
func NewSecret(text, dir string, from *Sources) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&written{text: text, from: from, dir: dir}}
}

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.in == nil }

// Equal reports whether both are written the same.
func (s Secret) Equal(other Secret) bool { return s.text() == other.text() }

func (s Secret) text() string {
	if s.in == nil {
		return ""
	}
	return s.in.text
}

// Reveal gives the value: this is the one way to it. Errors name the variable or
// the file, never a value.
func (s Secret) Reveal() (string, error) {
	if s.in == nil {
		return "", nil
	}
	from := s.in.from
	if from == nil {
		return "", errors.New("this secret has no sources: it cannot be revealed")
	}
	path, isFile := strings.CutPrefix(s.in.text, filePrefix)
	if !isFile {
		return from.expand(s.in.text)
	}
	path, err := from.expand(path)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.in.dir, path)
	}
	value, err := from.ReadFile(path, maxSecretFile)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	text := strings.TrimRight(string(value), "\r\n")
	if text == "" {
		return "", fmt.Errorf("the secret file %s is empty: write the secret into it", path)
	}
	return text, nil
}

// Reference is how the secret is written where that gives nothing away, that is
// ${NAME} or file:PATH alone; dots otherwise, and "" for none.
func (s Secret) Reference() string {
	text := s.text()
	if text == "" || strings.HasPrefix(text, filePrefix) || isReference(text) {
		return text
	}
	return redacted
}

// String is dots, and "" for none.
func (s Secret) String() string {
	if s.in == nil {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// Format is String for every verb, %v of a struct around it included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalText takes the text as it is written.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text), "", nil)
	return nil
}

// Form implements strict.Scalar.
func (Secret) Form() strict.Form {
	return strict.Form{
		Wants:  "text such as ${NAME} of an environment variable or file:PATH",
		Secret: true,
		Schema: map[string]any{"type": "string", "minLength": 1},
	}
}

// isReference reports whether text is ${NAME} and nothing else.
func isReference(text string) bool {
	name, ok := strings.CutPrefix(text, "${")
	if !ok {
		return false
	}
	name, ok = strings.CutSuffix(name, "}")
	return ok && isEnvName(name)
}

func isEnvName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// maxExpanded bounds what variables may make of one text.
const maxExpanded = 64 << 10

// expand puts environment variables in the place of ${NAME}; $${ is a ${ that is
// meant as such. All mistakes of one text are reported together.
func (s *Sources) expand(text string) (string, error) {
	var out strings.Builder
	var bad []string
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			break
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(literal + "${")
			text = after
			continue
		}
		out.WriteString(before)
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !isEnvName(name) {
			return "", errors.New("${ begins an environment variable: write ${NAME} with letters, digits and _, or $${ for the characters themselves")
		}
		value, ok := s.Env(name)
		switch {
		case !ok:
			bad = append(bad, "the environment variable "+name+" is not set: export it, or write another source")
		case value == "":
			bad = append(bad, "the environment variable "+name+" is empty: give it a value")
		}
		out.WriteString(value)
		text = rest
	}
	if len(bad) > 0 {
		return "", errors.New(strings.Join(bad, "; "))
	}
	if out.Len() > maxExpanded {
		return "", fmt.Errorf("with its environment variables this text is longer than %d bytes: shorten it", maxExpanded)
	}
	return out.String(), nil
}
