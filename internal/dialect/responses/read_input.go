package responses

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// readInput turns the input into turns.
func readInput(p *llm.Prompt, input rawJSON) error {
	switch input.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(input, &text); err != nil {
			return wire.BadField(err)
		}
		p.Turns = append(p.Turns, llm.Turn{Role: llm.User, Parts: []llm.Part{{Kind: llm.Text, Text: text}}})
	case '[':
		var items []rawJSON
		if err := json.Unmarshal(input, &items); err != nil {
			return wire.BadField(err)
		}
		r := inputReader{prompt: p, called: map[string]string{}}
		for i, raw := range items {
			if err := r.item(raw, i); err != nil {
				return err
			}
		}
		r.close()
	}
	return nil
}

// inputReader puts items into turns. What a model said in one go stands in several
// items; they become one turn.
type inputReader struct {
	prompt *llm.Prompt
	called map[string]string // tool names by call id
	owed   []proof           // signatures whose calls have not come
}

// proof is a signature of a tool call, which has no field of its own in this dialect and
// so travels in a reasoning item without text.
type proof struct {
	call              string // its id, "" where the client left the item's id out
	after             int    // how many parts of the turn came before
	signer, signature string
}

func (r *inputReader) item(raw rawJSON, i int) error {
	var it item
	if err := json.Unmarshal(raw, &it); err != nil {
		e := llm.AsError(wire.BadField(err))
		e.Param = strings.TrimSuffix(fmt.Sprintf("input[%d].%s", i, e.Param), ".")
		return e
	}
	switch {
	case it.Type == typeMessage, it.Type == "" && it.Role != "":
		return r.message(&it, i)
	case (it.Type == typeReference || it.Type == "") && strings.HasPrefix(it.ID, reasoningID):
		r.forget() // thought that was shown and that nobody has stored
	case it.Type == typeReference, it.Type == "":
		return isStateful(typeReference)
	case it.Type == typeReasoning:
		r.reasoning(&it)
	case it.Type == typeCall && it.Args != nil:
		r.called[it.CallID] = it.Name
		r.say(llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: it.CallID, Name: it.Name, Arguments: *it.Args}})
	case it.Type == typeResult:
		parts, err := readContentParts(it.Output, fmt.Sprintf("input[%d].output", i))
		if err != nil {
			return err
		}
		name := it.Name
		if name == "" {
			name = r.called[it.CallID]
		}
		r.result(llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: it.CallID, Name: name, Parts: parts}})
	case isAnswered(it.Type):
		r.result(llm.Part{Kind: llm.Other, Raw: raw, Dialect: Name})
	default:
		r.say(llm.Part{Kind: llm.Other, Raw: raw, Dialect: Name})
	}
	return nil
}

// forget notes that a reference leads nowhere.
func (r *inputReader) forget() {
	if !slices.Contains(r.prompt.Unread, typeReference) {
		r.prompt.Unread = append(r.prompt.Unread, typeReference)
	}
}

// isAnswered reports whether the client made the item, and not the model.
func isAnswered(kind string) bool {
	return strings.HasSuffix(kind, "_output") || kind == "mcp_approval_response"
}

func (r *inputReader) message(it *item, i int) error {
	parts, err := readContentParts(it.Content, fmt.Sprintf("input[%d].content", i))
	if err != nil {
		return err
	}
	if it.Role != "assistant" {
		r.close()
	}
	p := r.prompt
	switch it.Role {
	case "system", "developer":
		if len(p.Turns) == 0 {
			p.System = append(p.System, parts...)
			return nil
		}
		r.turn(llm.System, parts...)
	case "assistant":
		r.say(parts...)
	case "user":
		r.turn(llm.User, parts...)
	default:
		at := fmt.Sprintf("input[%d].role", i)
		return wire.Invalid(at, fmt.Sprintf("%s: %q is no role; it is user, assistant, system or developer", at, it.Role))
	}
	return nil
}

// say adds to what the model said.
func (r *inputReader) say(parts ...llm.Part) {
	if t := r.last(); t != nil && t.Role == llm.Assistant {
		t.Parts = append(t.Parts, parts...)
		return
	}
	r.turn(llm.Assistant, parts...)
}

// result joins the results of one round of calls, as the other dialects have them in
// one turn.
func (r *inputReader) result(p llm.Part) {
	if t := r.last(); t != nil && t.Role == llm.User && len(t.Parts) > 0 {
		if first := t.Parts[0].Kind; first == llm.ToolResult || first == llm.Other {
			t.Parts = append(t.Parts, p)
			return
		}
	}
	r.close()
	r.turn(llm.User, p)
}

func (r *inputReader) turn(role llm.Role, parts ...llm.Part) {
	r.prompt.Turns = append(r.prompt.Turns, llm.Turn{Role: role, Parts: parts})
}

// last is the turn at hand, nil before the first.
func (r *inputReader) last() *llm.Turn {
	if n := len(r.prompt.Turns); n > 0 {
		return &r.prompt.Turns[n-1]
	}
	return nil
}

