package config

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config/strict"
	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/llm"
)

// knownDialects are those that product and catalog name; not all have a codec yet.
var knownDialects = []string{"openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "tgi", "triton", "bedrock", "cohere", "replicate"}

// target checks one target and fills in what follows from its provider.
func (c *checker) target(t *Target) {
	at := []string{"targets", t.Name}
	c.secret(&t.Key, append(at, "key")...)
	c.headers(t, at)
	c.classes(t.Classes, append(at, "classes")...)
	c.abilities(t, at)
	c.price(t, at)
	c.gpu(t.GPU, at)
	if t.Retry.Attempts == 0 {
		t.Retry.Attempts = defaultAttempts
	}
	if t.Provider == "" {
		return
	}
	p, ok := c.from.Providers.Provider(t.Provider)
	if why := closed[strings.ToLower(t.Provider)]; !ok && why != "" {
		c.problem(why, append(at, "provider")...)
		return
	}
	if !ok {
		c.problem(fmt.Sprintf("there is no provider %q: %s", t.Provider, nearProvider(t.Provider, c.from.Providers)), append(at, "provider")...)
		return
	}
	t.Provider = p.ID
	c.timeouts(t, p, at)
	c.model(t, at)
	c.dialect(t, p, at)
	c.address(t, p, at)
}

// closed are providers that were once there.
var closed = map[string]string{"banana": closedBanana, "banana.dev": closedBanana}

const closedBanana = "Banana closed in 2024 and answers no one: deploy the model at modal, runpod, baseten or beam instead, or name another server as openai-compatible (docs/providers.md has an example)"

func nearProvider(name string, from Providers) string {
	var ids, names []string
	for _, p := range from.Providers() {
		if !strings.Contains(p.ID, "_") { // parts of an aggregator, for its bills
			ids = append(ids, p.ID)
		}
		names = append(append(names, p.ID), p.Aliases...)
	}
	if near := strict.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "use openai-compatible with a base_url for one that is not listed, or one of " + strings.Join(ids, ", ")
}

func (c *checker) model(t *Target, at []string) {
	if t.Model != "" || c.places.Has(append(at, "model")...) {
		return
	}
	if t.Provider == LocalProvider {
		t.Model = cmp.Or(c.cfg.Engine.Model, engine.DefaultModel)
		return
	}
	c.keyProblem("model is missing: name the model as the provider calls it, such as model: gpt-4o", at...)
}

func (c *checker) timeouts(t *Target, p *catalog.Provider, at []string) {
	usual := defaultTimeouts(p.Kind)
	set, d := &t.Timeouts, usual
	if set.Connect != 0 {
		d.Connect = set.Connect
	}
	if set.Total != 0 {
		// The shorter ones follow a shorter whole, so that setting one is enough.
		d.Total = set.Total
		d.FirstEvent, d.Idle = min(d.FirstEvent, d.Total), min(d.Idle, d.Total)
		if set.Connect == 0 {
			d.Connect = min(d.Connect, d.Total)
		}
	}
	if set.FirstEvent != 0 {
		d.FirstEvent = set.FirstEvent
	}
	if set.Idle != 0 {
		d.Idle = set.Idle
	}
	if set.Total == 0 {
		d.Total = max(d.Total, d.FirstEvent)
	}
	if d.FirstEvent > d.Total {
		c.warn(fmt.Sprintf("first_event (%s) is longer than total (%s), which ends the exchange before", strict.Duration(d.FirstEvent), strict.Duration(d.Total)),
			append(at, "timeouts", "first_event")...)
	}
	*set = d
}

func (c *checker) dialect(t *Target, p *catalog.Provider, at []string) {
	spoken := strings.Join(c.from.Dialects, ", ")
	switch {
	case t.Dialect == "" && c.places.Has(append(at, "dialect")...):
	case t.Dialect == "" && !slices.Contains(c.from.Dialects, p.API.Dialect):
		c.problem(fmt.Sprintf("%s speaks %s, which this version cannot speak yet (it speaks %s): where the provider also offers one of these, set dialect and base_url to it",
			p.ID, p.API.Dialect, spoken), append(at, "provider")...)
	case t.Dialect == "":
		t.Dialect = p.API.Dialect
	case slices.Contains(c.from.Dialects, t.Dialect):
	case slices.Contains(knownDialects, t.Dialect):
		c.problem(fmt.Sprintf("%s cannot be spoken by this version yet: it speaks %s", t.Dialect, spoken), append(at, "dialect")...)
	default:
		c.problem(fmt.Sprintf("there is no dialect %q: %s", t.Dialect, strict.DidYouMean(t.Dialect, c.from.Dialects)), append(at, "dialect")...)
	}
}

// address checks base_url, or takes the provider's own.
func (c *checker) address(t *Target, p *catalog.Provider, at []string) {
	path := append(slices.Clip(at), "base_url")
	given := t.BaseURL != ""
	switch {
	case t.Provider == LocalProvider:
		if given {
			c.problem("the local engine has its own address: take the line out, or use provider: llamacpp for a server that runs elsewhere", path...)
		}
		return
	case !given && c.places.Has(path...): // wrong already
		return
	case !given && p.API.AtRegion(t.Region) != "":
		t.BaseURL = p.API.AtRegion(t.Region)
	case !given && p.API.BaseURL == "":
		c.noAddress(p, at)
		return
	case given && !c.wellFormed(t.BaseURL, path):
		return
	}
	base := t.BaseURL
	t.BaseURL = p.API.HomeURL(base, t.Dialect)
	c.also(t, p, base, path)
	if given {
		c.version(t, path)
		return
	}
	if needsKey(p) && t.Key.IsZero() && len(t.Headers) == 0 && !c.places.Has(append(at, "key")...) {
		hint := "such as key: \"file:/run/secrets/" + p.ID + "\""
		if ref := p.API.KeyReference(nil); ref != "" {
			hint = "such as key: \"" + ref + "\""
		}
		c.keyProblem(fmt.Sprintf("key is missing: %s answers no one without it, %s", p.ID, hint), at...)
	}
}

// noAddress says what the address of a provider looks like that has one for each account,
// server or region.
func (c *checker) noAddress(p *catalog.Provider, at []string) {
	text := fmt.Sprintf("base_url is missing: %s has no address of its own, write that of your server, such as base_url: \"%s\"",
		p.ID, cmp.Or(p.API.Example, "http://10.0.0.5:8000/v1"))
	if p.API.RegionURL != "" {
		text = fmt.Sprintf("region is missing: %s answers in each region at an address of its own, write region: eu-central-1, or base_url: \"%s\"",
			p.ID, p.API.AtRegion("eu-central-1"))
	}
	c.keyProblem(text, at...)
}

// also adds the provider's other dialects, unless the file says which to speak.
func (c *checker) also(t *Target, p *catalog.Provider, base string, path []string) {
	if c.places.Has(append(path[:len(path)-1:len(path)-1], "dialect")...) {
		return
	}
	t.Also = nil
	for _, dialect := range p.API.Dialects()[1:] {
		if slices.Contains(c.from.Dialects, dialect) {
			t.Also = append(t.Also, Address{dialect, p.API.HomeURL(base, dialect)})
		}
	}
}

func needsKey(p *catalog.Provider) bool { return p.API.Auth != "" && p.API.Auth != "none" }

func (c *checker) wellFormed(address string, path []string) bool {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		c.problem(fmt.Sprintf("%q is not a web address: write http:// or https:// and the host, such as http://10.0.0.5:8000/v1", shownURL(address)), path...)
	case u.User != nil:
		c.problem("the address holds a user or password, which would be written into records: use key or headers", path...)
	case u.Fragment != "":
		c.problem("the address holds a # part, which is never sent: take it out", path...)
	case strings.HasSuffix(u.Path, "/chat/completions") || strings.HasSuffix(u.Path, "/completions") || strings.HasSuffix(u.Path, "/embeddings"):
		c.problem("the address names an endpoint: end it before that, such as at /v1", path...)
	default:
		return true
	}
	return false
}

