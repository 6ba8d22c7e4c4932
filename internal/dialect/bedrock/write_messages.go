package bedrock

import (
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

func (w *writer) system(parts []llm.Part) (out []any) {
	for i := range parts {
		p := &parts[i]
		if p.Kind != llm.Text {
			w.lost.Add(llm.FieldOther)
			continue
		}
		out = w.cache(w.text(out, p.Text), p.Cache)
	}
	return out
}

// text appends a text. Converse refuses one that is blank.
func (w *writer) text(out []any, text string) []any {
	if strings.TrimSpace(text) == "" {
		return out
	}
	return append(out, &block{Text: &text})
}

// turns writes the conversation. Roles must take turns, so neighbours of the same role
// become one message; instructions in the middle become the user's.
func (w *writer) turns(turns []llm.Turn) {
	for i := range turns {
		t := &turns[i]
		w.lost.If(t.Name != "", llm.FieldName)
		role := "user"
		switch t.Role {
		case llm.Assistant:
			role = "assistant"
		case llm.System:
			w.lost.Add(llm.FieldSystem)
		}
		var out []any
		for j := range t.Parts {
			out = w.part(out, &t.Parts[j], role)
		}
		w.add(role, out)
	}
}

func (w *writer) add(role string, content []any) {
	n := len(w.messages)
	switch {
	case len(content) == 0:
	case n > 0 && w.messages[n-1].Role == role:
		w.messages[n-1].Content = append(w.messages[n-1].Content, content...)
	default:
		w.messages = append(w.messages, message{Role: role, Content: content})
	}
}

func (w *writer) part(out []any, p *llm.Part, role string) []any {
	switch p.Kind {
	case llm.Text, llm.Refusal:
		w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
		out = w.text(out, p.Text)
	case llm.Reasoning:
		out = w.thought(out, p)
	case llm.ToolCall:
		w.lost.If(p.Signature != "", llm.FieldSignature) // calls are not signed here
		out = append(out, &block{ToolUse: &toolUse{ID: callID(p.Call.ID), Name: p.Call.Name, Input: object(p.Call.Arguments)}})
	case llm.ToolResult:
		out = append(out, w.result(p.Result))
	case llm.Other:
		if p.Dialect == Name {
			return append(out, jsontext.Value(p.Raw))
		}
		w.lost.Add(llm.FieldOther)
	default:
		if role != "user" { // files are the user's alone
			w.lost.Add(mediaFields[p.Kind])
			return out
		}
		out = w.media(out, p)
	}
	return w.cache(out, p.Cache)
}

// thought goes back only with its proof: the models refuse any other.
func (w *writer) thought(out []any, p *llm.Part) []any {
	switch {
	case signed(p) && p.Redacted != "":
		return append(out, &block{Reasoning: &reasoning{Redacted: p.Redacted}})
	case signed(p):
		return append(out, &block{Reasoning: &reasoning{Text: &reasoningText{Text: p.Text, Signature: p.Signature}}})
	case p.Signature != "" || p.Redacted != "":
		w.lost.Add(llm.FieldSignature)
	}
	w.lost.If(p.Text != "", llm.FieldReasoning)
	return out
}

// object is a call's arguments as an object. What is none, a model wrote by mistake: it is
// shown as it stands.
func object(arguments string) jsontext.Value {
	v := jsontext.Value(strings.TrimSpace(arguments))
	switch {
	case len(v) == 0:
		return jsontext.Value("{}")
	case v[0] == '{' && v.IsValid():
		return v
	}
	text, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(arguments, "\uFFFD"))
	return jsontext.Value(`{"arguments":` + string(text) + `}`)
}

