package ollama

import (
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// AppendError writes the error body of this dialect: {"error":"…"}. Its one text is all
// that its clients look at; the status says the kind.
func AppendError(dst []byte, e *llm.Error) []byte {
	return append(rawjson.AppendString(append(dst, `{"error":`...), e.Message), '}')
}

// AppendFailure writes the line by which a stream of this dialect tells of an error.
func AppendFailure(dst []byte, e *llm.Error) []byte { return append(AppendError(dst, e), '\n') }

// DecodeError reads a server's error answer. Body may be anything: then the status
// alone speaks.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, nil)
	e.Message = errorText(body)
	return sharpen(wire.SayStatus(e))
}

// decodeStreamError reads an error that came with status 200 or as a line of a stream.
func decodeStreamError(body []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream, Message: errorText(body)}
	return sharpen(wire.SayUnsaid(e))
}

// sharpen tells the kinds apart that this dialect tells apart by words alone.
func sharpen(e *llm.Error) *llm.Error {
	text := strings.ToLower(e.Message)
	switch {
	case e.Kind != llm.Invalid && e.Kind != llm.Upstream:
	case strings.Contains(text, "context length"), strings.Contains(text, "context size"), strings.Contains(text, "context window"):
		e.Kind = llm.TooLong
	case strings.Contains(text, "server busy"):
		e.Kind = llm.Overloaded
	case e.Kind == llm.Invalid && strings.Contains(text, "does not support"): // a model's ability, which another may have
		e.Kind = llm.Unsupported
	}
	return e
}

// errorText finds the text of {"error":"…"}, or of what stands before Ollama:
// {"error":{"message":"…"}}, {"message":"…"}.
func errorText(body []byte) string {
	for _, path := range [...][]string{{"error"}, {"error", "message"}, {"message"}} {
		v, _ := rawjson.Lookup(body, path...)
		if text, ok := v.Str(); ok {
			return wire.Clip(text)
		}
	}
	return ""
}
