package console

import (
	"math"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

var sampleCaller = auth.Caller{Caller: exchange.Caller{KeyID: "config:boss", Key: "boss"}, Admin: true}

func TestUSD(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{
		"0": "$0", "0.0031": "$0.0031", "0.0000123": "$0.0000123", "0.00001234": "$0.0000123", "0.00001235": "$0.0000124",
		"0.0009996": "$0.001000", "0.9996": "$1.000", "0.41": "$0.41", "1": "$1.00", "41.2": "$41.20", "41.205": "$41.21", "41.204": "$41.20",
		"9.999": "$10.00", "1234567.891": "$1,234,567.89", "999999.999": "$1,000,000.00", "-3.5": "-$3.50", "0.0000000000000000001": "$0.0000000000000000001",
	} {
		if got := usd(money.MustParse(amount)); got != want {
			t.Errorf("usd(%s) = %s, want %s", amount, got, want)
		}
	}
}

func TestPriceOf_SaysHowSureItIs(t *testing.T) {
	t.Parallel()
	usd := money.MustParse("0.00412345")
	for _, c := range []struct {
		cost  money.Cost
		exact bool
		want  string
	}{
		{money.Cost{}, false, "unknown"},
		{money.Cost{USD: usd}, true, "unknown"},
		{money.Cost{USD: usd, State: money.Estimated}, false, "≈ $0.00412"},
		{money.Cost{USD: usd, State: money.Known}, false, "$0.00412"},
		{money.Cost{USD: usd, State: money.Known}, true, "$0.00412345"},
		{money.Free(), false, "$0"},
	} {
		if got := priceOf(c.cost, c.exact).Text; got != c.want {
			t.Errorf("%+v: %q, want %q", c.cost, got, c.want)
		}
	}
	for _, c := range []struct {
		totals ledger.Totals
		want   string
	}{
		{ledger.Totals{Requests: 3, Cost: usd}, "$0.00412"},
		{ledger.Totals{Requests: 3, Cost: usd, Estimated: 1, Unknown: 1}, "≈ $0.00412 + 1 unknown"},
		{ledger.Totals{Requests: 3, Unknown: 3}, "unknown"},
		{ledger.Totals{}, "$0"},
	} {
		if got := priceOfAll(&c.totals).Text; got != c.want {
			t.Errorf("%+v: %q, want %q", c.totals, got, c.want)
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(-1234567): "-1,234,567",
		msec(0): "–", msec(110 * time.Microsecond): "0.11", msec(9996 * time.Microsecond): "10.0", msec(99960 * time.Microsecond): "100", msec(1234567 * time.Microsecond): "1,235",
		share(0, 0): "–", share(1, 1): "100", share(999_999, 1_000_000): "99.9", share(1, 1_000_000): "< 0.1", share(0, 7): "0", share(981, 1000): "98.1",
		ago(0): "now", ago(59 * time.Second): "59 s ago", ago(time.Hour): "1 h ago", ago(47 * time.Hour): "47 h ago", ago(50 * time.Hour): "2 d ago", ago(-time.Hour): "now",
		someRequests(1): "1 request", someRequests(2000): "2,000 requests",
		calm("=1+1"): "'=1+1", calm("-x"): "'-x", calm("fine"): "fine", calm(""): "",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNice_HasAFewRoundLines(t *testing.T) {
	t.Parallel()
	for _, top := range []float64{0.0000123, 0.0005, 0.9, 1, 1.5, 2, 3, 4.9, 5, 9.99, 10, 11, 99, 1234, 1e6} {
		got, step := nice(top)
		lines := math.Round(got / step)
		if got < top || got > 3*top || lines < 1 || lines > 3 {
			t.Errorf("nice(%v) = %v in steps of %v", top, got, step)
		}
		if top >= 2 && step != math.Trunc(step) {
			t.Errorf("nice(%v): a step of %v is no number of requests", top, step)
		}
	}
}

func TestWaterfall(t *testing.T) {
	t.Parallel()
	f := waterfallOf(sample())
	if len(f.Lines) != 3 || !f.Failed || f.First != "50.971%" {
		t.Fatalf("%+v", f)
	}
	second := f.Lines[2]
	if second.Name != "2  strong" || second.Side != "$0.0000123" || len(second.Parts) != 2 {
		t.Errorf("%+v", second)
	}
	if want := (fallPart{"22.087%", "28.883%", "wait"}); second.Parts[0] != want {
		t.Errorf("%+v, want %+v", second.Parts[0], want)
	}
	if waterfallOf(&exchange.Exchange{}) != nil {
		t.Error("a waterfall of nothing")
	}
}
