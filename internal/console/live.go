package console

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/sse"
)

const livePath = "/console/live"

// What a reader's eye and browser can follow.
const (
	liveEvery = 250 * time.Millisecond // rows are sent together
	liveBurst = 40                     // of them at most; the rest is a number
	liveMiss  = 200                    // rows that a reader who was away gets to see
	livePing  = 15 * time.Second       // and asks whether the session still counts
	liveWrite = 30 * time.Second       // that a reader may take for one piece
)

// live sends the rows of a list as they are recorded: events "row" with the HTML of
// the table's row, the id as the event's, and "skipped" with how many were too many to
// show. A reader gives the last id that it has (since, or Last-Event-ID when it comes
// back) and gets first what it missed.
func (c *console) live(w http.ResponseWriter, r *http.Request, _ visit) error {
	q := r.URL.Query()
	f, err := c.filterOf(q)
	if err != nil {
		return err
	}
	since := r.Header.Get("Last-Event-ID")
	if since == "" {
		since = q.Get("since")
	}
	q.Del("since")
	rows, stop, err := c.Ledger.Live().Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	missed, err := c.missed(r, f, since)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the rows back
	w.WriteHeader(http.StatusOK)
	s := stream{console: c, to: w, control: http.NewResponseController(w), filter: f, query: q}
	if !s.begin(missed) {
		return nil
	}
	s.follow(r, rows)
	return nil
}

// missed lists what arrived after the last row that a reader has, oldest first. It is
// asked after the subscription, so that no row falls between; one that comes twice the
// reader knows by its id.
func (c *console) missed(r *http.Request, f ledger.Filter, since string) ([]*exchange.Exchange, error) {
	id, err := ulid.ParseStrict(since)
	if err != nil {
		return nil, nil //nolint:nilerr // a reader with an empty list, or one that made an id up
	}
	if at := id.Timestamp(); at.After(f.From) {
		f.From = at
	}
	f.Limit = liveMiss
	rows, _, err := c.Ledger.List(r.Context(), f)
	rows = slices.DeleteFunc(rows, func(x *exchange.Exchange) bool { return x.ID <= since })
	slices.Reverse(rows)
	return rows, err
}

// stream is one reader of live rows.
type stream struct {
	*console
	to      http.ResponseWriter
	control *http.ResponseController
	filter  ledger.Filter
	query   url.Values

	waiting []*exchange.Exchange
	skipped int
}

func (s *stream) begin(missed []*exchange.Exchange) bool {
	out := []byte(": the rows of this list as they are recorded\n\n")
	for _, x := range missed {
		out = s.append(out, x)
	}
	return s.send(out)
}

// follow passes rows on until the reader leaves or its session ends: who signed out
// or whose key was revoked sees no further row.
func (s *stream) follow(r *http.Request, rows <-chan *exchange.Exchange) {
	ping := time.NewTicker(livePing)
	defer ping.Stop()
	flush := time.NewTimer(liveEvery)
	flush.Stop()
	defer flush.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ping.C:
			if !s.welcome(r) || !s.send([]byte(": still here\n\n")) {
				return
			}
		case x, open := <-rows:
			if !open {
				return
			}
			if s.take(x) {
				flush.Reset(liveEvery)
			}
		case <-flush.C:
			if !s.welcome(r) || !s.flush() {
				return
			}
		}
	}
}

func (s *stream) welcome(r *http.Request) bool {
	_, ok := s.visitor(r)
	return ok
}

// take keeps a row until the next flush; it is true for the first one.
func (s *stream) take(x *exchange.Exchange) bool {
	if !matches(&s.filter, x) {
		return false
	}
	s.waiting = append(s.waiting, x)
	if len(s.waiting) > liveBurst {
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		s.skipped++
	}
	return len(s.waiting) == 1
}

func (s *stream) flush() bool {
	var out []byte
	if s.skipped > 0 {
		out = sse.Append(out, "skipped", strconv.AppendInt(nil, int64(s.skipped), 10))
	}
	for _, x := range s.waiting {
		out = s.append(out, x)
	}
	s.waiting, s.skipped = s.waiting[:0], 0
	return s.send(out)
}

func (s *stream) append(out []byte, x *exchange.Exchange) []byte {
	var html bytes.Buffer
	if err := s.pages["requests"].ExecuteTemplate(&html, "row", viewRow(x, s.query, s.Now())); err != nil {
		s.Log.Error("a live row could not be rendered", "id", x.ID, "err", err)
		return out
	}
	if id, err := ulid.ParseStrict(x.ID); err == nil {
		out = append(out, "id: "+id.String()+"\n"...)
	}
	return sse.Append(out, "row", html.Bytes())
}

func (s *stream) send(piece []byte) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(liveWrite)) // where it cannot be set the reader has all the time
	if _, err := s.to.Write(piece); err != nil {              //nolint:gosec // G705: html/template escaped it
		return false
	}
	return s.control.Flush() == nil
}
