package catalog_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/money"
)

// recorded is one entry of the shared usages.json: a real body, and what each way
// of reading it must come to.
type recorded struct {
	Body      json.RawMessage `json:"body"`
	Model     string          `json:"model"`
	Extracted []struct {
		Readings []reading        `json:"extractors"`
		Usage    map[string]int64 `json:"usage"`
	} `json:"extracted"`
}

type reading struct {
	Provider string  `json:"provider_id"`
	Flavor   string  `json:"api_flavor"`
	Input    *string `json:"input_price"`
	Output   *string `json:"output_price"`
	Total    *string `json:"total_price"`
}

// seen is when the expected costs were computed: before the prices that start in
// September 2026, in the hours of the day price of DeepSeek.
var seen = time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)

func sharedData(t *testing.T, file string) []byte {
	t.Helper()
	root := cmp.Or(os.Getenv("FAIRLEAD_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	text, err := os.ReadFile(filepath.Join(root, file))
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: set FAIRLEAD_DATA to the folder of the shared test data", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tally counts the readings of one provider and flavour.
type tally struct{ priced, pricedRight, unpriced, unpricedRight, tokensWrong int }

func (s tally) right() float64 {
	return float64(s.pricedRight+s.unpricedRight) / float64(s.priced+s.unpriced)
}

func TestUsage_RecordedBodiesComeToTheExpectedCost(t *testing.T) {
	t.Parallel()
	var all []recorded
	if err := json.Unmarshal(sharedData(t, "prices/usages.json"), &all); err != nil {
		t.Fatal(err)
	}
	c := remembered{load(t), map[[2]string]*catalog.Price{}}
	tallies := map[string]*tally{}
	reported := map[string]int{}
	for _, rec := range all {
		for _, e := range rec.Extracted {
			for _, r := range e.Readings {
				key := r.Provider + "/" + r.Flavor
				s := tallies[key]
				if s == nil {
					s = &tally{}
					tallies[key] = s
				}
				if why := judge(c, rec, r, e.Usage, s); why != "" {
					if reported[key]++; reported[key] <= 3 {
						t.Logf("%s: model %q: %s\n%.700s", key, rec.Model, why, rec.Body)
					}
				}
			}
		}
	}
	var sum tally
	for _, key := range slices.Sorted(maps.Keys(tallies)) {
		s := tallies[key]
		t.Logf("%-32s priced %3d of %3d, unpriced %3d of %3d, wrong totals %d",
			key, s.pricedRight, s.priced, s.unpricedRight, s.unpriced, s.tokensWrong)
		if s.right() < 0.99 {
			t.Errorf("%s: %.2f %% right: at least 99 %% are due", key, 100*s.right())
		}
		sum.priced += s.priced
		sum.pricedRight += s.pricedRight
		sum.unpriced += s.unpriced
		sum.unpricedRight += s.unpricedRight
		sum.tokensWrong += s.tokensWrong
	}
	t.Logf("all: priced %d of %d, unpriced %d of %d, wrong totals %d",
		sum.pricedRight, sum.priced, sum.unpricedRight, sum.unpriced, sum.tokensWrong)
	if len(all) < 1500 || sum.priced < 3000 {
		t.Errorf("only %d bodies and %d costs: the file is not the one this test was made for", len(all), sum.priced)
	}
}

// remembered keeps prices that were looked up: the bodies share few models.
type remembered struct {
	*catalog.Catalog
	prices map[[2]string]*catalog.Price
}

func (c remembered) price(provider, model string) *catalog.Price {
	key := [2]string{provider, model}
	p, ok := c.prices[key]
	if !ok {
		p, _ = c.Price(provider, model, seen)
		c.prices[key] = p
	}
	return p
}

// judge compares one reading and says what is wrong with ours.
func judge(c remembered, rec recorded, r reading, want map[string]int64, s *tally) string {
	if r.Input != nil {
		s.priced++
	} else {
		s.unpriced++
	}
	model, tokens, err := c.Usage(r.Provider, r.Flavor, rec.Body)
	if err != nil {
		s.tokensWrong++
		if r.Input == nil {
			s.unpricedRight++ // an error has no cost either
		}
		return err.Error()
	}
	if tokens.TotalInput() != want["input_tokens"] || tokens.TotalOutput() != want["output_tokens"] {
		s.tokensWrong++
		return "tokens differ"
	}
	cost := c.price(r.Provider, cmp.Or(model, rec.Model)).Cost(tokens)
	switch {
	case r.Input == nil && cost.State == money.Unknown:
		s.unpricedRight++
		return ""
	case r.Input == nil:
		return "no cost is expected, ours is " + cost.USD.String()
	case cost.State == money.Unknown:
		return "no cost; expected " + *r.Input + " + " + *r.Output
	case !same(cost.Input, *r.Input) || !same(cost.Output, *r.Output):
		return "cost " + cost.Input.String() + " + " + cost.Output.String() + ", expected " + *r.Input + " + " + *r.Output
	case r.Total != nil && !same(cost.USD, *r.Total):
		return "total " + cost.USD.String() + ", expected " + *r.Total
	}
	s.pricedRight++
	return ""
}

// same compares with the file's text, which may have an exponent ("5E-7").
func same(a money.Amount, want string) bool {
	got, ok1 := new(big.Rat).SetString(a.String())
	due, ok2 := new(big.Rat).SetString(want)
	return ok1 && ok2 && got.Cmp(due) == 0
}

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
