// Package catalog answers what is known about providers, models and prices, and
// reads usage bodies: all of it data (providers/, flavors/, prices/) and look-up.
//
// It knows no network, no clock (the date is a parameter) and no configuration:
// config asks it for defaults and lays its own over them. Prices change by an
// explicit import or by an overlay, never by themselves. Start reading at Load,
// then Catalog.Price and Price.Cost, then Catalog.Usage.
package catalog

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

//go:embed providers/*.toml flavors/*.toml prices/*.jsonl
var data embed.FS

// Catalog is the data in memory. It is safe for concurrent use and never changes;
// Overlay returns another one.
type Catalog struct {
	providers []*Provider // by id
	byName    map[string]*Provider
	flavors   map[string]*flavor
	// prices parses a provider's rows when they are first asked for: a start needs
	// those of its few targets only.
	prices map[string]func() []model
	over   map[string][]model
}

// model is all rows of one model id.
type model struct {
	id    string
	match Match
	rows  []Row
}

// Load reads the embedded data. An error means that the binary was built from bad
// files; the tests of this package would have failed.
func Load() (*Catalog, error) { return LoadFrom(data) }

// LoadFrom reads data of the same form: the folders providers, flavors and prices.
func LoadFrom(data fs.FS) (*Catalog, error) {
	c := &Catalog{
		byName:  map[string]*Provider{},
		flavors: map[string]*flavor{},
		prices:  map[string]func() []model{},
	}
	if err := eachFile(data, "flavors", c.addFlavor); err != nil {
		return nil, err
	}
	if err := eachFile(data, "providers", c.addProvider); err != nil {
		return nil, err
	}
	err := eachFile(data, "prices", func(file string, text []byte) error {
		provider := strings.TrimSuffix(file, ".jsonl")
		if c.byName[provider] == nil {
			return fmt.Errorf("prices/%s: there is no providers/%s.toml", file, provider)
		}
		c.prices[provider] = sync.OnceValue(func() []model { return mustModels(provider, text) })
		return nil
	})
	return c, err
}

// MustLoad is Load for programs that cannot go on without their own data.
func MustLoad() *Catalog {
	c, err := Load()
	if err != nil {
		panic(err)
	}
	return c
}

func eachFile(data fs.FS, dir string, add func(file string, text []byte) error) error {
	entries, err := fs.ReadDir(data, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		text, err := fs.ReadFile(data, path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if err := add(e.Name(), text); err != nil {
			return fmt.Errorf("catalog: %s/%w", dir, err)
		}
	}
	return nil
}

func (c *Catalog) addProvider(file string, text []byte) error {
	p, err := parseProvider(file, text)
	if err != nil {
		return err
	}
	for name, f := range p.Prices.Flavors {
		if c.flavors[f] == nil {
			return fmt.Errorf("%s: flavour %s: there is no flavors/%s.toml", file, name, f)
		}
	}
	for _, name := range append([]string{p.ID}, p.Aliases...) {
		if other := c.byName[name]; other != nil {
			return fmt.Errorf("%s: the name %q is taken by %s", file, name, other.ID)
		}
		c.byName[name] = p
	}
	c.providers = append(c.providers, p)
	return nil
}

// mustModels parses an embedded price file; the tests parse them all.
func mustModels(provider string, text []byte) []model {
	rows, err := ReadRows(bytes.NewReader(text), provider)
	if err == nil {
		var models []model
		if models, err = group(rows); err == nil {
			return models
		}
	}
	panic(fmt.Sprintf("catalog: prices/%s.jsonl: %v", provider, err))
}

// group puts consecutive rows of one model together.
func group(rows []Row) ([]model, error) {
	var models []model
	for _, r := range rows {
		if n := len(models); n > 0 && models[n-1].id == r.Model && r.Match == "" {
			models[n-1].rows = append(models[n-1].rows, r)
			continue
		}
		text := r.Match
		if text == "" {
			text = "=" + r.Model
		}
		m, err := ParseMatch(text)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", r.Model, err)
		}
		models = append(models, model{id: r.Model, match: m, rows: []Row{r}})
	}
	return models, nil
}

// Providers lists all providers by id.
func (c *Catalog) Providers() []*Provider { return slices.Clone(c.providers) }

// Provider finds a provider by id or alias, in any case.
func (c *Catalog) Provider(name string) (*Provider, bool) {
	p, ok := c.byName[strings.ToLower(strings.TrimSpace(name))]
	return p, ok
}

