package responses

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// shown is an item of the output as a client of this dialect sees it grow.
type shown struct {
	index int
	kind  string // its type; "" for a raw item
	id    string
	done  bool

	parts []*shownPart // of a message

	name, callID string // of a call
	text         []byte // of a call: its arguments; of thought: its summary
	proof        llm.Part
	sealed       string // encrypted content
	held         bool   // of thought: nothing is told before its id is known
	told         bool   // of thought: its summary has begun
	raw          []byte
}

// shownPart is a part of a message.
type shownPart struct {
	item     *shown
	index    int
	refusal  bool
	done     bool
	text     []byte
	notes    [][]byte
	logprobs []byte // the inside of the list
}

// reasoningID begins the ids of reasoning items that are made here, so that they are
// known when they come back: no provider has anything stored under them. One that only
// proves a call has the call's id behind it.
const reasoningID = "rs_fl_"

// appendItem writes an item with a status, where its type has one.
func (it *shown) appendItem(dst []byte, status string) []byte {
	if it.kind == "" {
		return append(dst, it.raw...)
	}
	dst = rawjson.AppendString(append(dst, `{"id":`...), it.id)
	dst = append(append(append(dst, `,"type":"`...), it.kind...), '"')
	switch it.kind {
	case typeReasoning:
		dst = append(dst, `,"summary":[`...)
		if len(it.text) > 0 {
			dst = appendSummary(dst, it.text)
		}
		dst = append(dst, ']')
		if it.sealed != "" {
			dst = rawjson.AppendString(append(dst, `,"encrypted_content":`...), it.sealed)
		}
		return append(dst, '}')
	case typeCall:
		dst = rawjson.AppendBytes(append(dst, `,"arguments":`...), it.text)
		dst = rawjson.AppendString(append(dst, `,"call_id":`...), it.callID)
		dst = rawjson.AppendString(append(dst, `,"name":`...), it.name)
	case typeMessage:
		dst = append(dst, `,"role":"assistant","content":[`...)
		for i, p := range it.parts {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = p.append(dst)
		}
		dst = append(dst, ']')
	}
	return append(append(append(dst, `,"status":"`...), status...), `"}`...)
}

func appendSummary(dst, text []byte) []byte {
	return append(rawjson.AppendBytes(append(dst, `{"type":"summary_text","text":`...), text), '}')
}

func (p *shownPart) append(dst []byte) []byte {
	if p.refusal {
		return append(rawjson.AppendBytes(append(dst, `{"type":"refusal","refusal":`...), p.text), '}')
	}
	dst = append(dst, `{"type":"output_text","annotations":[`...)
	for i, note := range p.notes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, note...)
	}
	dst = append(append(append(dst, `],"logprobs":[`...), p.logprobs...), `],"text":`...)
	return append(rawjson.AppendBytes(dst, p.text), '}')
}

// where writes by what an event names an item, or a part of one.
func (it *shown) where(dst []byte) []byte {
	dst = rawjson.AppendString(append(dst, `,"item_id":`...), it.id)
	return strconv.AppendInt(append(dst, `,"output_index":`...), int64(it.index), 10)
}

func (p *shownPart) where(dst []byte) []byte {
	return strconv.AppendInt(append(p.item.where(dst), `,"content_index":`...), int64(p.index), 10)
}

// appendNote writes a citation as an annotation. This dialect knows those of the web,
// and its own.
func appendNote(c *llm.Citation) (note []byte, ok bool) {
	switch {
	case c.Dialect == Name && len(c.Raw) > 0:
		return c.Raw, true
	case c.URL == "":
		return nil, false
	}
	start, end := 0, 0
	if c.Of == "answer" {
		start, end = c.Start, c.End
	}
	note = strconv.AppendInt(append(note, `{"type":"url_citation","start_index":`...), int64(start), 10)
	note = strconv.AppendInt(append(note, `,"end_index":`...), int64(end), 10)
	note = rawjson.AppendString(append(note, `,"url":`...), c.URL)
	return append(rawjson.AppendString(append(note, `,"title":`...), c.Title), '}'), true
}

// oneLine makes JSON fit for a line of an event stream. Line ends stand between its
// tokens only, where a space does as well. It changes and returns raw.
func oneLine(raw []byte) []byte {
	for i, c := range raw {
		if c == '\n' || c == '\r' {
			raw[i] = ' '
		}
	}
	return raw
}
