package testkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// Model is the upstream's ordinary chat model, and Embedder its ordinary embedding model. The name of a model may carry
// behaviour after a colon: "fake:status=429,retry-after=1". Directives lists what can stand there.
const (
	Model    = "fake"
	Embedder = "fake-embedding"
)

// Upstream is a fake OpenAI-compatible server on loopback, which speaks Anthropic's and Gemini's dialects, too. A request behaves by the first of: a script queued with
// Next, the header X-Fake-Behavior, the part of the model's name after a colon, the request's `user` field after
// "fake:". Otherwise it is answered honestly. It records every request. Safe for concurrent use.
type Upstream struct {
	config  config
	server  *http.Server
	url     string
	stop    context.CancelFunc
	serving chan struct{}
	conns   sync.WaitGroup
	log
	queue
}

type config struct {
	listen  string
	key     string
	models  []string
	aliases map[string]string
	keep    int
}

// Option changes how an Upstream starts.
type Option func(*config)

// WithKey makes the upstream answer 401 unless the request bears this key.
func WithKey(key string) Option { return func(c *config) { c.key = key } }

// WithModels adds names of honest models. Any other name is a 404.
func WithModels(names ...string) Option {
	return func(c *config) { c.models = append(c.models, names...) }
}

// WithAlias adds a model name with a fixed behaviour.
func WithAlias(name, behavior string) Option {
	return func(c *config) { c.aliases[name] = behavior }
}

// WithListen sets the address, by default a free port on loopback.
func WithListen(address string) Option { return func(c *config) { c.listen = address } }

// WithKeep bounds how many requests are remembered, by default 10,000; the oldest are forgotten first.
func WithKeep(requests int) Option { return func(c *config) { c.keep = requests } }

