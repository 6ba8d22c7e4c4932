package gemini

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// contents turns contents into turns. Neighbours of one role are one turn: SDKs that
// keep a stream's history keep each of its chunks as a content.
func (r *reader) contents(contents []content) error {
	p := r.prompt
	for i := range contents {
		c := &contents[i]
		role := llm.User
		switch c.Role {
		case roleModel:
			role = llm.Assistant
		case roleUser, roleFunction, "":
		default:
			at := fmt.Sprintf("contents[%d].role", i)
			return wire.Invalid(at, fmt.Sprintf("%s: %.40q is no role; it is user or model", at, c.Role))
		}
		if n := len(p.Turns); n == 0 || p.Turns[n-1].Role != role {
			p.Turns = append(p.Turns, llm.Turn{Role: role})
		}
		turn := &p.Turns[len(p.Turns)-1]
		for j := range c.Parts {
			if err := r.part(&turn.Parts, &c.Parts[j], fmt.Sprintf("contents[%d]", i), j); err != nil {
				return err
			}
		}
		if role == llm.Assistant {
			turn.Parts = joinPieces(turn.Parts)
		}
	}
	return nil
}

// joinPieces puts the pieces of a streamed answer together again: texts, and thoughts
// up to their signature.
func joinPieces(parts []llm.Part) []llm.Part {
	out := parts[:0]
	for _, p := range parts {
		n := len(out)
		if n == 0 || p.Kind != out[n-1].Kind || out[n-1].Signature != "" || out[n-1].Redacted != "" {
			out = append(out, p)
			continue
		}
		last := &out[n-1]
		switch {
		case p.Kind == llm.Text:
			last.Text += p.Text
		case p.Kind == llm.Reasoning && p.Redacted == "" && (p.Text != "" || p.Signer != Name): // else it is the signature of a call or a text
			last.Text += p.Text
			last.Signature, last.Signer, last.Redacted = p.Signature, p.Signer, p.Redacted
		default:
			out = append(out, p)
		}
	}
	return out
}

// part reads one part. The signature of a text becomes a piece of thought of its own
// behind it, as other dialects can carry it.
func (r *reader) part(parts *[]llm.Part, p *part, at string, i int) error {
	at = fmt.Sprintf("%s.parts[%d]", at, i)
	var out llm.Part
	switch {
	case p.FunctionCall != nil:
		out = r.call(p.FunctionCall)
		carried(&out, p.ThoughtSignature)
	case p.FunctionResponse != nil:
		result, err := r.result(p.FunctionResponse, at)
		if err != nil {
			return err
		}
		out = result
	case p.InlineData != nil:
		out = llm.Part{Kind: kindOfMedia(p.InlineData.MIMEType), Media: &llm.Media{
			MIME: p.InlineData.MIMEType, Base64: stdBase64(p.InlineData.Data), Name: p.InlineData.DisplayName}}
	case p.FileData != nil:
		out = readFile(p.FileData)
	case p.Text != nil || p.Thought || p.ThoughtSignature != "":
		return r.words(parts, p)
	case len(p.Extra) > 0:
		raw, err := json.Marshal(p.Extra, json.Deterministic(true))
		if err != nil {
			return wire.BadField(err)
		}
		*parts = append(*parts, llm.Part{Kind: llm.Other, Raw: raw, Dialect: Name})
		return nil
	default:
		return wire.Invalid(at, at+` must hold something, such as {"text": "…"}`)
	}
	if out.Media != nil && p.MediaResolution != nil {
		out.Media.Detail = details[strings.TrimPrefix(p.MediaResolution.Level, "MEDIA_RESOLUTION_")]
	}
	if p.VideoMetadata != nil {
		r.lost = append(r.lost, "videoMetadata")
	}
	r.unread("", p.Extra)
	*parts = append(*parts, out)
	return nil
}

// details is the table of mediaResolution.level.
var details = map[string]string{"LOW": "low", "MEDIUM": "auto", "HIGH": "high", "ULTRA_HIGH": "high"}

