package openai

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the bytes for an upstream of this dialect of what a client of another
// one asked.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	switch p.Surface {
	case llm.Completions:
		return writeText(p, stream, opt)
	case llm.Embeddings:
		return writeEmbed(p, opt)
	}
	w := &promptWriter{takes: opt.Takes}
	s := w.sampling(p.Sampling)
	out := chatRequest{
		Model: opt.Model, Stream: stream, Messages: w.messages(p),
		Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, MinP: s.MinP, Seed: s.Seed, Stop: list(s.Stop),
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, RepetitionPenalty: s.RepeatPenalty,
		LogitBias: s.LogitBias, N: s.N, Logprobs: s.Logprobs, TopLogprobs: s.TopLogprobs,
		Tools: w.tools(p.Tools), ToolChoice: writeChoice(p), ParallelToolCalls: p.Parallel, ResponseFormat: writeFormat(p.Format),
		ReasoningEffort: w.effort(p.Thinking), User: p.User, Metadata: p.Metadata, ServiceTier: w.tier(p.Tier),
	}
	if len(out.Tools) == 0 {
		out.ToolChoice, out.ParallelToolCalls = nil, nil
	}
	if out.ReasoningEffort != "" { // models that think refuse the older name, and the others have no effort
		out.MaxCompletionTokens = s.MaxTokens
	} else {
		out.MaxTokens = s.MaxTokens
	}
	if stream && opt.AskUsage {
		out.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	body, err = json.Marshal(&out, json.Deterministic(true)) // caches know a prompt by its bytes
	return body, w.lost, err
}

// list is a JSON array of strings, nothing for none.
func list(texts []string) jsontext.Value {
	if len(texts) == 0 {
		return nil
	}
	raw, _ := json.Marshal(texts) // strings always can be
	return raw
}

// promptWriter writes messages and notes what they lose.
type promptWriter struct {
	takes []string // of the endpoint, beyond the publisher's fields
	lost  llm.Losses
}

// has reports whether the endpoint takes a field that the publisher's API has not; where
// it does not, what was there is lost.
func (w *promptWriter) has(name string, there bool, lost llm.Field) bool {
	if !there {
		return false
	}
	if slices.Contains(w.takes, name) {
		return true
	}
	w.lost.Add(lost)
	return false
}

// sampling leaves out what the endpoint is not known to take.
func (w *promptWriter) sampling(s llm.Sampling) llm.Sampling {
	if !w.has("top_k", s.TopK != nil, llm.FieldTopK) {
		s.TopK = nil
	}
	if !w.has("min_p", s.MinP != nil, llm.FieldMinP) {
		s.MinP = nil
	}
	if !w.has("repetition_penalty", s.RepeatPenalty != nil, llm.FieldRepeatPenalty) {
		s.RepeatPenalty = nil
	}
	return s
}

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

func (w *promptWriter) tools(tools []llm.Tool) (out []chatTool) {
	for i := range tools {
		t := &tools[i]
		w.lost.If(t.Cache != nil, llm.FieldCache)
		if !t.IsFunction() {
			w.lost.Add(llm.FieldTools)
			continue
		}
		out = append(out, chatTool{Type: "function", Function: &chatFunction{
			Name: t.Name, Description: t.Description, Parameters: t.Schema, Strict: t.Strict,
		}})
	}
	return out
}

func writeChoice(p *llm.Prompt) jsontext.Value {
	c := &p.Choice
	switch {
	case c.Mode == llm.ChoiceOne:
		return namedTool(c.Name)
	case len(c.Allowed) > 0:
		var out struct {
			Type    string `json:"type"`
			Allowed struct {
				Mode  string           `json:"mode"`
				Tools []jsontext.Value `json:"tools"`
			} `json:"allowed_tools"`
		}
		out.Type, out.Allowed.Mode = "allowed_tools", "auto"
		if c.Mode == llm.ChoiceAny {
			out.Allowed.Mode = "required"
		}
		for _, name := range c.Allowed {
			out.Allowed.Tools = append(out.Allowed.Tools, namedTool(name))
		}
		raw, _ := json.Marshal(&out) // made of strings
		return raw
	}
	for word, mode := range choiceWords {
		if mode == c.Mode {
			return jsontext.Value(`"` + word + `"`)
		}
	}
	return nil
}

