package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// stripped reads a coding from its bytes in reads of the given size.
func stripped(coded string, size int) (body string, s stripper, err error) {
	var out bytes.Buffer
	for in := []byte(coded); len(in) > 0; {
		p := bytes.Clone(in[:min(size, len(in))])
		in = in[len(p):]
		n, err := s.strip(p)
		out.Write(p[:n])
		if err != nil {
			return out.String(), s, err
		}
	}
	return out.String(), s, nil
}

func TestStripper(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		coded, body string
		done, extra bool
		bad         bool
	}{
		"two chunks":          {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", true, false, false},
		"extensions":          {"3;a=b;c\r\nabc\r\n0;x\r\n\r\n", "abc", true, false, false},
		"space and letters":   {"A \r\n0123456789\r\n0\r\n\r\n", "0123456789", true, false, false},
		"trailers":            {"1\r\na\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n", "a", true, false, false},
		"leading zeros":       {"0001\r\na\r\n000\r\n\r\n", "a", true, false, false},
		"line ends in data":   {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", true, false, false},
		"something behind":    {"1\r\na\r\n0\r\n\r\nHTTP/1.1", "a", true, true, false},
		"cut in a size":       {"1\r\na\r\n1", "a", false, false, false},
		"cut in data":         {"5\r\nab", "ab", false, false, false},
		"cut before the end":  {"1\r\na\r\n0\r\n", "a", false, false, false},
		"no size":             {"\r\nabc", "", false, false, true},
		"no digits":           {"xyz\r\n", "", false, false, true},
		"extension of no one": {";a\r\n", "", false, false, true},
		"bare LF":             {"1\na\n0\n\n", "", false, false, true},
		"data too long":       {"1\r\nab\r\n", "a", false, false, true},
		"a huge size":         {"fffffffffffffffff\r\n", "", false, false, true},
		"a long extension":    {"1;" + strings.Repeat("x", maxFraming) + "\r\na\r\n", "", false, false, true},
		"a long trailer":      {"0\r\n" + strings.Repeat("a: b\r\n", maxFraming/6+1), "", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for size := range 20 {
				body, s, err := stripped(tc.coded, size+1)
				if body != tc.body || s.done != tc.done || s.extra != tc.extra && size >= len(tc.coded) || (err != nil) != tc.bad {
					t.Errorf("in reads of %d: %q, done %v, extra %v, %v", size+1, body, s.done, s.extra, err)
				}
			}
		})
	}
}

// What net/http takes this takes, and gives the same bytes; what it refuses is never
// complete here.
func FuzzStripper(f *testing.F) {
	for _, seed := range []string{"3\r\nabc\r\n0\r\n\r\n", "1;x\r\na\r\n0\r\nA: b\r\n\r\n", "5\r\nab", "\n", "1\r\nab\r\n", "FF\r\n"} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, coded string, size int) {
		size = 1 + (size%64+64)%64
		body, s, err := stripped(coded, size)
		want, refused := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(coded)))
		if err == nil && s.done {
			// net/http leaves the trailers to its caller, so it reads no further than the last chunk.
			if refused != nil || body != string(want) {
				t.Errorf("%q, net/http %q %v", body, want, refused)
			}
			return
		}
		if !strings.HasPrefix(string(want), body) && !strings.HasPrefix(body, string(want)) {
			t.Errorf("%q, net/http %q", body, want)
		}
	})
}

func TestChunked_EndsWithItsCoding(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		coded string
		body  string
		err   error
	}{
		"whole": {"3\r\nabc\r\n0\r\n\r\n", "abc", nil},
		"cut":   {"3\r\nabc\r\n", "abc", io.ErrUnexpectedEOF},
		"wrong": {"3\r\nabcd", "abc", errChunked},
	} {
		for _, oneByte := range []bool{false, true} {
			t.Run(fmt.Sprint(name, oneByte), func(t *testing.T) {
				t.Parallel()
				var r io.Reader = strings.NewReader(tc.coded)
				if oneByte {
					r = iotest.OneByteReader(r)
				}
				c := newConn(readConn{Reader: r}, "")
				body, err := io.ReadAll(&chunked{conn: c})
				if string(body) != tc.body || !errors.Is(err, tc.err) {
					t.Errorf("%q %v", body, err)
				}
			})
		}
	}
}

// readConn is a connection that is only read.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }
