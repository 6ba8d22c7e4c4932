package triton

import (
	"bytes"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// DecodeError reads a server's error answer, {"error":"…"}. Where events were asked for,
// it may be the first of them. Body may be anything: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, nil)
	e.Message = errorText(bytes.TrimPrefix(body, []byte("data:")))
	return sharpen(wire.SayStatus(e))
}

// decodeStreamError reads an error that came with status 200 or within a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream, Message: errorText(body)}
	return sharpen(wire.SayUnsaid(e))
}

func errorText(body []byte) string {
	v, _ := rawjson.Lookup(body, "error")
	text, _ := v.Str()
	return wire.Clip(text)
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
