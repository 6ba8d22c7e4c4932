package gemini

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Writer writes a streamed answer as chunks of this dialect: events, or the elements
// of an array where the client asked for that.
//
// A call of a function stands in one part here, so its arguments are held until they
// are whole. The last chunk has the finishReason and the usage, so the former waits
// for the latter.
type Writer struct {
	req     *llm.Request
	frame   framing
	id      string
	model   string
	choices map[int]*shownChoice
	usage   money.Tokens
	counted bool
	lost    llm.Losses
}

// shownChoice is a candidate as it is written.
type shownChoice struct {
	candidateWriter
	blocks map[int]*shownBlock // those that may yet get something
	held   []*shownBlock       // calls that were not yet shown, in their order
	stop   *llm.Stop
	ended  bool // its last chunk was written
}

type shownBlock struct {
	number int
	part   llm.Part
	args   []byte
}

// maxArguments bounds the arguments that are held of a call; longer ones are broken.
// maxOpen bounds the blocks of a candidate that are.
const (
	maxArguments = 16 << 20
	maxOpen      = 1 << 12
)

// NewWriter begins the answer to req.
func NewWriter(req *llm.Request) *Writer {
	return &Writer{req: req, frame: framing{array: req.Array}, choices: map[int]*shownChoice{}}
}

// Lost is what could not be shown.
func (w *Writer) Lost() llm.Losses { return w.lost }

// Append writes the chunk of a delta. Pings have no form here that all of Google's
// SDKs would take.
func (w *Writer) Append(dst []byte, d *llm.Delta) []byte {
	if w.frame.ended {
		return dst
	}
	switch d.Kind {
	case llm.DeltaBegin:
		w.id, w.model = d.ID, d.Model
		return dst
	case llm.DeltaUsage:
		w.usage, w.counted = d.Usage, true
		return w.finish(dst)
	case llm.DeltaDone:
		return w.End(dst)
	case llm.DeltaPing, llm.DeltaForeign:
		return dst
	}
	c := w.choice(d.Choice)
	if c == nil {
		return dst
	}
	dst = w.append(dst, c, d)
	w.lost.Add(c.lost...)
	return dst
}

func (w *Writer) choice(i int) *shownChoice {
	c, ok := w.choices[i]
	if !ok && i >= 0 && i < maxCandidates {
		c = &shownChoice{candidateWriter: candidateWriter{req: w.req, index: i}, blocks: map[int]*shownBlock{}}
		w.choices[i] = c
	}
	return c
}

func (w *Writer) append(dst []byte, c *shownChoice, d *llm.Delta) []byte {
	switch d.Kind {
	case llm.DeltaOpen:
		return w.open(dst, c, d)
	case llm.DeltaPiece:
		return w.piece(dst, c, d)
	case llm.DeltaSign:
		return w.sign(dst, c, d)
	case llm.DeltaCite:
		c.cite(d.Part.Citations)
	case llm.DeltaLogprobs:
		dst = w.frame.open(dst)
		dst = append(append(dst, chunkHead...), `"role":"model"},"index":`...)
		dst = appendLogprobs(strconv.AppendInt(dst, int64(c.index), 10), d.Raw)
		return w.close(append(dst, "}]"...))
	case llm.DeltaClose:
		if b := c.blocks[d.Block]; b != nil && b.part.Kind != llm.ToolCall {
			delete(c.blocks, d.Block)
		}
		return w.calls(dst, c, false)
	case llm.DeltaStop:
		stop := d.Stop
		c.stop = &stop
		return w.calls(dst, c, true)
	}
	return dst
}

// chunkHead is what the chunk of one candidate begins with.
const chunkHead = `{"candidates":[{"content":{`

// chunk writes a chunk with one part.
func (w *Writer) chunk(dst []byte, c *shownChoice, part func([]byte) []byte) []byte {
	dst = append(w.frame.open(dst), chunkHead+`"parts":[`...)
	dst = append(part(dst), `],"role":"model"},"index":`...)
	return w.close(append(strconv.AppendInt(dst, int64(c.index), 10), "}]"...))
}

func (w *Writer) close(dst []byte) []byte {
	return w.frame.close(appendTail(dst, w.req, w.id, w.model))
}

