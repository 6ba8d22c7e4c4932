package cohere

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the bytes for an upstream of this dialect of what a client of another one asked.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	switch p.Surface {
	case llm.Chat:
		return writeChat(p, stream, opt)
	case llm.Embeddings:
		return writeEmbed(p, opt)
	case llm.Rerank:
		body, err = json.Marshal(&rerankRequest{Model: opt.Model, Query: p.Query, Documents: p.Documents, TopN: p.TopN})
		return body, nil, err
	}
	return nil, nil, &llm.Error{Kind: llm.Unsupported, Message: "Cohere has no " + string(p.Surface)}
}

// purposes is the table of input_type. It must be said; what nobody said is a document, as most
// texts are.
var purposes = map[string]string{
	"": "search_document", "document": "search_document", "query": "search_query", "classification": "classification", "clustering": "clustering",
}

func writeEmbed(p *llm.Prompt, opt llm.Options) ([]byte, llm.Losses, error) {
	kind, ok := purposes[p.Purpose]
	if !ok {
		kind = purposes[""]
	}
	body, err := json.Marshal(&embedRequest{Model: opt.Model, Texts: p.Texts, InputType: kind, Types: []string{"float"}, Dimensions: p.Dimensions})
	return body, nil, err
}

func writeChat(p *llm.Prompt, stream bool, opt llm.Options) ([]byte, llm.Losses, error) {
	w := &writer{}
	s := &p.Sampling
	out := chatRequest{
		Model: opt.Model, Stream: stream, Messages: w.messages(p), MaxTokens: s.MaxTokens, StopSequences: s.Stop, Temperature: s.Temperature,
		K: s.TopK, Seed: s.Seed, P: topP(s.TopP), Thinking: w.thinking(p.Thinking, opt.Model),
		FrequencyPenalty: w.penalty(s.FrequencyPenalty, llm.FieldFrequencyPenalty), PresencePenalty: w.penalty(s.PresencePenalty, llm.FieldPresencePenalty),
	}
	w.tools(p, &out)
	out.Documents = w.documents
	if len(out.Documents) > 0 && !w.cite {
		out.CitationOptions = &citationOptions{Mode: "OFF"}
	}
	w.format(p.Format, &out)
	w.unsaid(p)
	body, err := json.Marshal(&out)
	return body, w.lost, err
}

// writer writes the parts of a request and notes what they lose.
type writer struct {
	documents []chatDocument
	cite      bool // citations are wanted of some document
	lost      llm.Losses
}

// unsaid notes what this dialect has no word for.
func (w *writer) unsaid(p *llm.Prompt) {
	s := &p.Sampling
	w.lost.If(s.MinP != nil, llm.FieldMinP)
	w.lost.If(s.RepeatPenalty != nil && *s.RepeatPenalty != 1, llm.FieldRepeatPenalty)
	w.lost.If(len(s.LogitBias) > len("{}"), llm.FieldLogitBias)
	w.lost.If(s.N > 1, llm.FieldN)
	w.lost.If(s.Logprobs, llm.FieldLogprobs) // its own have no top ones and another form
	w.lost.If(s.TopLogprobs > 0, llm.FieldTopLogprobs)
	w.lost.If(p.User != "", llm.FieldUser)
	w.lost.If(len(p.Metadata) > 0, llm.FieldMetadata)
	w.lost.If(p.Tier != "" && p.Tier != "auto" && p.Tier != "default", llm.FieldTier)
	w.lost.If(p.Parallel != nil && !*p.Parallel && len(p.Tools) > 0, llm.FieldParallel)
}

// maxP is the highest p that Cohere takes.
const maxP = 0.99

func topP(p *float64) *float64 {
	if p == nil || *p <= maxP {
		return p
	}
	most := maxP
	return &most
}

// penalty is one between 0 and 1: Cohere knows no other.
func (w *writer) penalty(v *float64, f llm.Field) *float64 {
	switch {
	case v == nil || *v == 0:
		return nil
	case *v < 0:
		w.lost.Add(f)
		return nil
	case *v > 1:
		w.lost.Add(f)
		most := 1.0
		return &most
	}
	return v
}

