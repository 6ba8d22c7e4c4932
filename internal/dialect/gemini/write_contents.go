package gemini

import (
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// contents writes turns. Google wants the two sides to take turns, so neighbours of
// one role are one content.
func (w *promptWriter) contents(turns []llm.Turn) (out list[content]) {
	for i := range turns {
		t := &turns[i]
		role := roleUser
		switch t.Role {
		case llm.Assistant:
			role = roleModel
		case llm.System:
			w.lost.Add(llm.FieldSystem) // it becomes the user's words
		}
		w.lost.If(t.Name != "", llm.FieldName)
		parts := w.parts(t.Parts)
		if len(parts) == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Role == role {
			out[n-1].Parts = append(out[n-1].Parts, parts...)
			continue
		}
		out = append(out, content{Role: role, Parts: parts})
	}
	for i := range out {
		w.vouch(out[i].Parts)
	}
	return out
}

// unvalidated stands where a signature should be of a call that another model made, or
// whose signature is lost: since Gemini 3 the first call of a turn is refused without one
// (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs). It is the text
// skip_thought_signature_validator, in base64 as this field is.
const unvalidated = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

// vouch signs the first call of a turn so, where it is not signed.
func (w *promptWriter) vouch(parts []part) {
	if w.isOld() {
		return
	}
	for i := range parts {
		if p := &parts[i]; p.FunctionCall != nil {
			if p.ThoughtSignature == "" {
				p.ThoughtSignature = unvalidated
			}
			return
		}
	}
}

func (w *promptWriter) parts(parts []llm.Part) (out list[part]) {
	parts = slices.Clone(parts) // for sign
	for i := range parts {
		p := &parts[i]
		w.lost.If(p.Cache != nil, llm.FieldCache)
		w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
		if p.Kind == llm.Reasoning && p.Text == "" && p.Signer == Name && p.Signature != "" {
			out = w.sign(out, parts[i:])
			continue
		}
		out = append(out, w.part(p)...)
	}
	return out
}

// sign gives a signature that came alone back to the part that it was on: the call
// behind it, else the text before or behind it. With neither it stands with an empty
// text, as at the end of streams.
func (w *promptWriter) sign(out list[part], rest []llm.Part) list[part] {
	signature := rest[0].Signature
	unsigned := func(p *llm.Part, kind llm.PartKind) bool { return p.Kind == kind && p.Signature == "" }
	switch {
	case len(rest) > 1 && unsigned(&rest[1], llm.ToolCall):
		rest[1].Signature, rest[1].Signer = signature, Name
	case len(out) > 0 && out[len(out)-1].Text != nil && !out[len(out)-1].Thought && out[len(out)-1].ThoughtSignature == "":
		out[len(out)-1].ThoughtSignature = signature
	case len(rest) > 1 && unsigned(&rest[1], llm.Text):
		rest[1].Signature, rest[1].Signer = signature, Name
	default:
		empty := ""
		return append(out, part{Text: &empty, ThoughtSignature: signature})
	}
	return out
}

// part writes a part with its signature, if it is Google's own.
func (w *promptWriter) part(p *llm.Part) []part {
	out := w.unsigned(p)
	switch {
	case p.Signature == "" && p.Redacted == "":
	case p.Signer == Name && len(out) > 0:
		out[0].ThoughtSignature = p.Signature
	default:
		w.lost.Add(llm.FieldSignature)
	}
	return out
}

func (w *promptWriter) unsigned(p *llm.Part) []part {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		return []part{{Text: &p.Text}}
	case llm.Reasoning:
		if p.Text == "" {
			return nil // only its provider could read it
		}
		return []part{{Text: &p.Text, Thought: true}}
	case llm.Image, llm.Audio, llm.Video, llm.Document:
		return w.media(p)
	case llm.ToolCall:
		return []part{{FunctionCall: &functionCall{ID: p.Call.ID, Name: p.Call.Name, Args: object(p.Call.Arguments, "arguments")}}}
	case llm.ToolResult:
		return w.result(p.Result)
	case llm.Other:
		var raw part
		if p.Dialect == Name && json.Unmarshal(p.Raw, &raw) == nil {
			return []part{raw}
		}
	}
	w.lost.Add(llm.FieldOther)
	return nil
}

