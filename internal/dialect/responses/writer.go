package responses

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// maxHeld bounds the text that is kept, in bytes: this dialect repeats all of it when
// an item is done and again at the end.
const maxHeld = 64 << 20

// Writer writes a streamed answer as events of this dialect.
type Writer struct {
	req       *llm.Request
	id, model string
	tier      string
	echo      []byte // of the request
	sequence  int64

	items   []*shown
	blocks  map[int]*shownPart // by block; thought and calls are items with one part
	message *shown             // the message that is open
	held    int

	stop    llm.Stop
	usage   money.Tokens
	counted bool
	refused bool
	done    bool // the last event was written
	lost    llm.Losses
}

// NewWriter begins the answer to req.
func NewWriter(req *llm.Request) *Writer {
	return &Writer{req: req, id: "resp_" + req.ID, model: req.Model, blocks: map[int]*shownPart{}}
}

// Lost is what could not be shown.
func (w *Writer) Lost() llm.Losses { return w.lost }

// Append writes the events of a delta.
func (w *Writer) Append(dst []byte, d *llm.Delta) []byte {
	if w.done {
		return dst
	}
	if d.Choice != 0 { // an answer of this dialect is one
		w.lost.Add(llm.FieldN)
		return dst
	}
	switch d.Kind {
	case llm.DeltaBegin:
		return w.begin(dst, d)
	case llm.DeltaOpen:
		return w.open(dst, d)
	case llm.DeltaPiece:
		return w.piece(dst, d)
	case llm.DeltaSign:
		return w.sign(dst, d)
	case llm.DeltaCite:
		return w.cite(dst, d)
	case llm.DeltaLogprobs:
		return w.logprobs(dst, d.Raw)
	case llm.DeltaClose:
		return w.close(dst, d.Block)
	case llm.DeltaStop:
		return w.finish(dst, d.Stop)
	case llm.DeltaUsage:
		w.usage, w.counted = d.Usage, true
	case llm.DeltaDone:
		return w.End(dst)
	case llm.DeltaPing:
		return append(dst, ": ping\n\n"...)
	}
	return dst
}

// End writes the event that an answer ends with, once. It has the stop reason and the
// usage.
func (w *Writer) End(dst []byte) []byte {
	if w.done {
		return dst
	}
	w.done = true
	return w.whole(dst, "response."+w.status(), w.status())
}

// Fail writes the error event.
func (w *Writer) Fail(dst []byte, e *llm.Error) []byte {
	w.done = true
	dst = appendFailure(dst, e, w.sequence)
	w.sequence++
	return dst
}

// event begins an event; what it says is to follow, and then finishEvent.
func (w *Writer) event(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(append(dst, "\ndata: {\"type\":\""...), name...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, w.sequence, 10)
	w.sequence++
	return dst
}

const finishEvent = "}\n\n"

// whole writes an event that holds the response.
func (w *Writer) whole(dst []byte, name, status string) []byte {
	dst = w.appendResponse(append(w.event(dst, name), `,"response":`...), status)
	return append(dst, finishEvent...)
}

func (w *Writer) begin(dst []byte, d *llm.Delta) []byte {
	if d.ID != "" {
		w.id = d.ID
	}
	if d.Model != "" {
		w.model = d.Model
	}
	dst = w.whole(dst, "response.created", inProgress)
	return w.whole(dst, "response.in_progress", inProgress)
}

// item writes that an item begins or is done.
func (w *Writer) item(dst []byte, name string, it *shown, status string) []byte {
	dst = strconv.AppendInt(append(w.event(dst, name), `,"output_index":`...), int64(it.index), 10)
	dst = it.appendItem(append(dst, `,"item":`...), status)
	return append(dst, finishEvent...)
}

func (w *Writer) added(dst []byte, it *shown) []byte {
	return w.item(dst, "response.output_item.added", it, inProgress)
}

func (w *Writer) itemDone(dst []byte, it *shown) []byte {
	it.done = true
	return w.item(dst, "response.output_item.done", it, w.itemStatus(it))
}

// newItem gives an item its place.
func (w *Writer) newItem(kind, prefix string) *shown {
	it := &shown{index: len(w.items), kind: kind}
	it.id = prefix + w.req.ID + "_" + strconv.Itoa(it.index)
	w.items = append(w.items, it)
	return it
}

// open begins a block: a part of a message, or an item.
func (w *Writer) open(dst []byte, d *llm.Delta) []byte {
	if len(w.blocks) >= maxBlocks {
		w.lost.Add(llm.FieldOther)
		return dst
	}
	switch d.Part.Kind {
	case llm.Text, llm.Refusal:
		return w.openPart(dst, d)
	case llm.Reasoning:
		dst = w.closeMessage(dst)
		it := w.newItem(typeReasoning, reasoningID)
		w.blocks[d.Block] = &shownPart{item: it}
		if it.held = d.Part.Signer == Name; it.held {
			return dst
		}
		return w.added(dst, it)
	case llm.ToolCall:
		dst = w.closeMessage(dst)
		it := w.newItem(typeCall, "fc_")
		it.name, it.callID = d.Part.Call.Name, d.Part.Call.ID
		if it.callID == "" {
			it.callID = "call_" + w.req.ID + "_" + strconv.Itoa(it.index)
		}
		w.blocks[d.Block] = &shownPart{item: it}
		return w.added(dst, it)
	}
	if d.Part.Kind != llm.Other || d.Part.Dialect != Name || len(d.Part.Raw) == 0 {
		w.lost.Add(llm.FieldOther)
		return dst
	}
	dst = w.closeMessage(dst)
	it := w.newItem("", "")
	it.raw = oneLine(slices.Clone(d.Part.Raw))
	return w.itemDone(w.added(dst, it), it)
}

