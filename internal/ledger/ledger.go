// Package ledger answers what happened: it takes every finished exchange from the
// request that made it, writes it behind the answer, and reads it back.
//
// It knows no database (Store says what it needs of one), no HTTP and no price. What
// is promised: an answer never waits for the record; after a `kill -9` at most the
// last second of exchanges is missing and none is there twice. Start reading at
// Ledger.Record and Ledger.Run, then Filter and Summary.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
)

// What a Store's errors wrap, so that the ledger and its readers can tell them apart.
var (
	// ErrNotFound: no exchange has this id, or none that the scope may see.
	ErrNotFound = errors.New("no such exchange")
	// ErrDiskFull: nothing can be written until there is room.
	ErrDiskFull = errors.New("the disk is full")
	// ErrLocked: another process holds the database.
	ErrLocked = errors.New("the database is locked")
	// ErrCorrupt: the database cannot be read as one.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrBadRow: a row of the batch can never be written; trying again is of no use.
	ErrBadRow = errors.New("a row that cannot be stored")
)

// Store keeps exchanges. Implementations are safe for concurrent use; what they
// return belongs to the caller.
type Store interface {
	// Append writes all rows or none. A row whose id is already there is left as it
	// is, so that a batch may be given twice.
	Append(ctx context.Context, rows []*exchange.Exchange) error
	// Get returns the exchange with this id or, if none has it, the newest in scope
	// whose answer carried it.
	Get(ctx context.Context, id string, in Scope) (*exchange.Exchange, error)
	// List returns at most f.Limit exchanges, newest first, and the cursor for the
	// next page, "" at the end. f was validated.
	List(ctx context.Context, f Filter) (rows []*exchange.Exchange, next string, err error)
	// Summary adds up r's hours.
	Summary(ctx context.Context, r Range, in Scope) (Summary, error)
}

// Config bounds a Ledger.
type Config struct {
	Queue      int           // rows that may wait to be written
	QueueBytes int64         // and about how much memory they may take
	Batch      int           // rows written in one go
	Every      time.Duration // the longest that a row waits while the store is well
	Drain      time.Duration // the longest that a stop waits for the store
	Required   bool          // refuse requests that could not be recorded
}

// Default waits at most 100 ms, which is what a crash can lose, and holds 65,536 rows
// in at most 64 MiB: at 1,000 requests a second a minute of trouble.
func Default() Config {
	return Config{Queue: 65_536, QueueBytes: 64 << 20, Batch: 500, Every: 100 * time.Millisecond, Drain: 5 * time.Second}
}

// Validate says what is wrong with c, if anything.
func (c Config) Validate() error {
	var wrong []error
	if c.Queue < 1 || c.QueueBytes < 1 {
		wrong = append(wrong, fmt.Errorf("record: the queue holds %d rows and %d bytes: it must hold at least one of each", c.Queue, c.QueueBytes))
	}
	if c.Batch < 1 || c.Batch > 10_000 {
		wrong = append(wrong, fmt.Errorf("record: batch is %d: it must lie between 1 and 10,000", c.Batch))
	}
	if c.Every <= 0 || c.Every > 500*time.Millisecond {
		wrong = append(wrong, fmt.Errorf("record: every is %s: it must lie between 0 and 500ms, for a crash may lose no more than a second", c.Every))
	}
	if c.Drain <= 0 {
		wrong = append(wrong, fmt.Errorf("record: drain is %s: it must be more than 0", c.Drain))
	}
	return errors.Join(wrong...)
}

// Back-off between tries while the store fails.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Ledger is the queue between the requests and the store. Requests call Record; Run
// alone writes.
type Ledger struct {
	store Store
	cfg   Config
	log   *slog.Logger
	live  *Live

	wake chan struct{} // there is something to write; holds one token
	full chan struct{} // write now: a batch is complete, or a reader waits

	mu       sync.Mutex
	pending  []*exchange.Exchange // waiting, oldest first
	writing  []*exchange.Exchange // taken by Run, not settled yet
	bytes    int64                // of both
	recorded uint64               // rows ever taken in
	settled  uint64               // of them: written, or given up
	changed  chan struct{}        // closed and replaced when settled or trouble changes
	closed   bool                 // Run is over
	trouble  error                // why the store fails now, nil while it is well
	stats    Stats
}

// Stats is for metrics. The counts only rise.
type Stats struct {
	Queued      int // now
	QueuedBytes int64
	Written     uint64
	Dropped     uint64 // never written: queue full, stopped, or a row that no store takes
	Failures    uint64 // tries that the store refused
	LastError   string
	LastErrorAt time.Time
}

