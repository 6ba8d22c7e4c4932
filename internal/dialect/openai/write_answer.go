package openai

import (
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// WriteAnswer writes a plain answer of this dialect, and what it cannot show.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	if req.Surface == llm.Embeddings {
		return writeVectors(req, a), nil
	}
	body = append(appendHead(nil, req, a.ID, a.Model, false), `,"choices":[`...)
	for i := range a.Choices {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendChoice(body, req, &a.Choices[i], i, &lost)
	}
	body = append(body, ']')
	if a.Counted {
		body = appendUsage(append(body, `,"usage":`...), req.Surface, a.Usage)
	}
	return append(body, '}'), lost
}

func appendChoice(body []byte, req *llm.Request, c *llm.Choice, i int, lost *llm.Losses) []byte {
	body = strconv.AppendInt(append(body, `{"index":`...), int64(i), 10)
	m := newShownMessage(req, c, lost)
	if req.Surface == llm.Completions {
		body = rawjson.AppendString(append(body, `,"text":`...), m.text)
	} else {
		raw, _ := json.Marshal(m.wire()) // made of strings and of JSON that was checked
		body = append(append(body, `,"message":`...), raw...)
	}
	body = append(body, `,"logprobs":`...)
	if c.Logprobs == nil {
		body = append(body, "null"...)
	} else {
		body = append(body, c.Logprobs...)
	}
	reason := finishReason(c.Stop)
	if m.refusal != "" && c.Stop.Reason == llm.StopRefusal {
		reason = "stop" // the refusal speaks for itself
	}
	return append(append(append(body, `,"finish_reason":"`...), reason...), `"}`...)
}

// shownMessage is an assistant's message as it is put together.
type shownMessage struct {
	text, refusal, thought string
	calls                  []chatCall
	details                []any
	notes                  []rawJSON
}

func newShownMessage(req *llm.Request, c *llm.Choice, lost *llm.Losses) (m shownMessage) {
	for i := range c.Parts {
		p := &c.Parts[i]
		switch p.Kind {
		case llm.Text:
			m.text += p.Text
			m.cite(p, lost)
		case llm.Refusal:
			m.refusal += p.Text
		case llm.Reasoning:
			m.thought += p.Text
		case llm.ToolCall:
			call := chatCall{ID: p.Call.ID, Type: "function", Function: chatFuncCall{Name: p.Call.Name, Arguments: orObject(p.Call.Arguments)}}
			if call.ID == "" {
				call.ID = "call_" + req.ID + "_" + strconv.Itoa(len(m.calls))
				p.Call.ID = call.ID
			}
			m.calls = append(m.calls, call)
		default:
			lost.Add(llm.FieldOther)
		}
		if p.Signature != "" || p.Redacted != "" {
			m.details = append(m.details, newDetail(p, i))
		}
	}
	return m
}

func (m *shownMessage) cite(p *llm.Part, lost *llm.Losses) {
	for i := range p.Citations {
		note, ok := annotation(&p.Citations[i])
		if !ok {
			lost.Add(llm.FieldCitations)
			continue
		}
		m.notes = append(m.notes, note)
	}
}

// wire is the message with its fields in the publisher's order.
func (m *shownMessage) wire() any {
	out := struct {
		Role    string     `json:"role"`
		Content *string    `json:"content"`
		Refusal *string    `json:"refusal"`
		Thought string     `json:"reasoning_content,omitzero"`
		Details []any      `json:"reasoning_details,omitzero"`
		Calls   []chatCall `json:"tool_calls,omitzero"`
		Notes   []rawJSON  `json:"annotations,omitzero"`
	}{Role: "assistant", Thought: m.thought, Details: m.details, Calls: m.calls, Notes: m.notes}
	if m.text != "" || len(m.calls) == 0 && m.refusal == "" {
		out.Content = &m.text
	}
	if m.refusal != "" {
		out.Refusal = &m.refusal
	}
	return out
}

func writeVectors(req *llm.Request, a *llm.Answer) []byte {
	q, err := DecodeEmbeddings(req.Body, rawjson.Limits{})
	if err != nil {
		q = EmbeddingsQuery{Model: req.Model} // it was decoded before, so this cannot be
	}
	return EncodeEmbeddings(q, a.Vectors, int(a.Usage.TotalInput()))
}
