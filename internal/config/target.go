package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/money"
)

// nameForm is what targets, models and keys may be called: names travel in headers
// and paths, and model ids of every provider are among them.
const nameForm = `^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$`

// Target is one model at one endpoint. Provider is the catalog's id (an alias in
// the file is replaced), BaseURL and Dialect are those that hold.
type Target struct {
	Name      string    `yaml:",key" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$"`
	Provider  string    `yaml:"provider" required:"say who serves it, such as provider: openai" doc:"Who serves the model: openai, anthropic, ollama, vllm, local, openai-compatible and others."`
	Model     string    `yaml:"model" doc:"The model as the provider calls it. ${NAME} stands for an environment variable."`
	BaseURL   string    `yaml:"base_url" doc:"Address of the API: with its /v1 in OpenAI and Anthropic style, with /v1beta for Gemini, bare for Ollama and TGI. Without it, the provider's own. ${NAME} stands for an environment variable."`
	Region    string    `yaml:"region" pattern:"^[a-z0-9-]{2,40}$" doc:"Where the endpoint stands, such as eu-central-1. For aws it makes the address and the signature; without it they follow from base_url."`
	Key       Secret    `yaml:"key" doc:"The provider's key: ${NAME} of an environment variable, or file:PATH. Of aws: ACCESS:SECRET, ACCESS:SECRET:SESSION, or a Bedrock API key. Of vertex: a service account's JSON, or an access token."`
	Headers   []Header  `yaml:"headers" doc:"Further request headers; values may be secrets like key."`
	Dialect   string    `yaml:"dialect" doc:"What the endpoint speaks, where that is not what its provider speaks by default."`
	Abilities Abilities `yaml:"abilities" doc:"Corrections to what the catalog says that the model can do."`
	Classes   []string  `yaml:"classes" doc:"Data classes that the target may see, such as public or wallet. Without it only public; a target on this machine sees all."`
	Price     *Price    `yaml:"price" doc:"What it charges, over the catalog."`
	GPU       *GPU      `yaml:"gpu" doc:"The rented or owned GPUs behind it: its cost is then counted by time."`
	Timeouts  Timeouts  `yaml:"timeouts" doc:"How long one attempt may take. Without it, by the kind of provider."`
	Retry     Retry     `yaml:"retry" doc:"How often it is tried before the next target of a plan."`

	// Also are the further dialects of the provider and their addresses, where the file
	// names no dialect.
	Also []Address
}

// Address is where a dialect is answered.
type Address struct{ Dialect, BaseURL string }

