package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/store/sqlite"
	"github.com/fairlead/fairlead/internal/store/storetest"
	"github.com/fairlead/fairlead/internal/testkit"
)

const (
	adminSecret = "admin-secret-7f3a"
	plainSecret = "plain-secret-91bc"
)

// rig is a console over a real database and real keys.
type rig struct {
	handler http.Handler
	ledger  *ledger.Ledger
	store   *sqlite.DB
	clock   *testkit.Clock
	trouble atomic.Pointer[error]
	revoked atomic.Bool
}

func newRig(tb testing.TB, path string, start time.Time) *rig {
	tb.Helper()
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r := &rig{store: db, ledger: ledger.New(db, ledger.Default(), log), clock: testkit.NewClock(start)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.ledger.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, db.Close()); err != nil {
			tb.Error(err)
		}
	})
	keys := auth.NewKeyring(db, auth.Default())
	err = keys.Configure(ctx, []auth.Configured{
		{Name: "boss", Secret: adminSecret, Scopes: []string{auth.ScopeAdmin}}, {Name: "app", Secret: plainSecret},
	})
	if err != nil {
		tb.Fatal(err)
	}
	r.handler = New(Rooms{
		Ledger: r.ledger, ConfigHash: func() string { return "5f2a9c01d3e4b6a7" }, Version: "0.1.0-test", Log: log, Now: r.clock.Now,
		SignIn: func(secret string) (auth.Caller, error) {
			caller, refused := keys.Check(secret, r.clock.Now())
			if refused != nil {
				return caller, refused
			}
			return caller, nil
		},
		StillAdmin: func(auth.Caller) bool { return !r.revoked.Load() },
		Targets: func() []Target {
			return []Target{
				{"cheap", "ollama", "smollm2:135m", "ready", "free", Reach{
					Forwarded: []string{"openai-chat", "anthropic", "ollama"}, Translated: []string{"gemini → openai-chat"},
					Can: []string{"stream", "tools (by grammar)", "chat"}, Assumed: []string{"json_schema", "vision"}, Lacks: []string{"logprobs", "rerank"},
				}},
				{"strong", "openai", "gpt-4o", "configured", "$2.50 in, $10 out per million tokens", Reach{
					Forwarded: []string{"openai-chat", "openai-responses"}, Translated: []string{"anthropic → openai-chat", "gemini → openai-chat", "ollama → openai-chat"},
					Can: []string{"stream", "tools", "json_schema", "json_object", "vision", "audio", "logprobs", "n", "chat", "completions", "embeddings", "documents"}, Lacks: []string{"rerank", "count_tokens", "thinking"},
				}},
				{"own", "vllm", "llama-3.1-8b", "restarting", "", Reach{Assumed: []string{"stream", "chat"}}},
				{"flaky", "openai-compatible", "mini", "failed", "", Reach{}},
			}
		},
		Health: func() error {
			if err := r.trouble.Load(); err != nil {
				return *err
			}
			return nil
		},
	})
	return r
}

// emptyRig has no row.
func emptyRig(tb testing.TB) *rig {
	tb.Helper()
	return newRig(tb, filepath.Join(tb.TempDir(), "record.db"), storetest.Start)
}

// fullRig has n rows over the time before its clock.
func fullRig(tb testing.TB, n int, over time.Duration) *rig {
	tb.Helper()
	r := emptyRig(tb)
	last := storetest.Fill(tb, r.store, n, over)
	r.clock.Advance(last.Time.Add(time.Second).Sub(r.clock.Now()))
	return r
}

// put writes rows that were recorded a minute ago.
func (r *rig) put(tb testing.TB, rows ...*exchange.Exchange) {
	tb.Helper()
	if err := r.store.Append(context.Background(), rows); err != nil {
		tb.Fatal(err)
	}
	r.clock.Advance(rows[len(rows)-1].Time.Add(time.Minute).Sub(r.clock.Now()))
}

// visitorOf is a browser without a screen: it keeps cookies and follows nothing.
type visitorOf struct {
	rig     *rig
	cookies []*http.Cookie
}

// reply is an answer that was read to its end.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       string
}

func (v *visitorOf) do(method, target string, form url.Values, header ...string) reply {
	req := httptest.NewRequest(method, "http://127.0.0.1:8080"+target, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for _, c := range v.cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.rig.handler.ServeHTTP(w, req)
	for _, line := range w.Header()["Set-Cookie"] {
		set, err := http.ParseSetCookie(line)
		if err != nil {
			panic(err)
		}
		v.cookies = []*http.Cookie{set}
	}
	return reply{w.Code, w.Header(), w.Body.String()}
}

func (v *visitorOf) get(target string, header ...string) reply {
	return v.do(http.MethodGet, target, nil, header...)
}

// signedIn is a visitor who gave the admin key.
func (r *rig) signedIn(tb testing.TB) *visitorOf {
	tb.Helper()
	v := &visitorOf{rig: r}
	res := v.do(http.MethodPost, "/console/login", url.Values{"key": {adminSecret}})
	if res.StatusCode != http.StatusSeeOther || len(v.cookies) != 1 {
		tb.Fatalf("sign-in answered %d with %d cookies", res.StatusCode, len(v.cookies))
	}
	return v
}
