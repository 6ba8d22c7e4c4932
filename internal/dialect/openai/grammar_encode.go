package openai

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Some engines hold a model to a JSON-schema grammar but know no tools, since the
// model's chat template has none. For them a request with tools becomes a request
// for one JSON object, either {"name":…,"arguments":…} or {"content":…}, and the
// answer is turned back: grammar_decode.go.

// useGrammar reports whether a request's tools must go through the grammar.
func useGrammar(req *llm.Request, opt llm.Options) bool {
	return opt.ToolsByGrammar && req.Surface == llm.Chat && req.Needs.Has(llm.CanTools)
}

// tool is one function of the request.
type tool struct {
	name, description string
	parameters        rawjson.Value
}

// encodeGrammar edits tools out of the request and a grammar in. The loss names
// the client's fields that did not survive as they were.
func encodeGrammar(req *llm.Request, edit *rawjson.Edits) (loss []string, err error) {
	tools, err := functionTools(req)
	if err != nil {
		return nil, err
	}
	tools, free, err := choose(req, tools)
	if err != nil {
		return nil, err
	}
	messages, _ := req.Doc.Get("messages")
	edit.Set(grammarMessages(messages, tools, free), "messages")
	edit.Set(grammarFormat(tools, free), "response_format")
	loss = []string{"tools"}
	edit.Delete("tools")
	edit.Delete("tool_choice")
	if parallel, ok := req.Doc.Get("parallel_tool_calls"); ok {
		edit.Delete("parallel_tool_calls")
		if on, _ := parallel.Bool(); on {
			loss = append(loss, "parallel_tool_calls")
		}
	}
	if req.Needs&(llm.CanSchema|llm.CanJSON) != 0 {
		loss = append(loss, "response_format")
	}
	if req.Needs.Has(llm.CanLogprobs) {
		loss = append(loss, "logprobs")
	}
	return loss, nil
}

func functionTools(req *llm.Request) ([]tool, error) {
	list, _ := req.Doc.Get("tools")
	var tools []tool
	i := 0
	for item := range list.Items() {
		at := fmt.Sprintf("tools[%d]", i)
		i++
		if kind, _ := item.Get("type"); !equals(kind, "function") {
			return nil, wire.Unsupported(at+".type", at+".type: this target can call functions only")
		}
		name, _ := item.Path("function", "name")
		text, ok := name.Str()
		if !ok || text == "" {
			return nil, wire.Invalid(at+".function.name", at+".function.name is missing")
		}
		description, _ := item.Path("function", "description")
		says, _ := description.Str()
		parameters, _ := item.Path("function", "parameters")
		tools = append(tools, tool{text, says, parameters})
	}
	return tools, nil
}

// choose applies tool_choice: which tools the model may call, and whether it is
// free to answer in words instead.
func choose(req *llm.Request, tools []tool) (may []tool, free bool, err error) {
	choice, ok := req.Doc.Get("tool_choice")
	if !ok || choice.Kind() == rawjson.Null || equals(choice, "auto") {
		return tools, true, nil
	}
	if equals(choice, "required") {
		return tools, false, nil
	}
	name, _ := choice.Path("function", "name")
	for _, t := range tools {
		if equals(name, t.name) {
			return []tool{t}, false, nil
		}
	}
	return nil, false, wire.Invalid("tool_choice", "tool_choice names no function of tools")
}

func equals(v rawjson.Value, want string) bool {
	got, ok := v.Str()
	return ok && got == want
}

var noParameters = []byte(`{"type":"object","properties":{},"additionalProperties":false}`)

