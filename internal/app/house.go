package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/pipeline"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// builder turns configurations into houses. Connection pools outlive a reload.
type builder struct {
	catalog *catalog.Catalog
	local   http.RoundTripper

	mu    sync.Mutex
	pools map[time.Duration]upstream.Transport // by connect timeout
}

// house builds the rooms of one configuration.
func (b *builder) house(cfg *config.Config) (*pipeline.House, error) {
	limits := upstream.DefaultLimits()
	limits.EventBytes = int(cfg.Limits.Event)
	h := &pipeline.House{
		Hash: cfg.Hash(), Targets: map[string]*upstream.Target{},
		Routes: &route.Table{Targets: map[string]*route.Target{}, Models: map[string]route.Model{}},
		Keys:   keyPolicies(cfg),
		Limits: pipeline.Limits{JSON: rawjson.Limits{Depth: cfg.Limits.JSONDepth}, Upstream: limits},
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		price, err := b.pricing(t)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		call, err := b.target(t, price)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		h.Targets[t.Name] = call
		h.Routes.Targets[t.Name] = b.choice(t, price)
	}
	for _, m := range cfg.Models {
		h.Routes.Models[m.Name] = route.Model{Name: m.Name, Plan: m.Plan, RejectLoss: m.Rejects()}
	}
	return h, nil
}

// choice is the target as a decision sees it.
func (b *builder) choice(t *config.Target, price *pricing) *route.Target {
	return &route.Target{
		Name: t.Name, Abilities: b.abilities(t), Assumed: !price.inCatalog,
		Context: b.catalog.ContextWindow(t.Provider, t.Model),
		Classes: t.Classes, AllClasses: len(t.Classes) == 0 && t.Loopback(),
		Expect: func(tokens money.Tokens) money.Cost { return price.bill(tokens, 0) },
	}
}

// abilities are the provider's, corrected by the target's own words.
func (b *builder) abilities(t *config.Target) llm.Ability {
	provider, ok := b.catalog.Provider(t.Provider)
	var can llm.Ability
	if ok {
		can = (named(provider.Does.Surfaces) | named(provider.Does.Abilities)) &^ named(provider.Does.Lacks(t.Model))
	}
	return (can | named(t.Abilities.Add)) &^ named(t.Abilities.Remove)
}

func named(names []string) (set llm.Ability) {
	for _, name := range names {
		bit, _ := llm.AbilityNamed(name)
		set |= bit
	}
	return set
}

// target is the target as a call needs it.
func (b *builder) target(t *config.Target, price *pricing) (*upstream.Target, error) {
	codec, ok := dialect.ByName(t.Dialect)
	if !ok {
		return nil, fmt.Errorf("nothing here speaks the dialect %q", t.Dialect)
	}
	provider, _ := b.catalog.Provider(t.Provider)
	out := &upstream.Target{
		Name: t.Name, Provider: t.Provider, Model: t.Model,
		Options:  llm.Options{Model: t.Model, ToolsByGrammar: b.abilities(t)&(llm.CanTools|llm.CanToolsByGrammar) == llm.CanToolsByGrammar},
		Timeouts: upstream.Timeouts(t.Timeouts),
		Attempts: t.Retry.Attempts, Bill: price.bill,
	}
	if provider != nil {
		out.Options.AskUsage = provider.API.StreamUsage
		out.Options.Takes = provider.API.Takes
		out.Options.NoThinking = b.abilities(t)&llm.CanThink == 0
	}
	if t.Provider == config.LocalProvider {
		out.Speaks, out.Transport = []upstream.Spoken{{Codec: codec, Base: localBase}}, b.local
		return out, nil
	}
	base, err := url.Parse(t.BaseURL)
	if err != nil {
		return nil, err
	}
	out.Speaks = []upstream.Spoken{{Codec: codec, Base: base}}
	for _, also := range t.Also {
		codec, _ := dialect.ByName(also.Dialect) // those without a codec were left out
		base, err := url.Parse(also.BaseURL)
		if err != nil {
			return nil, err
		}
		spoken := upstream.Spoken{Codec: codec, Base: base}
		if provider != nil {
			spoken.Lacks = named(provider.API.Lacks[also.Dialect])
		}
		if out.Options.ToolsByGrammar && spoken.Lacks.Has(llm.CanToolsByGrammar) {
			spoken.Lacks |= llm.CanTools
		}
		out.Speaks = append(out.Speaks, spoken)
	}
	if len(out.Speaks) > 1 {
		out.Unspoken = new(atomic.Uint32)
	}
	out.Endpoint = upstream.Endpoint{Header: http.Header{}}
	out.Transport = jobs(b.pool(t.Timeouts.Connect), provider, base)
	return out, b.credentials(&out.Endpoint, t, provider)
}

// jobs makes answers of the jobs that some providers answer with. Runpod's endpoints
// have a compatible API, too, which needs none.
func jobs(next http.RoundTripper, p *catalog.Provider, base *url.URL) http.RoundTripper {
	switch {
	case p == nil:
	case p.API.Jobs == "replicate":
		return &upstream.JobTransport{Next: next, API: upstream.Replicate{}}
	case p.API.Jobs == "runpod" && !strings.Contains(base.Path, "/openai/"):
		return &upstream.JobTransport{Next: next, API: upstream.Runpod{}}
	}
	return next
}

