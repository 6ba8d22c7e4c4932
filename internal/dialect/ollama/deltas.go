package ollama

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// deltas turns the lines of one answer into neutral words. The dialect has no blocks:
// one begins when the kind of what is said changes, or with a call, which comes whole.
type deltas struct {
	req   *llm.Request
	out   []llm.Delta // of the line at hand
	text  []byte      // unescaped, of the line at hand
	began bool
	next  int          // the number of the next block
	kind  llm.PartKind // of the open block, 0 for none
	calls int
}

// maxCalls bounds the calls of one answer.
const maxCalls = 1 << 10

// line reads a line that was marked. The result is valid until the next.
func (d *deltas) line(l *line, ev *llm.Event) []llm.Delta {
	d.out, d.text = d.out[:0], d.text[:0]
	if !d.began {
		d.began = true
		begin := llm.Delta{Kind: llm.DeltaBegin}
		begin.Model, _ = l.model.Str()
		d.out = append(d.out, begin)
	}
	d.words(llm.Reasoning, l.thinking)
	d.words(llm.Text, l.content)
	d.images(l.images)
	for call := range l.calls.Items() {
		d.call(call)
	}
	if raw := readLogprobs(l.logprobs); raw != nil {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaLogprobs, Raw: raw})
	}
	if l.done {
		d.close()
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaStop, Stop: readStop(l.reason(), d.calls > 0)})
	}
	if ev.Marks&llm.MarkUsage != 0 {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaUsage, Usage: ev.Usage})
	}
	if l.done {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaDone})
	}
	return d.out
}

// readStop is the table of done_reason. The dialect says "stop" for calls too.
func readStop(word string, called bool) llm.Stop {
	s := llm.Stop{Reason: llm.StopOther, Word: word} // "load", "unload"
	switch {
	case word == "stop" && called:
		s.Reason = llm.StopTools
	case word == "stop":
		s.Reason = llm.StopEnd
	case word == "length":
		s.Reason = llm.StopLength
	case word == "content_filter": // ours
		s.Reason = llm.StopFilter
	}
	return s
}

func (d *deltas) open(part llm.Part) {
	d.close()
	d.kind = part.Kind
	d.next++
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaOpen, Block: d.next - 1, Part: part})
}

func (d *deltas) close() {
	if d.kind != 0 {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaClose, Block: d.next - 1})
		d.kind = 0
	}
}

func (d *deltas) words(kind llm.PartKind, v rawjson.Value) {
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if len(d.text) == from {
		return
	}
	if d.kind != kind {
		d.open(llm.Part{Kind: kind})
	}
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaPiece, Block: d.next - 1, Text: d.text[from:]})
}

func (d *deltas) images(list rawjson.Value) {
	for item := range list.Items() {
		data, ok := item.Str()
		if ok && d.next < maxCalls {
			d.open(llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: pictureType(data), Base64: data}})
			d.close()
		}
	}
}

// call is a whole call. One without an id gets one made of the exchange's and of its
// number.
func (d *deltas) call(v rawjson.Value) {
	if d.calls >= maxCalls {
		return
	}
	c := llm.Call{}
	id, _ := v.Get("id")
	name, _ := v.Path("function", "name")
	c.ID, _ = id.Str()
	c.Name, _ = name.Str()
	if c.ID == "" {
		c.ID = "call_" + d.req.ID + "_" + strconv.Itoa(d.calls)
	}
	d.calls++
	d.open(llm.Part{Kind: llm.ToolCall, Call: &c})
	arguments, _ := v.Path("function", "arguments")
	text := arguments.Raw()
	if arguments.Kind() == rawjson.Null || len(text) == 0 {
		text = []byte("{}")
	}
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaPiece, Block: d.next - 1, Text: text})
	d.close()
}
