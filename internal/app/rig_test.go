package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The keys of every gateway here.
const (
	appKey   = "app-secret"
	otherKey = "other-secret"
	adminKey = "admin-secret"
)

const keysYAML = `
keys:
  - { name: app, secret: app-secret }
  - { name: other, secret: other-secret }
  - { name: boss, secret: admin-secret, scopes: [admin] }
`

var loadCatalog = sync.OnceValues(catalog.Load)

// gateway is a whole Fairlead on a free port, with its data in a folder of the test.
type gateway struct {
	*App
	t      testing.TB
	url    string
	client *http.Client
	log    *logged
	stop   func() error // ends Run and gives its error; more calls give the same
}

// parse reads a configuration; UPSTREAM in it is the fake's address.
func parse(t testing.TB, up *testkit.Upstream, data, yaml string) (*config.Config, error) {
	t.Helper()
	prices, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	if up != nil {
		yaml = strings.ReplaceAll(yaml, "UPSTREAM", up.BaseURL())
	}
	text := "listen: 127.0.0.1:0\ndata: " + data + "\n" + yaml
	if !strings.Contains(yaml, "keys:") {
		text += keysYAML
	}
	from := &config.Sources{Providers: prices, Dialects: dialect.Names(), Env: func(string) (string, bool) { return "", false }}
	return config.Parse("fairlead.yaml", []byte(text), from)
}

// start runs a gateway until the test ends.
func start(t testing.TB, up *testkit.Upstream, yaml string) *gateway {
	t.Helper()
	cfg, err := parse(t, up, t.TempDir(), yaml)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, cfg)
}

func run(t testing.TB, cfg *config.Config) *gateway {
	t.Helper()
	g := &gateway{t: t, log: &logged{}, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	a, err := New(t.Context(), Options{Config: cfg, Version: "test", Log: slog.New(slog.NewTextHandler(g.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	g.App = a
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready := make(chan string, 1)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, func(s Started) { ready <- s.URL }) }()
	g.stop = sync.OnceValue(func() error {
		g.client.CloseIdleConnections()
		cancel()
		err := <-ended
		if closed := a.Close(); err == nil {
			err = closed
		}
		return err
	})
	t.Cleanup(func() { _ = g.stop() }) // tests that care look at it themselves
	select {
	case g.url = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return g
}

// logged is what was written to the log.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading: the connection broke
}

// open sends a request and gives the answer unread. Headers are name, value pairs;
// the key is the app's unless Authorization is among them.
func (g *gateway) open(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+appKey)
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Del(headers[i]); headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return g.client.Do(r)
}

func (g *gateway) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	res, err := g.open(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(read), err}
}

const (
	chatPath       = "/v1/chat/completions"
	completionPath = "/v1/completions"
	embeddingsPath = "/v1/embeddings"
)

func (g *gateway) chat(t testing.TB, body string, headers ...string) reply {
	t.Helper()
	return g.do(t, "POST", chatPath, body, headers...)
}

// asking is a chat request for a model; rest are further fields, each with a comma
// before it.
func asking(model string, rest ...string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]` + strings.Join(rest, "") + `}`
}

const (
	streamed  = `,"stream":true`
	withUsage = `,"stream":true,"stream_options":{"include_usage":true}`
)

// behaving makes the fake misbehave for this request, wherever its target's model
// does not say otherwise.
func behaving(directives string) string {
	quoted, err := json.Marshal("fake:" + directives)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return `,"user":` + string(quoted)
}

// exchange reads a record by one of its ids. It must be there as soon as the answer is.
func (g *gateway) exchange(t testing.TB, id string, headers ...string) *exchange.Exchange {
	t.Helper()
	if len(headers) == 0 {
		headers = []string{"Authorization", "Bearer " + adminKey}
	}
	got := g.do(t, "GET", "/v1/exchanges/"+id, "", headers...)
	if got.status != 200 {
		t.Fatalf("exchange %q: %d %s", id, got.status, got.body)
	}
	var x exchange.Exchange
	if err := json.Unmarshal([]byte(got.body), &x); err != nil {
		t.Fatal(err)
	}
	return &x
}

// of reads the record of an answer.
func (g *gateway) of(t testing.TB, r reply) *exchange.Exchange {
	t.Helper()
	return g.exchange(t, r.header.Get("X-Fairlead-Id"))
}

// watch gives the exchanges that are recorded from now on.
func (g *gateway) watch(t testing.TB) <-chan *exchange.Exchange {
	t.Helper()
	rows, stop, err := g.ledger.Live().Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return rows
}

// next waits for the next recorded exchange.
func next(t testing.TB, rows <-chan *exchange.Exchange) *exchange.Exchange {
	t.Helper()
	select {
	case x := <-rows:
		return x
	case <-time.After(20 * time.Second):
		t.Fatal("no exchange was recorded")
		return nil
	}
}

// fails is an error answer as OpenAI clients see it.
type fails struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

// failure reads an error answer, strictly.
func failure(t testing.TB, body string) fails {
	t.Helper()
	var f fails
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Error.Message == "" || f.Error.Type == "" {
		t.Fatalf("not an error in OpenAI's shape: %v\n%s", err, body)
	}
	return f
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// twoTargets is the usual house: one answers as the request says, two always well.
const twoTargets = `
targets:
  one: { provider: openai-compatible, base_url: UPSTREAM, model: fake, price: { input: 3, output: 15, cache_read: 0.3 }, retry: { attempts: 1 } }
  two: { provider: openai-compatible, base_url: UPSTREAM, model: "fake:say=second", price: { input: 1, output: 2 }, retry: { attempts: 1 } }
  dead: { provider: openai-compatible, base_url: "http://127.0.0.1:1/v1", model: fake, price: { input: 1, output: 2 }, retry: { attempts: 1 } }
  embed: { provider: openai-compatible, base_url: UPSTREAM, model: fake-embedding, price: { input: 0.02, output: 0 } }
models:
  both: { plan: [one, two] }
  half: { plan: [dead, two] }
`
