package anthropic

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// conversation reads system and messages. Neighbours of one role are one turn, as the
// dialect has it.
func (r *reader) conversation(in *request) error {
	system, err := r.content(in.System, "system")
	if err != nil {
		return err
	}
	r.prompt.System = system
	for i := range in.Messages {
		m := &in.Messages[i]
		r.unread("messages.", m.Extra)
		parts, err := r.content(m.Content, fmt.Sprintf("messages.%d.content", i))
		if err != nil {
			return err
		}
		role := roles[m.Role]
		if n := len(r.prompt.Turns); n > 0 && r.prompt.Turns[n-1].Role == role {
			r.prompt.Turns[n-1].Parts = append(r.prompt.Turns[n-1].Parts, parts...)
			continue
		}
		r.prompt.Turns = append(r.prompt.Turns, llm.Turn{Role: role, Parts: parts})
	}
	if in.Cache != nil {
		r.cacheAll(in.Cache.read())
	}
	return nil
}

// cacheAll sets the breakpoint that the request's own cache_control stands for.
func (r *reader) cacheAll(c *llm.Cache) {
	if n := len(r.prompt.Turns); n > 0 {
		if parts := r.prompt.Turns[n-1].Parts; len(parts) > 0 && parts[len(parts)-1].Cache == nil {
			parts[len(parts)-1].Cache = c
		}
	}
}

// content reads a string, an array of blocks, or nothing.
func (r *reader) content(v rawJSON, at string) ([]llm.Part, error) {
	switch v.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return nil, badField(at, err)
		}
		return []llm.Part{{Kind: llm.Text, Text: text}}, nil
	case '[':
		var items []rawJSON
		if err := json.Unmarshal(v, &items); err != nil {
			return nil, badField(at, err)
		}
		b := blocks{reader: r}
		for i, raw := range items {
			if err := b.add(raw, fmt.Sprintf("%s.%d", at, i)); err != nil {
				return nil, err
			}
		}
		return b.done(), nil
	}
	return nil, nil
}

// blocks are the blocks of one message as they are read.
type blocks struct {
	*reader
	parts []llm.Part
	// signature is one of a tool call that is still to come: where a call is signed,
	// clients of this dialect carry that in a thinking block of its own before it.
	signature, signer string
}

func (b *blocks) add(raw rawJSON, at string) error {
	var in block
	if err := json.Unmarshal(raw, &in); err != nil {
		return badField(at, err)
	}
	part := llm.Part{Cache: in.Cache.read()}
	switch in.Type {
	case "text":
		part.Kind, part.Text = llm.Text, in.Text
		part.Citations = readCitations(in.Citations)
	case "thinking":
		b.thinking(&in)
		return nil
	case "redacted_thinking":
		b.redacted(&in)
		return nil
	case "tool_use":
		b.called[in.ID] = in.Name
		part.Kind, part.Call = llm.ToolCall, &llm.Call{ID: in.ID, Name: in.Name, Arguments: string(in.Input)}
		part.Signature, part.Signer = b.signature, b.signer
		b.signature, b.signer = "", ""
	case "tool_result":
		inner, err := b.content(in.Content, at+".content")
		if err != nil {
			return err
		}
		part.Kind, part.Result = llm.ToolResult, &llm.Result{CallID: in.ToolUseID, Name: b.called[in.ToolUseID], Parts: inner, Failed: in.IsError}
	case "image", "document":
		if err := b.media(&part, &in, raw, at); err != nil {
			return err
		}
	case "search_result":
		b.searchResult(&part, &in)
	default:
		part.Kind, part.Raw, part.Dialect = llm.Other, raw, Name
	}
	if part.Kind != llm.Other {
		b.unread("messages.", in.Extra)
	}
	b.parts = append(b.parts, part)
	return nil
}

// done gives the parts. What was signed and did not come is kept as what it is.
func (b *blocks) done() []llm.Part {
	if b.signature != "" {
		b.parts = append(b.parts, llm.Part{Kind: llm.Reasoning, Signature: b.signature, Signer: b.signer})
	}
	return b.parts
}

