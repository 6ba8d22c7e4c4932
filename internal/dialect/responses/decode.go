package responses

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body is
// kept, not copied: the caller must not change it afterwards. Errors are *llm.Error of
// kind Invalid that name the field.
func Decode(in llm.Incoming) (*llm.Request, error) {
	doc, err := wire.Object(in.Body, in.Limits)
	if err != nil {
		return nil, err
	}
	// Usage comes in the last event, whoever asks for it.
	req := &llm.Request{Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed(), StreamUsage: true}
	if err := wire.CheckFields(&doc, fieldKinds); err != nil {
		return nil, err
	}
	if req.Model, err = wire.Model(&doc, wire.Unnamed); err != nil {
		return nil, err
	}
	for _, step := range [...]func(*llm.Request) error{readCommon, readState, readItems, readTools, readFormat} {
		if err := step(req); err != nil {
			return nil, err
		}
	}
	metadata, _ := doc.Get("metadata")
	return req, wire.ReadTags(req, metadata, "metadata")
}

func readCommon(req *llm.Request) error {
	stream, _ := req.Doc.Get("stream")
	if req.Stream, _ = stream.Bool(); req.Stream {
		req.Needs |= llm.CanStream
	}
	if v, _ := req.Doc.Get("max_output_tokens"); v.Kind() == rawjson.Number {
		n, err := wire.Count(v, "max_output_tokens")
		if err != nil {
			return err
		}
		req.MaxTokens = n
	}
	top, _ := req.Doc.Get("top_logprobs")
	if n, _ := top.Int(); n > 0 {
		req.Needs |= llm.CanLogprobs
	}
	include, _ := req.Doc.Get("include")
	for v := range include.Items() {
		if v.Is(includeLogprobs) {
			req.Needs |= llm.CanLogprobs
		}
	}
	return nil
}

// stateful are the fields that name what an account stored. One of them can stand for
// the input.
var stateful = [...]string{"previous_response_id", "conversation", "prompt"}

// readState notes what binds the request to an account, and demands that something is
// asked.
func readState(req *llm.Request) error {
	for _, name := range stateful {
		v, ok := req.Doc.Get(name)
		if !ok || v.Kind() == rawjson.Null {
			continue
		}
		req.Bound = true
		if name == "previous_response_id" {
			req.Continues, _ = v.Str()
		}
	}
	input, ok := req.Doc.Get("input")
	if missing := !ok || input.Kind() == rawjson.Null; missing && !req.Bound {
		return wire.Missing("input", "input is missing")
	}
	return nil
}

func readItems(req *llm.Request) error {
	input, _ := req.Doc.Get("input")
	i := 0
	for it := range input.Items() {
		if err := readItem(req, it, i); err != nil {
			return err
		}
		i++
	}
	return nil
}

// readItem looks at one item. Items of a type that is not known travel on unseen.
func readItem(req *llm.Request, it rawjson.Value, i int) error {
	at := func(field string) string { return fmt.Sprintf("input[%d]%s", i, field) }
	if it.Kind() != rawjson.Object {
		return wire.Invalid(at(""), at("")+" must be an object, got "+it.Kind().String())
	}
	var kind, role, content, output, id, sealed rawjson.Value
	for name, v := range it.Members() { // one pass: an item may be a book
		switch {
		case name.Is("type"):
			kind = v
		case name.Is("role"):
			role = v
		case name.Is("content"):
			content = v
		case name.Is("output"):
			output = v
		case name.Is("id"):
			id = v
		case name.Is("encrypted_content"):
			sealed = v
		}
	}
	word, _ := kind.Str()
	switch {
	case word == "" && role.Kind() == rawjson.String, word == typeMessage:
		if role.Kind() != rawjson.String {
			return wire.Invalid(at(".role"), at(".role")+` must be a string such as "user"`)
		}
		return readContent(req, content, at(".content"))
	case word == "" && id.Kind() == rawjson.String, word == typeReference:
		req.Bound = req.Bound || !isOurs(id)
	case word == "":
		return wire.Invalid(at(".type"), at("")+` must have a type such as "message"`)
	case sealed.Kind() == rawjson.String:
		req.Bound = req.Bound || !isCarried(sealed)
	case word == typeReasoning && id.Kind() == rawjson.String:
		req.Bound = req.Bound || !isOurs(id)
	case word == typeResult && output.Kind() == rawjson.Array:
		return readContent(req, output, at(".output"))
	}
	return nil
}

// readContent looks at a string or at parts.
func readContent(req *llm.Request, content rawjson.Value, at string) error {
	switch content.Kind() {
	case rawjson.String, rawjson.Null, rawjson.Invalid:
		return nil
	case rawjson.Array:
	default:
		return wire.Invalid(at, at+" must be a string or an array of parts, got "+content.Kind().String())
	}
	for p := range content.Items() {
		kind, _ := p.Get("type")
		switch name, _ := kind.Str(); name {
		case "":
			return wire.Invalid(at, at+`: every part needs a type such as "input_text"`)
		case typeImage:
			req.Needs |= llm.CanVision
		case typeAudio:
			req.Needs |= llm.CanAudio
		}
	}
	return nil
}

func readTools(req *llm.Request) error {
	tools, _ := req.Doc.Get("tools")
	n := 0
	for tool := range tools.Items() {
		if kind, _ := tool.Get("type"); kind.Kind() != rawjson.String {
			at := fmt.Sprintf("tools[%d].type", n)
			return wire.Invalid(at, at+` must be a string such as "function"`)
		}
		n++
	}
	if choice, _ := req.Doc.Get("tool_choice"); n > 0 && !choice.Is("none") {
		req.Needs |= llm.CanTools
	}
	return nil
}

func readFormat(req *llm.Request) error {
	text, _ := req.Doc.Get("text")
	format, ok := text.Get("format")
	if !ok || format.Kind() == rawjson.Null {
		return nil
	}
	kind, _ := format.Get("type")
	switch name, isStr := kind.Str(); {
	case !isStr:
		return wire.Invalid("text.format.type", "text.format.type must be a string")
	case name == "json_schema":
		if schema, _ := format.Get("schema"); schema.Kind() != rawjson.Object {
			return wire.Invalid("text.format.schema", "text.format.schema must be a JSON Schema object")
		}
		req.Needs |= llm.CanSchema
	case name == "json_object":
		req.Needs |= llm.CanJSON
	}
	return nil
}
