package gemini

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer.
var answerLimits = rawjson.Limits{Depth: 256}

// Answer reads a plain answer with status 200: is it well formed, what did it use,
// what is its id. The body is passed on as it is.
//
// A prompt that was blocked has no candidates, but Google answers it with status 200
// and bills it. So it is an answer that stopped for the filter and no error: clients of
// this dialect see promptFeedback, others the stop reason that they know.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	if v, ok := doc.Get("error"); ok && v.Kind() != rawjson.Null {
		return out, decodeStreamError(body)
	}
	if usage, ok := doc.Get("usageMetadata"); ok && usage.Kind() == rawjson.Object {
		if tokens, err := Usage(usage); err == nil {
			out.Marks |= llm.MarkUsage
			out.Usage = tokens
		}
	}
	switch req.Surface {
	case llm.Embeddings:
		err = vectors(&out, &doc, opt)
	case llm.CountTokens:
		err = tokenCount(&out, &doc, opt)
	default:
		err = candidates(&out, &doc, req, opt)
	}
	return out, err
}

func candidates(out *llm.Event, doc *rawjson.Doc, req *llm.Request, opt llm.Options) error {
	root := doc.Root()
	list, _ := root.Get("candidates")
	for c := range list.Items() {
		_, n := contentOf(c)
		out.TextBytes += n
		if word, ok := finishReason(c); ok && out.StopReason == "" {
			out.StopReason = word
		}
	}
	if reason, ok := blocked(root); ok {
		out.StopReason = reason
	} else if wire.NoItems(list) {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no candidates"}
	}
	id, _ := root.Get("responseId")
	out.AnswerID, _ = id.Str()
	if !opt.Translate {
		return nil
	}
	read := deltas{request: req.ID}
	read.chunk(root)
	var c llm.Collect
	for _, d := range read.out {
		c.Add(d)
	}
	out.Answer = c.Whole()
	out.Answer.Usage, out.Answer.Counted = out.Usage, out.Marks&llm.MarkUsage != 0
	return nil
}

// vectors reads the answer of embedContent or batchEmbedContents. It has counts for
// newer models alone.
func vectors(out *llm.Event, doc *rawjson.Doc, opt llm.Options) error {
	list, ok := doc.Get("embeddings")
	one, single := doc.Get("embedding")
	if !ok && !single {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no embeddings"}
	}
	if !opt.Translate {
		return nil
	}
	a := &llm.Answer{Usage: out.Usage, Counted: out.Marks&llm.MarkUsage != 0}
	if single {
		a.Vectors = append(a.Vectors, readVector(one))
	}
	for item := range list.Items() {
		a.Vectors = append(a.Vectors, readVector(item))
	}
	out.Answer = a
	return nil
}

func readVector(embedding rawjson.Value) []float32 {
	values, _ := embedding.Get("values")
	return wire.ReadVector(values)
}

// tokenCount reads the answer of countTokens. Counting is free, so the event says that
// nothing was used; the count itself is the answer's.
func tokenCount(out *llm.Event, doc *rawjson.Doc, opt llm.Options) error {
	total, _ := doc.Get("totalTokens")
	n, ok := total.Int()
	if total.Kind() == rawjson.Invalid { // proto3 leaves a 0 out
		n, ok = 0, true
	}
	if !ok || n < 0 || n > money.MaxTokens {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no totalTokens"}
	}
	out.Marks |= llm.MarkUsage
	out.Usage = money.Tokens{}
	if opt.Translate {
		out.Answer = &llm.Answer{Usage: money.Tokens{Input: n}, Counted: true}
	}
	return nil
}
