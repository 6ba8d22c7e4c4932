package anthropic

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// deltas turns the events of one answer into neutral words. Blocks come one by one in
// this dialect, but for engines that imitate it, so each is known by its index.
type deltas struct {
	out     []llm.Delta // of the event at hand
	text    []byte      // unescaped, of the event at hand
	began   bool
	next    int // the number of the next block
	running map[int64]*openBlock
}

// maxOpen bounds the blocks that are open at the same time.
const maxOpen = 128

// openBlock is a block that has no end yet.
type openBlock struct {
	number int
	kind   llm.PartKind
	input  []byte // of a call that came whole, until it is known that no pieces follow
}

func (d *deltas) reset() { d.out, d.text = d.out[:0], d.text[:0] }

func (d *deltas) add(delta llm.Delta) { d.out = append(d.out, delta) }

// begin reads a message's head.
func (d *deltas) begin(message rawjson.Value) {
	if d.began {
		return
	}
	d.began = true
	id, _ := message.Get("id")
	model, _ := message.Get("model")
	begin := llm.Delta{Kind: llm.DeltaBegin}
	begin.ID, _ = id.Str()
	begin.Model, _ = model.Str()
	d.add(begin)
}

// open reads a block as it begins, or all of it.
func (d *deltas) open(index int64, b rawjson.Value) {
	if len(d.running) >= maxOpen {
		return
	}
	d.begin(rawjson.Value{}) // an engine that forgot it
	if d.running == nil {
		d.running = make(map[int64]*openBlock)
	}
	o := &openBlock{number: d.next}
	d.running[index] = o
	d.next++
	part, text := readBlock(b)
	o.kind = part.Kind
	redacted := part.Redacted
	part.Redacted = ""
	d.add(llm.Delta{Kind: llm.DeltaOpen, Block: o.number, Part: part})
	switch {
	case redacted != "":
		d.add(llm.Delta{Kind: llm.DeltaSign, Block: o.number, Part: llm.Part{Redacted: redacted, Signer: Name}})
	case part.Kind == llm.ToolCall:
		if input, _ := b.Get("input"); input.Kind() == rawjson.Object && !wire.NoMembers(input) {
			o.input = append([]byte(nil), input.Raw()...)
		}
	default:
		d.piece(index, text)
	}
}

// readBlock reads what a block is, and its text.
func readBlock(b rawjson.Value) (part llm.Part, text rawjson.Value) {
	kind, _ := b.Get("type")
	switch {
	case kind.Is("text"):
		part.Kind = llm.Text
		text, _ = b.Get("text")
	case kind.Is("thinking"):
		part.Kind = llm.Reasoning
		text, _ = b.Get("thinking")
	case kind.Is("redacted_thinking"):
		part.Kind = llm.Reasoning
		data, _ := b.Get("data")
		part.Redacted, _ = data.Str()
	case kind.Is("tool_use"):
		id, _ := b.Get("id")
		name, _ := b.Get("name")
		part.Kind, part.Call = llm.ToolCall, &llm.Call{}
		part.Call.ID, _ = id.Str()
		part.Call.Name, _ = name.Str()
	default:
		part = llm.Part{Kind: llm.Other, Raw: append([]byte(nil), b.Raw()...), Dialect: Name}
	}
	return part, text
}

// piece is a piece of a block's text, or of its arguments. What a provider's own tool
// is asked has no word.
func (d *deltas) piece(index int64, v rawjson.Value) {
	o := d.running[index]
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if o == nil || o.kind == llm.Other || len(d.text) == from {
		return
	}
	o.input = nil
	d.add(llm.Delta{Kind: llm.DeltaPiece, Block: o.number, Text: d.text[from:]})
}

func (d *deltas) sign(index int64, signature rawjson.Value) {
	o := d.running[index]
	text, _ := signature.Str()
	if o == nil || text == "" {
		return
	}
	d.add(llm.Delta{Kind: llm.DeltaSign, Block: o.number, Part: llm.Part{Signature: text, Signer: Name}})
}

func (d *deltas) cite(index int64, citation rawjson.Value) {
	o := d.running[index]
	if o == nil || citation.Kind() != rawjson.Object {
		return
	}
	d.add(llm.Delta{Kind: llm.DeltaCite, Block: o.number, Part: llm.Part{Citations: []llm.Citation{readCitation(citation.Raw())}}})
}

func (d *deltas) close(index int64) {
	o := d.running[index]
	if o == nil {
		return
	}
	if o.input != nil {
		d.add(llm.Delta{Kind: llm.DeltaPiece, Block: o.number, Text: o.input})
	}
	d.add(llm.Delta{Kind: llm.DeltaClose, Block: o.number})
	delete(d.running, index)
}

// stopReasons is the table of stop_reason.
var stopReasons = map[string]llm.StopReason{
	"end_turn": llm.StopEnd, "max_tokens": llm.StopLength, "model_context_window_exceeded": llm.StopLength,
	"stop_sequence": llm.StopSequence, "tool_use": llm.StopTools, "pause_turn": llm.StopPause, "refusal": llm.StopRefusal,
}

// stop reads why the answer ended from an object that says so, if it does.
func (d *deltas) stop(from rawjson.Value) {
	reason, _ := from.Get("stop_reason")
	word, ok := reason.Str()
	if !ok {
		return
	}
	stop := llm.Stop{Reason: stopReasons[word], Word: word}
	if stop.Reason == "" {
		stop.Reason = llm.StopOther
	}
	sequence, _ := from.Get("stop_sequence")
	stop.Sequence, _ = sequence.Str()
	d.begin(rawjson.Value{})
	for index := int64(0); len(d.running) > 0 && index < maxOpen; index++ { // an engine that forgot to
		d.close(index)
	}
	d.add(llm.Delta{Kind: llm.DeltaStop, Stop: stop})
}
