package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Provider is one brand, as its file in providers/ says. Everything in it is a
// default that a target's own configuration may override.
type Provider struct {
	ID      string   `toml:"id"`
	Name    string   `toml:"name"`
	Aliases []string `toml:"aliases"`
	Kind    Kind     `toml:"kind"`

	API    API    `toml:"api"`
	Does   Does   `toml:"does"`
	Prices Prices `toml:"prices"`

	// Source is the publisher's page that the facts come from, Date when they were
	// taken from it (YYYY-MM).
	Source string `toml:"source"`
	Date   string `toml:"date"`
}

// Kind says who runs the machine.
type Kind string

// The kinds. Hosted providers bill by token; self-hosted and local targets cost
// nothing, or by time where the target names its gpu; serverless bill by time.
const (
	Hosted     Kind = "hosted"
	SelfHosted Kind = "self-hosted"
	Serverless Kind = "serverless"
	Local      Kind = "local"
)

// Bills reports whether the provider charges by use, so that a missing price means
// unknown and not free.
func (k Kind) Bills() bool { return k == Hosted || k == Serverless }

// API is how the provider is reached.
type API struct {
	// Dialect is what it speaks by default, e.g. "openai-chat".
	Dialect string `toml:"dialect"`
	// BaseURL is used when a target names none; empty means that the target must.
	BaseURL string `toml:"base_url"`
	// BasePath is put behind the base URL (Ollama and TGI are named bare: "/v1").
	BasePath string `toml:"base_path"`
	// Also are the other dialects that it speaks, with what stands behind the base URL
	// for each in place of BasePath. A client's own dialect is preferred among all.
	Also map[string]string `toml:"also"`
	// Lacks are abilities, by dialect of Also, that it takes in that dialect and does
	// not heed: a request that needs one is asked for in another.
	Lacks map[string][]string `toml:"lacks"`
	// Takes are fields beyond those of the dialect's publisher that it is known to take,
	// of top_k, min_p, repetition_penalty, reasoning_content, reasoning_details,
	// video_url and rerank_top_k (in place of top_n).
	Takes []string `toml:"takes"`
	// Auth is the form of the key: "bearer", "x-api-key", "api-key",
	// "x-goog-api-key", "aws-sigv4" (ACCESS:SECRET or ACCESS:SECRET:SESSION),
	// "google-adc" (a service account's JSON), or "none" where a key is optional and
	// then sent as a bearer.
	Auth string `toml:"auth"`
	// Jobs is the form of the jobs that it answers with, where it does: "replicate" or
	// "runpod".
	Jobs string `toml:"jobs"`
	// KeyEnv are environment variables that usually hold the key, the best first.
	KeyEnv []string `toml:"key_env"`
	// KeyFileEnv is one that names a file with the key.
	KeyFileEnv string `toml:"key_file_env"`
	// KeyParts are variables whose values make the key together, with colons between
	// them; those in KeyMore are added where they are set.
	KeyParts []string `toml:"key_parts"`
	KeyMore  []string `toml:"key_more"`
	// RegionURL is the base URL of a region, which stands in it as REGION; RegionEnv are
	// variables that usually name the region.
	RegionURL string   `toml:"region_url"`
	RegionEnv []string `toml:"region_env"`
	// Example is what the base URL of an account's own endpoint looks like, where there
	// is no other.
	Example string `toml:"example"`
	// Ports are where a local server listens by default, for discovery.
	Ports []int `toml:"ports"`
	// StreamUsage says that stream_options.include_usage is understood.
	StreamUsage bool `toml:"stream_usage"`
}

// Does is what the provider can do by default, in the words of llm.Ability.
type Does struct {
	// Surfaces are among the values of llm.Surface.
	Surfaces []string `toml:"surfaces"`
	// Abilities are among the names of llm.Ability, e.g. "stream", "tools", "json_schema".
	Abilities []string `toml:"abilities"`
	// Models says that GET …/models lists what there is.
	Models bool `toml:"models"`
	// Except are models that lack some of the abilities.
	Except []Exception `toml:"except"`
}

// Exception is what models of certain names cannot do, in the form of Match.
type Exception struct {
	Models string   `toml:"models"`
	Lack   []string `toml:"lack"`

	match Match
}

// Lacks are the abilities that a model lacks of those of its provider.
func (d *Does) Lacks(model string) (names []string) {
	for i := range d.Except {
		if d.Except[i].match.Names(model) {
			names = append(names, d.Except[i].Lack...)
		}
	}
	return names
}

