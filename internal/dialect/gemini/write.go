package gemini

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
)

// Write gives the bytes for an upstream of this dialect of what a client of another
// one asked.
func Write(p *llm.Prompt, _ bool, opt llm.Options) (body []byte, lost llm.Losses, err error) {
	if p.Surface == llm.Embeddings {
		return writeEmbed(p, opt)
	}
	w := &promptWriter{model: opt.Model}
	out := request{Contents: w.contents(p.Turns), Tools: w.tools(p.Tools), ToolConfig: w.choice(p), GenerationConfig: w.config(p)}
	if len(p.System) > 0 {
		out.SystemInstruction = &content{Parts: w.parts(p.System)}
	}
	w.lost.If(len(p.Metadata) > 0, llm.FieldMetadata) // labels are Vertex AI's alone
	w.lost.If(p.User != "", llm.FieldUser)
	out.ServiceTier = w.tier(p.Tier)
	if p.Surface == llm.CountTokens {
		body, err = writeCount(&out, opt)
	} else {
		body, err = json.Marshal(&out)
	}
	return body, w.lost, err
}

// writeCount asks for the count of a request. The Gemini API wants all but bare
// contents inside a request of its own, which Vertex AI does not know.
func writeCount(in *request, opt llm.Options) ([]byte, error) {
	in.GenerationConfig, in.ServiceTier = nil, ""
	if in.SystemInstruction == nil && in.Tools == nil {
		return json.Marshal(in)
	}
	in.Model = resource(opt.Model)
	return json.Marshal(map[string]*request{"generateContentRequest": in})
}

// promptWriter writes a prompt and notes what it loses.
type promptWriter struct {
	model string
	lost  llm.Losses
}

// isOld reports whether a model is of a generation before Gemini 3: it takes a budget
// of thought where its successors take a level, and results of functions without media.
func (w *promptWriter) isOld() bool {
	return strings.Contains(w.model, "gemini-1.") || strings.Contains(w.model, "gemini-2.")
}

// tier is the service tier in this dialect's words.
func (w *promptWriter) tier(tier string) string {
	switch tier {
	case "", "auto":
		return ""
	case "default":
		return "standard"
	case "flex", "priority":
		return tier
	}
	w.lost.Add(llm.FieldTier)
	return ""
}

func (w *promptWriter) tools(tools []llm.Tool) (out list[tool]) {
	var own tool
	for i := range tools {
		t := &tools[i]
		w.lost.If(t.Cache != nil, llm.FieldCache)
		switch {
		case t.IsFunction():
			own.FunctionDeclarations = append(own.FunctionDeclarations,
				function{Name: t.Name, Description: t.Description, ParametersJSONSchema: t.Schema})
		case t.Dialect == Name:
			var raw tool
			if json.Unmarshal(t.Raw, &raw) == nil {
				out = append(out, raw)
			}
		default:
			w.lost.Add(llm.FieldTools)
		}
	}
	if len(own.FunctionDeclarations) > 0 {
		out = append(list[tool]{own}, out...)
	}
	return out
}

// choice writes how free the model is to call tools. Where every function is strict
// the upstream is asked to hold to the schemas, which ANY does in any case.
func (w *promptWriter) choice(p *llm.Prompt) *toolConfig {
	functions, strict := 0, 0
	for i := range p.Tools {
		if t := &p.Tools[i]; t.IsFunction() {
			functions++
			if t.Strict != nil && *t.Strict {
				strict++
			}
		}
	}
	if functions == 0 {
		return nil
	}
	w.lost.If(p.Parallel != nil && !*p.Parallel, llm.FieldParallel)
	c := callingConfig{AllowedFunctionNames: p.Choice.Allowed}
	switch p.Choice.Mode {
	case llm.ChoiceNone:
		c = callingConfig{Mode: "NONE"}
	case llm.ChoiceAny:
		c.Mode = "ANY"
	case llm.ChoiceOne:
		c = callingConfig{Mode: "ANY", AllowedFunctionNames: []string{p.Choice.Name}}
	default:
		w.lost.If(strict > 0 && strict < functions, llm.FieldStrict)
		switch {
		case strict == functions || len(c.AllowedFunctionNames) > 0: // AUTO knows no choice among functions
			c.Mode = "VALIDATED"
		case p.Choice.Mode == llm.ChoiceAuto:
			c.Mode = "AUTO"
		default:
			return nil
		}
	}
	return &toolConfig{FunctionCallingConfig: &c}
}

