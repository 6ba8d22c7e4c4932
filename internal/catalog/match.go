package catalog

import (
	"fmt"
	"regexp"
	"strings"
)

// Match says which names a data row stands for. It is written as alternatives
// joined by " | ", each a list of conditions joined by " & ". A condition is one
// mark and a text:
//
//	=gpt-4o     the name is gpt-4o
//	^gpt-4o-    it starts so
//	$-latest    it ends so
//	~claude     it contains that
//	/^o\d+$     this regular expression (RE2) finds something in it
//
// Names are compared in lower case, so a regular expression is written in it.
type Match struct {
	text string
	any  [][]condition
}

type condition struct {
	mark byte
	text string
	re   *regexp.Regexp
}

const (
	maxMatchText = 4 << 10
	maxPattern   = 200
)

// ParseMatch reads the form above. The empty text matches nothing.
func ParseMatch(text string) (Match, error) {
	m := Match{text: text}
	if text == "" {
		return m, nil
	}
	if len(text) > maxMatchText {
		return m, fmt.Errorf("match of %d bytes: at most %d", len(text), maxMatchText)
	}
	for alternative := range strings.SplitSeq(text, " | ") {
		var all []condition
		for part := range strings.SplitSeq(alternative, " & ") {
			c, err := parseCondition(part)
			if err != nil {
				return m, fmt.Errorf("match %q: %w", text, err)
			}
			all = append(all, c)
		}
		m.any = append(m.any, all)
	}
	return m, nil
}

func parseCondition(s string) (condition, error) {
	if len(s) < 2 || !strings.ContainsRune("=^$~/", rune(s[0])) {
		return condition{}, fmt.Errorf("condition %q: write one of = ^ $ ~ / and a text", s)
	}
	c := condition{mark: s[0], text: strings.ToLower(s[1:])}
	if c.mark != '/' {
		return c, nil
	}
	if len(s) > maxPattern {
		return c, fmt.Errorf("a pattern of %d bytes: at most %d", len(s), maxPattern)
	}
	re, err := regexp.Compile(s[1:])
	if err != nil {
		return c, fmt.Errorf("pattern %q: %w", s[1:], err)
	}
	c.re = re
	return c, nil
}

// String is the text that the match was read from.
func (m Match) String() string { return m.text }

// Names reports whether the row stands for name, which is in lower case.
func (m Match) Names(name string) bool {
	for _, all := range m.any {
		if holds(all, name) {
			return true
		}
	}
	return false
}

func holds(all []condition, name string) bool {
	for _, c := range all {
		if !c.holds(name) {
			return false
		}
	}
	return true
}

func (c condition) holds(name string) bool {
	switch c.mark {
	case '=':
		return name == c.text
	case '^':
		return strings.HasPrefix(name, c.text)
	case '$':
		return strings.HasSuffix(name, c.text)
	case '~':
		return strings.Contains(name, c.text)
	}
	return c.re.MatchString(name)
}
