package anthropic

import (
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// WriteAnswer writes a plain answer of this dialect, and what it cannot show.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	if req.Surface == llm.CountTokens {
		body = strconv.AppendInt([]byte(`{"input_tokens":`), a.Usage.TotalInput(), 10)
		return append(body, '}'), nil
	}
	var c llm.Choice
	if len(a.Choices) > 0 {
		c = a.Choices[0]
	}
	lost.If(len(a.Choices) > 1, llm.FieldN)
	lost.If(c.Logprobs != nil, llm.FieldLogprobs)
	s := shown{req: req}
	for i := range c.Parts {
		s.part(&c.Parts[i])
	}
	lost.Add(s.lost...)
	body = appendHead(nil, req, a.ID, a.Model)
	body = append(body, `,"content":[`...)
	for i, b := range s.blocks {
		if i > 0 {
			body = append(body, ',')
		}
		raw, _ := json.Marshal(b) // made of strings and of JSON that was checked
		body = append(body, raw...)
	}
	body = appendStop(append(body, "],"...), c.Stop, s.calls > 0)
	usage := a.Usage
	if !a.Counted {
		usage = estimate(req, s.text)
	}
	body = appendUsage(append(body, `,"usage":`...), usage)
	return append(body, '}'), lost
}

// appendHead writes what a message begins with.
func appendHead(dst []byte, req *llm.Request, id, model string) []byte {
	if id == "" {
		id = "msg_" + req.ID
	}
	if model == "" {
		model = req.Model
	}
	dst = rawjson.AppendString(append(dst, `{"id":`...), id)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	return rawjson.AppendString(dst, model)
}

// stopWords are the words for why an answer ended.
var stopWords = map[llm.StopReason]string{
	llm.StopEnd: "end_turn", llm.StopSequence: "stop_sequence", llm.StopLength: "max_tokens", llm.StopTools: "tool_use",
	llm.StopFilter: "refusal", llm.StopRefusal: "refusal", llm.StopPause: "pause_turn",
}

// appendStop writes why the answer ended. An answer that calls tools ends so for
// clients of this dialect, whatever the upstream says: some say no more than "stop".
func appendStop(dst []byte, s llm.Stop, calls bool) []byte {
	word, ok := stopWords[s.Reason]
	if !ok {
		word = "end_turn"
	}
	if calls && word == "end_turn" {
		word = "tool_use"
	}
	dst = append(append(append(dst, `"stop_reason":"`...), word...), `","stop_sequence":`...)
	if s.Sequence == "" {
		dst = append(dst, "null"...)
	} else {
		dst = rawjson.AppendString(dst, s.Sequence)
	}
	if word == "refusal" {
		return append(dst, noDetails...)
	}
	return append(dst, `,"stop_details":null`...)
}

// noDetails are those of a refusal of which nothing more is known.
const noDetails = `,"stop_details":{"type":"refusal","category":null,"explanation":null}`

// estimate stands for counts that the upstream did not give, where this dialect has no
// way to leave them out: four bytes are about one token.
func estimate(req *llm.Request, text int) money.Tokens {
	return money.Tokens{Input: req.PromptTokens(), Output: int64(text+3) / 4}
}

// shown is the content of an answer as it is put together.
type shown struct {
	req    *llm.Request
	blocks []any
	calls  int
	text   int // bytes
	lost   llm.Losses
}

func (s *shown) part(p *llm.Part) {
	s.text += len(p.Text)
	switch p.Kind {
	case llm.Text, llm.Refusal:
		if p.Text == "" && len(p.Citations) == 0 {
			return
		}
		out := textBlock{Type: "text", Text: p.Text}
		for i := range p.Citations {
			if c, ok := writeCitation(&p.Citations[i]); ok {
				out.Citations = append(out.Citations, c)
			} else {
				s.lost.Add(llm.FieldCitations)
			}
		}
		s.blocks = append(s.blocks, out)
		if p.Signature != "" {
			s.blocks = append(s.blocks, redactedBlock{Type: "redacted_thinking", Data: llm.CarrySignature(Name, p.Signer, p.Signature)})
		}
	case llm.Reasoning:
		if p.Text != "" || p.Signature != "" {
			s.blocks = append(s.blocks, signedThought(p))
		}
		if p.Redacted != "" {
			s.blocks = append(s.blocks, redactedBlock{Type: "redacted_thinking", Data: llm.CarrySignature(Name, p.Signer, p.Redacted)})
		}
	case llm.ToolCall:
		if p.Signature != "" {
			s.blocks = append(s.blocks, signedThought(p))
		}
		p.Call.ID = shownID(s.req, p.Call.ID, s.calls)
		s.calls++
		s.text += len(p.Call.Arguments)
		s.blocks = append(s.blocks, toolUseBlock{Type: "tool_use", ID: p.Call.ID, Name: p.Call.Name, Input: arguments(p.Call.Arguments)})
	default:
		if p.Kind != llm.Other || p.Dialect != Name {
			s.lost.Add(llm.FieldOther)
			return
		}
		s.blocks = append(s.blocks, rawJSON(p.Raw))
	}
}

// signedThought is a thought, or the signature of the call behind it, as clients of
// this dialect carry it.
func signedThought(p *llm.Part) thinkingBlock {
	return thinkingBlock{Type: "thinking", Thinking: p.Text, Signature: llm.CarrySignature(Name, p.Signer, p.Signature)}
}

// shownID is the id of a call, made where the upstream gave none.
func shownID(req *llm.Request, id string, number int) string {
	if id == "" {
		return "toolu_" + req.ID + "_" + strconv.Itoa(number)
	}
	return toolID(id)
}
