package openai

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// deltas turns the chunks of one answer into neutral words. The dialect has no
// blocks: one begins when the kind of what a choice says changes, or with a call.
type deltas struct {
	out     []llm.Delta // of the chunk at hand
	text    []byte      // unescaped, of the chunk at hand
	began   bool
	choices map[int]*choiceBlocks // bounded by maxChoices
	spoke   int                   // the choice whose text came last
	speaks  *choiceBlocks         // its blocks
}

// event reads one event that the decoder has judged.
func (d *deltas) event(ev sse.Event, out *llm.Event, last *template) []llm.Delta {
	d.out, d.text = d.out[:0], d.text[:0]
	switch {
	case out.Marks&llm.MarkComment != 0:
		d.add(llm.Delta{Kind: llm.DeltaPing})
	case out.Marks&llm.MarkDone != 0:
		d.add(llm.Delta{Kind: llm.DeltaDone})
	case out.Marks&llm.MarkUnknown != 0:
		d.add(llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
	case last.fit:
		d.more(last.within(ev.Data))
	case len(out.Raw) > 0 && &out.Raw[0] != &ev.Raw[0]: // rewritten for tools by grammar
		d.chunk(lookup(bytes.TrimPrefix(out.Raw, []byte("data: "))))
	case out.Raw != nil:
		d.chunk(lookup(ev.Data))
	}
	if out.Marks&llm.MarkUsage != 0 {
		d.add(llm.Delta{Kind: llm.DeltaUsage, Usage: out.Usage})
	}
	return d.out
}

func lookup(data []byte) rawjson.Value {
	v, _ := rawjson.Lookup(data)
	return v
}

func (d *deltas) add(delta llm.Delta) { d.out = append(d.out, delta) }

// more is another piece of the text that the chunk before had a piece of.
func (d *deltas) more(escaped []byte) {
	text := escaped
	if bytes.IndexByte(escaped, '\\') >= 0 {
		quoted := append(append(append(make([]byte, 0, len(escaped)+2), '"'), escaped...), '"')
		d.text, _ = lookup(quoted).AppendStr(d.text)
		text = d.text
	}
	d.out = append(d.out, llm.Delta{}) // filled in place: a delta is large, and this is the hot path
	piece := &d.out[len(d.out)-1]
	piece.Kind, piece.Choice, piece.Block, piece.Text = llm.DeltaPiece, d.spoke, d.speaks.open, text
}

// choiceBlocks are the blocks of one choice.
type choiceBlocks struct {
	next    int // the number of the next block
	open    int // the block that is open
	kind    llm.PartKind
	calls   map[int64]int // blocks by the call's index
	refused bool
}

// stopReasons is the table of finish_reason.
var stopReasons = map[string]llm.StopReason{
	"stop": llm.StopEnd, "length": llm.StopLength, "tool_calls": llm.StopTools, "function_call": llm.StopTools,
	"content_filter": llm.StopFilter, "eos": llm.StopEnd, "eos_token": llm.StopEnd, "stop_sequence": llm.StopSequence,
}

func readStopReason(word string, refused bool) llm.Stop {
	reason, ok := stopReasons[word]
	switch {
	case !ok:
		reason = llm.StopOther
	case refused && reason == llm.StopEnd:
		reason = llm.StopRefusal
	}
	return llm.Stop{Reason: reason, Word: word}
}

// chunk reads one chunk, or a whole answer. The result is valid until the next.
func (d *deltas) chunk(root rawjson.Value) []llm.Delta {
	if !d.began {
		d.began = true
		id, _ := root.Get("id")
		model, _ := root.Get("model")
		begin := llm.Delta{Kind: llm.DeltaBegin}
		begin.ID, _ = id.Str()
		begin.Model, _ = model.Str()
		d.out = append(d.out, begin)
	}
	choices, _ := root.Get("choices")
	for choice := range choices.Items() {
		d.choice(choice)
	}
	return d.out
}

func (d *deltas) choice(choice rawjson.Value) {
	index, _ := choice.Get("index")
	i64, _ := index.Int()
	i := int(i64)
	b := d.blocks(i)
	if b == nil {
		return
	}
	var reason rawjson.Value
	for name, v := range choice.Members() {
		switch {
		case name.Is("delta"), name.Is("message"):
			d.delta(i, b, v)
		case name.Is("text"):
			d.words(i, b, llm.Text, v)
		case name.Is("logprobs") && v.Kind() == rawjson.Object:
			d.out = append(d.out, llm.Delta{Kind: llm.DeltaLogprobs, Choice: i, Raw: v.Raw()})
		case name.Is("finish_reason"):
			reason = v
		}
	}
	if word, ok := reason.Str(); ok {
		d.close(i, b)
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaStop, Choice: i, Stop: readStopReason(word, b.refused)})
	}
}

func (d *deltas) blocks(i int) *choiceBlocks {
	b, ok := d.choices[i]
	if !ok && i >= 0 && i < maxChoices {
		if d.choices == nil {
			d.choices = make(map[int]*choiceBlocks)
		}
		b = &choiceBlocks{}
		d.choices[i] = b
	}
	return b
}

