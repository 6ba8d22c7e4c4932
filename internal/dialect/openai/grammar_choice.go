package openai

import (
	"bytes"
	"strings"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// The modes of a grammarChoice.
const (
	modePrefix    = iota // before it is known what comes
	modeEarly            // arguments came before the name, which is not known yet
	modeArguments        // inside the value of "arguments"
	modeContent          // inside the string of "content"
	modeText             // the model did not obey the grammar: its words as they are
	modeDone
)

// grammarChoice reads one choice's JSON object piece by piece.
type grammarChoice struct {
	mode   int
	call   bool
	name   string
	held   []byte // bytes that cannot be judged yet
	early  []byte // the object up to and with arguments that came before the name
	argsAt int    // where in early they begin
	whole  bool   // and whether they are all there
	depth  int
	inText bool
	escape bool
}

// piece is what came out of some text.
type piece struct {
	begins    bool // the call's name is known since this piece
	arguments string
	content   string
}

// maxPrefix bounds what is held before the object shows what it is.
const maxPrefix = 4096

// maxEarly bounds the arguments that are held until the name behind them is known.
const maxEarly = 1 << 20

func (c *grammarChoice) isCall() bool { return c.call }

// undecided reports whether all that came so far is held.
func (c *grammarChoice) undecided() bool { return c.mode == modePrefix || c.mode == modeEarly }

func (c *grammarChoice) take() string {
	s := string(c.early) + string(c.held)
	c.early, c.held = nil, nil
	return s
}

func (c *grammarChoice) feed(text string) (out piece) {
	c.held = append(c.held, text...)
	if c.mode == modePrefix {
		c.readPrefix(&out)
	}
	if c.mode == modeEarly {
		c.readEarly(&out)
	}
	switch c.mode {
	case modeArguments:
		var ended bool
		if out.arguments, ended = c.readArguments(); ended {
			c.mode, c.held = modeDone, nil
		}
	case modeContent:
		out.content = c.readContent()
	case modeText:
		out.content = c.take()
	case modeDone:
		c.held = nil
	}
	return out
}

// readPrefix looks for {"content":", {"name":"…","arguments": or {"arguments": at
// the start.
func (c *grammarChoice) readPrefix(out *piece) {
	rest := c.held
	if skip(&rest, "{") {
		switch {
		case skip(&rest, `"content"`):
			if skip(&rest, ":") && skip(&rest, `"`) {
				c.mode, c.held = modeContent, rest
				return
			}
		case skip(&rest, `"name"`):
			if name, ok := skipName(&rest); ok && skip(&rest, ",") && skip(&rest, `"arguments"`) && skip(&rest, ":") {
				c.mode, c.call, c.name, c.held = modeArguments, true, name, rest
				out.begins = true
				return
			}
		case skip(&rest, `"arguments"`):
			if skip(&rest, ":") {
				c.argsAt = len(c.held) - len(rest)
				c.mode, c.early, c.held = modeEarly, c.held[:c.argsAt:c.argsAt], rest
				return
			}
		}
	}
	if trimmed := bytes.TrimLeft(c.held, jsonSpace); len(c.held) > maxPrefix || len(trimmed) > 0 && trimmed[0] != '{' {
		c.mode = modeText
	}
}

// readEarly holds arguments until the name behind them is there, and then gives
// them all at once.
func (c *grammarChoice) readEarly(out *piece) {
	if !c.whole {
		var text string
		text, c.whole = c.readArguments()
		c.early = append(c.early, text...)
	}
	if c.whole {
		rest := c.held
		if skip(&rest, ",") && skip(&rest, `"name"`) {
			if name, ok := skipName(&rest); ok {
				out.begins, out.arguments = true, string(c.early[c.argsAt:])
				c.mode, c.call, c.name, c.early, c.held = modeDone, true, name, nil, nil
				return
			}
		}
	}
	if len(c.early)+len(c.held) > maxEarly {
		c.mode = modeText
	}
}

const jsonSpace = " \t\r\n"

// skip moves rest behind the token, if it comes next.
func skip(rest *[]byte, token string) bool {
	after, ok := bytes.CutPrefix(bytes.TrimLeft(*rest, jsonSpace), []byte(token))
	if ok {
		*rest = after
	}
	return ok
}

// skipName moves rest behind a colon and a complete string, and gives the string.
func skipName(rest *[]byte) (name string, ok bool) {
	if !skip(rest, ":") {
		return "", false
	}
	text := bytes.TrimLeft(*rest, jsonSpace)
	name, n, ok := leadingString(text)
	if ok {
		*rest = text[n:]
	}
	return name, ok
}

// leadingString reads a complete JSON string at the start of b.
func leadingString(b []byte) (s string, n int, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", 0, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			v, found := rawjson.Lookup(b[:i+1])
			s, ok = v.Str()
			return s, i + 1, ok && found
		}
	}
	return "", 0, false
}

// readArguments gives the bytes of the arguments that are there, and whether their
// value ended; what follows it stays held.
func (c *grammarChoice) readArguments() (text string, ended bool) {
	if c.depth == 0 {
		c.held = bytes.TrimLeft(c.held, jsonSpace)
	}
	for i, b := range c.held {
		switch {
		case c.escape:
			c.escape = false
		case c.inText && b == '\\':
			c.escape = true
		case b == '"':
			c.inText = !c.inText
		case c.inText:
		case b == '{' || b == '[':
			c.depth++
		case b == '}' || b == ']':
			c.depth--
			if c.depth == 0 {
				text, c.held = string(c.held[:i+1]), c.held[i+1:]
				return text, true
			}
		}
	}
	text, c.held = string(c.held), nil
	return text, false
}

// readContent gives the unescaped text that is complete, and holds an escape
// sequence that is not.
func (c *grammarChoice) readContent() string {
	end, i := -1, 0
	for i < len(c.held) && end < 0 {
		switch c.held[i] {
		case '"':
			end = i
		case '\\':
			n := escapeLength(c.held[i:])
			if n == 0 {
				return c.cutContent(i)
			}
			i += n
		default:
			i++
		}
	}
	if end >= 0 {
		c.mode = modeDone
		return c.cutContent(end)
	}
	return c.cutContent(i)
}

func (c *grammarChoice) cutContent(n int) string {
	quoted := append(append([]byte{'"'}, c.held[:n]...), '"')
	c.held = c.held[n:]
	v, _ := rawjson.Lookup(quoted)
	s, _ := v.Str()
	return s
}

// escapeLength is the length of the escape sequence at the start of b, a surrogate
// pair as one; 0 when it is not all there.
func escapeLength(b []byte) int {
	switch {
	case len(b) < 2:
		return 0
	case b[1] != 'u':
		return 2
	case len(b) < 6:
		return 0
	case b[2]|0x20 != 'd' || strings.IndexByte("89abAB", b[3]) < 0:
		return 6
	case len(b) < 12:
		return 0
	}
	return 12
}
