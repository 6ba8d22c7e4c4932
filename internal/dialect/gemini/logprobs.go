package gemini

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// readLogprobs turns a logprobsResult into OpenAI's form.
func readLogprobs(v rawjson.Value) []byte {
	chosen, _ := v.Get("chosenCandidates")
	tops, _ := v.Get("topCandidates")
	var alternatives []rawjson.Value
	for top := range tops.Items() {
		list, _ := top.Get("candidates")
		alternatives = append(alternatives, list)
	}
	dst := []byte(`{"content":[`)
	i := 0
	for c := range chosen.Items() {
		dst = appendToken(comma(dst, '['), c)
		dst = append(dst, `,"top_logprobs":[`...)
		if i < len(alternatives) {
			for alternative := range alternatives[i].Items() {
				dst = append(appendToken(comma(dst, '['), alternative), '}')
			}
		}
		dst = append(dst, "]}"...)
		i++
	}
	return append(dst, `],"refusal":null}`...)
}

// appendToken writes a token up to its closing brace.
func appendToken(dst []byte, v rawjson.Value) []byte {
	token, _ := v.Get("token")
	text, _ := token.Str()
	dst = rawjson.AppendString(append(dst, `{"token":`...), text)
	dst = append(append(dst, `,"logprob":`...), numberOr0(v, "logProbability")...)
	dst = append(dst, `,"bytes":[`...)
	for _, c := range []byte(text) {
		dst = strconv.AppendInt(comma(dst, '['), int64(c), 10)
	}
	return append(dst, ']')
}

// numberOr0 is a number as it stands; proto3 leaves one of 0 out.
func numberOr0(v rawjson.Value, name string) []byte {
	n, _ := v.Get(name)
	if n.Kind() != rawjson.Number {
		return []byte("0")
	}
	return n.Raw()
}

// appendLogprobs writes logprobs, in OpenAI's form, as a logprobsResult behind other
// fields.
func appendLogprobs(dst, logprobs []byte) []byte {
	if logprobs == nil {
		return dst
	}
	tokens, _ := rawjson.Lookup(logprobs, "content")
	var chosen, tops []byte
	for token := range tokens.Items() {
		chosen = appendCandidate(separated(chosen), token)
		tops = append(separated(tops), `{"candidates":[`...)
		list, _ := token.Get("top_logprobs")
		for top := range list.Items() {
			tops = appendCandidate(comma(tops, '['), top)
		}
		tops = append(tops, "]}"...)
	}
	dst = append(append(dst, `,"logprobsResult":{"topCandidates":[`...), tops...)
	dst = append(append(dst, `],"chosenCandidates":[`...), chosen...)
	return append(dst, "]}"...)
}

func appendCandidate(dst []byte, v rawjson.Value) []byte {
	token, _ := v.Get("token")
	text, _ := token.Str()
	dst = rawjson.AppendString(append(dst, `{"token":`...), text)
	dst = append(append(dst, `,"logProbability":`...), numberOr0(v, "logprob")...)
	return append(dst, '}')
}
