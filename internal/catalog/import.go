package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/money"
)

// maxScale is how many digits behind the point an imported price keeps; published
// prices have at most six, the rest is binary noise of the file's floats.
const maxScale = 10

// plain writes a JSON number as plain decimal text: 1e-07 becomes 0.0000001 and
// 0.30000000000000004 becomes 0.3 (rounded half away from zero after 10 digits).
func plain(n json.Number) (string, error) {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || len(n) > 40 {
		return "", fmt.Errorf("price %.40q is not a number", string(n))
	}
	text := r.FloatString(maxScale)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	return cmp.Or(text, "0"), nil
}

// Change is one price that differs between two sets of rows. Old or New is empty
// where the row or the price is only in the other set.
type Change struct {
	Provider, Model, Row string
	Rate                 string // name as in Rates
	Old, New             string
	// Jump says that the price more than doubled, fell below half, or became or
	// ceased to be 0: look at the source before believing it.
	Jump bool
}

func (c Change) String() string {
	return fmt.Sprintf("%s %s (%s) %s: %s → %s", c.Provider, c.Model, c.Row, c.Rate,
		cmp.Or(c.Old, "none"), cmp.Or(c.New, "none"))
}

// Diff lists every price that changed from old to next, in a fixed order.
func Diff(old, next []Row) []Change {
	before := map[string]Row{}
	for _, r := range old {
		before[r.key()] = r
	}
	var changes []Change
	for _, r := range next {
		changes = append(changes, compare(before[r.key()], r)...)
		delete(before, r.key())
	}
	for _, r := range before {
		gone := r
		gone.Rates = Rates{}
		changes = append(changes, compare(r, gone)...)
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model),
			cmp.Compare(a.Row, b.Row), cmp.Compare(a.Rate, b.Rate))
	})
	return changes
}

func compare(old, next Row) []Change {
	was := maps.Collect(old.Each)
	var changes []Change
	for name, text := range next.Each {
		if was[name] == text {
			continue
		}
		changes = append(changes, Change{
			Provider: next.Provider, Model: next.Model, Row: next.label(),
			Rate: name, Old: was[name], New: text, Jump: jump(was[name], text),
		})
	}
	return changes
}

// jump compares base prices; a price that appears or goes is none.
func jump(old, next string) bool {
	a, err1 := parseTiered(old, money.PerMillion)
	b, err2 := parseTiered(next, money.PerMillion)
	if err1 != nil || err2 != nil || !a.set || !b.set {
		return false
	}
	from, to := a.base.Published(), b.base.Published()
	if from.IsZero() || to.IsZero() {
		return from.Cmp(to) != 0
	}
	return to.Cmp(from.Mul(2)) > 0 || from.Cmp(to.Mul(2)) > 0
}

// Renew gives imported rows the dates of old ones where nothing but the date
// differs, so that a date says when a price last changed and a refresh touches
// only lines that did.
func Renew(old, imported []Row) []Row {
	before := map[string]Row{}
	for _, r := range old {
		before[r.key()] = r
	}
	rows := slices.Clone(imported)
	for i := range rows {
		was, ok := before[rows[i].key()]
		was.Date = rows[i].Date
		if ok && was == rows[i] {
			rows[i].Date = before[rows[i].key()].Date
		}
	}
	return rows
}
