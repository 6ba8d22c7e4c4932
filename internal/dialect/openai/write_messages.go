package openai

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

func (w *promptWriter) messages(p *llm.Prompt) (out []chatMessage) {
	if len(p.System) > 0 {
		out = append(out, chatMessage{Role: "system", Content: w.content(p.System)})
	}
	for i := range p.Turns {
		t := &p.Turns[i]
		switch t.Role {
		case llm.System:
			out = append(out, chatMessage{Role: "system", Name: t.Name, Content: w.content(t.Parts)})
		case llm.Assistant:
			out = append(out, w.assistant(t))
		default:
			out = w.user(out, t)
		}
	}
	return out
}

// user writes a user's turn: results of tools are messages of their own, and stand
// first, right behind the calls.
func (w *promptWriter) user(out []chatMessage, t *llm.Turn) []chatMessage {
	var words, shown []llm.Part
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Kind != llm.ToolResult {
			words = append(words, *part)
			continue
		}
		m := chatMessage{Role: "tool", ToolCallID: part.Result.CallID}
		said := part.Result.Parts
		text := make([]llm.Part, 0, len(said))
		for _, p := range said {
			if p.Kind == llm.Text {
				text = append(text, p)
			} else {
				shown = append(shown, p) // tool messages hold text alone: a picture follows in the user's
			}
		}
		w.lost.If(part.Result.Failed, llm.FieldIsError)
		if m.Content = w.content(text); m.Content == nil {
			m.Content = jsontext.Value(`""`)
		}
		out = append(out, m)
	}
	if words = append(shown, words...); len(words) > 0 {
		out = append(out, chatMessage{Role: "user", Name: t.Name, Content: w.content(words)})
	}
	return out
}

func (w *promptWriter) assistant(t *llm.Turn) chatMessage {
	m := chatMessage{Role: "assistant", Name: t.Name}
	var words []llm.Part
	for i := range t.Parts {
		part := &t.Parts[i]
		switch part.Kind {
		case llm.ToolCall:
			m.ToolCalls = append(m.ToolCalls, chatCall{ID: part.Call.ID, Type: "function",
				Function: chatFuncCall{Name: part.Call.Name, Arguments: orObject(part.Call.Arguments)}})
			w.signature(&m, part)
		case llm.Reasoning:
			if w.has("reasoning_content", part.Text != "", llm.FieldReasoning) {
				m.ReasoningContent += part.Text
			}
			w.signature(&m, part)
		default:
			words = append(words, *part)
		}
	}
	m.Content = w.content(words)
	return m
}

// signature gives an upstream its own proof of thought back. Another's is lost.
func (w *promptWriter) signature(m *chatMessage, part *llm.Part) {
	if part.Signer == Name && w.has("reasoning_details", part.Signature != "", llm.FieldSignature) {
		m.ReasoningDetails = append(m.ReasoningDetails, jsontext.Value(part.Signature))
		return
	}
	w.lost.If(part.Signer != Name && (part.Signature != "" || part.Redacted != ""), llm.FieldSignature)
}

func orObject(arguments string) string {
	if strings.TrimSpace(arguments) == "" {
		return "{}"
	}
	return arguments
}

// content is a string where the parts are one text, else an array of parts.
func (w *promptWriter) content(parts []llm.Part) jsontext.Value {
	if len(parts) == 0 {
		return nil
	}
	if p := &parts[0]; len(parts) == 1 && p.Kind == llm.Text && p.Cache == nil && len(p.Citations) == 0 {
		raw, _ := json.Marshal(p.Text) // a string always can be
		return raw
	}
	out := make([]chatPart, 0, len(parts))
	for i := range parts {
		if p, ok := w.part(&parts[i]); ok {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil
	}
	raw, _ := json.Marshal(out) // made of strings
	return raw
}

func (w *promptWriter) part(p *llm.Part) (out chatPart, ok bool) {
	w.lost.If(p.Cache != nil, llm.FieldCache)
	w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
	switch p.Kind {
	case llm.Text:
		return chatPart{Type: "text", Text: p.Text}, true
	case llm.Refusal:
		return chatPart{Type: "refusal", Refusal: p.Text}, true
	case llm.Image:
		return chatPart{Type: "image_url", ImageURL: &chatImage{URL: wire.WriteURL(p.Media, "image/png"), Detail: p.Media.Detail}}, w.reachable(p.Media)
	case llm.Video:
		if !w.has("video_url", true, llm.FieldVideo) {
			return out, false
		}
		return chatPart{Type: "video_url", VideoURL: &chatImage{URL: wire.WriteURL(p.Media, "video/mp4")}}, w.reachable(p.Media)
	case llm.Audio:
		for format, kind := range audioTypes {
			if kind == p.Media.MIME && p.Media.Base64 != "" {
				return chatPart{Type: "input_audio", InputAudio: &chatAudio{Data: p.Media.Base64, Format: format}}, true
			}
		}
		w.lost.Add(llm.FieldAudio)
		return out, false
	case llm.Document:
		return w.document(p.Media)
	}
	w.lost.Add(llm.FieldOther)
	return out, false
}

// reachable reports whether this dialect's upstreams can get at a file.
func (w *promptWriter) reachable(m *llm.Media) bool {
	if m.Base64 == "" && m.URL == "" {
		w.lost.Add(llm.FieldFile)
		return false
	}
	return true
}

func (w *promptWriter) document(m *llm.Media) (chatPart, bool) {
	w.lost.If(m.Cite, llm.FieldCitations)
	if words, ok := plainText(m); ok {
		return chatPart{Type: "text", Text: words}, true
	}
	w.lost.If(m.Context != "", llm.FieldDocument)
	switch {
	case m.FileID != "" && m.FileOf == Name:
		return chatPart{Type: "file", File: &chatFile{FileID: m.FileID, Filename: m.Name}}, true
	case m.Base64 != "":
		name := m.Name
		if name == "" {
			name = "document.pdf"
		}
		return chatPart{Type: "file", File: &chatFile{FileData: wire.WriteURL(m, "application/pdf"), Filename: name}}, true
	}
	w.lost.Add(llm.FieldDocument)
	return chatPart{}, false
}

// plainText is a document that is text, as words: upstreams of this dialect take no
// files but PDFs.
func plainText(m *llm.Media) (words string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(m.Base64)
	if err != nil || m.Base64 == "" || !strings.HasPrefix(m.MIME, "text/") || !utf8.Valid(text) {
		return "", false
	}
	for _, said := range [...]string{m.Name, m.Context, string(text)} {
		if words != "" && said != "" {
			words += "\n\n"
		}
		words += said
	}
	return words, true
}
