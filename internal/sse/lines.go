package sse

import "bytes"

// lines walks over the lines of a buffer that grows at its end. A line ends with LF, CR, or CR LF.
type lines struct {
	pos    int // where the next line begins
	last   int // where the one before ended, without its line end
	lf, cr int // no LF, or CR, stands between pos and here; so every byte is searched once for each
	first  bool
	loneCR bool // the line before ended with a CR that no LF followed
	skipLF bool // an LF at pos belongs to the line before
}

// next returns the next line without its end, if it is all there; final says that the buffer will not grow.
//
// A CR at the end of the buffer leaves open whether an LF follows, and mostly next waits for it. But a blank line after
// a line that ended with a lone CR ends the event at once, else a stream with CR line ends would be one
// event late. Should an LF follow after all, it is skipped at the beginning of the next event. That depends on
// the bytes alone, never on how they were cut into reads.
func (l *lines) next(b []byte, final bool) (line []byte, ok bool) {
	if l.skipLF {
		if l.pos == len(b) {
			return nil, false
		}
		l.skipLF = false
		if b[l.pos] == '\n' {
			l.pos++
			l.loneCR = false
		}
	}
	end := min(find(b, '\n', l.pos, &l.lf), find(b, '\r', l.pos, &l.cr))
	if end == len(b) {
		return nil, false
	}
	line = l.withoutBOM(b[l.pos:end])
	after, cr := end+1, b[end] == '\r'
	switch {
	case !cr:
	case len(line) == 0 && l.loneCR:
		l.skipLF = true
	case after == len(b) && !final:
		return nil, false
	case after < len(b) && b[after] == '\n':
		after++
		cr = false
	}
	l.pos, l.last, l.loneCR, l.first = after, end, cr, false
	return line, true
}

// withoutBOM takes the byte order mark off the stream's first line.
func (l *lines) withoutBOM(line []byte) []byte {
	if l.first {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line
}

// shift tells that the buffer's first n bytes are gone.
func (l *lines) shift(n int) {
	l.pos, l.last, l.lf, l.cr = l.pos-n, l.last-n, l.lf-n, l.cr-n
}

// find returns where c stands in b at or after pos, or len(b). It begins at *from if that is further on, and leaves its
// result there.
func find(b []byte, c byte, pos int, from *int) int {
	i := max(pos, *from)
	if i < len(b) && b[i] != c {
		if n := bytes.IndexByte(b[i:], c); n >= 0 {
			i += n
		} else {
			i = len(b)
		}
	}
	*from = i
	return i
}

// split returns a line's field name and value: what stands before and after its first colon, without one space there. A
// line without a colon is a name. A comment has the empty name.
func split(line []byte) (name, value []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok { // nearly every line
		return line[:4], trimSpace(rest)
	}
	name, value, _ = bytes.Cut(line, []byte(":"))
	return name, trimSpace(value)
}

func trimSpace(value []byte) []byte {
	if len(value) > 0 && value[0] == ' ' {
		return value[1:]
	}
	return value
}
