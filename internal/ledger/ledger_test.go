package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Store that can be told to fail or to take its time.
type memory struct {
	mu      sync.Mutex
	batches [][]string
	rows    map[string]*exchange.Exchange
	fail    func(batch []*exchange.Exchange) error
	slow    time.Duration
}

func (m *memory) Append(_ context.Context, batch []*exchange.Exchange) error {
	time.Sleep(m.slow) // in a synctest bubble: no real time
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(batch); err != nil {
			return err
		}
	}
	var ids []string
	for _, x := range batch {
		if m.rows == nil {
			m.rows = map[string]*exchange.Exchange{}
		}
		m.rows[x.ID] = x
		ids = append(ids, x.ID)
	}
	m.batches = append(m.batches, ids)
	return nil
}

func (m *memory) Get(_ context.Context, id string, in Scope) (*exchange.Exchange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x := m.rows[id]; x != nil && in.Sees(x) {
		return x, nil
	}
	return nil, ErrNotFound
}

func (m *memory) List(context.Context, Filter) ([]*exchange.Exchange, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []*exchange.Exchange
	for _, x := range m.rows {
		rows = append(rows, x)
	}
	return rows, "", nil
}

func (m *memory) Summary(context.Context, Range, Scope) (Summary, error) { return Summary{}, nil }

func (m *memory) failWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = func([]*exchange.Exchange) error { return err }
	if err == nil {
		m.fail = nil
	}
}

func (m *memory) written() (batches, rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		rows += len(b)
	}
	return len(m.batches), rows
}

func row(i int) *exchange.Exchange {
	var id ulid.ULID
	id[14], id[15] = byte(i>>8), byte(i)
	return &exchange.Exchange{ID: id.String(), Caller: exchange.Caller{KeyID: "k"}, Result: exchange.Result{AnswerID: fmt.Sprint("a", i)}}
}

// running starts a ledger and returns what ends it.
func running(t *testing.T, m *memory, cfg Config) (l *Ledger, log *bytes.Buffer, stop func() error) {
	t.Helper()
	log = &bytes.Buffer{}
	l = New(m, cfg, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return l, log, func() error { cancel(); return <-done }
}

func TestLedger_WritesInBatchesWithinItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l, _, stop := running(t, m, Default())
		for i := range 3 {
			l.Record(row(i))
		}
		synctest.Wait()
		if n, _ := m.written(); n != 0 {
			t.Error("a few rows were written at once: they should wait for more")
		}
		time.Sleep(Default().Every)
		synctest.Wait()
		if batches, rows := m.written(); batches != 1 || rows != 3 {
			t.Errorf("%d batches, %d rows, want 3 rows in one", batches, rows)
		}
		for i := range 1200 {
			l.Record(row(100 + i))
		}
		synctest.Wait()
		if _, rows := m.written(); rows < 503 {
			t.Errorf("%d rows are written: a full batch should not wait", rows)
		}
		time.Sleep(Default().Every)
		synctest.Wait()
		if _, rows := m.written(); rows != 1203 {
			t.Errorf("%d rows are written, want 1203", rows)
		}
		for _, b := range m.batches {
			if len(b) > Default().Batch {
				t.Errorf("a batch of %d rows", len(b))
			}
		}
		l.Record(row(5000))
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, rows := m.written(); rows != 1204 {
			t.Errorf("after the end %d rows are written, want 1204", rows)
		}
		l.Record(row(5001))
		s := l.Stats()
		if s.Dropped != 1 || s.Written != 1204 || s.Queued != 0 || s.QueuedBytes != 0 {
			t.Errorf("stats %+v, want 1204 written and the one after the end dropped", s)
		}
	})
}

func TestLedger_KeepsRowsWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := Default()
		cfg.Required = true
		l, log, stop := running(t, m, cfg)
		if err := l.Ready(); err != nil {
			t.Errorf("a sound ledger is not ready: %v", err)
		}
		m.failWith(fmt.Errorf("writing /data/x: %w", ErrDiskFull))
		for i := range 1000 {
			l.Record(row(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := l.Health(); !errors.Is(err, ErrDiskFull) {
			t.Errorf("Health: %v, want ErrDiskFull", err)
		}
		err := l.Ready()
		if e := llm.AsError(err); e.Kind != llm.Overloaded || strings.Contains(e.Message, "/data") || !errors.Is(err, ErrDiskFull) {
			t.Errorf("Ready: %v", err)
		}
		s := l.Stats()
		if s.Queued != 1000 || s.Dropped != 0 || s.LastError == "" || s.LastErrorAt.IsZero() {
			t.Errorf("stats %+v, want all 1000 queued", s)
		}
		if s.Failures < 10 || s.Failures > 30 { // 100 ms, doubled up to 5 s, over a minute
			t.Errorf("%d tries in a minute", s.Failures)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors were logged, want 1:\n%s", n, log)
		}
		// What cannot be read yet is found all the same.
		if x, err := l.Get(t.Context(), "a7", OfKey("k")); err != nil || x.ID != row(7).ID {
			t.Errorf("Get of a row in the queue: %v", err)
		}
		if _, err := l.Get(t.Context(), "a7", OfKey("other")); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get of another key's row in the queue: %v", err)
		}
		before := time.Now()
		if _, _, err := l.List(t.Context(), Filter{Scope: All()}); err != nil || time.Since(before) > 0 {
			t.Errorf("List beside a failing store took %s, %v", time.Since(before), err)
		}
		m.failWith(nil)
		time.Sleep(maxPause)
		synctest.Wait()
		if err := errors.Join(l.Health(), l.Ready()); err != nil {
			t.Errorf("after the store is well again: %v", err)
		}
		if _, rows := m.written(); rows != 1000 || !strings.Contains(log.String(), "written again") {
			t.Errorf("%d rows were written, log:\n%s", rows, log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLedger_DropsTheNewestWhenFull(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		keep   int
	}{
		"rows":  {func(c *Config) { c.Queue = 10 }, 10},
		"bytes": {func(c *Config) { c.QueueBytes = 12 * 1024 }, 11}, // a row counts for its answer's id too
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				m.failWith(ErrLocked)
				cfg := Default()
				test.change(&cfg)
				cfg.Drain = time.Second
				l, log, stop := running(t, m, cfg)
				for i := range 30 {
					x := row(i)
					x.Result.Headers = strings.Repeat("x", 64)
					l.Record(x)
				}
				synctest.Wait()
				s := l.Stats()
				if s.Queued != test.keep || s.Dropped != uint64(30-test.keep) || s.QueuedBytes > cfg.QueueBytes {
					t.Errorf("stats %+v, want %d queued", s, test.keep)
				}
				if _, err := l.Get(t.Context(), row(0).ID, All()); err != nil {
					t.Errorf("the oldest row is gone: %v", err)
				}
				if l.Health() == nil && name == "rows" {
					t.Error("a full queue is healthy")
				}
				if !strings.Contains(log.String(), "loses exchanges") {
					t.Errorf("the loss was not logged:\n%s", log)
				}
				// A stop gives up after Config.Drain and says how many are lost.
				before := time.Now()
				err := stop()
				if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(test.keep, " exchanges")) || time.Since(before) > 2*cfg.Drain {
					t.Errorf("stop after %s: %v", time.Since(before), err)
				}
				if s := l.Stats(); s.Dropped != 30 {
					t.Errorf("stats after the end: %+v", s)
				}
			})
		})
	}
}

