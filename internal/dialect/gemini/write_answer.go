package gemini

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// WriteAnswer writes a plain answer of this dialect, and what it cannot show.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	switch req.Surface {
	case llm.Embeddings:
		return writeVectors(req, a), nil
	case llm.CountTokens:
		body = strconv.AppendInt(append(body, `{"totalTokens":`...), a.Usage.TotalInput(), 10)
		return append(body, '}'), nil
	}
	body = append(body, `{"candidates":[`...)
	for i := range a.Choices {
		w := candidateWriter{req: req, index: i}
		body = w.choice(comma(body, '['), &a.Choices[i])
		lost.Add(w.lost...)
	}
	body = append(body, ']')
	if a.Counted {
		body = appendUsage(append(body, `,"usageMetadata":`...), a.Usage)
	}
	return appendTail(body, req, a.ID, a.Model), lost
}

// appendTail writes what every chunk ends with.
func appendTail(dst []byte, req *llm.Request, id, model string) []byte {
	if id == "" {
		id = req.ID
	}
	if model == "" {
		model = req.Model
	}
	dst = rawjson.AppendString(append(dst, `,"modelVersion":`...), model)
	dst = rawjson.AppendString(append(dst, `,"responseId":`...), id)
	return append(dst, '}')
}

// candidateWriter writes one answer and keeps what is shown at its end.
type candidateWriter struct {
	req    *llm.Request
	index  int
	calls  int // so far
	said   []byte
	cited  shownCitations
	broken string // a call whose arguments are no JSON object
	lost   llm.Losses
}

func (w *candidateWriter) choice(dst []byte, c *llm.Choice) []byte {
	dst = append(dst, `{"content":{`...)
	start := len(dst)
	dst = append(dst, `"parts":[`...)
	empty := len(dst)
	for i := range c.Parts {
		dst = w.part(dst, &c.Parts[i])
	}
	if len(dst) == empty {
		dst = append(dst[:start], `"role":"model"}`...)
	} else {
		dst = append(dst, `],"role":"model"}`...)
	}
	return append(appendLogprobs(w.end(dst, c.Stop), c.Logprobs), '}')
}

// part writes a part as an element of parts, or nothing where it cannot be shown.
func (w *candidateWriter) part(dst []byte, p *llm.Part) []byte {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		w.say([]byte(p.Text))
		w.cite(p.Citations)
		return appendText(comma(dst, '['), []byte(p.Text), false, carry(p))
	case llm.Reasoning:
		return appendText(comma(dst, '['), []byte(p.Text), true, carry(p))
	case llm.ToolCall:
		return w.call(dst, p)
	case llm.Image, llm.Audio, llm.Video, llm.Document:
		return w.media(dst, p)
	case llm.Other:
		if p.Dialect == Name {
			return rawjson.AppendLine(comma(dst, '['), p.Raw)
		}
	}
	w.lost.Add(llm.FieldOther)
	return dst
}

// say keeps text to count in, for citations.
func (w *candidateWriter) say(text []byte) {
	if len(w.said) < maxSaid {
		w.said = append(w.said, text...)
	}
}

func (w *candidateWriter) cite(citations []llm.Citation) {
	for i := range citations {
		w.lost.If(!w.cited.add(&citations[i], w.said), llm.FieldCitations)
	}
}

// appendText writes a part of text.
func appendText(dst, text []byte, thought bool, signature string) []byte {
	dst = rawjson.AppendBytes(append(dst, `{"text":`...), text)
	if thought {
		dst = append(dst, `,"thought":true`...)
	}
	return append(appendSignature(dst, signature), '}')
}

func appendSignature(dst []byte, signature string) []byte {
	if signature == "" {
		return dst
	}
	return rawjson.AppendString(append(dst, `,"thoughtSignature":`...), signature)
}

