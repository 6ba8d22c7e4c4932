package server

import (
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// Metrics are what /metrics shows. Labels come from the configuration only (target
// names, surfaces, statuses), so their number is bounded.
type Metrics struct {
	registry  *prometheus.Registry
	exchanges *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	cost      *prometheus.CounterVec
	firstByte *prometheus.HistogramVec
	total     *prometheus.HistogramVec
	overhead  prometheus.Histogram
	loss      *prometheus.CounterVec

	known atomic.Pointer[map[metricKey]*metricRow]
}

// metricKey is one combination of labels; looking the row up once saves a hash of
// strings for each of its series.
type metricKey struct {
	surface, target string
	status          exchange.Status
	state           money.State
}

type metricRow struct {
	exchanges, input, output, cacheRead, cost prometheus.Counter
	attempt                                   prometheus.Counter // of the same target, with the same end
	firstByte, total                          prometheus.Observer
}

// seconds from one millisecond to five minutes: a cache's answer to a long thought.
var latencyBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// NewMetrics makes the series, with the ledger's own beside them.
func NewMetrics(l *ledger.Ledger) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fairlead_" + name, Help: help}, labels)
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "fairlead_" + name, Help: help, Buckets: latencyBuckets}, []string{"surface", "target"})
	}
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		exchanges: counter("exchanges_total", "Finished exchanges.", "surface", "target", "status"),
		attempts:  counter("attempts_total", "Calls of targets.", "target", "status"),
		tokens:    counter("tokens_total", "Tokens by class.", "target", "class"),
		cost:      counter("cost_usd_total", "Cost in USD by how well it is known; for exact amounts use the records.", "target", "state"),
		firstByte: histogram("first_byte_seconds", "From arrival to the first byte of the answer."),
		total:     histogram("duration_seconds", "From arrival to the last byte of the answer."),
		overhead: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fairlead_overhead_seconds", Help: "Time spent in Fairlead before the first byte.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .25, 1}}),
		loss: counter("loss_total", "Fields of requests that a target could not be given as they were.", "target", "field"),
	}
	m.known.Store(&map[metricKey]*metricRow{})
	m.registry.MustRegister(m.exchanges, m.attempts, m.tokens, m.cost, m.firstByte, m.total, m.overhead, m.loss,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registerLedger(l.Stats, l.Health)
	return m
}

func (m *Metrics) registerLedger(stats func() ledger.Stats, health func() error) {
	gauge := func(name, help string, value func(ledger.Stats) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fairlead_ledger_" + name, Help: help},
			func() float64 { return value(stats()) }))
	}
	gauge("queued", "Exchanges that wait to be written.", func(s ledger.Stats) float64 { return float64(s.Queued) })
	gauge("written", "Exchanges written since the start.", func(s ledger.Stats) float64 { return float64(s.Written) })
	gauge("dropped", "Exchanges that were not recorded because the store failed for too long.", func(s ledger.Stats) float64 { return float64(s.Dropped) })
	gauge("failing", "1 while the store refuses to write.", func(ledger.Stats) float64 {
		if health() != nil {
			return 1
		}
		return 0
	})
}

// Handler serves the series.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Observe counts one finished exchange.
func (m *Metrics) Observe(x *exchange.Exchange) {
	row := m.row(metricKey{x.Asked.Surface, x.Result.Target, x.Result.Status, x.Bill.Cost.State})
	row.exchanges.Inc()
	u := &x.Bill.Usage
	addTo(row.input, u.TotalInput()-u.CacheRead)
	addTo(row.cacheRead, u.CacheRead)
	addTo(row.output, u.TotalOutput())
	if !x.Bill.Cost.USD.IsZero() {
		usd, _ := strconv.ParseFloat(x.Bill.Cost.USD.String(), 64) // a decimal is always a float, only less exact
		row.cost.Add(usd)
	}
	if x.FirstByte > 0 {
		row.firstByte.Observe(x.FirstByte.Seconds())
		m.overhead.Observe(x.Overhead.Seconds())
	}
	row.total.Observe(x.Total.Seconds())
	for i := range x.Attempts {
		if t := &x.Attempts[i]; row.attempt != nil && t.Target == x.Result.Target && t.Status == x.Result.Status {
			row.attempt.Inc() // nearly all of them
		} else {
			m.attempts.WithLabelValues(t.Target, string(t.Status)).Inc()
		}
	}
	for _, field := range x.Result.Loss {
		m.loss.WithLabelValues(x.Result.Target, lossLabel(field)).Inc()
	}
}

// lossLabel is the label of a lost field: clients may name fields as they like, and a
// label is for ever.
func lossLabel(field string) string {
	if dialect.IsField(field) {
		return field
	}
	return "other"
}

func addTo(c prometheus.Counter, n int64) {
	if n > 0 {
		c.Add(float64(n))
	}
}

// row finds the series of one combination of labels. Readers share an immutable
// map; a new combination, of which there are few, copies it.
func (m *Metrics) row(k metricKey) *metricRow {
	for {
		known := m.known.Load()
		if row, ok := (*known)[k]; ok {
			return row
		}
		row := &metricRow{
			exchanges: m.exchanges.WithLabelValues(k.surface, k.target, string(k.status)),
			input:     m.tokens.WithLabelValues(k.target, "input"),
			cacheRead: m.tokens.WithLabelValues(k.target, "cache_read"),
			output:    m.tokens.WithLabelValues(k.target, "output"),
			cost:      m.cost.WithLabelValues(k.target, k.state.String()),
			firstByte: m.firstByte.WithLabelValues(k.surface, k.target),
			total:     m.total.WithLabelValues(k.surface, k.target),
		}
		if k.target != "" {
			row.attempt = m.attempts.WithLabelValues(k.target, string(k.status))
		}
		next := make(map[metricKey]*metricRow, len(*known)+1)
		maps.Copy(next, *known)
		next[k] = row
		if m.known.CompareAndSwap(known, &next) {
			return row
		}
	}
}
