package config

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config/strict"
)

// AssistantModel is the model name that a discovered configuration answers to.
const AssistantModel = "assistant"

// Bounds of what discovery makes.
const (
	maxModelsPerServer = 8
	maxModelName       = 128
)

// Discovery is what Discover needs of the machine.
type Discovery struct {
	From *Sources
	// Base has the settings that hold whatever is found: listen, data, limits. nil
	// means Default.
	Base *Config
	// Probe asks a server on this machine for its models; see HTTPProbe.
	Probe Probe
	// Engine tells of the local engine; nil where there is none in this program.
	Engine func(context.Context) EngineState
}

// Probe gets a list of models from an OpenAI-style base URL. It keeps its own
// short time limit.
type Probe func(ctx context.Context, baseURL string) ([]Served, error)

// Served is one model of a server's list.
type Served struct {
	ID      string `json:"id"`
	OwnedBy string `json:"owned_by"`
}

// EngineState is what the local engine can do here.
type EngineState struct {
	Ready bool
	Model string // the model that it would serve
	Note  string // what it is, or why it cannot run
	Next  string // what would make it run
}

// Found is one thing that discovery looked for.
type Found struct {
	Kind    string   `json:"kind"` // "server", "engine" or "key"
	Name    string   `json:"name"` // "Ollama", "OpenAI"
	OK      bool     `json:"ok"`
	Note    string   `json:"note"`           // what was found, or that nothing was
	Next    string   `json:"next,omitempty"` // what to do about it
	Targets []string `json:"targets,omitempty"`
}

// String is one line for people.
func (f Found) String() string {
	line := f.Name + ": " + f.Note
	if len(f.Targets) > 0 {
		line += " (" + strings.Join(f.Targets, ", ") + ")"
	}
	if f.Next != "" {
		line += "; " + f.Next
	}
	return line
}

// Discover makes a configuration of what the machine has: servers that answer on
// their usual ports, the local engine, and provider keys in the environment, in
// this order. So the plan of the model "assistant" begins with what is free and
// keeps prompts on this machine, and spends money only when that fails. Every
// found model can be asked for by its own name, too.
//
// It always gives a configuration; one without targets where nothing was found.
func Discover(ctx context.Context, d Discovery) (*Config, []Found, error) {
	base := d.Base
	if base == nil {
		base = Default()
	}
	cfg := *base
	cfg.Origin = Origin{}
	b := &builder{cfg: &cfg, taken: map[string]bool{AssistantModel: true}}
	var found []Found
	for _, s := range d.servers(ctx) {
		found = append(found, b.server(s))
	}
	if d.Engine != nil {
		found = append(found, b.engine(d.Engine(ctx)))
	}
	found = append(found, b.hostedKeys(d.From)...)
	b.models()
	if abs, err := filepath.Abs(cfg.Data); err == nil {
		cfg.Data = abs
	}
	if err := check(&cfg, d.From); err != nil {
		return nil, found, err
	}
	return &cfg, found, nil
}

// check validates a configuration that no file stands behind.
func check(cfg *Config, from *Sources) error {
	c := &checker{cfg: cfg, from: from, places: strict.Nowhere("")}
	c.config()
	return c.problems.Err()
}

// server is one usual address and what answered there.
type server struct {
	provider *catalog.Provider
	baseURL  string
	own      bool // it is the address that Fairlead itself will listen on
	models   []Served
	err      error
}

// servers asks all usual addresses at the same time.
func (d Discovery) servers(ctx context.Context) []server {
	var all []server
	for _, p := range d.From.Providers.Providers() {
		for _, port := range p.API.Ports {
			if slices.Contains(d.From.Dialects, p.API.Dialect) {
				home := "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
				all = append(all, server{provider: p, baseURL: home, own: d.isOwn(port)})
			}
		}
	}
	var wait sync.WaitGroup
	for i := range all {
		s := &all[i]
		if s.own {
			continue
		}
		wait.Go(func() { s.models, s.err = d.Probe(ctx, listURL(s)) })
	}
	wait.Wait()
	slices.SortStableFunc(all, func(a, b server) int {
		return cmp.Compare(serverRank(a.provider.ID), serverRank(b.provider.ID))
	})
	return all
}

