package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Lookup finds a field in bytes that nobody checked, such as an upstream's stream event, by following names from the
// root. It reads no further than it must, looks at no more than where values end, and so costs a fraction of Check. Without
// names it returns the root.
//
// It takes any bytes and never panics. On valid JSON it agrees with Check and Path; of equal names the first counts. On
// anything else it finds nothing, or some span that looks like the value: do not let a decision about who may do
// what rest on it.
func Lookup(b []byte, path ...string) (Value, bool) {
	start := space(b, 0)
	if len(path) == 0 {
		end := valueEnd(b, start)
		if end < 0 {
			return Value{}, false
		}
		return Value{raw: b[start:end:end], pos: start}, true
	}
	// The root, and each object on the way, is walked without finding its end first.
	return Value{raw: b[start:], pos: start}.Path(path...)
}

// A walker goes over the members of an object or the elements of an array.
type walker struct {
	b     []byte // begins with the opening bracket
	i     int    // where the next member or element may begin
	pos   int    // of b within the text
	name  []byte // between the quotes
	at    int    // of name within b
	value Value
	ends  *ends // of the long values in the text …
	ahead spans // … and those of them that are still to come
	done  bool
}

// walk starts a walker over v, or one that is done already if v does not begin with open.
func (v Value) walk(open byte) walker {
	if len(v.raw) == 0 || v.raw[0] != open {
		return walker{done: true}
	}
	return walker{b: v.raw, i: space(v.raw, 1), pos: v.pos, ends: v.ends, ahead: v.ends.from(v.pos)}
}

// next moves to the next member or element, and reports whether there is one that looks sound.
func (w *walker) next() bool {
	b, i := w.b, w.i
	if w.done || i >= len(b) || b[i] == '}' || b[i] == ']' {
		w.done = true
		return false
	}
	w.done = true // until the end of the value is found
	if b[0] == '{' {
		if b[i] != '"' {
			return false
		}
		end := stringEnd(b, i+1)
		if end < 0 {
			return false
		}
		w.name, w.at = b[i+1:end-1], i+1
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return false
		}
		i = space(b, i+1)
	}
	end := w.ahead.at(w.pos+i) - w.pos
	if end < 0 {
		end = valueEnd(b, i)
	}
	if end < 0 {
		return false
	}
	w.value = Value{raw: b[i:end:end], pos: w.pos + i, ends: w.ends}
	if i = space(b, end); i < len(b) && b[i] == ',' {
		w.i, w.done = space(b, i+1), false
	}
	return true
}

// valueEnd returns the offset after the value at i, or -1 if there is none. It takes any bytes: scalars are checked; of strings,
// arrays and objects only the end is found.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i+1)
	case '{', '[':
		return bracketEnd(b, i)
	case 't', 'f', 'n':
		return literalEnd(b, i)
	}
	if end, good := numberEnd(b, i); good {
		return end
	}
	return -1
}

// stringEnd returns the offset after the quote that closes the string whose inside begins at i, or -1. Quotes come
// from the vectorised bytes.IndexByte; one is escaped if the backslashes before it are odd in number.
func stringEnd(b []byte, i int) int {
	start := i
	if len(b)-i >= 8 { // names and short strings: no call, no second look
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			if i += bits.TrailingZeros64(m) >> 3; b[i] == '"' {
				return i + 1
			}
		}
	}
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		before := i
		for before > start && b[before-1] == '\\' {
			before--
		}
		if (i-before)&1 == 0 {
			return i + 1
		}
		i++
	}
}

// bracketEnd returns the offset after the bracket that closes the one at i, or -1. It counts, without a stack, and so
// takes any depth; which kind of bracket closes which is Check's affair.
func bracketEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i+1); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
