package app

import (
	"net/http"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/console"
	"github.com/fairlead/fairlead/internal/server"
)

func (a *App) console() http.Handler {
	return console.New(console.Rooms{
		Ledger: a.ledger,
		SignIn: a.authenticate,
		StillAdmin: func(c auth.Caller) bool {
			for _, k := range a.keys.Keys() {
				if k.ID == c.KeyID {
					return k.Usable(time.Now()) && slices.Contains(k.Scopes, auth.ScopeAdmin)
				}
			}
			return c.KeyID == controlID
		},
		Targets:    a.consoleTargets,
		ConfigHash: func() string { return a.house.Load().Hash },
		Version:    a.opt.Version,
		Health:     a.ledger.Health,
		Log:        a.log,
		Now:        time.Now,
	})
}

func (a *App) consoleTargets() []console.Target {
	var targets []console.Target
	for _, o := range a.withStates(*a.offers.Load()) {
		if d := o.Detail; d != nil {
			targets = append(targets, console.Target{Name: o.Name, Provider: d.Provider, Model: d.Model, State: d.State, Price: priceText(d)})
		}
	}
	return targets
}

// priceText is a target's price in words, "" when it is not known.
func priceText(d *server.Detail) string {
	if d.PriceIn == "" {
		return ""
	}
	if d.PriceOut == "" {
		return "$" + d.PriceIn + " in per million tokens"
	}
	return "$" + d.PriceIn + " in, $" + d.PriceOut + " out per million tokens"
}
