package bedrock

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
)

// maker is who made a model: what Converse itself has no field for goes to the model in its
// maker's own words.
type maker uint8

const (
	unknown   maker = iota // an ARN that does not say
	anthropic              // Claude
	nova                   // Amazon
	mistral
	cohere
	openai // gpt-oss
	meta
	other
)

var makers = [...]struct {
	word string
	of   maker
}{
	{"anthropic", anthropic}, {"claude", anthropic}, {"nova", nova}, {"mistral", mistral}, {"cohere", cohere}, {"openai", openai}, {"gpt-oss", openai}, {"llama", meta},
}

// makerOf reads it from a model's id.
func makerOf(model string) maker {
	model = strings.ToLower(model)
	for _, m := range makers {
		if strings.Contains(model, m.word) {
			return m.of
		}
	}
	if strings.HasPrefix(model, "arn:") && !strings.Contains(model, "foundation-model/") {
		return unknown
	}
	return other
}

var claudeVersion = regexp.MustCompile(`claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2})(?:\D|$))?`)

// alwaysThinks reports a Claude that cannot be told not to think.
func alwaysThinks(model string) bool {
	return strings.Contains(model, "fable") || strings.Contains(model, "mythos")
}

// versionOfClaude is 45 for claude-sonnet-4-5, 0 where the id does not say.
func versionOfClaude(model string) int {
	if strings.Contains(model, "mythos-preview") {
		return fixedFrom
	}
	m := claudeVersion.FindStringSubmatch(strings.ToLower(model))
	if m == nil {
		return 0
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2]) // "" is 0
	return 10*major + min(minor, 9)
}

const (
	// adaptiveFrom is the Claude that decides by itself how much to think, told by an effort.
	adaptiveFrom = 46
	// fixedFrom is the Claude that takes neither a budget nor a say in sampling.
	fixedFrom = 47
	// strictFrom is the Claude that can be held to a tool's schema.
	strictFrom = 45
	// minBudget is the least that Claude may be given to think; maxEffort is the most that an
	// effort stands for, within what the smallest of those that take a budget may say.
	minBudget, maxEffort = 1024, 31_000
)

// modelFields are the members of additionalModelRequestFields that are known to work.
type modelFields struct {
	TopK            *int64         `json:"top_k,omitzero"`
	K               *int64         `json:"k,omitzero"` // Cohere
	Thinking        *thinking      `json:"thinking,omitzero"`
	ReasoningEffort string         `json:"reasoning_effort,omitzero"`
	ReasoningConfig *reasonConfig  `json:"reasoningConfig,omitzero"` // Nova
	Inference       *novaInference `json:"inferenceConfig,omitzero"` // Nova
}

// thinking is Anthropic's field
// (https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html).
type thinking struct {
	Type    string `json:"type"`
	Budget  int64  `json:"budget_tokens,omitzero"`
	Display string `json:"display,omitzero"`
}

type reasonConfig struct {
	Type   string `json:"type"`
	Effort string `json:"maxReasoningEffort,omitzero"`
}

type novaInference struct {
	TopK *int64 `json:"topK"`
}

// forModel writes what depends on who made the model: sampling within its bounds, top_k, and
// thought.
func (w *writer) forModel(p *llm.Prompt, out *request) {
	var f modelFields
	s := &p.Sampling
	switch w.maker {
	case anthropic:
		f.TopK = s.TopK
		w.claude(p, out, &f)
	case nova:
		if s.TopK != nil {
			f.Inference = &novaInference{TopK: s.TopK}
		}
		w.nova(p, out, &f)
	case mistral:
		f.TopK = s.TopK
		w.lost.If(wantsThought(p.Thinking), llm.FieldThinking)
	case cohere:
		f.K = s.TopK
		w.lost.If(wantsThought(p.Thinking), llm.FieldThinking)
	case openai:
		w.lost.If(s.TopK != nil, llm.FieldTopK)
		f.ReasoningEffort = w.effort(p.Thinking, "high")
	default:
		w.lost.If(s.TopK != nil, llm.FieldTopK)
		w.lost.If(wantsThought(p.Thinking), llm.FieldThinking)
	}
	if f != (modelFields{}) {
		out.ModelFields = &f
	}
}

func wantsThought(t llm.Thinking) bool {
	return t.Mode == llm.ThinkingOn || t.Mode == llm.ThinkingAdaptive
}

// effort is the word for how much to think, most at the highest, "" where it was not asked for.
func (w *writer) effort(t llm.Thinking, most string) string {
	if !wantsThought(t) {
		return ""
	}
	effort := t.Effort
	if effort == "" && t.Budget > 0 {
		effort = llm.EffortOf(t.Budget)
		w.lost.Add(llm.FieldThinking) // tokens became a word
	}
	switch effort {
	case "minimal":
		return "low"
	case "xhigh", "max":
		if most == "high" {
			return most
		}
	}
	return effort
}