// Prices says how usage and prices of the provider are found.
type Prices struct {
	// Match are further provider names that mean this one, for bills of others.
	Match string `toml:"match"`
	// Suffix stands behind the names of models, by which a router chooses the provider. It
	// is no part of them in the price rows.
	Suffix string `toml:"suffix"`
	// From are providers whose rows are used for a model that has none here.
	From []string `toml:"from"`
	// Flavors maps the name of an API flavour to the file in flavors/ that reads it.
	Flavors map[string]string `toml:"flavors"`

	match Match
}

// HomeURL is where a dialect is answered: BaseURL with the dialect's path behind it,
// which is BasePath for the usual one and for those that Also does not name. base
// replaces the default when it is not empty; a path that it has already is not added
// twice.
func (a API) HomeURL(base, dialect string) string {
	if base == "" {
		base = a.BaseURL
	}
	base = strings.TrimRight(base, "/")
	if base == "" {
		return ""
	}
	path, also := a.Also[dialect]
	if !also || dialect == a.Dialect {
		path = a.BasePath
	}
	for _, known := range append(slices.Sorted(maps.Values(a.Also)), a.BasePath) {
		if known != "" && strings.HasSuffix(base, known) {
			return strings.TrimSuffix(base, known) + path
		}
	}
	return base + path
}

// KeyReference is how a configuration names the key by what is set in the environment, as
// set says; nil stands for everything. "" where nothing is.
func (a API) KeyReference(set func(name string) bool) string {
	for _, name := range a.KeyEnv {
		if set == nil || set(name) {
			return "${" + name + "}"
		}
	}
	if a.KeyFileEnv != "" && (set == nil || set(a.KeyFileEnv)) {
		return "file:${" + a.KeyFileEnv + "}"
	}
	var ref []string
	for _, name := range a.KeyParts {
		if set != nil && !set(name) {
			return ""
		}
		ref = append(ref, "${"+name+"}")
	}
	for _, name := range a.KeyMore {
		if set != nil && set(name) {
			ref = append(ref, "${"+name+"}")
		}
	}
	return strings.Join(ref, ":")
}

// AtRegion is the base URL of a region, "" where the provider has no such addresses.
func (a API) AtRegion(region string) string {
	if region == "" {
		return ""
	}
	return strings.ReplaceAll(a.RegionURL, "REGION", region)
}

// Dialects are all that it speaks, the usual one first.
func (a API) Dialects() []string {
	others := slices.Sorted(maps.Keys(a.Also))
	return append([]string{a.Dialect}, slices.DeleteFunc(others, func(d string) bool { return d == a.Dialect })...)
}

func parseProvider(file string, text []byte) (*Provider, error) {
	p := &Provider{}
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if p.ID+".toml" != file {
		return nil, fmt.Errorf("%s: id is %q: name the file after the id", file, p.ID)
	}
	m, err := ParseMatch(p.Prices.Match)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.Prices.match = m
	for i := range p.Does.Except {
		e := &p.Does.Except[i]
		if e.match, err = ParseMatch(e.Models); err != nil {
			return nil, fmt.Errorf("%s: does.except: %w", file, err)
		}
	}
	return p, nil
}

func (p *Provider) validate() error {
	for _, f := range []struct{ name, value string }{
		{"id", p.ID}, {"name", p.Name}, {"kind", string(p.Kind)}, {"api.dialect", p.API.Dialect},
		{"api.auth", p.API.Auth}, {"source", p.Source}, {"date", p.Date},
	} {
		if f.value == "" {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	if !slices.Contains([]Kind{Hosted, SelfHosted, Serverless, Local}, p.Kind) {
		return fmt.Errorf("kind %q: it is hosted, self-hosted, serverless or local", p.Kind)
	}
	if len(p.Does.Surfaces) == 0 {
		return fmt.Errorf("does.surfaces is missing")
	}
	if err := checkURL(p.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if p.API.BaseURL == "" {
		return nil
	}
	if err := checkURL(p.API.BaseURL); err != nil {
		return fmt.Errorf("api.base_url: %w", err)
	}
	return nil
}

// checkURL wants https, or plain http on this machine.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	local := u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1"
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return fmt.Errorf("%q is neither https nor on this machine", s)
	}
	return nil
}
