package rawjson

import (
	"hash/maphash"
	"slices"
)

// linearNames is how many names an object may have before a hash table finds its duplicates. Requests have fewer in
// nearly every object, and comparing so few by hand is cheaper than hashing them.
const linearNames = 16

// scratch is the memory of the duplicate search. The names of all objects that are open at one moment stand on one
// stack, as do their hash tables.
type scratch struct {
	names []name
	plain []byte   // names that held escapes, unescaped
	slots []uint32 // hash tables: 1 + the place of a name within its object, 0 for free
	seed  maphash.Seed
	// seeded: the seed is drawn once, with the first large object. It is random so that nobody can prepare names that
	// collide; what Check answers does not depend on it.
	seeded bool
}

// A name is the offsets of an object's name. Offsets from len(b) on point into scratch.plain.
type name struct {
	start, end uint32
	hash       uint32 // set once the object has a table
}

// nameSet is the part of the stacks that belongs to one open object.
type nameSet struct {
	names, plain, slots int // where it begins
	hashed              bool
}

// Scratch larger than this is not kept for the next text, so one giant does not stay in memory.
const keepNames, keepPlain, keepSlots = 1 << 10, 1 << 12, 1 << 12

func (c scratch) reset() scratch {
	if cap(c.names) > keepNames {
		c.names = nil
	}
	if cap(c.plain) > keepPlain {
		c.plain = nil
	}
	if cap(c.slots) > keepSlots {
		c.slots = nil
	}
	c.names, c.plain, c.slots = c.names[:0], c.plain[:0], c.slots[:0]
	return c
}

func (s *scanner) openNames() nameSet {
	return nameSet{names: len(s.names), plain: len(s.plain), slots: len(s.slots)}
}

func (s *scanner) closeNames(set *nameSet) {
	s.names, s.plain, s.slots = s.names[:set.names], s.plain[:set.plain], s.slots[:set.slots]
}

func (s *scanner) key(n name) []byte {
	if base := uint32(len(s.b)); n.start >= base {
		return s.plain[n.start-base : n.end-base]
	}
	return s.b[n.start:n.end]
}

// unique adds the name b[start:end] to its object's names, and reports whether the object did not have it yet.
func (s *scanner) unique(set *nameSet, start, end int, escaped bool) bool {
	n := name{start: uint32(start), end: uint32(end)}
	key := s.b[start:end]
	if escaped {
		from := len(s.plain)
		s.plain = appendUnescaped(s.plain, key)
		n.start, n.end = uint32(len(s.b)+from), uint32(len(s.b)+len(s.plain))
		key = s.plain[from:]
	}
	if count := len(s.names) - set.names; count >= linearNames {
		return s.uniqueHashed(set, n, key, start)
	}
	for _, old := range s.names[set.names:] {
		if old.end-old.start == n.end-n.start && string(s.key(old)) == string(key) {
			s.duplicate(start-1, key)
			return false
		}
	}
	s.names = append(s.names, n)
	return true
}

// uniqueHashed is unique for an object that has outgrown the search by hand.
func (s *scanner) uniqueHashed(set *nameSet, n name, key []byte, at int) bool {
	if !s.seeded {
		s.seed, s.seeded = maphash.MakeSeed(), true
	}
	own := s.names[set.names:]
	if !set.hashed {
		set.hashed = true
		for i := range own {
			own[i].hash = uint32(maphash.Bytes(s.seed, s.key(own[i])))
		}
	}
	if size := len(s.slots) - set.slots; size < 2*(len(own)+1) {
		s.growTable(set, max(4*linearNames, 2*size))
	}
	n.hash = uint32(maphash.Bytes(s.seed, key))
	table := s.slots[set.slots:]
	slot := s.probe(table, own, n.hash, key)
	if table[slot] != 0 {
		s.duplicate(at-1, key)
		return false
	}
	if len(s.names) == cap(s.names) { // double: append's smaller steps would copy a large stack too often
		s.names = slices.Grow(s.names, len(s.names))
	}
	s.names = append(s.names, n)
	table[slot] = uint32(len(own) + 1)
	return true
}

// probe returns the slot that holds key, or else the free one where it belongs. The table's size is a power of two
// and at most half of it is taken.
func (s *scanner) probe(table []uint32, own []name, hash uint32, key []byte) uint32 {
	mask := uint32(len(table) - 1)
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		place := table[slot]
		if place == 0 {
			return slot
		}
		if old := own[place-1]; old.hash == hash && string(s.key(old)) == string(key) {
			return slot
		}
	}
}

// growTable gives the object, whose table is the last one on the stack because its inner objects are closed, an empty
// table of the given size and puts its names in.
func (s *scanner) growTable(set *nameSet, size int) {
	s.slots = slices.Grow(s.slots[:set.slots], size)[:set.slots+size]
	table := s.slots[set.slots:]
	clear(table)
	mask := uint32(size - 1)
	for i, n := range s.names[set.names:] { // all different, so only a free slot is looked for
		slot := n.hash & mask
		for table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		table[slot] = uint32(i + 1)
	}
}
