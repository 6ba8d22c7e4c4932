package responses

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
)

// minOutput is the least that OpenAI lets max_output_tokens be.
const minOutput = 16

// Write gives the bytes for an upstream of this dialect of what a client of another one
// asked. Nothing is stored there, which is what the other dialects' clients expect, so
// encrypted thought is asked for where the model is to think.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	w := &promptWriter{}
	s := &p.Sampling
	store := false
	out := request{
		Model: opt.Model, Stream: stream, Store: &store,
		Instructions: w.instructions(p.System), Temperature: s.Temperature, TopP: s.TopP, TopLogprobs: s.TopLogprobs,
		Tools: w.tools(p.Tools), ToolChoice: writeChoice(&p.Choice), ParallelToolCalls: p.Parallel,
		Text: writeFormat(p.Format), Reasoning: w.reasoning(p.Thinking),
		User: p.User, Metadata: p.Metadata, ServiceTier: w.tier(p.Tier),
	}
	if out.Input, err = json.Marshal(w.input(p.Turns)); err != nil {
		return nil, nil, err
	}
	if len(out.Tools) == 0 {
		out.ToolChoice, out.ParallelToolCalls = nil, nil
	}
	if n := s.MaxTokens; n != nil {
		bound := max(*n, minOutput)
		w.lost.If(bound != *n, llm.FieldMaxTokens)
		out.MaxOutputTokens = &bound
	}
	if s.Logprobs || s.TopLogprobs > 0 {
		out.Include = append(out.Include, includeLogprobs)
	}
	if thinks(p.Thinking) || w.sealed {
		out.Include = append(out.Include, includeEncrypted)
	}
	w.unsaid(s)
	body, err = json.Marshal(&out)
	return body, w.lost, err
}

// promptWriter writes items and notes what they lose.
type promptWriter struct {
	items  []item
	lost   llm.Losses
	sealed bool // the model's own thought goes back
}

// unsaid notes the sampling that this dialect has no field for.
func (w *promptWriter) unsaid(s *llm.Sampling) {
	for _, f := range [...]struct {
		there bool
		field llm.Field
	}{
		{s.TopK != nil, llm.FieldTopK}, {s.MinP != nil, llm.FieldMinP}, {s.Seed != nil, llm.FieldSeed}, {len(s.Stop) > 0, llm.FieldStop},
		{s.PresencePenalty != nil, llm.FieldPresencePenalty}, {s.FrequencyPenalty != nil, llm.FieldFrequencyPenalty},
		{s.RepeatPenalty != nil, llm.FieldRepeatPenalty}, {s.LogitBias != nil, llm.FieldLogitBias}, {s.N > 1, llm.FieldN},
	} {
		w.lost.If(f.there, f.field)
	}
}

// tier is the service tier, where this dialect has the word.
func (w *promptWriter) tier(word string) string {
	if word == "" || knownTiers[word] {
		return word
	}
	w.lost.Add(llm.FieldTier)
	return ""
}

// instructions are text. What else stands in a system prompt has no place here.
func (w *promptWriter) instructions(parts []llm.Part) string {
	texts := make([]string, 0, len(parts))
	for i := range parts {
		w.lost.If(parts[i].Cache != nil, llm.FieldCache)
		if parts[i].Kind != llm.Text {
			w.lost.Add(llm.FieldSystem)
			continue
		}
		texts = append(texts, parts[i].Text)
	}
	return strings.Join(texts, paragraph)
}

// emptySchema is what a function without arguments takes; the field must be there.
var emptySchema = rawJSON(`{"type":"object","properties":{}}`)

func (w *promptWriter) tools(tools []llm.Tool) (out []rawJSON) {
	for i := range tools {
		t := &tools[i]
		w.lost.If(t.Cache != nil, llm.FieldCache)
		if !t.IsFunction() {
			if t.Dialect != Name {
				w.lost.Add(llm.FieldTools)
				continue
			}
			out = append(out, t.Raw)
			continue
		}
		f := function{Type: typeFunction, Name: t.Name, Description: t.Description, Parameters: t.Schema, Strict: t.Strict}
		if f.Parameters == nil {
			f.Parameters = emptySchema
		}
		if f.Strict == nil { // unsaid, this dialect is strict, and the others are not
			f.Strict = new(bool)
		}
		raw, _ := json.Marshal(&f) // made of strings and of JSON that was checked
		out = append(out, raw)
	}
	return out
}

func writeChoice(c *llm.ToolChoice) rawJSON {
	type named struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	switch {
	case c.Mode == llm.ChoiceOne:
		raw, _ := json.Marshal(named{typeFunction, c.Name}) // made of strings
		return raw
	case len(c.Allowed) > 0 && c.Mode != llm.ChoiceNone:
		out := struct {
			Type  string  `json:"type"`
			Mode  string  `json:"mode"`
			Tools []named `json:"tools"`
		}{Type: "allowed_tools", Mode: "auto"}
		if c.Mode == llm.ChoiceAny {
			out.Mode = "required"
		}
		for _, name := range c.Allowed {
			out.Tools = append(out.Tools, named{typeFunction, name})
		}
		raw, _ := json.Marshal(&out) // made of strings
		return raw
	}
	for word, mode := range choiceWords {
		if mode == c.Mode {
			return rawJSON(`"` + word + `"`)
		}
	}
	return nil
}

func writeFormat(f llm.Format) *textOptions {
	switch f.Kind {
	case llm.FormatJSON:
		return &textOptions{Format: &textFormat{Type: "json_object"}}
	case llm.FormatSchema:
		name := f.Name
		if name == "" {
			name = "answer" // the dialect demands one
		}
		return &textOptions{Format: &textFormat{Type: "json_schema", Name: name, Description: f.Description, Schema: f.Schema, Strict: f.Strict}}
	}
	return nil
}

// thinks reports whether the client wants thought. Models that cannot think refuse to
// be asked for it encrypted.
func thinks(t llm.Thinking) bool {
	return t.Mode == llm.ThinkingOn || t.Mode == llm.ThinkingAdaptive || t.Mode != llm.ThinkingOff && t.Effort != ""
}

// reasoning writes how much to think. A summary is asked for only where the client wants
// to see one: OpenAI gives it to verified organizations alone.
func (w *promptWriter) reasoning(t llm.Thinking) *reasoningOptions {
	out := reasoningOptions{}
	switch {
	case t.Mode == llm.ThinkingOff: // to say "none" is an error for models that cannot think
		w.lost.Add(llm.FieldThinking)
	case t.Effort != "":
		out.Effort = t.Effort
	case t.Budget > 0:
		w.lost.Add(llm.FieldThinking) // tokens became a word
		out.Effort = llm.EffortOf(t.Budget)
	}
	switch {
	case t.Show != nil && !*t.Show:
	case t.Summary != "":
		out.Summary = t.Summary
	case t.Show != nil:
		out.Summary = "auto"
	}
	if out.Effort == "" && out.Summary == "" {
		return nil
	}
	return &out
}
