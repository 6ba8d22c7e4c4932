// Package sse reads and writes event streams (text/event-stream), and reads newline-delimited JSON (ndjson.go).
//
// It answers: where does one event of a byte stream end, what do its fields say, and what were its exact bytes, so that a
// stream can be passed through unchanged while it is watched. The grammar is that of the WHATWG HTML standard, section
// "Server-sent events" (https://html.spec.whatwg.org/multipage/server-sent-events.html).
// It must not know what the data mean ([DONE], JSON, deltas), who sends them, or when to flush; it reads only when Next
// is called. Start reading at [Reader.Next]; lines.go finds the ends of lines, append.go writes. eventstream.go does the same
// for AWS's binary framing.
package sse

import (
	"errors"
	"io"
	"slices"
)

const (
	// DefaultMaxEvent is how long an event may be, in bytes, if NewReader is not told. An image in base64 fits.
	DefaultMaxEvent = 16 << 20

	minBuffer = 1 << 10  // holds a few usual events; a gateway keeps one per open stream
	hurried   = 4 << 10  // for streams that fill it at once: fewer reads, fewer moves
	keep      = 64 << 10 // larger buffers are given back once the event that needed them is gone
	maxEmpty  = 100      // reads of nothing in a row before io.ErrNoProgress, as in bufio
	maxNames  = 16       // event names remembered, so that they are not allocated again
)

// ErrTooLong is what Next returns for an event longer than the Reader's bound.
var ErrTooLong = errors.New("sse: event too long: raise the bound, or have the sender split it")

// An Event is what stands between two blank lines. Its slices point into the Reader: they are valid until the next call
// of Next. Bytes that are not UTF-8 are handed on as they are. A retry field is seen in Raw only.
type Event struct {
	Name    string // the event field, "" if none
	Data    []byte // the data fields, joined by LF; nil if Comment
	ID      []byte // the id field; nil if none, empty but not nil if it was sent empty
	Raw     []byte // the exact bytes, blank line included: all Raws in a row are the stream
	Comment bool   // without a data field, such as a comment or a further blank line: a browser dispatches no event
}

// A Reader splits a byte stream into events.
type Reader struct {
	r    io.Reader
	max  int
	err  error // what r said, once it said something
	done bool  // and Next has handed on all that came before

	buf   []byte // buf[start:end] was read and not handed on
	start int
	end   int
	full  bool  // a read filled buf: there is more to be had at once
	lines lines // where in buf the next line is looked for

	event fields // so far
	data  []byte // the joined lines of an event that has several data fields
	names []string
	older int // the place in names to overwrite next
}

// NewReader returns a Reader of r. An event may have maxEvent bytes, line ends included; 0 or less means DefaultMaxEvent.
func NewReader(r io.Reader, maxEvent int) *Reader {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return &Reader{r: r, max: maxEvent, lines: lines{first: true}}
}

// Next returns the next event as soon as its last byte was read.
//
// At the end of the stream the error is io.EOF, or io.ErrUnexpectedEOF if the stream breaks off inside an event. When
// reading fails, the reader's own error comes after the events before it. In both broken cases the Event holds what there
// is of the unfinished one: Raw is the rest of the stream, and the fields are read as if it ended there. An event beyond
// the bound is ErrTooLong, with nothing of it. Every later call returns the same error and an empty Event.
func (r *Reader) Next() (Event, error) {
	if r.done {
		return Event{}, r.err
	}
	r.start, r.event = r.lines.pos, fields{}
	if cap(r.data) > keep {
		r.data = nil
	}
	for {
		line, ok := r.lines.next(r.buf[:r.end], r.err != nil)
		switch {
		case ok && len(line) == 0:
			return r.complete()
		case ok:
			r.field(line)
		case r.err != nil:
			return r.broken()
		case r.end-r.start > r.max:
			return r.fail(ErrTooLong)
		default:
			r.fill()
		}
	}
}

// Buffered reports whether Next will return another event, without error, from bytes that were read already: then a
// writer may leave its flush to that one.
func (r *Reader) Buffered() bool {
	if r.done {
		return false
	}
	ahead := r.lines // a copy: nothing is consumed
	for {
		line, ok := ahead.next(r.buf[:r.end], r.err != nil)
		if !ok {
			return false
		}
		if len(line) == 0 {
			return ahead.pos-r.lines.pos <= r.max
		}
	}
}

