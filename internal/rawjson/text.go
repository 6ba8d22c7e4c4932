package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Eight bytes at a time: each constant repeats one byte in every lane.
const (
	lanes     = 0x0101010101010101
	highBits  = 0x80 * lanes
	swapQuote = 0x02 * lanes // c^2 maps the quote (0x22) to 0x20 and keeps control characters below 0x20 …
	pastQuote = 0x21 * lanes // … so that one subtraction marks both
	backslash = '\\' * lanes
)

// special marks, by the high bit of its lane, the bytes of w at which a string needs a closer look: quote, backslash,
// control character, not ASCII. The lowest mark is exact; above it there may be false ones, from borrows.
// The trick is the usual "has a byte less than n" of Bit Twiddling Hacks (S. E. Anderson). Its usual guard against high bytes is
// left out on purpose: the first term misses only 0x80 to 0xa2, the second only 0xdc, so together they mark them all.
func special(w uint64) uint64 {
	return (((w ^ swapQuote) - pastQuote) | ((w ^ backslash) - lanes)) & highBits
}

// plain returns the offset of the first byte at or after i that is special, or len(b).
func plain(b []byte, i int) int {
	for len(b)-i >= 32 {
		p := (*[32]byte)(b[i:])
		m0 := special(binary.LittleEndian.Uint64(p[0:]))
		if m0 != 0 {
			return i + bits.TrailingZeros64(m0)>>3
		}
		m1 := special(binary.LittleEndian.Uint64(p[8:]))
		if m1 != 0 {
			return i + 8 + bits.TrailingZeros64(m1)>>3
		}
		m2, m3 := special(binary.LittleEndian.Uint64(p[16:])), special(binary.LittleEndian.Uint64(p[24:]))
		if m2|m3 != 0 {
			if m2 != 0 {
				return i + 16 + bits.TrailingZeros64(m2)>>3
			}
			return i + 24 + bits.TrailingZeros64(m3)>>3
		}
		i += 32
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// text reads a string from behind its opening quote to behind its closing one.
func (s *scanner) text(i int) (end int, escaped bool) {
	b := s.b
	for {
		// Names and the runs between escapes are mostly short: spare them the call.
		var m uint64
		if len(b)-i >= 8 {
			m = special(binary.LittleEndian.Uint64(b[i:]))
		}
		if m != 0 {
			i += bits.TrailingZeros64(m) >> 3
		} else {
			i = plain(b, i)
		}
		if i >= len(b) {
			return s.fail(i, ErrSyntax, "the text ends inside a string; send the whole value"), escaped
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			for i+1 < len(b) && b[i] == '\\' && simpleEscape[b[i+1]] != 0 {
				i += 2
			}
			if i < len(b) && b[i] == '\\' {
				if i = s.escape(i); i < 0 {
					return i, escaped
				}
			}
		case c < ' ':
			return s.fail(i, ErrSyntax, quoteByte(c)+" inside a string; write control characters as \\u escapes"), escaped
		default:
			var bad int
			if i, bad = runes(b, i); bad >= 0 {
				return s.fail(bad, ErrSyntax, quoteByte(b[bad])+" inside a string is not UTF-8; encode the text as UTF-8"), escaped
			}
		}
	}
}

// ValidText reports whether b could stand between the quotes of a JSON string: UTF-8, valid escapes, no quote of its
// own, no control characters.
func ValidText(b []byte) bool {
	if i := plain(b, 0); i == len(b) {
		return true
	}
	s := scanner{b: append(append(make([]byte, 0, len(b)+1), b...), '"')}
	end, _ := s.text(0)
	return end == len(s.b)
}

// escape reads the escape whose backslash stands at i.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.b) {
		return s.unexpected(i+1, "the rest of an escape")
	}
	if c := s.b[i+1]; c != 'u' {
		if simpleEscape[c] == 0 {
			return s.unexpected(i+1, `one of "\/bfnrtu after a backslash`)
		}
		return i + 2
	}
	r, end := hexEscape(s.b, i)
	switch {
	case end < 0:
		return s.fail(i, ErrSyntax, `\u needs four hexadecimal digits`)
	case r == utf8.RuneError && !isEscapedFFFD(s.b[i:end]):
		return s.fail(i, ErrSyntax, `a \u escape of half a surrogate pair; send both halves or the character itself`)
	}
	return end
}

// simpleEscape maps the byte after a backslash to what it stands for; 0 marks what is not an escape.
var simpleEscape = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// hexEscape reads the \uXXXX at i, and the second one if they are a surrogate pair. end is -1 if it is no such escape. Half
// a pair reads as utf8.RuneError, six bytes long.
func hexEscape(b []byte, i int) (r rune, end int) {
	if r = hex4(b, i); r < 0 {
		return 0, -1
	}
	if !utf16.IsSurrogate(r) {
		return r, i + 6
	}
	if both := utf16.DecodeRune(r, hex4(b, i+6)); both != utf8.RuneError {
		return both, i + 12
	}
	return utf8.RuneError, i + 6
}

func isEscapedFFFD(esc []byte) bool { return bytes.EqualFold(esc, []byte(`\ufffd`)) }

// hex4 returns the code unit of the \uXXXX at i, or -1.
func hex4(b []byte, i int) rune {
	if len(b)-i < 6 || b[i] != '\\' || b[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// runes reads the characters beyond ASCII at i until an ASCII byte or the end of b; bad is the offset of a byte that is not
// UTF-8, or -1. The rules are table 3-7 of the Unicode Standard: no overlong forms, no surrogates, at most U+10FFFF.
func runes(b []byte, i int) (end, bad int) {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		c := b[i]
		switch {
		case c-0xc2 < 0xe0-0xc2 && len(b)-i >= 2 && tail(b[i+1]):
			i += 2
		case c-0xe1 < 0xed-0xe1 && len(b)-i >= 3 && tail(b[i+1]) && tail(b[i+2]): // most of the world's writing
			i += 3
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return i, i
			}
			i += size
		}
	}
	return i, -1
}

func tail(c byte) bool { return c&0xc0 == 0x80 }

// appendUnescaped appends what the inside of a string, without its quotes, stands for. It takes any bytes:
// half a surrogate pair becomes U+FFFD, and what is no escape stays as it is.
func appendUnescaped(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 || i+1 >= len(raw) {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		if c := simpleEscape[raw[i+1]]; c != 0 {
			dst, raw = append(dst, c), raw[i+2:]
		} else if r, end := hexEscape(raw, i); end >= 0 {
			dst, raw = utf8.AppendRune(dst, r), raw[end:]
		} else {
			dst, raw = append(dst, '\\'), raw[i+1:]
		}
	}
}

// sameName reports whether raw, the inside of a string, unescapes to name. An escape is always longer than what it
// stands for (half a surrogate pair, six bytes, becomes three), so lengths settle nearly every case.
func sameName(raw []byte, name string) bool {
	if len(raw) < len(name) {
		return false
	}
	if len(raw) == len(name) {
		return string(raw) == name && bytes.IndexByte(raw, '\\') < 0
	}
	if len(raw) > 6*len(name) || bytes.IndexByte(raw, '\\') < 0 {
		return false
	}
	return string(appendUnescaped(nil, raw)) == name
}

// nameString returns what the inside of a string stands for.
func nameString(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	return string(appendUnescaped(nil, raw))
}

// AppendString appends s as a JSON string in double quotes. It escapes what RFC 8259 demands and nothing more; a byte
// that is not UTF-8 becomes U+FFFD, so the result is always valid.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