func (r *reader) words(parts *[]llm.Part, p *part) error {
	text := ""
	if p.Text != nil {
		text = *p.Text
	}
	r.unread("", p.Extra)
	signed := llm.Part{Kind: llm.Reasoning}
	carried(&signed, p.ThoughtSignature)
	switch {
	case p.Thought || text == "" && p.ThoughtSignature != "":
		signed.Text = text
		if text != "" || p.ThoughtSignature != "" {
			*parts = append(*parts, signed)
		}
		return nil
	case p.Text == nil:
		return nil
	}
	*parts = append(*parts, llm.Part{Kind: llm.Text, Text: text})
	if p.ThoughtSignature != "" {
		*parts = append(*parts, signed)
	}
	return nil
}

// stdBase64 gives base64 the alphabet and the padding that other dialects demand:
// proto3's JSON allows the URL one.
func stdBase64(s string) string {
	if strings.ContainsAny(s, "-_") {
		s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	}
	if n := len(s) % 4; n > 1 {
		s += "=="[:4-n]
	}
	return s
}

// readFile reads a file by its address. One that lies at Google is nobody else's to
// fetch; others can be fetched by anyone.
func readFile(f *file) llm.Part {
	m := &llm.Media{MIME: f.MIMEType, Name: f.DisplayName}
	if isGoogleFile(f.FileURI) {
		m.FileID, m.FileOf = f.FileURI, Name
	} else {
		m.URL = f.FileURI
	}
	return llm.Part{Kind: kindOfMedia(f.MIMEType), Media: m}
}

func isGoogleFile(uri string) bool {
	return strings.HasPrefix(uri, "gs://") || strings.HasPrefix(uri, "files/") ||
		strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/")
}

// call reads a call. Calls have an id only since Gemini 3: others are numbered, and
// their results are found by name and order.
func (r *reader) call(c *functionCall) llm.Part {
	r.unread("functionCall.", c.Extra)
	call := llm.Call{ID: c.ID, Name: c.Name, Arguments: string(wire.NotNull(c.Args))}
	if call.ID == "" {
		r.calls++
		call.ID = "call_" + strconv.Itoa(r.calls)
	}
	if call.Arguments == "" {
		call.Arguments = "{}"
	}
	r.open = append(r.open, call)
	return llm.Part{Kind: llm.ToolCall, Call: &call}
}

func (r *reader) result(f *functionResponse, at string) (llm.Part, error) {
	r.unread("functionResponse.", f.Extra)
	out := &llm.Result{CallID: f.ID, Name: f.Name}
	for i := range r.open {
		if c := r.open[i]; c.ID == f.ID || f.ID == "" && c.Name == f.Name {
			out.CallID, out.Name = c.ID, c.Name
			r.open = append(r.open[:i:i], r.open[i+1:]...)
			break
		}
	}
	if out.CallID == "" {
		r.calls++
		out.CallID = "call_" + strconv.Itoa(r.calls)
	}
	text, failed := readResponse(f.Response)
	out.Failed = failed
	if text != "" || len(f.Parts) == 0 {
		out.Parts = []llm.Part{{Kind: llm.Text, Text: text}}
	}
	for i := range f.Parts {
		if err := r.part(&out.Parts, &f.Parts[i], at+".functionResponse", i); err != nil {
			return llm.Part{}, err
		}
	}
	return llm.Part{Kind: llm.ToolResult, Result: out}, nil
}

// readResponse is what a function said: by Google's convention the value of "output",
// or of "error" where it failed; else the whole object.
func readResponse(raw rawJSON) (text string, failed bool) {
	if wire.NotNull(raw) == nil {
		return "", false
	}
	v, _ := rawjson.Lookup(raw)
	count := 0
	var only rawjson.Value
	for name, member := range v.Fields() {
		count++
		if name == "output" || name == "error" {
			only, failed = member, name == "error"
		}
	}
	if count != 1 || only.Kind() == rawjson.Invalid {
		return string(raw), false
	}
	if text, ok := only.Str(); ok {
		return text, failed
	}
	return string(only.Raw()), failed
}
