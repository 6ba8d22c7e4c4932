package dialecttest

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// echoes are how clients of each dialect send an answer back with their next
// request: where the turns are, where the answer's turn is, and the user's next words.
var echoes = map[string]struct {
	turns, next string
	answer      []string
	many        bool   // the answer is a list of items
	head, tail  string // around what was answered
}{
	"openai-chat":      {turns: "messages", answer: []string{"choices", "message"}, next: `{"role":"user","content":"Go on."}`},
	"anthropic":        {turns: "messages", answer: []string{"content"}, head: `{"role":"assistant","content":`, tail: "}", next: `{"role":"user","content":"Go on."}`},
	"openai-responses": {turns: "input", answer: []string{"output"}, many: true, next: `{"role":"user","content":"Go on."}`},
	"gemini":           {turns: "contents", answer: []string{"candidates", "content"}, next: `{"role":"user","parts":[{"text":"Go on."}]}`},
	"ollama":           {turns: "messages", answer: []string{"message"}, next: `{"role":"user","content":"Go on."}`},
}

// Echo is the request of the next turn: the client's last one, the answer as it got it,
// and new words of the user.
func Echo(client string, request, answer []byte) ([]byte, error) {
	e, ok := echoes[client]
	if !ok {
		return nil, fmt.Errorf("the kit does not know how clients of %s go on", client)
	}
	turns, _ := rawjson.Lookup(request, e.turns)
	said, _ := rawjson.Lookup(answer, e.answer[0])
	if len(e.answer) > 1 { // of the first choice
		for first := range said.Items() {
			said, _ = first.Get(e.answer[1])
			break
		}
	}
	if said.Kind() == rawjson.Invalid {
		return nil, fmt.Errorf("the answer has no %v: %s", e.answer, clip(answer))
	}
	list := []byte{'['}
	for turn := range turns.Items() {
		list = append(append(list, turn.Raw()...), ',')
	}
	if text, ok := turns.Str(); ok { // Responses' short form
		list = append(rawjson.AppendString(append(list, `{"role":"user","content":`...), text), "},"...)
	}
	if e.many {
		for item := range said.Items() {
			list = append(append(list, item.Raw()...), ',')
		}
	} else {
		list = append(append(append(append(list, e.head...), said.Raw()...), e.tail...), ',')
	}
	list = append(append(list, e.next...), ']')
	return overlay(request, fmt.Appendf(nil, `{%q:%s}`, e.turns, list)), nil
}
