package ollama

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Write gives the bytes for a server of this dialect of what a client of another one
// asked.
//
// A completion is sent through the model's template, as Ollama's own OpenAI-compatible
// endpoint does. An embedding's input that does not fit is an error here as elsewhere,
// where a server left to itself would cut it off silently.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	w := &promptWriter{}
	out := request{Model: opt.Model, Stream: &stream}
	switch p.Surface {
	case llm.Completions:
		if len(p.Texts) != 1 {
			return nil, nil, wire.Unsupported("prompt", "this target continues one prompt at a time")
		}
		out.Prompt, out.Suffix = &p.Texts[0], p.Suffix
	case llm.Embeddings:
		fits := false
		out.Input, out.Dimensions, out.Truncate, out.Stream = p.Texts, p.Dimensions, &fits, nil
		body, err = json.Marshal(&out)
		return body, nil, err
	default:
		out.Messages = w.messages(p)
		out.Tools = w.tools(p)
		out.Think = w.think(&p.Thinking, opt.Model)
	}
	out.Format = w.format(p.Format)
	out.Options = w.options(&p.Sampling)
	out.Logprobs, out.TopLogprobs = p.Sampling.Logprobs, p.Sampling.TopLogprobs
	w.lost.If(p.User != "", llm.FieldUser)
	w.lost.If(len(p.Metadata) > 0, llm.FieldMetadata)
	w.lost.If(p.Tier != "" && p.Tier != "auto" && p.Tier != "default", llm.FieldTier)
	body, err = json.Marshal(&out)
	return body, w.lost, err
}

// promptWriter writes a prompt and notes what it loses.
type promptWriter struct{ lost llm.Losses }

func (w *promptWriter) options(s *llm.Sampling) *options {
	w.lost.If(len(s.LogitBias) > 0, llm.FieldLogitBias)
	w.lost.If(s.N > 1, llm.FieldN)
	out := options{
		NumPredict: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, MinP: s.MinP, Seed: s.Seed, Stop: s.Stop,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, RepeatPenalty: s.RepeatPenalty,
	}
	raw, _ := json.Marshal(&out) // cannot fail: numbers and strings
	if string(raw) == "{}" {
		return nil
	}
	return &out
}

func (w *promptWriter) format(f llm.Format) rawJSON {
	switch {
	case f.Kind == llm.FormatJSON:
		return rawJSON(`"json"`)
	case f.Kind == llm.FormatSchema && len(f.Schema) > 0:
		return f.Schema
	}
	return nil
}

// think says how much to think. Only gpt-oss takes levels, and only levels; other
// models take yes or no and refuse the rest
// (https://docs.ollama.com/capabilities/thinking).
func (w *promptWriter) think(t *llm.Thinking, model string) rawJSON {
	effort := t.Effort
	if effort == "" {
		effort = llm.EffortOf(t.Budget)
	}
	w.lost.If(t.Summary != "" || t.Show != nil && !*t.Show, llm.FieldThinking) // thought is always shown
	switch {
	case t.Mode == llm.ThinkingUnset:
		return nil
	case t.Mode == llm.ThinkingOff:
		return rawJSON("false")
	case !strings.Contains(strings.ToLower(model), "gpt-oss"):
		w.lost.If(effort != "", llm.FieldThinking)
		return rawJSON("true")
	}
	level, exact := effort, true
	switch effort {
	case "low", "medium", "high":
	case "":
		level = "medium"
	case "minimal":
		level, exact = "low", false
	default: // "xhigh", "max"
		level, exact = "high", false
	}
	w.lost.If(!exact || t.Budget > 0, llm.FieldThinking)
	return rawJSON(`"` + level + `"`)
}

// noParameters is the schema of a tool without arguments.
const noParameters = `{"type":"object","properties":{}}`

// tools writes the tools that may be called. This dialect cannot make the model call
// one, but what is not offered is not called.
func (w *promptWriter) tools(p *llm.Prompt) (out []tool) {
	c := &p.Choice
	w.lost.If(p.Parallel != nil && !*p.Parallel && len(p.Tools) > 0, llm.FieldParallel)
	w.lost.If(c.Mode == llm.ChoiceAny || c.Mode == llm.ChoiceOne, llm.FieldToolChoice)
	for i := range p.Tools {
		t := &p.Tools[i]
		switch {
		case c.Mode == llm.ChoiceNone,
			c.Mode == llm.ChoiceOne && t.IsFunction() && t.Name != c.Name,
			len(c.Allowed) > 0 && !slices.Contains(c.Allowed, t.Name):
			continue
		case !t.IsFunction():
			w.lost.Add(llm.FieldTools)
			continue
		}
		w.lost.If(t.Cache != nil, llm.FieldCache)
		w.lost.If(t.Strict != nil && *t.Strict, llm.FieldStrict)
		schema := rawJSON(t.Schema)
		if len(schema) == 0 {
			schema = rawJSON(noParameters)
		}
		out = append(out, tool{Type: "function", Function: function{Name: t.Name, Description: t.Description, Parameters: schema}})
	}
	return out
}

// object is the arguments of a call as the object that this dialect demands. A model may
// have written something else, broken off or with a name said twice, which a server
// would refuse with the whole conversation; what it wrote then stands as the one
// member "arguments", so that the model still sees it.
func object(arguments string) rawJSON {
	if strings.TrimSpace(arguments) == "" {
		return rawJSON("{}")
	}
	if doc, err := rawjson.Check([]byte(arguments), rawjson.Limits{Depth: maxDepth}); err == nil && doc.Root().Kind() == rawjson.Object {
		return rawJSON(arguments)
	}
	return append(rawjson.AppendString(rawJSON(`{"arguments":`), strings.ToValidUTF8(arguments, "\ufffd")), '}')
}

// maxDepth bounds the nesting of arguments and of answers.
const maxDepth = 128
