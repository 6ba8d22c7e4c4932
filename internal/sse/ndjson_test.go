package sse

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// next is what both readers have.
type next interface {
	Next() (Event, error)
	Buffered() bool
}

func readLines(r next) ([]event, error) {
	var all []event
	for {
		e, err := r.Next()
		if err == nil || e.Raw != nil {
			all = append(all, copied(e))
		}
		if err != nil {
			return all, err
		}
	}
}

func TestLineReader_OneEventALine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []event
		err      error // nil: io.EOF
	}{
		{"nothing", "", nil, nil},
		{"LF", "{\"a\":1}\n{}\n", []event{{Raw: "{\"a\":1}\n", Data: data(`{"a":1}`)}, {Raw: "{}\n", Data: data("{}")}}, nil},
		{"CR LF", "{}\r\n{}\r\n", []event{{Raw: "{}\r\n", Data: data("{}")}, {Raw: "{}\r\n", Data: data("{}")}}, nil},
		{"a CR inside a line", "a\rb\n", []event{{Raw: "a\rb\n", Data: data("a\rb")}}, nil},
		{"blank lines", "\n\r\n \t\n{}\n", []event{{Raw: "\n", Comment: true}, {Raw: "\r\n", Comment: true}, {Raw: " \t\n", Comment: true}, {Raw: "{}\n", Data: data("{}")}}, nil},
		{"spaces around", " {} \n", []event{{Raw: " {} \n", Data: data(" {} ")}}, nil},
		{"what is no JSON", "<html>\n", []event{{Raw: "<html>\n", Data: data("<html>")}}, nil},
		{"what an event stream would mean", "data: x\n\n", []event{{Raw: "data: x\n", Data: data("data: x")}, {Raw: "\n", Comment: true}}, nil},
		{"the last end forgotten", "{}\n{\"b\":{}}", []event{{Raw: "{}\n", Data: data("{}")}, {Raw: `{"b":{}}`, Data: data(`{"b":{}}`)}}, nil},
		{"the last end half forgotten", "{}\r", []event{{Raw: "{}\r", Data: data("{}")}}, nil},
		{"white space at the end", "{}\n  ", []event{{Raw: "{}\n", Data: data("{}")}, {Raw: "  ", Comment: true}}, nil},
		{"unfinished", "{}\n{\"b\":{}", []event{{Raw: "{}\n", Data: data("{}")}, {Raw: `{"b":{}`, Data: data(`{"b":{}`)}}, io.ErrUnexpectedEOF},
		{"a number may go on", "12", []event{{Raw: "12", Data: data("12")}}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := c.err
			if want == nil {
				want = io.EOF
			}
			for how, wrap := range wrappers {
				r := NewLines(wrap(strings.NewReader(c.in)), 0)
				got, err := readLines(r)
				if diff := cmp.Diff(c.want, got); diff != "" || err != want {
					t.Errorf("%s: %v, want %v (-want +got):\n%s", how, err, want, diff)
				}
				if e, err := r.Next(); err != want || e.Raw != nil || r.Buffered() {
					t.Errorf("%s: afterwards %q, %v", how, e.Raw, err)
				}
			}
		})
	}
}

func TestLineReader_PassesTheSourcesErrorOn(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset")
	got, err := readLines(NewLines(io.MultiReader(strings.NewReader("{}\n{}"), iotest.ErrReader(reset)), 0))
	if diff := cmp.Diff([]event{{Raw: "{}\n", Data: data("{}")}, {Raw: "{}", Data: data("{}")}}, got); diff != "" || err != reset {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestLineReader_BoundsTheLine(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{10, 4095, 4096, 4097, 100_000} {
		for over := range 2 {
			in := "{}\n" + strings.Repeat("x", limit+over-1) + "\n{}\n"
			for how, wrap := range wrappers {
				r := NewLines(wrap(strings.NewReader(in)), limit)
				if e, err := r.Next(); err != nil || string(e.Data) != "{}" {
					t.Fatalf("limit %d, %s: %q, %v", limit, how, e.Data, err)
				}
				e, err := r.Next()
				if over == 1 {
					if err != ErrTooLong || e.Raw != nil {
						t.Errorf("limit %d, %s: %d bytes, %v; want ErrTooLong", limit, how, len(e.Raw), err)
					}
					continue
				}
				if err != nil || len(e.Data) != limit-1 {
					t.Errorf("limit %d, %s: %d bytes, %v", limit, how, len(e.Data), err)
				}
			}
		}
	}
	r := NewLines(&loop{piece: "x"}, 300_000)
	if _, err := r.Next(); err != ErrTooLong || len(r.r.buf) != 0 {
		t.Errorf("a line without end: %v", err)
	}
}

func TestLineReader_HoldsALineOfAMegabyte(t *testing.T) {
	t.Parallel()
	giant := `{"images":["` + strings.Repeat("漢", 350_000) + `"]}`
	for how, wrap := range wrappers {
		r := NewLines(wrap(strings.NewReader(giant+"\n"+strings.Repeat("{}\r\n", 1000)+giant)), 0)
		for i := range 1002 {
			want := "{}"
			if i%1001 == 0 {
				want = giant
			}
			if e, err := r.Next(); err != nil || string(e.Data) != want {
				t.Fatalf("%s: line %d has %d bytes, %v", how, i, len(e.Data), err)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestLineReader_DoesNotAllocatePerLine(t *testing.T) {
	r := NewLines(&loop{piece: `{"message":{"role":"assistant","content":" the"},"done":false}` + "\n"}, 0)
	read := func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		r.Buffered()
	}
	for range 100 {
		read()
	}
	if n := testing.AllocsPerRun(1000, read); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

// FuzzLineReader: however a stream is cut into reads, its lines are those of a split at every LF, all Raws in a row are the
// stream, and Buffered keeps its promise.
func FuzzLineReader(f *testing.F) {
	for _, s := range []string{"", "{}\n", "{}\r\n{}\r\n", "\n\n{}", `{"a":"漢"}` + "\n" + `{"a":`, "\r", "[]", "{} ", "{}\n1"} {
		f.Add(s, []byte{1})
		f.Add(s, []byte{3, 0, 2})
		f.Add(s, []byte{})
	}
	f.Fuzz(func(t *testing.T, in string, sizes []byte) {
		if len(sizes) > 50 {
			sizes = sizes[:50]
		}
		lines := strings.SplitAfter(in, "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		source := &chunks{rest: in, sizes: sizes}
		r := NewLines(source, 0)
		for i := 0; ; i++ {
			promised, reads := r.Buffered(), source.reads
			e, err := r.Next()
			if promised && (err != nil || source.reads != reads) {
				t.Fatalf("Buffered, but Next gave %v after %d reads", err, source.reads-reads)
			}
			if i == len(lines) {
				if err != io.EOF && err != io.ErrUnexpectedEOF || e.Raw != nil {
					t.Fatalf("at the end: %q, %v", e.Raw, err)
				}
				break
			}
			if string(e.Raw) != lines[i] {
				t.Fatalf("line %d is %q, want %q", i, e.Raw, lines[i])
			}
			if last := i == len(lines)-1 && !strings.HasSuffix(in, "\n"); err != nil && (err != io.ErrUnexpectedEOF || !last) {
				t.Fatalf("line %d: %v", i, err)
			}
			line := strings.TrimSuffix(strings.TrimSuffix(lines[i], "\n"), "\r")
			if e.Comment != (strings.TrimSpace(line) == "") || !e.Comment && string(e.Data) != line {
				t.Fatalf("line %d: %q says %q", i, lines[i], e.Data)
			}
		}
	})
}
