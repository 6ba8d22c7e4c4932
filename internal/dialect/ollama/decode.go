package ollama

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body
// is kept, not copied. Errors are *llm.Error of kind Invalid that name the field.
//
// A request without messages, prompt or input is no mistake in this dialect: it has the
// server load the model. Read refuses it, since no other dialect knows that.
func Decode(in llm.Incoming) (*llm.Request, error) {
	doc, err := rawjson.Check(in.Body, in.Limits)
	if err != nil {
		return nil, badJSON(err)
	}
	if doc.Root().Kind() != rawjson.Object {
		return nil, invalid("", "the body must be a JSON object")
	}
	req := &llm.Request{
		Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed(), StreamUsage: true,
	}
	if err := checkKinds("", doc.Root(), fieldKinds[in.Surface]); err != nil {
		return nil, err
	}
	if req.Model, err = model(&doc); err != nil {
		return nil, err
	}
	if err := readOptions(req); err != nil {
		return nil, err
	}
	readStream(req)
	if err := readNeeds(req); err != nil {
		return nil, err
	}
	return req, checkMessages(req)
}

func badJSON(err error) error {
	e := &llm.Error{Kind: llm.Invalid, Code: "invalid_json", Err: err}
	switch {
	case errors.Is(err, rawjson.ErrDuplicate), errors.Is(err, rawjson.ErrDepth):
		e.Message = "the body was refused: " + err.Error()
	default:
		e.Message = "the body is not valid JSON: " + err.Error()
	}
	return e
}

func invalid(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Param: param, Message: message}
}

func checkKinds(path string, object rawjson.Value, known map[string]kinds) error {
	for name, value := range object.Fields() {
		want, ok := known[name]
		if !ok || value.Kind() == rawjson.Null || slices.Contains(want, value.Kind()) {
			continue
		}
		at := path + name
		return &llm.Error{Kind: llm.Invalid, Param: at, Code: "invalid_type",
			Message: fmt.Sprintf("%s must be %s, got %s", at, want, value.Kind())}
	}
	return nil
}

func (k kinds) String() string {
	names := make([]string, len(k))
	for i, kind := range k {
		names[i] = kind.String()
	}
	return strings.Join(names, " or ")
}

func model(doc *rawjson.Doc) (string, error) {
	v, _ := doc.Get("model")
	name, _ := v.Str()
	switch {
	case name == "":
		return "", invalid("model", "model is required; GET /api/tags lists what can be asked for")
	case len(name) > 256:
		return "", invalid("model", "model must be at most 256 bytes long")
	}
	return name, nil
}

func readOptions(req *llm.Request) error {
	opts, _ := req.Doc.Get("options")
	if err := checkKinds("options.", opts, optionKinds); err != nil {
		return err
	}
	v, _ := opts.Get("num_predict")
	if n, ok := v.Int(); ok && n > 0 { // -1 and -2 are this dialect's words for no bound
		req.MaxTokens = n
	}
	return nil
}

// readStream reads whether events are wanted: they are unless the client says no.
func readStream(req *llm.Request) {
	if req.Surface == llm.Embeddings {
		return
	}
	req.Stream = true
	v, _ := req.Doc.Get("stream")
	if said, ok := v.Bool(); ok {
		req.Stream = said
	}
	if req.Stream {
		req.Needs |= llm.CanStream
	}
}

func readNeeds(req *llm.Request) error {
	doc := &req.Doc
	format, _ := doc.Get("format")
	switch word, isWord := format.Str(); {
	case format.Kind() == rawjson.Object:
		req.Needs |= llm.CanSchema
	case word == "json":
		req.Needs |= llm.CanJSON
	case isWord && word != "":
		return invalid("format", `format must be "json" or a JSON Schema`)
	}
	think, _ := doc.Get("think")
	// Thinking is no need, as in the other dialects: where a target cannot, that is a loss.
	if level, isLevel := think.Str(); isLevel && !slices.Contains(levels, level) {
		return invalid("think", "think must be true, false, "+strings.Join(levels, ", "))
	}
	if logprobs, _ := doc.Get("logprobs"); logprobs.Kind() == rawjson.Bool {
		if on, _ := logprobs.Bool(); on {
			req.Needs |= llm.CanLogprobs
		}
	}
	if tools, _ := doc.Get("tools"); req.Surface == llm.Chat && !isEmpty(tools) {
		req.Needs |= llm.CanTools
	}
	if images, ok := doc.Get("images"); ok && !isEmpty(images) {
		req.Needs |= llm.CanVision
	}
	return nil
}

// levels are the words of think.
var levels = []string{"low", "medium", "high", "max"}

func isEmpty(array rawjson.Value) bool {
	for range array.Items() {
		return false
	}
	return true
}

func checkMessages(req *llm.Request) error {
	messages, _ := req.Doc.Get("messages")
	if req.Surface != llm.Chat {
		return nil
	}
	i := 0
	for m := range messages.Items() {
		at := fmt.Sprintf("messages[%d]", i)
		if m.Kind() != rawjson.Object {
			return invalid(at, at+" must be an object, got "+m.Kind().String())
		}
		if err := checkKinds(at+".", m, messageKinds); err != nil {
			return err
		}
		if role, _ := m.Get("role"); role.Kind() != rawjson.String {
			return invalid(at+".role", at+`.role must be a string such as "user"`)
		}
		if images, _ := m.Get("images"); !isEmpty(images) {
			req.Needs |= llm.CanVision
		}
		i++
	}
	return nil
}

var messageKinds = map[string]kinds{
	"role": isString, "content": isString, "thinking": isString, "images": isArray, "tool_calls": isArray,
	"tool_name": isString, "tool_call_id": isString,
}
