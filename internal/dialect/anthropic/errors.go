package anthropic

import (
	"errors"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// errorTypes is the table kind → type of the error that clients see.
var errorTypes = map[llm.Kind]string{
	llm.Invalid: "invalid_request_error", llm.TooLong: "invalid_request_error", llm.Unsupported: "invalid_request_error",
	llm.Unauthorized: "authentication_error", llm.Budget: "billing_error",
	llm.Forbidden: "permission_error", llm.Blocked: "permission_error",
	llm.NotFound: "not_found_error", llm.TooLarge: "request_too_large", llm.RateLimited: "rate_limit_error",
	llm.Overloaded: "overloaded_error", llm.Timeout: "timeout_error",
}

// tooLong is how this dialect's own upstreams begin to say that a prompt does not fit.
// Agents look for it to shorten their history.
const tooLong = "prompt is too long"

// AppendError writes the error body of this dialect:
// {"type":"error","error":{"type","message"}}.
func AppendError(dst []byte, e *llm.Error) []byte {
	kind, ok := errorTypes[e.Kind]
	if !ok {
		kind = "api_error"
	}
	message := e.Message
	if e.Kind == llm.TooLong && !strings.Contains(message, tooLong) {
		message = tooLong + ": " + message
	}
	dst = append(append(append(dst, `{"type":"error","error":{"type":"`...), kind...), `","message":`...)
	return append(rawjson.AppendString(dst, message), "}}"...)
}

// AppendFailure writes the event by which a stream of this dialect tells of an error.
func AppendFailure(dst []byte, e *llm.Error) []byte {
	return append(AppendError(append(dst, "event: error\ndata: "...), e), "\n\n"...)
}

// ownStatuses are what a status means here beside what it means everywhere.
var ownStatuses = map[int]llm.Kind{402: llm.Budget, 529: llm.Overloaded}

// typeKinds is the table wire type → kind. It says more than the status, which is
// 200 within a stream.
var typeKinds = map[string]llm.Kind{
	"invalid_request_error": llm.Invalid, "authentication_error": llm.Unauthorized, "billing_error": llm.Budget,
	"permission_error": llm.Forbidden, "not_found_error": llm.NotFound, "request_too_large": llm.TooLarge,
	"rate_limit_error": llm.RateLimited, "timeout_error": llm.Timeout, "api_error": llm.Upstream, "overloaded_error": llm.Overloaded,
	"exceed_context_size_error": llm.TooLong, // llama.cpp's
}

// invalidTexts tell what an invalid_request_error is about, which its type does not.
var invalidTexts = []struct {
	text string
	kind llm.Kind
}{
	{tooLong, llm.TooLong},
	{"exceed context limit", llm.TooLong},
	{"maximum context length", llm.TooLong}, // of engines that speak the dialect
	{"credit balance is too low", llm.Budget},
}

// DecodeError reads an upstream's error answer. Body may be anything, also empty
// or HTML: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, ownStatuses)
	readErrorBody(e, body)
	return wire.SayStatus(e)
}

// decodeStreamError reads an error that came with status 200 or inside a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream}
	readErrorBody(e, body)
	return wire.SayUnsaid(e)
}

// readErrorBody takes type and message from {"error":{…}}, or from what engines that
// imitate the dialect send instead: {"error":"…"} or {"message":"…"}.
func readErrorBody(e *llm.Error, body []byte) {
	if len(body) == 0 || body[0] != '{' {
		return
	}
	at, ok := rawjson.Lookup(body, "error")
	if !ok {
		at, _ = rawjson.Lookup(body)
	}
	if text, isStr := at.Str(); isStr {
		e.Message = wire.Clip(text)
		return
	}
	kind, _ := at.Get("type")
	message, _ := at.Get("message")
	word, _ := kind.Str()
	text, _ := message.Str()
	e.Message = wire.Clip(text)
	if known, ok := typeKinds[word]; ok {
		e.Kind = known
	} else if word != "error" {
		e.Code = wire.Clip(word)
	}
	if e.Kind == llm.Invalid {
		for _, row := range invalidTexts {
			if strings.Contains(strings.ToLower(text), row.text) {
				e.Kind = row.kind
				break
			}
		}
	}
	if id, _ := rawjson.Lookup(body, "request_id"); id.Kind() == rawjson.String {
		name, _ := id.Str()
		e.Err = errors.New("the upstream calls this request " + wire.Clip(name))
	}
}
