package bedrock

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the body of a call. Whether it is streamed, its path says.
func Write(p *llm.Prompt, _ bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	if p.Surface != llm.Chat {
		return nil, nil, &llm.Error{Kind: llm.Unsupported, Message: "Bedrock's Converse has no " + string(p.Surface)}
	}
	w := &writer{model: opt.Model, maker: makerOf(opt.Model), names: map[string]bool{}}
	s := &p.Sampling
	out := request{
		System:    w.system(p.System),
		Inference: &inference{MaxTokens: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, Stop: s.Stop},
	}
	w.turns(p.Turns)
	out.Messages = w.messages
	out.Tools = w.tools(p)
	w.forModel(p, &out)
	w.format(p.Format, &out)
	if len(s.Stop) > 0 && w.maker == anthropic {
		out.ModelAnswers = []string{"/stop_sequence"} // so that it says which was met
	}
	if in := out.Inference; in.MaxTokens == nil && in.Temperature == nil && in.TopP == nil && len(in.Stop) == 0 {
		out.Inference = nil
	}
	out.Metadata = w.metadata(p.Metadata)
	out.Tier = w.tier(p.Tier)
	w.unsaid(p)
	body, err = json.Marshal(&out, json.Deterministic(true))
	return body, w.lost, err
}

// writer writes the parts of a request and notes what they lose.
type writer struct {
	model    string
	maker    maker
	messages []message
	names    map[string]bool // of documents, which must differ
	lost     llm.Losses
}

func (r *request) output() *outputConfig {
	if r.Output == nil {
		r.Output = &outputConfig{}
	}
	return r.Output
}

// unsaid notes what Converse has no word for.
func (w *writer) unsaid(p *llm.Prompt) {
	s := &p.Sampling
	w.lost.If(s.MinP != nil, llm.FieldMinP)
	w.lost.If(s.Seed != nil, llm.FieldSeed)
	w.lost.If(s.PresencePenalty != nil && *s.PresencePenalty != 0, llm.FieldPresencePenalty)
	w.lost.If(s.FrequencyPenalty != nil && *s.FrequencyPenalty != 0, llm.FieldFrequencyPenalty)
	w.lost.If(s.RepeatPenalty != nil && *s.RepeatPenalty != 1, llm.FieldRepeatPenalty)
	w.lost.If(len(s.LogitBias) > len("{}"), llm.FieldLogitBias)
	w.lost.If(s.N > 1, llm.FieldN)
	w.lost.If(s.Logprobs, llm.FieldLogprobs)
	w.lost.If(s.TopLogprobs > 0, llm.FieldTopLogprobs)
	w.lost.If(p.User != "", llm.FieldUser)
	w.lost.If(p.Parallel != nil && !*p.Parallel && len(p.Tools) > 0, llm.FieldParallel)
}

func (w *writer) format(f llm.Format, out *request) {
	switch f.Kind {
	case llm.FormatJSON:
		w.lost.Add(llm.FieldFormat)
	case llm.FormatSchema:
		out.output().TextFormat = &textFormat{Type: "json_schema", Structure: textStructure{
			JSONSchema: jsonSchema{Schema: string(f.Schema), Name: f.Name, Description: f.Description},
		}}
	}
	if out.Output != nil && *out.Output == (outputConfig{}) {
		out.Output = nil
	}
}

// The published bounds of requestMetadata.
const (
	maxMetadata      = 16
	maxMetadataText  = 256
	metadataSymbols  = ":_@$#=/+,-. \t\r\n"
	maxToolUseID     = 64
	toolUseIDSymbols = "_-"
)

// metadata is for the invocation logs of the account; one that it refuses would fail the call.
func (w *writer) metadata(m map[string]string) map[string]string {
	fits := len(m) <= maxMetadata
	for name, value := range m {
		fits = fits && name != "" && len(name) <= maxMetadataText && len(value) <= maxMetadataText &&
			plain(name, metadataSymbols) && plain(value, metadataSymbols)
	}
	if !fits {
		w.lost.Add(llm.FieldMetadata)
		return nil
	}
	return m
}

