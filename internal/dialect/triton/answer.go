package triton

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what a server may send as a plain answer, or in one event.
var answerLimits = rawjson.Limits{Depth: 64}

// Answer reads a plain answer with status 200, which may be an error all the same.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	text := textOf(doc.Root())
	if text.Kind() != rawjson.String {
		if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
			return out, decodeStreamError(body)
		}
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no text_output"}
	}
	out.TextBytes = len(text.Raw()) - len(`""`)
	var c counts
	c.add(doc.Root())
	stop := c.stop(req)
	out.StopReason = stop.Word
	c.mark(&out)
	if opt.Translate {
		part := llm.Part{Kind: llm.Text}
		part.Text, _ = text.Str()
		out.Answer = &llm.Answer{
			Usage: out.Usage, Counted: out.Marks&llm.MarkUsage != 0,
			Choices: []llm.Choice{{Parts: []llm.Part{part}, Stop: stop}},
		}
		name, _ := doc.Get("model_name")
		out.Answer.Model, _ = name.Str()
	}
	return out, nil
}

// textOf is the text of an answer or event: a string, or the first of several.
func textOf(root rawjson.Value) rawjson.Value {
	text, _ := root.Get("text_output")
	for first := range text.Items() {
		return first
	}
	return text
}

// counts are the tokens of an answer, of one event after the other: each counts its
// own output.
type counts struct {
	input, output int64
	word          string // finish_reason, of models that give one
}

func (c *counts) add(root rawjson.Value) {
	if v, ok := root.Get("num_input_tokens"); ok {
		c.input, _ = v.Int()
	}
	v, _ := root.Get("num_output_tokens")
	n, _ := v.Int()
	c.output += n
	if v, ok := root.Get("finish_reason"); ok {
		if word, _ := v.Str(); word != "" {
			c.word = word
		}
	}
}

// mark puts the usage into an event, where both counts came.
func (c *counts) mark(out *llm.Event) {
	if c.input <= 0 || c.output <= 0 {
		return
	}
	tokens, err := money.FromInclusive(money.Inclusive{Prompt: c.input, Completion: c.output})
	if err == nil {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
}

// stop is why the answer ended: what the model said, else the bound on tokens where the
// counts show that it was met. Otherwise the model was done, or a stop word was met;
// nobody says which.
func (c *counts) stop(req *llm.Request) llm.Stop {
	switch c.word {
	case "length":
		return llm.Stop{Reason: llm.StopLength, Word: c.word}
	case "stop":
		return llm.Stop{Reason: llm.StopEnd, Word: c.word}
	case "":
	default:
		return llm.Stop{Reason: llm.StopOther, Word: c.word}
	}
	v, _ := rawjson.Lookup(req.Body, "max_tokens")
	if bound, ok := v.Int(); ok && c.output >= bound && c.output > 0 {
		return llm.Stop{Reason: llm.StopLength}
	}
	return llm.Stop{Reason: llm.StopEnd}
}
