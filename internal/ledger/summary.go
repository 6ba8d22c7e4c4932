package ledger

import (
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
)

// maxRange bounds a summary.
const maxRange = 400 * 24 * time.Hour

// hourly is the longest range that is shown hour by hour; a longer one goes by days.
const hourly = 7 * 24 * time.Hour

// Range is a span of whole hours, UTC.
type Range struct {
	From time.Time // inclusive
	To   time.Time // exclusive
}

// Validate widens r to whole hours. A range that is empty or longer than 400 days is
// an Invalid error.
func (r Range) Validate() (Range, error) {
	if !r.From.Before(r.To) {
		return r, invalid("from", "must be before `to`")
	}
	r.From = r.From.UTC().Truncate(time.Hour)
	if to := r.To.UTC().Truncate(time.Hour); to.Before(r.To) {
		r.To = to.Add(time.Hour)
	} else {
		r.To = to
	}
	if r.To.Sub(r.From) > maxRange {
		return r, invalid("from", "must be at most 400 days before `to`")
	}
	return r, nil
}

// Step is how finely the points of a summary of r lie.
func (r Range) Step() time.Duration {
	if r.To.Sub(r.From) > hourly {
		return 24 * time.Hour
	}
	return time.Hour
}

// Summary is what happened in a range.
type Summary struct {
	Range  Range
	Total  Totals
	Step   time.Duration // of Points
	Points []Point       // oldest first; steps in which nothing happened are left out
	// By name, the one with the most requests first.
	Models  []Named
	Targets []Named
	Keys    []Named
}

// Point is one hour or day.
type Point struct {
	Start time.Time
	Totals
}

// Named is the part of one model, target or key. A name of "" stands for requests
// that never got that far.
type Named struct {
	Name string
	Totals
}

// Totals are sums over exchanges.
type Totals struct {
	Requests, OK, Failed, Canceled, Cut int64

	Input, CacheRead, Output int64 // tokens; Input counts all of it, CacheRead included

	// Cost is what is known and what is estimated together; Estimated and Unknown
	// count the exchanges whose cost is so. What is unknown is not in Cost.
	Cost               money.Amount
	Estimated, Unknown int64

	FirstByte Histogram
	Total     Histogram
	Overhead  time.Duration // all of it; divide by Requests
}

// Count adds one exchange.
func (t *Totals) Count(x *exchange.Exchange) {
	t.Requests++
	switch x.Result.Status {
	case exchange.OK:
		t.OK++
	case exchange.Canceled:
		t.Canceled++
	case exchange.Cut:
		t.Cut++
	default:
		t.Failed++
	}
	u := &x.Bill.Usage
	t.Input += u.TotalInput()
	t.CacheRead += u.CacheRead + u.AudioCacheRead
	t.Output += u.TotalOutput()
	switch x.Bill.Cost.State {
	case money.Unknown:
		t.Unknown++
	case money.Estimated:
		t.Estimated++
		t.Cost = t.Cost.Add(x.Bill.Cost.USD)
	default:
		t.Cost = t.Cost.Add(x.Bill.Cost.USD)
	}
	t.FirstByte.Count(x.Latency.FirstByte)
	t.Total.Count(x.Latency.Total)
	t.Overhead += x.Latency.Overhead
}

// Add adds the sums of u.
func (t *Totals) Add(u *Totals) {
	t.Requests += u.Requests
	t.OK += u.OK
	t.Failed += u.Failed
	t.Canceled += u.Canceled
	t.Cut += u.Cut
	t.Input += u.Input
	t.CacheRead += u.CacheRead
	t.Output += u.Output
	t.Cost = t.Cost.Add(u.Cost)
	t.Estimated += u.Estimated
	t.Unknown += u.Unknown
	t.FirstByte.Add(&u.FirstByte)
	t.Total.Add(&u.Total)
	t.Overhead += u.Overhead
}