func (w *promptWriter) config(p *llm.Prompt) *generationConfig {
	s := &p.Sampling
	c := generationConfig{
		StopSequences: s.Stop, MaxOutputTokens: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, Seed: s.Seed,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, ResponseLogprobs: s.Logprobs, Logprobs: s.TopLogprobs,
		ThinkingConfig: w.thinking(p.Thinking),
	}
	if s.N > 1 {
		c.CandidateCount = s.N
	}
	if s.TopK != nil {
		k := float64(*s.TopK)
		c.TopK = &k
	}
	w.lost.If(s.MinP != nil, llm.FieldMinP)
	w.lost.If(s.RepeatPenalty != nil, llm.FieldRepeatPenalty)
	w.lost.If(s.LogitBias != nil, llm.FieldLogitBias)
	switch p.Format.Kind {
	case llm.FormatJSON:
		c.ResponseMIMEType = mimeJSON
	case llm.FormatSchema:
		c.ResponseMIMEType, c.ResponseJSONSchema = mimeJSON, p.Format.Schema
	}
	if raw, err := json.Marshal(&c); err == nil && len(raw) == len("{}") {
		return nil
	}
	return &c
}

// levels is the table of thinkingLevel. There is none above HIGH.
var levels = map[string]string{
	"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH",
}

// thinking writes how much the model should think: a budget of tokens where that was
// said or where the model knows nothing else, else a level
// (https://ai.google.dev/gemini-api/docs/thinking).
func (w *promptWriter) thinking(t llm.Thinking) *thinkingConfig {
	c := thinkingConfig{IncludeThoughts: t.Show}
	if t.Show == nil && (t.Summary != "" || t.Budget > 0 || t.Mode == llm.ThinkingAdaptive) { // who says so much expects to see it
		show := true
		c.IncludeThoughts = &show
	}
	budget := t.Budget
	switch level := levels[t.Effort]; {
	case t.Mode == llm.ThinkingOff:
		w.noThought(&c)
	case budget > 0:
		c.ThinkingBudget = &budget
	case level != "" && w.isOld():
		budget = llm.BudgetOf(t.Effort)
		c.ThinkingBudget = &budget
	case level != "":
		c.ThinkingLevel = level
	case t.Effort != "":
		w.lost.Add(llm.FieldThinking)
	case t.Mode == llm.ThinkingAdaptive && w.isOld(): // what its successors do in any case
		budget = dynamic
		c.ThinkingBudget = &budget
	}
	if c.IncludeThoughts == nil && c.ThinkingBudget == nil && c.ThinkingLevel == "" {
		return nil
	}
	return &c
}

// noThought asks for as little thought as the model can do with. Most cannot do
// without any.
func (w *promptWriter) noThought(c *thinkingConfig) {
	none, least := int64(0), int64(128)
	switch {
	case strings.Contains(w.model, "gemini-2.5-flash"):
		c.ThinkingBudget = &none
		return
	case strings.Contains(w.model, "gemini-2.5-pro"):
		c.ThinkingBudget = &least
	case w.isOld():
		return // they do not think
	case strings.Contains(w.model, "flash"):
		c.ThinkingLevel = "MINIMAL"
	case strings.Contains(w.model, "gemini"):
		c.ThinkingLevel = "LOW"
	}
	w.lost.Add(llm.FieldThinking)
}

// taskTypes is the table purpose → taskType.
var taskTypes = map[string]string{
	"query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT", "classification": "CLASSIFICATION", "clustering": "CLUSTERING",
}

func writeEmbed(p *llm.Prompt, opt llm.Options) ([]byte, llm.Losses, error) {
	out := struct {
		Requests []embedRequest `json:"requests"`
	}{make([]embedRequest, len(p.Texts))}
	for i := range p.Texts {
		out.Requests[i] = embedRequest{
			Model: resource(opt.Model), Content: &content{Parts: list[part]{{Text: &p.Texts[i]}}},
			TaskType: taskTypes[p.Purpose], OutputDimensionality: p.Dimensions,
		}
	}
	body, err := json.Marshal(&out)
	var lost llm.Losses
	lost.If(p.User != "", llm.FieldUser)
	return body, lost, err
}
