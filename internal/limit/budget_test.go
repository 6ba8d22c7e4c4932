package limit

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

var noon = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

func usd(s string) money.Amount { return money.MustParse(s) }

func TestReserve_RefusesWhenTheLimitIsReached(t *testing.T) {
	t.Parallel()
	b := New()
	b.Set("k", Budget{usd("1"), Window{Calendar: "day"}}, []Spend{{noon.Add(-time.Hour), usd("0.5")}, {noon.Add(-24 * time.Hour), usd("7")}})
	first, err := b.Reserve("k", usd("0.4"), noon)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Reserve("k", usd("0.4"), noon)
	if err != nil {
		t.Fatalf("0.5 spent and 0.4 reserved are under 1: %v", err)
	}
	if _, err := b.Reserve("k", usd("0.01"), noon); err == nil || llm.AsError(err).Kind != llm.Budget {
		t.Fatalf("1.3 of 1: %v", err)
	}
	first.Settle(usd("0.1"), noon)
	second.Settle(usd("0.1"), noon)
	if _, err := b.Reserve("k", usd("0.01"), noon); err != nil {
		t.Errorf("0.7 of 1: %v", err)
	}
	if _, err := b.Reserve("other", usd("99"), noon); err != nil {
		t.Errorf("a key without a budget: %v", err)
	}
}

func TestWindow_Start(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		w    Window
		want string
	}{
		{Window{Calendar: "day"}, "2026-11-23T00:00:00Z"},
		{Window{Calendar: "month"}, "2026-11-01T00:00:00Z"},
		{Window{Rolling: 30 * 24 * time.Hour}, "2026-10-24T12:00:00Z"},
		{Window{Rolling: 12 * time.Hour}, "2026-11-23T00:00:00Z"},
	} {
		if got := tc.w.Start(noon).Format(time.RFC3339); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.w, got, tc.want)
		}
	}
}

func TestReserve_SpendLeavesTheWindow(t *testing.T) {
	t.Parallel()
	for _, w := range []Window{{Calendar: "day"}, {Calendar: "month"}, {Rolling: 2 * time.Hour}} {
		b := New()
		b.Set("k", Budget{usd("1"), w}, nil)
		r, err := b.Reserve("k", usd("1"), noon)
		if err != nil {
			t.Fatal(err)
		}
		r.Settle(usd("1"), noon)
		if _, err := b.Reserve("k", usd("1"), noon.Add(time.Minute)); err == nil {
			t.Errorf("%v: used up, and not refused", w)
		}
		if _, err := b.Reserve("k", usd("1"), noon.AddDate(0, 1, 1)); err != nil {
			t.Errorf("%v: the window has passed: %v", w, err)
		}
	}
}

// What the admitted cost beyond their reservations is the most that a budget can be
// overshot; with true expectations that is one request's cost.
func TestReserve_BurstOvershootsByOneRequestAtMost(t *testing.T) {
	t.Parallel()
	b := New()
	b.Set("k", Budget{usd("1"), Window{Calendar: "month"}}, nil)
	var mu sync.Mutex
	var wait sync.WaitGroup
	total := money.Amount{}
	for range 1000 {
		wait.Go(func() {
			r, err := b.Reserve("k", usd("0.013"), noon)
			if err != nil {
				return
			}
			r.Settle(usd("0.013"), noon)
			mu.Lock()
			defer mu.Unlock()
			total = total.Add(usd("0.013"))
		})
	}
	wait.Wait()
	if total.Cmp(usd("1")) < 0 || total.Cmp(usd("1.013")) > 0 {
		t.Errorf("a budget of 1 was spent to %s", total)
	}
}

func TestBudgets_NeverRefuseWhileThereIsRoom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := New()
		limit := money.MustParse("10")
		b.Set("k", Budget{limit, Window{Rolling: 24 * time.Hour}}, nil)
		now := noon
		type spent struct {
			at  time.Time
			usd money.Amount
		}
		var settled []spent
		open := map[*Reservation]money.Amount{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 8*3600).Draw(t, "pause")) * time.Second)
			sum := money.Amount{}
			for _, s := range settled {
				if !s.at.Truncate(time.Hour).Before(Window{Rolling: 24 * time.Hour}.Start(now)) {
					sum = sum.Add(s.usd)
				}
			}
			for _, v := range open {
				sum = sum.Add(v)
			}
			want, err := money.FromInt64(int64(rapid.IntRange(0, 500).Draw(t, "cents")), 2)
			if err != nil {
				t.Fatal(err)
			}
			r, refused := b.Reserve("k", want, now)
			if room := sum.Cmp(limit) < 0; room != (refused == nil) {
				t.Fatalf("%s of %s used: room %v, refused %v", sum, limit, room, refused)
			}
			if refused != nil {
				continue
			}
			if open[r] = want; rapid.Bool().Draw(t, "settle") {
				r.Settle(want, now)
				delete(open, r)
				settled = append(settled, spent{now, want})
			}
		}
	})
}
