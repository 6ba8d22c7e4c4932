package dialecttest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Call is one request of a client on its way to a target, ready to be answered.
type Call struct {
	Client, Target *dialect.Codec
	Request        *llm.Request
	Bridge         *dialect.Bridge
	lost           int // of the request
}

// NewCall asks a target what the client's request of that feature asks.
func NewCall(client, target *dialect.Codec, feature string, stream bool) (*Call, error) {
	body, ok := Body(client.Name, feature, target.Name)
	if !ok {
		return nil, fmt.Errorf("testdata/ask/%s.txt has no %q", client.Name, feature)
	}
	req, err := Request(client, body, stream)
	if err != nil {
		return nil, err
	}
	b, err := dialect.NewBridge(client, target, req, Options(target))
	if err != nil {
		return nil, err
	}
	return &Call{Client: client, Target: target, Request: req, Bridge: b, lost: len(b.Lost)}, nil
}

// Lost are the names of what the answer lost so far.
func (c *Call) Lost() []string { return c.Bridge.Lost[c.lost:] }

// asks are the requests that ask for what an answer may hold, where the client's
// dialect has them; "text" will do for the rest.
var asks = map[string]string{"logprobs": "logprobs", "two choices": "n"}

func askFor(feature, client string) string {
	if name, ok := asks[feature]; ok {
		if _, ok := Body(client, name, client); ok {
			return name
		}
	}
	return "text"
}

// Reply carries an answer that shows a feature from a target to a client, plain and
// streamed, and says what became of it. ok is false where the target's dialect
// cannot say such a thing.
func Reply(client, target *dialect.Codec, feature ReplyFeature) (v Verdict, ok bool) {
	plain, ok := Plain(target, feature)
	if !ok {
		return v, false
	}
	v, arrived := replyPlain(client, target, feature, plain)
	events, ok := Streamed(target, feature)
	if !ok {
		v.problem("the target can say it in one piece and not in a stream")
		return v, true
	}
	streamed, inStream := replyStreamed(client, target, feature, events)
	if arrived != nil && inStream != nil {
		for _, f := range differing(arrived, inStream) {
			streamed.problem("the plain answer and the streamed one differ: " + f)
		}
	}
	v.Outcome = max(v.Outcome, streamed.Outcome)
	v.Lost = union(v.Lost, streamed.Lost)
	v.Changed = union(v.Changed, streamed.Changed)
	v.Problems = append(v.Problems, streamed.Problems...)
	return v, true
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// differing lists the facts that only one of two answers has.
func differing(plain, streamed []Fact) (out []string) {
	for _, side := range [...]struct {
		name     string
		of, than []Fact
	}{{"plain", plain, streamed}, {"streamed", streamed, plain}} {
		for _, f := range side.of {
			outcome := arrives(f, side.than)
			if proof := f.Key == "signature" || f.Key == "redacted"; proof && outcome == Changed || f.Key == "call id" {
				continue // a proof that comes late stands in a block of its own
			}
			if outcome != Kept {
				out = append(out, "only "+side.name+": "+f.String())
			}
		}
	}
	return out
}

func replyPlain(client, target *dialect.Codec, feature ReplyFeature, body []byte) (v Verdict, arrived []Fact) {
	c, err := NewCall(client, target, askFor(feature.Name, client.Name), false)
	if err != nil {
		v.problem("the bridge refuses the request: " + err.Error())
		return v, nil
	}
	said, err := read(target, body, false)
	if err != nil {
		v.problem("the target's own codec refuses its answer: " + err.Error())
		return v, nil
	}
	ev, err := c.Bridge.Answer(body)
	switch {
	case err != nil:
		v.problem("the bridge refuses the answer: " + err.Error())
		return v, nil
	case client == target:
		if !bytes.Equal(ev.Raw, body) {
			v.problem("the plain answer was passed through changed")
		}
		return v, nil
	}
	if _, err := rawjson.Check(ev.Raw, rawjson.Limits{}); err != nil {
		v.problem("the client is sent broken JSON: " + err.Error())
		return v, nil
	}
	arrivedAnswer, err := ReadPlain(c.Request, client, ev.Raw)
	if err != nil {
		v.problem("the client cannot read the answer: " + err.Error() + ": " + clip(ev.Raw))
		return v, nil
	}
	arrived = AnswerFacts(client.Name, arrivedAnswer)
	v = judge(AnswerFacts(target.Name, said), arrived, c.Lost(), nil, client.Names)
	return v, arrived
}

func clip(b []byte) string {
	if len(b) > 600 {
		return string(b[:600]) + "…"
	}
	return string(b)
}

// read reads an upstream's answer to a request of its own dialect.
func read(target *dialect.Codec, body []byte, stream bool) (*llm.Answer, error) {
	req, err := ownRequest(target, stream)
	if err != nil {
		return nil, err
	}
	return ReadPlain(req, target, body)
}

// ReadPlain reads a plain answer as a client of the dialect does.
func ReadPlain(req *llm.Request, c *dialect.Codec, body []byte) (*llm.Answer, error) {
	opt := Options(c)
	opt.Translate = true
	ev, err := c.Answer(req, opt, body)
	if err != nil {
		return nil, err
	}
	if ev.Answer == nil {
		return nil, fmt.Errorf("the decoder gave no neutral answer")
	}
	return ev.Answer, nil
}

// ownRequest is a request in the dialect of a target, as its own clients, or the
// bridge, would send it.
func ownRequest(target *dialect.Codec, stream bool) (*llm.Request, error) {
	if body, ok := Body(target.Name, "text", target.Name); ok {
		return Request(target, body, stream)
	}
	body, _, err := target.Write(&llm.Prompt{Surface: llm.Chat, Turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("Hello.")}}}}, stream, Options(target))
	return &llm.Request{Surface: llm.Chat, Dialect: target.Name, Body: body, ID: "01JCONFORM", Model: models[target.Name], Stream: stream, StreamUsage: true}, err
}

// Plain is a feature as a plain answer of an upstream.
func Plain(target *dialect.Codec, feature ReplyFeature) (body []byte, ok bool) {
	if !feature.applies(target.Name) {
		return nil, false
	}
	if maker, ok := makers[target.Name]; ok {
		body = maker.plain(feature.Make(target.Name))
		return body, body != nil && shows(target, feature, body)
	}
	req, err := ownRequest(target, false)
	if err != nil {
		return nil, false
	}
	body, lost := target.WriteAnswer(req, feature.Make(target.Name))
	return body, len(lost) == 0 && shows(target, feature, body)
}

// applies reports whether a target can say such a thing at all.
func (f *ReplyFeature) applies(target string) bool {
	return AskFeature{Name: map[string]string{
		"thought signed": "thought signed by the target", "thought signed and not shown": "thought signed by the target",
		"thought redacted": "thought redacted by the target", "tool call signed": "call signed by the target",
	}[f.Name]}.applies(target)
}

// shows reports whether an answer that the target's own codec wrote says what the
// feature is about: else its dialect has no such thing.
func shows(target *dialect.Codec, feature ReplyFeature, body []byte) bool {
	answer, err := read(target, body, false)
	if err != nil {
		return false
	}
	got := AnswerFacts(target.Name, answer)
	for _, f := range AnswerFacts(target.Name, feature.Make(target.Name)) {
		if f.Key != "call id" && arrives(f, got) != Kept {
			return false
		}
	}
	return true
}
