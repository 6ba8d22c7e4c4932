package anthropic

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body
// is kept, not copied: the caller must not change it afterwards. Errors are
// *llm.Error of kind Invalid that name the field. Tags come by header alone: this
// dialect's metadata has no room for them.
func Decode(in llm.Incoming) (*llm.Request, error) {
	doc, err := wire.Object(in.Body, in.Limits)
	if err != nil {
		return nil, err
	}
	req := &llm.Request{Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed(), StreamUsage: true}
	if err := wire.CheckFields(&doc, fieldKinds); err != nil {
		return nil, err
	}
	if req.Model, err = wire.Model(&doc, "model: field required; GET /v1/models lists what can be asked for"); err != nil {
		return nil, err
	}
	for _, step := range [...]func(*llm.Request) error{decodeNumbers, decodeSystem, decodeMessages, decodeTools, decodeFormat} {
		if err := step(req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

func decodeNumbers(req *llm.Request) error {
	if v, ok := req.Doc.Get("stream"); ok && req.Surface == llm.Chat {
		req.Stream, _ = v.Bool()
	}
	if req.Stream {
		req.Needs |= llm.CanStream
	}
	if v, ok := req.Doc.Get("max_tokens"); ok && v.Kind() == rawjson.Number {
		n, err := wire.Count(v, "max_tokens")
		if err != nil {
			return err
		}
		req.MaxTokens = n
	}
	return nil
}

func decodeSystem(req *llm.Request) error {
	system, _ := req.Doc.Get("system")
	for b := range system.Items() {
		if kind, _ := b.Get("type"); !kind.Is("text") {
			return wire.Invalid("system", "system must be a string or an array of text blocks")
		}
	}
	return nil
}

func decodeMessages(req *llm.Request) error {
	messages, _ := req.Doc.Get("messages")
	i := 0
	for m := range messages.Items() {
		if err := decodeMessage(req, m, i); err != nil {
			return err
		}
		i++
	}
	if i == 0 {
		return wire.Missing("messages", "messages: at least one message is required")
	}
	return nil
}

func decodeMessage(req *llm.Request, m rawjson.Value, i int) error {
	at := func(field string) string { return fmt.Sprintf("messages.%d%s", i, field) }
	if m.Kind() != rawjson.Object {
		return wire.WrongType(at(""), isObject, m)
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
	if word, _ := role.Str(); roles[word] == "" {
		return wire.Invalid(at(".role"), at(".role")+`: must be "user", "assistant" or "system"`)
	}
	switch content.Kind() {
	case rawjson.String:
		return nil
	case rawjson.Array:
		return decodeBlocks(req, content, at(".content"))
	}
	return wire.WrongType(at(".content"), isContent, content)
}

// roles are the roles of messages. System is for instructions within a conversation.
var roles = map[string]llm.Role{"user": llm.User, "assistant": llm.Assistant, "system": llm.System}

// decodeBlocks finds what a target must be able to see. Results of tools hold blocks
// of their own.
func decodeBlocks(req *llm.Request, content rawjson.Value, at string) error {
	i := 0
	for b := range content.Items() {
		kind, _ := b.Get("type")
		switch {
		case kind.Kind() != rawjson.String:
			where := fmt.Sprintf("%s.%d.type", at, i)
			return wire.Invalid(where, where+` must be a string such as "text"`)
		case kind.Is("image"):
			req.Needs |= llm.CanVision
		case kind.Is("document"):
			req.Needs |= llm.CanDocuments
		case kind.Is("tool_result"):
			inner, _ := b.Get("content")
			if err := decodeBlocks(req, inner, fmt.Sprintf("%s.%d.content", at, i)); err != nil {
				return err
			}
		}
		i++
	}
	return nil
}

func decodeTools(req *llm.Request) error {
	tools, _ := req.Doc.Get("tools")
	n := 0
	for t := range tools.Items() {
		if t.Kind() != rawjson.Object {
			return wire.WrongType(fmt.Sprintf("tools.%d", n), isObject, t)
		}
		n++
	}
	choice, _ := req.Doc.Get("tool_choice")
	if kind, _ := choice.Get("type"); n > 0 && !kind.Is("none") {
		req.Needs |= llm.CanTools
	}
	return nil
}

// decodeFormat reads the shape that is asked of the answer, where it stands now and
// where it stood before. Thinking is no need: where a target cannot, that is a loss.
func decodeFormat(req *llm.Request) error {
	config, _ := req.Doc.Get("output_config")
	format, ok := config.Get("format")
	if !ok || format.Kind() == rawjson.Null {
		format, _ = req.Doc.Get("output_format")
	}
	kind, _ := format.Get("type")
	if !kind.Is("json_schema") {
		return nil
	}
	if schema, _ := format.Get("schema"); schema.Kind() != rawjson.Object {
		return wire.Invalid("output_config.format.schema", "output_config.format.schema must be a JSON Schema object")
	}
	req.Needs |= llm.CanSchema
	return nil
}
