package responses

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// deltas turns the items of one answer into neutral words, as they grow in a stream or
// as they stand in a whole answer. Each part of a message, each reasoning item, each
// call and each item of the provider's own is a block.
type deltas struct {
	out     []llm.Delta // of the event at hand
	text    []byte      // unescaped, of the event at hand
	began   bool
	blocks  map[[2]int64]*block // by item and part
	inOrder []*block            // the same by number; bounded by maxBlocks
	done    map[int64]bool      // items that are complete
	called  bool
	refused bool
}

// maxBlocks bounds the blocks of an answer.
const maxBlocks = 1 << 12

type block struct {
	number int
	open   bool
	length int   // bytes of text so far
	notes  int   // citations so far
	para   int64 // of a summary: its part at hand
}

func (d *deltas) reset() { d.out, d.text = d.out[:0], d.text[:0] }

func (d *deltas) add(delta llm.Delta) { d.out = append(d.out, delta) }

// begin reads the response that an answer begins with.
func (d *deltas) begin(response rawjson.Value) {
	if d.began {
		return
	}
	d.began = true
	id, _ := response.Get("id")
	model, _ := response.Get("model")
	begin := llm.Delta{Kind: llm.DeltaBegin}
	begin.ID, _ = id.Str()
	begin.Model, _ = model.Str()
	d.add(begin)
}

// block gives the block of a part, opened; nil when there are too many.
func (d *deltas) block(item, part int64, p llm.Part) *block {
	at := [2]int64{item, part}
	b, ok := d.blocks[at]
	if ok {
		return b
	}
	if len(d.inOrder) >= maxBlocks {
		return nil
	}
	if d.blocks == nil {
		d.blocks = make(map[[2]int64]*block)
	}
	b = &block{number: len(d.inOrder), open: true}
	d.blocks[at], d.inOrder = b, append(d.inOrder, b)
	d.called = d.called || p.Kind == llm.ToolCall
	d.refused = d.refused || p.Kind == llm.Refusal
	d.add(llm.Delta{Kind: llm.DeltaOpen, Block: b.number, Part: p})
	return b
}

// piece is more text of a part. A part begins with its first letter.
func (d *deltas) piece(item, part int64, kind llm.PartKind, v rawjson.Value) {
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if len(d.text) == from {
		return
	}
	if b := d.block(item, part, llm.Part{Kind: kind}); b != nil {
		b.length += len(d.text) - from
		d.add(llm.Delta{Kind: llm.DeltaPiece, Block: b.number, Text: d.text[from:]})
	}
}

// rest is the whole text of a part that may have come in pieces already.
func (d *deltas) rest(item, part int64, kind llm.PartKind, v rawjson.Value) {
	if b := d.blocks[[2]int64{item, part}]; b == nil || b.length == 0 {
		d.piece(item, part, kind, v)
	}
}

// thought is more of a reasoning item, whose parts are one block with paragraphs.
func (d *deltas) thought(item, para int64, v rawjson.Value) {
	if len(v.Raw()) <= len(`""`) {
		return
	}
	b := d.block(item, 0, llm.Part{Kind: llm.Reasoning, Signer: Name})
	if b == nil {
		return
	}
	if b.length > 0 && b.para != para {
		d.add(llm.Delta{Kind: llm.DeltaPiece, Block: b.number, Text: []byte(paragraph)})
	}
	b.para = para
	d.piece(item, 0, llm.Reasoning, v)
}

func (d *deltas) close(b *block) {
	if b != nil && b.open {
		b.open = false
		d.add(llm.Delta{Kind: llm.DeltaClose, Block: b.number})
	}
}

// call opens a call, which is known by name before its arguments come.
func (d *deltas) call(item int64, it rawjson.Value) {
	id, _ := it.Get("call_id")
	name, _ := it.Get("name")
	part := llm.Part{Kind: llm.ToolCall, Call: &llm.Call{}}
	part.Call.ID, _ = id.Str()
	part.Call.Name, _ = name.Str()
	d.block(item, 0, part)
}

// item reads an item that is complete: what of it did not come in pieces, what only the
// end of it says, and its closing.
func (d *deltas) item(i int64, it rawjson.Value) {
	if d.done[i] || len(d.done) >= maxBlocks {
		return
	}
	if d.done == nil {
		d.done = make(map[int64]bool)
	}
	d.done[i] = true
	switch kind, _ := it.Get("type"); {
	case kind.Is(typeMessage):
		d.message(i, it)
	case kind.Is(typeReasoning):
		d.reasoning(i, it)
	case kind.Is(typeCall):
		d.call(i, it)
		arguments, _ := it.Get("arguments")
		d.rest(i, 0, llm.ToolCall, arguments)
	default:
		d.block(i, 0, llm.Part{Kind: llm.Other, Raw: append([]byte(nil), it.Raw()...), Dialect: Name})
	}
	d.close(d.blocks[[2]int64{i, 0}])
}

