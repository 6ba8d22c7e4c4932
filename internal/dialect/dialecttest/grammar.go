package dialecttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// Grammar checks the order, the indexes and the ending of a whole stream as clients
// of a dialect rely on them, and lists what is wrong.
func Grammar(name string, events []byte) []string {
	g, ok := grammars[name]
	if !ok {
		return []string{"the kit has no grammar of " + name}
	}
	frames, err := split(events)
	c := &checker{}
	if err != nil {
		c.wrong("the framing is broken: %v", err)
	}
	g(c, frames)
	return c.problems
}

// Sound checks only that every event of a stream can be parsed.
func Sound(events []byte) []string {
	frames, err := split(events)
	c := &checker{}
	if err != nil {
		c.wrong("the framing is broken: %v", err)
	}
	for i, f := range frames {
		if f.data == "[DONE]" {
			continue
		}
		if _, err := rawjson.Check([]byte(f.data), rawjson.Limits{}); err != nil {
			c.wrong("event %d: %v in %.200s", i, err, f.data)
		}
	}
	return c.problems
}

// grammars are the rules of each dialect of clients.
var grammars = map[string]func(*checker, []frameOf){
	"openai-chat":      chatGrammar,
	"anthropic":        messagesGrammar,
	"openai-responses": responsesGrammar,
	"gemini":           geminiGrammar,
	"ollama":           ollamaGrammar,
}

// checker collects what is wrong.
type checker struct{ problems []string }

const maxProblems = 8

func (c *checker) wrong(format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) must(ok bool, format string, args ...any) {
	if !ok {
		c.wrong(format, args...)
	}
}

// object is a JSON object of an event.
type object map[string]any

// frameOf is one event of a stream.
type frameOf struct {
	name string
	data string
	json object // nil where data is no JSON object
}

// split reads server-sent events, or lines of JSON.
func split(events []byte) (out []frameOf, err error) {
	if bytes.HasPrefix(events, []byte("{")) {
		for line := range bytes.Lines(events) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				out = append(out, newFrame("", line))
			}
		}
		return out, nil
	}
	r := sse.NewReader(bytes.NewReader(events), 0)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if !ev.Comment {
			out = append(out, newFrame(ev.Name, ev.Data))
		}
	}
}

func newFrame(name string, data []byte) frameOf {
	f := frameOf{name: name, data: string(data)}
	if json.Unmarshal(data, &f.json) != nil {
		f.json = nil
	}
	return f
}

// at finds a value by a path of names, such as "message.usage".
func (o object) at(path string) any {
	var v any = map[string]any(o)
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (o object) str(path string) string {
	s, _ := o.at(path).(string)
	return s
}

// num is a number, -1 where there is none.
func (o object) num(path string) int {
	if f, ok := o.at(path).(float64); ok {
		return int(f)
	}
	return -1
}

func (o object) list(path string) (out []object) {
	items, _ := o.at(path).([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, m)
	}
	return out
}
