package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/bench/load"
)

func TestParseOptions_RefusesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-streams", "0"}, {"-rounds", "-1"}, {"chat"}, {"-nonsense"}} {
		if _, err := parseOptions(args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	full, err := parseOptions(nil)
	if err != nil || full.rounds != fullRounds || full.streams != openStreams {
		t.Errorf("%+v, %v", full, err)
	}
	quick, err := parseOptions([]string{"-quick", "-only", "220"})
	if err != nil || quick.rounds != quickRounds || quick.only != "220" {
		t.Errorf("%+v, %v", quick, err)
	}
}

func TestScenarios_AreBoundedAndNamedApart(t *testing.T) {
	t.Parallel()
	for _, o := range []options{{rounds: 5, streams: 1000}, {rounds: 2, streams: 10_000, quick: true}} {
		seen := map[string]bool{}
		for _, sc := range scenarios(o) {
			if seen[sc.name] || len(sc.figures) == 0 {
				t.Errorf("%q stands twice, or has no figure", sc.name)
			}
			seen[sc.name] = true
			if _, err := load.New(sc.load); err != nil {
				t.Error(err)
			}
			pace := time.Duration(sc.load.Ask.Chunks)*sc.load.Ask.Gap + sc.load.Ask.Think
			if least := pace * time.Duration(sc.load.Requests) / time.Duration(sc.load.InFlight); least > maxTime {
				t.Errorf("%s cannot end within %v", sc.name, maxTime)
			}
		}
	}
}

// rounds as a gateway would have them that uses cpu for each of 100 requests.
func rounds(cpu ...time.Duration) []round {
	var out []round
	for _, c := range cpu {
		out = append(out, round{CPU: 100 * c, Result: load.Result{Done: 100, Latency: load.Quantiles{P50: 1500 * c}}, RSS: 30e6, Peak: 40e6, Streams: 1000})
	}
	return out
}

func TestReport_JudgesPairs(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	sc := scenario{name: "two kilobytes", figures: []figure{
		{"CPU per request", "µs", cpuPerRequest, ratio, 1.3},
		{"median latency", "ms", median, added, 0.01},
		{"peak memory", "MB", peak, alone, 0},
		{"drawn on to 10,000", "MB", atTarget, alone, 600},
	}}
	r := newReport(options{})
	r.add(sc, pairs{rounds(100*us, 200*us, 50*us), rounds(120*us, 220*us, 70*us)})
	var got []string
	for _, row := range r.Rows {
		got = append(got, strings.Join([]string{row.Figure, row.how.text(row.Judged.Median, row.Unit), number(row.Fairlead.Median), map[bool]string{true: "ok"}[row.OK]}, "|"))
	}
	want := []string{"CPU per request|1.20 ×|120|ok", "median latency|30.0 ms|180|", "peak memory|40.0 MB|40.0|", "drawn on to 10,000|130 MB|130|ok"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReport_FitsOnATerminal(t *testing.T) {
	t.Parallel()
	r := newReport(options{quick: true})
	for _, sc := range scenarios(options{streams: 1000}) {
		r.add(sc, pairs{rounds(123456*time.Microsecond, time.Millisecond), rounds(12345*time.Microsecond, 99*time.Millisecond)})
	}
	var out bytes.Buffer
	r.print(&out)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"■ missed", "● ok", "≤ 1.30 ×", "≤ 0.10 ms"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestNumber_HasTheDigitsThatCount(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0.000", 0.0234: "0.023", -0.5: "-0.50", 9.876: "9.88", 45.67: "45.7", 1234.5: "1234"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
