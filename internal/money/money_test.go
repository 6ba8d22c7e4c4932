package money_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"0.10", "0.1"}, {"007", "7"}, {"12.500", "12.5"}, {"-3.25", "-3.25"},
		{"999999999999999.9999999999999999999", "999999999999999.9999999999999999999"},
		{"0.0000000000000000001", "0.0000000000000000001"},
	} {
		a, err := money.Parse(tt.in)
		if err != nil || a.String() != tt.want {
			t.Errorf("%q: %s, %v; want %s", tt.in, a, err, tt.want)
		}
	}
	for _, bad := range []string{
		"", " 1", "1 ", "+1", "--1", "-", ".", ".5", "5.", "1e3", "1E-7", "1_000", "1,5", "0x1", "NaN", "Inf", "1.2.3", "١",
		"1000000000000000", "0.00000000000000000001",
	} {
		if a, err := money.Parse(bad); err == nil {
			t.Errorf("%q was taken as %s", bad, a)
		}
	}
}

func TestAmount_JSONIsText(t *testing.T) {
	t.Parallel()
	type row struct{ USD money.Amount }
	b, err := json.Marshal(row{money.MustParse("0.10")})
	if err != nil || string(b) != `{"USD":"0.1"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var r row
	if err := json.Unmarshal([]byte(`{"USD":"-2.50"}`), &r); err != nil || r.USD.String() != "-2.5" {
		t.Errorf("%s, %v", r.USD, err)
	}
	for _, bad := range []string{`{"USD":0.1}`, `{"USD":"1e3"}`, `{"USD":""}`} {
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("%s was taken: a float is no amount", bad)
		}
	}
}

func TestAmount_Scan(t *testing.T) {
	t.Parallel()
	var a money.Amount
	for _, src := range []any{"1.5", []byte("1.5")} {
		if err := a.Scan(src); err != nil || a.String() != "1.5" {
			t.Errorf("%T: %s, %v", src, a, err)
		}
	}
	for _, bad := range []any{nil, 1.5, int64(1), "x"} {
		if err := a.Scan(bad); err == nil {
			t.Errorf("%#v was taken", bad)
		}
	}
}

// rat is the same number in another library.
func rat(t *rapid.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is not a number", s)
	}
	return r
}

func amounts(t *rapid.T, label string) (money.Amount, *big.Rat) {
	s := rapid.StringMatching(`-?[0-9]{1,15}(\.[0-9]{1,19})?`).Draw(t, label)
	a, err := money.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a, rat(t, s)
}

func TestAmount_IsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, ra := amounts(t, "a")
		b, rb := amounts(t, "b")
		n := rapid.Int64().Draw(t, "n")
		for _, c := range []struct {
			what string
			got  money.Amount
			want *big.Rat
		}{
			{"add", a.Add(b), new(big.Rat).Add(ra, rb)},
			{"sub", a.Sub(b), new(big.Rat).Sub(ra, rb)},
			{"mul", a.Mul(n), new(big.Rat).Mul(ra, new(big.Rat).SetInt64(n))},
		} {
			if rat(t, c.got.String()).Cmp(c.want) != 0 {
				t.Fatalf("%s: %s, want %s", c.what, c.got, c.want.FloatString(20))
			}
		}
		if a.Cmp(b) != ra.Cmp(rb) || a.Equal(b) != (ra.Cmp(rb) == 0) || a.Sign() != ra.Sign() || a.IsZero() != (ra.Sign() == 0) {
			t.Fatalf("%s and %s compare wrongly", a, b)
		}
	})
}

func TestAmount_MulRatioCutsAfter19Digits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a        string
		num, den int64
		want     string
	}{
		{"1", 1, 3, "0.3333333333333333333"}, {"-1", 2, 3, "-0.6666666666666666666"},
		{"2.95", 3600, 3600, "2.95"}, {"1", 1, -4, "-0.25"}, {"1", math.MinInt64, math.MinInt64 + 1, "1.0000000000000000001"},
	} {
		got, err := money.MustParse(tt.a).MulRatio(tt.num, tt.den)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s × %d / %d: %s, %v; want %s", tt.a, tt.num, tt.den, got, err, tt.want)
		}
	}
	if _, err := money.MustParse("1").MulRatio(1, 0); err == nil {
		t.Error("a division by zero went through")
	}
}

func TestRate_IsExactForEveryPriceAndCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9]{1,9}(\.[0-9]{1,13})?`).Draw(t, "price")
		n := rapid.Int64Range(0, money.MaxTokens).Draw(t, "tokens")
		price, err := money.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		for unit, per := range map[int64]func(money.Amount) (money.Rate, error){1_000_000: money.PerMillion, 1000: money.PerThousand} {
			rate, err := per(price)
			if err != nil {
				t.Fatal(err)
			}
			want := new(big.Rat).Mul(rat(t, s), big.NewRat(n, unit))
			if got := rate.Of(n); rat(t, got.String()).Cmp(want) != 0 {
				t.Fatalf("%d at %s per %d: %s, want %s", n, s, unit, got, want.FloatString(25))
			}
			if !rate.Published().Equal(price) {
				t.Fatalf("published %s, was %s", rate.Published(), price)
			}
		}
	})
	for _, bad := range []string{"-0.1", "0.12345678901234"} {
		if _, err := money.PerMillion(money.MustParse(bad)); err == nil {
			t.Errorf("price %s was taken", bad)
		}
	}
}

