package bedrock

import (
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// exceptionKinds is the table exception → kind, in lower case, for streams and for bodies that
// name theirs.
var exceptionKinds = map[string]llm.Kind{
	"throttlingexception": llm.RateLimited, "validationexception": llm.Invalid, "modeltimeoutexception": llm.Timeout,
	"serviceunavailableexception": llm.Overloaded, "internalserverexception": llm.Upstream, "modelstreamerrorexception": llm.Upstream,
	"modelerrorexception": llm.Upstream, "modelnotreadyexception": llm.Overloaded, "servicequotaexceededexception": llm.RateLimited,
	"accessdeniedexception": llm.Forbidden, "resourcenotfoundexception": llm.NotFound,
	"unrecognizedclientexception": llm.Unauthorized, "invalidsignatureexception": llm.Unauthorized, "expiredtokenexception": llm.Unauthorized,
	"missingauthenticationtokenexception": llm.Unauthorized, "incompletesignatureexception": llm.Unauthorized,
}

// phrases tell of what AWS has no exception for. They are compared in lower case, and
// the first that fits counts.
var phrases = [...]struct {
	text string
	kind llm.Kind
}{
	{"input is too long", llm.TooLong}, {"prompt is too long", llm.TooLong}, {"exceed context limit", llm.TooLong},
	{"maximum context length", llm.TooLong}, {"too many input tokens", llm.TooLong}, {"input tokens exceeded", llm.TooLong},
	{"exceeds the maximum number of tokens", llm.TooLong}, {"context window", llm.TooLong},
	{"model identifier is invalid", llm.NotFound}, {"could not resolve the foundation model", llm.NotFound},
	{"security token", llm.Unauthorized}, {"request signature we calculated", llm.Unauthorized}, {"signature expired", llm.Unauthorized},
	{"api key", llm.Unauthorized},
}

// judgeable are the kinds that a phrase may tell more exactly.
var judgeable = map[llm.Kind]bool{llm.Invalid: true, llm.Forbidden: true, llm.Upstream: true, llm.TooLarge: true}

// DecodeError reads an upstream's error answer. Which exception it was stands in a header, so
// the status decides, and the text where that is more exact; 424 is an error of the model itself.
// Body may be anything.
func DecodeError(status int, body []byte) *llm.Error {
	e := wire.Refusal(status, nil)
	root, _ := rawjson.Lookup(body)
	name, _ := root.Get("__type")
	if text, ok := name.Str(); ok {
		text = text[strings.LastIndexByte(text, '#')+1:]
		e.Code = wire.Clip(text)
		if known, ok := exceptionKinds[strings.ToLower(text)]; ok {
			e.Kind = known
		}
	}
	e.Message = messageOf(root)
	judge(e)
	return wire.SayStatus(e)
}

// exception reads an error that came within a stream.
func exception(name string, data []byte) *llm.Error {
	e := &llm.Error{Kind: llm.Upstream, Code: wire.Clip(name)}
	if known, ok := exceptionKinds[strings.ToLower(name)]; ok {
		e.Kind = known
	}
	root, _ := rawjson.Lookup(data)
	if e.Message = messageOf(root); e.Message == "" && root.Kind() != rawjson.Object {
		e.Message = wire.Clip(strings.ToValidUTF8(string(data), ""))
	}
	judge(e)
	if e.Message == "" {
		e.Message = "the upstream reported " + e.Code + " within its answer"
	}
	return e
}

// messageOf is the text of an error: front doors of AWS write it with a capital letter.
func messageOf(root rawjson.Value) string {
	for _, name := range [...]string{"message", "Message"} {
		v, _ := root.Get(name)
		if text, ok := v.Str(); ok && text != "" {
			return wire.Clip(text)
		}
	}
	return ""
}

func judge(e *llm.Error) {
	if !judgeable[e.Kind] {
		return
	}
	text := strings.ToLower(e.Message)
	for _, p := range phrases {
		if (p.kind != llm.Unauthorized || e.Kind == llm.Forbidden) && strings.Contains(text, p.text) {
			e.Kind = p.kind
			return
		}
	}
}
