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
			targets = append(targets, console.Target{Name: o.Name, Provider: d.Provider, Model: d.Model, State: d.State, Price: priceText(d), Reach: reachOf(d)})
		}
	}
	return targets
}

// reachOf is a target's part of the capability matrix in the console's words.
func reachOf(d *server.Detail) (r console.Reach) {
	for _, way := range d.Clients {
		switch {
		case way.How == server.Forwarded && !slices.Contains(r.Forwarded, way.Dialect):
			r.Forwarded = append(r.Forwarded, way.Dialect)
		case way.How == server.Translated:
			if word := way.Dialect + " → " + way.To; !slices.Contains(r.Translated, word) {
				r.Translated = append(r.Translated, word)
			}
		}
	}
	for _, can := range d.Can {
		switch can.State {
		case server.Yes:
			r.Can = append(r.Can, can.Ability)
		case server.ByGrammar:
			r.Can = append(r.Can, can.Ability+" (by grammar)")
		case server.Assumed:
			r.Assumed = append(r.Assumed, can.Ability)
		default:
			r.Lacks = append(r.Lacks, can.Ability)
		}
	}
	return r
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
