package cohere

import (
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// AppendError writes the error body of this dialect: {"message"}, with the kind and the field
// beside it, which its clients do not look at.
func AppendError(dst []byte, e *llm.Error) []byte {
	dst = rawjson.AppendString(append(dst, `{"message":`...), e.Message)
	dst = rawjson.AppendString(append(dst, `,"type":`...), string(e.Kind))
	if e.Param != "" {
		dst = rawjson.AppendString(append(dst, `,"param":`...), e.Param)
	}
	if e.Code != "" {
		dst = rawjson.AppendString(append(dst, `,"code":`...), e.Code)
	}
	return append(dst, '}')
}

// ownStatuses are what a status means here beside what it means everywhere; 498 is Cohere's
// for a blocked input or an expired token.
var ownStatuses = map[int]llm.Kind{498: llm.Unauthorized, 529: llm.Overloaded}

// tooLong are phrases by which a prompt that does not fit is refused, in lower case.
var tooLong = [...]string{"too many tokens", "prompt is too long", "context length", "too long for", "maximum tokens per", "exceeds the maximum number of tokens"}

// DecodeError reads an upstream's error answer. The body may be anything.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, ownStatuses)
	e.Message = messageOf(body)
	if e.Kind == llm.Invalid || e.Kind == llm.TooLarge {
		text := strings.ToLower(e.Message)
		for _, phrase := range tooLong {
			if strings.Contains(text, phrase) {
				e.Kind = llm.TooLong
			}
		}
	}
	return wire.SayStatus(e)
}

// messageOf is the text of an error: {"message"} of Cohere, {"detail"} of Jina and Voyage,
// {"error"} or {"error":{"message"}} of the engines.
func messageOf(body []byte) string {
	root, _ := rawjson.Lookup(body)
	for _, path := range [][]string{{"message"}, {"detail"}, {"error", "message"}, {"error"}} {
		v, _ := root.Path(path...)
		if text, ok := v.Str(); ok && text != "" {
			return wire.Clip(text)
		}
	}
	return ""
}

// noAnswer is the error for an answer without its main field, which may be an error with status
// 200.
func noAnswer(doc *rawjson.Doc, field string) error {
	if text := messageOf(doc.Bytes()); text != "" {
		return &llm.Error{Kind: llm.Upstream, Message: text}
	}
	return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no " + field}
}