// listURL is the base below which the server lists its models. Usual addresses in
// the catalog are written with what comes before: http://127.0.0.1:8000/v1.
func listURL(s *server) string {
	if s.provider.API.BasePath != "" {
		return s.baseURL + s.provider.API.BasePath
	}
	return s.baseURL + "/v1"
}

// serverRank puts servers that people run on purpose for throughput before those
// that run on desktops.
func serverRank(id string) int {
	order := []string{"vllm", "sglang", "ollama", "lmstudio", "llamacpp"}
	if i := slices.Index(order, id); i >= 0 {
		return i
	}
	return len(order)
}

// isOwn reports the port that this configuration will listen on.
func (d Discovery) isOwn(port int) bool {
	base := d.Base
	if base == nil {
		base = Default()
	}
	_, own, err := net.SplitHostPort(base.Listen)
	return err == nil && own == strconv.Itoa(port)
}

// builder puts targets into a configuration.
type builder struct {
	cfg   *Config
	taken map[string]bool
	plan  []string
}

// add puts a target in, under the first of the names that is free.
func (b *builder) add(t Target, names ...string) (string, bool) {
	for _, name := range names {
		if nameOK(name) && !b.taken[name] {
			b.taken[name] = true
			t.Name = name
			b.cfg.Targets = append(b.cfg.Targets, t)
			return name, true
		}
	}
	return "", false
}

func (b *builder) server(s server) Found {
	f := Found{Kind: "server", Name: s.provider.Name}
	at := strings.TrimPrefix(s.baseURL, "http://")
	switch {
	case s.own:
		f.Note = "not looked for: " + at + " is where Fairlead itself listens"
		f.Next = "name it in fairlead.yaml with its base_url, or listen elsewhere with --listen"
		return f
	case s.err != nil:
		f.Note = "nothing answers on " + at
		return f
	}
	chat := chatModels(s.models)
	if len(chat) == 0 {
		f.Note = "answers on " + at + ", but has no chat model"
		f.Next = "load a model into it, then start Fairlead again"
		return f
	}
	for i, m := range chat {
		t := Target{Provider: s.provider.ID, Model: m.ID, BaseURL: listURL(&s)}
		names := []string{m.ID, s.provider.ID + "/" + m.ID}
		if i == 0 {
			names = append([]string{s.provider.ID}, names...)
		}
		if name, ok := b.add(t, names...); ok {
			f.Targets = append(f.Targets, name)
		}
	}
	if len(f.Targets) == 0 {
		f.Note = "answers on " + at + ", but no name of its models can be used here"
		f.Next = "name a target for it in fairlead.yaml"
		return f
	}
	f.OK, f.Note = true, fmt.Sprintf("answers on %s with %s", at, countModels(len(s.models)))
	b.plan = append(b.plan, f.Targets[0])
	return f
}

func countModels(n int) string {
	if n == 1 {
		return "1 model"
	}
	return strconv.Itoa(n) + " models"
}

// chatModels leaves out embedding and reranking models, which would not answer,
// and keeps the bound.
func chatModels(all []Served) []Served {
	var chat []Served
	for _, m := range all {
		name := strings.ToLower(m.ID)
		if name == "" || len(name) > maxModelName || strings.Contains(name, "embed") || strings.Contains(name, "rerank") || strings.Contains(name, "minilm") {
			continue
		}
		if chat = append(chat, m); len(chat) == maxModelsPerServer {
			break
		}
	}
	return chat
}

func (b *builder) engine(e EngineState) Found {
	f := Found{Kind: "engine", Name: "Local engine", OK: e.Ready, Note: e.Note, Next: e.Next}
	if !e.Ready {
		return f
	}
	if name, ok := b.add(Target{Provider: LocalProvider, Model: e.Model}, LocalProvider); ok {
		f.Targets = []string{name}
		b.plan = append(b.plan, name)
	}
	return f
}

