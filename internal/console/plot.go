package console

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// plot is a row of bars over time, drawn by templates/plot.html. Across, everything is
// in percent of the width, so that one drawing fits a phone and a wide screen and its
// letters keep their size; down, it is in pixels.
type plot struct {
	Name   string // of the file
	Title  string
	Alt    string // the same in one sentence
	Parts  []mark // what the colours stand for; one part needs no words
	Bars   []bar
	Lines  []gridLine
	Ticks  []tick
	Height int // of the drawing
	Base   int // where 0 is
	Alone  bool
	top    float64 // the value of the highest line
}

type bar struct {
	X, W, Left, Slot string // percent: the bar, and the place that it stands in
	Title, Href      string
	Pieces           []piece // from the bottom up
}

type piece struct {
	Y, H  string
	Class string
}

type gridLine struct {
	Y     string
	Label string
}

type tick struct {
	X, Anchor, Label string
}

const (
	plotTop    = 14 // room for the highest line's label
	plotBottom = 20 // room for the times
)

// series is what the plots of a summary show: one slot per step, empty ones too.
type series struct {
	Step  time.Duration
	Slots []ledger.Point
}

// seriesOf lays the points of s out over its whole range.
func seriesOf(s *ledger.Summary) series {
	out := series{Step: s.Step}
	byStart := make(map[int64]int, len(s.Points))
	for i := range s.Points {
		byStart[s.Points[i].Start.Unix()] = i
	}
	for at := s.Range.From.Truncate(s.Step); at.Before(s.Range.To); at = at.Add(s.Step) {
		p := ledger.Point{Start: at}
		if i, ok := byStart[at.Unix()]; ok {
			p = s.Points[i]
		}
		out.Slots = append(out.Slots, p)
	}
	return out
}

// per is the step in words.
func (s *series) per() string {
	switch s.Step {
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	}
	return "day"
}

// notOK counts what did not end well, through whose fault ever.
func notOK(t *ledger.Totals) int64 { return t.Failed + t.Cut }

// requestsPlot shows how many were asked and how many of them failed.
func (s *series) requestsPlot() *plot {
	var top, failed, all int64
	for i := range s.Slots {
		top, failed, all = max(top, s.Slots[i].Requests), failed+notOK(&s.Slots[i].Totals), all+s.Slots[i].Requests
	}
	p := s.frame("requests", 150, float64(max(top, 2)), func(v float64) string { return count(int64(v)) })
	p.Title = "Requests per " + p.Title
	p.Parts = []mark{{"●", "ok or canceled", "bar"}, {"■", "failed or cut", "bad"}}
	p.Alt = fmt.Sprintf("%s: %s in all, %s failed or cut, at most %s in one %s.", p.Title, count(all), count(failed), count(top), s.per())
	for i := range s.Slots {
		t := &s.Slots[i]
		bad := notOK(&t.Totals)
		p.Bars[i].Title = fmt.Sprintf("%s: %s, %s failed or cut", s.when(t.Start), someRequests(t.Requests), count(bad))
		p.stack(i, []float64{float64(bad), float64(t.Requests - bad)}, "bad", "bar")
	}
	return p
}

// spendPlot shows what was paid. Its heights are floats: a pixel needs no cents.
func (s *series) spendPlot() *plot {
	cost := make([]float64, len(s.Slots))
	var all, most money.Amount
	top := 0.0
	for i := range s.Slots {
		c := s.Slots[i].Cost
		cost[i], _ = strconv.ParseFloat(c.String(), 64) // a decimal number always reads
		top = max(top, cost[i])
		if all = all.Add(c); c.Cmp(most) > 0 {
			most = c
		}
	}
	p := s.frame("spend", 110, top, func(v float64) string {
		return "$" + strconv.FormatFloat(v, 'f', -1, 64)
	})
	p.Title = "Spend per " + p.Title
	p.Alt = fmt.Sprintf("%s: %s in all, at most %s in one %s.", p.Title, usd(all), usd(most), s.per())
	for i := range s.Slots {
		t := &s.Slots[i]
		p.Bars[i].Title = s.when(t.Start) + ": " + priceOfAll(&t.Totals).Text
		p.stack(i, []float64{cost[i]}, "bar")
	}
	return p
}

