package catalog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxNesting bounds how deep a value on the input may nest.
const maxNesting = 1000

// errBroken says that a value never ends, or cannot go on as it does.
var errBroken = errors.New("a JSON value that breaks off: one value a line, or pretty-printed ones behind each other")

// values cuts an input into JSON values: several on a line, one a line, or spread
// over lines. Only the outline is checked here, the reader of a value does the
// rest. After a broken value it goes on with the next line that can begin one.
type values struct {
	in      *bufio.Reader
	line    int      // number of the line that comes next, from 1
	back    [][]byte // lines, or rests of one, to be read before in
	skipped bool     // a value broke: the lines that continue it are passed over
}

func newValues(r io.Reader) *values { return &values{in: bufio.NewReaderSize(r, 64<<10), line: 1} }

// next is the next value and the line that it begins on. At the end it is io.EOF;
// errBroken and too long are errors after which next can be called again.
func (v *values) next() ([]byte, int, error) {
	first, err := v.firstLine()
	if err != nil {
		return nil, v.line, err
	}
	start := v.line
	v.line++
	lines := [][]byte{first}
	var o outline
	size := 0
	for {
		last := lines[len(lines)-1]
		size += len(last)
		if size > MaxUsageBody {
			v.back = nil
			return nil, start, fmt.Errorf("a value of more than %d bytes", MaxUsageBody)
		}
		end, err := o.feed(last)
		if err != nil {
			return nil, start, v.broken(lines, start)
		}
		if end >= 0 {
			if rest := last[end:]; len(bytes.TrimSpace(rest)) > 0 {
				v.back = append([][]byte{rest}, v.back...)
				v.line--
			}
			lines[len(lines)-1] = last[:end]
			return bytes.Join(lines, nil), start, nil
		}
		more, err := v.read()
		if errors.Is(err, io.EOF) || err == nil && !o.canGoOn(more) {
			if err == nil {
				v.back = append([][]byte{more}, v.back...)
			}
			return nil, start, v.broken(lines, start)
		}
		if err != nil {
			return nil, start, err
		}
		v.line++
		lines = append(lines, more)
	}
}

// broken puts the lines behind the first one back.
func (v *values) broken(lines [][]byte, start int) error {
	v.back = append(append([][]byte{}, lines[1:]...), v.back...)
	v.line = start + 1
	v.skipped = true
	return errBroken
}

// firstLine is the next line that is not blank and does not continue a broken value.
func (v *values) firstLine() ([]byte, error) {
	for {
		line, err := v.read()
		if err != nil {
			return nil, err
		}
		blank := len(bytes.TrimSpace(line)) == 0
		if blank || v.skipped && strings.IndexByte(" \t}]", line[0]) >= 0 {
			v.line++
			continue
		}
		v.skipped = false
		return line, nil
	}
}

func (v *values) read() ([]byte, error) {
	if len(v.back) > 0 {
		line := v.back[0]
		v.back = v.back[1:]
		return line, nil
	}
	var line []byte
	for {
		part, err := v.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil || errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > MaxUsageBody:
			return nil, fmt.Errorf("a line of more than %d bytes", MaxUsageBody)
		}
	}
}

// outline follows the brackets of one value.
type outline struct {
	open     []byte // the brackets that are open
	last     byte   // the last byte outside strings that is not a space
	inString bool
}

// feed takes the next line. end is where the value ends in it, -1 if it goes on.
func (o *outline) feed(line []byte) (end int, err error) {
	for i := 0; i < len(line); i++ {
		c := line[i]
		if o.inString {
			switch c {
			case '\\':
				i++
			case '"':
				o.inString = false
			}
			continue
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			o.inString = true
		case '{', '[':
			if len(o.open) == maxNesting {
				return -1, errBroken
			}
			o.open = append(o.open, c)
		case '}', ']':
			n := len(o.open)
			if n == 0 || o.open[n-1] != c-2 { // '{' + 2 is '}', '[' + 2 is ']'
				return -1, errBroken
			}
			o.open = o.open[:n-1]
			if n == 1 {
				return i + 1, nil
			}
		}
		o.last = c
		if len(o.open) == 0 {
			return len(line), nil // no object or array: the whole line is the value
		}
	}
	if o.inString {
		return -1, errBroken // a string does not span lines
	}
	return -1, nil
}

// canGoOn reports whether the line can continue the value: one that begins with a
// brace must stand where a value is due.
func (o *outline) canGoOn(line []byte) bool {
	if len(line) == 0 || line[0] != '{' {
		return true
	}
	inArray := o.open[len(o.open)-1] == '['
	return o.last == ':' || inArray && (o.last == ',' || o.last == '[')
}
