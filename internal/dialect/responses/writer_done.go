package responses

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// close ends a block. A call's arguments may still come where calls are interleaved, so
// it is done when the answer is.
func (w *Writer) close(dst []byte, number int) []byte {
	p := w.blocks[number]
	switch {
	case p == nil || p.item.done || p.done || p.item.kind == typeCall:
		return dst
	case p.item.kind == typeReasoning:
		return w.closeThought(dst, p.item)
	}
	return w.closePart(dst, p)
}

func (w *Writer) closePart(dst []byte, p *shownPart) []byte {
	p.done = true
	if p.refusal {
		dst = p.where(w.event(dst, "response.refusal.done"))
		dst = rawjson.AppendBytes(append(dst, `,"refusal":`...), p.text)
	} else {
		dst = p.where(w.event(dst, "response.output_text.done"))
		dst = append(append(append(dst, `,"logprobs":[`...), p.logprobs...), ']')
		dst = rawjson.AppendBytes(append(dst, `,"text":`...), p.text)
	}
	dst = append(dst, finishEvent...)
	dst = p.append(append(p.where(w.event(dst, "response.content_part.done")), `,"part":`...))
	return append(dst, finishEvent...)
}

func (w *Writer) closeThought(dst []byte, it *shown) []byte {
	id, sealed := writeSealed(&it.proof)
	if it.held {
		if id != "" {
			it.id = id
		}
		text := it.text
		it.text = nil // an item begins empty
		dst = w.added(dst, it)
		if it.text = text; len(text) > 0 {
			dst = w.summary(dst, it, text)
		}
	}
	it.sealed = sealed
	if it.told {
		dst = it.where(w.event(dst, "response.reasoning_summary_text.done"))
		dst = rawjson.AppendBytes(append(dst, `,"summary_index":0,"text":`...), it.text)
		dst = append(dst, finishEvent...)
		dst = it.where(w.event(dst, "response.reasoning_summary_part.done"))
		dst = appendSummary(append(dst, `,"summary_index":0,"part":`...), it.text)
		dst = append(dst, finishEvent...)
	}
	return w.itemDone(dst, it)
}

func (w *Writer) closeMessage(dst []byte) []byte {
	it := w.message
	if w.message = nil; it == nil {
		return dst
	}
	for _, p := range it.parts {
		if !p.done {
			dst = w.closePart(dst, p)
		}
	}
	return w.itemDone(dst, it)
}

// finish ends all items. Why the answer ended is told with its last event.
func (w *Writer) finish(dst []byte, stop llm.Stop) []byte {
	w.stop = stop
	dst = w.closeMessage(dst)
	for _, it := range w.items {
		switch {
		case it.done:
		case it.kind == typeReasoning:
			dst = w.closeThought(dst, it)
		case it.kind == typeCall:
			dst = w.finishCall(dst, it)
		}
	}
	return dst
}

func (w *Writer) finishCall(dst []byte, it *shown) []byte {
	if len(it.text) == 0 { // a tool without arguments, where clients parse JSON
		it.text = []byte("{}")
		dst = it.where(w.event(dst, "response.function_call_arguments.delta"))
		dst = append(dst, `,"delta":"{}"`+finishEvent...)
	}
	dst = it.where(w.event(dst, "response.function_call_arguments.done"))
	dst = rawjson.AppendString(append(dst, `,"name":`...), it.name)
	dst = rawjson.AppendBytes(append(dst, `,"arguments":`...), it.text)
	return w.itemDone(append(dst, finishEvent...), it)
}
