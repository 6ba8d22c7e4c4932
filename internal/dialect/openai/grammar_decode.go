package openai

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// grammarCall turns the stream of one JSON object per choice back into tool-call
// or content deltas. Argument pieces go on as they come.
type grammarCall struct {
	choices map[int64]*grammarChoice // bounded by maxChoices
}

func (g *grammarCall) choice(i int64) *grammarChoice {
	c, ok := g.choices[i]
	if !ok {
		c = new(grammarChoice)
		if g.choices == nil {
			g.choices = make(map[int64]*grammarChoice)
		}
		if len(g.choices) < maxChoices {
			g.choices[i] = c
		}
	}
	return c
}

// rewrite replaces the choices of one chunk. A chunk that turns out to carry
// nothing yet has no bytes.
func (g *grammarCall) rewrite(doc *rawjson.Doc, out *llm.Event) {
	choices, _ := doc.Get("choices")
	if choices.Empty() {
		return
	}
	id, _ := doc.Get("id")
	answerID, _ := id.Str()
	var marks llm.Mark
	list := []byte{'['}
	for choice := range choices.Items() {
		if len(list) > 1 {
			list = append(list, ',')
		}
		var m llm.Mark
		list, m = g.rewriteChoice(list, choice, answerID)
		marks |= m
	}
	out.Marks = out.Marks&^(llm.MarkContent|llm.MarkTool) | marks
	if out.Marks&(llm.MarkStart|llm.MarkContent|llm.MarkTool|llm.MarkReasoning|llm.MarkStop|llm.MarkUsage) == 0 {
		out.Raw = nil
		return
	}
	edit := doc.Edit()
	edit.Set(append(list, ']'), "choices")
	data, err := edit.Apply()
	if err != nil {
		return // the chunk was read from the same bytes: cannot happen, and the original stands
	}
	out.Raw = sse.Append(nil, "", data)
}

func (g *grammarCall) rewriteChoice(list []byte, choice rawjson.Value, answerID string) ([]byte, llm.Mark) {
	index, _ := choice.Get("index")
	i, _ := index.Int()
	c := g.choice(i)
	content, _ := choice.Path("delta", "content")
	text, _ := content.Str()
	piece := c.feed(text)
	reason, _ := choice.Get("finish_reason")
	if reason.Kind() == rawjson.String && c.undecided() {
		piece.content, c.mode = c.take(), modeText // the model never came to the point: what it said is all there is
	}

	list = append(strconv.AppendInt(append(list, `{"index":`...), i, 10), `,"delta":{`...)
	sep := ""
	if role, ok := choice.Path("delta", "role"); ok {
		list = append(append(list, `"role":`...), role.Raw()...)
		sep = ","
	}
	var marks llm.Mark
	switch {
	case piece.begins:
		list = appendCall(append(list, sep+`"tool_calls":[`...), callID(answerID, i), c.name, piece.arguments, true)
		list = append(list, ']')
		marks = llm.MarkTool
	case piece.arguments != "":
		list = append(list, sep+`"tool_calls":[{"index":0,"function":{"arguments":`...)
		list = append(rawjson.AppendString(list, piece.arguments), `}}]`...)
		marks = llm.MarkTool
	case piece.content != "":
		list = rawjson.AppendString(append(list, sep+`"content":`...), piece.content)
		marks = llm.MarkContent
	}
	list = append(list, `},"logprobs":null,"finish_reason":`...)
	return append(appendReason(list, reason, c), '}'), marks
}

func appendReason(list []byte, reason rawjson.Value, c *grammarChoice) []byte {
	if c.isCall() && equals(reason, "stop") {
		return append(list, `"tool_calls"`...)
	}
	if reason.Kind() != rawjson.String {
		return append(list, "null"...)
	}
	return append(list, reason.Raw()...)
}

func appendCall(list []byte, id, name, arguments string, indexed bool) []byte {
	list = append(list, '{')
	if indexed {
		list = append(list, `"index":0,`...)
	}
	list = rawjson.AppendString(append(list, `"id":`...), id)
	list = rawjson.AppendString(append(list, `,"type":"function","function":{"name":`...), name)
	list = rawjson.AppendString(append(list, `,"arguments":`...), arguments)
	return append(list, `}}`...)
}

// callID derives the call's id from the answer's, so that decoding stays pure.
func callID(answerID string, choice int64) string {
	return "call_" + strings.TrimPrefix(answerID, "chatcmpl-") + "_" + strconv.FormatInt(choice, 10)
}

// answerByGrammar turns a plain answer back.
func answerByGrammar(doc *rawjson.Doc) ([]byte, error) {
	choices, _ := doc.Get("choices")
	id, _ := doc.Get("id")
	answerID, _ := id.Str()
	list := []byte{'['}
	for choice := range choices.Items() {
		if len(list) > 1 {
			list = append(list, ',')
		}
		index, _ := choice.Get("index")
		i, _ := index.Int()
		content, _ := choice.Path("message", "content")
		text, _ := content.Str()
		c := new(grammarChoice)
		piece := c.feed(text)
		if c.undecided() {
			piece.content = c.take()
		}
		list = append(strconv.AppendInt(append(list, `{"index":`...), i, 10), `,"message":{"role":"assistant","content":`...)
		if c.isCall() {
			list = appendCall(append(list, `null,"tool_calls":[`...), callID(answerID, i), c.name, piece.arguments, false)
			list = append(list, ']')
		} else {
			list = rawjson.AppendString(list, piece.content)
		}
		reason, _ := choice.Get("finish_reason")
		list = append(appendReason(append(list, `,"refusal":null},"logprobs":null,"finish_reason":`...), reason, c), '}')
	}
	edit := doc.Edit()
	edit.Set(append(list, ']'), "choices")
	return edit.Apply()
}
