package measure

import (
	"cmp"
	"slices"
)

// Quantile is the q-quantile (0 ≤ q ≤ 1) of values by the nearest rank, 0 of none.
// It sorts values.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	slices.Sort(values)
	rank := int(q*float64(len(values))+0.999999) - 1
	return values[min(max(rank, 0), len(values)-1)]
}

// Spread is what several rounds of one figure came to.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// SpreadOf is the median and the extremes of values; the median of an even number is
// the mean of the middle two.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return Spread{Median: median, Low: v[0], High: v[len(v)-1]}
}

// Ratios divides b by a, pair by pair: what one round shares with the other, such as
// a neighbour on the machine, falls out.
func Ratios(a, b []float64) []float64 {
	return pairwise(a, b, func(a, b float64) float64 { return b / a })
}

// Differences subtracts a from b, pair by pair.
func Differences(a, b []float64) []float64 {
	return pairwise(a, b, func(a, b float64) float64 { return b - a })
}

func pairwise(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, 0, min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		out = append(out, f(a[i], b[i]))
	}
	return out
}