// Rows are the embedded and overlaid price rows of a provider, in the order of
// look-up: the overlay first.
func (c *Catalog) Rows(provider string) []Row {
	p, ok := c.Provider(provider)
	if !ok {
		return nil
	}
	var rows []Row
	for _, m := range c.models(p.ID) {
		rows = append(rows, m.rows...)
	}
	return rows
}

// Overlay is the catalog with rows that win over its own: a look-up goes through
// them first. A later overlay wins over an earlier one. All mistakes are reported.
func (c *Catalog) Overlay(rows []Row) (*Catalog, error) {
	byProvider := map[string][]Row{}
	for _, r := range rows {
		p, ok := c.Provider(r.Provider)
		if !ok {
			return nil, fmt.Errorf("price row %s/%s: no such provider: one of %s", r.Provider, r.Model, c.names())
		}
		r.Provider = p.ID
		if err := r.Check(); err != nil {
			return nil, err
		}
		byProvider[p.ID] = append(byProvider[p.ID], r)
	}
	next := *c
	next.over = maps.Clone(c.over)
	if next.over == nil {
		next.over = map[string][]model{}
	}
	for id, rows := range byProvider {
		models, err := group(rows)
		if err != nil {
			return nil, err
		}
		next.over[id] = append(models, next.over[id]...)
	}
	return &next, nil
}

func (c *Catalog) names() string {
	var ids []string
	for _, p := range c.providers {
		ids = append(ids, p.ID)
	}
	return strings.Join(ids, ", ")
}

func (c *Catalog) models(id string) []model {
	models := c.over[id]
	if load := c.prices[id]; load != nil {
		models = append(slices.Clip(models), load()...)
	}
	return models
}

// Price finds what a provider charges for a model at a moment. The provider is
// named by id, alias, or anything that its prices.match covers; the model by any
// name that a row's match covers, the first row in order. A provider without the
// model may point at others (Azure at OpenAI). ok is false where no row matches.
func (c *Catalog) Price(provider, name string, at time.Time) (*Price, bool) {
	p, ok := c.billedBy(provider)
	if !ok {
		return nil, false
	}
	name = p.priced(name)
	m, ok := c.model(p, name)
	if dashed := dashDate(name); !ok && dashed != name {
		m, ok = c.model(p, dashed)
	}
	if !ok {
		return nil, false
	}
	row := m.rows[0]
	for _, r := range slices.Backward(m.rows) {
		if r.holds(at) {
			row = r
			break
		}
	}
	price, err := newPrice(row.Rates, money.Source{
		Provider: row.Provider, Model: row.Model, Row: row.label(), From: row.Source, Date: row.Date,
	})
	return price, err == nil
}

// ContextWindow is the number of tokens that fit the model, 0 when not known.
func (c *Catalog) ContextWindow(provider, name string) int64 {
	p, ok := c.billedBy(provider)
	if !ok {
		return 0
	}
	m, ok := c.model(p, p.priced(name))
	if !ok {
		return 0
	}
	return m.rows[0].Context
}

// priced is a model's name as price rows have it.
func (p *Provider) priced(model string) string {
	return strings.TrimSuffix(strings.ToLower(model), p.Prices.Suffix)
}

// billedBy finds the provider whose prices a name stands for.
func (c *Catalog) billedBy(name string) (*Provider, bool) {
	if p, ok := c.Provider(name); ok {
		return p, true
	}
	name = strings.ToLower(strings.TrimSpace(name))
	for _, p := range c.providers {
		if p.Prices.match.Names(name) {
			return p, true
		}
	}
	return nil, false
}

// model finds the rows of a model, here or at a provider that this one points at
// (one step, so that there is no loop).
func (c *Catalog) model(p *Provider, name string) (model, bool) {
	for _, id := range append([]string{p.ID}, p.Prices.From...) {
		for _, m := range c.models(id) {
			if m.match.Names(name) {
				return m, true
			}
		}
	}
	return model{}, false
}

// dashDate writes a compact date inside a model name with dashes: some gateways
// call gpt-5.2-2025-12-11 gpt-5.2-20251211.
func dashDate(name string) string {
	for i := 0; i+9 <= len(name); i++ {
		if name[i] != '-' || i+9 < len(name) && name[i+9] != '-' && name[i+9] != ':' {
			continue
		}
		day := name[i+1 : i+9]
		if t, err := time.Parse("20060102", day); err == nil && t.Year() >= 2000 && t.Year() < 2100 {
			return name[:i+1] + t.Format(time.DateOnly) + name[i+9:]
		}
	}
	return name
}