func (w *writer) thinking(t llm.Thinking, model string) *thinking {
	switch t.Mode {
	case llm.ThinkingOn, llm.ThinkingAdaptive:
		n := t.Budget
		if n == 0 {
			n = llm.BudgetOf(t.Effort)
		}
		return &thinking{Type: "enabled", Budget: n}
	case llm.ThinkingOff:
		if strings.Contains(model, "reasoning") { // the others do not think, and refuse the field
			return &thinking{Type: "disabled"}
		}
	}
	return nil
}

func (w *writer) tools(p *llm.Prompt, out *chatRequest) {
	allowed := p.Choice.Allowed
	if p.Choice.Mode == llm.ChoiceOne {
		allowed = []string{p.Choice.Name} // said by offering no other
	}
	strict, loose := 0, 0
	for i := range p.Tools {
		t := &p.Tools[i]
		w.lost.If(t.Cache != nil, llm.FieldCache)
		if !t.IsFunction() {
			w.lost.Add(llm.FieldTools)
			continue
		}
		if len(allowed) > 0 && !slices.Contains(allowed, t.Name) {
			continue
		}
		if t.Strict != nil && *t.Strict {
			strict++
		} else {
			loose++
		}
		f := chatFunction{Name: t.Name, Description: t.Description, Parameters: t.Schema}
		if len(t.Schema) == 0 {
			f.Parameters = jsontext.Value(`{"type":"object","properties":{}}`)
		}
		out.Tools = append(out.Tools, chatTool{Type: "function", Function: f})
	}
	if len(out.Tools) == 0 {
		return
	}
	out.StrictTools = strict > 0 && loose == 0
	w.lost.If(strict > 0 && loose > 0, llm.FieldStrict) // all are, or none
	switch p.Choice.Mode {
	case llm.ChoiceAny, llm.ChoiceOne:
		out.ToolChoice = "REQUIRED"
	case llm.ChoiceNone:
		out.ToolChoice = "NONE"
	}
}

// format is refused beside tools and documents, which matter more.
func (w *writer) format(f llm.Format, out *chatRequest) {
	if f.Kind == llm.FormatText {
		return
	}
	if len(out.Tools) > 0 || len(out.Documents) > 0 {
		w.lost.Add(llm.FieldFormat)
		return
	}
	out.ResponseFormat = &responseFormat{Type: "json_object"}
	if f.Kind == llm.FormatSchema {
		out.ResponseFormat.Schema = f.Schema
	}
}

func (w *writer) messages(p *llm.Prompt) []chatMessage {
	out := []chatMessage{}
	out = say(out, chatMessage{Role: "system", Content: w.content(p.System)})
	for i := range p.Turns {
		t := &p.Turns[i]
		w.lost.If(t.Name != "", llm.FieldName)
		switch t.Role {
		case llm.System:
			out = say(out, chatMessage{Role: "system", Content: w.content(t.Parts)})
		case llm.Assistant:
			out = say(out, w.assistant(t))
		default:
			out = w.user(out, t)
		}
	}
	return out
}

// user writes a user's turn: results of tools are messages of their own, and stand first,
// right behind the calls. They hold text alone: a picture follows in the user's.
func (w *writer) user(out []chatMessage, t *llm.Turn) []chatMessage {
	var words, shown []llm.Part
	for i := range t.Parts {
		part := &t.Parts[i]
		if part.Kind != llm.ToolResult {
			words = append(words, *part)
			continue
		}
		var text strings.Builder
		for _, p := range part.Result.Parts {
			if p.Kind == llm.Text {
				text.WriteString(p.Text)
			} else {
				shown = append(shown, p)
			}
			w.lost.If(p.Cache != nil, llm.FieldCache)
		}
		w.lost.If(part.Result.Failed, llm.FieldIsError)
		if text.Len() == 0 {
			text.WriteByte(' ') // a result must say something
		}
		out = append(out, chatMessage{Role: "tool", ToolCallID: part.Result.CallID, Content: text.String()})
	}
	return say(out, chatMessage{Role: "user", Content: w.content(append(shown, words...))})
}