func (b *builder) pool(connect time.Duration) upstream.Transport {
	b.mu.Lock()
	defer b.mu.Unlock()
	pool, ok := b.pools[connect]
	if !ok {
		pool = upstream.NewTransport(connect)
		b.pools[connect] = pool
	}
	return pool
}

// close ends idle connections.
func (b *builder) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pool := range b.pools {
		pool.CloseIdleConnections()
	}
}

// credentials puts the key and the configured headers onto an endpoint.
func (b *builder) credentials(to *upstream.Endpoint, t *config.Target, p *catalog.Provider) error {
	h := to.Header
	key, err := t.Key.Reveal()
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if key != "" {
		if err := b.key(to, key, t, authForm(p)); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	for _, header := range t.Headers {
		value, err := header.Value.Reveal()
		if err != nil {
			return fmt.Errorf("headers: %s: %w", header.Name, err)
		}
		h.Set(header.Name, value)
	}
	return nil
}

// key puts a key onto an endpoint in the form that the provider wants.
func (b *builder) key(to *upstream.Endpoint, key string, t *config.Target, form string) (err error) {
	switch {
	case form == "x-api-key", form == "api-key", form == "x-goog-api-key":
		to.Header.Set(form, key)
	case form == "aws-sigv4" && strings.Contains(key, ":"): // else it is a bearer token
		base, err := url.Parse(t.BaseURL)
		if err != nil {
			return err
		}
		if t.Region == "" && upstream.RegionOfAWS(base.Hostname()) == "" {
			return fmt.Errorf("the host %s names no AWS region to sign for: set region, such as region: eu-central-1", base.Hostname())
		}
		to.Sign, err = upstream.SignAWS(key, t.Region, time.Now)
		return err
	case form == "google-adc" && strings.HasPrefix(strings.TrimSpace(key), "{"):
		tokens, err := upstream.NewGoogleTokens([]byte(key), b.pool(t.Timeouts.Connect))
		if err != nil {
			return err
		}
		to.Sign = tokens.Sign
	case form == "google-adc" && (strings.ContainsAny(key, `/\`) || strings.HasSuffix(key, ".json")):
		return errors.New(`it is the name of a file and not its content: write file: before it, such as key: "file:${GOOGLE_APPLICATION_CREDENTIALS}"`)
	default: // an access token of Google's, too
		to.Header.Set("Authorization", "Bearer "+key)
	}
	return nil
}

func authForm(p *catalog.Provider) string {
	if p == nil {
		return ""
	}
	return p.API.Auth
}

// pricing prices what one target used. Prices have dates and hours, so the row is
// looked up again once a minute.
type pricing struct {
	catalog         *catalog.Catalog
	provider, model string
	inCatalog       bool
	fixed           *catalog.Price // the target's own price, or that it is free
	gpu             *config.GPU
	bills           bool // the provider charges by use
	current         atomic.Pointer[pricedUntil]
}

type pricedUntil struct {
	until time.Time
	price *catalog.Price // nil: not known
}

func (b *builder) pricing(t *config.Target) (*pricing, error) {
	p := &pricing{catalog: b.catalog, provider: t.Provider, model: t.Model, gpu: t.GPU}
	if provider, ok := b.catalog.Provider(t.Provider); ok {
		p.bills = provider.Kind.Bills()
	} else {
		p.bills = true
	}
	_, p.inCatalog = b.catalog.Price(t.Provider, t.Model, time.Now())
	switch {
	case t.Price != nil:
		price, err := catalog.Override(t.Price.Rates(), t.Provider, t.Model)
		if err != nil {
			return nil, err
		}
		p.fixed = price
	case !p.bills:
		p.fixed = catalog.Free(t.Provider, t.Model)
	}
	return p, nil
}

const repriceAfter = time.Minute

// now is the price that counts at this moment, nil when there is none.
func (p *pricing) now() *catalog.Price {
	if p.fixed != nil {
		return p.fixed
	}
	now := time.Now()
	if c := p.current.Load(); c != nil && now.Before(c.until) {
		return c.price
	}
	price, _ := p.catalog.Price(p.provider, p.model, now)
	p.current.Store(&pricedUntil{now.Add(repriceAfter), price})
	return price
}

// bill prices tokens, or time where the target runs on GPUs that are paid by the
// hour.
func (p *pricing) bill(tokens money.Tokens, elapsed time.Duration) money.Cost {
	if p.gpu != nil {
		return catalog.GPUCost(p.gpu.USDPerHour, max(p.gpu.Count, 1), elapsed)
	}
	price := p.now()
	if price == nil {
		return money.Cost{State: money.Unknown}
	}
	return price.Cost(tokens)
}

// published is the price in USD per million tokens, "" where it is not known.
func (p *pricing) published() (input, output string) {
	price := p.now()
	if price == nil || p.gpu != nil {
		return "", ""
	}
	in, out, inOK, outOK := price.PerMillion()
	if inOK {
		input = in.String()
	}
	if outOK {
		output = out.String()
	}
	return input, output
}
