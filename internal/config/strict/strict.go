// Package strict answers what a YAML text says, for exactly one Go type, and what
// is wrong with it: all mistakes at once, each with its line, column, what was
// expected and the nearest name that exists.
//
// It knows nothing of what the settings mean. The same struct tags make the JSON
// Schema, so that editors and the program agree. Anchors and aliases work within a
// bound; merge keys, tags and several documents are refused. Start reading at
// Decode, then decoder.value (decode.go), then Schema.
//
// The tags: yaml:"name", or yaml:",key" and yaml:",value" for a struct that is one
// entry of a mapping; doc, required (what to write), enum, min, max, pattern.
package strict

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what is read.
const (
	MaxSize     = 1 << 20 // bytes of a text
	maxNesting  = 64      // mappings and lists inside each other; the parser recurses
	maxNames    = 5_000   // in one block mapping; the parser takes 0.3 s for so many, and four times that for twice
	maxNodes    = 200_000 // values after aliases are followed
	maxProblems = 100
)

// Scalar is a type of the caller's that reads itself from one scalar. It also
// implements encoding.TextUnmarshaler on its pointer; that error says what to write.
type Scalar interface{ Form() Form }

// Form is what a scalar looks like in the file.
type Form struct {
	Wants   string         // "a size such as 32MiB"
	Numbers bool           // numbers are taken too, by their text
	Secret  bool           // never shown in a problem
	Schema  map[string]any // its JSON Schema
}

// Options are what Decode needs beside the text.
type Options struct {
	File string // the name that problems show
	// Expand is applied to every value of kind string; nil leaves them alone.
	Expand func(string) (string, error)
}

// Decode reads text into the struct that into points at; fields that the text does
// not name keep their value. Problems come by position, and what could be read is
// read all the same, so that the caller can go on checking. Places tells where
// each value stood.
func Decode(text []byte, into any, opt Options) (*Places, Problems) {
	d := &decoder{opt: opt, places: &Places{file: opt.File, at: map[string]Place{}}, anchors: map[string]ast.Node{}}
	body, err := d.parse(text)
	switch {
	case err != nil:
		d.problems = append(d.problems, *err)
	case body != nil:
		ast.Walk(d, body)
		d.places.at[""] = Place{Key: start, Value: start}
		d.value(body, reflect.ValueOf(into).Elem(), field{}, nil)
	}
	return d.places, d.problems.Sorted()
}

var start = Position{Line: 1, Column: 1}

// parse gives the one document's body, nil for an empty text.
func (d *decoder) parse(text []byte) (body ast.Node, problem *Problem) {
	// The parser has had panics on hostile input; a bad file is a problem, not a crash.
	defer func() {
		if r := recover(); r != nil {
			problem = d.syntax(start, "this cannot be read as YAML: check quotes, brackets and indentation")
		}
	}()
	if len(text) > MaxSize {
		return nil, d.syntax(start, fmt.Sprintf("the file has %d bytes: at most %d are read", len(text), MaxSize))
	}
	if at, ok := controlCharacter(text); ok {
		return nil, d.syntax(at, "this is not text in UTF-8: save the file as UTF-8 without control characters")
	}
	tokens := lexer.Tokenize(string(text))
	if at, why := tooMuch(tokens); at != nil {
		return nil, d.syntax(position(at), why)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, d.unreadable(err)
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case doc.Body.Type() == ast.CommentType, doc.Body.Type() == ast.DirectiveType:
		case body != nil:
			return nil, d.syntax(position(doc.Body.GetToken()), "a second document begins here: keep one, without --- between settings")
		default:
			body = doc.Body
		}
	}
	return body, nil
}

func (d *decoder) unreadable(err error) *Problem {
	var e yaml.Error
	if !errors.As(err, &e) {
		return d.syntax(start, "this cannot be read as YAML: check quotes, brackets and indentation")
	}
	message := strings.TrimSpace(e.GetMessage())
	if strings.ContainsRune(message, '\t') {
		return d.syntax(position(e.GetToken()), "YAML: a tab cannot indent: use spaces")
	}
	return d.syntax(position(e.GetToken()), "YAML: "+message+": check quotes, brackets and indentation here and on the line above")
}

func (d *decoder) syntax(at Position, message string) *Problem {
	return &Problem{File: d.opt.File, Position: at, Message: message}
}

// tooMuch finds what would make the parser slow or exhaust its stack: nesting past
// a bound, and more names in one block than its quadratic loop should see. Blocks
// nest by indentation, which the size of the text bounds, and by several marks on
// one line, which only this does.
func tooMuch(tokens token.Tokens) (*token.Token, string) {
	var flow, marks, line int
	var first *token.Token
	names := map[int]int{} // in the block that is open at a column
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if t.Position.Line != line {
			line, marks, first = t.Position.Line, 0, t
			if flow == 0 {
				maps.DeleteFunc(names, func(column, _ int) bool { return column > t.Position.Column })
			}
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			marks++
		case token.MappingValueType:
			if flow == 0 && first.Type != token.SequenceEntryType {
				names[first.Position.Column]++
			}
		}
		if flow > maxNesting || marks > maxNesting {
			return t, fmt.Sprintf("nested more than %d deep: flatten it", maxNesting)
		}
		if names[first.Position.Column] > maxNames {
			return t, fmt.Sprintf("more than %d names in one block: split it", maxNames)
		}
	}
	return nil, ""
}
