package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/sse"
)

// reader follows the live list of a running server.
type reader struct {
	t      *testing.T
	events *sse.Reader
	status int
}

// follow opens the event stream and waits until it has begun: what is recorded from
// then on comes.
func follow(t *testing.T, r *rig, query string, header ...string) *reader {
	t.Helper()
	server := httptest.NewServer(r.handler)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/console/live"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for _, c := range r.signedIn(t).cookies {
		req.AddCookie(c)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = res.Body.Close()
		server.Close()
	})
	return &reader{t: t, events: sse.NewReader(res.Body, 1<<20), status: res.StatusCode}
}

func (f *reader) next() (name, data string) {
	f.t.Helper()
	for {
		ev, err := f.events.Next()
		if err != nil {
			f.t.Fatal(err)
		}
		if !ev.Comment {
			return ev.Name, string(ev.Data)
		}
	}
}

// row makes an exchange like sample's that arrives n seconds after it.
func row(n int, change func(*exchange.Exchange)) *exchange.Exchange {
	x := sample()
	x.ID, x.Time = fmt.Sprintf("01M6VZM1VVYQNHF0684K%06d", n), x.Time.Add(time.Duration(n)*time.Second)
	if change != nil {
		change(x)
	}
	return x
}

func TestLive_PassesOnTheRowsOfTheList(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	f := follow(t, r, "?target=strong&status=ok")
	r.ledger.Record(row(1, func(x *exchange.Exchange) { x.Result.Target = "cheap" }))
	r.ledger.Record(row(2, func(x *exchange.Exchange) { x.Result.Status = exchange.Cut }))
	r.ledger.Record(row(3, nil))
	name, data := f.next()
	for _, want := range []string{`<tr id="r-01M6VZM1VVYQNHF0684K000003">`, "assistant", "$0.0000123", "status=ok&amp;target=strong"} {
		if name != "row" || !strings.Contains(data, want) {
			t.Errorf("%s: %q is missing in\n%s", name, want, data)
		}
	}
}

func TestLive_GivesWhatAReaderMissed(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]struct {
		query  string
		header []string
	}{
		"since the page was made": {"?since=" + row(1, nil).ID, nil},
		"since it was cut off":    {"?since=" + row(0, nil).ID, []string{"Last-Event-ID", row(1, nil).ID}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := emptyRig(t)
			r.put(t, row(1, nil), row(2, nil), row(3, nil))
			f := follow(t, r, ask.query, ask.header...)
			for _, n := range []int{2, 3} {
				if _, data := f.next(); !strings.Contains(data, row(n, nil).ID) {
					t.Errorf("want row %d in\n%s", n, data)
				}
			}
			r.ledger.Record(row(4, nil))
			if _, data := f.next(); !strings.Contains(data, row(4, nil).ID) || strings.Contains(data, "since=") {
				t.Errorf("want row 4 in\n%s", data)
			}
		})
	}
}

func TestLive_CountsWhatIsTooFastToShow(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	f := follow(t, r, "")
	for i := range 100 {
		r.ledger.Record(row(i, nil))
	}
	skipped, rows := 0, 0
	for skipped+rows < 100 {
		switch name, data := f.next(); name {
		case "row":
			rows++
		case "skipped":
			var n int
			if _, err := fmt.Sscan(data, &n); err != nil {
				t.Fatal(err)
			}
			skipped += n
		}
	}
	if rows+skipped != 100 || rows < liveBurst {
		t.Errorf("%d rows and %d skipped", rows, skipped)
	}
}

func TestLive_EndsWithTheSession(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	f := follow(t, r, "")
	r.revoked.Store(true)
	r.ledger.Record(row(1, nil))
	for {
		ev, err := f.events.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !ev.Comment {
			t.Fatalf("got %q, %v; want the end", ev.Data, err)
		}
	}
}

func TestLive_EscapesRows(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	f := follow(t, r, "")
	r.ledger.Record(hostile())
	if _, data := f.next(); strings.Contains(data, "<script") || strings.Contains(data, "<img") || !strings.Contains(data, "&lt;script&gt;") {
		t.Errorf("not escaped:\n%s", data)
	}
}

func TestLive_RefusesAWrongFilter(t *testing.T) {
	t.Parallel()
	if f := follow(t, emptyRig(t), "?status=fine"); f.status != http.StatusBadRequest {
		t.Errorf("status %d", f.status)
	}
}
