package tgi

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// maxMessage bounds how much of an upstream's error text is passed on.
const maxMessage = 2000

// statusKinds is the table wire status → kind. What is not in it is Upstream.
var statusKinds = map[int]llm.Kind{
	400: llm.Invalid, 413: llm.TooLarge, 422: llm.Invalid,
	401: llm.Unauthorized, 403: llm.Forbidden, 404: llm.NotFound,
	408: llm.Timeout, 429: llm.RateLimited, 503: llm.Overloaded, 504: llm.Timeout,
}

// errorKinds is the table error_type → kind, which says more than the status and is all
// there is within a stream.
var errorKinds = map[string]llm.Kind{
	"validation": llm.Invalid, "overloaded": llm.Overloaded, "generation": llm.Upstream, "incomplete_generation": llm.Upstream,
}

// DecodeError reads a server's error answer, {"error":"…","error_type":"…"}. Body may be
// anything: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	kind, ok := statusKinds[status]
	if !ok {
		kind = llm.Upstream
	}
	e := &llm.Error{Kind: kind, Status: status}
	readError(e, body)
	if e.Message == "" {
		e.Message = "the upstream answered with HTTP status " + strconv.Itoa(status)
	}
	return e
}

// decodeStreamError reads an error that came with status 200 or within a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream}
	readError(e, body)
	if e.Message == "" {
		e.Message = "the upstream reported an error without saying which"
	}
	return e
}

func readError(e *llm.Error, body []byte) {
	for _, name := range [...]string{"error", "message"} { // the second is of proxies before it
		v, _ := rawjson.Lookup(body, name)
		if text, ok := v.Str(); ok && e.Message == "" {
			e.Message = clip(text)
		}
	}
	v, _ := rawjson.Lookup(body, "error_type")
	word, _ := v.Str()
	if kind, ok := errorKinds[word]; ok {
		e.Kind = kind
	}
	if e.Kind == llm.Invalid && isTooLong(e.Message) {
		e.Kind = llm.TooLong
	}
}

// isTooLong finds the two refusals of a prompt that does not fit among all that are
// called "validation":
//
//	`inputs` must have less than 1024 tokens. Given: 2000
//	`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`
func isTooLong(message string) bool {
	return strings.Contains(message, "`inputs`") && strings.Contains(message, "tokens") && strings.Contains(message, "Given")
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + " …"
}