func TestLedger_DropsOnlyTheRowThatNoStoreTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := row(13).ID
		m := &memory{fail: func(batch []*exchange.Exchange) error {
			if slices.ContainsFunc(batch, func(x *exchange.Exchange) bool { return x.ID == bad }) {
				return fmt.Errorf("row %s: %w", bad, ErrBadRow)
			}
			return nil
		}}
		l, log, stop := running(t, m, Default())
		for i := range 20 {
			l.Record(row(i))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		s := l.Stats()
		if _, rows := m.written(); rows != 19 || s.Dropped != 1 || s.QueuedBytes != 0 || !strings.Contains(log.String(), bad) {
			t.Errorf("%d rows, stats %+v, log:\n%s", rows, s, log)
		}
	})
}

func TestLedger_WritesWhatCameDuringAWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: 10 * time.Millisecond}
		l, _, stop := running(t, m, Default())
		l.Record(row(1))
		time.Sleep(Default().Every + m.slow/2) // in the middle of the write
		for i := range 2 * Default().Batch {
			l.Record(row(100 + i))
		}
		time.Sleep(m.slow) // in the middle of the first of two more
		l.Record(row(2))
		l.Record(row(3))
		time.Sleep(2 * Default().Every)
		synctest.Wait()
		if batches, rows := m.written(); rows != 1003 || batches != 4 {
			t.Errorf("%d rows in %d batches, want 1003 in 4", rows, batches)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLedger_TriesAgainWhileItStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		left := 3
		m.fail = func([]*exchange.Exchange) error {
			if left--; left >= 0 {
				return ErrLocked
			}
			return nil
		}
		l, _, stop := running(t, m, Default())
		l.Record(row(1))
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, rows := m.written(); rows != 1 || l.Stats().Dropped != 0 {
			t.Errorf("%d rows are written, stats %+v", rows, l.Stats())
		}
	})
}

func TestLedger_ReadersWaitForWhatWasRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: 20 * time.Millisecond}
		l, _, stop := running(t, m, Default())
		for _, n := range []int{3, 700} {
			for i := range n {
				l.Record(row(i))
			}
			start := time.Now()
			rows, _, err := l.List(t.Context(), Filter{Scope: All()})
			if err != nil || len(rows) != n || time.Since(start) >= Default().Every {
				t.Errorf("List right after Record: %d of %d rows after %s, %v", len(rows), n, time.Since(start), err)
			}
		}
		m.mu.Lock()
		m.slow = time.Hour
		m.mu.Unlock()
		l.Record(row(701))
		start := time.Now()
		if _, _, err := l.List(t.Context(), Filter{Scope: All()}); err != nil || time.Since(start) != syncWait {
			t.Errorf("List beside a store that hangs took %s, %v, want %s", time.Since(start), err, syncWait)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start = time.Now()
		l.Sync(ctx)
		if time.Since(start) != 0 {
			t.Error("Sync outlives its context")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestLedger_ManyWriters is for the race detector.
func TestLedger_ManyWriters(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l, _, stop := running(t, m, Default())
	rows, leave, err := l.Live().Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				l.Record(row(w*500 + i))
				_ = l.Health()
			}
		})
	}
	var seen int
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for range rows {
			seen++
		}
	})
	wg.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	leave()
	watcher.Wait()
	if _, n := m.written(); n != 4000 || len(m.rows) != 4000 {
		t.Errorf("%d rows, %d ids, want 4000", n, len(m.rows))
	}
	if seen+int(l.Live().Lost()) != 4000 {
		t.Errorf("the watcher saw %d and lost %d of 4000", seen, l.Live().Lost())
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Batch: 20_000, Every: time.Second}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"queue", "batch is 20000", "every is 1s", "drain"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}

// null takes everything and keeps nothing.
type null struct{ *memory }

func (null) Append(context.Context, []*exchange.Exchange) error { return nil }

func BenchmarkRecord(b *testing.B) {
	l := New(null{}, Default(), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		l.Record(&exchange.Exchange{ID: "01KAR1ND0000000000000000AA"})
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
