package tgi

import (
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// errorKinds is the table error_type → kind, which says more than the status and is all
// there is within a stream.
var errorKinds = map[string]llm.Kind{
	"validation": llm.Invalid, "overloaded": llm.Overloaded, "generation": llm.Upstream, "incomplete_generation": llm.Upstream,
}

// DecodeError reads a server's error answer, {"error":"…","error_type":"…"}. Body may be
// anything: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, nil)
	readError(e, body)
	return wire.SayStatus(e)
}

// decodeStreamError reads an error that came with status 200 or within a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream}
	readError(e, body)
	return wire.SayUnsaid(e)
}

func readError(e *llm.Error, body []byte) {
	for _, name := range [...]string{"error", "message"} { // the second is of proxies before it
		v, _ := rawjson.Lookup(body, name)
		if text, ok := v.Str(); ok && e.Message == "" {
			e.Message = wire.Clip(text)
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