// claude writes thought, and takes out what Claude refuses beside it.
func (w *writer) claude(p *llm.Prompt, out *request, f *modelFields) {
	version := versionOfClaude(w.model)
	switch {
	case p.Thinking.Mode == llm.ThinkingOff && alwaysThinks(w.model):
		w.lost.Add(llm.FieldThinking)
	case version >= adaptiveFrom && p.Thinking.Mode == llm.ThinkingOff:
		f.Thinking = &thinking{Type: "disabled"}
	case !wantsThought(p.Thinking):
	case p.Choice.Mode == llm.ChoiceAny, p.Choice.Mode == llm.ChoiceOne: // refused together
		w.lost.Add(llm.FieldThinking)
	case version >= adaptiveFrom:
		f.Thinking = &thinking{Type: "adaptive", Display: display(p.Thinking.Show)}
		out.output().Effort = w.effort(p.Thinking, "max")
	default:
		f.Thinking = w.budget(p)
	}
	in := out.Inference
	thinks := f.Thinking != nil && f.Thinking.Type != "disabled"
	if thinks || version >= fixedFrom {
		w.drop(&in.Temperature, 1, llm.FieldTemperature)
		w.drop(&in.TopP, 1, llm.FieldTopP)
		w.lost.If(f.TopK != nil, llm.FieldTopK)
		f.TopK = nil
		return
	}
	if in.Temperature != nil && *in.Temperature > 1 {
		one := 1.0
		in.Temperature = &one
		w.lost.Add(llm.FieldTemperature)
	}
	if in.Temperature != nil && in.TopP != nil && version >= 41 { // newer ones take either
		w.drop(&in.TopP, 1, llm.FieldTopP)
	}
}

// drop takes a field out; it is lost unless it said no more than the usual.
func (w *writer) drop(v **float64, usual float64, f llm.Field) {
	w.lost.If(*v != nil && **v != usual, f)
	*v = nil
}

func display(show *bool) string {
	switch {
	case show == nil:
		return ""
	case *show:
		return "summarized"
	}
	return "omitted"
}

// budget gives a Claude of the time before efforts its tokens to think, where it may.
func (w *writer) budget(p *llm.Prompt) *thinking {
	t := &p.Thinking
	n := t.Budget
	if n == 0 {
		n = min(llm.BudgetOf(t.Effort), maxEffort)
	}
	if n == 0 {
		n = llm.BudgetOf("medium")
	}
	n = max(n, minBudget)
	if most := p.Sampling.MaxTokens; most != nil && n >= *most {
		n = *most - 1
		w.lost.If(t.Budget > 0, llm.FieldThinking)
	}
	if n < minBudget || afterUnsignedCall(p) {
		w.lost.Add(llm.FieldThinking)
		return nil
	}
	return &thinking{Type: "enabled", Budget: n}
}

// afterUnsignedCall reports whether results of tools are to be read whose calls came without
// signed thought: Claude refuses to begin to think there.
func afterUnsignedCall(p *llm.Prompt) bool {
	n := len(p.Turns)
	if n < 2 || !has(&p.Turns[n-1], llm.ToolResult) || p.Turns[n-2].Role != llm.Assistant {
		return false
	}
	for i := range p.Turns[n-2].Parts {
		part := &p.Turns[n-2].Parts[i]
		if part.Kind == llm.Reasoning && signed(part) {
			return false
		}
	}
	return true
}

func has(t *llm.Turn, kind llm.PartKind) bool {
	for i := range t.Parts {
		if t.Parts[i].Kind == kind {
			return true
		}
	}
	return false
}

// signed reports whether a thought may go back: it is proven, and was made here.
func signed(p *llm.Part) bool { return p.Signer == Name && (p.Signature != "" || p.Redacted != "") }

// nova writes the reasoning of Nova 2
// (https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html).
func (w *writer) nova(p *llm.Prompt, out *request, f *modelFields) {
	if !wantsThought(p.Thinking) {
		return
	}
	if !strings.Contains(w.model, "nova-2") {
		w.lost.Add(llm.FieldThinking)
		return
	}
	c := &reasonConfig{Type: "enabled", Effort: w.effort(p.Thinking, "high")}
	if c.Effort == "" {
		c.Effort = "medium"
	}
	if in := out.Inference; c.Effort == "high" && (in.MaxTokens != nil || in.Temperature != nil || in.TopP != nil) {
		c.Effort = "medium" // high refuses them
		w.lost.Add(llm.FieldThinking)
	}
	f.ReasoningConfig = c
}

// holdsStrictly reports whether a model can be held to the schema of a tool
// (https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html); the others refuse
// to be asked.
func (w *writer) holdsStrictly() bool {
	switch w.maker {
	case anthropic:
		return versionOfClaude(w.model) >= strictFrom
	case nova, cohere, meta:
		return false
	}
	return true
}

// caches reports whether a model takes cache points, with their time to live where it can be
// said.
func (w *writer) caches() bool { return w.maker == anthropic || w.maker == nova || w.maker == unknown }
