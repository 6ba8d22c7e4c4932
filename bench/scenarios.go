package main

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/bench/load"
	"github.com/fairlead/fairlead/bench/upstream"
)

// scenario is one load and what is read from it.
type scenario struct {
	name string
	load load.Spec
	// fresh: each round has new processes, so that memory is this round's.
	fresh bool
	// translated: Fairlead is asked in Anthropic's Messages, the forwarder, which cannot
	// translate, in what the upstream speaks.
	translated bool
	rounds     int // pairs at most, 0 as many as asked
	figures    []figure
}

// figure is one line of the table.
type figure struct {
	name    string
	unit    string
	of      func(round) float64
	compare compare
	target  float64 // 0: for orientation
}

// compare says how Fairlead's figure is judged.
type compare int

const (
	ratio compare = iota // Fairlead's over the forwarder's
	added                // Fairlead's minus the forwarder's
	alone                // Fairlead's
)

// round is what one load did to one gateway.
type round struct {
	Result  load.Result   `json:"result"`
	CPU     time.Duration `json:"cpu_ns"`
	RSS     int64         `json:"rss_before"` // before the measured requests
	Peak    int64         `json:"rss_peak"`   // of the process, to the round's end
	Streams int           `json:"-"`
}

// The readings.
func cpuPerRequest(r round) float64 { return micros(r.CPU) / float64(max(r.Result.Done, 1)) }
func median(r round) float64        { return micros(r.Result.Latency.P50) / 1000 }
func gap99(r round) float64         { return micros(r.Result.Gap.P99) / 1000 }
func peak(r round) float64          { return float64(r.Peak) / 1e6 }
func micros(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond)
}

// targetStreams is how many open streams the memory target is for.
const targetStreams = 10_000

// atTarget draws a line from the memory before the streams through that with them.
func atTarget(r round) float64 {
	each := float64(max(r.Peak-r.RSS, 0)) / float64(max(r.Streams, 1))
	return (float64(r.RSS) + each*targetStreams) / 1e6
}

const (
	small    = 2 << 10
	large    = 220 << 10
	inFlight = 32
	chunks   = 66
	maxTime  = time.Minute // of one round
)

// scenarios is everything that is run. n shortens rounds for -quick.
func scenarios(o options) []scenario {
	n := func(requests int) int {
		if o.quick {
			requests /= 4
		}
		return requests
	}
	plain, stream := upstream.Ask{}, upstream.Ask{Stream: true, Chunks: chunks}
	paced := upstream.Ask{Stream: true, Chunks: chunks, Gap: 2 * time.Millisecond}
	all := []scenario{
		{name: "chat 2 KB, 32 in flight", load: spec(plain, small, inFlight, 1000, n(24_000)),
			figures: []figure{{"CPU per request", "µs", cpuPerRequest, ratio, 1.3}}},
		{name: "stream of 66 chunks, 32 in flight", load: spec(stream, small, inFlight, 100, n(2400)),
			figures: []figure{{"CPU per answer", "µs", cpuPerRequest, ratio, 1.3}}},
		{name: "stream of 66 chunks, translated", load: spec(stream, 0, inFlight, 100, n(2400)), translated: true,
			figures: []figure{{"CPU per answer", "µs", cpuPerRequest, ratio, 2 * 1.3}}}, // twice what may be spent on passing it
		{name: "stream of 66 chunks, 2 ms apart", load: spec(paced, small, inFlight, 64, n(640)),
			figures: []figure{{"CPU per answer", "µs", cpuPerRequest, ratio, 1.3}}},
		{name: "chat 2 KB, one after the other", load: spec(plain, small, 1, 200, n(6000)),
			figures: []figure{{"median latency", "ms", median, added, 0.1}}},
		{name: "prompt 220 KB, 32 in flight", load: spec(plain, large, inFlight, 200, n(4000)),
			figures: []figure{{"CPU per request", "µs", cpuPerRequest, ratio, 1.25}}},
		{name: "prompt 220 KB, 16 in flight", load: spec(plain, large, 16, 100, n(4000)), fresh: true, rounds: 1,
			figures: []figure{{"peak memory", "MB", peak, alone, 150}}},
	}
	for _, c := range [...]int{1, 16, 64, 200} {
		all = append(all, thinking(c, n))
	}
	all = append(all, open(o.streams))
	if o.quick {
		for i := range all {
			if all[i].rounds > 0 {
				all[i].rounds = 1 // these take their time
			}
		}
	}
	return all
}

func spec(ask upstream.Ask, prompt, inFlight, warm, requests int) load.Spec {
	return load.Spec{Key: benchKey, Model: benchModel, Ask: ask, PromptBytes: prompt, InFlight: inFlight, WarmUp: warm, Requests: requests, MaxTime: maxTime}
}

// thinkRate is how many 220 KB prompts a second are sent where latency is measured:
// a busy machine, but not a queue.
const thinkRate = 250

// thinking has c prompts in flight because the upstream takes its time, as models do.
// Without that the latency would be that of a queue for the CPU, which c sets.
func thinking(c int, n func(int) int) scenario {
	ask := upstream.Ask{Think: time.Duration(c) * time.Second / thinkRate}
	s := spec(ask, large, c, min(2*c, 100), max(n(800), 2*c))
	s.Ramp = ask.Think
	return scenario{
		name: fmt.Sprintf("prompt 220 KB, %d in flight, model thinks %d ms", c, ask.Think.Milliseconds()), load: s, rounds: 3,
		figures: []figure{{"median latency", "ms", median, added, 2}},
	}
}

// chunkRate is how many chunks a second all open streams have together: on two
// processors about what three processes can pass on without a queue.
const chunkRate = 4000

func open(streams int) scenario {
	gap := time.Duration(streams) * time.Second / chunkRate
	each := max(int(6*time.Second/gap), 12)
	s := spec(upstream.Ask{Stream: true, Chunks: min(each, 600), Gap: gap}, small, streams, min(streams, 64), streams)
	s.Ramp = 2 * gap
	figures := []figure{
		{"gap between chunks, p99", "ms", gap99, added, 5},
		{"peak memory", "MB", peak, alone, 0},
	}
	if streams >= targetStreams {
		figures[1].target = 600
	} else {
		figures = append(figures, figure{"drawn on to 10,000", "MB", atTarget, alone, 600})
	}
	return scenario{name: fmt.Sprintf("%d open streams, a chunk each %d ms", streams, gap.Milliseconds()), load: s, fresh: true, rounds: 2, figures: figures}
}
