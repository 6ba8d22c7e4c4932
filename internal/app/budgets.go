package app

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/limit"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/pipeline"
)

// keyID is the id that a key of the configuration has in records.
func keyID(name string) string { return auth.SourceConfig + ":" + name }

// keyPolicies are what the configuration says of its keys.
func keyPolicies(cfg *config.Config) map[string]pipeline.KeyPolicy {
	policies := map[string]pipeline.KeyPolicy{}
	for _, k := range cfg.Keys {
		policies[keyID(k.Name)] = pipeline.KeyPolicy{
			Classes: k.Classes,
			Priced:  k.Budget != nil && k.Budget.Unpriced != "allow",
		}
	}
	return policies
}

// setBudgets gives each key with a budget its account. A new account begins with
// what the record says the key has spent in its window; a record that cannot be
// read is an error, for a budget must not begin at zero by accident.
func (a *App) setBudgets(ctx context.Context, cfg *config.Config) error {
	now := time.Now()
	budgeted := map[string]bool{}
	for _, k := range cfg.Keys {
		if k.Budget == nil {
			continue
		}
		id := keyID(k.Name)
		budgeted[id] = true
		budget := limit.Budget{Limit: k.Budget.USD, Window: limit.Window(k.Budget.Per)}
		var spent []limit.Spend
		if !a.budgets.Has(id) {
			summary, err := a.ledger.Summary(ctx, ledger.Range{From: budget.Window.Start(now), To: now.Add(time.Hour)}, ledger.OfKey(id))
			if err != nil {
				return fmt.Errorf("reading what key %s has spent: %w", k.Name, err)
			}
			for _, p := range summary.Points {
				spent = append(spent, limit.Spend{Since: p.Start, USD: p.Cost})
			}
		}
		a.budgets.Set(id, budget, spent)
	}
	a.budgets.Keep(budgeted)
	return nil
}

// reserve is the hall's way to the budgets.
func (a *App) reserve(key string, expected money.Amount) (func(money.Amount), error) {
	r, err := a.budgets.Reserve(key, expected, time.Now())
	if err != nil || r == nil {
		return nil, err
	}
	return func(actual money.Amount) { r.Settle(actual, time.Now()) }, nil
}