// frame makes the plot without its bars; Title is the step and the zone.
func (s *series) frame(name string, height int, top float64, label func(float64) string) *plot {
	p := &plot{Name: name, Title: s.per() + ", UTC", Height: height, Base: height - plotBottom, Bars: make([]bar, len(s.Slots))}
	top, step := nice(top)
	p.top = top
	for v := step; v <= top*1.001 && top > 0; v += step {
		p.Lines = append(p.Lines, gridLine{px(p.y(v / top)), label(roundTo(v, step))})
	}
	slot := 100 / float64(max(len(s.Slots), 1))
	for i := range s.Slots {
		left := float64(i) * slot
		p.Bars[i] = bar{
			Left: percent(left), Slot: percent(slot), X: percent(left + slot*0.1), W: percent(slot * 0.8),
			Href: rowsBetween(s.Slots[i].Start, s.Slots[i].Start.Add(s.Step)),
		}
		if text := s.tickAt(i); text != "" && left < 96 {
			anchor := "middle"
			if left < 3 {
				anchor = "start"
			}
			p.Ticks = append(p.Ticks, tick{percent(left), anchor, text})
		}
	}
	return p
}

// stack draws the bar of a step from the bottom up. What is there at all is seen: a
// piece is never thinner than two pixels.
func (p *plot) stack(i int, values []float64, classes ...string) {
	y := float64(p.Base)
	for k, v := range values {
		if v <= 0 || p.top <= 0 {
			continue
		}
		h := max(v/p.top*float64(p.Base-plotTop), 2)
		y -= h
		p.Bars[i].Pieces = append(p.Bars[i].Pieces, piece{px(y), px(h), classes[k]})
	}
}

// rowsBetween is the address of the requests of a step.
func rowsBetween(from, to time.Time) string {
	return "/console/requests?from=" + from.Format(time.RFC3339) + "&to=" + to.Format(time.RFC3339)
}

// y is where a share of the highest line lies.
func (p *plot) y(share float64) float64 { return float64(p.Base) - share*float64(p.Base-plotTop) }

func (s *series) when(t time.Time) string {
	if s.Step >= 24*time.Hour {
		return t.Format("Mon 2 Jan")
	}
	return t.Format("Mon 2 Jan 15:04")
}

// tickAt labels about six of the steps, at full hours and days.
func (s *series) tickAt(i int) string {
	t := s.Slots[i].Start
	switch {
	case s.Step == time.Minute && t.Minute()%10 == 0:
		return t.Format("15:04")
	case s.Step == time.Hour && len(s.Slots) <= 48 && t.Hour()%4 == 0:
		return t.Format("15:04")
	case s.Step == time.Hour && len(s.Slots) > 48 && t.Hour() == 0:
		return t.Format("Mon 2")
	case s.Step > time.Hour && i%5 == 0:
		return t.Format("2 Jan")
	}
	return ""
}

// nice rounds the highest value up to one that has round lines below it.
func nice(top float64) (rounded, step float64) {
	if top <= 0 {
		return 0, 1
	}
	step = math.Pow(10, math.Floor(math.Log10(top)))
	for _, s := range [...]float64{0.1, 0.2, 0.5, 1, 2, 5} {
		if lines := math.Ceil(top / (step * s)); lines <= 3 {
			return lines * step * s, step * s
		}
	}
	return 10 * step, 5 * step
}

// roundTo takes away what adding floats left behind.
func roundTo(v, step float64) float64 {
	digits := max(0, 2-int(math.Floor(math.Log10(step))))
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', digits, 64), 64) // it was just written
	return r
}

func percent(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.3f", v), ".000") + "%" }
func px(v float64) string      { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// plotFile is a plot as a file of its own.
func (c *console) plotFile(w http.ResponseWriter, r *http.Request, _ visit) error {
	o, err := c.readOverview(r)
	if err != nil {
		return err
	}
	var p *plot
	switch s := seriesOf(&o.now); r.PathValue("file") {
	case "requests.svg":
		p = s.requestsPlot()
	case "spend.svg":
		p = s.spendPlot()
	default:
		return &llm.Error{Kind: llm.NotFound, Message: "there is no such plot; the overview links to those that there are"}
	}
	p.Alone = true
	download(w, "image/svg+xml", "fairlead-"+p.Name+"-"+o.span.Key+".svg")
	return c.pages["overview"].ExecuteTemplate(w, "plot", p)
}
