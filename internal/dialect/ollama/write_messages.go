package ollama

import (
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
)

func (w *promptWriter) messages(p *llm.Prompt) (out []message) {
	if len(p.System) > 0 {
		out = append(out, w.message("system", "\n", p.System))
	}
	for i := range p.Turns {
		t := &p.Turns[i]
		w.lost.If(t.Name != "", llm.FieldName)
		switch t.Role {
		case llm.System:
			out = append(out, w.message("system", "\n", t.Parts))
		case llm.Assistant:
			out = append(out, w.assistant(t))
		default:
			out = w.user(out, t)
		}
	}
	return out
}

// message writes words and pictures. A message is one text, so several are joined.
func (w *promptWriter) message(role, join string, parts []llm.Part) message {
	m := message{Role: role}
	var said []string
	for i := range parts {
		p := &parts[i]
		w.lost.If(p.Cache != nil, llm.FieldCache)
		w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
		switch p.Kind {
		case llm.Text, llm.Refusal:
			said = append(said, p.Text)
		case llm.Image:
			w.picture(&m, p.Media)
		default:
			w.lost.Add(cannotSay(p.Kind))
		}
	}
	m.Content = strings.Join(said, join)
	return m
}

// cannotSay is the loss of a part that has no place here.
func cannotSay(kind llm.PartKind) llm.Field {
	switch kind {
	case llm.Audio:
		return llm.FieldAudio
	case llm.Video:
		return llm.FieldVideo
	case llm.Document:
		return llm.FieldDocument
	}
	return llm.FieldOther
}

// picture adds a picture. The server fetches none, so its bytes must be here.
func (w *promptWriter) picture(m *message, media *llm.Media) {
	switch {
	case media.Base64 != "":
		m.Images = append(m.Images, media.Base64)
		w.lost.If(media.Detail != "" && media.Detail != "auto", llm.FieldDetail)
	case media.URL != "":
		w.lost.Add(llm.FieldImage)
	default:
		w.lost.Add(llm.FieldFile)
	}
}

// user writes a user's turn: results of tools are messages of their own and stand
// first, right behind the calls. Pictures in them follow in the user's, as templates
// show none of a tool's.
func (w *promptWriter) user(out []message, t *llm.Turn) []message {
	var words, shown []llm.Part
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Kind != llm.ToolResult {
			words = append(words, *part)
			continue
		}
		r := part.Result
		var text []llm.Part
		for _, p := range r.Parts {
			if p.Kind == llm.Image {
				shown = append(shown, p)
			} else {
				text = append(text, p)
			}
		}
		w.lost.If(part.Cache != nil, llm.FieldCache)
		w.lost.If(r.Failed, llm.FieldIsError)
		m := w.message("tool", "\n", text)
		m.ToolName, m.ToolCallID = r.Name, r.CallID
		out = append(out, m)
	}
	if words = append(shown, words...); len(words) > 0 {
		out = append(out, w.message("user", "\n", words))
	}
	return out
}

func (w *promptWriter) assistant(t *llm.Turn) message {
	var words []llm.Part
	var thought strings.Builder
	var calls []toolCall
	for i := range t.Parts {
		p := &t.Parts[i]
		w.lost.If(p.Signature != "" || p.Redacted != "", llm.FieldSignature)
		switch p.Kind {
		case llm.Reasoning:
			thought.WriteString(p.Text)
		case llm.ToolCall:
			w.lost.If(p.Cache != nil, llm.FieldCache)
			calls = append(calls, toolCall{ID: p.Call.ID, Function: functionCall{
				Index: len(calls), Name: p.Call.Name, Arguments: object(p.Call.Arguments),
			}})
		default:
			words = append(words, *p)
		}
	}
	m := w.message("assistant", "", words)
	m.Thinking, m.ToolCalls = thought.String(), calls
	return m
}
