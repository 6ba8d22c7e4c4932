package anthropic

import (
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Write gives the bytes for an upstream of this dialect of what a client of another
// one asked. What the target's model would refuse is left out or made to fit, and
// reported.
func Write(p *llm.Prompt, stream bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	w := &promptWriter{prompt: p, model: traitsOf(opt.Model)}
	w.out.Model = opt.Model
	w.messages()
	w.tools()
	w.choice()
	w.format()
	if p.Surface == llm.CountTokens {
		w.thinking(opt)
		w.out.MaxTokens = nil
	} else {
		w.out.Stream = stream
		w.thinking(opt)
		w.sampling()
		w.notes()
	}
	body, err = json.Marshal(&w.out)
	return body, w.lost, err
}

// promptWriter writes a request and notes what it loses.
type promptWriter struct {
	prompt *llm.Prompt
	model  traits
	out    request
	lost   llm.Losses
}

func (w *promptWriter) tools() {
	allowed := w.prompt.Choice.Allowed
	for i := range w.prompt.Tools {
		t := &w.prompt.Tools[i]
		if len(allowed) > 0 && !slices.Contains(allowed, t.Name) {
			continue // to choose among some tools is to be offered no others
		}
		if !t.IsFunction() {
			if t.Dialect == Name {
				w.out.Tools = append(w.out.Tools, t.Raw)
			} else {
				w.lost.Add(llm.FieldTools)
			}
			continue
		}
		out := tool{Name: t.Name, Description: t.Description, InputSchema: objectSchema(t.Schema), Cache: w.cache(t.Cache)}
		if t.Strict != nil && *t.Strict {
			if w.model.schemas {
				out.Strict = t.Strict
			} else {
				w.lost.Add(llm.FieldStrict)
			}
		}
		raw, _ := json.Marshal(&out) // made of strings and of JSON that was checked
		w.out.Tools = append(w.out.Tools, raw)
	}
}

// objectSchema is a schema of arguments with the type that this dialect demands.
func objectSchema(schema []byte) rawJSON {
	doc, err := rawjson.Check(schema, rawjson.Default())
	if err != nil || doc.Root().Kind() != rawjson.Object {
		return rawJSON(`{"type":"object"}`)
	}
	if kind, ok := doc.Get("type"); ok && kind.Kind() != rawjson.Null {
		return schema
	}
	edit := doc.Edit()
	edit.Set([]byte(`"object"`), "type")
	out, err := edit.Apply()
	if err != nil {
		return schema
	}
	return out
}

func (w *promptWriter) cache(c *llm.Cache) *cacheControl {
	if c == nil {
		return nil
	}
	out := &cacheControl{Type: "ephemeral"}
	switch c.TTL {
	case "5m", "1h":
		out.TTL = c.TTL
	case "":
	default:
		w.lost.Add(llm.FieldCache) // a time of its own
	}
	return out
}

func (w *promptWriter) choice() {
	c := &w.prompt.Choice
	if len(w.out.Tools) == 0 {
		w.lost.If(len(w.prompt.Tools) > 0 && (c.Mode == llm.ChoiceAny || c.Mode == llm.ChoiceOne), llm.FieldToolChoice)
		return
	}
	out := toolChoice{Type: "auto"}
	switch c.Mode {
	case llm.ChoiceAny:
		out.Type = "any"
	case llm.ChoiceOne:
		out.Type, out.Name = "tool", c.Name
	case llm.ChoiceNone:
		out.Type = "none"
	}
	if c.Mode != llm.ChoiceNone && w.prompt.Parallel != nil && !*w.prompt.Parallel {
		yes := true
		out.DisableParallel = &yes
	}
	if c.Mode != llm.ChoiceUnset || out.DisableParallel != nil {
		w.out.ToolChoice = &out
	}
}

// format asks for the shape of the answer. The dialect has schemas alone, and no name
// for them; what the model may leave out of a schema, it says itself.
func (w *promptWriter) format() {
	f := &w.prompt.Format
	switch {
	case f.Kind == llm.FormatJSON, f.Kind == llm.FormatSchema && (!w.model.schemas || f.Schema == nil):
		w.lost.Add(llm.FieldFormat)
	case f.Kind == llm.FormatSchema:
		w.config().Format = &format{Type: "json_schema", Schema: f.Schema}
	}
}

func (w *promptWriter) config() *outputConfig {
	if w.out.OutputConfig == nil {
		w.out.OutputConfig = &outputConfig{}
	}
	return w.out.OutputConfig
}

// sampling writes how tokens are drawn, as far as the model lets itself be told.
func (w *promptWriter) sampling() {
	s := &w.prompt.Sampling
	w.out.StopSequences = w.stops(s.Stop)
	w.out.TopK, w.out.TopP = s.TopK, s.TopP
	if t := s.Temperature; t != nil {
		within := min(max(*t, 0), 1) // others go up to 2
		w.lost.If(within != *t, llm.FieldTemperature)
		w.out.Temperature = &within
	}
	thinks := w.out.Thinking != nil && (w.out.Thinking.Type == "enabled" || w.out.Thinking.Type == "adaptive")
	if w.model.sampling == samplesNone || thinks {
		w.dropSampling()
	}
	if w.model.sampling == samplesOne && w.out.Temperature != nil && w.out.TopP != nil {
		w.lost.If(*w.out.TopP != 1, llm.FieldTopP)
		w.out.TopP = nil
	}
	w.lost.If(s.MinP != nil, llm.FieldMinP)
	w.lost.If(s.Seed != nil, llm.FieldSeed)
	w.lost.If(isSet(s.PresencePenalty, 0), llm.FieldPresencePenalty)
	w.lost.If(isSet(s.FrequencyPenalty, 0), llm.FieldFrequencyPenalty)
	w.lost.If(isSet(s.RepeatPenalty, 1), llm.FieldRepeatPenalty)
	w.lost.If(len(s.LogitBias) > 0 && string(s.LogitBias) != "{}", llm.FieldLogitBias)
	w.lost.If(s.N > 1, llm.FieldN)
	w.lost.If(s.Logprobs, llm.FieldLogprobs)
	w.lost.If(s.TopLogprobs > 0, llm.FieldTopLogprobs)
}

// isSet reports whether a number asks for anything but what is the case anyway.
func isSet(v *float64, neutral float64) bool { return v != nil && *v != neutral }

// dropSampling leaves out what a model that thinks refuses. Thinking within a budget
// goes with a top_p close to 1.
func (w *promptWriter) dropSampling() {
	w.lost.If(isSet(w.out.Temperature, 1), llm.FieldTemperature)
	w.lost.If(w.out.TopK != nil, llm.FieldTopK)
	w.out.Temperature, w.out.TopK = nil, nil
	if p := w.out.TopP; p != nil && (w.model.sampling == samplesNone || *p < 0.95) {
		w.lost.If(*p != 1, llm.FieldTopP)
		w.out.TopP = nil
	}
}

// stops are the stop sequences. The dialect refuses those of white space alone.
func (w *promptWriter) stops(stops []string) (out []string) {
	for _, s := range stops {
		if isBlank(s) {
			w.lost.Add(llm.FieldStop)
			continue
		}
		out = append(out, s)
	}
	return out
}

// maxUserID is the longest id of a user that the dialect takes.
const maxUserID = 256

// tiers are what service tiers are called here. All others are their provider's own.
var tiers = map[string]string{"auto": "auto", "default": "standard_only", "standard": "standard_only", "standard_only": "standard_only"}

func (w *promptWriter) notes() {
	p := w.prompt
	if n := len(p.User); n > 0 && n <= maxUserID {
		w.out.Metadata = &metadata{UserID: p.User}
	} else {
		w.lost.If(n > 0, llm.FieldUser)
	}
	w.lost.If(len(p.Metadata) > 0, llm.FieldMetadata)
	w.out.ServiceTier = tiers[p.Tier]
	w.lost.If(p.Tier != "" && w.out.ServiceTier == "", llm.FieldTier)
}