// NewUpstream starts an upstream for the length of a test.
func NewUpstream(t testing.TB, options ...Option) *Upstream {
	t.Helper()
	u, err := Start(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// Start starts an upstream; the caller closes it.
func Start(options ...Option) (*Upstream, error) {
	c := config{listen: "127.0.0.1:0", models: []string{Model, Embedder}, aliases: map[string]string{}, keep: 10_000}
	for _, option := range options {
		option(&c)
	}
	for name, behavior := range c.aliases {
		if _, err := parse(behavior); err != nil {
			return nil, fmt.Errorf("alias %s: %w", name, err)
		}
	}
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	u := &Upstream{config: c, url: "http://" + listener.Addr().String(), stop: stop, serving: make(chan struct{})}
	u.log.init(c.keep)
	u.queue.init()
	u.server = &http.Server{
		Handler:           u.routes(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         u.count,
		ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(u.serving)
		_ = u.server.Serve(listener) // always an error: Close ends it
	}()
	return u, nil
}

// count follows connections, so that Close can wait for their goroutines.
func (u *Upstream) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		u.conns.Add(1)
	case http.StateClosed:
		u.conns.Done()
	}
}

// Close ends every connection and waits for every handler. It may be called twice.
func (u *Upstream) Close() {
	u.stop()
	_ = u.server.Close() // only the listener's error, which nobody can act upon
	<-u.serving
	u.conns.Wait()
}

// URL is the server's address, without /v1.
func (u *Upstream) URL() string { return u.url }

// BaseURL is what an OpenAI client takes as its base URL.
func (u *Upstream) BaseURL() string { return u.url + "/v1" }

// Next queues behaviours: each serves one request, in order, before any other rule. The empty text is the honest answer.
func (u *Upstream) Next(t testing.TB, behaviors ...string) {
	t.Helper()
	if err := u.push(behaviors...); err != nil {
		t.Fatal(err)
	}
}

// queue holds scripts that wait for a request, requests that wait for Release, and how often a text has served.
type queue struct {
	queueMu sync.Mutex
	scripts []*script
	served  map[string]int
	gate    chan struct{}
}

func (q *queue) init() {
	q.served = map[string]int{}
	q.gate = make(chan struct{})
}

func (q *queue) push(behaviors ...string) error {
	q.queueMu.Lock()
	defer q.queueMu.Unlock()
	for _, behavior := range behaviors {
		s, err := parse(behavior)
		if err != nil {
			return err
		}
		for range max(s.times, 1) {
			q.scripts = append(q.scripts, s)
		}
	}
	return nil
}

func (q *queue) pop() *script {
	q.queueMu.Lock()
	defer q.queueMu.Unlock()
	if len(q.scripts) == 0 {
		return nil
	}
	s := q.scripts[0]
	q.scripts = q.scripts[1:]
	return s
}

// named parses a behaviour that came with a request, and turns honest once it has served `times` times.
func (q *queue) named(behavior string) (*script, error) {
	s, err := parse(behavior)
	if err != nil || s.times == 0 {
		return s, err
	}
	q.queueMu.Lock()
	defer q.queueMu.Unlock()
	q.served[behavior]++
	if q.served[behavior] > s.times {
		return newScript(), nil
	}
	return s, nil
}

// Release lets every request go on that came before, whether it is held already or
// will be.
func (q *queue) Release() {
	q.queueMu.Lock()
	defer q.queueMu.Unlock()
	close(q.gate)
	q.gate = make(chan struct{})
}

func (q *queue) held() <-chan struct{} {
	q.queueMu.Lock()
	defer q.queueMu.Unlock()
	return q.gate
}

// asked is what the behaviour depends on.
type asked struct {
	Model string `json:"model"`
	User  string `json:"user"`
}

// choose finds a request's script and its model, an alias resolved. A model without its directives must be known.
func (u *Upstream) choose(r *http.Request, body []byte) (*script, asked, error) {
	var a asked
	_ = json.Unmarshal(body, &a) // a broken body names no model and is refused later, as OpenAI would
	if model, ok := strings.CutPrefix(r.URL.Path, "/v1/models/"); ok {
		a.Model = model
	}
	if call, ok := strings.CutPrefix(r.URL.Path, geminiPath); ok {
		a.Model, _, _ = strings.Cut(call, ":")
	}
	if s := u.pop(); s != nil {
		return s, a, nil
	}
	_, behavior, _ := strings.Cut(a.Model, ":")
	if alias, ok := u.config.aliases[a.Model]; ok {
		behavior = alias
	}
	if user, ok := strings.CutPrefix(a.User, "fake:"); ok && behavior == "" {
		behavior = user
	}
	if header := r.Header.Get("X-Fake-Behavior"); header != "" {
		behavior = header
	}
	s, err := u.named(behavior)
	return s, a, err
}

func (u *Upstream) knows(model string) bool {
	bare, _, _ := strings.Cut(model, ":")
	_, alias := u.config.aliases[model]
	return alias || slices.Contains(u.config.models, bare) || slices.Contains(u.config.models, model)
}

func (u *Upstream) modelNames() []string {
	names := slices.Clone(u.config.models)
	for name := range u.config.aliases {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// honest is the answer of a server that keeps its word.
func (u *Upstream) honest(r *http.Request, body []byte, a asked, knobs openaifake.Knobs) openaifake.Answer {
	switch {
	case strings.HasPrefix(r.URL.Path, anthropicPath):
		return u.anthropic(r, body, a, knobs)
	case strings.HasPrefix(r.URL.Path, geminiPath):
		return u.gemini(r, body, a, knobs)
	}
	if key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); u.config.key != "" && key != u.config.key {
		return openaifake.Failure(401, "invalid_request_error", "", "invalid_api_key", "The API key is not a known one.")
	}
	if a.Model != "" && !u.knows(a.Model) {
		return openaifake.NoModel(a.Model)
	}
	switch route := r.Method + " " + r.URL.Path; {
	case route == "POST /v1/chat/completions":
		return openaifake.Chat(body, knobs)
	case route == "POST /v1/completions":
		return openaifake.Complete(body, knobs)
	case route == "POST /v1/embeddings":
		return openaifake.Embed(body, knobs)
	case route == "GET /v1/models":
		return openaifake.Models(u.modelNames(), knobs.Created)
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/models/"):
		return openaifake.Model(a.Model, knobs.Created)
	}
	return openaifake.Failure(404, "invalid_request_error", "", "unknown_url",
		"Unknown request URL: "+r.Method+" "+r.URL.Path)
}

var errCut = errors.New("the script ends the connection here")
