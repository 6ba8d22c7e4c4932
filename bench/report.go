package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/bench/measure"
)

// report is what a run came to.
type report struct {
	Time      time.Time        `json:"time"`
	Seconds   float64          `json:"seconds"`
	Machine   string           `json:"machine"`
	Quick     bool             `json:"quick"`
	Rows      []row            `json:"rows"`
	Scenarios map[string]pairs `json:"scenarios"` // forwarder's rounds, Fairlead's rounds
}

// row is one line of the table.
type row struct {
	Scenario  string         `json:"scenario"`
	Figure    string         `json:"figure"`
	Unit      string         `json:"unit"`
	Forwarder measure.Spread `json:"forwarder"`
	Fairlead  measure.Spread `json:"fairlead"`
	Judged    measure.Spread `json:"judged"` // ratio, difference or Fairlead's own
	Target    float64        `json:"target,omitempty"`
	OK        bool           `json:"ok"`
	how       compare
}

func newReport(o options) *report {
	return &report{Time: time.Now().UTC(), Machine: machine(), Quick: o.quick, Scenarios: map[string]pairs{}}
}

// machine says where the figures come from, without naming the host.
func machine() string {
	kind := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				kind = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s", runtime.NumCPU(), kind, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (r *report) add(sc scenario, p pairs) {
	if len(p[theFairlead]) == 0 || len(p[theForwarder]) == 0 {
		return
	}
	r.Scenarios[sc.name] = p
	for _, f := range sc.figures {
		forwarder, fairlead := readings(p[theForwarder], f.of), readings(p[theFairlead], f.of)
		judged := fairlead
		switch f.compare {
		case ratio:
			judged = measure.Ratios(forwarder, fairlead)
		case added:
			judged = measure.Differences(forwarder, fairlead)
		case alone:
		}
		line := row{Scenario: sc.name, Figure: f.name, Unit: f.unit, Target: f.target, how: f.compare,
			Forwarder: measure.SpreadOf(forwarder), Fairlead: measure.SpreadOf(fairlead), Judged: measure.SpreadOf(judged)}
		line.OK = line.Judged.Median <= line.Target
		r.Rows = append(r.Rows, line)
	}
}

func readings(rounds []round, of func(round) float64) []float64 {
	out := make([]float64, len(rounds))
	for i, r := range rounds {
		out[i] = of(r)
	}
	return out
}

// widths of the columns before the mark: 100 with it.
var widths = [...]int{30, 10, 10, 29, 11}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "Fairlead beside a bare net/http forwarder\n%s\n%s, %.0f s%s\n\n", r.Machine, r.Time.Format(time.DateOnly), r.Seconds, map[bool]string{true: ", quick"}[r.Quick])
	line(w, "", "forwarder", "Fairlead", "judged (lowest – highest)", "target", "")
	last := ""
	for _, row := range r.Rows {
		if row.Scenario != last {
			fmt.Fprintln(w, row.Scenario)
			last = row.Scenario
		}
		target, mark := "", ""
		if row.Target > 0 {
			target, mark = "≤ "+row.how.text(row.Target, row.Unit), "■ missed"
			if row.OK {
				mark = "● ok"
			}
		}
		judged := fmt.Sprintf("%s (%s – %s)", row.how.text(row.Judged.Median, row.Unit), row.how.number(row.Judged.Low), row.how.number(row.Judged.High))
		line(w, "  "+row.Figure, number(row.Forwarder.Median)+" "+row.Unit, number(row.Fairlead.Median)+" "+row.Unit, judged, target, mark)
	}
	asked := 0
	for _, p := range r.Scenarios {
		for _, round := range p[theFairlead] {
			asked += round.Result.Done
		}
	}
	fmt.Fprintf(w, "\nThe judged figure is the median over pairs of rounds, one of each gateway.\n"+
		"Fairlead recorded each of the %d measured answers: rows were counted behind every round.\n", asked)
}

func line(w io.Writer, cells ...string) {
	var b strings.Builder
	for i, cell := range cells {
		if i >= len(widths) {
			b.WriteString("  " + cell)
			break
		}
		pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(cell), 0))
		if i == 0 {
			b.WriteString(cell + pad)
		} else {
			b.WriteString(pad + cell)
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// text is a judged figure with its unit.
func (c compare) text(v float64, unit string) string {
	if c == ratio {
		return c.number(v) + " ×"
	}
	return c.number(v) + " " + unit
}

func (c compare) number(v float64) string {
	if c == ratio {
		return fmt.Sprintf("%.2f", v)
	}
	return number(v)
}

// number has about three digits that count, and no more than the clock can tell.
func number(v float64) string {
	size, digits := math.Abs(v), 3
	for _, limit := range [...]float64{0.1, 10, 100} {
		if size >= limit {
			digits--
		}
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // figures for anyone to read
}
