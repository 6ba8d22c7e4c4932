package rawjson

import "sort"

// ends remembers where the long values of a checked text end, so that a look-up steps over a book in one stride instead
// of reading it again. A nil *ends knows none.
type ends struct {
	long  int // values of at least that many bytes are noted
	spans spans
}

// spans are in the order in which they begin.
type spans []struct{ start, end uint32 }

// Texts shorter than indexed have no ends: to read them again costs less. A value is long if finding its end costs more
// than looking it up. maxSpans bounds the memory that values inside each other can take; values beyond it are read again.
const indexed, longValue, maxSpans = 4 << 10, 256, 4096

// add notes a value that has no values inside.
func (e *ends) add(start, end int) {
	if e != nil && end-start >= e.long {
		e.close(e.open(start), end)
	}
}

// open makes room for the array or object at start, before the values inside it. It returns where, or -1.
func (e *ends) open(start int) (place int) {
	if e == nil || len(e.spans) >= maxSpans {
		return -1
	}
	e.spans = append(e.spans, struct{ start, end uint32 }{start: uint32(start)})
	return len(e.spans) - 1
}

// close notes the end of what was opened. If that is short it goes; then nothing inside it was noted.
func (e *ends) close(place, end int) {
	if place < 0 {
		return
	}
	if at := &e.spans[place]; end-int(at.start) >= e.long {
		at.end = uint32(end)
		return
	}
	e.spans = e.spans[:place]
}

// from returns the spans that begin at pos or later.
func (e *ends) from(pos int) spans {
	if e == nil {
		return nil
	}
	return e.spans[sort.Search(len(e.spans), func(i int) bool { return int(e.spans[i].start) >= pos }):]
}

// at returns the end of the value that begins at pos, or -1 if it was not noted. It drops the spans before pos, so the
// next question must be for a later one.
func (s *spans) at(pos int) int {
	for len(*s) > 0 && int((*s)[0].start) < pos {
		*s = (*s)[1:]
	}
	if len(*s) == 0 || int((*s)[0].start) > pos {
		return -1
	}
	return int((*s)[0].end)
}
