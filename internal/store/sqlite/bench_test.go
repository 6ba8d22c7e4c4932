package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 10, 100, 500} {
		b.Run("", func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x.db")
			d, err := Open(context.Background(), path)
			if err != nil {
				b.Fatal(err)
			}
			tr := storetest.NewTraffic(1, 10*time.Millisecond)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				rows := make([]*exchange.Exchange, batch)
				for i := range rows {
					rows[i] = tr.Next()
				}
				b.StartTimer()
				if err := d.Append(context.Background(), rows); err != nil {
					b.Fatal(err)
				}
				n += batch
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/1000, "µs/exchange")
			st, _ := os.Stat(path)
			b.ReportMetric(float64(st.Size())/float64(n), "B/exchange")
			b.ReportMetric(0, "ns/op")
		})
	}
}
