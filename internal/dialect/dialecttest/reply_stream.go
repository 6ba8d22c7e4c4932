package dialecttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
)

// Streamed is a feature as the events of an upstream, in pieces of a few letters.
func Streamed(target *dialect.Codec, feature ReplyFeature) (events []byte, ok bool) {
	deltas := pieces(feature.Make(target.Name), feature.pieceSize())
	if maker, ok := makers[target.Name]; ok {
		return maker.stream(deltas), true
	}
	events, lost, err := Write(target, deltas)
	return events, err == nil && len(lost) == 0
}

// Write is a stream of a target, as its own codec writes it.
func Write(target *dialect.Codec, deltas []llm.Delta) (events []byte, lost llm.Losses, err error) {
	req, err := ownRequest(target, true)
	if err != nil {
		return nil, nil, err
	}
	w := target.Writer(req)
	for i := range deltas {
		events = w.Append(events, &deltas[i])
	}
	return w.End(events), w.Lost(), nil
}

// pieces are the deltas of an answer with its texts cut small, never inside a letter.
func pieces(a *llm.Answer, size int) (out []llm.Delta) {
	for _, d := range a.Deltas() {
		for d.Kind == llm.DeltaPiece && len(d.Text) > size {
			n := size
			for n < len(d.Text) && !utf8.RuneStart(d.Text[n]) {
				n++
			}
			piece := d
			piece.Text, d.Text = d.Text[:n], d.Text[n:]
			out = append(out, piece)
		}
		out = append(out, d)
	}
	return out
}

// Outflow is what a client got of a stream.
type Outflow struct {
	Bytes    []byte
	Marks    llm.Mark // of all events
	Complete bool
	Failed   *llm.Error // that ended it
}

// Pump carries a target's stream to the client, event by event, as the gateway does:
// a stream that ends without its stop reason is cut, and the client hears of it.
func (c *Call) Pump(events io.Reader) (out Outflow) {
	decoder := c.Bridge.Stream()
	frames := framesOf(c.Target, events)
	for {
		raw, err := frames.Next()
		if err != nil {
			if ender, ok := decoder.(dialect.Ender); ok && errors.Is(err, io.EOF) {
				ev := ender.Ended()
				out.Marks |= ev.Marks
				out.Bytes = append(out.Bytes, ev.Raw...)
			}
			out.Complete = decoder.Complete()
			if !out.Complete {
				return out.fail(decoder, &llm.Error{Kind: llm.Cut, Message: "the upstream's stream ended without a stop reason", Err: err})
			}
			out.Bytes = append(out.Bytes, decoder.End()...)
			return out
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			out.Complete = decoder.Complete()
			return out.fail(decoder, llm.AsError(err))
		}
		out.Marks |= ev.Marks
		if ev.Marks&llm.MarkDone != 0 && !decoder.Complete() {
			return out.fail(decoder, &llm.Error{Kind: llm.Cut, Message: "the upstream's stream ended without a stop reason"})
		}
		out.Bytes = append(out.Bytes, ev.Raw...)
	}
}

func framesOf(c *dialect.Codec, events io.Reader) dialect.Frames {
	framing := c.Frames
	if framing.New == nil {
		framing = dialect.Events
	}
	return framing.New(events, 0)
}

func (o Outflow) fail(d dialect.Decoder, e *llm.Error) Outflow {
	o.Failed = e
	o.Bytes = append(o.Bytes, d.Fail(e)...)
	return o
}

// ReadStream reads a stream as a client of the dialect does. The error is that of the
// stream's error event, or of bytes that the client cannot read.
func ReadStream(req *llm.Request, c *dialect.Codec, events io.Reader) (a *llm.Answer, complete bool, err error) {
	opt := Options(c)
	opt.Translate = true
	decoder := c.Stream(req, opt)
	frames := framesOf(c, events)
	var all llm.Collect
	for {
		raw, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return all.Whole(), decoder.Complete(), nil
		}
		if err != nil {
			return all.Whole(), decoder.Complete(), err
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			return all.Whole(), decoder.Complete(), err
		}
		for _, d := range ev.Deltas {
			all.Add(d)
		}
	}
}

func replyStreamed(client, target *dialect.Codec, feature ReplyFeature, events []byte) (v Verdict, arrived []Fact) {
	c, err := NewCall(client, target, askFor(feature.Name, client.Name), true)
	if err != nil {
		v.problem("the bridge refuses the request of a stream: " + err.Error())
		return v, nil
	}
	own, err := ownRequest(target, true)
	if err != nil {
		v.problem(err.Error())
		return v, nil
	}
	said, complete, err := ReadStream(own, target, bytes.NewReader(events))
	if err != nil || !complete {
		v.problem(fmt.Sprintf("the target's own codec does not read its stream as complete: %v: %s", err, clip(events)))
		return v, nil
	}
	out := c.Pump(bytes.NewReader(events))
	switch {
	case out.Failed != nil:
		v.problem("the stream fails: " + out.Failed.Error())
		return v, nil
	case client == target:
		if !bytes.Equal(out.Bytes, events) {
			v.problem("the stream was passed through changed: " + clip(out.Bytes))
		}
		return v, nil
	}
	for _, p := range Grammar(client.Name, out.Bytes) {
		v.problem("streamed: " + p)
	}
	answer, complete, err := ReadStream(c.Request, client, bytes.NewReader(out.Bytes))
	if err != nil || !complete {
		v.problem(fmt.Sprintf("the client does not read the stream as complete: %v: %s", err, clip(out.Bytes)))
		return v, nil
	}
	arrived = AnswerFacts(client.Name, answer)
	problems := v.Problems
	v = judge(AnswerFacts(target.Name, said), arrived, c.Lost(), nil, client.Names)
	for i, p := range v.Problems {
		v.Problems[i] = "streamed: " + p
	}
	v.Problems = append(problems, v.Problems...)
	return v, arrived
}