// hostedKeys makes targets of provider keys in the environment.
func (b *builder) hostedKeys(from *Sources) []Found {
	var found []Found
	for _, p := range from.Providers.Providers() {
		if p.Kind != catalog.Hosted {
			continue
		}
		key := p.API.KeyReference(from.isSet)
		if key == "" {
			continue
		}
		found = append(found, b.hosted(p, key, from))
	}
	if len(found) == 0 {
		found = append(found, Found{Kind: "key", Name: "Hosted providers", Note: "no key in the environment",
			Next: "export one, such as OPENAI_API_KEY"})
	}
	return found
}

func (b *builder) hosted(p *catalog.Provider, key string, from *Sources) Found {
	f := Found{Kind: "key", Name: p.Name, Note: keyName(key) + " is set"}
	region, models := from.region(p), starters[p.ID]
	if p.API.RegionURL != "" {
		models = inRegion(region, models)
	}
	switch {
	case p.API.RegionURL != "" && region == "":
		f.Note += ", but no region"
		f.Next = "export " + p.API.RegionEnv[0] + ", or name a target for it in fairlead.yaml"
		return f
	case !slices.Contains(from.Dialects, p.API.Dialect):
		f.Note += ", but this version does not speak " + p.API.Dialect + " yet"
		return f
	case p.API.BaseURL == "" && region == "" || len(models) == 0:
		f.Note += ", but which model to use is not known"
		f.Next = "name a target for it in fairlead.yaml"
		return f
	}
	for i, model := range models {
		t := Target{Provider: p.ID, Model: model, Region: region, Key: NewSecret(key, "", from)}
		names := []string{model, p.ID + "/" + model}
		if i == 0 {
			names = []string{p.ID}
		}
		if name, ok := b.add(t, names...); ok {
			f.Targets = append(f.Targets, name)
		}
	}
	if f.OK = len(f.Targets) > 0; f.OK {
		b.plan = append(b.plan, f.Targets[0])
	}
	return f
}

// keyName is the first variable that a reference to a key names.
func keyName(key string) string {
	_, name, _ := strings.Cut(key, "${")
	name, _, _ = strings.Cut(name, "}")
	return name
}

func (s *Sources) isSet(name string) bool {
	value, ok := s.Env(name)
	return ok && strings.TrimSpace(value) != ""
}

// region is what the environment says of where a provider is to answer.
func (s *Sources) region(p *catalog.Provider) string {
	for _, name := range p.API.RegionEnv {
		if value, _ := s.Env(name); regionRE.MatchString(strings.TrimSpace(value)) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// inRegion gives models of Amazon Bedrock the name by which a region's accounts reach them
// without more ado: the inference profile of that part of the world
// (https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
func inRegion(region string, models []string) (out []string) {
	area, _, _ := strings.Cut(region, "-")
	prefix, ok := map[string]string{"us": "us.", "eu": "eu.", "ap": "apac."}[area]
	if !ok {
		return nil
	}
	for _, m := range models {
		out = append(out, prefix+m)
	}
	return out
}

// models makes the model "assistant", and a model for each found model's own name.
func (b *builder) models() {
	b.cfg.Models = nil
	if len(b.plan) == 0 {
		return
	}
	b.cfg.Models = append(b.cfg.Models, Model{Name: AssistantModel, Plan: b.plan})
	for _, t := range b.cfg.Targets {
		if t.Model == "" || !nameOK(t.Model) {
			continue
		}
		if m, ok := b.cfg.Model(t.Model); ok {
			m.Plan = append(m.Plan, t.Name)
		} else if !b.taken[t.Model] {
			b.cfg.Models = append(b.cfg.Models, Model{Name: t.Model, Plan: []string{t.Name}})
		}
	}
}
