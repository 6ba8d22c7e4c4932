package dialecttest

import "slices"

// blockDeltas are the deltas that each kind of block may have.
var blockDeltas = map[string][]string{
	"text": {"text_delta", "citations_delta"}, "tool_use": {"input_json_delta"}, "server_tool_use": {"input_json_delta"},
	"thinking": {"thinking_delta", "signature_delta"}, "redacted_thinking": {},
}

// messagesGrammar: message_start; blocks that start, go on and stop one after the
// other, with an index that rises from 0; message_delta with the stop reason and the
// usage; message_stop. A ping may come anywhere.
// https://docs.claude.com/en/docs/build-with-claude/streaming
func messagesGrammar(c *checker, frames []frameOf) {
	s := messagesState{checker: c, open: -1}
	for i, f := range frames {
		if f.json == nil {
			c.wrong("event %d is not a JSON object: %.80s", i, f.data)
			continue
		}
		c.must(f.name == f.json.str("type"), "event %d is called %q and has type %q", i, f.name, f.json.str("type"))
		c.must(!s.over, "event %d comes behind message_stop", i)
		s.event(i, f.json)
	}
	c.must(s.over, "the last event is not message_stop")
}

type messagesState struct {
	*checker
	begun, over, stopped bool
	next, open           int // blocks
	kind                 string
}

func (s *messagesState) event(i int, ev object) {
	kind := ev.str("type")
	if kind != "message_start" && kind != "ping" {
		s.must(s.begun, "event %d: %s before message_start", i, kind)
	}
	switch kind {
	case "message_start":
		s.start(i, ev)
	case "content_block_start":
		s.must(s.open < 0, "event %d: block %d begins before block %d stopped", i, ev.num("index"), s.open)
		s.must(ev.num("index") == s.next, "event %d: block %d begins where %d is due", i, ev.num("index"), s.next)
		s.must(!s.stopped, "event %d: a block begins behind message_delta", i)
		s.open, s.kind = ev.num("index"), ev.str("content_block.type")
		s.next++
		if s.kind == "tool_use" {
			s.must(ev.str("content_block.id") != "" && ev.str("content_block.name") != "", "event %d: a tool_use without id or name", i)
		}
	case "content_block_delta":
		s.must(ev.num("index") == s.open, "event %d: a piece of block %d while %d is open", i, ev.num("index"), s.open)
		s.piece(i, ev.str("delta.type"))
	case "content_block_stop":
		s.must(ev.num("index") == s.open, "event %d: block %d stops while %d is open", i, ev.num("index"), s.open)
		s.open = -1
	case "message_delta":
		s.must(s.open < 0, "event %d: message_delta while block %d is open", i, s.open)
		s.must(ev.str("delta.stop_reason") != "", "event %d: message_delta without stop_reason", i)
		s.must(ev.num("usage.output_tokens") >= 0, "event %d: message_delta without usage.output_tokens", i)
		s.must(!s.stopped, "event %d: a second message_delta", i)
		s.stopped = true
	case "message_stop":
		s.must(s.stopped, "event %d: message_stop without message_delta", i)
		s.over = true
	case "ping":
	default:
		s.wrong("event %d: unknown type %q", i, kind)
	}
}

func (s *messagesState) start(i int, ev object) {
	s.must(!s.begun, "event %d: a second message_start", i)
	s.begun = true
	s.must(ev.str("message.type") == "message" && ev.str("message.role") == "assistant" && ev.str("message.id") != "", "event %d: message_start lacks type, role or id", i)
	s.must(ev.num("message.usage.input_tokens") >= 0 && ev.num("message.usage.output_tokens") >= 0, "event %d: message_start lacks usage", i)
	s.must(ev.at("message.stop_reason") == nil, "event %d: message_start has a stop_reason", i)
	_, isList := ev.at("message.content").([]any)
	s.must(isList && len(ev.list("message.content")) == 0, "event %d: message_start has content", i)
}

func (s *messagesState) piece(i int, delta string) {
	allowed, known := blockDeltas[s.kind]
	if !known {
		return
	}
	s.must(slices.Contains(allowed, delta), "event %d: a %s in a block of %s", i, delta, s.kind)
}