// reasoning reads thought. Its summary and its own text say the same where both are
// there.
func (r *inputReader) reasoning(it *item) {
	p := llm.Part{Kind: llm.Reasoning, Text: joinTexts(it.Summary)}
	var own []textPart
	if it.Content.Kind() == '[' && json.Unmarshal(it.Content, &own) == nil && p.Text == "" {
		p.Text = joinTexts(own)
	}
	switch {
	case it.Sealed != nil && *it.Sealed != "":
		readSealed(&p, it.ID, *it.Sealed)
	case it.ID != "" && len(own) == 0 && !strings.HasPrefix(it.ID, reasoningID): // the account has the rest
		p.Signer, p.Signature = Name, seal(it.ID, "")
	}
	if p.Signer == "gemini" && p.Text == "" {
		owed := proof{call: strings.TrimPrefix(it.ID, reasoningID), signer: p.Signer, signature: p.Signature}
		if t := r.last(); t != nil && t.Role == llm.Assistant {
			owed.after = len(t.Parts)
		}
		r.owed = append(r.owed, owed)
		return
	}
	r.say(p)
}

// paragraph stands between the parts of a summary.
const paragraph = "\n\n"

func joinTexts(parts []textPart) string {
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].Text
	}
	return strings.Join(texts, paragraph)
}

// close ends what the model said in one go: the signatures that came with it go to
// their calls.
func (r *inputReader) close() {
	for _, p := range r.owed {
		var call *llm.Part
		if t := r.last(); t != nil && t.Role == llm.Assistant {
			call = p.owner(t.Parts)
		}
		if call == nil {
			r.say(llm.Part{Kind: llm.Reasoning, Signer: p.signer, Signature: p.signature})
			continue
		}
		call.Signer, call.Signature = p.signer, p.signature
	}
	r.owed = nil
}

// owner is the call that the proof names, else the next one, else the one before.
func (p *proof) owner(parts []llm.Part) (call *llm.Part) {
	next := false
	for i := range parts {
		switch it := &parts[i]; {
		case it.Call == nil:
		case it.Call.ID == p.call:
			return it
		case it.Signature == "" && !next:
			call, next = it, i >= p.after
		}
	}
	return call
}

// readContentParts reads a string, an array of parts, or nothing.
func readContentParts(content rawJSON, at string) ([]llm.Part, error) {
	switch content.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(content, &text); err != nil {
			return nil, wire.BadField(err)
		}
		return []llm.Part{{Kind: llm.Text, Text: text}}, nil
	case '[':
		var items []rawJSON
		if err := json.Unmarshal(content, &items); err != nil {
			return nil, wire.BadField(err)
		}
		parts := make([]llm.Part, 0, len(items))
		for _, raw := range items {
			p, err := readPart(raw, at)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		return parts, nil
	}
	return nil, nil
}

func readPart(raw rawJSON, at string) (llm.Part, error) {
	var p part
	if err := json.Unmarshal(raw, &p); err != nil {
		e := llm.AsError(wire.BadField(err))
		e.Param = at + "." + e.Param
		return llm.Part{}, e
	}
	out := llm.Part{}
	if p.Breakpoint != nil {
		out.Cache = &llm.Cache{}
	}
	switch p.Type {
	case typeInputText, typeText, "text":
		out.Kind = llm.Text
		if p.Text != nil {
			out.Text = *p.Text
		}
		for _, note := range p.Annotations {
			out.Citations = append(out.Citations, readCitation(note))
		}
	case typeRefusal:
		out.Kind, out.Text = llm.Refusal, p.Refusal
	case typeImage:
		out.Kind, out.Media = llm.Image, wire.ReadURL(p.ImageURL)
		out.Media.Detail = p.Detail
		setFile(out.Media, p.FileID)
	case typeFile:
		out.Kind, out.Media = llm.Document, readFile(&p)
	case typeAudio:
		if p.Audio == nil {
			return out, wire.Invalid(at, at+`: a part of type "input_audio" lacks its field of that name`)
		}
		out.Kind, out.Media = llm.Audio, &llm.Media{MIME: audioTypes[p.Audio.Format], Base64: p.Audio.Data}
	default:
		out.Kind, out.Raw, out.Dialect = llm.Other, raw, Name
	}
	return out, nil
}

func readFile(p *part) *llm.Media {
	m := &llm.Media{URL: p.FileURL}
	if p.FileData != "" {
		m = wire.ReadURL(p.FileData)
		if m.URL != "" { // base64 without the head of a data: address
			m = &llm.Media{Base64: m.URL}
		}
	}
	m.Name, m.Detail = p.Filename, p.Detail
	setFile(m, p.FileID)
	return m
}

func setFile(m *llm.Media, id string) {
	if id != "" {
		m.FileID, m.FileOf = id, Name
	}
}

// audioTypes are the media types of this dialect's audio formats.
var audioTypes = map[string]string{"wav": "audio/wav", "mp3": "audio/mpeg"}
