package anthropic

import "github.com/fairlead/fairlead/internal/llm"

// minBudget is the least that a model can be told to think.
const minBudget = 1024

// usualBudget is what is asked for where a client wants thought and says not how much.
const usualBudget = "medium"

// thinking sets how much the model thinks and, since thought counts towards it, how
// long its answer may be.
func (w *promptWriter) thinking(opt llm.Options) {
	t := w.prompt.Thinking
	limit := w.limit(opt)
	w.out.MaxTokens = &limit
	wanted := t.Mode == llm.ThinkingOn || t.Mode == llm.ThinkingAdaptive || t.Mode == llm.ThinkingUnset && (t.Budget > 0 || t.Effort != "" && t.Effort != "none")
	switch {
	case w.forced():
		w.lost.If(wanted, llm.FieldThinking)
		w.dontThinkThenCall()
	case t.Mode == llm.ThinkingOff || t.Effort == "none":
		w.dontThink()
	case !wanted:
	case w.model.budget && !(w.model.adaptive && t.Budget == 0):
		w.thinkWithin(t, limit)
	case w.model.adaptive:
		w.thinkFreely(t)
	default:
		w.lost.Add(llm.FieldThinking)
	}
	w.display(t)
}

// limit is the bound on the output.
func (w *promptWriter) limit(opt llm.Options) int64 {
	switch set := w.prompt.Sampling.MaxTokens; {
	case set != nil:
		return *set
	case opt.MaxTokens > 0:
		return opt.MaxTokens
	}
	return DefaultMaxTokens
}

// forced reports whether the model must call a tool, which no model does while it
// thinks.
func (w *promptWriter) forced() bool {
	c := w.out.ToolChoice
	return c != nil && (c.Type == "any" || c.Type == "tool")
}

// dontThinkThenCall puts the call that must come over the thought. A model that always
// thinks cannot be forced to call.
func (w *promptWriter) dontThinkThenCall() {
	if w.model.off == offNever {
		w.lost.Add(llm.FieldToolChoice)
		w.out.ToolChoice.Type, w.out.ToolChoice.Name = "auto", ""
		return
	}
	w.dontThink()
}

func (w *promptWriter) dontThink() {
	switch w.model.off {
	case "":
	case offNever:
		w.lost.Add(llm.FieldThinking)
		w.config().Effort = "low"
	default:
		w.out.Thinking = &thinking{Type: w.model.off}
	}
}

// thinkFreely lets the model decide, and says how much effort is wanted. A budget
// becomes an effort.
func (w *promptWriter) thinkFreely(t llm.Thinking) {
	w.out.Thinking = &thinking{Type: "adaptive"}
	effort := t.Effort
	if effort == "" && t.Budget > 0 {
		w.lost.Add(llm.FieldThinking)
		effort = llm.EffortOf(t.Budget)
	}
	switch {
	case effort == "":
		return
	case effort == "minimal":
		w.lost.Add(llm.FieldThinking)
		effort = "low"
	case effort == "xhigh" && !w.model.xhigh:
		w.lost.Add(llm.FieldThinking)
		effort = "high"
	}
	w.config().Effort = effort
}

// thinkWithin sets a budget, which must be below the bound on the output. A bound that
// nobody asked for makes room; the client's own bound cuts the budget.
func (w *promptWriter) thinkWithin(t llm.Thinking, limit int64) {
	budget := t.Budget
	if budget == 0 {
		effort := t.Effort
		if effort == "" {
			effort = usualBudget
		}
		budget = llm.BudgetOf(effort)
	}
	if budget < minBudget {
		w.lost.Add(llm.FieldThinking)
		budget = minBudget
	}
	if budget >= limit {
		switch {
		case w.prompt.Sampling.MaxTokens == nil || w.prompt.Surface == llm.CountTokens:
			limit += budget
			w.out.MaxTokens = &limit
		case limit <= minBudget:
			w.lost.Add(llm.FieldThinking)
			return
		default:
			w.lost.Add(llm.FieldThinking)
			budget = max(minBudget, limit/2)
		}
	}
	if w.withinRound() {
		w.lost.Add(llm.FieldThinking)
		return
	}
	w.out.Thinking = &thinking{Type: "enabled", Budget: budget}
}

// withinRound reports whether the model is to go on after a call that it made without
// the thought that led to it: the upstream refuses to have it think then.
func (w *promptWriter) withinRound() bool {
	turns := w.prompt.Turns
	answered := false // the user's last words, in however many turns, hold results
	for i := len(turns) - 1; i >= 0; i-- {
		t := &turns[i]
		if t.Role != llm.Assistant {
			answered = answered || hasKind(t.Parts, llm.ToolResult)
			continue
		}
		return answered && hasKind(t.Parts, llm.ToolCall) && !isOwnThought(&t.Parts[0])
	}
	return false
}

func hasKind(parts []llm.Part, kind llm.PartKind) bool {
	for i := range parts {
		if parts[i].Kind == kind {
			return true
		}
	}
	return false
}

// isOwnThought reports whether a part is thought that this dialect's providers made.
func isOwnThought(p *llm.Part) bool {
	return p.Kind == llm.Reasoning && p.Signer == Name && (p.Signature != "" || p.Redacted != "")
}

// display says whether the thought is to be seen. Its length cannot be said.
func (w *promptWriter) display(t llm.Thinking) {
	if w.out.Thinking == nil {
		w.lost.If(t.Show != nil && *t.Show || t.Summary != "", llm.FieldThinking) // there will be none to show
		return
	}
	if w.out.Thinking.Type == offDisabled || w.out.Thinking.Type == offBetween {
		return
	}
	w.lost.If(t.Summary == "concise" || t.Summary == "detailed", llm.FieldThinking)
	if t.Show == nil && t.Summary == "" || w.model.guesswork {
		return // left to the model, or to an engine that may not know the field
	}
	w.out.Thinking.Display = "summarized"
	if t.Show != nil && !*t.Show {
		w.out.Thinking.Display = "omitted"
	}
}
