// Package openaierr is the error body of OpenAI's APIs, which all their dialects share:
// {"error":{"message","type","param","code"}}.
//
// It answers: what went wrong by an upstream's error body, and how is an llm.Error
// told to a client. It must not know which of the dialects is spoken, nor how a stream
// frames an error. Start reading at Append and Decode.
package openaierr

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// maxMessage bounds how much of an upstream's error text is passed on.
const maxMessage = 2000

// errorTypes is the table kind → OpenAI error type and, where the error has none
// of its own, code.
var errorTypes = map[llm.Kind]struct{ kind, code string }{
	llm.Invalid:      {"invalid_request_error", ""},
	llm.Unauthorized: {"invalid_request_error", "invalid_api_key"},
	llm.Forbidden:    {"permission_error", "forbidden"},
	llm.NotFound:     {"invalid_request_error", "not_found"},
	llm.Budget:       {"insufficient_quota", "insufficient_quota"},
	llm.RateLimited:  {"rate_limit_error", "rate_limit_exceeded"},
	llm.Overloaded:   {"overloaded_error", "overloaded"},
	llm.TooLong:      {"invalid_request_error", "context_length_exceeded"},
	llm.TooLarge:     {"invalid_request_error", "request_too_large"},
	llm.Blocked:      {"permission_error", "blocked"},
	llm.Timeout:      {"timeout_error", "timeout"},
	llm.Canceled:     {"canceled_error", "canceled"},
	llm.Unsupported:  {"invalid_request_error", "unsupported"},
	llm.Cut:          {"upstream_error", "stream_cut"},
	llm.Upstream:     {"upstream_error", "upstream_error"},
	llm.Internal:     {"server_error", "internal_error"},
}

// Append writes an error body.
func Append(dst []byte, e *llm.Error) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = rawjson.AppendString(dst, e.Message)
	dst = append(dst, `,"type":`...)
	dst = rawjson.AppendString(dst, errorTypes[e.Kind].kind)
	dst = append(dst, `,"param":`...)
	dst = AppendOrNull(dst, e.Param)
	dst = append(dst, `,"code":`...)
	dst = AppendOrNull(dst, Code(e))
	return append(dst, "}}"...)
}

// Code is the machine-readable code of an error: its own, or that of its kind.
func Code(e *llm.Error) string {
	if e.Code != "" {
		return e.Code
	}
	return errorTypes[e.Kind].code
}

// AppendOrNull writes a string, and null for an empty one.
func AppendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return rawjson.AppendString(dst, s)
}

// statusKinds is the table wire status → kind for what an upstream answers. What
// is not in it is Upstream.
var statusKinds = map[int]llm.Kind{
	400: llm.Invalid, 413: llm.TooLarge, 422: llm.Invalid,
	401: llm.Unauthorized, 402: llm.Unpaid, 403: llm.Forbidden, 404: llm.NotFound,
	408: llm.Timeout, 429: llm.RateLimited, 503: llm.Overloaded, 504: llm.Timeout, 529: llm.Overloaded,
}

// tooLongCodes are what upstreams of this dialect call a prompt that does not fit.
var tooLongCodes = map[string]bool{
	"context_length_exceeded": true, "exceed_context_size_error": true, "string_above_max_length": true,
}

// unpaidCode comes with status 429 when an account has no quota left: no rate limit,
// since waiting does not help.
const unpaidCode = "insufficient_quota"

// Decode reads an upstream's error answer. Body may be anything, also empty or HTML:
// then the status alone speaks.
func Decode(status int, body []byte) *llm.Error {
	kind, ok := statusKinds[status]
	if !ok {
		kind = llm.Upstream
	}
	e := &llm.Error{Kind: kind, Status: status}
	readErrorBody(e, body)
	switch {
	case tooLongCodes[e.Code]:
		e.Kind, e.Code = llm.TooLong, "" // clients of this dialect look for its own code
	case e.Code == unpaidCode || e.Kind == llm.Unpaid:
		e.Kind, e.Code = llm.Unpaid, "" // its code would tell clients that their own money is gone
	}
	if e.Message == "" {
		e.Message = "the upstream answered with HTTP status " + strconv.Itoa(status)
	}
	return e
}

