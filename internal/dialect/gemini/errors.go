package gemini

import (
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// wireErrors is the table kind → HTTP code and google.rpc.Code, as the client sees
// them (https://cloud.google.com/apis/design/errors#handling_errors).
var wireErrors = map[llm.Kind]struct {
	code   int64
	status string
}{
	llm.Invalid:      {400, "INVALID_ARGUMENT"},
	llm.Unauthorized: {401, "UNAUTHENTICATED"},
	llm.Forbidden:    {403, "PERMISSION_DENIED"},
	llm.NotFound:     {404, "NOT_FOUND"},
	llm.Budget:       {402, "RESOURCE_EXHAUSTED"},
	llm.RateLimited:  {429, "RESOURCE_EXHAUSTED"},
	llm.Overloaded:   {503, "UNAVAILABLE"},
	llm.TooLong:      {400, "INVALID_ARGUMENT"},
	llm.TooLarge:     {413, "INVALID_ARGUMENT"},
	llm.Blocked:      {403, "PERMISSION_DENIED"},
	llm.Timeout:      {504, "DEADLINE_EXCEEDED"},
	llm.Canceled:     {499, "CANCELLED"},
	llm.Unsupported:  {400, "FAILED_PRECONDITION"},
	llm.Cut:          {502, "UNAVAILABLE"},
	llm.Upstream:     {502, "UNAVAILABLE"},
	llm.Internal:     {500, "INTERNAL"},
}

// AppendError writes the error body of this dialect: {"error":{"code","message",
// "status"}}, with details where there is a time to wait.
func AppendError(dst []byte, e *llm.Error) []byte {
	row, ok := wireErrors[e.Kind]
	switch {
	case !ok:
		row = wireErrors[llm.Internal]
	case e.Target != "" && (e.Kind == llm.Unauthorized || e.Kind == llm.Forbidden || e.Kind == llm.NotFound):
		row = wireErrors[llm.Upstream] // our key there, not the client's here
	}
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), row.code, 10)
	dst = rawjson.AppendString(append(dst, `,"message":`...), e.Message)
	dst = rawjson.AppendString(append(dst, `,"status":`...), row.status)
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		dst = append(strconv.AppendInt(dst, int64(seconds), 10), `s"}]`...)
	}
	return append(dst, "}}"...)
}

// ownStatuses are what a status means here beside what it means everywhere.
var ownStatuses = map[int]llm.Kind{529: llm.Overloaded}

// rpcKinds is the table google.rpc.Code → kind. A code that is not in it says no more
// than the HTTP status.
var rpcKinds = map[string]llm.Kind{
	"INVALID_ARGUMENT": llm.Invalid, "OUT_OF_RANGE": llm.Invalid, "UNAUTHENTICATED": llm.Unauthorized,
	"PERMISSION_DENIED": llm.Forbidden, "NOT_FOUND": llm.NotFound, "RESOURCE_EXHAUSTED": llm.RateLimited,
	"UNAVAILABLE": llm.Overloaded, "DEADLINE_EXCEEDED": llm.Timeout, "UNIMPLEMENTED": llm.Unsupported,
	"FAILED_PRECONDITION": llm.Forbidden, // no billing, or not in this country: the account's, not the request's
	"INTERNAL":            llm.Upstream, "UNKNOWN": llm.Upstream, "DATA_LOSS": llm.Upstream, "ABORTED": llm.Overloaded, "CANCELLED": llm.Upstream,
}

// DecodeError reads an upstream's error answer. Body may be anything, also empty
// or HTML: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, ownStatuses)
	readError(e, body)
	return wire.SayStatus(e)
}

// decodeStreamError reads an error that came with status 200 or inside a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream}
	if v, ok := rawjson.Lookup(body, "error", "code"); ok {
		code, _ := v.Int()
		if kind, known := wire.KindOf(int(code), ownStatuses); known {
			e.Kind = kind
		}
	}
	readError(e, body)
	return wire.SayUnsaid(e)
}

// readError takes kind, message and details from {"error":{…}}; a stream that was not
// asked for as events puts it into an array.
func readError(e *llm.Error, body []byte) {
	root, _ := rawjson.Lookup(body)
	for item := range root.Items() {
		root = item
		break
	}
	at, _ := root.Get("error")
	if text, ok := at.Str(); ok { // of proxies
		e.Message = wire.Clip(text)
		return
	}
	message, _ := at.Get("message")
	text, _ := message.Str()
	e.Message = wire.Clip(text)
	status, _ := at.Get("status")
	word, _ := status.Str()
	if kind, ok := rpcKinds[word]; ok && (kind != llm.Invalid || e.Kind != llm.TooLarge) { // which has no word of its own
		e.Kind = kind
	}
	if e.Kind == llm.Invalid && isTooLong(text) {
		e.Kind = llm.TooLong
	}
	details, _ := at.Get("details")
	for d := range details.Items() {
		readDetail(e, d)
	}
}

// isTooLong knows Google's sentence for a prompt that does not fit, which has no code
// of its own.
func isTooLong(message string) bool {
	return strings.Contains(message, "exceeds the maximum number of tokens") || strings.Contains(message, "input token count")
}

// readDetail reads a detail of google.rpc's error model
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto).
func readDetail(e *llm.Error, d rawjson.Value) {
	kind, _ := d.Get("@type")
	name, _ := kind.Str()
	switch _, name, _ = strings.Cut(name, "google.rpc."); name {
	case "RetryInfo":
		delay, _ := d.Get("retryDelay")
		text, _ := delay.Str()
		if wait, err := time.ParseDuration(text); err == nil && wait > 0 && wait < 1e6*time.Second {
			e.RetryAfter = wait
		}
	case "ErrorInfo":
		if reason, _ := d.Get("reason"); reason.Is("API_KEY_INVALID") || reason.Is("API_KEY_EXPIRED") {
			e.Kind = llm.Unauthorized // which comes with status 400
		}
	case "BadRequest":
		violations, _ := d.Get("fieldViolations")
		for v := range violations.Items() {
			field, _ := v.Get("field")
			e.Param, _ = field.Str()
			return
		}
	}
}
