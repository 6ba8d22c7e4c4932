package upstream

import (
	"errors"
	"io"
)

// chunked is the body of an answer in HTTP/1.1's chunked coding (RFC 9112, 7.1). It
// reads into the reader's own buffer and takes the framing out there, so a stream
// whose events come together is read in one piece, whatever its chunks, and nothing
// is copied or kept on the way.
type chunked struct {
	conn  *conn
	strip stripper
}

// Read implements io.Reader. Its end is the coding's own; a connection that ends
// before is io.ErrUnexpectedEOF.
func (b *chunked) Read(p []byte) (int, error) {
	if b.strip.done {
		return 0, io.EOF
	}
	for {
		n, err := b.conn.Read(p)
		n, bad := b.strip.strip(p[:n])
		switch {
		case bad != nil:
			return n, bad
		case b.strip.done:
			return n, io.EOF
		case errors.Is(err, io.EOF):
			return n, io.ErrUnexpectedEOF
		case err != nil || n > 0 || len(p) == 0:
			return n, err
		}
	}
}

// Close implements io.Closer; the connection is directBodyReader's to close.
func (b *chunked) Close() error { return nil }

// stripper takes the framing out of bytes as they come.
type stripper struct {
	state state
	left  uint64 // data bytes of the chunk that are still to come
	size  bool   // its size has a digit
	line  int    // bytes of framing since the last data
	done  bool   // the last chunk and its trailers were read
	extra bool   // and something came behind them
}

type state uint8

const (
	inSize state = iota
	inExtension
	inSizeEnd // LF
	inData
	inDataEnd     // CR
	inDataEndLine // LF
	inTrailer     // the start of a line
	inTrailerLine
	inTrailerEnd // LF of the empty line
)

// maxFraming bounds what stands between two pieces of data: extensions and trailers.
const maxFraming = 16 << 10

var errChunked = errors.New("the upstream's chunked coding is malformed")

// strip moves the data in p to its front and gives its length.
func (s *stripper) strip(p []byte) (n int, err error) {
	for i := 0; i < len(p); {
		if s.done {
			s.extra = true
			return n, nil
		}
		if s.state == inData {
			take := int(min(s.left, uint64(len(p)-i)))
			n += copy(p[n:], p[i:i+take])
			i += take
			if s.left -= uint64(take); s.left == 0 {
				s.state, s.line = inDataEnd, 0
			}
			continue
		}
		if s.line++; s.line > maxFraming || !s.framing(p[i]) {
			return n, errChunked
		}
		i++
	}
	return n, nil
}

// framing takes one byte that is not data, and reports whether it may stand there.
func (s *stripper) framing(c byte) bool {
	switch s.state {
	case inSize:
		return s.sizeByte(c)
	case inExtension:
		if c == '\r' {
			s.state = inSizeEnd
		}
		return c != '\n'
	case inSizeEnd:
		s.state = inData
		if s.left == 0 {
			s.state = inTrailer
		}
		s.size = false
		return c == '\n'
	case inDataEnd:
		s.state = inDataEndLine
		return c == '\r'
	case inDataEndLine:
		s.state = inSize
		return c == '\n'
	case inTrailer:
		s.state = inTrailerLine
		if c == '\r' {
			s.state = inTrailerEnd
		}
		return c != '\n'
	case inTrailerLine:
		if c == '\n' {
			s.state = inTrailer
		}
		return true
	case inTrailerEnd:
		s.done = true
		return c == '\n'
	}
	return false
}

// sizeByte takes a byte of a chunk's size, which has at most 16 hexadecimal digits.
func (s *stripper) sizeByte(c byte) bool {
	var digit byte
	switch {
	case c >= '0' && c <= '9':
		digit = c - '0'
	case c >= 'a' && c <= 'f':
		digit = c - 'a' + 10
	case c >= 'A' && c <= 'F':
		digit = c - 'A' + 10
	case c == '\r':
		s.state = inSizeEnd
		return s.size
	case c == ';' || c == ' ' || c == '\t':
		s.state = inExtension
		return s.size
	default:
		return false
	}
	s.size = true
	if s.left>>60 != 0 {
		return false
	}
	s.left = s.left<<4 | uint64(digit)
	return true
}