func (d *deltas) message(i int64, it rawjson.Value) {
	content, _ := it.Get("content")
	var n int64
	for p := range content.Items() {
		switch kind, _ := p.Get("type"); {
		case kind.Is(typeText):
			text, _ := p.Get("text")
			fresh := d.blocks[[2]int64{i, n}] == nil
			d.rest(i, n, llm.Text, text)
			if logprobs, _ := p.Get("logprobs"); fresh {
				d.logprobs(logprobs)
			}
			notes, _ := p.Get("annotations")
			d.citations(i, n, notes)
		case kind.Is(typeRefusal):
			text, _ := p.Get("refusal")
			d.rest(i, n, llm.Refusal, text)
		}
		d.close(d.blocks[[2]int64{i, n}])
		n++
	}
}

// reasoning reads the thought of an item: its summary where there is one.
func (d *deltas) reasoning(i int64, it rawjson.Value) {
	if b := d.blocks[[2]int64{i, 0}]; b == nil || b.length == 0 {
		for _, name := range [...]string{"summary", "content"} {
			var para int64
			list, _ := it.Get(name)
			for p := range list.Items() {
				text, _ := p.Get("text")
				d.thought(i, para, text)
				para++
			}
			if d.blocks[[2]int64{i, 0}] != nil {
				break
			}
		}
	}
	var p llm.Part
	id, _ := it.Get("id")
	sealed, _ := it.Get("encrypted_content")
	name, _ := id.Str()
	encrypted, _ := sealed.Str()
	if readSealed(&p, name, encrypted); p.Signer == "" {
		return
	}
	if b := d.block(i, 0, llm.Part{Kind: llm.Reasoning, Signer: Name}); b != nil {
		d.add(llm.Delta{Kind: llm.DeltaSign, Block: b.number, Part: p})
	}
}

// logprobs puts a list of them into the object of OpenAI's chat.
func (d *deltas) logprobs(list rawjson.Value) {
	if list.Kind() != rawjson.Array || wire.NoItems(list) {
		return
	}
	raw := append([]byte(`{"content":`), list.Raw()...)
	d.add(llm.Delta{Kind: llm.DeltaLogprobs, Raw: append(raw, `,"refusal":null}`...)})
}

// citations are those of a part that did not come one by one.
func (d *deltas) citations(item, part int64, notes rawjson.Value) {
	b := d.blocks[[2]int64{item, part}]
	if b == nil {
		return
	}
	n := 0
	for note := range notes.Items() {
		if n++; n > b.notes {
			d.cite(b, note)
		}
	}
}

func (d *deltas) cite(b *block, note rawjson.Value) {
	if b == nil || note.Kind() != rawjson.Object {
		return
	}
	b.notes++
	c := readCitation(append([]byte(nil), note.Raw()...))
	d.add(llm.Delta{Kind: llm.DeltaCite, Block: b.number, Part: llm.Part{Citations: []llm.Citation{c}}})
}

// readCitation reads an annotation: of a web page, or of a file that the provider has.
func readCitation(raw []byte) llm.Citation {
	note, _ := rawjson.Lookup(raw)
	str := func(name string) string {
		v, _ := note.Get(name)
		s, _ := v.Str()
		return s
	}
	at := func(name string) int {
		v, _ := note.Get(name)
		n, _ := v.Int()
		return int(n)
	}
	c := llm.Citation{Kind: "document", Title: str("filename"), Document: -1, Raw: raw, Dialect: Name}
	if str("type") == typeURLCitation {
		c.Kind, c.URL, c.Title, c.Of = "web", str("url"), str("title"), "answer"
		c.Start, c.End = at("start_index"), at("end_index")
	}
	return c
}

// end reads the response that an answer ends with: the items that it alone tells of,
// and why it ended. ev is what the decoder made of it.
func (d *deltas) end(response rawjson.Value, ev *llm.Event) {
	output, _ := response.Get("output")
	var i int64
	for it := range output.Items() {
		d.item(i, it)
		i++
	}
	for _, b := range d.inOrder {
		d.close(b) // if the upstream did not
	}
	d.add(llm.Delta{Kind: llm.DeltaStop, Stop: readStop(response, ev.StopReason, d.called, d.refused)})
	if ev.Marks&llm.MarkUsage != 0 {
		d.add(llm.Delta{Kind: llm.DeltaUsage, Usage: ev.Usage})
	}
	d.add(llm.Delta{Kind: llm.DeltaDone})
}
