package bedrock

import (
	"encoding/base64"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// The bounds of what a stream may make its decoder hold.
const (
	maxBlocks    = 1 << 10
	maxSignature = 4 << 20
)

// StreamDecoder reads the events of one streamed answer. It is used once, by one goroutine.
type StreamDecoder struct {
	translate bool
	doc       rawjson.Doc // of the event at hand
	out       []llm.Delta // of the event at hand
	text      []byte      // unescaped, of the event at hand

	began   bool
	stopped bool
	blocks  map[int64]*streamBlock // by contentBlockIndex
	next    int                    // the number of the next block
}

// streamBlock is a block that began. The proof of a thought is told of whole, when the block ends.
type streamBlock struct {
	number    int
	kind      llm.PartKind
	closed    bool
	signature string
	redacted  []string
	held      int
}

// NewStream starts the decoder of the answer to a request.
func NewStream(_ *llm.Request, opt llm.Options) *StreamDecoder {
	return &StreamDecoder{translate: opt.Translate, blocks: map[int64]*streamBlock{}}
}

// Complete reports whether the answer has its stop reason.
func (d *StreamDecoder) Complete() bool { return d.stopped }

// End is nothing: no client speaks this dialect.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is nothing: no client speaks this dialect.
func (d *StreamDecoder) Fail(*llm.Error) []byte { return nil }

// Next reads one event. The error is an *llm.Error.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	d.out, d.text = d.out[:0], d.text[:0]
	if name, ok := strings.CutPrefix(ev.Name, sse.Exception); ok {
		return out, exception(name, ev.Data)
	}
	read, ok := readers[ev.Name]
	if !ok {
		out.Marks = llm.MarkUnknown
		d.add(llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Data})
	} else {
		if err := d.doc.Reset(ev.Data, answerLimits); err != nil || d.doc.Root().Kind() != rawjson.Object {
			return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
		}
		d.begin()
		read(d, d.doc.Root(), &out)
	}
	if d.translate {
		out.Deltas = d.out
	}
	return out, nil
}

// readers are what is done with the events that are known.
var readers = map[string]func(*StreamDecoder, rawjson.Value, *llm.Event){
	"messageStart":      func(_ *StreamDecoder, _ rawjson.Value, out *llm.Event) { out.Marks = llm.MarkStart },
	"contentBlockStart": (*StreamDecoder).blockStart,
	"contentBlockDelta": (*StreamDecoder).blockDelta,
	"contentBlockStop":  (*StreamDecoder).blockStop,
	"messageStop":       (*StreamDecoder).messageStop,
	"metadata":          (*StreamDecoder).metadata,
}

func (d *StreamDecoder) add(delta llm.Delta) { d.out = append(d.out, delta) }

func (d *StreamDecoder) begin() {
	if !d.began {
		d.began = true
		d.add(llm.Delta{Kind: llm.DeltaBegin})
	}
}

func index(root rawjson.Value) int64 {
	v, _ := root.Get("contentBlockIndex")
	n, _ := v.Int()
	return n
}

// open finds a block, or begins it. Only blocks of calls have a start of their own.
func (d *StreamDecoder) open(i int64, part llm.Part) *streamBlock {
	if b, ok := d.blocks[i]; ok {
		return b
	}
	if len(d.blocks) >= maxBlocks {
		return nil
	}
	b := &streamBlock{number: d.next, kind: part.Kind}
	d.blocks[i] = b
	d.next++
	d.add(llm.Delta{Kind: llm.DeltaOpen, Block: b.number, Part: part})
	return b
}

func (d *StreamDecoder) blockStart(root rawjson.Value, out *llm.Event) {
	start, _ := root.Get("start")
	use, ok := start.Get("toolUse")
	if kind, _ := use.Get("type"); !ok || kind.Kind() == rawjson.String {
		out.Marks = llm.MarkStart // a text's start is empty; a server's own tools are shown to nobody else
		if !wire.NoMembers(start) {
			out.Marks = llm.MarkUnknown
			d.open(index(root), llm.Part{Kind: llm.Other, Raw: append([]byte(nil), start.Raw()...), Dialect: Name})
		}
		return
	}
	call := &llm.Call{}
	id, _ := use.Get("toolUseId")
	name, _ := use.Get("name")
	call.ID, _ = id.Str()
	call.Name, _ = name.Str()
	out.Marks, out.TextBytes = llm.MarkTool, len(call.Name)
	d.open(index(root), llm.Part{Kind: llm.ToolCall, Call: call})
}