// thinking reads a thought. One without words that Gemini signed belongs to the call
// behind it.
func (b *blocks) thinking(in *block) {
	part := llm.Part{Kind: llm.Reasoning, Text: in.Thinking}
	if in.Signature != "" {
		part.Signer, part.Signature = llm.ReadSignature(Name, in.Signature)
	}
	if in.Thinking == "" && signsCalls(part.Signer) {
		b.signature, b.signer = part.Signature, part.Signer
		return
	}
	b.parts = append(b.parts, part)
}

// redacted reads a thought that only its provider can. Another dialect may have had
// words beside it, or a signature that came after what it signs: see Writer.
func (b *blocks) redacted(in *block) {
	part := llm.Part{Kind: llm.Reasoning}
	part.Signer, part.Redacted = llm.ReadSignature(Name, in.Data)
	if n := len(b.parts); n > 0 && part.Signer != Name {
		last := &b.parts[n-1]
		switch {
		case signsCalls(part.Signer) && last.Signature == "" && (last.Kind == llm.ToolCall || last.Kind == llm.Text):
			last.Signature, last.Signer = part.Redacted, part.Signer
			return
		case last.Kind == llm.Reasoning && last.Text != "" && last.Signature == "" && last.Redacted == "":
			last.Redacted, last.Signer = part.Redacted, part.Signer
			return
		}
	}
	b.parts = append(b.parts, part)
}

// signsCalls reports whether a dialect signs what is no thought.
func signsCalls(signer string) bool { return signer == "gemini" }

func (b *blocks) media(part *llm.Part, in *block, raw rawJSON, at string) error {
	var from source
	if err := json.Unmarshal(in.Source, &from); err != nil || in.Source.Kind() != '{' {
		return wire.Invalid(at+".source", at+".source must be an object that says where the "+in.Type+" is")
	}
	m := &llm.Media{MIME: from.MediaType, Name: in.Title, Context: in.Context, Cite: isEnabled(in.Citations)}
	part.Kind, part.Media = llm.Document, m
	if in.Type == "image" {
		part.Kind = llm.Image
	}
	switch from.Type {
	case "base64":
		m.Base64 = from.Data
	case "url":
		m.URL = from.URL
	case "file":
		m.FileID, m.FileOf = from.FileID, Name
	case "text":
		m.MIME, m.Base64 = "text/plain", base64.StdEncoding.EncodeToString([]byte(from.Data))
	case "content":
		text, ok := joinTexts(from.Content)
		if ok {
			m.MIME, m.Base64 = "text/plain", base64.StdEncoding.EncodeToString([]byte(text))
			return nil
		}
		fallthrough
	default:
		*part = llm.Part{Kind: llm.Other, Raw: raw, Dialect: Name}
	}
	return nil
}

func isEnabled(citations rawJSON) bool {
	var s citationSwitch
	return citations.Kind() == '{' && json.Unmarshal(citations, &s) == nil && s.Enabled
}

// joinTexts reads content that is text alone.
func joinTexts(content rawJSON) (string, bool) {
	if content.Kind() == '"' {
		var text string
		return text, json.Unmarshal(content, &text) == nil
	}
	var items []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if content.Kind() != '[' || json.Unmarshal(content, &items) != nil {
		return "", false
	}
	texts := make([]string, len(items))
	for i := range items {
		if items[i].Type != "text" {
			return "", false
		}
		texts[i] = items[i].Text
	}
	return strings.Join(texts, "\n"), true
}

// searchResult reads what a client's own search found: words under a title, with
// their address. No other dialect can be asked to cite them.
func (b *blocks) searchResult(part *llm.Part, in *block) {
	var address string
	_ = json.Unmarshal(in.Source, &address) // of another kind it is no address
	text, _ := joinTexts(in.Content)
	part.Kind, part.Text = llm.Text, in.Title+"\n"+address+"\n\n"+text
	if isEnabled(in.Citations) {
		b.unread("messages.", map[string]rawJSON{"citations": in.Citations})
	}
}
