package responses

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// input writes turns as items.
func (w *promptWriter) input(turns []llm.Turn) []item {
	w.items = make([]item, 0, len(turns))
	for i := range turns {
		t := &turns[i]
		w.lost.If(t.Name != "", llm.FieldName)
		switch t.Role {
		case llm.Assistant:
			w.assistant(t.Parts)
		case llm.System:
			w.message("system", t.Parts)
		default:
			w.user(t.Parts)
		}
	}
	return w.items
}

func (w *promptWriter) add(it item) { w.items = append(w.items, it) }

// raw is an item that only this dialect has.
func (w *promptWriter) raw(p *llm.Part) {
	if p.Dialect != Name || len(p.Raw) == 0 {
		w.lost.Add(llm.FieldOther)
		return
	}
	w.add(item{Extra: p.Raw})
}

// user writes a user's turn: each result of a tool is an item, and the words between
// them are messages.
func (w *promptWriter) user(parts []llm.Part) {
	var words []llm.Part
	flush := func() {
		w.message("user", words)
		words = nil
	}
	for i := range parts {
		p := &parts[i]
		switch p.Kind {
		case llm.ToolResult:
			flush()
			w.lost.If(p.Result.Failed, llm.FieldIsError)
			w.lost.If(p.Cache != nil, llm.FieldCache)
			w.add(item{Type: typeResult, CallID: p.Result.CallID, Output: w.output(p.Result.Parts)})
		case llm.Other:
			flush()
			w.raw(p)
		default:
			words = append(words, *p)
		}
	}
	flush()
}

// output is what a tool gave back: a string, or parts where there is more than text.
func (w *promptWriter) output(parts []llm.Part) rawJSON {
	var text strings.Builder
	plain := true
	for i := range parts {
		plain = plain && parts[i].Kind == llm.Text
		text.WriteString(parts[i].Text)
	}
	if plain && len(parts) <= 1 {
		return quoted(text.String())
	}
	out := w.content(parts)
	if len(out) == 0 {
		return quoted("")
	}
	raw, _ := json.Marshal(out) // made of strings
	return raw
}

func (w *promptWriter) message(role string, parts []llm.Part) {
	if len(parts) == 1 && parts[0].Kind == llm.Text && parts[0].Cache == nil {
		w.add(item{Role: role, Content: quoted(parts[0].Text)})
		return
	}
	if out := w.content(parts); len(out) > 0 {
		raw, _ := json.Marshal(out) // made of strings
		w.add(item{Type: typeMessage, Role: role, Content: raw})
	}
}

func quoted(s string) rawJSON {
	raw, _ := json.Marshal(s) // a string always can be
	return raw
}

// assistant writes what a model said, in the order in which it said it.
func (w *promptWriter) assistant(parts []llm.Part) {
	for i := range parts {
		p := &parts[i]
		w.lost.If(p.Cache != nil, llm.FieldCache)
		w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
		switch p.Kind {
		case llm.Text:
			// OpenAI could do without the type; llama.cpp cannot.
			w.add(item{Type: typeMessage, Role: "assistant", Content: quoted(p.Text)})
		case llm.Refusal:
			raw, _ := json.Marshal([]part{{Type: typeRefusal, Refusal: p.Text}}) // made of strings
			// What a model put out has an id and a status in this dialect.
			w.add(item{Type: typeMessage, ID: "msg_" + strconv.Itoa(len(w.items)), Status: "completed", Role: "assistant", Content: raw})
		case llm.Reasoning:
			w.thought(p)
		case llm.ToolCall:
			w.lost.If(p.Signature != "" && p.Signer != Name, llm.FieldSignature)
			arguments := p.Call.Arguments
			if strings.TrimSpace(arguments) == "" {
				arguments = "{}"
			}
			w.add(item{Type: typeCall, CallID: p.Call.ID, Name: p.Call.Name, Args: &arguments})
		case llm.Other:
			w.raw(p)
		default:
			w.lost.Add(llm.FieldOther) // models put out no files here
		}
	}
}

// thought gives a model its own thought back. A provider of this dialect takes none but
// its own.
func (w *promptWriter) thought(p *llm.Part) {
	if p.Signer != Name {
		w.lost.If(p.Signature != "" || p.Redacted != "", llm.FieldSignature)
		w.lost.If(p.Text != "", llm.FieldReasoning)
		return
	}
	id, encrypted := writeSealed(p)
	if encrypted == "" {
		w.lost.If(p.Text != "", llm.FieldReasoning)
		return
	}
	w.sealed = true
	it := item{Type: typeReasoning, ID: id, Sealed: &encrypted, Summary: []textPart{}}
	if p.Text != "" {
		it.Summary = append(it.Summary, textPart{Type: typeSummary, Text: p.Text})
	}
	w.add(it)
}

func (w *promptWriter) content(parts []llm.Part) []part {
	out := make([]part, 0, len(parts))
	for i := range parts {
		if p, ok := w.part(&parts[i]); ok {
			out = append(out, p)
		}
	}
	return out
}

func (w *promptWriter) part(p *llm.Part) (out part, ok bool) {
	// Its own breakpoints only newer models take, and without them it caches by itself.
	w.lost.If(p.Cache != nil, llm.FieldCache)
	w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
	switch p.Kind {
	case llm.Text:
		return part{Type: typeInputText, Text: &p.Text}, true
	case llm.Image:
		return w.image(p.Media)
	case llm.Document:
		return w.document(p.Media)
	case llm.Audio:
		for format, kind := range audioTypes {
			if kind == p.Media.MIME && p.Media.Base64 != "" {
				return part{Type: typeAudio, Audio: &audio{Data: p.Media.Base64, Format: format}}, true
			}
		}
		w.lost.Add(llm.FieldAudio)
	case llm.Video:
		w.lost.Add(llm.FieldVideo)
	case llm.Refusal:
		w.lost.Add(llm.FieldRefusal)
	default:
		w.lost.Add(llm.FieldOther)
	}
	return out, false
}

func (w *promptWriter) image(m *llm.Media) (out part, ok bool) {
	out = part{Type: typeImage, Detail: m.Detail}
	if out.Detail == "" {
		out.Detail = "auto" // the field must be there
	}
	switch {
	case m.FileID != "" && m.FileOf == Name:
		out.FileID = m.FileID
	case m.Base64 != "" || m.URL != "":
		out.ImageURL = wire.WriteURL(m, "image/png")
	default:
		w.lost.Add(llm.FieldFile)
		return out, false
	}
	return out, true
}

func (w *promptWriter) document(m *llm.Media) (out part, ok bool) {
	w.lost.If(m.Cite, llm.FieldCitations)
	w.lost.If(m.Context != "", llm.FieldDocument)
	out = part{Type: typeFile, Filename: m.Name}
	switch {
	case m.FileID != "" && m.FileOf == Name:
		out.FileID, out.Filename = m.FileID, ""
	case m.Base64 != "":
		out.FileData = wire.WriteURL(m, "application/pdf")
		if out.Filename == "" {
			out.Filename = "document.pdf"
		}
	case m.URL != "":
		out.FileURL, out.Filename = m.URL, ""
	case m.FileID != "":
		w.lost.Add(llm.FieldFile)
		return out, false
	default:
		w.lost.Add(llm.FieldDocument)
		return out, false
	}
	return out, true
}
