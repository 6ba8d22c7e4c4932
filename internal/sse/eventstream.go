package sse

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// ErrFrame is what EventStream.Next returns for bytes that are no frame: a checksum or a length is wrong.
var ErrFrame = errors.New("sse: not a sound frame of application/vnd.amazon.eventstream")

// Exception stands before the name of an event by which the sender tells of an error; behind it is the error's own name.
const Exception = "exception:"

// The parts of a frame, in bytes: total length, headers' length and the CRC of both; headers; payload; CRC of all before.
const (
	preludeLen = 12
	crcLen     = 4
	minFrame   = preludeLen + crcLen
	maxHeaders = 128 << 10 // the published bound
)

// EventStream splits a stream of application/vnd.amazon.eventstream, AWS's binary framing, into events: Name is the
// :event-type header, Data the payload, Raw the frame. Where :message-type says exception, Name is Exception with the
// :exception-type behind it; where it says error, with the :error-code, and Data is the :error-message.
//
// Both checksums of every frame are checked before anything of it is used. Source of the format: "Event stream encoding"
// in the Amazon Transcribe and Lex guides (https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html), and
// for the headers the Smithy specification (https://smithy.io/2.0/aws/amazon-eventstream.html).
type EventStream struct {
	r    io.Reader
	max  int
	err  error // what r said, or what is wrong with its bytes
	done bool

	buf        []byte // buf[start:end] was read and not handed on
	start, end int
	sound      int // length of the frame at start, once it was checked
	names      []string
}

// NewEventStream returns an EventStream of r. A frame may have maxEvent bytes; 0 or less means DefaultMaxEvent.
func NewEventStream(r io.Reader, maxEvent int) *EventStream {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return &EventStream{r: r, max: max(maxEvent, minFrame)}
}

// Next returns the next event as soon as its last byte was read. Its errors are those of Reader.Next, and ErrFrame,
// after which nothing can be read: where the next frame begins is not known.
func (s *EventStream) Next() (Event, error) {
	if s.done {
		return Event{}, s.err
	}
	for {
		n, err := s.frame()
		switch {
		case err != nil:
			s.err, s.done, s.buf, s.start, s.end = err, true, nil, 0, 0
			return Event{}, err
		case n > 0:
			raw := s.buf[s.start : s.start+n : s.start+n]
			s.start, s.sound = s.start+n, 0
			return s.event(raw)
		case s.err != nil:
			return s.broken()
		}
		s.fill()
	}
}

// Buffered reports whether Next will return another event, without error, from bytes that were read already.
func (s *EventStream) Buffered() bool {
	n, err := s.frame()
	return !s.done && err == nil && n > 0
}

// frame gives the length of the frame at the start of the buffer, 0 if it is not all there.
func (s *EventStream) frame() (int, error) {
	b := s.buf[s.start:s.end]
	if s.sound > 0 || len(b) < preludeLen {
		return s.sound, nil
	}
	if crc32.ChecksumIEEE(b[:preludeLen-crcLen]) != binary.BigEndian.Uint32(b[preludeLen-crcLen:]) {
		return 0, ErrFrame
	}
	total, headers := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	switch {
	case total < minFrame, headers > total-minFrame, headers > maxHeaders:
		return 0, ErrFrame
	case total > int64(s.max):
		return 0, ErrTooLong
	case int64(len(b)) < total:
		return 0, nil
	}
	n := int(total)
	if crc32.ChecksumIEEE(b[:n-crcLen]) != binary.BigEndian.Uint32(b[n-crcLen:]) || !soundHeaders(b[preludeLen:preludeLen+headers]) {
		return 0, ErrFrame
	}
	s.sound = n
	return n, nil
}

// broken returns what is left when no more can be read.
func (s *EventStream) broken() (Event, error) {
	s.done = true
	if s.end == s.start {
		return Event{}, s.err
	}
	if s.err == io.EOF { //nolint:errorlint // a reader's end is never wrapped
		s.err = io.ErrUnexpectedEOF
	}
	e := Event{Raw: s.buf[s.start:s.end:s.end]}
	s.start = s.end
	return e, s.err
}

// event reads a frame that was checked.
func (s *EventStream) event(raw []byte) (Event, error) {
	headers := preludeLen + int(binary.BigEndian.Uint32(raw[4:]))
	e := Event{Data: raw[headers : len(raw)-crcLen : len(raw)-crcLen], Raw: raw}
	var kind, event, exception, code, message []byte
	for b := raw[preludeLen:headers]; len(b) > 0; {
		name, value, rest, _ := nextHeader(b)
		b = rest
		switch string(name) {
		case ":message-type":
			kind = value
		case ":event-type":
			event = value
		case ":exception-type":
			exception = value
		case ":error-code":
			code = value
		case ":error-message":
			message = value
		}
	}
	switch string(kind) {
	case "exception":
		e.Name = Exception + string(exception)
	case "error":
		e.Name, e.Data = Exception+string(code), message
	default:
		e.Name = s.intern(event)
	}
	return e, nil
}

// intern returns name as a string, the same one for as long as there are few.
func (s *EventStream) intern(name []byte) string {
	for _, known := range s.names {
		if known == string(name) {
			return known
		}
	}
	text := string(name)
	if len(s.names) < maxNames && len(text) <= 64 {
		s.names = append(s.names, text)
	}
	return text
}

// fill reads once, after making room.
func (s *EventStream) fill() {
	if s.end == len(s.buf) || s.start == s.end {
		s.room()
	}
	for range maxEmpty {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err != nil {
			s.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// room moves the unfinished frame to the front of the buffer, or of a larger or smaller one.
func (s *EventStream) room() {
	held := s.end - s.start
	size := max(len(s.buf), minBuffer)
	if 2*held > size {
		size = min(2*size, max(s.max, minBuffer))
	}
	if size > keep && held <= minBuffer {
		size = minBuffer * 2
	}
	if size == len(s.buf) {
		copy(s.buf, s.buf[s.start:s.end])
	} else {
		s.buf = append(make([]byte, 0, size), s.buf[s.start:s.end]...)[:size]
	}
	s.start, s.end = 0, held
}

// headerLens are the lengths of the fixed types of header values, by type: true, false, byte, short, integer, long, byte
// array, string, timestamp, UUID. The two of -1 have their length before them.
var headerLens = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

const headerString = 7

// nextHeader cuts one header off b. The value is nil where it is no string.
func nextHeader(b []byte) (name, value, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 2+int(b[0]) || b[0] == 0 {
		return nil, nil, nil, false
	}
	name, b = b[1:1+b[0]], b[1+b[0]:]
	kind := int(b[0])
	if b = b[1:]; kind >= len(headerLens) {
		return nil, nil, nil, false
	}
	n := headerLens[kind]
	if n < 0 {
		if len(b) < 2 {
			return nil, nil, nil, false
		}
		n, b = int(binary.BigEndian.Uint16(b)), b[2:]
	}
	if len(b) < n {
		return nil, nil, nil, false
	}
	if kind == headerString {
		value = b[:n]
	}
	return name, value, b[n:], true
}

func soundHeaders(b []byte) bool {
	for len(b) > 0 {
		_, _, rest, ok := nextHeader(b)
		if !ok {
			return false
		}
		b = rest
	}
	return true
}