// New returns a Ledger that writes to store once Run runs.
func New(store Store, cfg Config, log *slog.Logger) *Ledger {
	return &Ledger{
		store: store, cfg: cfg, log: log, live: NewLive(),
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// Live is where the exchanges pass by as they are recorded.
func (l *Ledger) Live() *Live { return l.live }

// Record takes a finished exchange; the caller must not touch it any more. It never
// waits: when the queue is full the new row is dropped and counted. The old ones stay,
// for they are the record of how the trouble began, and the gap is one piece.
func (l *Ledger) Record(x *exchange.Exchange) {
	clip(x)
	l.live.publish(x)
	size := sizeOf(x)

	l.mu.Lock()
	n := len(l.pending) + len(l.writing)
	if l.closed || n >= l.cfg.Queue || l.bytes+size > l.cfg.QueueBytes {
		l.stats.Dropped++
		first := l.stats.Dropped == 1
		l.mu.Unlock()
		if first {
			l.log.Error("the record loses exchanges: its queue is full; see /metrics for how many", "queued", n)
		}
		return
	}
	l.pending = append(l.pending, x)
	l.bytes += size
	l.recorded++
	n = len(l.pending)
	l.mu.Unlock()

	if n == 1 {
		signal(l.wake)
	}
	if n == l.cfg.Batch {
		signal(l.full)
	}
}

// signal leaves a token in c, if there is none yet.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Health is nil while the record is complete and the store takes it; otherwise it
// says what is wrong now.
func (l *Ledger) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.trouble != nil:
		return l.trouble
	case l.fullLocked():
		return errors.New("the record's queue is full: exchanges are not recorded until the store catches up")
	}
	return nil
}

func (l *Ledger) fullLocked() bool {
	return len(l.pending)+len(l.writing) >= l.cfg.Queue || l.bytes >= l.cfg.QueueBytes
}

// Ready is asked before a request is served. It is nil unless the configuration says
// `record: required` and the record is in trouble.
func (l *Ledger) Ready() error {
	if !l.cfg.Required {
		return nil
	}
	if err := l.Health(); err != nil {
		return &llm.Error{
			Kind: llm.Overloaded, Code: "record_unavailable", Err: err, RetryAfter: maxPause,
			Message: "requests must be recorded here and cannot be now; /readyz says why, try again later",
		}
	}
	return nil
}

// Stats gives the figures for metrics.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Queued = len(l.pending) + len(l.writing)
	s.QueuedBytes = l.bytes
	return s
}

// syncWait bounds how long a reader waits for rows that are still in the queue.
const syncWait = time.Second

// Sync waits until what was recorded before the call is written, so that a client
// finds its exchange as soon as it has its answer. It does not wait for a store that
// is in trouble, nor longer than a second.
func (l *Ledger) Sync(ctx context.Context) {
	timer := time.NewTimer(syncWait)
	defer timer.Stop()
	l.mu.Lock()
	until := l.recorded
	for l.settled < until && l.trouble == nil && !l.closed {
		changed := l.changed
		l.mu.Unlock()
		signal(l.full)
		signal(l.wake)
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
	}
	l.mu.Unlock()
}

// Get finds one exchange as Store.Get does, those that are not written yet included.
// The exchange may be shared: it must not be changed.
func (l *Ledger) Get(ctx context.Context, id string, in Scope) (*exchange.Exchange, error) {
	// The queue first: a row leaves it only once the store has it.
	if x := l.queued(id, in); x != nil {
		return x, nil
	}
	return l.store.Get(ctx, id, in)
}

func (l *Ledger) queued(id string, in Scope) *exchange.Exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rows := range [...][]*exchange.Exchange{l.pending, l.writing} {
		for _, x := range slices.Backward(rows) {
			if (x.ID == id || x.Result.AnswerID == id) && in.Sees(x) {
				return x
			}
		}
	}
	return nil
}

// List reads as Store.List does, after it checked the filter and waited as Sync does.
func (l *Ledger) List(ctx context.Context, f Filter) ([]*exchange.Exchange, string, error) {
	f, err := f.Validate()
	if err != nil {
		return nil, "", err
	}
	l.Sync(ctx)
	return l.store.List(ctx, f)
}

// Summary reads as Store.Summary does, after it waited as Sync does.
func (l *Ledger) Summary(ctx context.Context, r Range, in Scope) (Summary, error) {
	r, err := r.Validate()
	if err != nil {
		return Summary{}, err
	}
	l.Sync(ctx)
	return l.store.Summary(ctx, r, in)
}