func (d *StreamDecoder) blockDelta(root rawjson.Value, out *llm.Event) {
	i := index(root)
	delta, _ := root.Get("delta")
	for name, v := range delta.Members() {
		switch {
		case name.Is("text"):
			d.piece(i, llm.Text, v, llm.MarkContent, out)
		case name.Is("toolUse"):
			input, _ := v.Get("input")
			d.piece(i, llm.ToolCall, input, llm.MarkTool, out)
		case name.Is("reasoningContent"):
			d.reasoning(i, v, out)
		case name.Is("citation"):
			if b := d.open(i, llm.Part{Kind: llm.Text}); b != nil {
				d.add(llm.Delta{Kind: llm.DeltaCite, Block: b.number, Part: llm.Part{Citations: []llm.Citation{readCitation(v)}}})
			}
			out.Marks |= llm.MarkContent
		default:
			out.Marks |= llm.MarkUnknown
			d.add(llm.Delta{Kind: llm.DeltaForeign, Raw: root.Raw()})
		}
	}
}

// piece is more of a block's text.
func (d *StreamDecoder) piece(i int64, kind llm.PartKind, v rawjson.Value, mark llm.Mark, out *llm.Event) {
	from := len(d.text)
	d.text, _ = v.AppendStr(d.text)
	if len(d.text) == from {
		return
	}
	out.Marks |= mark
	out.TextBytes += len(d.text) - from
	part := llm.Part{Kind: kind}
	if kind == llm.ToolCall {
		part.Call = &llm.Call{} // its start was lost
	}
	if b := d.open(i, part); b != nil && b.kind == kind && !b.closed {
		d.add(llm.Delta{Kind: llm.DeltaPiece, Block: b.number, Text: d.text[from:]})
	}
}

func (d *StreamDecoder) reasoning(i int64, v rawjson.Value, out *llm.Event) {
	out.Marks |= llm.MarkReasoning
	for name, v := range v.Members() {
		switch {
		case name.Is("text"):
			d.piece(i, llm.Reasoning, v, llm.MarkReasoning, out)
		case name.Is("signature"), name.Is("redactedContent"):
			b := d.open(i, llm.Part{Kind: llm.Reasoning})
			text, _ := v.Str()
			if b == nil || b.held+len(text) > maxSignature {
				continue
			}
			b.held += len(text)
			if name.Is("signature") {
				b.signature += text
			} else {
				b.redacted = append(b.redacted, text)
			}
		}
	}
}

func (d *StreamDecoder) blockStop(root rawjson.Value, _ *llm.Event) {
	if b, ok := d.blocks[index(root)]; ok {
		d.close(b)
	}
}

func (d *StreamDecoder) close(b *streamBlock) {
	if b.closed {
		return
	}
	b.closed = true
	if b.held > 0 {
		d.add(llm.Delta{Kind: llm.DeltaSign, Block: b.number, Part: llm.Part{Signature: b.signature, Redacted: join(b.redacted), Signer: Name}})
	}
	d.add(llm.Delta{Kind: llm.DeltaClose, Block: b.number})
}

// join puts pieces of bytes together that came each in base64.
func join(pieces []string) string {
	if len(pieces) < 2 {
		return strings.Join(pieces, "")
	}
	var all []byte
	for _, p := range pieces {
		raw, err := base64.StdEncoding.DecodeString(p)
		if err != nil {
			return strings.Join(pieces, "")
		}
		all = append(all, raw...)
	}
	return base64.StdEncoding.EncodeToString(all)
}

func (d *StreamDecoder) messageStop(root rawjson.Value, out *llm.Event) {
	stop := readStop(root)
	if stop.Word == "" || d.stopped {
		out.Marks = llm.MarkUnknown
		return
	}
	d.stopped = true
	out.Marks, out.StopReason = llm.MarkStop, stop.Word
	for n := range d.next { // those that were not closed, in their order
		for _, b := range d.blocks {
			if b.number == n {
				d.close(b)
			}
		}
	}
	d.add(llm.Delta{Kind: llm.DeltaStop, Stop: stop})
}

// metadata is the last event.
func (d *StreamDecoder) metadata(root rawjson.Value, out *llm.Event) {
	if usage, ok := root.Get("usage"); ok && usage.Kind() == rawjson.Object {
		if tokens, err := Usage(usage); err == nil { // contradictory counts are as good as none
			out.Marks |= llm.MarkUsage | llm.MarkUsageOnly
			out.Usage = tokens
			d.add(llm.Delta{Kind: llm.DeltaUsage, Usage: tokens})
		}
	}
	if d.stopped {
		out.Marks = out.Marks&^llm.MarkUsageOnly | llm.MarkDone
		d.add(llm.Delta{Kind: llm.DeltaDone})
	}
}