// callID is an id within AWS's bounds: a call and its result are changed alike.
func callID(id string) string {
	if id != "" && len(id) <= maxToolUseID && plain(id, toolUseIDSymbols) {
		return id
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	mapped := strings.Map(func(r rune) rune {
		if plainRune(r, toolUseIDSymbols) {
			return r
		}
		return '_'
	}, id)
	return mapped[:min(len(mapped), 40)] + "_" + strconv.FormatUint(h.Sum64(), 16)
}

func (w *writer) result(r *llm.Result) *block {
	out := &toolResult{ID: callID(r.CallID), Content: []any{}}
	for i := range r.Parts {
		p := &r.Parts[i]
		switch p.Kind {
		case llm.Text, llm.Refusal:
			out.Content = w.text(out.Content, p.Text)
		case llm.Image, llm.Document, llm.Video:
			out.Content = w.media(out.Content, p)
		default:
			w.lost.Add(llm.FieldOther)
		}
		w.lost.If(p.Cache != nil, llm.FieldCache)
	}
	if len(out.Content) == 0 {
		out.Content = append(out.Content, &block{JSON: jsontext.Value("{}")}) // something must stand there, and no blank text
	}
	switch {
	case !r.Failed:
	case w.maker == anthropic || w.maker == nova || w.maker == unknown:
		out.Status = "error"
	default:
		w.lost.Add(llm.FieldIsError)
	}
	return &block{ToolResult: out}
}

var mediaFields = map[llm.PartKind]llm.Field{
	llm.Image: llm.FieldImage, llm.Audio: llm.FieldAudio, llm.Video: llm.FieldVideo, llm.Document: llm.FieldDocument,
}

// formats are Converse's names of media types.
var formats = map[llm.PartKind]map[string]string{
	llm.Image: {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
	llm.Audio: {
		"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/aac": "aac", "audio/flac": "flac",
		"audio/mp4": "mp4", "audio/ogg": "ogg", "audio/opus": "opus", "audio/webm": "webm", "audio/L16": "pcm", "audio/m4a": "m4a",
	},
	llm.Video: {
		"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm", "video/x-matroska": "mkv", "video/x-flv": "flv", "video/mpeg": "mpeg",
		"video/x-ms-wmv": "wmv", "video/3gpp": "three_gp",
	},
	llm.Document: {
		"application/pdf": "pdf", "text/csv": "csv", "text/html": "html", "text/plain": "txt", "text/markdown": "md", "application/msword": "doc",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx", "application/vnd.ms-excel": "xls",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
	},
}

// beginnings tell the format of an image from its first bytes, in base64.
var beginnings = [...]struct{ base64, format string }{{"iVBORw", "png"}, {"/9j/", "jpeg"}, {"R0lGOD", "gif"}, {"UklGR", "webp"}}

func formatOf(p *llm.Part) string {
	m := p.Media
	kind, _, _ := strings.Cut(m.MIME, ";")
	if f := formats[p.Kind][kind]; f != "" {
		return f
	}
	switch {
	case p.Kind == llm.Image:
		for _, b := range beginnings {
			if strings.HasPrefix(m.Base64, b.base64) {
				return b.format
			}
		}
	case p.Kind == llm.Document && kind == "" && (strings.HasPrefix(m.Base64, "JVBER") || m.Base64 == ""):
		return "pdf"
	}
	at := m.Name
	if at == "" {
		at = m.URL
	}
	ending := strings.ToLower(at[strings.LastIndexByte(at, '.')+1:])
	for _, f := range formats[p.Kind] {
		if f == ending {
			return f
		}
	}
	return ""
}

// media writes a file that comes with the request or lies in S3; Bedrock fetches no other.
func (w *writer) media(out []any, p *llm.Part) []any {
	m, from := p.Media, source{Bytes: p.Media.Base64}
	format := formatOf(p)
	switch {
	case m.Base64 != "":
	case strings.HasPrefix(m.URL, "s3://"):
		from.S3 = &s3{URI: m.URL}
	case m.FileID != "":
		w.lost.Add(llm.FieldFile)
		return out
	default:
		format = ""
	}
	if format == "" {
		w.lost.Add(mediaFields[p.Kind])
		return out
	}
	file := &media{Format: format, Source: from}
	switch p.Kind {
	case llm.Image:
		w.lost.If(m.Detail != "" && m.Detail != "auto", llm.FieldDetail)
		return append(out, &block{Image: file})
	case llm.Audio:
		return append(out, &block{Audio: file})
	case llm.Video:
		return append(out, &block{Video: file})
	}
	d := &document{Format: format, Name: w.documentName(m.Name), Source: from, Context: m.Context}
	if m.Cite {
		d.Citations = &citations{Enabled: true}
	}
	return append(out, &block{Document: d})
}

const maxDocumentName = 200

// documentName is a name within AWS's bounds, which no other document of the request has.
func (w *writer) documentName(name string) string {
	name = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case plainRune(r, "-()[]"):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '-'
	}, name)), " ")
	if name = name[:min(len(name), maxDocumentName)]; name == "" {
		name = "document"
	}
	for i, base := 2, name; w.names[name]; i++ {
		name = base + " " + strconv.Itoa(i)
	}
	w.names[name] = true
	return name
}
