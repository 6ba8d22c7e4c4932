package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/embed"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/upstream"
)

// EngineDir is where the local engine's files are within a data folder. The
// environment variable FAIRLEAD_ENGINE_DIR names another, so that many data folders
// can share one.
func EngineDir(data string) string {
	if dir := os.Getenv("FAIRLEAD_ENGINE_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(data, "engine")
}

// EngineConfig is the engine's part of a configuration.
func EngineConfig(cfg *config.Config) engine.Config {
	c := engine.Default()
	c.Dir = EngineDir(cfg.Data)
	e := &cfg.Engine
	c.Server, c.Python = e.Server, e.Python
	set(&c.Model, e.Model)
	set(&c.ContextTokens, e.Context)
	set(&c.Slots, e.Slots)
	set(&c.Queue, e.Queue)
	set(&c.Threads, e.Threads)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// openLocal makes the transport of local targets from what is installed. What is
// missing is an error of the requests that need it, not of the start.
func (a *App) openLocal() *local {
	l := &local{next: upstream.NewTransport(5 * time.Second), limits: rawjson.Limits{Depth: a.opt.Config.Limits.JSONDepth}}
	if !usesLocal(a.opt.Config) {
		l.why = errors.New("no target of provider local was there at the start: restart Fairlead to use one")
		return l
	}
	cfg := EngineConfig(a.opt.Config)
	installed, err := engine.Find(cfg)
	if err != nil {
		l.why = err
		a.log.Warn("the local engine cannot start", "error", err)
		return l
	}
	a.engine = engine.New(cfg, installed, a.log)
	l.engine = a.engine
	if installed.Embed != "" {
		if l.embed, err = embed.Open(installed.Embed); err != nil {
			a.log.Warn("the embedding model cannot be read", "error", err)
		}
	}
	return l
}

func usesLocal(cfg *config.Config) bool {
	for i := range cfg.Targets {
		if cfg.Targets[i].Provider == config.LocalProvider {
			return true
		}
	}
	return false
}

func newBuilder(prices *catalog.Catalog, l *local) *builder {
	return &builder{catalog: prices, local: l, pools: map[time.Duration]upstream.Transport{}}
}

// loadPrices reads the catalog, with the user's own rows over it.
func loadPrices(cfg *config.Config) (*catalog.Catalog, error) {
	c, err := catalog.Load()
	if err != nil || cfg.Prices.File == "" {
		return c, err
	}
	f, err := os.Open(cfg.Prices.File)
	if err != nil {
		return nil, fmt.Errorf("prices.file: %w", err)
	}
	defer f.Close()
	rows, err := catalog.ReadRows(f, "")
	if err != nil {
		return nil, fmt.Errorf("prices.file %s: %w", cfg.Prices.File, err)
	}
	return c.Overlay(rows)
}

// offerList is what clients may ask for: models first, then targets by name.
func (a *App) offerList(cfg *config.Config) []server.Offer {
	var offers []server.Offer
	created := a.started.Unix()
	for _, m := range cfg.Models {
		offers = append(offers, server.Offer{Name: m.Name, Kind: "model", Plan: m.Plan, Created: created})
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		price, err := a.build.pricing(t)
		if err != nil {
			continue // the house could not have been built
		}
		d := &server.Detail{
			Provider: t.Provider, Model: t.Model, BaseURL: t.ShownURL(), Abilities: a.build.abilities(t).Names(),
			Assumed: !price.inCatalog, Classes: t.Classes, Context: a.build.catalog.ContextWindow(t.Provider, t.Model), State: "configured",
		}
		d.PriceIn, d.PriceOut = price.published()
		a.build.matrix(t, d)
		offers = append(offers, server.Offer{Name: t.Name, Kind: "target", Detail: d, Created: created})
	}
	return offers
}

// withStates adds to the offers what is known at this moment.
func (a *App) withStates(offers []server.Offer) []server.Offer {
	if a.engine == nil {
		return offers
	}
	state := string(a.engine.State().Phase)
	out := make([]server.Offer, len(offers))
	for i, o := range offers {
		if o.Detail != nil && o.Detail.Provider == config.LocalProvider {
			d := *o.Detail
			d.State, o.Detail = state, &d
		}
		out[i] = o
	}
	return out
}

// ModelFile is a model to download.
type ModelFile struct{ Name, URL, SHA256 string }

// PullModel downloads a GGUF file into the engine's folder and gives its path.
func PullModel(ctx context.Context, dir string, m ModelFile, progress engine.Progress) (string, error) {
	return engine.PullURL(ctx, dir, engine.Source{Name: m.Name, URL: m.URL, SHA256: m.SHA256}, progress)
}
