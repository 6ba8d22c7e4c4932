package responses

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/openaierr"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// AppendError writes the error body of this dialect:
// {"error":{"message","type","param","code"}}.
func AppendError(dst []byte, e *llm.Error) []byte { return openaierr.Append(dst, e) }

// DecodeError reads an upstream's error answer. Body may be anything, also empty
// or HTML: then the status alone speaks.
func DecodeError(status int, body []byte) *llm.Error { return openaierr.Decode(status, body) }

// failure reads the error of an answer that failed, which has a code and a message, or
// of an error event, which has them at its root.
func failure(at []byte) *llm.Error {
	e := openaierr.DecodeWithin(at)
	switch code := e.Code; {
	case e.Kind != llm.Upstream:
	case strings.HasPrefix(code, "invalid_"), strings.Contains(code, "image_") && !strings.Contains(code, "policy"):
		e.Kind = llm.Invalid
	case strings.Contains(code, "policy"):
		e.Kind = llm.Blocked
	case code == "slow_down":
		e.Kind = llm.Overloaded
	}
	return e
}

// appendFailure writes the event by which a stream of this dialect tells of an error.
func appendFailure(dst []byte, e *llm.Error, sequence int64) []byte {
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"code\":"...)
	dst = openaierr.AppendOrNull(dst, openaierr.Code(e))
	dst = rawjson.AppendString(append(dst, `,"message":`...), e.Message)
	dst = openaierr.AppendOrNull(append(dst, `,"param":`...), e.Param)
	dst = strconv.AppendInt(append(dst, `,"sequence_number":`...), sequence, 10)
	return append(dst, "}\n\n"...)
}
