package engine

import (
	"context"
	"errors"
	"sync"
)

// ErrQueueFull says that as many requests wait already as Config.Queue allows.
var ErrQueueFull = errors.New("the local engine's queue is full; try again in a moment, or raise engine.queue or engine.slots")

// queue lets so many through at once and so many wait.
type queue struct {
	slots chan struct{}

	mu      sync.Mutex
	waiting int
	limit   int
}

func newQueue(slots, limit int) *queue {
	return &queue{slots: make(chan struct{}, slots), limit: limit}
}

// Acquire waits for one of the engine's slots. Call release once the answer has
// ended; calling it again does nothing. Errors: ErrQueueFull at once, or why ctx
// ended. A request for n choices uses n of the engine's slots and counts as one.
func (e *Engine) Acquire(ctx context.Context) (release func(), err error) {
	return e.queue.acquire(ctx)
}

func (q *queue) acquire(ctx context.Context) (func(), error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case q.slots <- struct{}{}:
		return q.release(), nil
	default:
	}
	if !q.enter() {
		return nil, ErrQueueFull
	}
	defer q.leave()
	select {
	case q.slots <- struct{}{}:
		return q.release(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (q *queue) enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= q.limit {
		return false
	}
	q.waiting++
	return true
}

func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
}

func (q *queue) release() func() {
	return sync.OnceFunc(func() { <-q.slots })
}

// Load is how many requests generate and how many wait.
func (e *Engine) Load() (running, waiting int) {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return len(e.queue.slots), e.queue.waiting
}
