package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestLoad_ManyKindsAtOnce(t *testing.T) {
	t.Parallel()
	const requests = 200
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	kinds := []struct {
		path, body string
		status     int
		has        string
		record     exchange.Status
	}{
		{chatPath, asking("one"), 200, "Ahoy", exchange.OK},
		{chatPath, asking("one", streamed), 200, "[DONE]", exchange.OK},
		{chatPath, asking("both", streamed, behaving("status=500")), 200, "second", exchange.OK},
		{chatPath, asking("half"), 200, "second", exchange.OK},
		{chatPath, asking("one", streamed, behaving("cut-event=3")), 200, `data: {"error"`, exchange.Cut},
		{chatPath, asking("one", behaving("status=400")), 400, "says 400", exchange.Failed},
		{chatPath, `{"model":`, 400, "not valid JSON", exchange.Failed},
		{embeddingsPath, `{"model":"embed","input":"a"}`, 200, "embedding", exchange.OK},
		{completionPath, `{"model":"one","prompt":"hi"}`, 200, "Ahoy", exchange.OK},
		{chatPath, asking("one", streamed, behaving("write=20")), 200, "[DONE]", exchange.OK},
	}
	ids := make([]string, requests)
	var wait sync.WaitGroup
	for i := range requests {
		wait.Go(func() {
			kind := kinds[i%len(kinds)]
			res, err := g.open(t.Context(), "POST", kind.path, kind.body, "X-Fairlead-Task-Id", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != kind.status || !strings.Contains(string(body), kind.has) {
				t.Errorf("request %d: %d %v %.300s", i, res.StatusCode, err, body)
			}
			ids[i] = res.Header.Get("X-Fairlead-Id")
		})
	}
	wait.Wait()
	seen := map[string]bool{}
	for i, id := range ids {
		if id == "" || seen[id] {
			t.Fatalf("request %d has the id %q", i, id)
		}
		seen[id] = true
		x := g.exchange(t, id)
		if kind := kinds[i%len(kinds)]; x.Result.Status != kind.record || x.Result.HTTPStatus != kind.status || kind.status == 200 && x.Asked.TaskID != fmt.Sprint(i) {
			t.Errorf("request %d is recorded as %+v", i, x)
		}
	}
}

func TestLoad_MoreThanTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets+"limits: { requests: 2 }\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			res, err := g.open(ctx, "POST", chatPath, asking("one", behaving("hold")))
			if err == nil {
				_ = res.Body.Close()
			}
		})
	}
	up.WaitRequests(t, 2)
	got := g.chat(t, asking("one"))
	if got.status != 503 || text(failure(t, got.body).Error.Code) != "overloaded" || got.header.Get("Retry-After") != "1" || got.header.Get("X-Should-Retry") != "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := g.do(t, "GET", "/v1/models", ""); got.status != 200 {
		t.Errorf("what calls nobody is not refused: %d", got.status)
	}
	up.Release()
	wait.Wait()
	if got := g.chat(t, asking("one")); got.status != 200 {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}

func TestLoad_MoreStreamsThanTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets+"limits: { streams: 1 }\n")
	var wait sync.WaitGroup
	wait.Go(func() {
		res, err := g.open(t.Context(), "POST", chatPath, asking("one", streamed, behaving("hold")))
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		if err != nil {
			t.Errorf("the stream within the limit: %v", err)
		}
	})
	up.WaitRequests(t, 1)
	got := g.chat(t, asking("one", streamed))
	f := failure(t, got.body)
	if got.status != 503 || text(f.Error.Code) != "overloaded" || !strings.Contains(f.Error.Message, "too many streams") || got.header.Get("Retry-After") != "1" || got.header.Get("X-Should-Retry") != "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if x := g.of(t, got); x.Result.HTTPStatus != 503 || x.Result.Kind != "overloaded" || len(x.Attempts) != 0 {
		t.Errorf("recorded %+v", x)
	}
	if got := g.chat(t, asking("one")); got.status != 200 {
		t.Errorf("a plain answer counts as a stream: %d %s", got.status, got.body)
	}
	up.Release()
	wait.Wait()
	for range 2 { // what is refused, fails or ends gives its place back
		for _, behavior := range []string{"status=500", "cut-event=3", "say=Ahoy"} {
			if got := g.chat(t, asking("one", streamed, behaving(behavior))); got.status == 503 {
				t.Errorf("%s, afterwards: %s", behavior, got.body)
			}
		}
	}
}
