package testkit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// routes: everything is the upstream's, but for a few paths by which tests in other languages steer and watch it.
//
//	POST /_fake/next      the body is a behaviour; it serves the next request
//	POST /_fake/release   lets held requests go on
//	GET  /_fake/requests  what was received, as JSON
//	GET  /_fake/counts    {"total","in_flight","gone"}; with ?total=, ?gone= or ?idle=1 it waits for that first
func (u *Upstream) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", u.serve)
	mux.HandleFunc("POST /_fake/next", func(w http.ResponseWriter, r *http.Request) {
		behavior, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err == nil {
			err = u.push(string(behavior))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /_fake/release", func(http.ResponseWriter, *http.Request) { u.Release() })
	mux.HandleFunc("GET /_fake/requests", func(w http.ResponseWriter, _ *http.Request) { u.writeRequests(w) })
	mux.HandleFunc("GET /_fake/counts", u.writeCounts)
	return mux
}

func (u *Upstream) writeRequests(w http.ResponseWriter) {
	type row struct {
		Seq    int         `json:"seq"`
		Method string      `json:"method"`
		Path   string      `json:"path"`
		Query  string      `json:"query"`
		Header http.Header `json:"header"`
		Body   string      `json:"body"`
		Model  string      `json:"model"`
	}
	rows := []row{}
	for _, r := range u.Requests() {
		rows = append(rows, row{r.Seq, r.Method, r.Path, r.Query, r.Header, string(r.Body), r.Model})
	}
	writeJSON(w, rows)
}

func (u *Upstream) writeCounts(w http.ResponseWriter, r *http.Request) {
	want := func(name string) int {
		n, _ := strconv.Atoi(r.URL.Query().Get(name)) // absent or unreadable: nothing to wait for
		return n
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if !u.until(ctx, func(total, inFlight, gone int) bool {
		return total >= want("total") && gone >= want("gone") && (want("idle") == 0 || inFlight == 0)
	}) {
		w.WriteHeader(http.StatusGatewayTimeout)
	}
	total, inFlight, gone := u.Counts()
	writeJSON(w, map[string]int{"total": total, "in_flight": inFlight, "gone": gone})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a test that went away asks again
}