// Loopback reports whether the target runs on this machine.
func (t *Target) Loopback() bool {
	if t.Provider == LocalProvider {
		return true
	}
	u, err := url.Parse(t.BaseURL)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// LocalProvider is the provider id of the local engine.
const LocalProvider = "local"

// Header is one request header.
type Header struct {
	Name  string `yaml:",key" pattern:"^[!#$%&'*+.^_|~0-9A-Za-z-]{1,128}$"`
	Value Secret `yaml:",value"`
}

// Abilities are names of llm.Ability.
type Abilities struct {
	Add    []string `yaml:"add" doc:"What it can do beside what the catalog says, such as vision."`
	Remove []string `yaml:"remove" doc:"What it cannot do, whatever the catalog says."`
}

// Price is what a target charges. Its text form is catalog.Rates'.
type Price struct {
	Input          Rate `yaml:"input" doc:"USD per million input tokens."`
	Output         Rate `yaml:"output" doc:"USD per million output tokens."`
	CacheRead      Rate `yaml:"cache_read" doc:"USD per million input tokens that the provider's cache answered."`
	CacheWrite     Rate `yaml:"cache_write" doc:"USD per million input tokens written to the cache for 5 minutes."`
	CacheWrite1h   Rate `yaml:"cache_write_1h" doc:"USD per million input tokens written to the cache for an hour."`
	Reasoning      Rate `yaml:"reasoning" doc:"USD per million reasoning tokens, where they cost other than output."`
	AudioInput     Rate `yaml:"audio_input" doc:"USD per million tokens of audio input."`
	AudioCacheRead Rate `yaml:"audio_cache_read" doc:"USD per million tokens of audio that the cache answered."`
	AudioOutput    Rate `yaml:"audio_output" doc:"USD per million tokens of audio output."`
	ImageInput     Rate `yaml:"image_input" doc:"USD per million tokens of image input."`
	ImageOutput    Rate `yaml:"image_output" doc:"USD per million tokens of image output."`
	Requests       Rate `yaml:"requests" doc:"USD per thousand requests."`
	Searches       Rate `yaml:"searches" doc:"USD per thousand web searches."`
}

// Rates is the price in the catalog's words, for catalog.Override.
func (p *Price) Rates() catalog.Rates {
	return catalog.Rates{
		Input: string(p.Input), Output: string(p.Output), Reasoning: string(p.Reasoning),
		CacheRead: string(p.CacheRead), CacheWrite: string(p.CacheWrite), CacheWrite1h: string(p.CacheWrite1h),
		AudioInput: string(p.AudioInput), AudioCacheRead: string(p.AudioCacheRead), AudioOutput: string(p.AudioOutput),
		ImageInput: string(p.ImageInput), ImageOutput: string(p.ImageOutput),
		Requests: string(p.Requests), Searches: string(p.Searches),
	}
}

// GPU is what a target that is paid by time runs on.
type GPU struct {
	Kind       string       `yaml:"kind" required:"say which GPU it is, such as kind: H100" doc:"Which GPU, such as H100."`
	Count      int          `yaml:"count" min:"1" max:"4096" doc:"How many of them. 1 without it."`
	USDPerHour money.Amount `yaml:"usd_per_hour" required:"say what one of them costs, such as usd_per_hour: 2.95" doc:"What one of them costs in USD per hour."`
}

// Timeouts bound one attempt; Total spans the exchange.
type Timeouts struct {
	Connect    time.Duration `yaml:"connect" doc:"Until the connection stands, TLS included."`
	FirstEvent time.Duration `yaml:"first_event" doc:"Until the first event, or the headers of a plain answer (which come when the answer is complete)."`
	Idle       time.Duration `yaml:"idle" doc:"Between bytes of the answer."`
	Total      time.Duration `yaml:"total" doc:"The whole exchange, all attempts together. That of a plan's first target holds."`
}

// defaultTimeouts are by who runs the machine.
//
// A plain answer sends its headers when it is complete, so FirstEvent has to leave
// room for a long one; SDKs themselves give up after 10 minutes, which is Total for
// hosted models. A model on this machine's processor reads some hundred tokens a
// second, and its queue is ours: it gets longer. A serverless GPU may have to boot.
func defaultTimeouts(kind catalog.Kind) Timeouts {
	switch kind {
	case catalog.Local, catalog.SelfHosted:
		return Timeouts{Connect: 5 * time.Second, FirstEvent: 10 * time.Minute, Idle: 2 * time.Minute, Total: 30 * time.Minute}
	case catalog.Serverless:
		return Timeouts{Connect: 10 * time.Second, FirstEvent: 10 * time.Minute, Idle: 2 * time.Minute, Total: 30 * time.Minute}
	}
	return Timeouts{Connect: 5 * time.Second, FirstEvent: 5 * time.Minute, Idle: time.Minute, Total: 10 * time.Minute}
}

// Retry is how often a target is tried.
type Retry struct {
	Attempts int `yaml:"attempts" min:"1" max:"10" doc:"Tries on this target, the first one included. 2 without it."`
}

// defaultAttempts is one retry: it hides a dropped connection and costs a plan
// little time before its next target.
const defaultAttempts = 2

// Model is a name that clients ask for.
type Model struct {
	Name string   `yaml:",key" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$"`
	Plan []string `yaml:"plan" required:"list the targets that may answer, such as plan: [cheap, strong]" doc:"Targets by name, in the order in which they are tried."`
	// OnLoss is what happens where a target's dialect cannot carry all of a request.
	OnLoss string `yaml:"on_loss" enum:"report,reject" doc:"What to do where a target's dialect cannot carry all that the client sent: report it in x-fairlead-loss and the record, or reject the target and try the next. report without it."`
}

// Rejects reports whether targets that would lose something are left out.
func (m *Model) Rejects() bool { return m.OnLoss == "reject" }
