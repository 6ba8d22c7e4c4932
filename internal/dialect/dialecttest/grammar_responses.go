package dialecttest

import "strings"

// responsesGrammar: sequence_number rises by one; response.created first; an item is
// added before its parts and done behind them; each item and part has its own index;
// one of the terminal events last.
// https://platform.openai.com/docs/api-reference/responses-streaming
func responsesGrammar(c *checker, frames []frameOf) {
	s := responsesState{checker: c, items: map[int]string{}, parts: map[[2]int]bool{}, first: -1}
	for i, f := range frames {
		if f.json == nil {
			c.wrong("event %d is not a JSON object: %.80s", i, f.data)
			continue
		}
		c.must(f.name == f.json.str("type"), "event %d is called %q and has type %q", i, f.name, f.json.str("type"))
		number := f.json.num("sequence_number")
		if s.first < 0 {
			s.first = number
		}
		c.must(number == s.first+i, "event %d has sequence_number %d", i, number)
		c.must(s.end == "", "event %d comes behind %s", i, s.end)
		if i == 0 {
			c.must(f.name == "response.created", "the first event is %s", f.name)
		}
		s.event(i, f.name, f.json)
	}
	c.must(s.end != "", "the stream has no terminal event")
	for index, id := range s.items {
		c.must(id == "", "item %d was never done", index)
	}
}

type responsesState struct {
	*checker
	first int
	next  int
	items map[int]string // open ones: ids by index; "" once done
	parts map[[2]int]bool
	end   string
}

func (s *responsesState) event(i int, name string, ev object) {
	item := ev.num("output_index")
	switch name {
	case "response.created", "response.in_progress", "response.queued":
		s.must(ev.str("response.object") == "response" && ev.str("response.id") != "", "event %d: %s without a response", i, name)
	case "response.completed", "response.incomplete", "response.failed":
		s.end = name
		s.must("response."+ev.str("response.status") == name, "event %d: %s with status %q", i, name, ev.str("response.status"))
		s.must(len(ev.list("response.output")) == s.next, "event %d: %d items in output, %d were added", i, len(ev.list("response.output")), s.next)
	case "response.output_item.added":
		s.must(item == s.next, "event %d: item %d is added where %d is due", i, item, s.next)
		s.must(ev.str("item.id") != "", "event %d: an item without id", i)
		s.items[item] = ev.str("item.id")
		s.next++
	case "response.output_item.done":
		s.must(s.items[item] != "" && s.items[item] == ev.str("item.id"), "event %d: item %d is done, which is not open", i, item)
		for at, open := range s.parts {
			s.must(at[0] != item || !open, "event %d: item %d is done before its part %d", i, item, at[1])
		}
		s.items[item] = ""
	case "response.content_part.added":
		s.inItem(i, name, ev)
		s.parts[[2]int{item, ev.num("content_index")}] = true
	case "response.content_part.done":
		s.inItem(i, name, ev)
		s.parts[[2]int{item, ev.num("content_index")}] = false
	case "error":
		s.end = name
	default:
		if strings.HasPrefix(name, "response.") && ev.at("output_index") != nil {
			s.inItem(i, name, ev)
		}
		if strings.HasPrefix(name, "response.output_text.") || strings.HasPrefix(name, "response.refusal.") {
			s.must(s.parts[[2]int{item, ev.num("content_index")}], "event %d: %s outside of its part", i, name)
		}
	}
}

// inItem checks that an event belongs to an open item.
func (s *responsesState) inItem(i int, name string, ev object) {
	id := s.items[ev.num("output_index")]
	s.must(id != "" && id == ev.str("item_id"), "event %d: %s of item %q (index %d), which is not open", i, name, ev.str("item_id"), ev.num("output_index"))
}
