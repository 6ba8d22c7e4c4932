package ollama

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// WriteAnswer writes a plain answer of this dialect, and what it cannot show. How long
// things took is not said: clients take what is absent for unknown.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	if req.Surface == llm.Embeddings {
		return writeVectors(req, a), nil
	}
	lost.If(len(a.Choices) > 1, llm.FieldN)
	m := message{Role: string(llm.Assistant)}
	var c llm.Choice
	if len(a.Choices) > 0 {
		c = a.Choices[0]
		fill(&m, req, &c, &lost)
	}
	body = appendHead(nil, req, a.Model)
	if req.Surface == llm.Completions {
		body = rawjson.AppendString(append(body, `,"response":`...), m.Content)
		if m.Thinking != "" {
			body = rawjson.AppendString(append(body, `,"thinking":`...), m.Thinking)
		}
	} else {
		raw, _ := json.Marshal(&m) // cannot fail: made of strings and of objects that were checked
		body = append(append(body, `,"message":`...), raw...)
	}
	if list := writeLogprobs(c.Logprobs); list != nil {
		body = append(append(body, `,"logprobs":`...), list...)
	}
	return append(appendDone(body, c.Stop, a.Usage, a.Counted), '}'), lost
}

// fill puts the parts of a choice into a message.
func fill(m *message, req *llm.Request, c *llm.Choice, lost *llm.Losses) {
	var content, thinking strings.Builder
	for i := range c.Parts {
		p := &c.Parts[i]
		lost.If(len(p.Citations) > 0, llm.FieldCitations)
		lost.If(p.Signature != "" || p.Redacted != "", llm.FieldSignature)
		switch p.Kind {
		case llm.Text, llm.Refusal:
			content.WriteString(p.Text)
		case llm.Reasoning:
			thinking.WriteString(p.Text)
		case llm.ToolCall:
			id := p.Call.ID
			if id == "" {
				id = "call_" + req.ID + "_" + strconv.Itoa(len(m.ToolCalls))
			}
			m.ToolCalls = append(m.ToolCalls, toolCall{ID: id, Function: functionCall{
				Index: len(m.ToolCalls), Name: p.Call.Name, Arguments: object(p.Call.Arguments),
			}})
		case llm.Image:
			if p.Media.Base64 == "" {
				lost.Add(llm.FieldImage)
				continue
			}
			m.Images = append(m.Images, p.Media.Base64)
		default:
			lost.Add(llm.FieldOther)
		}
	}
	m.Content, m.Thinking = content.String(), thinking.String()
}

func writeVectors(req *llm.Request, a *llm.Answer) []byte {
	body := append(rawjson.AppendString([]byte(`{"model":`), modelName(req, a.Model)), `,"embeddings":[`...)
	for i, v := range a.Vectors {
		if i > 0 {
			body = append(body, ',')
		}
		body = wire.AppendVector(body, v)
	}
	body = append(body, ']')
	if a.Counted {
		body = strconv.AppendInt(append(body, `,"prompt_eval_count":`...), a.Usage.TotalInput(), 10)
	}
	return append(body, '}')
}

func modelName(req *llm.Request, upstream string) string {
	if upstream == "" {
		return req.Model
	}
	return upstream
}

// appendHead writes what every object of an answer begins with.
func appendHead(dst []byte, req *llm.Request, model string) []byte {
	dst = rawjson.AppendString(append(dst, `{"model":`...), modelName(req, model))
	dst = append(dst, `,"created_at":"`...)
	return append(req.Time.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
}

// appendDone writes what the last object of an answer ends with.
func appendDone(dst []byte, s llm.Stop, t money.Tokens, counted bool) []byte {
	dst = append(append(append(dst, `,"done":true,"done_reason":"`...), doneReason(s)...), '"')
	if counted {
		dst = strconv.AppendInt(append(dst, `,"prompt_eval_count":`...), t.TotalInput(), 10)
		dst = strconv.AppendInt(append(dst, `,"eval_count":`...), t.TotalOutput(), 10)
	}
	return dst
}

// doneReason is the word for why an answer ended; the dialect knows two, and two for
// a model that was loaded or unloaded instead. What was withheld is told in OpenAI's
// word, since "stop" would call it whole.
func doneReason(s llm.Stop) string {
	switch {
	case s.Reason == llm.StopLength:
		return "length"
	case s.Reason == llm.StopFilter:
		return "content_filter"
	case s.Reason == llm.StopOther && (s.Word == "load" || s.Word == "unload"):
		return s.Word
	}
	return "stop"
}
