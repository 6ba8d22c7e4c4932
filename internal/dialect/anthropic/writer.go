package anthropic

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Writer writes a streamed answer as events of this dialect. Its blocks stand one
// behind the other, so one that opens ends the one before; a piece that comes for an
// earlier one still goes out, under that one's index.
type Writer struct {
	req    *llm.Request
	blocks map[int]*shownBlock // by the deltas' numbers
	last   *shownBlock         // the newest, whose end may be due
	next   int                 // the next index
	calls  int
	text   int // bytes

	begun, ended, done bool
	stop               *llm.Stop
	usage              money.Tokens
	counted            bool
	lost               llm.Losses
}

// shownBlock is what a block looks like here. A thought is written once it says
// something: it may be one that only its provider can read, which is another block.
type shownBlock struct {
	kind             llm.PartKind
	index            int
	started, stopped bool
	hidden           bool // nothing of it can be shown
	// What proves the thought, or signs a call. It is sent whole, since clients put the
	// pieces of a stream together in different ways.
	signature, redacted, signer string
}

// maxShown bounds the blocks of an answer, and maxProof what is held of a proof.
const (
	maxShown = 1 << 12
	maxProof = 1 << 20
)

// NewWriter begins the answer to req.
func NewWriter(req *llm.Request) *Writer {
	return &Writer{req: req, blocks: map[int]*shownBlock{}}
}

// Lost is what could not be shown.
func (w *Writer) Lost() llm.Losses { return w.lost }

// Append writes the events of a delta.
func (w *Writer) Append(dst []byte, d *llm.Delta) []byte {
	switch {
	case w.done:
		return dst
	case d.Choice > 0: // the dialect has one answer to a request
		w.lost.Add(llm.FieldN)
		return dst
	}
	switch d.Kind {
	case llm.DeltaBegin:
		return w.begin(dst, d.ID, d.Model)
	case llm.DeltaOpen:
		return w.open(w.begin(dst, "", ""), d)
	case llm.DeltaPiece:
		return w.piece(dst, d)
	case llm.DeltaSign:
		return w.sign(dst, d)
	case llm.DeltaCite:
		return w.cite(dst, d)
	case llm.DeltaClose:
		if b := w.blocks[d.Block]; b != nil {
			return w.finish(dst, b)
		}
	case llm.DeltaLogprobs:
		w.lost.Add(llm.FieldLogprobs)
	case llm.DeltaStop:
		stop := d.Stop
		w.stop = &stop
		return w.finish(dst, w.last)
	case llm.DeltaUsage:
		return w.count(dst, d.Usage)
	case llm.DeltaDone:
		return w.End(dst)
	case llm.DeltaPing:
		return append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
	}
	return dst
}

// begin writes message_start, once. The input's count is an estimate there: clients
// show it, and the true one comes with the end.
func (w *Writer) begin(dst []byte, id, model string) []byte {
	if w.begun {
		return dst
	}
	w.begun = true
	usage := w.usage
	if !w.counted {
		usage = money.Tokens{Input: w.req.PromptTokens(), Output: 1}
	}
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = appendHead(dst, w.req, id, model)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":`...)
	return append(appendUsage(dst, usage), "}}\n\n"...)
}

func (w *Writer) open(dst []byte, d *llm.Delta) []byte {
	dst = w.finish(dst, w.last)
	if len(w.blocks) >= maxShown {
		w.lost.Add(llm.FieldOther)
		return dst
	}
	p := &d.Part
	b := &shownBlock{kind: p.Kind}
	w.blocks[d.Block], w.last = b, b
	switch p.Kind {
	case llm.Text, llm.Refusal:
		return w.start(dst, b, `{"type":"text","text":""}`)
	case llm.Reasoning:
		b.signature, b.redacted, b.signer = p.Signature, p.Redacted, p.Signer
	case llm.ToolCall:
		if p.Signature != "" {
			dst = w.proof(dst, "thinking", llm.CarrySignature(Name, p.Signer, p.Signature))
		}
		id := shownID(w.req, p.Call.ID, w.calls)
		w.calls++
		head := rawjson.AppendString([]byte(`{"type":"tool_use","id":`), id)
		head = rawjson.AppendString(append(head, `,"name":`...), p.Call.Name)
		return w.start(dst, b, string(append(head, `,"input":{}}`...)))
	default:
		if p.Kind == llm.Other && p.Dialect == Name {
			return w.start(dst, b, string(rawjson.AppendLine(nil, p.Raw)))
		}
		b.hidden = true
		w.lost.Add(llm.FieldOther)
	}
	return dst
}

// start writes the beginning of a block.
func (w *Writer) start(dst []byte, b *shownBlock, block string) []byte {
	b.started, b.index = true, w.next
	w.next++
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(b.index), 10)
	return append(append(append(dst, `,"content_block":`...), block...), "}\n\n"...)
}

// pieceFields are the deltas that carry the pieces of a block.
var pieceFields = map[llm.PartKind]string{
	llm.Text: `{"type":"text_delta","text":`, llm.Refusal: `{"type":"text_delta","text":`,
	llm.Reasoning: `{"type":"thinking_delta","thinking":`, llm.ToolCall: `{"type":"input_json_delta","partial_json":`,
}