// complete returns the event whose blank line was just read.
func (r *Reader) complete() (Event, error) {
	if r.lines.pos-r.start > r.max {
		return r.fail(ErrTooLong)
	}
	return r.make(r.lines.pos), nil
}

// broken returns what is left when no more can be read.
func (r *Reader) broken() (Event, error) {
	r.done = true
	rest, partial := r.end-r.start, r.buf[r.lines.pos:r.end]
	switch {
	case rest == 0:
		return Event{}, r.err
	case rest > r.max:
		return r.fail(ErrTooLong)
	case len(partial) == 0 && !r.event.any:
		// Only the LF that belongs to the blank line before: see lines.next. The stream ends after it.
		return r.make(r.end), nil
	case r.err == io.EOF: //nolint:errorlint // a reader's end is never wrapped
		r.err = io.ErrUnexpectedEOF
	}
	if len(partial) > 0 {
		r.lines.last = r.end
		r.field(r.lines.withoutBOM(partial))
	}
	e := r.make(r.end)
	r.lines.pos = r.end
	return e, r.err
}

func (r *Reader) fail(err error) (Event, error) {
	r.err, r.done, r.buf, r.data = err, true, nil, nil
	r.start, r.end = 0, 0
	return Event{}, err
}

// make returns the event that ends before end.
func (r *Reader) make(end int) Event {
	raw := r.buf[r.start:end:end]
	f := &r.event
	e := Event{Raw: raw, Comment: f.count == 0}
	if f.name.end > f.name.start {
		e.Name = r.intern(f.name.of(raw))
	}
	if f.hasID {
		e.ID = f.id.of(raw)
	}
	switch f.count {
	case 0:
	case 1:
		e.Data = f.data.of(raw)
	default:
		e.Data = slices.Clip(r.data)
	}
	return e
}

// intern returns name as a string, the same one for as long as few names take turns.
func (r *Reader) intern(name []byte) string {
	for _, known := range r.names {
		if known == string(name) {
			return known
		}
	}
	s := string(name)
	if len(s) > 64 { // no field's standard name is this long; do not keep what may be huge
		return s
	}
	if len(r.names) < maxNames {
		r.names = append(r.names, s)
		return s
	}
	r.names[r.older] = s
	r.older = (r.older + 1) % maxNames
	return s
}

// fill reads once, after making room.
func (r *Reader) fill() {
	if r.end == len(r.buf) || r.start == r.end {
		r.room()
	}
	for range maxEmpty {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		r.full = r.full || r.end == len(r.buf)
		if err != nil {
			r.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// room moves the unfinished event to the front of the buffer, or of a larger or smaller one. It leaves at least half of
// the buffer free, so bytes are moved a bounded number of times, and holds no more than one event beyond the bound.
func (r *Reader) room() {
	held := r.end - r.start
	size := max(len(r.buf), minBuffer)
	if r.full {
		size = max(size, hurried)
	}
	if 2*held > size {
		size = min(2*size, max(r.max+1, minBuffer))
	}
	if size > keep && held <= hurried {
		size = hurried * 2
	}
	if size == len(r.buf) {
		copy(r.buf, r.buf[r.start:r.end])
	} else {
		r.buf = append(make([]byte, 0, size), r.buf[r.start:r.end]...)[:size]
	}
	r.lines.shift(r.start)
	r.start, r.end = 0, held
}

// fields is what the lines of an event said so far. Its spans count from the event's first byte, which stays where it is when the
// buffer does not.
type fields struct {
	name, data, id span
	count          int // of data fields; from the second on, Reader.data holds them joined
	hasID, any     bool
}

type span struct{ start, end int }

func (s span) of(raw []byte) []byte { return raw[s.start:s.end:s.end] }

// field takes a line that is not blank.
func (r *Reader) field(line []byte) {
	f := &r.event
	f.any = true
	name, value := split(line)
	at := span{end: r.lines.last - r.start}
	at.start = at.end - len(value)
	switch string(name) {
	case "data":
		f.count++
		if f.count == 1 {
			f.data = at
			return
		}
		if f.count == 2 {
			r.data = append(r.data[:0], f.data.of(r.buf[r.start:r.end])...)
		}
		r.data = append(append(r.data, '\n'), value...)
	case "event":
		f.name = at
	case "id":
		if !slices.Contains(value, 0) { // the standard has such an id ignored
			f.id, f.hasID = at, true
		}
	}
}
