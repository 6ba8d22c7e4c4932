package gemini

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// deltas turns the chunks of one answer into neutral words. The dialect has no
// blocks: one begins when the kind of what a candidate says changes, or with a call,
// which comes whole.
type deltas struct {
	request string // its id, for calls that have none
	out     []llm.Delta
	text    []byte // unescaped, of the chunk at hand
	began   bool
	choices [maxCandidates]*choiceBlocks
	calls   int
}

// choiceBlocks are the blocks of one candidate.
type choiceBlocks struct {
	next   int // the number of the next block
	open   int // the block that is open
	kind   llm.PartKind
	called bool
	cited  map[citeKey]bool
	said   []byte // visible text so far, to count its characters
}

// maxSaid bounds the text that is kept of an answer; citations of what comes behind it
// do not say where.
const maxSaid = 1 << 20

// maxCited bounds the citations of an answer.
const maxCited = 1 << 10

// begin empties what the last chunk left.
func (d *deltas) begin() { d.out, d.text = d.out[:0], d.text[:0] }

func (d *deltas) add(delta llm.Delta) { d.out = append(d.out, delta) }

// stopReasons is the table of finishReason, and of blockReason for prompts.
var stopReasons = map[string]llm.StopReason{
	"STOP": llm.StopEnd, "MAX_TOKENS": llm.StopLength, "CONTINUATION": llm.StopPause,
	"SAFETY": llm.StopFilter, "RECITATION": llm.StopFilter, "BLOCKLIST": llm.StopFilter, "PROHIBITED_CONTENT": llm.StopFilter,
	"SPII": llm.StopFilter, "IMAGE_SAFETY": llm.StopFilter, "IMAGE_PROHIBITED_CONTENT": llm.StopFilter,
	"IMAGE_RECITATION": llm.StopFilter, "MODEL_ARMOR": llm.StopFilter, "JAILBREAK": llm.StopFilter,
}

func readStopReason(word string, called bool) llm.Stop {
	reason, ok := stopReasons[word]
	switch {
	case !ok:
		reason = llm.StopOther // LANGUAGE, MALFORMED_FUNCTION_CALL, … and what is yet to come
	case called && reason == llm.StopEnd:
		reason = llm.StopTools
	}
	return llm.Stop{Reason: reason, Word: word}
}

// chunk reads one chunk, or a whole answer.
func (d *deltas) chunk(root getter) {
	if !d.began {
		d.began = true
		id, _ := root.Get("responseId")
		model, _ := root.Get("modelVersion")
		first := llm.Delta{Kind: llm.DeltaBegin}
		first.ID, _ = id.Str()
		first.Model, _ = model.Str()
		d.add(first)
	}
	candidates, _ := root.Get("candidates")
	for c := range candidates.Items() {
		d.candidate(c)
	}
	if reason, ok := blocked(root); ok {
		d.add(llm.Delta{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopFilter, Word: reason}})
	}
}

// getter is an object: a document, which has its fields at hand, or a value.
type getter interface {
	Get(name string) (rawjson.Value, bool)
}

// blocked finds why a prompt was not answered: then there are no candidates.
func blocked(root getter) (reason string, ok bool) {
	feedback, ok := root.Get("promptFeedback")
	if !ok {
		return "", false
	}
	v, _ := feedback.Get("blockReason")
	if reason, ok = v.Str(); !ok || reason == "" || reason == "BLOCK_REASON_UNSPECIFIED" {
		return "", false
	}
	candidates, _ := root.Get("candidates")
	return reason, wire.NoItems(candidates)
}

// usage tells what was used so far.
func (d *deltas) usage(t money.Tokens) { d.add(llm.Delta{Kind: llm.DeltaUsage, Usage: t}) }

func indexOf(candidate rawjson.Value) int {
	v, _ := candidate.Get("index")
	i, _ := v.Int()
	if i < 0 || i >= maxCandidates {
		return -1
	}
	return int(i)
}

func (d *deltas) candidate(c rawjson.Value) {
	i := indexOf(c)
	if i < 0 {
		return
	}
	if d.choices[i] == nil {
		d.choices[i] = &choiceBlocks{}
	}
	b := d.choices[i]
	parts, _ := c.Path("content", "parts")
	for p := range parts.Items() {
		d.part(i, b, p)
	}
	d.citations(i, b, c)
	if v, ok := c.Get("logprobsResult"); ok && v.Kind() == rawjson.Object {
		d.add(llm.Delta{Kind: llm.DeltaLogprobs, Choice: i, Raw: readLogprobs(v)})
	}
	if word, ok := finishReason(c); ok {
		d.close(i, b)
		d.add(llm.Delta{Kind: llm.DeltaStop, Choice: i, Stop: readStopReason(word, b.called)})
	}
}

