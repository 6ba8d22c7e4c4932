// Package route decides where a request may run: Question + Table → Plan.
//
// It is pure: no clock, no I/O, no provider's wire format. Every target that a
// plan names but may not be used is listed with the reason, so each decision can
// be shown and replayed. Hard eligibility comes first and fails closed. Start
// reading at Table.Decide.
package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// Public is the data class of what nobody declared.
const Public = "public"

// Target is what a decision knows of one model at one endpoint.
type Target struct {
	Name      string
	Abilities llm.Ability
	// Assumed says that the catalog does not know this model and its abilities are
	// those of its provider.
	Assumed bool
	// Context is the model's context window in tokens, 0 when unknown.
	Context int64
	// Classes are the data classes that the target may see; AllClasses is for
	// targets on this machine.
	Classes    []string
	AllClasses bool
	// Expect prices token counts before the call.
	Expect func(money.Tokens) money.Cost
}

// Model is a name that clients ask for, with the targets that may answer in order.
type Model struct {
	Name string
	Plan []string
	// RejectLoss keeps targets out whose dialect cannot carry all of a request.
	RejectLoss bool
}

// Table is everything that decisions are made from. It is immutable.
type Table struct {
	Targets map[string]*Target
	Models  map[string]Model
}

// Question is one request as a decision sees it.
type Question struct {
	Model     string
	Needs     llm.Ability
	Classes   []string     // of the request's data; Public where nobody declared any
	Expected  money.Tokens // an estimate
	MaxTokens int64        // 0 when the client set no bound
	// Only is the one target that may answer, "" for any: it holds the conversation that
	// the request continues.
	Only string
	// MaxUSD is the most that this request may be expected to cost.
	MaxUSD    money.Amount
	HasMaxUSD bool
	// Priced demands that the cost of every target in the plan is known before.
	Priced bool
}

// Plan is the ordered list of targets that a request will walk, never empty.
type Plan struct {
	Route   string // the rule that chose, e.g. "plan:assistant"
	Targets []string
	Refused []Refusal
	// RejectLoss is the model's: what a target's dialect loses is known when the
	// request is written for it.
	RejectLoss bool
}

// Refusal is one target that may not be used for a request.
type Refusal struct {
	Target string
	Kind   llm.Kind
	Reason string
}

// Decide makes the plan. The error is an *llm.Error that says why there is none.
func (t *Table) Decide(q Question) (Plan, error) {
	plan, candidates, err := t.candidates(q.Model)
	if err != nil {
		return plan, err
	}
	for _, name := range candidates {
		if no := q.refuse(t.Targets[name]); no != nil {
			plan.Refused = append(plan.Refused, *no)
			continue
		}
		plan.Targets = append(plan.Targets, name)
	}
	if len(plan.Targets) == 0 {
		return plan, noTarget(q.Model, plan.Refused)
	}
	return plan, nil
}

func (t *Table) candidates(model string) (Plan, []string, error) {
	if m, ok := t.Models[model]; ok {
		return Plan{Route: "plan:" + model, RejectLoss: m.RejectLoss}, m.Plan, nil
	}
	if _, ok := t.Targets[model]; ok {
		return Plan{Route: "target:" + model}, []string{model}, nil
	}
	return Plan{}, nil, &llm.Error{Kind: llm.NotFound, Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("no model or target is named %q; GET /v1/models lists what can be asked for", model)}
}

// refuse says why a target may not take the request, nil when it may. The checks
// that guard data come first.
func (q *Question) refuse(t *Target) *Refusal {
	no := func(kind llm.Kind, format string, args ...any) *Refusal {
		return &Refusal{Target: t.Name, Kind: kind, Reason: fmt.Sprintf(format, args...)}
	}
	if q.Only != "" && t.Name != q.Only {
		return no(llm.Unsupported, "did not give the answer that this request continues; %s did", q.Only)
	}
	for _, class := range q.Classes {
		if !t.maySee(class) {
			return no(llm.Blocked, "may not see data of class %q", class)
		}
	}
	if missing := q.missing(t.Abilities); missing != 0 {
		return no(llm.Unsupported, "cannot do %s", strings.Join(missing.Names(), ", "))
	}
	if need := q.MaxTokens; t.Context > 0 && need > t.Context {
		return no(llm.TooLong, "has a context of %d tokens, %d were asked for as output alone", t.Context, need)
	}
	if !q.HasMaxUSD && !q.Priced {
		return nil
	}
	cost := t.Expect(q.Expected)
	switch {
	case cost.State == money.Unknown:
		return no(llm.Budget, "has no price: add `price: {input: …, output: …}` to target %s", t.Name)
	case q.HasMaxUSD && cost.USD.Cmp(q.MaxUSD) > 0:
		return no(llm.Budget, "is expected to cost %s USD, over the cap of %s", cost.USD, q.MaxUSD)
	}
	return nil
}

// missing are the abilities that the request needs and the target lacks. A grammar
// stands in for tools.
func (q *Question) missing(have llm.Ability) llm.Ability {
	if have.Has(llm.CanToolsByGrammar) {
		have |= llm.CanTools
	}
	return q.Needs &^ have
}

func (t *Target) maySee(class string) bool {
	if t.AllClasses || slices.Contains(t.Classes, class) {
		return true
	}
	return class == Public && len(t.Classes) == 0
}

// noTarget turns refusals into the error that the caller sees. Where targets were
// refused for different reasons the gravest speaks: data, then money, then ability.
func noTarget(model string, refused []Refusal) error {
	kind := refused[0].Kind
	for _, grave := range [...]llm.Kind{llm.Blocked, llm.Budget} {
		if slices.ContainsFunc(refused, func(r Refusal) bool { return r.Kind == grave }) {
			kind = grave
			break
		}
	}
	code := "no_eligible_target"
	if kind == llm.Budget {
		code = "insufficient_quota" // what clients of any dialect take for an empty purse
	}
	var why []string
	for _, r := range refused {
		why = append(why, r.Target+" "+r.Reason)
	}
	return &llm.Error{Kind: kind, Param: "model", Code: code,
		Message: fmt.Sprintf("no target of %q may take this request: %s", model, strings.Join(why, "; "))}
}
