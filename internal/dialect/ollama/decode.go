package ollama

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body
// is kept, not copied. Errors are *llm.Error of kind Invalid that name the field.
//
// A request without messages, prompt or input is no mistake in this dialect: it has the
// server load the model. Read refuses it, since no other dialect knows that.
func Decode(in llm.Incoming) (*llm.Request, error) {
	doc, err := wire.Object(in.Body, in.Limits)
	if err != nil {
		return nil, err
	}
	req := &llm.Request{
		Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed(), StreamUsage: true,
	}
	if err := wire.CheckFields(&doc, fieldKinds[in.Surface]); err != nil {
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

func model(doc *rawjson.Doc) (string, error) {
	v, _ := doc.Get("model")
	name, _ := v.Str()
	if name == "" {
		return "", wire.Invalid("model", "model is required; GET /api/tags lists what can be asked for")
	}
	return name, wire.CheckModel(name)
}

func readOptions(req *llm.Request) error {
	opts, _ := req.Doc.Get("options")
	if err := wire.CheckWithin("options.", opts, optionKinds); err != nil {
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
		return wire.Invalid("format", `format must be "json" or a JSON Schema`)
	}
	think, _ := doc.Get("think")
	// Thinking is no need, as in the other dialects: where a target cannot, that is a loss.
	if level, isLevel := think.Str(); isLevel && !slices.Contains(levels, level) {
		return wire.Invalid("think", "think must be true, false, "+strings.Join(levels, ", "))
	}
	if logprobs, _ := doc.Get("logprobs"); logprobs.Kind() == rawjson.Bool {
		if on, _ := logprobs.Bool(); on {
			req.Needs |= llm.CanLogprobs
		}
	}
	if tools, _ := doc.Get("tools"); req.Surface == llm.Chat && !wire.NoItems(tools) {
		req.Needs |= llm.CanTools
	}
	if images, ok := doc.Get("images"); ok && !wire.NoItems(images) {
		req.Needs |= llm.CanVision
	}
	return nil
}

// levels are the words of think.
var levels = []string{"low", "medium", "high", "max"}

func checkMessages(req *llm.Request) error {
	messages, _ := req.Doc.Get("messages")
	if req.Surface != llm.Chat {
		return nil
	}
	i := 0
	for m := range messages.Items() {
		at := fmt.Sprintf("messages[%d]", i)
		if m.Kind() != rawjson.Object {
			return wire.Invalid(at, at+" must be an object, got "+m.Kind().String())
		}
		if err := wire.CheckWithin(at+".", m, messageKinds); err != nil {
			return err
		}
		if role, _ := m.Get("role"); role.Kind() != rawjson.String {
			return wire.Invalid(at+".role", at+`.role must be a string such as "user"`)
		}
		if images, _ := m.Get("images"); !wire.NoItems(images) {
			req.Needs |= llm.CanVision
		}
		i++
	}
	return nil
}

var messageKinds = map[string]wire.Kinds{
	"role": isString, "content": isString, "thinking": isString, "images": isArray, "tool_calls": isArray,
	"tool_name": isString, "tool_call_id": isString,
}
