package dialect

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// Bridge carries one call between a client's dialect and a target's. Where both
// speak the same, bytes pass through with the edited fields changed; else the
// request is read into an llm.Prompt and written anew, and the answer likewise.
type Bridge struct {
	// Body is what is sent, and Path where to.
	Body rawjson.Segments
	Path string
	// Lost are the fields of the client that were lost so far, in its own words: of the
	// request from the start, of the answer as it is read.
	Lost []string

	client, target *Codec
	asked          *llm.Request // by the client
	sent           *llm.Request // to the target, in its dialect
	opt            llm.Options
}

// NewBridge writes a request for a target of the given dialect. The error is an
// *llm.Error.
func NewBridge(client, target *Codec, req *llm.Request, opt llm.Options) (*Bridge, error) {
	b := &Bridge{client: client, target: target, asked: req, sent: req, opt: opt}
	var err error
	if client == target {
		b.Path = target.Path(req, opt)
		b.Body, b.Lost, err = target.Encode(req, opt)
		return b, err
	}
	b.opt.Translate = true
	if b.Path = target.Path(req, opt); b.Path == "" {
		return nil, &llm.Error{Kind: llm.Unsupported, Message: "the dialect " + target.Name + " has no " + string(req.Surface)}
	}
	return b, b.translate()
}

// translate reads the client's request and writes the target's.
func (b *Bridge) translate() error {
	prompt, err := b.client.Read(b.asked)
	if err != nil {
		return err
	}
	b.Lost = append(b.Lost, prompt.Unread...)
	if b.opt.NoThinking && prompt.Thinking != (llm.Thinking{}) {
		if prompt.Thinking.Mode != llm.ThinkingOff {
			b.lose(llm.Losses{llm.FieldThinking})
		}
		prompt.Thinking = llm.Thinking{}
	}
	body, lost, err := b.target.Write(prompt, b.asked.Stream, b.opt)
	if err != nil {
		return err
	}
	b.lose(lost)
	b.Body = rawjson.Segments{body}
	b.sent = &llm.Request{
		Surface: b.asked.Surface, Dialect: b.target.Name, Body: body, ID: b.asked.ID, Time: b.asked.Time,
		Model: b.opt.Model, Stream: b.asked.Stream, StreamUsage: true, MaxTokens: b.asked.MaxTokens, Needs: b.asked.Needs,
	}
	if b.opt.ToolsByGrammar && b.target.Decode != nil {
		return b.edit()
	}
	return nil
}

// edit lets the target's own codec edit what was written, as it does with what its
// own clients send.
func (b *Bridge) edit() error {
	sent, err := b.target.Decode(llm.Incoming{Surface: b.sent.Surface, Body: b.sent.Body, Limits: writtenLimits})
	if err != nil {
		return err
	}
	sent.StreamUsage = true
	sent.ID, sent.Time = b.sent.ID, b.sent.Time
	b.sent = sent
	var lost []string
	b.Body, lost, err = b.target.Encode(sent, b.opt)
	for _, name := range lost {
		b.lose(llm.Losses{llm.Field(name)})
	}
	return err
}

// writtenLimits bound what a codec wrote: a level or two more than what was read.
var writtenLimits = rawjson.Limits{Depth: 512}

// lose notes fields in the client's words.
func (b *Bridge) lose(fields llm.Losses) {
	for _, f := range fields {
		name, ok := b.client.Names[f]
		if !ok {
			name = string(f)
		}
		if !slices.Contains(b.Lost, name) {
			b.Lost = append(b.Lost, name)
		}
	}
}

// Headers are the client's headers that the target is given; those that it cannot be
// given are lost.
func (b *Bridge) Headers(client map[string][]string, yield func(name string, values []string)) {
	for _, name := range b.client.Forwards {
		values := client[name]
		switch {
		case values == nil:
		case b.client == b.target:
			yield(name, values)
		case b.target.Header[name] == "" && b.client.Header[name] == "": // a version that each dialect has for itself
			b.Lost = append(b.Lost, strings.ToLower(name))
		}
	}
}

// Answer reads a plain answer of the target, as the client will see it.
func (b *Bridge) Answer(body []byte) (llm.Event, error) {
	ev, err := b.target.Answer(b.sent, b.opt, body)
	if err != nil || b.client == b.target {
		return ev, err
	}
	var lost llm.Losses
	ev.Raw, lost = b.client.WriteAnswer(b.asked, ev.Answer)
	b.lose(lost)
	return ev, nil
}

// AsStream is a plain answer of the target for a client that asked for a stream:
// all of it in one event.
func (b *Bridge) AsStream(body []byte) (llm.Event, error) {
	opt := b.opt
	opt.Translate = true
	ev, err := b.target.Answer(b.sent, opt, body)
	switch {
	case err != nil:
		return ev, err
	case ev.StopReason == "":
		return ev, &llm.Error{Kind: llm.Cut, Message: "the upstream's answer has no stop reason"}
	}
	ev.Marks = ev.Marks&^llm.MarkWhole | llm.MarkContent | llm.MarkStop | llm.MarkDone
	w := b.client.Writer(b.asked)
	ev.Raw = nil
	for _, d := range ev.Answer.Deltas() {
		ev.Raw = w.Append(ev.Raw, &d)
	}
	b.lose(w.Lost())
	return ev, nil
}

// Stream starts the decoder of a streamed answer of the target, as the client will
// see it.
func (b *Bridge) Stream() Decoder {
	in := b.target.Stream(b.sent, b.opt)
	if b.client == b.target {
		return in
	}
	return &translated{bridge: b, in: in, out: b.client.Writer(b.asked)}
}

// translated is a stream that is read in one dialect and written in another.
type translated struct {
	bridge *Bridge
	in     Decoder
	out    Writer
	buf    []byte
}

// Next reads one event of the target and gives it the bytes that the client sees.
func (t *translated) Next(raw sse.Event) (llm.Event, error) {
	ev, err := t.in.Next(raw)
	if err != nil {
		return ev, err
	}
	return t.show(ev), nil
}

// Ended lets a decoder that waits for the end say what it means.
func (t *translated) Ended() llm.Event {
	ender, ok := t.in.(Ender)
	if !ok {
		return llm.Event{}
	}
	return t.show(ender.Ended())
}

// show gives an event the bytes that the client sees.
func (t *translated) show(ev llm.Event) llm.Event {
	t.buf = t.buf[:0]
	for i := range ev.Deltas {
		t.buf = t.out.Append(t.buf, &ev.Deltas[i])
	}
	if ev.Raw = t.buf; len(t.buf) == 0 {
		ev.Raw = nil
	}
	if ev.Marks&(llm.MarkStop|llm.MarkDone) != 0 {
		t.bridge.lose(t.out.Lost())
	}
	return ev
}

// Complete reports whether the target's answer has its stop reason.
func (t *translated) Complete() bool { return t.in.Complete() }

// End is what the client must still see of a complete answer.
func (t *translated) End() []byte {
	end := t.out.End(nil)
	t.bridge.lose(t.out.Lost())
	return end
}

// Fail is the error event of the client's dialect.
func (t *translated) Fail(e *llm.Error) []byte { return t.out.Fail(nil, e) }

// DecodeError reads the target's error answer.
func (b *Bridge) DecodeError(status int, body []byte) *llm.Error {
	return b.target.DecodeError(status, body)
}

// Frames splits the target's streamed answer.
func (b *Bridge) Frames() Framing { return b.target.Frames }
