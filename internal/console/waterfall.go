package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
)

// waterfall is where the time of one exchange went, a line for Fairlead itself and
// one for each attempt. As in plot, across is percent and down is pixels.
type waterfall struct {
	Alt    string
	Height int
	Base   int
	Lines  []fallLine
	Ticks  []tick
	First  string // where the first byte left, "" when none did
	Failed bool   // an attempt did
}

type fallLine struct {
	Text  int // y of the words
	Bar   int // y of the bar
	Name  string
	Mark  mark
	Side  string // the cost, at the right
	Title string
	Parts []fallPart
}

type fallPart struct{ X, W, Class string }

const (
	fallRow  = 40
	fallBar  = 12
	maxFalls = 16 // attempts drawn; the table has them all
	maxName  = 24 // characters of a target's name
)

// waterfallOf is nil when no time was measured.
func waterfallOf(x *exchange.Exchange) *waterfall {
	end := x.Latency.Total
	for i := range x.Attempts {
		end = max(end, x.Attempts[i].Start+x.Attempts[i].Total)
	}
	if end <= 0 {
		return nil
	}
	f := &waterfall{}
	at := func(d time.Duration) float64 { return 100 * float64(d) / float64(end) }
	part := func(from, to time.Duration, class string) fallPart {
		return fallPart{percent(at(from)), percent(at(to - from)), class}
	}
	f.add(fallLine{
		Name: "Fairlead", Side: msec(x.Latency.Overhead) + " ms", Title: "Fairlead's own work before the first byte: " + msec(x.Latency.Overhead) + " ms",
		Parts: []fallPart{part(0, x.Latency.Overhead, "self")},
	})
	var said []string
	for i := range x.Attempts[:min(len(x.Attempts), maxFalls)] {
		a := &x.Attempts[i]
		line := fallLine{Name: fmt.Sprintf("%d  %s", a.Seq+1, short(a.Target)), Mark: markOf(a.Status), Side: priceOf(a.Bill.Cost, true).Text}
		line.Title = fmt.Sprintf("attempt %d at %s: %s; began after %s ms, first token after %s ms, ended after %s ms",
			a.Seq+1, a.Target, line.Mark.Word, msec(a.Start), msec(a.TTFT), msec(a.Total))
		wait := "wait"
		if a.Status == exchange.Failed {
			wait, f.Failed = "bad", true
		}
		if a.TTFT > 0 {
			line.Parts = []fallPart{part(a.Start, a.Start+a.TTFT, wait), part(a.Start+a.TTFT, a.Start+a.Total, "bar")}
		} else {
			line.Parts = []fallPart{part(a.Start, a.Start+a.Total, wait)}
		}
		f.add(line)
		said = append(said, line.Title)
	}
	if x.Latency.FirstByte > 0 {
		f.First = percent(at(x.Latency.FirstByte))
	}
	f.Alt = "Where the " + msec(end) + " ms went: " + strings.Join(append([]string{f.Lines[0].Title}, said...), "; ") + "."
	f.Base = len(f.Lines)*fallRow + 4
	f.Height = f.Base + plotBottom
	f.ticks(end)
	return f
}

func (f *waterfall) add(l fallLine) {
	top := len(f.Lines) * fallRow
	l.Text, l.Bar = top+14, top+20
	f.Lines = append(f.Lines, l)
}

func (f *waterfall) ticks(end time.Duration) {
	ms := float64(end) / float64(time.Millisecond)
	_, step := nice(ms)
	for v := 0.0; v <= ms; v += step {
		x, anchor := 100*v/ms, "middle"
		switch {
		case v == 0:
			anchor = "start"
		case x > 94:
			anchor = "end"
		}
		label := fmt.Sprint(roundTo(v, step))
		if v >= 1000 {
			label = count(int64(v + 0.5))
		}
		f.Ticks = append(f.Ticks, tick{percent(x), anchor, label + " ms"})
	}
}

func short(s string) string {
	if r := []rune(s); len(r) > maxName {
		return string(r[:maxName-1]) + "…"
	}
	return s
}
