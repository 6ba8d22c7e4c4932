package ledger

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for query, param := range map[string]string{
		"": "", "limit=1": "", "limit=1000": "", "status=cut&task=a&task_id=b&key=c&model=d&target=e": "", "unknown=1": "",
		"after=01KAR1ND0000000000000000AA": "", "from=2026-11-01&to=2026-11-23T10:00:00Z": "",
		"limit=0": "limit", "limit=1001": "limit", "limit=-1": "limit", "limit=many": "limit", "limit=1.5": "limit", "limit=99999999999999999999": "limit",
		"after=x": "after", "after=01KAR1ND0000000000000000AA'": "after", "after=81KAR1ND0000000000000000AA": "after",
		"status=OK": "status", "status=failed": "status", "from=yesterday": "from", "to=1732356000": "to",
		"from=2026-11-02&to=2026-11-01": "from", "from=2026-11-02&to=2026-11-02": "from",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFilter(q, All())
		if param == "" {
			if err != nil || f.Limit == 0 {
				t.Errorf("%q: %+v, %v", query, f, err)
			}
			continue
		}
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.Invalid || e.Param != param {
			t.Errorf("%q: %v, want Invalid about %s", query, err, param)
		}
	}
	got, err := ParseFilter(url.Values{"status": {"cut"}, "task": {"a"}, "task_id": {"b"}, "key": {"c"}, "model": {"d"}, "target": {"e"}, "from": {"2026-11-01"}}, OfKey("k"))
	want := Filter{
		Scope: OfKey("k"), Limit: 50, Status: exchange.Cut, Task: "a", TaskID: "b", Key: "c", Model: "d", Target: "e",
		From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Scope{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestScope_SeesNothingByDefault(t *testing.T) {
	t.Parallel()
	nobody, mine := &exchange.Exchange{}, &exchange.Exchange{Caller: exchange.Caller{KeyID: "k"}}
	for _, test := range []struct {
		scope        Scope
		nobody, mine bool
	}{{Scope{}, false, false}, {OfKey(""), false, false}, {OfKey("k"), false, true}, {OfKey("x"), false, false}, {All(), true, true}} {
		if test.scope.Sees(nobody) != test.nobody || test.scope.Sees(mine) != test.mine {
			t.Errorf("%+v sees %v, %v", test.scope, test.scope.Sees(nobody), test.scope.Sees(mine))
		}
	}
}

func TestClip_BoundsWhatComesFromOutside(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 20_000)
	x := &exchange.Exchange{
		Asked:    exchange.Asked{Model: long, Task: long, TaskID: long, Headers: long},
		Result:   exchange.Result{Message: long, AnswerID: long, Headers: long},
		Attempts: make([]exchange.Attempt, 1000),
	}
	for i := range x.Attempts {
		x.Attempts[i].Message, x.Attempts[i].RequestID = long, long
	}
	before := sizeOf(x)
	clip(x)
	if after := sizeOf(x); after > 256<<10 || after >= before {
		t.Errorf("a hostile exchange takes %d bytes", after)
	}
	for name, s := range map[string]string{
		"model": x.Asked.Model, "message": x.Result.Message, "headers": x.Asked.Headers, "attempt": x.Attempts[0].Message, "request id": x.Attempts[0].RequestID,
	} {
		if s == "" || !utf8.ValidString(s) {
			t.Errorf("%s was cut inside a character, or whole: %d bytes", name, len(s))
		}
	}
	short := "exact"
	cut(&short, 5)
	if short != "exact" {
		t.Errorf("cut what was not too long: %q", short)
	}
}

func TestRange_Validate(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 30, 0, 0, time.FixedZone("", 1800))
	r, err := Range{From: at, To: at.Add(time.Minute)}.Validate()
	if err != nil || !r.From.Equal(at) || !r.To.Equal(at.Add(time.Hour)) || r.Step() != time.Hour {
		t.Errorf("%v, %v", r, err)
	}
	if r, _ := (Range{From: at, To: at.Add(8 * 24 * time.Hour)}).Validate(); r.Step() != 24*time.Hour {
		t.Errorf("eight days step by %s", r.Step())
	}
	for _, bad := range []Range{{}, {From: at, To: at}, {From: at, To: at.Add(401 * 24 * time.Hour)}} {
		if _, err := bad.Validate(); llm.AsError(err).Kind != llm.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestHistogram_QuantilesAreClose(t *testing.T) {
	t.Parallel()
	var h Histogram
	if _, ok := h.Quantile(0.5); ok {
		t.Error("the median of nothing")
	}
	h.Count(0) // never came
	h.Count(3 * time.Millisecond)
	if d, ok := h.Quantile(0.5); !ok || h.N() != 1 || d < 2600*time.Microsecond || d > 3400*time.Microsecond {
		t.Errorf("the median of 3 ms is %s, %v", d, ok)
	}
	if d, ok := h.Quantile(0.99); ok {
		t.Errorf("the p99 of one duration is %s", d)
	}
	h = Histogram{}
	for ms := 1; ms <= 1000; ms++ {
		h.Count(time.Duration(ms) * time.Millisecond)
	}
	for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 1} {
		want := max(time.Duration(q*float64(time.Second)), time.Millisecond)
		got, ok := h.Quantile(q)
		if off := float64(got-want) / float64(want); !ok || off < -0.125 || off > 0.125 {
			t.Errorf("q%g of 1…1000 ms is %s, %v, want %s within 12.5 %%", 100*q, got, ok, want)
		}
	}
	for _, d := range []time.Duration{time.Nanosecond, 63 * time.Microsecond, 64 * time.Microsecond, 19 * time.Hour, 1000 * time.Hour} {
		h.Count(d)
	}
	var twice Histogram
	twice.Add(&h)
	twice.Add(&h)
	if twice.N() != 2*h.N() || h.N() != 1005 {
		t.Errorf("%d and twice %d", h.N(), twice.N())
	}
	b, err := twice.AppendBinary(nil)
	var back Histogram
	if err := errors.Join(err, back.UnmarshalBinary(b)); err != nil || back != twice {
		t.Errorf("read back from %d bytes: %v, %v", len(b), back == twice, err)
	}
	for _, bad := range []string{"\x01", "\x00\x01", "\x80", "\x01\x80", "\xff\x01\x01", "\x7f\x01", "\x01\xff\xff\xff\xff\x7f"} {
		if back.UnmarshalBinary([]byte(bad)) == nil {
			t.Errorf("%x was taken for a histogram", bad)
		}
	}
	for i := range histSteps {
		low, high := bounds(i)
		if stepOf(low) != i || stepOf(high-1) != i || high <= low {
			t.Errorf("step %d holds %d to %d µs, which fall into %d and %d", i, low, high, stepOf(low), stepOf(high-1))
		}
	}
}

func TestTotals_CountsUnknownApart(t *testing.T) {
	t.Parallel()
	var sum Totals
	for _, x := range []exchange.Exchange{
		{Result: exchange.Result{Status: exchange.OK}, Bill: exchange.Bill{Usage: money.Tokens{Input: 1, CacheRead: 2, Output: 3, Reasoning: 4}, Cost: money.Cost{USD: money.MustParse("0.1"), State: money.Known}}},
		{Result: exchange.Result{Status: exchange.Cut}, Bill: exchange.Bill{Cost: money.Cost{USD: money.MustParse("0.2"), State: money.Estimated}}},
		{Result: exchange.Result{Status: exchange.Canceled}, Bill: exchange.Bill{Cost: money.Cost{USD: money.MustParse("99")}}},
		{},
	} {
		sum.Count(&x)
	}
	var twice Totals
	twice.Add(&sum)
	twice.Add(&sum)
	want := Totals{
		Requests: 8, OK: 2, Failed: 2, Canceled: 2, Cut: 2, Input: 6, CacheRead: 4, Output: 14,
		Cost: money.MustParse("0.6"), Estimated: 2, Unknown: 4,
	}
	if diff := cmp.Diff(want, twice, cmp.AllowUnexported(Histogram{}), cmp.Comparer(func(a, b money.Amount) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
