package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestRecord_AKeyReadsItsOwn(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	other := []string{"Authorization", "Bearer " + otherKey}
	boss := []string{"Authorization", "Bearer " + adminKey}
	var mine []string
	for i := range 3 {
		got := g.chat(t, asking("one"), "X-Fairlead-Task", fmt.Sprint("t", i%2))
		mine = append(mine, got.header.Get("X-Fairlead-Id"))
	}
	theirs := g.chat(t, asking("two"), other...).header.Get("X-Fairlead-Id")
	bad := g.chat(t, asking("dead"), other...).header.Get("X-Fairlead-Id")
	answer := g.exchange(t, mine[0]).Result.AnswerID

	for name, tc := range map[string]struct {
		query string
		key   []string
		want  []string
	}{
		"own":         {"", nil, []string{mine[2], mine[1], mine[0]}},
		"others'":     {"", other, []string{bad, theirs}},
		"all":         {"", boss, []string{bad, theirs, mine[2], mine[1], mine[0]}},
		"by task":     {"?task=t0", nil, []string{mine[2], mine[0]}},
		"by status":   {"?status=error", boss, []string{bad}},
		"not by key":  {"?key=other", nil, nil},
		"limit":       {"?limit=2", nil, []string{mine[2], mine[1]}},
		"after":       {"?limit=2&after=" + mine[1], nil, []string{mine[0]}},
		"limit, next": {"?limit=1000", nil, []string{mine[2], mine[1], mine[0]}},
	} {
		got := g.do(t, "GET", "/v1/exchanges"+tc.query, "", tc.key...)
		var page struct {
			Data []exchange.Exchange
			Next *string
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != 200 || !strings.Contains(got.body, `"data":[`) {
			t.Fatalf("%s: %d %v %s", name, got.status, err, got.body)
		}
		var ids []string
		for _, x := range page.Data {
			ids = append(ids, x.ID)
		}
		if strings.Join(ids, " ") != strings.Join(tc.want, " ") {
			t.Errorf("%s: %v, want %v", name, ids, tc.want)
		}
		if name == "limit" != (page.Next != nil) {
			t.Errorf("%s: next is %v", name, page.Next)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=1001", "?limit=x", "?status=fine", "?after=zzz"} {
		if got := g.do(t, "GET", "/v1/exchanges"+query, ""); got.status != 400 || text(failure(t, got.body).Error.Param) == "" {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	for _, id := range []string{mine[0], answer, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"} {
		if got := g.do(t, "GET", "/v1/exchanges/"+id, "", other...); got.status != 404 || text(failure(t, got.body).Error.Code) != "exchange_not_found" {
			t.Errorf("%s by another key: %d %s", id, got.status, got.body)
		}
	}
}

func TestRecord_IsThereWhenTheStreamHasEnded(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	// The upstream lingers behind its five events, [DONE] the last of them.
	res, lines := g.begin(t, asking("one", streamed, behaving("say=Ahoy,hold-event=5")))
	for line := ""; line != "data: [DONE]\n"; {
		var err error
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if x := g.exchange(t, res.Header.Get("X-Fairlead-Id")); x.Result.Status != exchange.OK || x.Bill.Cost.State != money.Known {
		t.Errorf("recorded %+v", x)
	}
	up.Release()
}

func TestRecord_KeepsNoSecret(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t, testkit.WithKey("upstream-secret"))
	g := start(t, up, `
targets:
  one: { provider: openai-compatible, base_url: UPSTREAM, model: fake, key: upstream-secret, headers: { X-Hidden: header-secret }, retry: { attempts: 1 } }
  wrong: { provider: openai-compatible, base_url: UPSTREAM, model: fake, key: wrong-secret, retry: { attempts: 1 } }
`)
	boss := []string{"Authorization", "Bearer " + adminKey}
	g.chat(t, asking("one"), "Cookie", "cookie-secret", "X-Api-Key", "x-secret")
	if got := g.chat(t, asking("wrong")); got.status != 502 {
		t.Errorf("a wrong key of ours is our failure: %d %s", got.status, got.body)
	}
	if h := up.Requests()[0].Header; h.Get("Authorization") != "Bearer upstream-secret" || h.Get("X-Hidden") != "header-secret" || h.Get("Cookie") != "" {
		t.Errorf("the upstream got %v", h)
	}
	for _, path := range []string{"/v1/exchanges", "/api/offers", "/api/keys", "/api/version", "/metrics", "/v1/models"} {
		got := g.do(t, "GET", path, "", boss...)
		if got.status != 200 || strings.Contains(got.body, "-secret") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if strings.Contains(g.log.String(), "-secret") {
		t.Errorf("the log has a secret: %s", g.log)
	}
	metrics := g.do(t, "GET", "/metrics", "", boss...).body
	mustHold(t, metrics, []string{`fairlead_exchanges_total{status="ok",surface="chat",target="one"} 1`, `fairlead_attempts_total{status="error",target="wrong"} 1`, "fairlead_ledger_failing 0"}, nil)
}

// breakRecord makes every write of the record fail until the func is called.
func breakRecord(t testing.TB, g *gateway) (mend func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+g.db.Path()+"?_pragma=busy_timeout(2000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rename := func(from, to string) {
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("exchanges", "elsewhere")
	return func() { rename("elsewhere", "exchanges") }
}

// untilReady asks /readyz until it answers so.
func (g *gateway) untilReady(t testing.TB, status int) reply {
	t.Helper()
	for {
		got := g.do(t, "GET", "/readyz", "", "Authorization", "")
		if got.status == status {
			return got
		}
		g.ledger.Sync(t.Context())
	}
}

func TestRecord_AnswersGoOnWhileItFails(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	before := g.chat(t, asking("one"))
	g.ledger.Sync(t.Context())
	mend := breakRecord(t, g)
	during := g.chat(t, asking("one"))
	got := g.untilReady(t, 503)
	mustHold(t, got.body, []string{`"status":"degraded"`, "cannot be written"}, []string{g.current().Data, "elsewhere", "SQL"})
	if got := g.chat(t, asking("one", streamed)); got.status != 200 || !strings.HasSuffix(got.body, "[DONE]\n\n") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := g.do(t, "GET", "/healthz", ""); got.status != 200 {
		t.Errorf("/healthz: %d", got.status)
	}
	if metrics := g.do(t, "GET", "/metrics", "", "Authorization", "Bearer "+adminKey).body; !strings.Contains(metrics, "fairlead_ledger_failing 1") {
		t.Error("the metrics say that all is well")
	}
	mend()
	g.untilReady(t, 200)
	for _, r := range []reply{before, during} {
		if x := g.of(t, r); x.Result.Status != exchange.OK {
			t.Errorf("recorded %+v", x)
		}
	}
}

func TestRecord_RequiredMeansNoAnswerWithout(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets+"record: required\n")
	mend := breakRecord(t, g)
	g.chat(t, asking("one"))
	g.untilReady(t, 503)
	asked, _, _ := up.Counts()
	got := g.chat(t, asking("one"))
	f := failure(t, got.body)
	if got.status != 503 || text(f.Error.Code) != "record_unavailable" || got.header.Get("Retry-After") == "" || strings.Contains(got.body, g.current().Data) {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if now, _, _ := up.Counts(); now != asked {
		t.Error("the upstream was asked")
	}
	mend()
	g.untilReady(t, 200)
	if got := g.chat(t, asking("one")); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestReady_SaysThatTheRecordFails(t *testing.T) {
	t.Parallel()
	bounds := ledger.Default()
	bounds.Drain = 1
	discard := slog.New(slog.DiscardHandler)
	for _, tc := range []struct {
		err  error
		says string
	}{
		{fmt.Errorf("writing the database /home/x.db: %w", ledger.ErrDiskFull), "the disk is full"},
		{fmt.Errorf("writing the database /home/x.db: %w", ledger.ErrLocked), "locked"},
		{errors.New("/home/x.db: who knows"), "log says why"},
	} {
		l := ledger.New(broken{err: tc.err}, bounds, discard)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		a := &App{ledger: l}
		if err := a.ready(); err != nil {
			t.Errorf("well, and yet %v", err)
		}
		l.Record(&exchange.Exchange{ID: "x"})
		for a.ready() == nil {
			l.Sync(t.Context())
		}
		if err := a.ready(); !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "/home") {
			t.Errorf("%v", err)
		}
		stop()
		_ = <-ended // that of the store, which fails on purpose
	}
}

// broken is a store that takes nothing.
type broken struct {
	ledger.Store
	err error
}

func (b broken) Append(context.Context, []*exchange.Exchange) error { return b.err }