func (w *Writer) open(dst []byte, c *shownChoice, d *llm.Delta) []byte {
	if len(c.blocks) >= maxOpen {
		c.lost.Add(llm.FieldOther)
		return dst
	}
	b := &shownBlock{number: d.Block, part: d.Part}
	switch d.Part.Kind {
	case llm.Text, llm.Refusal, llm.Reasoning:
		c.blocks[d.Block] = b
	case llm.ToolCall:
		c.blocks[d.Block] = b
		c.held = append(c.held, b)
	default:
		shown := c.part([]byte{'['}, &d.Part)
		if len(shown) > 1 {
			return w.chunk(dst, c, func(dst []byte) []byte { return append(dst, shown[1:]...) })
		}
	}
	return dst
}

func (w *Writer) piece(dst []byte, c *shownChoice, d *llm.Delta) []byte {
	b := c.blocks[d.Block]
	switch {
	case b == nil:
		return dst
	case b.part.Kind == llm.ToolCall:
		if len(b.args) <= maxArguments {
			b.args = append(b.args, d.Text...)
		}
		return dst
	case b.part.Kind != llm.Reasoning:
		c.say(d.Text)
	}
	dst = append(w.frame.open(dst), chunkHead+`"parts":[{"text":`...)
	dst = rawjson.AppendBytes(dst, d.Text)
	if b.part.Kind == llm.Reasoning {
		dst = append(dst, `,"thought":true`...)
	}
	dst = append(dst, `}],"role":"model"},"index":`...)
	return w.close(append(strconv.AppendInt(dst, int64(c.index), 10), "}]"...))
}

// sign tells of a proof of thought: with the call that it is of, else on a text
// without letters, as Google's own streams do.
func (w *Writer) sign(dst []byte, c *shownChoice, d *llm.Delta) []byte {
	b := c.blocks[d.Block]
	switch {
	case b == nil:
		c.lost.Add(llm.FieldSignature)
		return dst
	case b.part.Kind == llm.ToolCall:
		b.part.Signature, b.part.Signer, b.part.Redacted = d.Part.Signature, d.Part.Signer, d.Part.Redacted
		return dst
	}
	return w.chunk(dst, c, func(dst []byte) []byte {
		return appendText(dst, nil, b.part.Kind == llm.Reasoning, carry(&d.Part))
	})
}

// calls writes the calls that are whole, in their order; at the end all of them. Pieces
// of a call may come after it was closed, but what begins like an object is whole only
// once it is one.
func (w *Writer) calls(dst []byte, c *shownChoice, end bool) []byte {
	for len(c.held) > 0 {
		b := c.held[0]
		if _, whole := arguments(string(b.args)); !end && (len(b.args) == 0 || !whole) {
			return dst
		}
		c.held = c.held[1:]
		delete(c.blocks, b.number)
		b.part.Call = &llm.Call{ID: b.part.Call.ID, Name: b.part.Call.Name, Arguments: string(b.args)}
		if shown := c.part([]byte{'['}, &b.part); len(shown) > 1 {
			dst = w.chunk(dst, c, func(dst []byte) []byte { return append(dst, shown[1:]...) })
		}
	}
	return dst
}

// finish writes the last chunk, once all candidates have stopped.
func (w *Writer) finish(dst []byte) []byte {
	for _, c := range w.choices {
		if c.stop == nil {
			return dst
		}
	}
	if len(w.choices) == 0 {
		return dst
	}
	return w.last(dst)
}

// last writes the ends of the candidates that have one, with the usage.
func (w *Writer) last(dst []byte) []byte {
	due := false
	for _, c := range w.choices {
		due = due || c.stop != nil && !c.ended
	}
	if !due && !w.counted {
		return dst
	}
	dst = append(w.frame.open(dst), '{')
	if due {
		dst = append(dst, `"candidates":[`...)
		for i := range maxCandidates {
			if c := w.choices[i]; c != nil && c.stop != nil && !c.ended {
				c.ended = true
				dst = append(comma(dst, '['), `{"content":{"parts":[{"text":""}],"role":"model"}`...)
				dst = append(c.end(dst, *c.stop), '}')
			}
		}
		dst = append(dst, ']')
	}
	if w.counted {
		w.counted = false
		dst = appendUsage(append(comma(dst, '{'), `"usageMetadata":`...), w.usage)
	}
	return w.close(dst)
}

// End writes what was held back, and the end of an array, once.
func (w *Writer) End(dst []byte) []byte {
	if w.frame.ended {
		return dst
	}
	return w.frame.end(w.last(dst))
}

// Fail writes an error as the last chunk.
func (w *Writer) Fail(dst []byte, e *llm.Error) []byte { return w.frame.fail(dst, e) }
