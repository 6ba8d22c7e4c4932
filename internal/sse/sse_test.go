package sse

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// An event is an Event as a test writes it down. ID and Data tell "none" (nil) from "empty".
type event struct {
	Name, Raw string
	Data, ID  []string // none or one
	Comment   bool
}

func copied(e Event) event {
	c := event{Name: e.Name, Raw: string(e.Raw), Comment: e.Comment}
	if e.Data != nil {
		c.Data = []string{string(e.Data)}
	}
	if e.ID != nil {
		c.ID = []string{string(e.ID)}
	}
	return c
}

// readAll collects what Next returns; an event that came with the error is the last one.
func readAll(r *Reader) ([]event, error) {
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

func data(s string) []string { return []string{s} }

func TestReader_Grammar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []event
		err      error // nil: io.EOF
	}{
		{"nothing", "", nil, nil},
		{"one", "data: x\n\n", []event{{Raw: "data: x\n\n", Data: data("x")}}, nil},
		{"CR LF", "data: x\r\n\r\ndata: y\r\n\r\n", []event{{Raw: "data: x\r\n\r\n", Data: data("x")}, {Raw: "data: y\r\n\r\n", Data: data("y")}}, nil},
		{"CR", "data: x\r\rdata: y\r\r", []event{{Raw: "data: x\r\r", Data: data("x")}, {Raw: "data: y\r\r", Data: data("y")}}, nil},
		{"line ends mixed in an event", "data: x\rdata: y\ndata: z\r\n\n", []event{{Raw: "data: x\rdata: y\ndata: z\r\n\n", Data: data("x\ny\nz")}}, nil},
		{"LF, then CR LF", "data: x\n\r\ndata: y\n\n", []event{{Raw: "data: x\n\r\n", Data: data("x")}, {Raw: "data: y\n\n", Data: data("y")}}, nil},
		{"LF, then CR", "data: x\n\rdata: y\n\n", []event{{Raw: "data: x\n\r", Data: data("x")}, {Raw: "data: y\n\n", Data: data("y")}}, nil},
		{"CR, then CR LF", "data: x\r\r\ndata: y\n\n", []event{{Raw: "data: x\r\r", Data: data("x")}, {Raw: "\ndata: y\n\n", Data: data("y")}}, nil},
		{"CR, then CR LF at the end", "data: x\r\r\n", []event{{Raw: "data: x\r\r", Data: data("x")}, {Raw: "\n", Comment: true}}, nil},
		{"CR, CR LF, LF", "data: x\r\r\n\n", []event{{Raw: "data: x\r\r", Data: data("x")}, {Raw: "\n\n", Comment: true}}, nil},
		{"CR LF, then a CR that ends the stream", "data: x\r\n\r", []event{{Raw: "data: x\r\n\r", Data: data("x")}}, nil},
		{"further blank lines", "\n\ndata: x\n\n\n", []event{{Raw: "\n", Comment: true}, {Raw: "\n", Comment: true}, {Raw: "data: x\n\n", Data: data("x")}, {Raw: "\n", Comment: true}}, nil},
		{"several data lines", "data: a\ndata:\ndata: b\n\n", []event{{Raw: "data: a\ndata:\ndata: b\n\n", Data: data("a\n\nb")}}, nil},
		{"one space goes", "data:  two\n\ndata:none\n\ndata:\ttab\n\n", []event{{Raw: "data:  two\n\n", Data: data(" two")}, {Raw: "data:none\n\n", Data: data("none")}, {Raw: "data:\ttab\n\n", Data: data("\ttab")}}, nil},
		{"data empty", "data:\n\ndata\n\ndata: \n\n", []event{{Raw: "data:\n\n", Data: data("")}, {Raw: "data\n\n", Data: data("")}, {Raw: "data: \n\n", Data: data("")}}, nil},
		{"data twice without colon", "data\ndata\n\n", []event{{Raw: "data\ndata\n\n", Data: data("\n")}}, nil},
		{"colons in the value", "data: {\"a\":1}\n\ndata::\n\n", []event{{Raw: "data: {\"a\":1}\n\n", Data: data(`{"a":1}`)}, {Raw: "data::\n\n", Data: data(":")}}, nil},
		{"names", "event: ping\ndata: x\n\nevent:message_stop\ndata: y\n\ndata: z\n\n", []event{{Name: "ping", Raw: "event: ping\ndata: x\n\n", Data: data("x")},
			{Name: "message_stop", Raw: "event:message_stop\ndata: y\n\n", Data: data("y")}, {Raw: "data: z\n\n", Data: data("z")}}, nil},
		{"the last name counts", "event: a\nevent: b\ndata: x\n\nevent: a\nevent\ndata: x\n\n", []event{{Name: "b", Raw: "event: a\nevent: b\ndata: x\n\n", Data: data("x")}, {Raw: "event: a\nevent\ndata: x\n\n", Data: data("x")}}, nil},
		{"a name and no data", "event: ping\n\n", []event{{Name: "ping", Raw: "event: ping\n\n", Comment: true}}, nil},
		{"ids", "id: 7\ndata: x\n\nid\ndata: y\n\nid: a\x00b\ndata: z\n\nid: 1\nid: 2\n\n", []event{{Raw: "id: 7\ndata: x\n\n", Data: data("x"), ID: data("7")}, {Raw: "id\ndata: y\n\n", Data: data("y"), ID: data("")},
			{Raw: "id: a\x00b\ndata: z\n\n", Data: data("z")}, {Raw: "id: 1\nid: 2\n\n", ID: data("2"), Comment: true}}, nil},
		{"comments", ": ping\n\n:\ndata: x\n:y\n\n", []event{{Raw: ": ping\n\n", Comment: true}, {Raw: ":\ndata: x\n:y\n\n", Data: data("x")}}, nil},
		{"fields unknown or misspelt", "retry: 10\nData: a\n data: b\ndata : c\nfoo\n\n", []event{{Raw: "retry: 10\nData: a\n data: b\ndata : c\nfoo\n\n", Comment: true}}, nil},
		{"byte order mark", "\ufeffdata: x\n\n", []event{{Raw: "\ufeffdata: x\n\n", Data: data("x")}}, nil},
		{"byte order mark and a blank line", "\ufeff\ndata: x\n\n", []event{{Raw: "\ufeff\n", Comment: true}, {Raw: "data: x\n\n", Data: data("x")}}, nil},
		{"byte order mark later", "data: x\n\n\ufeffdata: y\n\n", []event{{Raw: "data: x\n\n", Data: data("x")}, {Raw: "\ufeffdata: y\n\n", Comment: true}}, nil},
		{"two byte order marks", "\ufeff\ufeffdata: x\n\n", []event{{Raw: "\ufeff\ufeffdata: x\n\n", Comment: true}}, nil},
		{"characters and other bytes", "data: é漢😀\xff\n\n", []event{{Raw: "data: é漢😀\xff\n\n", Data: data("é漢😀\xff")}}, nil},
		{"no blank line at the end", "data: x\n\ndata: [DONE]\n", []event{{Raw: "data: x\n\n", Data: data("x")}, {Raw: "data: [DONE]\n", Data: data("[DONE]")}}, io.ErrUnexpectedEOF},
		{"no line end at the end", "data: a\ndata: b", []event{{Raw: "data: a\ndata: b", Data: data("a\nb")}}, io.ErrUnexpectedEOF},
		{"cut inside a name", "data: x\n\neve", []event{{Raw: "data: x\n\n", Data: data("x")}, {Raw: "eve", Comment: true}}, io.ErrUnexpectedEOF},
		{"cut after CR", "data: x\r", []event{{Raw: "data: x\r", Data: data("x")}}, io.ErrUnexpectedEOF},
		{"cut after a skipped LF", "data: x\r\r\nda", []event{{Raw: "data: x\r\r", Data: data("x")}, {Raw: "\nda", Comment: true}}, io.ErrUnexpectedEOF},
		{"cut after a byte order mark", "\ufeffdata: x", []event{{Raw: "\ufeffdata: x", Data: data("x")}}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.err == nil {
				c.err = io.EOF
			}
			for how, wrap := range wrappers {
				got, err := readAll(NewReader(wrap(strings.NewReader(c.in)), 0))
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				if err != c.err {
					t.Errorf("%s: error %v, want %v", how, err, c.err)
				}
			}
			if ref, broken := reference(c.in); !cmp.Equal(ref, c.want) || broken != (c.err == io.ErrUnexpectedEOF) {
				t.Errorf("the fuzz test's reference parser disagrees with this row:\n%s", cmp.Diff(c.want, ref))
			}
		})
	}
}

