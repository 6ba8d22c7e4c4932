package measure

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile_TakesTheNearestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, tt := range []struct {
		values []int
		q      float64
		want   int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0.99, 7},
		{[]int{3, 1, 2}, 0, 1},
		{[]int{3, 1, 2}, 0.5, 2},
		{[]int{4, 1, 3, 2}, 0.5, 2},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := Quantile(tt.values, tt.q); got != tt.want {
			t.Errorf("Quantile(%v, %v) = %d, want %d", tt.values, tt.q, got, tt.want)
		}
	}
}

func TestSpreadOf_LeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	in := []float64{4, 1, 2, 3}
	if diff := cmp.Diff(Spread{Median: 2.5, Low: 1, High: 4}, SpreadOf(in)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{4, 1, 2, 3}, in); diff != "" {
		t.Errorf("the rounds changed their order: %s", diff)
	}
	if got := SpreadOf(nil); got != (Spread{}) {
		t.Errorf("SpreadOf(nil) = %v", got)
	}
}

func TestPairs_IgnoreARoundWithoutItsPartner(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]float64{2, 0.5}, Ratios([]float64{1, 4, 9}, []float64{2, 2})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{1, -2}, Differences([]float64{1, 4}, []float64{2, 2, 9})); diff != "" {
		t.Error(diff)
	}
}

func TestParseStat_SurvivesAnyProgramName(t *testing.T) {
	t.Parallel()
	const stat = "4711 (a) b (c 1 2) S 1 4711 4711 0 -1 4194560 500 0 0 0 123 45 6 7 20 0 9 0 100 1 1\n"
	got, err := parseStat([]byte(stat))
	if err != nil || got != 1680*time.Millisecond {
		t.Errorf("parseStat = %v, %v; want 1.68s", got, err)
	}
	for _, bad := range []string{"", "4711 (x) S 1", "no parenthesis 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) gave no error", bad)
		}
	}
}

func TestParsePS_ReadsEveryForm(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]Usage{
		"  0:01.50  2048\n": {CPU: 1500 * time.Millisecond, RSS: 2 << 20, Peak: 2 << 20},
		"00:01:02 4":        {CPU: 62 * time.Second, RSS: 4096, Peak: 4096},
		"1-02:00:00 1\n":    {CPU: 26 * time.Hour, RSS: 1024, Peak: 1024},
	} {
		got, err := parsePS(line)
		if err != nil || got != want {
			t.Errorf("parsePS(%q) = %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, bad := range []string{"", "1:00", "x 1", "1:00 many"} {
		if _, err := parsePS(bad); err == nil {
			t.Errorf("parsePS(%q) gave no error", bad)
		}
	}
}

func TestOf_SeesThisProcessWork(t *testing.T) {
	t.Parallel()
	before, err := Of(t.Context(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if before.RSS < 1<<20 || before.Peak < before.RSS/2 {
		t.Errorf("a running test holds %d bytes, %d at most?", before.RSS, before.Peak)
	}
	after := before
	for start := time.Now(); after.CPU == before.CPU && time.Since(start) < 10*time.Second; {
		if after, err = Of(t.Context(), os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if after.CPU <= before.CPU {
		t.Errorf("CPU stayed at %v through a busy loop", after.CPU)
	}
	if _, err := Of(t.Context(), 1<<30); err == nil {
		t.Error("a process that is not there has a usage")
	}
}
