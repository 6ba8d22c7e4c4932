// Package load sends a fixed number of requests with a fixed number in flight, and
// says how long they took.
//
// It knows the fake upstream's stamps and no gateway's ways: what stands before the
// upstream is an address. A run is bounded in requests, in time and in failures.
// Start reading at Spec and Run.Measure.
package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/bench/measure"
	"github.com/fairlead/fairlead/bench/upstream"
)

// Spec is one load.
type Spec struct {
	Addr        string        `json:"addr"`  // host:port
	Key         string        `json:"key"`   // sent as a bearer token
	Model       string        `json:"model"` // asked for
	Ask         upstream.Ask  `json:"ask"`
	Messages    bool          `json:"messages"` // asked in Anthropic's Messages, of a gateway that translates them
	PromptBytes int           `json:"prompt_bytes"`
	InFlight    int           `json:"in_flight"`
	WarmUp      int           `json:"warm_up"` // requests that are not measured
	Requests    int           `json:"requests"`
	Ramp        time.Duration `json:"ramp"` // over which the first requests begin
	MaxTime     time.Duration `json:"max_time"`
}

// Quantiles of times in nanoseconds.
type Quantiles struct {
	P50  time.Duration `json:"p50_ns"`
	P90  time.Duration `json:"p90_ns"`
	P99  time.Duration `json:"p99_ns"`
	Most time.Duration `json:"max_ns"`
}

// Result is what a load saw.
type Result struct {
	Done       int           `json:"done"`
	Failed     int           `json:"failed"`
	FirstError string        `json:"first_error,omitempty"`
	Elapsed    time.Duration `json:"elapsed_ns"`
	// Latency is from the request's first byte to the answer's last, without the
	// time that the upstream was asked to think.
	Latency Quantiles `json:"latency"`
	// Gap is what lay between two content chunks beyond what lay between their
	// sending; Delay is from a chunk's sending to its arrival. Paced streams only.
	Gap   Quantiles `json:"gap"`
	Delay Quantiles `json:"delay"`
}

// grace is how long answers under way may take after MaxTime.
const grace = 30 * time.Second

// maxFailed ends a run that does not work.
const maxFailed = 100

// Run is a load whose connections stay open from the warm-up to the end.
type Run struct {
	spec    Spec
	workers []*worker
	left    atomic.Int64
	failed  atomic.Int64
	first   atomic.Pointer[string]
}

// New prepares a load.
func New(spec Spec) (*Run, error) {
	if spec.InFlight < 1 || spec.Requests < 1 || spec.MaxTime <= 0 {
		return nil, fmt.Errorf("a load needs in_flight, requests and max_time: %+v", spec)
	}
	r := &Run{spec: spec}
	path, body, end := "/v1/chat/completions", spec.Ask.Body(spec.Model, spec.PromptBytes), chatEnd
	if spec.Messages {
		path, body, end = "/v1/messages", spec.Ask.MessagesBody(spec.Model), messagesEnd
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"+
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, spec.Addr, spec.Key, len(body), body)
	for range spec.InFlight {
		w := &worker{run: r, client: client{addr: spec.Addr, request: request, streamEnd: end}}
		if spec.Ask.Gap > 0 {
			w.onPiece = w.notePiece
		}
		r.workers = append(r.workers, w)
	}
	return r, nil
}

// WarmUp sends the requests that are not measured.
func (r *Run) WarmUp(ctx context.Context) Result { return r.send(ctx, r.spec.WarmUp) }

// Measure sends the others.
func (r *Run) Measure(ctx context.Context) Result { return r.send(ctx, r.spec.Requests) }

// Close closes the connections.
func (r *Run) Close() {
	for _, w := range r.workers {
		if w.conn != nil {
			_ = w.conn.Close()
		}
	}
}

func (r *Run) send(ctx context.Context, n int) Result {
	r.left.Store(int64(n))
	r.failed.Store(0)
	begun := time.Now()
	stop := begun.Add(r.spec.MaxTime)
	var all sync.WaitGroup
	for _, w := range r.workers {
		w.reset(stop)
	}
	for i, w := range r.workers[:min(len(r.workers), n)] {
		start := begun.Add(r.spec.Ramp * time.Duration(i) / time.Duration(len(r.workers)))
		all.Go(func() { w.work(ctx, start, stop) })
	}
	all.Wait()
	return r.result(time.Since(begun))
}

func (r *Run) result(elapsed time.Duration) Result {
	res := Result{Elapsed: elapsed, Failed: int(r.failed.Load())}
	if first := r.first.Load(); first != nil {
		res.FirstError = *first
	}
	var latency, gaps, delays []time.Duration
	for _, w := range r.workers {
		latency = append(latency, w.latency...)
		gaps = append(gaps, w.gaps...)
		delays = append(delays, w.delays...)
	}
	res.Done = len(latency)
	res.Latency, res.Gap, res.Delay = quantiles(latency), quantiles(gaps), quantiles(delays)
	return res
}

func quantiles(v []time.Duration) Quantiles {
	return Quantiles{P50: measure.Quantile(v, 0.5), P90: measure.Quantile(v, 0.9), P99: measure.Quantile(v, 0.99), Most: measure.Quantile(v, 1)}
}

// worker is one place in flight.
type worker struct {
	client
	run     *Run
	latency []time.Duration
	gaps    []time.Duration
	delays  []time.Duration

	sent, arrived int64 // of the chunk before, 0 at a stream's start
}

func (w *worker) reset(stop time.Time) {
	w.latency, w.gaps, w.delays = w.latency[:0], w.gaps[:0], w.delays[:0]
	w.until = stop.Add(grace)
	if w.conn != nil {
		_ = w.conn.SetDeadline(w.until) // a connection that cannot take it fails with its next write
	}
}

func (w *worker) work(ctx context.Context, start, stop time.Time) {
	timer := time.NewTimer(time.Until(start))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	for w.run.left.Add(-1) >= 0 && time.Now().Before(stop) && ctx.Err() == nil {
		begun := time.Now()
		w.sent = 0
		if err := w.once(ctx, w.run.spec.Ask.Stream); err != nil {
			text := err.Error()
			w.run.first.CompareAndSwap(nil, &text)
			if w.run.failed.Add(1) >= maxFailed {
				return
			}
			continue
		}
		w.latency = append(w.latency, time.Since(begun)-w.run.spec.Ask.Think)
	}
}

// notePiece compares when chunks came with when they were sent: both clocks are this
// machine's.
func (w *worker) notePiece(piece []byte) {
	now := time.Now().UnixNano()
	stamps(piece, func(sent int64) {
		if w.sent != 0 {
			w.gaps = append(w.gaps, time.Duration((now-w.arrived)-(sent-w.sent)))
		}
		w.delays = append(w.delays, time.Duration(now-sent))
		w.sent, w.arrived = sent, now
	})
}
