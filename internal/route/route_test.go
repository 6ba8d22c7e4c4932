package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

func perToken(usd string) func(money.Tokens) money.Cost {
	return func(t money.Tokens) money.Cost {
		return money.Cost{USD: money.MustParse(usd).Mul(t.Total()), State: money.Known}
	}
}

func unpriced(money.Tokens) money.Cost { return money.Cost{State: money.Unknown} }

const chats = llm.CanChat | llm.CanStream

// house has targets that differ in one thing each.
func house() *Table {
	targets := map[string]*Target{}
	for _, t := range []*Target{
		{Name: "cheap", Abilities: chats, Expect: perToken("0.000001")},
		{Name: "dear", Abilities: chats | llm.CanTools | llm.CanVision, Expect: perToken("0.001"), Context: 1000},
		{Name: "odd", Abilities: chats, Expect: unpriced},
		{Name: "own", Abilities: chats | llm.CanToolsByGrammar, Expect: perToken("0"), AllClasses: true},
		{Name: "vault", Abilities: chats, Expect: perToken("0"), Classes: []string{"wallet"}},
		{Name: "open", Abilities: chats, Expect: perToken("0"), Classes: []string{Public, "wallet"}},
		{Name: "vectors", Abilities: llm.CanEmbeddings, Expect: perToken("0")},
	} {
		targets[t.Name] = t
	}
	return &Table{Targets: targets, Models: map[string]Model{
		"assistant": {Name: "assistant", Plan: []string{"cheap", "dear"}},
		"private":   {Name: "private", Plan: []string{"cheap", "vault", "own"}},
		"mixed":     {Name: "mixed", Plan: []string{"vectors", "odd", "dear", "cheap"}},
	}}
}

// The texts are what users read when no target may answer: they are kept as a file.
func TestDecide_AndSaysWhy(t *testing.T) {
	t.Parallel()
	public := []string{Public}
	capped := func(usd string, q Question) Question {
		q.MaxUSD, q.HasMaxUSD = money.MustParse(usd), true
		return q
	}
	uses := money.Tokens{Input: 100, Output: 900}
	var out strings.Builder
	for _, tc := range []struct {
		name string
		q    Question
	}{
		{"a plan in its order", Question{Model: "assistant", Classes: public, Needs: chats}},
		{"a target by its name", Question{Model: "odd", Classes: public, Needs: chats}},
		{"an unknown name", Question{Model: "smart", Classes: public}},
		{"case matters", Question{Model: "Assistant", Classes: public}},
		{"only one can call tools", Question{Model: "assistant", Classes: public, Needs: chats | llm.CanTools}},
		{"none can hear", Question{Model: "assistant", Classes: public, Needs: chats | llm.CanAudio | llm.CanLogprobs}},
		{"a conversation that one target holds", Question{Model: "assistant", Classes: public, Needs: chats, Only: "dear"}},
		{"a conversation held elsewhere", Question{Model: "assistant", Classes: public, Needs: chats, Only: "own"}},
		{"a grammar stands in for tools", Question{Model: "own", Classes: public, Needs: chats | llm.CanTools}},
		{"but not for vision", Question{Model: "own", Classes: public, Needs: chats | llm.CanVision}},
		{"the wrong surface", Question{Model: "vectors", Classes: public, Needs: llm.CanChat}},
		{"wallet data", Question{Model: "private", Classes: []string{"wallet"}}},
		{"public data", Question{Model: "private", Classes: public}},
		{"all of several classes", Question{Model: "private", Classes: []string{"identity", "wallet"}}},
		{"public and wallet", Question{Model: "open", Classes: []string{Public, "wallet"}}},
		{"no class fits", Question{Model: "assistant", Classes: []string{"secrets"}}},
		{"too long an answer", Question{Model: "assistant", Classes: public, MaxTokens: 1001}},
		{"just long enough", Question{Model: "dear", Classes: public, MaxTokens: 1000}},
		{"a cap that one meets", capped("0.5", Question{Model: "assistant", Classes: public, Expected: uses})},
		{"a cap that none meets", capped("0.0001", Question{Model: "assistant", Classes: public, Expected: uses})},
		{"a cap met exactly", capped("1", Question{Model: "dear", Classes: public, Expected: uses})},
		{"a cap without a price", capped("5", Question{Model: "odd", Classes: public, Expected: uses})},
		{"free under a cap of nothing", capped("0", Question{Model: "own", Classes: public, Expected: uses})},
		{"a budget wants prices", Question{Model: "odd", Classes: public, Priced: true}},
		{"the gravest reason speaks", capped("0.0001", Question{Model: "mixed", Classes: public, Needs: chats, Expected: uses})},
		{"data before money", capped("0", Question{Model: "mixed", Classes: []string{"wallet"}, Needs: chats, Expected: uses})},
	} {
		fmt.Fprintf(&out, "# %s\n", tc.name)
		plan, err := house().Decide(tc.q)
		if err != nil {
			e := llm.AsError(err)
			fmt.Fprintf(&out, "refused: %s %s: %s\n", e.Kind, e.Code, e.Message)
		} else {
			fmt.Fprintf(&out, "%s → %s\n", plan.Route, strings.Join(plan.Targets, ", "))
		}
		for _, r := range plan.Refused {
			fmt.Fprintf(&out, "  not %s (%s): %s\n", r.Target, r.Kind, r.Reason)
		}
	}
	testkit.Golden(t, "decide.txt", []byte(out.String()))
}

// Whatever is asked, a target that may not see a class of the data is never in a plan.
func TestDecide_NeverLeaksData(t *testing.T) {
	t.Parallel()
	table := house()
	classes := []string{Public, "wallet", "identity", "secrets"}
	for name := range table.Models {
		for set := 1; set < 1<<len(classes); set++ {
			q := Question{Model: name}
			for i, class := range classes {
				if set>>i&1 == 1 {
					q.Classes = append(q.Classes, class)
				}
			}
			plan, err := table.Decide(q)
			if err != nil && len(plan.Targets) != 0 || err == nil && len(plan.Targets) == 0 {
				t.Fatalf("%s %v: %v with %v", name, q.Classes, err, plan.Targets)
			}
			for _, target := range plan.Targets {
				for _, class := range q.Classes {
					to := table.Targets[target]
					if !to.AllClasses && !strings.Contains(strings.Join(to.Classes, " "), class) && (class != Public || to.Classes != nil) {
						t.Errorf("%s may see %v, and is given %v", target, to.Classes, q.Classes)
					}
				}
			}
			if len(plan.Targets)+len(plan.Refused) != len(table.Models[name].Plan) {
				t.Errorf("%s %v: %v and %v are not all of the plan", name, q.Classes, plan.Targets, plan.Refused)
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	table := house()
	q := Question{Model: "private", Classes: []string{"wallet"}, Needs: chats}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Decide(q); err != nil {
			b.Fatal(err)
		}
	}
}
