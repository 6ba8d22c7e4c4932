package ledger

import (
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
)

// Bounds of Live.
const (
	maxSubscribers = 256
	liveBuffer     = 256 // rows that a subscriber may be behind
)

// Live passes exchanges to those who watch, as they are recorded. A watcher that
// does not keep up loses rows; nobody waits for it.
type Live struct {
	count atomic.Int32 // watchers, so that nothing is locked while there are none
	lost  atomic.Uint64

	mu       sync.Mutex
	closed   bool
	watchers map[chan *exchange.Exchange]struct{}
}

// NewLive returns a Live that nobody watches.
func NewLive() *Live { return &Live{watchers: map[chan *exchange.Exchange]struct{}{}} }

// Subscribe returns a channel of the exchanges from now on; they are shared and must
// not be changed. The channel is closed by stop, which may be called more than once.
// The error, Overloaded, says that too many watch already.
func (l *Live) Subscribe() (rows <-chan *exchange.Exchange, stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, &llm.Error{Kind: llm.Overloaded, Message: "the server is stopping"}
	}
	if len(l.watchers) >= maxSubscribers {
		return nil, nil, &llm.Error{Kind: llm.Overloaded, Message: "too many clients follow the requests already; close one"}
	}
	c := make(chan *exchange.Exchange, liveBuffer)
	l.watchers[c] = struct{}{}
	l.count.Add(1)
	return c, func() { l.leave(c) }, nil
}

// Close ends all watching, as a server does that stops: its watchers would otherwise
// stay as long as they like.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.watchers {
		delete(l.watchers, c)
		l.count.Add(-1)
		close(c)
	}
}

func (l *Live) leave(c chan *exchange.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.watchers[c]; !there {
		return
	}
	delete(l.watchers, c)
	l.count.Add(-1)
	close(c)
}

func (l *Live) publish(x *exchange.Exchange) {
	if l.count.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.watchers {
		select {
		case c <- x:
		default:
			l.lost.Add(1)
		}
	}
}

// Lost is how many rows slow watchers have missed.
func (l *Live) Lost() uint64 { return l.lost.Load() }
