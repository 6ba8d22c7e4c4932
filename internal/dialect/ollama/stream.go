package ollama

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// StreamDecoder reads the lines of one streamed answer. It is used once, by one
// goroutine. The line with "done":true has the stop reason and the usage, and is the
// last.
type StreamDecoder struct {
	neutral *deltas     // set where another dialect will write the answer
	doc     rawjson.Doc // of the line at hand
	done    bool
}

// NewStream starts the decoder of the answer to req.
func NewStream(req *llm.Request, opt llm.Options) *StreamDecoder {
	d := &StreamDecoder{}
	if opt.Translate {
		d.neutral = &deltas{req: req}
	}
	return d
}

// Next turns one line into an llm.Event. The error is an *llm.Error: what the server
// reported within the stream, or that its bytes are unreadable.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	if ev.Comment {
		out.Marks = llm.MarkComment
		return out, nil
	}
	err := d.doc.Reset(ev.Data, answerLimits)
	if err != nil || d.doc.Root().Kind() != rawjson.Object {
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream sent a line that is not a JSON object", Err: err}
	}
	if v, ok := d.doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return out, decodeStreamError(ev.Data)
	}
	l := readLine(&d.doc)
	if !l.hasText() && !l.done {
		out.Marks = llm.MarkUnknown
		if d.neutral != nil {
			out.Deltas = []llm.Delta{{Kind: llm.DeltaForeign, Raw: ev.Raw}}
		}
		return out, nil
	}
	l.mark(&out)
	if l.done {
		d.done = true
		out.Marks |= llm.MarkStop | llm.MarkDone
		out.StopReason = l.reason()
	}
	if d.neutral != nil {
		out.Deltas = d.neutral.line(&l, &out)
	}
	return out, nil
}

// Complete reports whether the answer's last line came.
func (d *StreamDecoder) Complete() bool { return d.done }

// End is empty: the last line is the terminator.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is the line that tells of an error.
func (d *StreamDecoder) Fail(e *llm.Error) []byte { return AppendFailure(nil, e) }
