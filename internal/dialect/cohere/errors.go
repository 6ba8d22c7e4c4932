package cohere

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// maxMessage bounds how much of an upstream's error text is passed on.
const maxMessage = 2000

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

// statusKinds is the table wire status → kind. What is not in it is Upstream; 498 is Cohere's
// for a blocked input or an expired token.
var statusKinds = map[int]llm.Kind{
	400: llm.Invalid, 401: llm.Unauthorized, 403: llm.Forbidden, 404: llm.NotFound, 408: llm.Timeout, 413: llm.TooLarge, 422: llm.Invalid,
	429: llm.RateLimited, 498: llm.Unauthorized, 503: llm.Overloaded, 504: llm.Timeout, 529: llm.Overloaded,
}

// tooLong are phrases by which a prompt that does not fit is refused, in lower case.
var tooLong = [...]string{"too many tokens", "prompt is too long", "context length", "too long for", "maximum tokens per", "exceeds the maximum number of tokens"}

// DecodeError reads an upstream's error answer. The body may be anything.
func DecodeError(status int, body []byte) *llm.Error {
	kind, ok := statusKinds[status]
	if !ok {
		kind = llm.Upstream
	}
	e := &llm.Error{Kind: kind, Status: status, Message: messageOf(body)}
	if e.Kind == llm.Invalid || e.Kind == llm.TooLarge {
		text := strings.ToLower(e.Message)
		for _, phrase := range tooLong {
			if strings.Contains(text, phrase) {
				e.Kind = llm.TooLong
			}
		}
	}
	if e.Message == "" {
		e.Message = "the upstream answered with HTTP status " + strconv.Itoa(status)
	}
	return e
}

// messageOf is the text of an error: {"message"} of Cohere, {"detail"} of Jina and Voyage,
// {"error"} or {"error":{"message"}} of the engines.
func messageOf(body []byte) string {
	root, _ := rawjson.Lookup(body)
	for _, path := range [][]string{{"message"}, {"detail"}, {"error", "message"}, {"error"}} {
		v, _ := root.Path(path...)
		if text, ok := v.Str(); ok && text != "" {
			return clip(text)
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + " …"
}

// noAnswer is the error for an answer without its main field, which may be an error with status
// 200.
func noAnswer(doc *rawjson.Doc, field string) error {
	if text := messageOf(doc.Bytes()); text != "" {
		return &llm.Error{Kind: llm.Upstream, Message: text}
	}
	return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has no " + field}
}