// say appends a message, if it says anything.
func say(out []chatMessage, m chatMessage) []chatMessage {
	if m.Content == nil && m.ToolPlan == "" && len(m.ToolCalls) == 0 {
		return out
	}
	return append(out, m)
}

// assistant writes the model's own turn. Its thought before calls is the plan that Cohere's models
// make; no thought here is signed, so another's text is as good.
func (w *writer) assistant(t *llm.Turn) chatMessage {
	m := chatMessage{Role: "assistant"}
	var parts []chatPart
	var thought strings.Builder
	for i := range t.Parts {
		p := &t.Parts[i]
		w.lost.If(p.Signature != "" || p.Redacted != "", llm.FieldSignature)
		w.lost.If(p.Cache != nil, llm.FieldCache)
		switch p.Kind {
		case llm.Text, llm.Refusal:
			w.lost.If(len(p.Citations) > 0, llm.FieldCitations)
			parts = append(parts, chatPart{Type: "text", Text: p.Text})
		case llm.Reasoning:
			thought.WriteString(p.Text)
		case llm.ToolCall:
			arguments := p.Call.Arguments
			if strings.TrimSpace(arguments) == "" {
				arguments = "{}"
			}
			m.ToolCalls = append(m.ToolCalls, chatCall{ID: p.Call.ID, Type: "function", Function: chatFuncCall{Name: p.Call.Name, Arguments: arguments}})
		default:
			w.lost.Add(lostField(p.Kind))
		}
	}
	switch {
	case thought.Len() == 0:
	case len(m.ToolCalls) > 0:
		m.ToolPlan = thought.String()
	default:
		parts = append([]chatPart{{Type: "thinking", Thinking: thought.String()}}, parts...)
	}
	m.Content = simplest(parts)
	return m
}

// simplest is a string where the parts are one text.
func simplest(parts []chatPart) any {
	switch {
	case len(parts) == 0:
		return nil
	case len(parts) == 1 && parts[0].Type == "text":
		return parts[0].Text
	}
	return parts
}

func (w *writer) content(parts []llm.Part) any {
	var out []chatPart
	for i := range parts {
		p := &parts[i]
		w.lost.If(p.Cache != nil, llm.FieldCache)
		switch p.Kind {
		case llm.Text, llm.Refusal:
			out = append(out, chatPart{Type: "text", Text: p.Text})
		case llm.Image:
			if url := wire.WriteURL(p.Media, "image/png"); url != "" {
				out = append(out, chatPart{Type: "image_url", ImageURL: &chatImage{URL: url, Detail: p.Media.Detail}})
			} else {
				w.lost.Add(llm.FieldFile)
			}
		case llm.Document:
			w.document(p.Media)
		default:
			w.lost.Add(lostField(p.Kind))
		}
	}
	return simplest(out)
}

func lostField(kind llm.PartKind) llm.Field {
	switch kind {
	case llm.Image:
		return llm.FieldImage
	case llm.Audio:
		return llm.FieldAudio
	case llm.Video:
		return llm.FieldVideo
	case llm.Document:
		return llm.FieldDocument
	case llm.Reasoning:
		return llm.FieldReasoning
	}
	return llm.FieldOther
}

// document puts a text among the documents that stand beside the conversation; Cohere reads no
// other files.
func (w *writer) document(m *llm.Media) {
	raw, err := base64.StdEncoding.DecodeString(m.Base64)
	isText := strings.HasPrefix(m.MIME, "text/") || m.MIME == "application/json"
	if m.Base64 == "" || err != nil || !isText || !utf8.Valid(raw) {
		w.lost.Add(llm.FieldDocument)
		return
	}
	w.cite = w.cite || m.Cite
	w.documents = append(w.documents, chatDocument{
		ID: documentID + strconv.Itoa(len(w.documents)), Data: documentData{Title: m.Name, Text: string(raw), Context: m.Context},
	})
}

// documentID is what the ids of documents begin with; a citation names them.
const documentID = "doc:"
