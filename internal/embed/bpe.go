package embed

// word merges the tokens of one word. Its memory is used again for the next.
type word struct {
	symbols []symbol
	queue   []candidate
}

// symbol is one token in a doubly linked list; id is -1 once merged away.
type symbol struct {
	id         int32
	prev, next int32
}

// candidate is a merge that was possible when it was queued.
type candidate struct {
	merge
	of pair
	at int32
}

// before orders candidates: lower rank first, the leftmost among equals.
func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || (c.rank == d.rank && c.at < d.at)
}

func (w *word) reset() { w.symbols, w.queue = w.symbols[:0], w.queue[:0] }

func (w *word) add(id int32) {
	n := int32(len(w.symbols))
	w.symbols = append(w.symbols, symbol{id: id, prev: n - 1, next: n + 1})
}

// encode merges as long as it can and appends what is left to ids. A heap keeps
// it at n log n, so that a megabyte without a space is no attack.
func (w *word) encode(ids []int32, merges map[pair]merge) []int32 {
	if len(w.symbols) == 0 {
		return ids
	}
	w.symbols[len(w.symbols)-1].next = -1
	for i := range w.symbols {
		w.offer(int32(i), merges)
	}
	for len(w.queue) > 0 {
		c := w.pop()
		s := &w.symbols[c.at]
		if s.id < 0 || s.next < 0 {
			continue
		}
		next := w.symbols[s.next]
		if pairOf(s.id, next.id) != c.of {
			continue // a neighbour has changed since the merge was queued
		}
		w.symbols[s.next].id = -1
		s.id, s.next = c.id, next.next
		if s.next >= 0 {
			w.symbols[s.next].prev = c.at
		}
		if s.prev >= 0 {
			w.offer(s.prev, merges)
		}
		w.offer(c.at, merges)
	}
	for i := int32(0); i >= 0; i = w.symbols[i].next {
		ids = append(ids, w.symbols[i].id)
	}
	return ids
}

// offer queues the merge of symbol i with its right neighbour, if there is one.
func (w *word) offer(i int32, merges map[pair]merge) {
	s := w.symbols[i]
	if s.next < 0 {
		return
	}
	of := pairOf(s.id, w.symbols[s.next].id)
	if m, ok := merges[of]; ok {
		w.push(candidate{merge: m, of: of, at: i})
	}
}

// push and pop are a binary heap without the interface calls of container/heap.
func (w *word) push(c candidate) {
	w.queue = append(w.queue, c)
	q := w.queue
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !c.before(q[parent]) {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = c
	w.queue = q
}

func (w *word) pop() candidate {
	q := w.queue
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	w.queue = q
	if len(q) == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1].before(q[child]) {
			child++
		}
		if !q[child].before(last) {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = last
	return top
}
