package ollama

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Writer writes a streamed answer as lines of this dialect.
//
// Two things wait: a tool call until its arguments are whole, as the dialect has them
// as an object only, and the stop until the end, as it rides with the usage.
type Writer struct {
	req  *llm.Request
	head []byte // of every line, up to what it says

	blocks map[int]llm.PartKind
	calls  []*heldCall
	sent   int // calls so far

	stop    llm.Stop
	usage   money.Tokens
	counted bool
	done    bool
	lost    llm.Losses
}

// heldCall is a call whose arguments still come.
type heldCall struct {
	block     int
	call      llm.Call
	arguments []byte
	sent      bool
}

// maxHeld bounds the calls of an answer, their arguments, and its blocks.
const (
	maxHeld      = 1 << 10
	maxArguments = 4 << 20
)

// NewWriter begins the answer to req.
func NewWriter(req *llm.Request) *Writer {
	return &Writer{req: req, blocks: map[int]llm.PartKind{}, head: appendHead(nil, req, "")}
}

// Lost is what could not be shown.
func (w *Writer) Lost() llm.Losses { return w.lost }

// Append writes the line of a delta, if it has one. Pings have none: this dialect
// knows no comments, and its clients take every line for an object.
func (w *Writer) Append(dst []byte, d *llm.Delta) []byte {
	if d.Choice > 0 {
		w.lost.Add(llm.FieldN)
		return dst
	}
	switch d.Kind {
	case llm.DeltaBegin:
		w.head = appendHead(w.head[:0], w.req, d.Model)
	case llm.DeltaOpen:
		return w.open(dst, d)
	case llm.DeltaPiece:
		return w.piece(dst, d)
	case llm.DeltaClose:
		return w.close(dst, d.Block)
	case llm.DeltaSign:
		w.lost.Add(llm.FieldSignature)
	case llm.DeltaCite:
		w.lost.Add(llm.FieldCitations)
	case llm.DeltaLogprobs:
		if list := writeLogprobs(d.Raw); list != nil {
			dst = rawjson.AppendLine(append(w.line(dst, "", nil), `,"logprobs":`...), list)
			return append(dst, "}\n"...)
		}
	case llm.DeltaStop:
		w.stop = d.Stop
		return w.flush(dst)
	case llm.DeltaUsage:
		w.usage, w.counted = d.Usage, true
	case llm.DeltaDone:
		return w.End(dst)
	}
	return dst
}

// End writes the last line, once.
func (w *Writer) End(dst []byte) []byte {
	if w.done {
		return dst
	}
	w.done = true
	dst = append(w.flush(dst), w.head...)
	if w.req.Surface == llm.Completions {
		dst = append(dst, `,"response":""`...)
	} else {
		dst = append(dst, `,"message":{"role":"assistant","content":""}`...)
	}
	return append(appendDone(dst, w.stop, w.usage, w.counted), "}\n"...)
}

// Fail writes the line that tells of an error.
func (w *Writer) Fail(dst []byte, e *llm.Error) []byte { return AppendFailure(dst, e) }

func (w *Writer) open(dst []byte, d *llm.Delta) []byte {
	if len(w.blocks) >= maxHeld {
		w.lost.Add(llm.FieldOther)
		return dst
	}
	w.blocks[d.Block] = d.Part.Kind
	switch d.Part.Kind {
	case llm.Text, llm.Refusal, llm.Reasoning:
	case llm.ToolCall:
		w.calls = append(w.calls, &heldCall{block: d.Block, call: *d.Part.Call})
	case llm.Image:
		if d.Part.Media.Base64 != "" && w.req.Surface == llm.Chat {
			dst = append(append(dst, w.head...), `,"message":{"role":"assistant","content":"","images":[`...)
			return append(rawjson.AppendString(dst, d.Part.Media.Base64), "]},\"done\":false}\n"...)
		}
		w.lost.Add(llm.FieldImage)
	default:
		w.lost.Add(llm.FieldOther)
	}
	return dst
}

func (w *Writer) piece(dst []byte, d *llm.Delta) []byte {
	switch w.blocks[d.Block] {
	case llm.Text, llm.Refusal:
		return append(w.line(dst, "content", d.Text), "}\n"...)
	case llm.Reasoning:
		return append(w.line(dst, "thinking", d.Text), "}\n"...)
	case llm.ToolCall:
		c := w.held(d.Block)
		if c == nil {
			return dst
		}
		if len(c.arguments)+len(d.Text) > maxArguments {
			w.lost.Add(llm.FieldOther)
			return dst
		}
		c.arguments = append(c.arguments, d.Text...)
	}
	return dst
}

// close forgets a block, but for a call that is not whole: pieces of parallel calls may
// come late.
func (w *Writer) close(dst []byte, block int) []byte {
	if w.blocks[block] != llm.ToolCall {
		delete(w.blocks, block)
		return dst
	}
	if c := w.held(block); c != nil && isWhole(c.arguments) {
		return w.call(dst, c)
	}
	return dst
}

// line writes a line that carries a piece of text, up to its last brace.
func (w *Writer) line(dst []byte, field string, text []byte) []byte {
	dst = append(dst, w.head...)
	switch {
	case w.req.Surface == llm.Completions && field == "thinking":
		dst = rawjson.AppendBytes(append(dst, `,"response":"","thinking":`...), text)
	case w.req.Surface == llm.Completions:
		dst = rawjson.AppendBytes(append(dst, `,"response":`...), text)
	case field == "thinking":
		dst = rawjson.AppendBytes(append(dst, `,"message":{"role":"assistant","content":"","thinking":`...), text)
		dst = append(dst, '}')
	default:
		dst = rawjson.AppendBytes(append(dst, `,"message":{"role":"assistant","content":`...), text)
		dst = append(dst, '}')
	}
	return append(dst, `,"done":false`...)
}

// held is the call of a block that was not written yet.
func (w *Writer) held(block int) *heldCall {
	for _, c := range w.calls {
		if c.block == block && !c.sent {
			return c
		}
	}
	return nil
}

// flush writes the calls that are still held: their arguments end here.
func (w *Writer) flush(dst []byte) []byte {
	for _, c := range w.calls {
		if !c.sent {
			dst = w.call(dst, c)
		}
	}
	return dst
}

func (w *Writer) call(dst []byte, c *heldCall) []byte {
	c.sent = true
	id := c.call.ID
	if id == "" {
		id = "call_" + w.req.ID + "_" + strconv.Itoa(w.sent)
	}
	arguments := object(c.call.Arguments + string(c.arguments))
	c.arguments = nil
	if w.req.Surface != llm.Chat {
		w.lost.Add(llm.FieldOther)
		return dst
	}
	dst = append(append(dst, w.head...), `,"message":{"role":"assistant","content":"","tool_calls":[{"id":`...)
	dst = append(rawjson.AppendString(dst, id), `,"function":{"index":`...)
	dst = strconv.AppendInt(dst, int64(w.sent), 10)
	dst = rawjson.AppendString(append(dst, `,"name":`...), c.call.Name)
	dst = rawjson.AppendLine(append(dst, `,"arguments":`...), arguments)
	w.sent++
	return append(dst, "}}]},\"done\":false}\n"...)
}

// isWhole reports whether arguments are all there: nothing can follow an object.
func isWhole(arguments []byte) bool {
	doc, err := rawjson.Check(arguments, answerLimits)
	return err == nil && doc.Root().Kind() == rawjson.Object
}
