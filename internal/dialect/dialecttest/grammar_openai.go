package dialecttest

import "slices"

// chatGrammar: chunks of one id; a role first, a stop reason once per choice and
// nothing behind it; usage last, in a chunk without choices; then [DONE].
// https://platform.openai.com/docs/api-reference/chat-streaming
func chatGrammar(c *checker, frames []frameOf) {
	if n := len(frames); n == 0 || frames[n-1].data != "[DONE]" {
		c.wrong("the last event is not [DONE]")
		return
	}
	s := chatState{checker: c, role: map[int]bool{}, stopped: map[int]bool{}, calls: map[[2]int]bool{}}
	for i, f := range frames[:len(frames)-1] {
		if f.json == nil {
			c.wrong("event %d is not a JSON object: %.80s", i, f.data)
			continue
		}
		s.chunk(i, f.json)
	}
	for choice := range s.role {
		c.must(s.stopped[choice], "choice %d has no finish_reason", choice)
	}
	c.must(len(s.role) > 0, "no choice was ever begun")
}

type chatState struct {
	*checker
	id      string
	role    map[int]bool
	stopped map[int]bool
	calls   map[[2]int]bool
	counted bool
}

func (s *chatState) chunk(i int, chunk object) {
	s.must(chunk.str("object") == "chat.completion.chunk", "event %d: object is %q", i, chunk.str("object"))
	s.must(chunk.str("id") != "", "event %d has no id", i)
	s.must(s.id == "" || s.id == chunk.str("id"), "event %d has another id", i)
	s.id = chunk.str("id")
	s.must(!s.counted, "event %d comes behind the usage", i)
	choices := chunk.list("choices")
	if len(choices) == 0 {
		s.must(chunk.at("usage") != nil, "event %d has neither choices nor usage", i)
		s.counted = true
	}
	for _, choice := range choices {
		s.choice(i, choice)
	}
}

func (s *chatState) choice(i int, choice object) {
	n := choice.num("index")
	s.must(n >= 0, "event %d: a choice without index", i)
	s.must(!s.stopped[n], "event %d: choice %d goes on behind its finish_reason", i, n)
	if choice.str("delta.role") == "assistant" {
		s.role[n] = true
	}
	s.must(s.role[n], "event %d: choice %d begins without its role", i, n)
	for _, call := range choice.list("delta.tool_calls") {
		at := [2]int{n, call.num("index")}
		s.must(at[1] >= 0, "event %d: a tool call without index", i)
		if !s.calls[at] {
			s.must(call.str("id") != "" && call.str("function.name") != "", "event %d: a tool call begins without id or name", i)
			s.must(at[1] == 0 || s.calls[[2]int{n, at[1] - 1}], "event %d: tool call %d comes before the one below it", i, at[1])
			s.calls[at] = true
		}
	}
	if reason := choice.str("finish_reason"); reason != "" {
		s.must(slices.Contains([]string{"stop", "length", "tool_calls", "content_filter"}, reason), "event %d: finish_reason %q", i, reason)
		s.stopped[n] = true
	}
}
