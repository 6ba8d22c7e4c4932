package wire

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// MaxMessage bounds how much of an upstream's error text is passed on.
const MaxMessage = 2000

// Clip bounds how much of an upstream's text is passed on.
func Clip(s string) string {
	if len(s) <= MaxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:MaxMessage], "") + " …"
}

// statusKinds is the table wire status → kind that the dialects share.
var statusKinds = map[int]llm.Kind{
	400: llm.Invalid, 401: llm.Unauthorized, 403: llm.Forbidden, 404: llm.NotFound, 408: llm.Timeout, 413: llm.TooLarge,
	422: llm.Invalid, 429: llm.RateLimited, 503: llm.Overloaded, 504: llm.Timeout,
}

// KindOf is what an upstream's status means. Own is what a dialect has beside the usual
// statuses, or means by them.
func KindOf(status int, own map[int]llm.Kind) (kind llm.Kind, known bool) {
	if kind, known = own[status]; !known {
		kind, known = statusKinds[status]
	}
	return kind, known
}

// Refusal begins the error of an upstream's answer with another status than 200, by the
// status alone. What KindOf does not know is Upstream.
func Refusal(status int, own map[int]llm.Kind) *llm.Error {
	kind, known := KindOf(status, own)
	if !known {
		kind = llm.Upstream
	}
	return &llm.Error{Kind: kind, Status: status}
}

// SayStatus gives a refusal whose body said nothing a message.
func SayStatus(e *llm.Error) *llm.Error {
	if e.Message == "" {
		e.Message = "the upstream answered with HTTP status " + strconv.Itoa(e.Status)
	}
	return e
}

// SayUnsaid gives an error that came with status 200 or within a stream, and said nothing
// more, a message.
func SayUnsaid(e *llm.Error) *llm.Error {
	if e.Message == "" {
		e.Message = "the upstream reported an error without saying which"
	}
	return e
}

// Answer checks an upstream's plain answer, which must be a JSON object.
func Answer(body []byte, limits rawjson.Limits) (rawjson.Doc, error) {
	doc, err := rawjson.Check(body, limits)
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return doc, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is not a JSON object", Err: err}
	}
	return doc, nil
}