var wrappers = map[string]func(io.Reader) io.Reader{
	"whole":           func(r io.Reader) io.Reader { return r },
	"byte by byte":    iotest.OneByteReader,
	"halves":          iotest.HalfReader,
	"data with error": iotest.DataErrReader,
	"both":            func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
}

// script is a reader whose every Read returns the next piece; a piece longer than the buffer comes in parts.
type script struct {
	pieces []string
	err    error
	reads  int
}

func (s *script) Read(p []byte) (int, error) {
	s.reads++
	if len(s.pieces) == 0 {
		return 0, s.err
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

// TestReader_ReturnsEventAtItsLastByte: the next read may block for a minute, so none may happen before the event is out.
func TestReader_ReturnsEventAtItsLastByte(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n", "\r"} {
		pieces := make([]string, 5)
		for i := range pieces {
			pieces[i] = "event: e" + end + "data: " + strconv.Itoa(i) + end + end
		}
		s := &script{pieces: pieces, err: io.EOF}
		r := NewReader(s, 0)
		for i := range pieces {
			e, err := r.Next()
			if err != nil || string(e.Data) != strconv.Itoa(i) || string(e.Raw) != "event: e"+end+"data: "+strconv.Itoa(i)+end+end {
				t.Fatalf("%q: event %d is %q, %v", end, i, e.Raw, err)
			}
			if s.reads != i+1 {
				t.Errorf("%q: event %d came after %d reads", end, i, s.reads)
			}
		}
	}
}

func TestReader_Buffered(t *testing.T) {
	t.Parallel()
	s := &script{pieces: []string{"data: 1\n\ndata: 2\n\n: c\n\ndata: 3\n", "\ndata: 4\n\ndata: 5\r\n\r", "\n", "data: 6\n\n"}, err: io.EOF}
	r := NewReader(s, 0)
	if r.Buffered() {
		t.Error("an event is buffered before anything was read")
	}
	for i, want := range []struct {
		data     string
		buffered bool // after it
		reads    int
	}{{"1", true, 1}, {"2", true, 1}, {"", false, 1}, {"3", true, 2}, {"4", false, 2}, {"5", false, 3}, {"6", false, 4}} {
		e, err := r.Next()
		before := copied(e)
		if err != nil || string(e.Data) != want.data || s.reads != want.reads {
			t.Errorf("event %d: data %q, %v after %d reads; want %q after %d", i, e.Data, err, s.reads, want.data, want.reads)
		}
		if got := r.Buffered(); got != want.buffered || r.Buffered() != want.buffered {
			t.Errorf("event %d: Buffered %v", i, got)
		}
		if diff := cmp.Diff(before, copied(e)); diff != "" {
			t.Errorf("event %d changed by Buffered:\n%s", i, diff)
		}
	}
	if _, err := r.Next(); err != io.EOF || r.Buffered() {
		t.Errorf("at the end: %v, Buffered %v", err, r.Buffered())
	}
}

func TestReader_PassesReadErrorsOnAfterWhatCameBefore(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection reset")
	for _, c := range []struct {
		in   string
		rest string
	}{{"data: 1\n\n", ""}, {"data: 1\n\ndata: 2", "data: 2"}, {"data: 1\n\ndata: 2\n", "data: 2\n"}, {"data: 1\r\n\r", ""}} {
		r := NewReader(io.MultiReader(strings.NewReader(c.in), iotest.ErrReader(cut)), 0)
		if e, err := r.Next(); err != nil || string(e.Data) != "1" {
			t.Errorf("%q: %q, %v", c.in, e.Data, err)
		}
		if e, err := r.Next(); err != cut || string(e.Raw) != c.rest {
			t.Errorf("%q: rest %q, %v; want %q", c.in, e.Raw, err, c.rest)
		}
		for range 2 {
			if e, err := r.Next(); err != cut || e.Raw != nil || r.Buffered() {
				t.Errorf("%q: after the error %q, %v", c.in, e.Raw, err)
			}
		}
	}
}

func TestReader_StopsAtAReaderThatGivesNothing(t *testing.T) {
	t.Parallel()
	s := &script{pieces: []string{"data: 1\n\n"}}
	r := NewReader(s, 0)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != io.ErrNoProgress {
		t.Errorf("error %v, want io.ErrNoProgress", err)
	}
}