// DecodeWithin reads an error that came with status 200 or inside a stream.
func DecodeWithin(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream}
	readErrorBody(e, body)
	switch kind := strings.ToLower(e.Code); {
	case tooLongCodes[kind]:
		e.Kind, e.Code = llm.TooLong, ""
	case kind == unpaidCode:
		e.Kind, e.Code = llm.Unpaid, ""
	case strings.Contains(kind, "rate_limit"), kind == "429":
		e.Kind = llm.RateLimited
	case strings.Contains(kind, "overloaded"), kind == "503", kind == "529":
		e.Kind = llm.Overloaded
	}
	if e.Message == "" {
		e.Message = "the upstream reported an error without saying which"
	}
	return e
}

// readErrorBody takes message, param and code from {"error":{…}}, {"error":"…"},
// {"message":"…"} or {"detail":…}; engines differ, and Google puts a list around it.
func readErrorBody(e *llm.Error, body []byte) {
	root, ok := rawjson.Lookup(body)
	if !ok {
		return
	}
	for first := range root.Items() {
		root = first
		break
	}
	at, ok := root.Get("error")
	if !ok {
		at = root
		e.Message = detail(root)
	}
	if text, isStr := at.Str(); isStr {
		e.Message = clip(text)
		return
	}
	if v, ok := at.Get("message"); ok {
		if text, isStr := v.Str(); isStr {
			e.Message = clip(text)
		} else if text := detail(v); text != "" {
			e.Message = text
		}
	}
	if v, ok := at.Get("param"); ok {
		e.Param, _ = v.Str()
	}
	for _, name := range [...]string{"code", "type"} { // llama.cpp puts the name into type and a number into code
		v, _ := at.Get(name)
		if text, isStr := v.Str(); isStr && (e.Code == "" || tooLongCodes[text] || text == unpaidCode) {
			e.Code = text
		}
	}
	if v, _ := at.Get("code"); e.Code == "" && v.Kind() == rawjson.Number {
		e.Code = string(v.Raw())
	}
}

// detail is the text of a body as FastAPI makes it: {"detail":"…"}, or a list of what is
// wrong with which field.
func detail(root rawjson.Value) string {
	v, _ := root.Get("detail")
	if text, isStr := v.Str(); isStr {
		return clip(text)
	}
	for first := range v.Items() {
		msg, _ := first.Get("msg")
		text, _ := msg.Str()
		var field string
		loc, _ := first.Get("loc")
		for part := range loc.Items() {
			field, _ = part.Str()
		}
		if field != "" && text != "" {
			text = field + ": " + text
		}
		return clip(text)
	}
	return ""
}

// DecodeBase reads what went wrong from MiniMax's base_resp, which comes with status 200
// (https://platform.minimax.io/docs/api-reference/errorcode); nil where it names nothing.
func DecodeBase(base rawjson.Value) *llm.Error {
	v, _ := base.Get("status_code")
	code, _ := v.Int()
	if code == 0 {
		return nil
	}
	e := &llm.Error{Kind: llm.Upstream, Code: strconv.FormatInt(code, 10)}
	if kind, ok := baseKinds[code]; ok {
		e.Kind = kind
	}
	text, _ := base.Get("status_msg")
	e.Message, _ = text.Str()
	if e.Message = clip(e.Message); e.Message == "" {
		e.Message = "the upstream reported an error without saying which"
	}
	return e
}

var baseKinds = map[int64]llm.Kind{
	1001: llm.Timeout, 1002: llm.RateLimited, 1004: llm.Unauthorized, 1008: llm.Unpaid, 1026: llm.Invalid,
	1039: llm.RateLimited, 2013: llm.Invalid, 2049: llm.Unauthorized, 2056: llm.RateLimited,
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + " …"
}
