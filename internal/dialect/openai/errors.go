package openai

import (
	"github.com/fairlead/fairlead/internal/dialect/openaierr"
	"github.com/fairlead/fairlead/internal/llm"
)

// AppendError writes the error body of this dialect:
// {"error":{"message","type","param","code"}}.
func AppendError(dst []byte, e *llm.Error) []byte { return openaierr.Append(dst, e) }

// DecodeError reads an upstream's error answer. Body may be anything, also empty
// or HTML: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error { return openaierr.Decode(status, body) }

// decodeStreamError reads an error that came with status 200 or inside a stream.
func decodeStreamError(body []byte) *llm.Error { return openaierr.DecodeWithin(body) }