// plain reports whether s holds ASCII letters, digits and these symbols only.
func plain(s, symbols string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !plainRune(r, symbols) }) < 0
}

func plainRune(r rune, symbols string) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(symbols, r)
}

func (w *writer) tier(word string) *tier {
	switch word {
	case "", "auto":
		return nil
	case "default", "flex", "priority", "reserved":
		return &tier{Type: word}
	case "standard", "standard_only":
		return &tier{Type: "default"}
	}
	w.lost.Add(llm.FieldTier)
	return nil
}

// tools writes the tools that may be called. Where calls or results stand in the conversation
// Converse demands tools, so those that were called are named though the client no longer
// offers them.
func (w *writer) tools(p *llm.Prompt) *toolConfig {
	called := calledTools(p)
	c := &toolConfig{}
	if p.Choice.Mode != llm.ChoiceNone || len(called) > 0 {
		for i := range p.Tools {
			if t := &p.Tools[i]; p.Choice.Mode != llm.ChoiceNone && len(p.Choice.Allowed) > 0 && !slices.Contains(p.Choice.Allowed, t.Name) {
				continue
			}
			c.Tools = w.tool(c.Tools, &p.Tools[i])
		}
	}
	if len(c.Tools) == 0 {
		for _, name := range called {
			c.Tools = append(c.Tools, &tool{Spec: toolSpec{Name: name, Description: "No longer offered: do not call it.", Schema: inputSchema{JSON: anyObject}}})
		}
		if len(c.Tools) == 0 {
			return nil
		}
		return c
	}
	c.Choice = w.choice(&p.Choice)
	return c
}

var anyObject = jsontext.Value(`{"type":"object","properties":{}}`)

func calledTools(p *llm.Prompt) (names []string) {
	for i := range p.Turns {
		for j := range p.Turns[i].Parts {
			if c := p.Turns[i].Parts[j].Call; c != nil && c.Name != "" && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

func (w *writer) tool(out []any, t *llm.Tool) []any {
	switch {
	case !t.IsFunction() && t.Dialect == Name:
		return append(out, jsontext.Value(t.Raw))
	case !t.IsFunction():
		w.lost.Add(llm.FieldTools)
		return out
	}
	spec := toolSpec{Name: t.Name, Description: t.Description, Schema: inputSchema{JSON: t.Schema}}
	if len(t.Schema) == 0 {
		spec.Schema.JSON = anyObject
	}
	if t.Strict != nil && *t.Strict {
		if w.holdsStrictly() {
			spec.Strict = t.Strict
		} else {
			w.lost.Add(llm.FieldStrict)
		}
	}
	out = append(out, &tool{Spec: spec})
	if t.Cache != nil && w.maker == nova { // caches system and messages alone
		w.lost.Add(llm.FieldCache)
		return out
	}
	return w.cache(out, t.Cache)
}

func (w *writer) choice(c *llm.ToolChoice) *toolChoice {
	if forced := c.Mode == llm.ChoiceAny || c.Mode == llm.ChoiceOne; forced && w.maker == meta { // Llama refuses to be told
		w.lost.Add(llm.FieldToolChoice)
		return nil
	}
	switch c.Mode {
	case llm.ChoiceAuto:
		return &toolChoice{Auto: &struct{}{}}
	case llm.ChoiceAny:
		return &toolChoice{Any: &struct{}{}}
	case llm.ChoiceOne:
		return &toolChoice{Tool: &toolName{Name: c.Name}}
	case llm.ChoiceNone: // there is no such word, and the tools must be told of
		w.lost.Add(llm.FieldToolChoice)
	}
	return nil
}

// cache puts a cache point behind what is to be cached.
func (w *writer) cache(out []any, c *llm.Cache) []any {
	if c == nil {
		return out
	}
	if !w.caches() || len(out) == 0 {
		w.lost.Add(llm.FieldCache)
		return out
	}
	point := &cachePoint{Type: "default", TTL: c.TTL}
	if w.maker == nova {
		w.lost.If(c.TTL == "1h", llm.FieldCache)
		point.TTL = ""
	}
	return append(out, &block{CachePoint: point})
}