func (w *Writer) piece(dst []byte, d *llm.Delta) []byte {
	b := w.blocks[d.Block]
	if b == nil || b.hidden || b.stopped && !b.started {
		return dst
	}
	field, ok := pieceFields[b.kind]
	if !ok {
		return dst
	}
	w.text += len(d.Text)
	dst = w.startThought(dst, b)
	dst = rawjson.AppendBytes(append(w.delta(dst, b), field...), d.Text)
	return append(dst, "}}\n\n"...)
}

const thoughtHead = `{"type":"thinking","thinking":"","signature":""}`

func (w *Writer) startThought(dst []byte, b *shownBlock) []byte {
	if b.started {
		return dst
	}
	return w.start(dst, b, thoughtHead)
}

// delta writes an event of a block up to what it adds.
func (w *Writer) delta(dst []byte, b *shownBlock) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(b.index), 10), `,"delta":`...)
}

// sign holds a proof until its block ends.
func (w *Writer) sign(dst []byte, d *llm.Delta) []byte {
	b := w.blocks[d.Block]
	if b == nil || b.hidden || b.stopped && b.kind == llm.Reasoning || len(b.signature)+len(b.redacted)+len(d.Part.Signature)+len(d.Part.Redacted) > maxProof {
		w.lost.Add(llm.FieldSignature)
		return dst
	}
	b.signature += d.Part.Signature
	b.redacted += d.Part.Redacted
	b.signer = d.Part.Signer
	if b.stopped {
		return w.signedBefore(dst, b)
	}
	return dst
}

func (w *Writer) cite(dst []byte, d *llm.Delta) []byte {
	b := w.blocks[d.Block]
	for i := range d.Part.Citations {
		c, ok := writeCitation(&d.Part.Citations[i])
		if !ok || b == nil || b.kind != llm.Text {
			w.lost.Add(llm.FieldCitations)
			continue
		}
		dst = append(append(w.delta(dst, b), `{"type":"citations_delta","citation":`...), c...)
		dst = append(dst, "}}\n\n"...)
	}
	return dst
}

// finish writes the end of a block, once, with what proves it.
func (w *Writer) finish(dst []byte, b *shownBlock) []byte {
	if b == nil || b.stopped {
		return dst
	}
	b.stopped = true
	if b.kind == llm.Reasoning && b.signature != "" {
		dst = w.startThought(dst, b)
		dst = append(w.delta(dst, b), `{"type":"signature_delta","signature":`...)
		dst = rawjson.AppendString(dst, llm.CarrySignature(Name, b.signer, b.signature))
		dst = append(dst, "}}\n\n"...)
		b.signature = ""
	}
	if b.started {
		dst = w.end(dst, b)
	}
	return w.signedBefore(dst, b)
}

func (w *Writer) end(dst []byte, b *shownBlock) []byte {
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(b.index), 10), "}\n\n"...)
}

// signedBefore writes a proof of the block before it in a block of its own: thought
// that only its provider can read, or the signature of a call that came behind it.
func (w *Writer) signedBefore(dst []byte, b *shownBlock) []byte {
	for _, proof := range [...]*string{&b.signature, &b.redacted} {
		if *proof != "" {
			dst = w.proof(dst, "redacted_thinking", llm.CarrySignature(Name, b.signer, *proof))
			*proof = ""
		}
	}
	return dst
}

// proof writes a block that is nothing but a proof.
func (w *Writer) proof(dst []byte, kind, carried string) []byte {
	var b shownBlock
	if kind == "thinking" {
		dst = w.start(dst, &b, thoughtHead)
		dst = append(w.delta(dst, &b), `{"type":"signature_delta","signature":`...)
		dst = append(rawjson.AppendString(dst, carried), "}}\n\n"...)
	} else {
		head := rawjson.AppendString([]byte(`{"type":"redacted_thinking","data":`), carried)
		dst = w.start(dst, &b, string(append(head, '}')))
	}
	return w.end(dst, &b)
}

// count takes the upstream's counts. With the stop reason they make the message_delta;
// better ones that come later make another.
func (w *Writer) count(dst []byte, t money.Tokens) []byte {
	if w.ended && t == w.usage {
		return dst
	}
	w.usage, w.counted = t, true
	if w.stop == nil {
		return dst
	}
	return w.messageDelta(dst)
}

func (w *Writer) messageDelta(dst []byte) []byte {
	w.ended = true
	if w.stop == nil {
		w.stop = &llm.Stop{Reason: llm.StopEnd}
	}
	usage := w.usage
	if !w.counted {
		usage = estimate(w.req, w.text)
	}
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	dst = appendStop(dst, *w.stop, w.calls > 0)
	dst = appendUsage(append(dst, `},"usage":`...), usage)
	return append(dst, "}\n\n"...)
}

// End writes what is still due of a complete answer, once.
func (w *Writer) End(dst []byte) []byte {
	if w.done {
		return dst
	}
	dst = w.finish(w.begin(dst, "", ""), w.last)
	if !w.ended {
		dst = w.messageDelta(dst)
	}
	w.done = true
	return append(dst, messageStop...)
}

// Fail writes the error event. Nothing follows it.
func (w *Writer) Fail(dst []byte, e *llm.Error) []byte {
	w.done = true
	return AppendFailure(dst, e)
}