// object is a text as the JSON object that Google demands, under a name where it is
// none.
func object(text, name string) rawJSON {
	if strings.TrimSpace(text) == "" && name == "arguments" {
		return rawJSON("{}")
	}
	if doc, err := rawjson.Check([]byte(text), rawjson.Limits{}); err == nil && doc.Root().Kind() == rawjson.Object {
		return rawJSON(doc.Root().Raw())
	}
	return named(name, text)
}

func named(name, text string) rawJSON {
	out := append(rawjson.AppendString([]byte{'{'}, name), ':')
	return append(rawjson.AppendString(out, text), '}')
}

// result writes what a function gave back. Models since Gemini 3 take media in it,
// others see them beside it.
func (w *promptWriter) result(r *llm.Result) []part {
	var text strings.Builder
	var media []part
	for i := range r.Parts {
		if p := &r.Parts[i]; p.Kind == llm.Text {
			text.WriteString(p.Text)
		} else {
			media = append(media, w.part(p)...)
		}
	}
	f := &functionResponse{ID: r.CallID, Name: r.Name, Response: object(text.String(), "output")}
	if f.Name == "" {
		f.Name = r.CallID // it must have one
	}
	if r.Failed {
		f.Response = named("error", text.String())
	}
	if w.isOld() {
		return append([]part{{FunctionResponse: f}}, media...)
	}
	f.Parts = media
	return []part{{FunctionResponse: f}}
}

// unsaid is the media type of a kind of part whose own is not known.
var unsaid = map[llm.PartKind]string{
	llm.Image: "image/png", llm.Audio: "audio/wav", llm.Video: "video/mp4", llm.Document: "application/pdf",
}

// fieldsOf is what is lost with a kind of media.
var fieldsOf = map[llm.PartKind]llm.Field{
	llm.Image: llm.FieldImage, llm.Audio: llm.FieldAudio, llm.Video: llm.FieldVideo, llm.Document: llm.FieldDocument,
}

// media writes a file: its bytes, or the address of one that the upstream can fetch,
// which is one of Google's own, a video of YouTube's or, since Gemini 2.5, any public
// one with https (https://ai.google.dev/gemini-api/docs/file-input-methods).
func (w *promptWriter) media(p *llm.Part) []part {
	m := p.Media
	w.lost.If(m.Detail != "" && m.Detail != "auto", llm.FieldDetail)
	w.lost.If(m.Cite, llm.FieldCitations)
	w.lost.If(m.Name != "", llm.FieldTitle)
	var out []part
	if m.Context != "" {
		out = append(out, part{Text: &m.Context})
	}
	mime := m.MIME
	switch {
	case m.FileID != "" && m.FileOf == Name:
		return append(out, part{FileData: &file{MIMEType: mime, FileURI: m.FileID}})
	case m.Base64 != "":
		if mime == "" {
			mime = unsaid[p.Kind]
		}
		return append(out, part{InlineData: &blob{MIMEType: mime, Data: m.Base64}})
	case m.URL != "" && w.fetches(m.URL):
		if mime == "" {
			mime = typeOf(m.URL, unsaid[p.Kind])
		}
		return append(out, part{FileData: &file{MIMEType: mime, FileURI: m.URL}})
	case m.FileID != "":
		w.lost.Add(llm.FieldFile)
	default:
		w.lost.Add(fieldsOf[p.Kind])
	}
	return nil
}

func (w *promptWriter) fetches(url string) bool {
	switch {
	case isGoogleFile(url), strings.HasPrefix(url, "https://www.youtube.com/"), strings.HasPrefix(url, "https://youtu.be/"):
		return true
	case strings.Contains(w.model, "gemini-1."), strings.Contains(w.model, "gemini-2.0"):
		return false
	}
	return strings.HasPrefix(url, "https://")
}

// typesByName are the media types of files by the ends of their names.
var typesByName = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".heic": "image/heic",
	".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".aac": "audio/aac", ".m4a": "audio/mp4",
	".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".pdf": "application/pdf", ".txt": "text/plain",
	".html": "text/html", ".csv": "text/csv", ".md": "text/markdown", ".json": "application/json",
}

func typeOf(url, usual string) string {
	name, _, _ := strings.Cut(url, "?")
	name, _, _ = strings.Cut(name, "#")
	if mime, ok := typesByName[strings.ToLower(path.Ext(name))]; ok {
		return mime
	}
	return usual
}
