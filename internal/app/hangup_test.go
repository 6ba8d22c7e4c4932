package app

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestHangUp_CancelsTheUpstreamAndIsBilled(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		within bool // the client has read a line of the answer
	}{
		"before the headers": {asking("both", behaving("hold")), false},
		"before an event":    {asking("both", streamed, behaving("hold-event=1")), false},
		"within a stream":    {asking("both", streamed, behaving("hold-event=4")), true},
		"within a body":      {asking("both", behaving("stall=50")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := testkit.NewUpstream(t)
			g := start(t, up, twoTargets)
			rows := g.watch(t)
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			answered := make(chan error, 1)
			read := make(chan string, 1)
			go func() {
				res, err := g.open(ctx, "POST", chatPath, tc.body)
				if err == nil {
					defer res.Body.Close()
					line, _ := bufio.NewReader(res.Body).ReadString('\n') // what matters is that some of it came
					read <- line
					<-ctx.Done()
				}
				answered <- err
			}()
			up.WaitRequests(t, 1)
			if tc.within {
				if line := <-read; !strings.HasPrefix(line, "data: {") {
					t.Fatalf("read %q", line)
				}
			}
			hangUp()
			begun := time.Now()
			<-up.Last(t).Gone
			if took := time.Since(begun); took > 100*time.Millisecond {
				t.Errorf("the upstream was left after %s", took)
			}
			_ = <-answered // an error: its client left
			x := next(t, rows)
			if x.Result.Status != exchange.Canceled || x.Result.Kind != "canceled" || len(x.Attempts) != 1 || x.Attempts[0].Status != exchange.Canceled {
				t.Errorf("recorded %+v", x)
			}
			if x.Bill.Cost.State != money.Estimated || x.Bill.Usage.Input == 0 || x.Bill.Cost.USD.IsZero() || tc.within == (x.Bill.Usage.Output == 0) {
				t.Errorf("billed %+v", x.Bill)
			}
			status := 499
			if tc.within {
				status = 200
			}
			if x.Result.HTTPStatus != status {
				t.Errorf("status %d, want %d", x.Result.HTTPStatus, status)
			}
			got := g.do(t, "GET", "/v1/exchanges?status=canceled", "")
			mustHold(t, got.body, []string{x.ID, `"status":"canceled"`, `"next":null`}, nil)
		})
	}
}

func TestHangUp_OfOneIsNothingToAnother(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	ctx, hangUp := context.WithCancel(t.Context())
	gone, err := g.open(ctx, "POST", chatPath, asking("one", streamed, behaving("hold-event=3")))
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Body.Close()
	stays, err := g.open(t.Context(), "POST", chatPath, asking("one", streamed, behaving("hold-event=2")))
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Body.Close()
	begun := make([]byte, 1)
	if _, err := io.ReadFull(stays.Body, begun); err != nil { // its first event is here: the upstream holds it
		t.Fatal(err)
	}
	hangUp()
	up.WaitGone(t, 1)
	up.Release()
	rest, err := io.ReadAll(stays.Body)
	if err != nil || stays.StatusCode != 200 || !strings.HasSuffix(string(rest), "[DONE]\n\n") {
		t.Errorf("%v %d %s", err, stays.StatusCode, rest)
	}
}
