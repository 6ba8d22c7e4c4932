package rawjson

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The three ways in which Check refuses a text, for errors.Is.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrDuplicate = errors.New("duplicate name")
	ErrDepth     = errors.New("nested too deep")
)

// A SyntaxError says why a text was refused. Its message is safe to show to whoever sent the text: of the text it
// quotes at most one byte, or the first 64 bytes of a name.
type SyntaxError struct {
	Offset int    // of the first byte that cannot stand where it does, or of the second equal name's opening quote
	Msg    string // what is wrong and what to do; without the offset
	Kind   error  // ErrSyntax, ErrDuplicate or ErrDepth
}

func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Msg
}

// Unwrap returns the kind.
func (e *SyntaxError) Unwrap() error { return e.Kind }

// fail records the first error and returns the offset that means "stop".
func (s *scanner) fail(at int, kind error, msg string) int {
	if s.err == nil {
		s.err = &SyntaxError{Offset: at, Msg: msg, Kind: kind}
	}
	return -1
}

// unexpected records that the byte at i, or the end of the text, stands where want was due.
func (s *scanner) unexpected(i int, want string) int {
	if i >= len(s.b) {
		return s.fail(len(s.b), ErrSyntax, "the text ends where "+want+" should be; send the whole value")
	}
	return s.fail(i, ErrSyntax, "found "+quoteByte(s.b[i])+" where "+want+" should be")
}

func (s *scanner) duplicate(at int, key []byte) {
	const shown = 64
	name := key
	if len(name) > shown {
		name = name[:shown]
		for !utf8.Valid(name) { // at most three steps back: key is valid, only the cut can split a character
			name = name[:len(name)-1]
		}
	}
	msg := "duplicate name " + strconv.Quote(string(name))
	if len(name) < len(key) {
		msg += fmt.Sprintf(" (%d bytes, cut)", len(key))
	}
	s.fail(at, ErrDuplicate, msg+" in one object; send it once")
}

func (s *scanner) tooDeep(at int) int {
	return s.fail(at, ErrDepth, fmt.Sprintf("more than %d arrays and objects inside each other; nest less", s.max))
}

func quoteByte(c byte) string {
	if c < ' ' || c >= utf8.RuneSelf || c == 0x7f {
		return fmt.Sprintf("byte 0x%02x", c)
	}
	return strconv.QuoteRune(rune(c))
}