func TestFromInclusive_ClassesReproduceTheTotals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		upTo := func(label string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, label) }
		n := money.Inclusive{Prompt: upTo("prompt", money.MaxTokens), Completion: upTo("completion", money.MaxTokens)}
		n.Cached = upTo("cached", n.Prompt)
		n.CacheWrite = upTo("write", n.Prompt-n.Cached)
		n.CacheWrite1h = upTo("write1h", n.CacheWrite)
		n.Audio = upTo("audio", n.Prompt-n.CacheWrite)
		n.Image = upTo("image", n.Prompt-n.CacheWrite-n.Audio)
		n.AudioCached = upTo("audio cached", min(n.Audio, n.Cached))
		n.ImageCached = upTo("image cached", min(n.Image, n.Cached-n.AudioCached))
		n.Reasoning = upTo("reasoning", n.Completion)
		n.AudioOut = upTo("audio out", n.Completion-n.Reasoning)
		n.ImageOut = upTo("image out", n.Completion-n.Reasoning-n.AudioOut)
		got, err := money.FromInclusive(n)
		if err != nil {
			t.Fatalf("%+v: %v", n, err)
		}
		if got.TotalInput() != n.Prompt || got.TotalOutput() != n.Completion || got.Total() != n.Prompt+n.Completion {
			t.Fatalf("%+v: totals %d and %d of %+v", n, got.TotalInput(), got.TotalOutput(), got)
		}
		if got.CacheWrite5m+got.CacheWrite1h != n.CacheWrite || got.AudioInput+got.AudioCacheRead != n.Audio ||
			got.Reasoning != n.Reasoning || got.AudioOutput != n.AudioOut || got.ImageOutput != n.ImageOut {
			t.Fatalf("%+v: parts are lost in %+v", n, got)
		}
		notNegative(t, got)
	})
}

func notNegative(t *rapid.T, got money.Tokens) {
	for _, v := range []int64{
		got.Input, got.CacheRead, got.CacheWrite5m, got.CacheWrite1h, got.AudioInput, got.AudioCacheRead,
		got.ImageInput, got.Output, got.Reasoning, got.AudioOutput, got.ImageOutput,
	} {
		if v < 0 {
			t.Fatalf("a class is negative: %+v", got)
		}
	}
}

// TestFromInclusive_NeverNegative takes counts that need not fit together.
func TestFromInclusive_NeverNegative(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.OneOf(rapid.Int64Range(-2, 20), rapid.Int64())
		draw := func(label string) int64 { return count.Draw(t, label) }
		n := money.Inclusive{
			Prompt: draw("prompt"), Cached: draw("cached"), CacheWrite: draw("write"), CacheWrite1h: draw("write1h"),
			Audio: draw("audio"), AudioCached: draw("audio cached"), Image: draw("image"), ImageCached: draw("image cached"),
			Completion: draw("completion"), Reasoning: draw("reasoning"), AudioOut: draw("audio out"), ImageOut: draw("image out"),
			Total: draw("total"), Searches: draw("searches"),
		}
		got, err := money.FromInclusive(n)
		if err != nil {
			if !got.IsZero() {
				t.Fatalf("tokens with an error: %+v", got)
			}
			return
		}
		notNegative(t, got)
		if got.TotalInput() != n.Prompt {
			t.Fatalf("%+v: input %d", n, got.TotalInput())
		}
	})
}

