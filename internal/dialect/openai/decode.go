package openai

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body
// is kept, not copied: the caller must not change it afterwards. Errors are
// *llm.Error of kind Invalid that name the field.
func Decode(in llm.Incoming) (*llm.Request, error) {
	if in.Surface.Forwarded() {
		return decodeForwarded(in)
	}
	surface, body := in.Surface, in.Body
	doc, err := wire.Object(body, in.Limits)
	if err != nil {
		return nil, err
	}
	req := &llm.Request{Surface: surface, Dialect: Name, Body: body, Doc: doc, Needs: surface.Needed()}
	if err := wire.CheckFields(&doc, fieldKinds[surface]); err != nil {
		return nil, err
	}
	if req.Model, err = wire.Model(&doc, wire.Unnamed); err != nil {
		return nil, err
	}
	if err := readCommon(req); err != nil {
		return nil, err
	}
	switch surface {
	case llm.Chat:
		err = readChat(req)
	case llm.Completions:
		err = readCompletions(req)
	case llm.Embeddings:
		err = readEmbeddings(req)
	}
	if err != nil {
		return nil, err
	}
	return req, readTags(req)
}

// readCommon reads the fields that chat and completions share.
func readCommon(req *llm.Request) error {
	doc := &req.Doc
	if v, ok := doc.Get("stream"); ok {
		req.Stream, _ = v.Bool()
	}
	if req.Stream && req.Surface != llm.Embeddings {
		req.Needs |= llm.CanStream
	}
	if v, ok := doc.Get("stream_options"); ok {
		usage, _ := v.Get("include_usage")
		req.StreamUsage, _ = usage.Bool()
	}
	for _, name := range [...]string{"max_tokens", "max_completion_tokens"} {
		v, ok := doc.Get(name)
		if !ok || v.Kind() == rawjson.Null {
			continue
		}
		n, err := wire.Count(v, name)
		if err != nil {
			return err
		}
		req.MaxTokens = n
	}
	if v, ok := doc.Get("n"); ok && v.Kind() == rawjson.Number {
		n, isInt := v.Int()
		if !isInt || n < 1 || n > maxChoices {
			return wire.Invalid("n", fmt.Sprintf("n must be a whole number from 1 to %d", maxChoices))
		}
		if n > 1 {
			req.Needs |= llm.CanManyChoices
		}
	}
	return nil
}

func readCompletions(req *llm.Request) error {
	if v, ok := req.Doc.Get("logprobs"); ok && v.Kind() == rawjson.Number {
		req.Needs |= llm.CanLogprobs
	}
	return requireInput(req)
}

func readEmbeddings(req *llm.Request) error {
	req.Stream = false
	if v, ok := req.Doc.Get("encoding_format"); ok && v.Kind() == rawjson.String {
		if format, _ := v.Str(); format != "float" && format != "base64" {
			return wire.Invalid("encoding_format", `encoding_format must be "float" or "base64"`)
		}
	}
	return requireInput(req)
}

func requireInput(req *llm.Request) error {
	name := requiredField[req.Surface]
	v, ok := req.Doc.Get(name)
	if !ok || v.Kind() == rawjson.Null {
		return wire.Missing(name, name+" is missing")
	}
	if v.Kind() == rawjson.Array && v.Empty() {
		return wire.Invalid(name, name+" must not be empty")
	}
	return nil
}

func readChat(req *llm.Request) error {
	if err := requireInput(req); err != nil {
		return err
	}
	messages, _ := req.Doc.Get("messages")
	i := 0
	for m := range messages.Items() {
		if err := readMessage(req, m, i); err != nil {
			return err
		}
		i++
	}
	if err := readTools(req); err != nil {
		return err
	}
	if v, ok := req.Doc.Get("logprobs"); ok {
		if on, _ := v.Bool(); on {
			req.Needs |= llm.CanLogprobs
		}
	}
	return readResponseFormat(req)
}

func readMessage(req *llm.Request, m rawjson.Value, i int) error {
	at := func(field string) string { return fmt.Sprintf("messages[%d]%s", i, field) }
	if m.Kind() != rawjson.Object {
		return wire.Invalid(at(""), at("")+" must be an object, got "+m.Kind().String())
	}
	var role, content rawjson.Value
	for name, v := range m.Members() { // one pass: a message may be a book
		switch {
		case name.Is("role"):
			role = v
		case name.Is("content"):
			content = v
		}
	}
	if role.Kind() != rawjson.String {
		return wire.Invalid(at(".role"), at(".role")+" must be a string such as \"user\"")
	}
	switch content.Kind() {
	case rawjson.String, rawjson.Null, rawjson.Invalid:
		return nil
	case rawjson.Array:
	default:
		return wire.Invalid(at(".content"), at(".content")+" must be a string or an array of parts, got "+content.Kind().String())
	}
	for part := range content.Items() {
		kind, _ := part.Get("type")
		switch name, _ := kind.Str(); name {
		case "":
			return wire.Invalid(at(".content"), at(".content")+": every part needs a type such as \"text\"")
		case "image_url":
			req.Needs |= llm.CanVision
		case "input_audio":
			req.Needs |= llm.CanAudio
		}
	}
	return nil
}

func readTools(req *llm.Request) error {
	tools, ok := req.Doc.Get("tools")
	if !ok || tools.Kind() != rawjson.Array {
		return nil
	}
	n := 0
	for tool := range tools.Items() {
		if kind, _ := tool.Get("type"); kind.Kind() != rawjson.String {
			return wire.Invalid(fmt.Sprintf("tools[%d].type", n), fmt.Sprintf("tools[%d].type must be a string such as \"function\"", n))
		}
		n++
	}
	choice, _ := req.Doc.Get("tool_choice")
	if name, _ := choice.Str(); n > 0 && name != "none" {
		req.Needs |= llm.CanTools
	}
	return nil
}

func readResponseFormat(req *llm.Request) error {
	format, ok := req.Doc.Get("response_format")
	if !ok || format.Kind() != rawjson.Object {
		return nil
	}
	kind, _ := format.Get("type")
	switch name, isStr := kind.Str(); {
	case !isStr:
		return wire.Invalid("response_format.type", "response_format.type must be a string")
	case name == "json_schema":
		if schema, _ := format.Path("json_schema", "schema"); schema.Kind() != rawjson.Object {
			return wire.Invalid("response_format.json_schema.schema", "response_format.json_schema.schema must be a JSON Schema object")
		}
		req.Needs |= llm.CanSchema
	case name == "json_object":
		req.Needs |= llm.CanJSON
	}
	return nil
}

func readTags(req *llm.Request) error {
	metadata, _ := req.Doc.Get("metadata")
	return wire.ReadTags(req, metadata, "metadata")
}