// namedTool is how a choice names a function.
func namedTool(name string) jsontext.Value {
	raw := append([]byte(`{"type":"function","function":{"name":`), quoted(name)...)
	return append(raw, "}}"...)
}

func writeFormat(f llm.Format) *chatFormat {
	switch f.Kind {
	case llm.FormatJSON:
		return &chatFormat{Type: "json_object"}
	case llm.FormatSchema:
		name := f.Name
		if name == "" {
			name = "answer" // the dialect demands one
		}
		return &chatFormat{Type: "json_schema", JSONSchema: &chatSchema{Name: name, Description: f.Description, Schema: f.Schema, Strict: f.Strict}}
	}
	return nil
}

func (w *promptWriter) effort(t llm.Thinking) string {
	w.lost.If(t.Show != nil || t.Summary != "", llm.FieldThinking) // upstreams show thought as they see fit
	switch {
	case t.Mode == llm.ThinkingOff:
		w.lost.Add(llm.FieldThinking) // to say "none" is an error for models that cannot think
		return ""
	case t.Effort == "max":
		return "xhigh"
	case t.Effort != "":
		return t.Effort
	case t.Budget > 0:
		w.lost.Add(llm.FieldThinking) // tokens became a word
		return llm.EffortOf(t.Budget)
	}
	return ""
}

// tiers are this dialect's words for a service tier, by those of all dialects.
var tiers = map[string]string{
	"auto": "auto", "default": "default", "flex": "flex", "scale": "scale", "priority": "priority",
	"standard": "default", "standard_only": "default",
}

func (w *promptWriter) tier(word string) string {
	w.lost.If(word != "" && tiers[word] == "", llm.FieldTier)
	return tiers[word]
}

// textRequest is the body of a completions request.
type textRequest struct {
	Model            string         `json:"model"`
	Prompt           any            `json:"prompt"`
	Suffix           string         `json:"suffix,omitzero"`
	MaxTokens        *int64         `json:"max_tokens,omitzero"`
	Temperature      *float64       `json:"temperature,omitzero"`
	TopP             *float64       `json:"top_p,omitzero"`
	Seed             *int64         `json:"seed,omitzero"`
	Stop             []string       `json:"stop,omitzero"`
	PresencePenalty  *float64       `json:"presence_penalty,omitzero"`
	FrequencyPenalty *float64       `json:"frequency_penalty,omitzero"`
	N                int            `json:"n,omitzero"`
	Stream           bool           `json:"stream,omitzero"`
	StreamOptions    *streamOptions `json:"stream_options,omitzero"`
}

func writeText(p *llm.Prompt, stream bool, opt llm.Options) ([]byte, llm.Losses, error) {
	s := &p.Sampling
	out := textRequest{
		Model: opt.Model, Prompt: oneOrMany(p.Texts), Suffix: p.Suffix, MaxTokens: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP,
		Seed: s.Seed, Stop: s.Stop, PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, N: s.N, Stream: stream,
	}
	if stream && opt.AskUsage {
		out.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	var lost llm.Losses
	lost.If(s.TopK != nil, llm.FieldTopK)
	lost.If(s.MinP != nil, llm.FieldMinP)
	lost.If(s.RepeatPenalty != nil, llm.FieldRepeatPenalty)
	lost.If(s.LogitBias != nil, llm.FieldLogitBias)
	lost.If(s.Logprobs, llm.FieldLogprobs)
	body, err := json.Marshal(&out)
	return body, lost, err
}

func writeEmbed(p *llm.Prompt, opt llm.Options) ([]byte, llm.Losses, error) {
	out := struct {
		Model      string `json:"model"`
		Input      any    `json:"input"`
		Dimensions int    `json:"dimensions,omitzero"`
		Format     string `json:"encoding_format"`
	}{opt.Model, oneOrMany(p.Texts), p.Dimensions, "float"}
	body, err := json.Marshal(&out)
	return body, nil, err
}

func oneOrMany(texts []string) any {
	if len(texts) == 1 {
		return texts[0]
	}
	return texts
}
