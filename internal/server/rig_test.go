package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/pipeline"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server whose one target is a func.
type rig struct {
	rooms Rooms
	cfg   Config
	rows  chan *exchange.Exchange
	log   *lockedBuffer
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// roundTrip is a transport in one func.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const secret = "secret"

// newRig makes the rooms; target answers for the upstream.
func newRig(target roundTrip) *rig {
	r := &rig{cfg: DefaultConfig(), rows: make(chan *exchange.Exchange, 64), log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	l := ledger.New(nil, ledger.Default(), log)
	var ids atomic.Int64
	house := oneTarget(target)
	r.rooms = Rooms{
		Hall: &pipeline.Hall{
			Authenticate: func(s string) (auth.Caller, error) {
				if s != secret {
					return auth.Caller{}, &llm.Error{Kind: llm.Unauthorized, Message: "no"}
				}
				return auth.Caller{Caller: exchange.Caller{KeyID: "k"}, Admin: true}, nil
			},
			House:      func() *pipeline.House { return house },
			Recordable: func() error { return nil },
			Reserve:    func(string, money.Amount) (func(money.Amount), error) { return func(money.Amount) {}, nil },
			Record:     func(x *exchange.Exchange) { r.rows <- x },
			NewID:      func(time.Time) string { return "id" + strconv.FormatInt(ids.Add(1), 10) },
		},
		Ledger: l, Offers: func() []Offer { return nil }, Ready: func() error { return nil },
		Console: http.NotFoundHandler(), Metrics: NewMetrics(l).Handler(), Log: log,
	}
	return r
}

func oneTarget(transport roundTrip) *pipeline.House {
	codec, _ := dialect.ByName("openai-chat")
	free := func(money.Tokens, time.Duration) money.Cost { return money.Free() }
	return &pipeline.House{
		Hash: "hash",
		Routes: &route.Table{Targets: map[string]*route.Target{"m": {
			Name: "m", Abilities: ^llm.Ability(0), AllClasses: true, Expect: func(t money.Tokens) money.Cost { return free(t, 0) },
		}}},
		Targets: map[string]*upstream.Target{"m": {
			Name: "m", Model: "m", Options: llm.Options{Model: "m"}, Bill: free, Attempts: 1, Transport: transport,
			Speaks:   []upstream.Spoken{{Codec: codec, Base: &url.URL{Scheme: "http", Host: "m.invalid"}}},
			Timeouts: upstream.Timeouts{FirstEvent: time.Hour, Idle: time.Hour, Total: time.Hour},
		}},
		Limits: pipeline.Limits{JSON: rawjson.Limits{Depth: 64}, Upstream: upstream.DefaultLimits()},
	}
}

const (
	plainBody  = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	streamBody = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	plainText  = `{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}`
	textChunk  = `data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}` + "\n\n"
	stopChunk  = `data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	doneChunk  = "data: [DONE]\n\n"
)

func answers(r *http.Request, status int, kind string, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Request: r, ContentLength: -1, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(body)}
}

// well answers as an upstream that keeps its word.
func well(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "text/event-stream" {
		return answers(r, 200, "text/event-stream", strings.NewReader(textChunk+stopChunk+doneChunk)), nil
	}
	return answers(r, 200, "application/json", strings.NewReader(plainText)), nil
}

// serve runs the rig on a free port.
func (r *rig) serve(t testing.TB) (base string, client *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(New(r.rooms, r.cfg))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, srv.Client()
}

func do(t testing.TB, client *http.Client, method, address, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v after %q", method, address, err, read)
	}
	return res, string(read)
}

// pipes is a listener within the process, so that a bubble can hold its time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

// inBubble serves the rig to a client, both within a synctest bubble.
func (r *rig) inBubble(t testing.TB) (client *http.Client) {
	t.Helper()
	p := newPipes()
	srv := &http.Server{Handler: New(r.rooms, r.cfg), IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(p) }()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close() // the listener's error alone, which has none
		_ = <-ended     // http.ErrServerClosed, as it was asked
	})
	return &http.Client{Transport: transport}
}
