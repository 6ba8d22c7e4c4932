package console

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store/storetest"
)

var benchRows = flag.Int("rows", 1_000_000, "exchanges behind the pages of BenchmarkPages")

// BenchmarkPages is the server's time for each page, from the request to the last
// byte, over a month of traffic. The bound is 100 ms at a million exchanges.
func BenchmarkPages(b *testing.B) {
	r := newRig(b, filepath.Join(b.TempDir(), "record.db"), storetest.Start)
	last := storetest.Fill(b, r.store, *benchRows, 30*24*time.Hour)
	r.clock.Advance(last.Time.Add(time.Second).Sub(r.clock.Now()))
	v := r.signedIn(b)
	for name, path := range map[string]string{
		"overview-1h":                  "/console/?range=1h",
		"overview-24h":                 "/console/?range=24h",
		"overview-7d":                  "/console/?range=7d",
		"overview-30d":                 "/console/?range=30d",
		"requests":                     "/console/requests",
		"requests-failed":              "/console/requests?status=error",
		"requests-two-filters":         "/console/requests?status=cut&target=cheap&task=explain-transfer&key=app0",
		"requests-filters-none-match":  "/console/requests?target=cheap&model=gpt-4o-mini",
		"requests-unknown-word":        "/console/requests?model=nobody-asked-for-this",
		"requests-of-an-hour-long-ago": "/console/requests?from=2026-11-05T10:00:00Z&to=2026-11-05T11:00:00Z",
		"requests-csv-1000":            "/console/requests.csv?limit=1000",
		"exchange":                     "/console/requests/" + last.ID,
		"search-by-answer":             "/console/search?q=" + r.oldestAnswer(b),
		"search-nothing":               "/console/search?q=chatcmpl-nobody",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				req := httptest.NewRequest(http.MethodGet, path, nil)
				req.AddCookie(v.cookies[0])
				w := httptest.NewRecorder()
				r.handler.ServeHTTP(w, req)
				if want := statusOf(name); w.Code != want {
					b.Fatalf("status %d, want %d", w.Code, want)
				}
				_, _ = io.Copy(io.Discard, w.Body)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func statusOf(page string) int {
	switch page {
	case "search-by-answer":
		return http.StatusSeeOther
	case "search-nothing":
		return http.StatusNotFound
	}
	return http.StatusOK
}

// oldestAnswer is the id of an answer of the first hour.
func (r *rig) oldestAnswer(tb testing.TB) string {
	tb.Helper()
	for _, x := range r.list(tb, "status=ok&to="+storetest.Start.Add(time.Hour).Format(time.RFC3339)) {
		return x.Result.AnswerID
	}
	tb.Fatal("no answer in the first hour")
	return ""
}