// finishReason is why a candidate ended, once it has.
func finishReason(candidate rawjson.Value) (word string, ok bool) {
	v, _ := candidate.Get("finishReason")
	word, ok = v.Str()
	return word, ok && word != "" && word != "FINISH_REASON_UNSPECIFIED"
}

// part reads one part. The signature of a text stands behind it as a thought without
// words: other dialects sign thoughts alone.
func (d *deltas) part(i int, b *choiceBlocks, p rawjson.Value) {
	f := partFields(p)
	switch {
	case f.call.Kind() == rawjson.Object:
		d.call(i, b, f)
		return
	case f.text.Kind() == rawjson.String:
		kind := llm.Text
		if f.thought {
			kind = llm.Reasoning
		}
		d.words(i, b, kind, f.text)
	case f.inline.Kind() == rawjson.Object:
		d.whole(i, b, readInline(f.inline))
	case f.other:
		d.whole(i, b, llm.Part{Kind: llm.Other, Raw: append([]byte(nil), p.Raw()...), Dialect: Name})
	}
	if signature, ok := f.signature.Str(); ok && signature != "" {
		if b.kind != llm.Reasoning {
			d.open(i, b, llm.Part{Kind: llm.Reasoning})
		}
		d.sign(i, b, signature)
		d.close(i, b)
	}
}

func (d *deltas) sign(i int, b *choiceBlocks, signature string) {
	d.add(llm.Delta{Kind: llm.DeltaSign, Choice: i, Block: b.open, Part: llm.Part{Signature: signature, Signer: Name}})
}

// fields are those of a part.
type fields struct {
	text, call, inline, signature rawjson.Value
	thought, other                bool
}

func partFields(p rawjson.Value) (f fields) {
	for name, v := range p.Members() {
		switch {
		case name.Is("text"):
			f.text = v
		case name.Is("thought"):
			f.thought, _ = v.Bool()
		case name.Is("functionCall"):
			f.call = v
		case name.Is("inlineData"):
			f.inline = v
		case name.Is("thoughtSignature"):
			f.signature = v
		default:
			f.other = true
		}
	}
	return f
}

func readInline(v rawjson.Value) llm.Part {
	mime, _ := v.Get("mimeType")
	data, _ := v.Get("data")
	m := &llm.Media{}
	m.MIME, _ = mime.Str()
	m.Base64, _ = data.Str()
	return llm.Part{Kind: kindOfMedia(m.MIME), Media: m}
}

// words is a piece of text. A text that has not begun begins with its first letter.
func (d *deltas) words(i int, b *choiceBlocks, kind llm.PartKind, v rawjson.Value) {
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if len(d.text) == from {
		return
	}
	if b.kind != kind {
		d.open(i, b, llm.Part{Kind: kind})
	}
	text := d.text[from:]
	if kind == llm.Text && len(b.said) < maxSaid {
		b.said = append(b.said, text...)
	}
	d.add(llm.Delta{Kind: llm.DeltaPiece, Choice: i, Block: b.open, Text: text})
}

func (d *deltas) open(i int, b *choiceBlocks, part llm.Part) {
	d.close(i, b)
	b.open, b.kind = b.next, part.Kind
	b.next++
	d.add(llm.Delta{Kind: llm.DeltaOpen, Choice: i, Block: b.open, Part: part})
}

func (d *deltas) close(i int, b *choiceBlocks) {
	if b.kind != 0 {
		d.add(llm.Delta{Kind: llm.DeltaClose, Choice: i, Block: b.open})
		b.kind = 0
	}
}

// whole is a part that comes in one piece.
func (d *deltas) whole(i int, b *choiceBlocks, part llm.Part) {
	d.open(i, b, part)
	d.close(i, b)
}

// call is a tool call. Its signature comes before its arguments, for dialects that
// tell of it before the call.
func (d *deltas) call(i int, b *choiceBlocks, f fields) {
	var call llm.Call
	var args rawjson.Value
	for name, v := range f.call.Members() {
		switch {
		case name.Is("id"):
			call.ID, _ = v.Str()
		case name.Is("name"):
			call.Name, _ = v.Str()
		case name.Is("args"):
			args = v
		}
	}
	if call.ID == "" {
		call.ID = "call_" + d.request + "_" + strconv.Itoa(d.calls)
	}
	d.calls++
	b.called = true
	d.open(i, b, llm.Part{Kind: llm.ToolCall, Call: &call})
	if signature, ok := f.signature.Str(); ok && signature != "" {
		d.sign(i, b, signature)
	}
	text := []byte("{}")
	if args.Kind() == rawjson.Object {
		from := len(d.text)
		d.text = append(d.text, args.Raw()...)
		text = d.text[from:]
	}
	d.add(llm.Delta{Kind: llm.DeltaPiece, Choice: i, Block: b.open, Text: text})
	d.close(i, b)
}
