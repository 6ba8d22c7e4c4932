package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
)

// later is a body that says nothing for a while.
type later struct {
	ctx  context.Context
	wait time.Duration
	io.Reader
}

func (l *later) Read(p []byte) (int, error) {
	timer := time.NewTimer(l.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		l.wait = 0
		return l.Reader.Read(p)
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	}
}

func TestTime_AnErrorAfterALongSilenceIsHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *http.Request) (*http.Response, error) {
			return answers(r, 200, "text/event-stream", io.MultiReader(strings.NewReader(textChunk), &later{r.Context(), 10 * time.Minute, strings.NewReader("")})), nil
		})
		client := r.inBubble(t)
		res, body := do(t, client, "POST", "http://x/v1/chat/completions", streamBody)
		if res.StatusCode != 200 || !strings.HasPrefix(body, textChunk) || !strings.Contains(body, `data: {"error":{"message":"the upstream's stream ended`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		if x := <-r.rows; x.Result.Status != exchange.Cut {
			t.Errorf("recorded %+v", x.Result)
		}
	})
}

func TestTime_AClientThatDoesNotReadIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *http.Request) (*http.Response, error) {
			return answers(r, 200, "text/event-stream", strings.NewReader(strings.Repeat(textChunk, 10_000)+stopChunk)), nil
		})
		client := r.inBubble(t)
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://x/v1/chat/completions", strings.NewReader(streamBody))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", secret)
		begun := time.Now()
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		x := <-r.rows
		if took := time.Since(begun); took > 2*r.cfg.WriteTime || x.Result.Status != exchange.Canceled {
			t.Errorf("recorded %s after %s", x.Result.Status, took)
		}
	})
}

func TestTime_ABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(well)
		client := r.inBubble(t)
		body, writer := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://x/v1/chat/completions", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", secret)
		go func() { _, _ = io.WriteString(writer, plainBody[:10]) }() // the rest never comes
		begun := time.Now()
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		defer writer.Close()
		if took := time.Since(begun); res.StatusCode != 400 || took < r.cfg.BodyTime || took > r.cfg.BodyTime+5*time.Second {
			t.Errorf("%d after %s", res.StatusCode, took)
		}
	})
}
