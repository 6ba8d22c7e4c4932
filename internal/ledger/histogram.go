package ledger

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"time"
)

// A Histogram counts durations in 4 steps per doubling, from 64 µs to 19 hours, so
// that a quantile read from it is at most 12.5 % off. What is shorter or longer falls
// into the first or the last step. The zero Histogram is empty.
type Histogram struct{ steps [histSteps]uint32 }

const (
	histLow   = 6  // 2^6 µs
	histHigh  = 36 // 2^36 µs
	histSteps = 1 + 4*(histHigh-histLow)
)

// Count adds one duration; zero and less is "never came" and is not counted.
func (h *Histogram) Count(d time.Duration) {
	if d > 0 {
		h.steps[stepOf(d.Microseconds())]++
	}
}

func stepOf(us int64) int {
	if us < 1<<histLow {
		return 0
	}
	top := bits.Len64(uint64(us)) - 1
	if top >= histHigh {
		return histSteps - 1
	}
	return 1 + 4*(top-histLow) + int(us>>(top-2))&3
}

// bounds are the durations in microseconds that step i holds.
func bounds(i int) (low, high int64) {
	if i == 0 {
		return 0, 1 << histLow
	}
	top, quarter := histLow+(i-1)/4, int64((i-1)%4)
	return (4 + quarter) << (top - 2), (5 + quarter) << (top - 2)
}

// Add adds the counts of g.
func (h *Histogram) Add(g *Histogram) {
	for i, n := range g.steps {
		h.steps[i] += n
	}
}

// N is how many durations were counted.
func (h *Histogram) N() int64 {
	var n int64
	for _, c := range h.steps {
		n += int64(c)
	}
	return n
}

// Quantile is the duration that a share q (0 to 1) of the counted ones does not
// exceed: the middle of the step in which it lies. ok is false when none was counted
// and, above the median, when fewer than 1/(1-q) were: a p99 needs a hundred.
func (h *Histogram) Quantile(q float64) (d time.Duration, ok bool) {
	n := h.N()
	const slack = 1e-9 // 100 × (1 - 0.99) is a little less than 1
	if n == 0 || q < 0 || q > 1 || q > 0.5 && q < 1 && float64(n)*(1-q) < 1-slack {
		return 0, false
	}
	rank := max(int64(math.Ceil(q*float64(n)-slack)), 1)
	for i, c := range h.steps {
		if rank -= int64(c); rank <= 0 {
			low, high := bounds(i)
			return time.Duration(low+high) / 2 * time.Microsecond, true
		}
	}
	return 0, false
}

// AppendBinary appends h in a compact form: pairs of varints, the distance to the
// next step that is not empty and its count.
func (h *Histogram) AppendBinary(b []byte) ([]byte, error) {
	last := -1
	for i, c := range h.steps {
		if c != 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, uint64(c))
			last = i
		}
	}
	return b, nil
}

var errHistogram = errors.New("ledger: a histogram that is cut or out of range")

// UnmarshalBinary reads what AppendBinary wrote.
func (h *Histogram) UnmarshalBinary(b []byte) error {
	*h = Histogram{}
	at := -1
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 || gap == 0 || gap > histSteps {
			return errHistogram
		}
		count, m := binary.Uvarint(b[n:])
		if at += int(gap); m <= 0 || at >= histSteps || count > 1<<32-1 {
			return errHistogram
		}
		h.steps[at] = uint32(count)
		b = b[n+m:]
	}
	return nil
}
