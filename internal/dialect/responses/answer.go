package responses

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// answerLimits bounds what an upstream may send as a plain answer.
var answerLimits = rawjson.Limits{Depth: 128}

// Answer reads a plain answer with status 200: is it well formed, what did it use, what
// is its id. The body is passed on as it is.
func Answer(req *llm.Request, opt llm.Options, body []byte) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: body}
	doc, err := wire.Answer(body, answerLimits)
	if err != nil {
		return out, err
	}
	response := doc.Root()
	status, _ := response.Get("status")
	output, _ := response.Get("output")
	fault, _ := response.Get("error")
	switch {
	case status.Is("failed"), output.Kind() != rawjson.Array && fault.Kind() == rawjson.Object:
		return out, failure(fault.Raw())
	case output.Kind() != rawjson.Array:
		return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no output"}
	}
	id, _ := response.Get("id")
	out.AnswerID, _ = id.Str()
	if tokens, ok := readUsage(response); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
	out.StopReason = stopWord(req, response)
	out.TextBytes = textBytes(output)
	if opt.Translate {
		out.Answer = neutralAnswer(response, &out)
	}
	return out, nil
}

// neutralAnswer reads all of an answer that was checked.
func neutralAnswer(response rawjson.Value, ev *llm.Event) *llm.Answer {
	var d deltas
	d.begin(response)
	d.end(response, ev)
	var c llm.Collect
	for i := range d.out {
		c.Add(d.out[i])
	}
	a := c.Whole()
	tier, _ := response.Get("service_tier")
	a.Tier, _ = tier.Str()
	return a
}

// stopWord is the upstream's word for why its answer ended. One that goes on in the
// background has not ended, and need not: the client asked for that.
func stopWord(req *llm.Request, response rawjson.Value) string {
	status, _ := response.Get("status")
	word, _ := status.Str()
	switch word {
	case "incomplete":
		if reason, _ := response.Path("incomplete_details", "reason"); reason.Kind() == rawjson.String {
			word, _ = reason.Str()
		}
	case "queued", "in_progress":
		if background, _ := req.Doc.Get("background"); !isTrue(background) {
			return ""
		}
	}
	return word
}

func isTrue(v rawjson.Value) bool {
	is, _ := v.Bool()
	return is
}

// readStop reads why an answer ended.
func readStop(response rawjson.Value, word string, called, refused bool) llm.Stop {
	stop := llm.Stop{Reason: llm.StopOther, Word: word}
	switch status, _ := response.Get("status"); {
	case word == "max_output_tokens", word == "max_tokens":
		stop.Reason = llm.StopLength
	case word == "content_filter":
		stop.Reason = llm.StopFilter
	case !status.Is("completed"):
	case called:
		stop.Reason = llm.StopTools
	case refused:
		stop.Reason = llm.StopRefusal
	default:
		stop.Reason = llm.StopEnd
	}
	return stop
}

// readUsage turns the usage of a response into disjoint token classes: input_tokens
// include those that the cache read and wrote, output_tokens those of reasoning.
// Contradictory counts are as good as none: the bill is estimated.
func readUsage(response rawjson.Value) (money.Tokens, bool) {
	usage, _ := response.Get("usage")
	if usage.Kind() != rawjson.Object {
		return money.Tokens{}, false
	}
	count := func(path ...string) int64 {
		v, _ := usage.Path(path...)
		n, _ := v.Int()
		return n
	}
	tokens, err := money.FromInclusive(money.Inclusive{
		Prompt:     count("input_tokens"),
		Cached:     count("input_tokens_details", "cached_tokens"),
		CacheWrite: count("input_tokens_details", "cache_write_tokens"),
		Completion: count("output_tokens"),
		Reasoning:  count("output_tokens_details", "reasoning_tokens"),
		Total:      count("total_tokens"),
	})
	return tokens, err == nil
}

// textBytes is how much text was generated, thought and arguments too.
func textBytes(output rawjson.Value) (n int) {
	for it := range output.Items() {
		for name, v := range it.Members() {
			switch {
			case name.Is("arguments"), name.Is("input"):
				n += len(v.Raw())
			case name.Is("content"), name.Is("summary"):
				for p := range v.Items() {
					text, _ := p.Get("text")
					refusal, _ := p.Get("refusal")
					n += len(text.Raw()) + len(refusal.Raw())
				}
			}
		}
	}
	return n
}
