package sse

import (
	"bytes"
	"io"
	"slices"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// A LineReader splits newline-delimited JSON (application/x-ndjson, https://github.com/ndjson/ndjson-spec) into events: one
// a line. It is to such a stream what Reader is to an event stream, with the same contract. An Event's Data is the line without
// its LF or CR LF, its Raw the exact bytes; it has no name and no id. A line of nothing but white space, which that format
// lets readers ignore, is a Comment.
type LineReader struct{ r Reader } // for its buffer; the next line begins at r.lines.pos, and no LF stands between there and r.lines.lf

// NewLines returns a LineReader of r. A line may have maxEvent bytes, its end included; 0 or less means DefaultMaxEvent.
func NewLines(r io.Reader, maxEvent int) *LineReader { return &LineReader{*NewReader(r, maxEvent)} }

// Next returns the next line as soon as its last byte was read. Errors are those of Reader.Next, with one difference at
// the end of the stream: servers forget the last line's end, and a JSON object shows by itself whether it is all there, so an
// object that is whole is an event like any other. Anything else there is unfinished.
func (l *LineReader) Next() (Event, error) {
	r := &l.r
	if r.done {
		return Event{}, r.err
	}
	r.start = r.lines.pos
	for {
		end := find(r.buf[:r.end], '\n', r.start, &r.lines.lf) + 1
		switch {
		case min(end, r.end)-r.start > r.max:
			return r.fail(ErrTooLong)
		case end <= r.end:
			r.lines.pos = end
			return asLine(r.buf[r.start:end:end]), nil
		case r.err != nil:
			return l.rest()
		default:
			r.fill()
		}
	}
}

// Buffered reports whether Next will return another line, without error, from bytes that were read already.
func (l *LineReader) Buffered() bool {
	r, seen := &l.r, l.r.lines.lf
	end := find(r.buf[:r.end], '\n', r.lines.pos, &seen) + 1
	return !r.done && end <= r.end && end-r.lines.pos <= r.max
}

// rest returns what is left when no more can be read.
func (l *LineReader) rest() (Event, error) {
	r := &l.r
	r.done = true
	if r.start == r.end {
		return Event{}, r.err
	}
	e := asLine(r.buf[r.start:r.end:r.end])
	if r.err == io.EOF { //nolint:errorlint // a reader's end is never wrapped
		if e.Comment || isWhole(e.Data) {
			return e, nil
		}
		r.err = io.ErrUnexpectedEOF
	}
	return e, r.err
}

func asLine(raw []byte) Event {
	line := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(line)) == 0 {
		return Event{Raw: raw, Comment: true}
	}
	return Event{Raw: raw, Data: slices.Clip(line)}
}

// isWhole reports whether a line is all of a JSON object. What is cut off before its last brace never is.
func isWhole(line []byte) bool {
	doc, err := rawjson.Check(line, rawjson.Default())
	return err == nil && doc.Root().Kind() == rawjson.Object
}
