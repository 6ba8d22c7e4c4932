package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

// BenchmarkAppend measures user and system time of this process for one exchange with
// its attempt, checkpoints and the collector's work included.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprint("batch", size), func(b *testing.B) {
			d := openAt(b, filepath.Join(b.TempDir(), "fairlead.db"))
			tr := storetest.NewTraffic(1, 10*time.Millisecond)
			batches := make([][]*exchange.Exchange, 0, 20_000/size)
			n := 0
			var spent time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				batches = batches[:0]
				for range min(20_000/size, 2000) {
					batches = append(batches, storetest.Take(tr, size))
				}
				b.StartTimer()
				start := cpuTime(b)
				for _, rows := range batches {
					if err := d.Append(context.Background(), rows); err != nil {
						b.Fatal(err)
					}
				}
				spent += cpuTime(b) - start
				n += size * len(batches)
			}
			info, err := os.Stat(d.Path())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/1e3/float64(n), "cpu-µs/exchange")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(n), "wall-µs/exchange")
			b.ReportMetric(float64(info.Size())/float64(n), "B/exchange")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead reads what the console and the API read. FAIRLEAD_BENCH_ROWS sets how
// many exchanges there are: 1000000 is the figure that the product promises pages for.
func BenchmarkRead(b *testing.B) {
	n := 20_000
	if s := os.Getenv("FAIRLEAD_BENCH_ROWS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	d := openAt(b, filepath.Join(b.TempDir(), "fairlead.db"))
	last := storetest.Fill(b, d, n, 30*24*time.Hour)
	ctx := context.Background()
	first, _, err := d.List(ctx, ledger.Filter{Scope: ledger.All(), Limit: 1, To: storetest.Start.Add(time.Hour)})
	if err != nil || len(first) == 0 {
		b.Fatal(first, err)
	}
	month := ledger.Range{From: storetest.Start, To: last.Time.Add(time.Hour).Truncate(time.Hour)}
	day := ledger.Range{From: month.To.Add(-24 * time.Hour), To: month.To}
	list := func(f ledger.Filter) func() error {
		return func() error { _, _, err := d.List(ctx, f); return err }
	}
	all := ledger.All()
	for _, read := range []struct {
		name string
		do   func() error
	}{
		{"List50", list(ledger.Filter{Scope: all, Limit: 50})},
		{"List50_Old", list(ledger.Filter{Scope: all, Limit: 50, After: first[0].ID})},
		{"List50_Error", list(ledger.Filter{Scope: all, Limit: 50, Status: exchange.Failed})},
		{"List50_Cut_OneKey", list(ledger.Filter{Scope: ledger.OfKey("config:app1"), Limit: 50, Status: exchange.Cut})},
		{"List50_Task", list(ledger.Filter{Scope: all, Limit: 50, Task: "explain-transfer"})},
		{"List50_TaskID", list(ledger.Filter{Scope: all, Limit: 50, TaskID: "task-7"})},
		{"List50_Target", list(ledger.Filter{Scope: all, Limit: 50, Target: "own"})},
		{"List50_Model_NoneThere", list(ledger.Filter{Scope: all, Limit: 50, Model: "none"})},
		{"List1000", list(ledger.Filter{Scope: all, Limit: 1000})},
		{"Get", func() error { _, err := d.Get(ctx, last.ID, all); return err }},
		{"Get_OldAnswer", func() error {
			_, err := d.Get(ctx, first[0].Result.AnswerID, all)
			return err
		}},
		{"Get_None", func() error {
			if _, err := d.Get(ctx, "chatcmpl-none", all); err == nil {
				return fmt.Errorf("found")
			}
			return nil
		}},
		{"Summary_Day", func() error { _, err := d.Summary(ctx, day, all); return err }},
		{"Summary_Month", func() error { _, err := d.Summary(ctx, month, all); return err }},
		{"Summary_Month_OneKey", func() error { _, err := d.Summary(ctx, month, ledger.OfKey("config:app1")); return err }},
	} {
		b.Run(read.name, func(b *testing.B) {
			for b.Loop() {
				if err := read.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