// version warns of an OpenAI-style address without its version: most servers then
// answer 404, but some do live at the root.
func (c *checker) version(t *Target, path []string) {
	u, err := url.Parse(t.BaseURL)
	if err == nil && strings.HasPrefix(t.Dialect, "openai-") && strings.Trim(u.Path, "/") == "" {
		c.warn("OpenAI-style addresses usually end in /v1, and this one has no path: add /v1 if the target answers 404", path...)
	}
}

// reservedHeaders belong to the connection or to the call.
var reservedHeaders = []string{"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Accept-Encoding"}

func (c *checker) headers(t *Target, at []string) {
	seen := map[string]bool{}
	for i := range t.Headers {
		h := &t.Headers[i]
		path := append(slices.Clip(at), "headers", h.Name)
		name := http.CanonicalHeaderKey(h.Name)
		switch {
		case slices.Contains(reservedHeaders, name):
			c.keyProblem("this header is set by Fairlead itself: take it out", path...)
		case seen[name]:
			c.keyProblem("this header is set twice (case does not matter): keep one", path...)
		}
		seen[name] = true
		c.secret(&h.Value, path...)
	}
}

func (c *checker) abilities(t *Target, at []string) {
	for _, list := range []struct {
		key   string
		names []string
	}{{"add", t.Abilities.Add}, {"remove", t.Abilities.Remove}} {
		for i, name := range list.names {
			path := append(slices.Clip(at), "abilities", list.key, entry(i))
			if _, ok := llm.AbilityNamed(name); !ok && name != "" {
				c.problem(fmt.Sprintf("there is no ability %q: %s", name, strict.DidYouMean(name, (^llm.Ability(0)).Names())), path...)
			} else if list.key == "remove" && name != "" && slices.Contains(t.Abilities.Add, name) {
				c.problem(fmt.Sprintf("%q is added and removed: keep one", name), path...)
			}
		}
	}
}

func (c *checker) price(t *Target, at []string) {
	if t.Price == nil {
		return
	}
	path := append(slices.Clip(at), "price")
	for _, text := range t.Price.Rates().Each {
		if text != "" {
			return
		}
	}
	if !slices.ContainsFunc(c.problems, under(path)) {
		c.problem("the price is empty: write at least input and output, such as price: { input: 0.15, output: 0.60 }", path...)
	}
}

func under(path []string) func(Problem) bool {
	dotted := strict.Dotted(path)
	return func(p Problem) bool { return strings.HasPrefix(p.Path, dotted) }
}

func (c *checker) gpu(g *GPU, at []string) {
	if g == nil {
		return
	}
	if g.Count == 0 {
		g.Count = 1
	}
	c.positive(g.USDPerHour, append(slices.Clip(at), "gpu", "usd_per_hour")...)
}

// shownURL is an address without what may be secret in it.
func shownURL(address string) string {
	u, err := url.Parse(address)
	if err != nil && strings.ContainsAny(address, "@?") {
		return "the address"
	}
	if err != nil {
		return address
	}
	if u.User != nil {
		u.User = url.User(redacted)
	}
	if u.RawQuery != "" {
		u.RawQuery = redacted
	}
	return strings.ReplaceAll(u.String(), url.PathEscape(redacted), redacted)
}
