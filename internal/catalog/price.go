package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

// Price is what a target charges, resolved once and then cheap to apply: Cost
// allocates nothing. A Price is immutable.
type Price struct {
	source money.Source
	rates  [rateCount]tiered
	// whole rates that the row itself gives, without the fallbacks of fill.
	given [rateCount]bool
}

// The rates of a price. Each class of money.Tokens has its own.
const (
	rateInput = iota
	rateCacheRead
	rateCacheWrite
	rateCacheWrite1h
	rateAudioInput
	rateAudioCacheRead
	rateImageInput
	rateOutput
	rateReasoning
	rateAudioOutput
	rateImageOutput
	rateRequests
	rateSearches
	rateCount
)

// fallbacks says what a class costs that has no price of its own, in the order in
// which they are resolved.
var fallbacks = [...]struct{ rate, from int }{
	{rateCacheRead, rateInput},
	{rateCacheWrite, rateInput},
	{rateCacheWrite1h, rateCacheWrite},
	{rateAudioInput, rateInput},
	{rateAudioCacheRead, rateCacheRead},
	{rateImageInput, rateInput},
	{rateReasoning, rateOutput},
	{rateAudioOutput, rateOutput},
	{rateImageOutput, rateOutput},
}

// tiered is a rate that may step up with the size of the input.
type tiered struct {
	set   bool
	base  money.Rate
	steps []step // by rising above
}

type step struct {
	above int64
	rate  money.Rate
}

func (t *tiered) at(input int64) money.Rate {
	rate := t.base
	for _, s := range t.steps {
		if input <= s.above {
			break
		}
		rate = s.rate
	}
	return rate
}

func newPrice(r Rates, source money.Source) (*Price, error) {
	p := &Price{source: source}
	i := 0
	for name, text := range r.Each {
		unit := money.PerMillion
		if i == rateRequests || i == rateSearches {
			unit = money.PerThousand
		}
		t, err := parseTiered(text, unit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p.rates[i], p.given[i] = t, t.set
		i++
	}
	for _, f := range fallbacks {
		if !p.rates[f.rate].set {
			p.rates[f.rate] = p.rates[f.from]
		}
	}
	return p, nil
}

// parseTiered reads "3" and "3 >200000:6 >500000:9".
func parseTiered(text string, unit func(money.Amount) (money.Rate, error)) (tiered, error) {
	var t tiered
	for i, field := range strings.Fields(text) {
		price := field
		var above int64
		if i > 0 {
			from, rest, ok := strings.Cut(strings.TrimPrefix(field, ">"), ":")
			n, err := strconv.ParseInt(from, 10, 64)
			if !ok || err != nil || field[0] != '>' || n < 0 {
				return t, fmt.Errorf("step %q: write it like >200000:6", field)
			}
			above, price = n, rest
		}
		amount, err := money.Parse(price)
		if err != nil {
			return t, err
		}
		rate, err := unit(amount)
		if err != nil {
			return t, err
		}
		if i == 0 {
			t.base, t.set = rate, true
			continue
		}
		if n := len(t.steps); n > 0 && t.steps[n-1].above >= above {
			return t, fmt.Errorf("step %q: steps rise", field)
		}
		t.steps = append(t.steps, step{above, rate})
	}
	return t, nil
}

// Override is the price that a target's own configuration gives.
func Override(r Rates, provider, model string) (*Price, error) {
	return newPrice(r, money.Source{Provider: provider, Model: model, Row: "target", From: "configuration"})
}

// Free is the price of a target that bills nothing: a known 0.
func Free(provider, model string) *Price {
	p, err := newPrice(Rates{Input: "0", Output: "0"},
		money.Source{Provider: provider, Model: model, Row: "free", From: "self-hosted without gpu price"})
	if err != nil {
		panic(err) // constants
	}
	return p
}

// Source is the row that the price comes from.
func (p *Price) Source() money.Source { return p.source }

// PerMillion is the published price of plain input and output in USD per million
// tokens; ok is false for one that the row does not have.
func (p *Price) PerMillion() (input, output money.Amount, inputOK, outputOK bool) {
	in, out := &p.rates[rateInput], &p.rates[rateOutput]
	return in.base.Published(), out.base.Published(), in.set, out.set
}

// Cost is what one call with these tokens costs. Counts below 1 request count as
// one. The state is known; estimated where something that is billed beside the
// tokens (web searches) has no price in the row; unknown where a class of tokens
// has none, so that a missing price is never 0.
func (p *Price) Cost(t money.Tokens) money.Cost {
	if p == nil {
		return money.Cost{}
	}
	c := money.Cost{State: money.Known, Price: p.source}
	size := t.TotalInput()
	side := [...]struct {
		rate int
		n    int64
	}{
		{rateInput, t.Input}, {rateCacheRead, t.CacheRead}, {rateCacheWrite, t.CacheWrite5m},
		{rateCacheWrite1h, t.CacheWrite1h}, {rateAudioInput, t.AudioInput},
		{rateAudioCacheRead, t.AudioCacheRead}, {rateImageInput, t.ImageInput},
		{rateOutput, t.Output}, {rateReasoning, t.Reasoning},
		{rateAudioOutput, t.AudioOutput}, {rateImageOutput, t.ImageOutput},
	}
	for _, s := range side {
		if s.n == 0 {
			continue
		}
		rate := &p.rates[s.rate]
		if !rate.set {
			return money.Cost{Price: p.source}
		}
		amount := rate.at(size).Of(s.n)
		if s.rate < rateOutput {
			c.Input = c.Input.Add(amount)
		} else {
			c.Output = c.Output.Add(amount)
		}
	}
	c.USD = c.Input.Add(c.Output)
	if requests := &p.rates[rateRequests]; requests.set {
		c.USD = c.USD.Add(requests.at(size).Of(max(1, t.Requests)))
	}
	if t.Searches > 0 {
		searches := &p.rates[rateSearches]
		if !searches.set {
			return c.AtBest(money.Estimated)
		}
		c.USD = c.USD.Add(searches.at(size).Of(t.Searches))
	}
	return c
}

// GPUCost is the cost of count machines of usdPerHour each for a time, always
// estimated: what else ran on them meanwhile is not known. It is cut after 19
// digits behind the point.
func GPUCost(usdPerHour money.Amount, count int, d time.Duration) money.Cost {
	if d < 0 || count < 0 {
		return money.Cost{}
	}
	usd, err := usdPerHour.Mul(int64(count)).MulRatio(int64(d), int64(time.Hour))
	if err != nil {
		return money.Cost{}
	}
	return money.Cost{USD: usd, State: money.Estimated, Price: money.Source{Row: "gpu time", From: "configuration"}}
}