func (w *Writer) openPart(dst []byte, d *llm.Delta) []byte {
	if w.message == nil {
		w.message = w.newItem(typeMessage, "msg_")
		dst = w.added(dst, w.message)
	}
	it := w.message
	p := &shownPart{item: it, index: len(it.parts), refusal: d.Part.Kind == llm.Refusal}
	w.refused = w.refused || p.refusal
	it.parts = append(it.parts, p)
	w.blocks[d.Block] = p
	dst = p.append(append(p.where(w.event(dst, "response.content_part.added")), `,"part":`...))
	return append(dst, finishEvent...)
}

// piece is more text of a block.
func (w *Writer) piece(dst []byte, d *llm.Delta) []byte {
	p := w.blocks[d.Block]
	if p == nil || p.item.done || p.done {
		return dst
	}
	if w.held += len(d.Text); w.held > maxHeld {
		return w.Fail(dst, &llm.Error{Kind: llm.TooLarge, Message: "the answer is longer than a stream of this dialect can hold"})
	}
	switch it := p.item; it.kind {
	case typeCall:
		it.text = append(it.text, d.Text...)
		dst = it.where(w.event(dst, "response.function_call_arguments.delta"))
	case typeReasoning:
		it.text = append(it.text, d.Text...)
		if it.held {
			return dst
		}
		return w.summary(dst, it, d.Text)
	default:
		p.text = append(p.text, d.Text...)
		if p.refusal {
			dst = p.where(w.event(dst, "response.refusal.delta"))
			break
		}
		dst = p.where(w.event(dst, "response.output_text.delta"))
		dst = append(dst, `,"logprobs":[]`...)
	}
	dst = rawjson.AppendBytes(append(dst, `,"delta":`...), d.Text)
	return append(dst, finishEvent...)
}

// summary is more thought. Providers show it in summaries, and clients of this dialect
// look for it there.
func (w *Writer) summary(dst []byte, it *shown, text []byte) []byte {
	if !it.told {
		it.told = true
		dst = it.where(w.event(dst, "response.reasoning_summary_part.added"))
		dst = append(dst, `,"summary_index":0,"part":{"type":"summary_text","text":""}`+finishEvent...)
	}
	dst = it.where(w.event(dst, "response.reasoning_summary_text.delta"))
	dst = rawjson.AppendBytes(append(dst, `,"summary_index":0,"delta":`...), text)
	return append(dst, finishEvent...)
}

// sign takes a proof of thought, which is told with the end of its item. That of a call
// has no place there and becomes an item of its own.
func (w *Writer) sign(dst []byte, d *llm.Delta) []byte {
	p := w.blocks[d.Block]
	switch {
	case p == nil || p.item.done:
		w.lost.Add(llm.FieldSignature)
	case p.item.kind == typeReasoning:
		proof := &p.item.proof
		proof.Signer = d.Part.Signer
		proof.Signature += d.Part.Signature
		proof.Redacted += d.Part.Redacted
	case p.item.kind == typeCall:
		it := w.newItem(typeReasoning, reasoningID)
		it.id = reasoningID + p.item.callID
		_, it.sealed = writeSealed(&d.Part)
		return w.itemDone(w.added(dst, it), it)
	default:
		w.lost.Add(llm.FieldSignature)
	}
	return dst
}

func (w *Writer) cite(dst []byte, d *llm.Delta) []byte {
	p := w.blocks[d.Block]
	for i := range d.Part.Citations {
		note, ok := appendNote(&d.Part.Citations[i])
		if !ok || p == nil || p.item.kind != typeMessage || p.refusal || p.done {
			w.lost.Add(llm.FieldCitations)
			continue
		}
		note = oneLine(slices.Clone(note))
		dst = p.where(w.event(dst, "response.output_text.annotation.added"))
		dst = strconv.AppendInt(append(dst, `,"annotation_index":`...), int64(len(p.notes)), 10)
		dst = append(append(append(dst, `,"annotation":`...), note...), finishEvent...)
		p.notes = append(p.notes, note)
	}
	return dst
}

// logprobs belong to the text that came last. Its pieces are told already, so they
// come with an empty one.
func (w *Writer) logprobs(dst, object []byte) []byte {
	list, _ := rawjson.Lookup(object, "content")
	if w.message == nil || len(w.message.parts) == 0 || w.message.parts[len(w.message.parts)-1].done {
		w.lost.Add(llm.FieldLogprobs)
		return dst
	}
	p := w.message.parts[len(w.message.parts)-1]
	from := len(p.logprobs)
	for entry := range list.Items() {
		if w.held += len(entry.Raw()); w.held > maxHeld {
			w.lost.Add(llm.FieldLogprobs)
			return dst
		}
		if len(p.logprobs) > 0 {
			p.logprobs = append(p.logprobs, ',')
		}
		p.logprobs = append(p.logprobs, entry.Raw()...)
	}
	oneLine(p.logprobs[from:])
	fresh := bytes.TrimPrefix(p.logprobs[from:], []byte(","))
	if len(fresh) == 0 {
		return dst
	}
	dst = append(p.where(w.event(dst, "response.output_text.delta")), `,"logprobs":[`...)
	return append(append(append(dst, fresh...), `],"delta":""`...), finishEvent...)
}
