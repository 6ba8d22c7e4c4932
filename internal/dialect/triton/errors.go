package triton

import (
	"bytes"
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

// DecodeError reads a server's error answer, {"error":"…"}. Where events were asked for,
// it may be the first of them. Body may be anything: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	kind, ok := statusKinds[status]
	if !ok {
		kind = llm.Upstream
	}
	e := &llm.Error{Kind: kind, Status: status, Message: errorText(bytes.TrimPrefix(body, []byte("data:")))}
	if e.Message == "" {
		e.Message = "the upstream answered with HTTP status " + strconv.Itoa(status)
	}
	return sharpen(e)
}

// decodeStreamError reads an error that came with status 200 or within a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream, Message: errorText(body)}
	if e.Message == "" {
		e.Message = "the upstream reported an error without saying which"
	}
	return sharpen(e)
}

func errorText(body []byte) string {
	v, _ := rawjson.Lookup(body, "error")
	text, _ := v.Str()
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + " …"
}

// sharpen tells kinds apart that servers answer with 400 alike.
func sharpen(e *llm.Error) *llm.Error {
	text := strings.ToLower(e.Message)
	switch {
	case e.Kind != llm.Invalid && e.Kind != llm.Upstream:
	case strings.Contains(text, "unknown model"), strings.Contains(text, "model is not ready"):
		e.Kind = llm.NotFound
	case strings.Contains(text, "exceeds maximum input length"), strings.Contains(text, "exceed max_input_len"),
		strings.Contains(text, "exceeds max_seq_len"), strings.Contains(text, "maximum sequence length"):
		e.Kind = llm.TooLong
	case strings.Contains(text, "exceeds maximum queue size"):
		e.Kind = llm.Overloaded
	case e.Kind == llm.Invalid && strings.Contains(text, "executor failed"): // the model's fault, not the request's
		e.Kind = llm.Upstream
	}
	return e
}