// delta reads a delta, or a whole message, in the order in which models speak:
// thought, words, calls. Messages name their fields in any order.
func (d *deltas) delta(i int, b *choiceBlocks, delta rawjson.Value) {
	var thought, details, content, refusal, notes, calls rawjson.Value
	for name, v := range delta.Members() {
		switch {
		case name.Is("content"):
			content = v
		case name.Is("refusal"):
			refusal = v
		case name.Is("reasoning_content"), name.Is("reasoning"):
			thought = v
		case name.Is("reasoning_details"):
			details = v
		case name.Is("annotations"):
			notes = v
		case name.Is("tool_calls"):
			calls = v
		}
	}
	d.words(i, b, llm.Reasoning, thought)
	d.details(i, b, details)
	d.content(i, b, content)
	d.words(i, b, llm.Refusal, refusal)
	d.citations(i, b, notes)
	for call := range calls.Items() {
		d.call(i, b, call)
	}
}

// content is text, or a list of text and thought as Mistral's reasoning models write it
// (https://docs.mistral.ai/capabilities/reasoning).
func (d *deltas) content(i int, b *choiceBlocks, v rawjson.Value) {
	if v.Kind() != rawjson.Array {
		d.words(i, b, llm.Text, v)
		return
	}
	for item := range v.Items() {
		text, _ := item.Get("text")
		d.words(i, b, llm.Text, text)
		thought, _ := item.Get("thinking")
		for piece := range thought.Items() {
			text, _ := piece.Get("text")
			d.words(i, b, llm.Reasoning, text)
		}
	}
}

// words is a piece of text. A text that has not begun begins with its first letter.
func (d *deltas) words(i int, b *choiceBlocks, kind llm.PartKind, v rawjson.Value) {
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if len(d.text) == from {
		return
	}
	d.spoke, d.speaks = i, b
	if b.kind != kind {
		d.open(i, b, llm.Part{Kind: kind})
		b.refused = b.refused || kind == llm.Refusal
	}
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaPiece, Choice: i, Block: b.open, Text: d.text[from:]})
}

func (d *deltas) open(i int, b *choiceBlocks, part llm.Part) {
	d.close(i, b)
	b.open, b.kind = b.next, part.Kind
	b.next++
	d.out = append(d.out, llm.Delta{Kind: llm.DeltaOpen, Choice: i, Block: b.open, Part: part})
}

func (d *deltas) close(i int, b *choiceBlocks) {
	if b.kind != 0 {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaClose, Choice: i, Block: b.open})
		b.kind = 0
	}
}

// call is a tool call, or a piece of its arguments. Engines send calls one behind
// the other; a piece that comes late still goes to its own block.
func (d *deltas) call(i int, b *choiceBlocks, call rawjson.Value) {
	index, ok := call.Get("index")
	n, _ := index.Int()
	if !ok {
		n = int64(len(b.calls)) // of a plain answer: each is whole
	}
	block, known := b.calls[n]
	if !known {
		if len(b.calls) >= maxChoices {
			return
		}
		id, _ := call.Get("id")
		name, _ := call.Path("function", "name")
		part := llm.Part{Kind: llm.ToolCall, Call: &llm.Call{}}
		part.Call.ID, _ = id.Str()
		part.Call.Name, _ = name.Str()
		d.open(i, b, part)
		if b.calls == nil {
			b.calls = make(map[int64]int)
		}
		block = b.open
		b.calls[n] = block
	}
	arguments, _ := call.Path("function", "arguments")
	from := len(d.text)
	if d.text, _ = arguments.AppendStr(d.text); len(d.text) > from {
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaPiece, Choice: i, Block: block, Text: d.text[from:]})
	}
}

// details are an upstream's own proofs of thought, which it wants back as they are.
func (d *deltas) details(i int, b *choiceBlocks, list rawjson.Value) {
	for item := range list.Items() {
		signature, _ := item.Get("signature")
		data, _ := item.Get("data")
		if isEmptyText(signature) && isEmptyText(data) {
			continue // its text is in reasoning, too
		}
		if b.kind != llm.Reasoning {
			d.open(i, b, llm.Part{Kind: llm.Reasoning})
		}
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaSign, Choice: i, Block: b.open,
			Part: llm.Part{Signature: string(item.Raw()), Signer: Name}})
	}
}

func isEmptyText(v rawjson.Value) bool {
	return v.Kind() != rawjson.String || len(v.Raw()) <= len(`""`)
}

func (d *deltas) citations(i int, b *choiceBlocks, list rawjson.Value) {
	for item := range list.Items() {
		kind, _ := item.Get("type")
		at, ok := item.Get("url_citation")
		if !ok || !equals(kind, "url_citation") || b.kind != llm.Text {
			continue
		}
		c := llm.Citation{Kind: "web", Document: -1, Of: "answer", Raw: append([]byte(nil), item.Raw()...), Dialect: Name}
		url, _ := at.Get("url")
		title, _ := at.Get("title")
		start, _ := at.Get("start_index")
		end, _ := at.Get("end_index")
		c.URL, _ = url.Str()
		c.Title, _ = title.Str()
		from, _ := start.Int()
		to, _ := end.Int()
		c.Start, c.End = int(from), int(to)
		d.out = append(d.out, llm.Delta{Kind: llm.DeltaCite, Choice: i, Block: b.open, Part: llm.Part{Citations: []llm.Citation{c}}})
	}
}
