package load

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/bench/upstream"
)

func fake(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- upstream.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func run(t *testing.T, spec Spec) Result {
	t.Helper()
	r, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.WarmUp(t.Context())
	return r.Measure(t.Context())
}

func TestRun_CountsEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, ask := range []upstream.Ask{{}, {Stream: true, Chunks: 66}} {
		got := run(t, Spec{Addr: fake(t), Model: "m", Ask: ask, PromptBytes: 2048, InFlight: 4, WarmUp: 3, Requests: 50, MaxTime: time.Minute})
		if got.Done != 50 || got.Failed != 0 || got.Latency.P50 <= 0 || got.Latency.Most < got.Latency.P99 {
			t.Errorf("%+v: %+v", ask, got)
		}
	}
}

func TestRun_LeavesTheWarmUpOut(t *testing.T) {
	t.Parallel()
	got := run(t, Spec{Addr: fake(t), Model: "m", InFlight: 8, WarmUp: 40, Requests: 1, MaxTime: time.Minute})
	if got.Done != 1 {
		t.Errorf("%d answers, one was asked for", got.Done)
	}
}

func TestRun_ComparesChunksWithTheirSending(t *testing.T) {
	t.Parallel()
	got := run(t, Spec{Addr: fake(t), Model: "m", Ask: upstream.Ask{Stream: true, Chunks: 10, Gap: time.Millisecond},
		PromptBytes: 2048, InFlight: 2, Requests: 4, MaxTime: time.Minute})
	if got.Done != 4 || got.Delay.P50 <= 0 || got.Delay.P50 > time.Second {
		t.Errorf("%+v", got)
	}
	if got.Latency.P50 < 9*time.Millisecond {
		t.Errorf("ten chunks a millisecond apart came within %v", got.Latency.P50)
	}
}

func TestRun_LeavesTheThinkingOut(t *testing.T) {
	t.Parallel()
	got := run(t, Spec{Addr: fake(t), Model: "m", Ask: upstream.Ask{Think: 200 * time.Millisecond},
		InFlight: 3, Requests: 3, MaxTime: time.Minute})
	if got.Done != 3 || got.Elapsed < 200*time.Millisecond || got.Latency.P50 > 150*time.Millisecond {
		t.Errorf("%+v", got)
	}
}

func TestRun_FailsWhereTheAnswerIsNotWhole(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "wrong key", http.StatusUnauthorized) }, "wrong key"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("data: 1\n\n"))
			_ = http.NewResponseController(w).Flush()
		}, "the stream ended with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			got := run(t, Spec{Addr: strings.TrimPrefix(s.URL, "http://"), Model: "m", Ask: upstream.Ask{Stream: true, Chunks: 2},
				InFlight: 2, Requests: 1000, MaxTime: time.Minute})
			if got.Done != 0 || got.Failed < maxFailed || got.Failed > maxFailed+2 || !strings.Contains(got.FirstError, tt.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRun_StopsInTime(t *testing.T) {
	t.Parallel()
	got := run(t, Spec{Addr: fake(t), Model: "m", InFlight: 1, Requests: 1 << 30, MaxTime: 50 * time.Millisecond})
	if got.Done == 0 || got.Elapsed > 10*time.Second {
		t.Errorf("%+v", got)
	}
	if _, err := New(Spec{}); err == nil {
		t.Error("a load without bounds was taken")
	}
}

func TestStamps_PassesOverWhatIsSplit(t *testing.T) {
	t.Parallel()
	var got []int64
	piece := `{"content":""} {"content":"1764000000000000001 "} x {"content":"1764000000000000002 "} {"content":"17640000`
	stamps([]byte(piece), func(sent int64) { got = append(got, sent) })
	if diff := cmp.Diff([]int64{1764000000000000001, 1764000000000000002}, got); diff != "" {
		t.Error(diff)
	}
}