// grammarFormat is the response_format whose schema admits a call of one of the
// tools and, where the model is free, an answer in words.
func grammarFormat(tools []tool, free bool) []byte {
	out := []byte(`{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"$defs":{`)
	for i, t := range tools {
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, `"t%d":`, i)
		if t.parameters.Kind() != rawjson.Object {
			out = append(out, noParameters...)
			continue
		}
		out = appendSchema(out, t.parameters, fmt.Sprintf("#/$defs/t%d", i))
	}
	out = append(out, `},"anyOf":[`...)
	for i, t := range tools {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"type":"object","properties":{"name":{"const":`...)
		out = rawjson.AppendString(out, t.name)
		out = fmt.Appendf(out, `},"arguments":{"$ref":"#/$defs/t%d"}},"required":["name","arguments"],"additionalProperties":false}`, i)
	}
	if free {
		out = append(out, `,{"type":"object","properties":{"content":{"type":"string"}},"required":["content"],"additionalProperties":false}`...)
	}
	return append(out, `]}}}`...)
}

// appendSchema copies a schema that moves below root, so its own references
// ("#/$defs/x") move with it. Property order is kept: grammars follow it.
func appendSchema(out []byte, v rawjson.Value, root string) []byte {
	switch v.Kind() {
	case rawjson.Object:
		out = append(out, '{')
		first := true
		for name, member := range v.Fields() {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(rawjson.AppendString(out, name), ':')
			if ref, ok := member.Str(); ok && name == "$ref" && strings.HasPrefix(ref, "#") {
				out = rawjson.AppendString(out, root+ref[1:])
				continue
			}
			out = appendSchema(out, member, root)
		}
		return append(out, '}')
	case rawjson.Array:
		out = append(out, '[')
		first := true
		for item := range v.Items() {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = appendSchema(out, item, root)
		}
		return append(out, ']')
	}
	return append(out, v.Raw()...)
}

// grammarMessages tells the model of its tools and turns the turns that its
// template does not know, calls and their results, into plain ones.
func grammarMessages(messages rawjson.Value, tools []tool, free bool) []byte {
	var say strings.Builder
	say.WriteString("You can call these functions:\n")
	for _, t := range tools {
		say.WriteString("- " + t.name)
		if t.description != "" {
			say.WriteString(": " + t.description)
		}
		if t.parameters.Kind() == rawjson.Object {
			say.WriteString(" Parameters as JSON Schema: ")
			say.Write(t.parameters.Raw())
		}
		say.WriteByte('\n')
	}
	say.WriteString(`Answer with one JSON object. To call a function: {"name": "function", "arguments": {…}}.`)
	if free {
		say.WriteString(` To answer in words: {"content": "…"}.`)
	}
	out := appendMessage([]byte{'['}, "system", say.String())
	for m := range messages.Items() {
		out = append(out, ',')
		out = appendTurn(out, m)
	}
	return append(out, ']')
}

func appendTurn(out []byte, m rawjson.Value) []byte {
	role, _ := m.Get("role")
	if equals(role, "tool") {
		id, _ := m.Get("tool_call_id")
		name, _ := id.Str()
		return appendMessage(out, "user", "Result of "+name+": "+textOf(m))
	}
	if calls, ok := m.Get("tool_calls"); ok && calls.Kind() == rawjson.Array {
		var text strings.Builder
		for call := range calls.Items() {
			name, _ := call.Path("function", "name")
			arguments, _ := call.Path("function", "arguments")
			args, _ := arguments.Str()
			text.WriteString(`{"name": `)
			text.Write(name.Raw())
			text.WriteString(`, "arguments": ` + args + "}")
		}
		return appendMessage(out, "assistant", text.String())
	}
	return append(out, m.Raw()...)
}

// textOf is the text of a message whose content is a string or an array of parts.
func textOf(m rawjson.Value) string {
	content, _ := m.Get("content")
	if s, ok := content.Str(); ok {
		return s
	}
	var text strings.Builder
	for part := range content.Items() {
		v, _ := part.Get("text")
		s, _ := v.Str()
		text.WriteString(s)
	}
	return text.String()
}

func appendMessage(out []byte, role, content string) []byte {
	out = append(out, `{"role":`...)
	out = rawjson.AppendString(out, role)
	out = append(out, `,"content":`...)
	out = rawjson.AppendString(out, content)
	return append(out, '}')
}