// call writes a call, whose arguments must be a JSON object. One with other arguments
// is left out, and the answer ends as Google's do then, with MALFORMED_FUNCTION_CALL.
func (w *candidateWriter) call(dst []byte, p *llm.Part) []byte {
	n := w.calls
	w.calls++
	args, ok := arguments(p.Call.Arguments)
	if !ok {
		w.broken = "Malformed function call: " + wire.Clip(p.Call.Name+"("+p.Call.Arguments+")")
		w.lost.Add(llm.FieldOther)
		return dst
	}
	if p.Call.ID == "" {
		p.Call.ID = "call_" + w.req.ID + "_" + strconv.Itoa(w.index) + "_" + strconv.Itoa(n)
	}
	dst = rawjson.AppendString(append(comma(dst, '['), `{"functionCall":{"id":`...), p.Call.ID)
	dst = rawjson.AppendString(append(dst, `,"name":`...), p.Call.Name)
	dst = append(rawjson.AppendLine(append(dst, `,"args":`...), args), '}')
	return append(appendSignature(dst, carry(p)), '}')
}

func arguments(text string) (args []byte, ok bool) {
	if text == "" {
		return []byte("{}"), true
	}
	doc, err := rawjson.Check([]byte(text), rawjson.Limits{})
	return doc.Root().Raw(), err == nil && doc.Root().Kind() == rawjson.Object
}

func (w *candidateWriter) media(dst []byte, p *llm.Part) []byte {
	m := p.Media
	mime := m.MIME
	if mime == "" {
		mime = unsaid[p.Kind]
	}
	switch {
	case m.Base64 != "":
		dst = rawjson.AppendString(append(comma(dst, '['), `{"inlineData":{"mimeType":`...), mime)
		dst = rawjson.AppendString(append(dst, `,"data":`...), m.Base64)
	case m.URL != "":
		dst = rawjson.AppendString(append(comma(dst, '['), `{"fileData":{"mimeType":`...), mime)
		dst = rawjson.AppendString(append(dst, `,"fileUri":`...), m.URL)
	default:
		w.lost.Add(fieldsOf[p.Kind])
		return dst
	}
	return append(dst, "}}"...)
}

// end writes why the candidate ended, and what belongs there, behind its content.
func (w *candidateWriter) end(dst []byte, stop llm.Stop) []byte {
	reason := finishReasons[stop.Reason]
	if w.broken != "" && reason == "STOP" {
		reason = "MALFORMED_FUNCTION_CALL"
	}
	if reason == "" {
		reason = "OTHER"
	}
	dst = append(append(append(dst, `,"finishReason":"`...), reason...), `","index":`...)
	dst = strconv.AppendInt(dst, int64(w.index), 10)
	if w.broken != "" {
		dst = rawjson.AppendString(append(dst, `,"finishMessage":`...), w.broken)
	}
	return w.cited.append(dst)
}

// finishReasons is the table of why an answer ended. Calls of tools end one as well
// as words do.
var finishReasons = map[llm.StopReason]string{
	llm.StopEnd: "STOP", llm.StopSequence: "STOP", llm.StopTools: "STOP", llm.StopLength: "MAX_TOKENS",
	llm.StopFilter: "SAFETY", llm.StopRefusal: "SAFETY",
}

// writeVectors answers embedContent with one vector and batchEmbedContents with all.
func writeVectors(req *llm.Request, a *llm.Answer) []byte {
	var body []byte
	if isBatch(req) || len(a.Vectors) != 1 {
		body = append(body, `{"embeddings":[`...)
		for _, v := range a.Vectors {
			body = appendVector(comma(body, '['), v)
		}
		body = append(body, ']')
	} else {
		body = appendVector(append(body, `{"embedding":`...), a.Vectors[0])
	}
	if a.Counted {
		body = strconv.AppendInt(append(body, `,"usageMetadata":{"promptTokenCount":`...), a.Usage.TotalInput(), 10)
		body = append(body, '}')
	}
	return append(body, '}')
}

func appendVector(dst []byte, v []float32) []byte {
	return append(wire.AppendVector(append(dst, `{"values":`...), v), '}')
}
