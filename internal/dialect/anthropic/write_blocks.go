package anthropic

import (
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// draft is a message as it is put together.
type draft struct {
	role   llm.Role
	blocks []any
	result int // how many of the blocks, from the first, are results of tools
}

// messages writes system and the turns. Neighbours of one role become one message,
// since roles take turns in this dialect.
func (w *promptWriter) messages() {
	p := w.prompt
	w.out.System = w.system(p.System)
	var drafts []draft
	for i := range p.Turns {
		t := &p.Turns[i]
		w.lost.If(t.Name != "", llm.FieldName)
		role := t.Role
		if role == llm.System && !w.mayInstruct(i) {
			w.lost.Add(llm.FieldSystem)
			role = llm.User
		}
		if n := len(drafts); n == 0 || drafts[n-1].role != role {
			drafts = append(drafts, draft{role: role})
		}
		d := &drafts[len(drafts)-1]
		for j := range t.Parts {
			w.part(d, &t.Parts[j])
		}
	}
	if len(drafts) == 0 && len(p.System) > 0 { // instructions alone ask for nothing here
		w.lost.Add(llm.FieldSystem)
		w.out.System = nil
		d := draft{role: llm.User}
		for i := range p.System {
			w.part(&d, &p.System[i])
		}
		drafts = []draft{d}
	}
	w.out.Messages = make([]message, 0, len(drafts))
	for i := range drafts {
		if d := &drafts[i]; len(d.blocks) > 0 {
			w.out.Messages = append(w.out.Messages, message{Role: string(d.role), Content: contentOf(d.blocks)})
		}
	}
}

// mayInstruct reports whether instructions may stand where they do: a model that takes
// them there wants them right behind the user, with an answer or nothing after them,
// and of text alone.
func (w *promptWriter) mayInstruct(i int) bool {
	turns := w.prompt.Turns
	last := i+1 >= len(turns)
	return w.model.system && i > 0 && turns[i-1].Role == llm.User && (last || turns[i+1].Role == llm.Assistant) &&
		!slices.ContainsFunc(turns[i].Parts, func(p llm.Part) bool { return p.Kind != llm.Text })
}

// system is a string where it is one text, else blocks. It holds text alone.
func (w *promptWriter) system(parts []llm.Part) rawJSON {
	var d draft
	for i := range parts {
		if parts[i].Kind != llm.Text {
			w.lost.Add(llm.FieldSystem)
			continue
		}
		w.part(&d, &parts[i])
	}
	if len(d.blocks) == 0 {
		return nil
	}
	return contentOf(d.blocks)
}

// contentOf is a string where it is one text with nothing beside it, else an array.
func contentOf(blocks []any) rawJSON {
	var v any = blocks
	if len(blocks) == 1 {
		if t, ok := blocks[0].(textBlock); ok && t.Cache == nil && t.Citations == nil {
			v = t.Text
		}
	}
	raw, _ := json.Marshal(v) // made of strings and of JSON that was checked
	return raw
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// part adds what a part looks like here, which may be nothing.
func (w *promptWriter) part(d *draft, p *llm.Part) {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		w.text(d, p)
	case llm.Reasoning:
		w.thought(d, p)
	case llm.ToolCall:
		w.lost.If(p.Signature != "", llm.FieldSignature)
		d.blocks = append(d.blocks, toolUseBlock{
			Type: "tool_use", ID: toolID(p.Call.ID), Name: p.Call.Name, Input: arguments(p.Call.Arguments), Cache: w.cache(p.Cache),
		})
	case llm.ToolResult:
		// Results stand before all else in a message, right behind the calls.
		d.blocks = slices.Insert(d.blocks, d.result, any(w.result(p)))
		d.result++
	case llm.Image:
		w.image(d, p)
	case llm.Document:
		w.document(d, p)
	case llm.Audio:
		w.lost.Add(llm.FieldAudio)
	case llm.Video:
		w.lost.Add(llm.FieldVideo)
	default:
		if p.Kind != llm.Other || p.Dialect != Name {
			w.lost.Add(llm.FieldOther)
			return
		}
		d.blocks = append(d.blocks, rawJSON(p.Raw))
	}
}

// text adds words. The dialect refuses a text without any.
func (w *promptWriter) text(d *draft, p *llm.Part) {
	w.lost.If(p.Signature != "", llm.FieldSignature)
	if isBlank(p.Text) {
		w.lost.If(p.Cache != nil, llm.FieldCache)
		return
	}
	out := textBlock{Type: "text", Text: p.Text, Cache: w.cache(p.Cache)}
	for i := range p.Citations {
		c := &p.Citations[i]
		if c.Dialect != Name { // the upstream takes back what it made itself, and no other
			w.lost.Add(llm.FieldCitations)
			continue
		}
		out.Citations = append(out.Citations, c.Raw)
	}
	d.blocks = append(d.blocks, out)
}

// thought gives a provider of this dialect its own thought back. Any other is refused
// there, so it is left out.
func (w *promptWriter) thought(d *draft, p *llm.Part) {
	w.lost.If(p.Cache != nil, llm.FieldCache)
	if !isOwnThought(p) {
		w.lost.If(p.Signature != "" || p.Redacted != "", llm.FieldSignature)
		w.lost.If(p.Text != "", llm.FieldReasoning)
		return
	}
	if p.Signature != "" {
		d.blocks = append(d.blocks, thinkingBlock{Type: "thinking", Thinking: p.Text, Signature: p.Signature})
	}
	if p.Redacted != "" {
		d.blocks = append(d.blocks, redactedBlock{Type: "redacted_thinking", Data: p.Redacted})
	}
}

func (w *promptWriter) result(p *llm.Part) toolResultBlock {
	out := toolResultBlock{Type: "tool_result", ToolUseID: toolID(p.Result.CallID), IsError: p.Result.Failed, Cache: w.cache(p.Cache)}
	var inner draft
	for i := range p.Result.Parts {
		w.part(&inner, &p.Result.Parts[i])
	}
	if len(inner.blocks) > 0 {
		out.Content = contentOf(inner.blocks)
	}
	return out
}

// toolID is a call's id in the letters that this dialect allows, the same for the call
// and its result. A changed one carries a hash of what it was, to stay unique.
func toolID(id string) string {
	good := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	clean := strings.Map(func(r rune) rune {
		if good(r) {
			return r
		}
		return '_'
	}, id)
	if clean == id && id != "" {
		return id
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return clean + "_" + strconv.FormatUint(uint64(h.Sum32()), 16)
}

// arguments are the input of a call, which must be an object here. Text that is none,
// such as what a model broke off, is kept under a name of its own, so that the model
// sees what it wrote and the request stays valid.
func arguments(text string) rawJSON {
	if isBlank(text) {
		return rawJSON("{}")
	}
	if doc, err := rawjson.Check([]byte(text), rawjson.Default()); err == nil && doc.Root().Kind() == rawjson.Object {
		return rawJSON(text)
	}
	return append(rawjson.AppendString([]byte(`{"invalid_arguments":`), strings.ToValidUTF8(text, "\ufffd")), '}')
}

// imageTypes are the images that the dialect takes, with how their bytes begin in
// base64.
var imageTypes = []struct{ mime, magic string }{
	{"image/png", "iVBORw0KGgo"}, {"image/jpeg", "/9j/"}, {"image/gif", "R0lGOD"}, {"image/webp", "UklGR"},
}

// imageType is the media type of an image. What the bytes say counts, as it does for
// the upstream.
func imageType(m *llm.Media) (string, bool) {
	for _, t := range imageTypes {
		if strings.HasPrefix(m.Base64, t.magic) {
			return t.mime, true
		}
	}
	for _, t := range imageTypes {
		if m.MIME == t.mime {
			return t.mime, true
		}
	}
	if m.MIME == "image/jpg" {
		return "image/jpeg", true
	}
	return "", false
}

func (w *promptWriter) image(d *draft, p *llm.Part) {
	m := p.Media
	w.lost.If(m.Detail != "" && m.Detail != "auto", llm.FieldDetail)
	out := mediaBlock{Type: "image", Cache: w.cache(p.Cache)}
	mime, known := imageType(m)
	switch {
	case m.Base64 != "" && known:
		out.Source = source{Type: "base64", MediaType: mime, Data: m.Base64}
	case !w.reach(m, &out.Source):
		w.lost.If(m.Base64 != "", llm.FieldImage)
		return
	}
	d.blocks = append(d.blocks, out)
}

// reach finds a file that is not in the request.
func (w *promptWriter) reach(m *llm.Media, from *source) bool {
	switch {
	case m.FileID != "" && m.FileOf == Name:
		*from = source{Type: "file", FileID: m.FileID}
	case m.URL != "":
		*from = source{Type: "url", URL: m.URL}
	default:
		w.lost.If(m.Base64 == "", llm.FieldFile)
		return false
	}
	return true
}

func (w *promptWriter) document(d *draft, p *llm.Part) {
	m := p.Media
	out := mediaBlock{Type: "document", Title: m.Name, Context: m.Context, Cache: w.cache(p.Cache)}
	if m.Cite {
		out.Citations = &citationSwitch{Enabled: true}
	}
	text, isText := plainText(m)
	switch {
	case isText:
		out.Source = source{Type: "text", MediaType: "text/plain", Data: text}
	case m.Base64 != "" && (m.MIME == "application/pdf" || m.MIME == ""):
		out.Source = source{Type: "base64", MediaType: "application/pdf", Data: m.Base64}
	case !w.reach(m, &out.Source):
		w.lost.If(m.Base64 != "", llm.FieldDocument)
		return
	}
	d.blocks = append(d.blocks, out)
}

// plainText is a document of text of any sort, which the dialect has as plain text.
func plainText(m *llm.Media) (string, bool) {
	if !strings.HasPrefix(m.MIME, "text/") && m.MIME != "application/json" {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(m.Base64)
	return strings.ToValidUTF8(string(text), "\ufffd"), err == nil && len(text) > 0
}