func TestFromInclusive_WhatProvidersLeaveOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   money.Inclusive
		want money.Tokens
	}{
		{"reasoning in the completion", money.Inclusive{Prompt: 10, Completion: 9, Reasoning: 4, Total: 19}, money.Tokens{Input: 10, Output: 5, Reasoning: 4}},
		{"reasoning beside it, by the total", money.Inclusive{Prompt: 10, Completion: 9, Reasoning: 94, Total: 113}, money.Tokens{Input: 10, Output: 9, Reasoning: 94}},
		{"a total that says neither", money.Inclusive{Prompt: 10, Completion: 9, Reasoning: 4, Total: 99}, money.Tokens{Input: 10, Output: 5, Reasoning: 4}},
		{"audio and cache overlap as little as they must", money.Inclusive{Prompt: 10, Cached: 6, Audio: 7}, money.Tokens{CacheRead: 3, AudioInput: 4, AudioCacheRead: 3}},
		{"cached images are cached input", money.Inclusive{Prompt: 10, Cached: 6, Image: 7, ImageCached: 5}, money.Tokens{Input: 2, CacheRead: 6, ImageInput: 2}},
	} {
		got, err := money.FromInclusive(tt.in)
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
	}
}

func TestCost_AddKeepsTheWorstState(t *testing.T) {
	t.Parallel()
	of := func(usd string, s money.State, row string) money.Cost {
		a := money.MustParse(usd)
		return money.Cost{USD: a, Input: a, State: s, Price: money.Source{Row: row}}
	}
	sum := money.Free().Add(of("0.1", money.Known, "a")).Add(of("0.2", money.Estimated, "a"))
	if sum.USD.String() != "0.3" || sum.Input.String() != "0.3" || sum.State != money.Estimated || sum.Price.Row != "a" {
		t.Errorf("%+v", sum)
	}
	sum = sum.Add(of("1", money.Unknown, "b"))
	if sum.State != money.Unknown || sum.Price != (money.Source{}) {
		t.Errorf("%+v", sum)
	}
	if got := of("1", money.Known, "a").AtBest(money.Estimated).State; got != money.Estimated {
		t.Errorf("at best estimated: %s", got)
	}
	if (money.Cost{}).State != money.Unknown {
		t.Error("a cost that nobody set must be unknown")
	}
}

func TestState_Text(t *testing.T) {
	t.Parallel()
	for _, s := range []money.State{money.Unknown, money.Estimated, money.Known} {
		b, err := json.Marshal(s)
		var back money.State
		if err != nil || json.Unmarshal(b, &back) != nil || back != s || string(b) != strconv.Quote(s.String()) {
			t.Errorf("%s: %s, %v, back %s", s, b, err, back)
		}
	}
	if _, err := money.ParseState("free"); err == nil {
		t.Error("an unknown state was taken")
	}
}

func TestTokens_AddAndJSON(t *testing.T) {
	t.Parallel()
	one := money.Tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
	if got, want := one.Add(one), (money.Tokens{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26}); got != want {
		t.Errorf("got %+v", got)
	}
	b, err := json.Marshal(money.Tokens{Input: 3, CacheWrite1h: 2})
	if err != nil || string(b) != `{"input":3,"cache_write_1h":2}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAmount_AllocatesNothing(t *testing.T) {
	rate, err := money.PerMillion(money.MustParse("0.003625"))
	if err != nil {
		t.Fatal(err)
	}
	sum := money.MustParse("123456.789")
	if n := testing.AllocsPerRun(100, func() { sum = sum.Add(rate.Of(1_234_567)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRate(b *testing.B) {
	rate, err := money.PerMillion(money.MustParse("2.5"))
	if err != nil {
		b.Fatal(err)
	}
	var sum money.Amount
	for b.Loop() {
		sum = sum.Add(rate.Of(1234))
	}
}
