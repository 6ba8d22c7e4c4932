package sse

import (
	"bytes"
	"errors"
	"io"
	"runtime"
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

func TestReader_BoundsTheEvent(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{10, 4095, 4096, 4097, 100_000} {
		for _, over := range []int{0, 1} {
			size := limit + over - len("data: \n\n")
			in := "data: 1\n\n" + "data: " + strings.Repeat("x", size) + "\n\ndata: 2\n\n"
			for how, wrap := range wrappers {
				r := NewReader(wrap(strings.NewReader(in)), limit)
				if e, err := r.Next(); err != nil || string(e.Data) != "1" {
					t.Fatalf("limit %d, %s: %q, %v", limit, how, e.Data, err)
				}
				e, err := r.Next()
				if over == 1 {
					if err != ErrTooLong || e.Raw != nil {
						t.Errorf("limit %d, %s: %d bytes, %v; want ErrTooLong", limit, how, len(e.Raw), err)
					}
					if _, err := r.Next(); err != ErrTooLong || r.Buffered() {
						t.Errorf("limit %d, %s: ErrTooLong became %v", limit, how, err)
					}
					continue
				}
				if err != nil || len(e.Data) != size {
					t.Errorf("limit %d, %s: %d bytes, %v", limit, how, len(e.Data), err)
				}
				if e, err := r.Next(); err != nil || string(e.Data) != "2" {
					t.Errorf("limit %d, %s: afterwards %q, %v", limit, how, e.Data, err)
				}
			}
		}
	}
}

// TestReader_RefusesWhatIsTooLongAtOnce: neither waiting for its end nor finding the stream's end makes it acceptable.
func TestReader_RefusesWhatIsTooLongAtOnce(t *testing.T) {
	t.Parallel()
	s := &script{pieces: []string{"data: 1\n\n", "data: 2345"}, err: io.EOF}
	r := NewReader(s, 9)
	if e, err := r.Next(); err != nil || string(e.Data) != "1" {
		t.Fatalf("%q, %v", e.Data, err)
	}
	if e, err := r.Next(); err != ErrTooLong || e.Raw != nil || s.reads != 2 {
		t.Errorf("%q, %v after %d reads; want ErrTooLong after 2", e.Raw, err, s.reads)
	}
	for how, wrap := range wrappers {
		r := NewReader(wrap(strings.NewReader("data: 2345")), 9)
		if e, err := r.Next(); err != ErrTooLong || e.Raw != nil {
			t.Errorf("unfinished, %s: %q, %v; want ErrTooLong", how, e.Raw, err)
		}
		r = NewReader(wrap(strings.NewReader("data: 234")), 9)
		if e, err := r.Next(); err != io.ErrUnexpectedEOF || string(e.Data) != "234" {
			t.Errorf("unfinished, %s: %q, %v; want io.ErrUnexpectedEOF", how, e.Raw, err)
		}
	}
	r = NewReader(strings.NewReader("data: 1\n\ndata: 23\n\n"), 9)
	if _, err := r.Next(); err != nil || r.Buffered() {
		t.Errorf("%v; Buffered promises an event that is too long: %v", err, r.Buffered())
	}
}

// TestReader_NeverHoldsMuchMoreThanTheBound: whoever sends without ever ending a line fills at most the bound.
func TestReader_NeverHoldsMuchMoreThanTheBound(t *testing.T) {
	t.Parallel()
	const limit = 300_000
	for _, piece := range []string{strings.Repeat("x", 1000), "data: x\n", ":\r\n", "data: x\r"} {
		r := NewReader(&loop{piece: piece}, limit)
		if _, err := r.Next(); err != ErrTooLong {
			t.Errorf("%.10q: %v, want ErrTooLong", piece, err)
		}
		r = NewReader(&loop{piece: piece, left: limit / len(piece)}, limit)
		if _, err := r.Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("%.10q: %v, want io.ErrUnexpectedEOF", piece, err)
		}
		if len(r.buf) > limit+1 || len(r.buf) < limit/2 {
			t.Errorf("%.10q: the buffer has %d bytes", piece, len(r.buf))
		}
	}
}

// loop is a reader that repeats a piece, cut wherever the buffer ends: left times, or for ever if left is 0.
type loop struct {
	piece string
	at    int
	left  int
}

func (l *loop) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], l.piece[l.at:])
		n, l.at = n+m, (l.at+m)%len(l.piece)
		if l.at == 0 && l.left > 0 {
			if l.left--; l.left == 0 {
				l.left = -1
				return n, nil
			}
		}
		if l.left < 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

func TestReader_GivesMemoryBackAfterAGiant(t *testing.T) {
	t.Parallel()
	giant := strings.Repeat("漢", 100_000)
	in := "data: a\n\ndata: " + giant + "\n\n" + "data: " + giant + "\ndata: b\n\n" + strings.Repeat("data: c\n\n", 10_000)
	for how, wrap := range wrappers {
		r := NewReader(wrap(strings.NewReader(in)), 0)
		for i, want := range []string{"a", giant, giant + "\nb"} {
			if e, err := r.Next(); err != nil || string(e.Data) != want {
				t.Fatalf("%s: event %d has %d bytes, %v; want %d", how, i, len(e.Data), err, len(want))
			}
		}
		for i := range 10_000 {
			if e, err := r.Next(); err != nil || string(e.Data) != "c" {
				t.Fatalf("%s: event %d after the giants is %q, %v", how, i, e.Data, err)
			}
		}
		if _, err := r.Next(); err != io.EOF { // it read once more, and room is made before a read
			t.Errorf("%s: %v at the end", how, err)
		}
		if len(r.buf) > keep || cap(r.data) > keep {
			t.Errorf("%s: %d and %d bytes are still held", how, len(r.buf), cap(r.data))
		}
	}
}

func TestReader_AMillionEventsInFlatMemory(t *testing.T) {
	const n = 1_000_000
	piece := chunk + "event: ping\ndata: {}\n\ndata: two\r\ndata: lines\r\n\r\n: c\n\n"
	r := NewReader(&loop{piece: piece, left: n / 4}, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events, bytes := 0, 0
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		events, bytes = events+1, bytes+len(e.Raw)
	}
	runtime.ReadMemStats(&after)
	if events != n || bytes != n/4*len(piece) {
		t.Errorf("%d events of %d bytes", events, bytes)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("%d bytes were allocated along the way", grown)
	}
}

const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini",` +
	`"choices":[{"index":0,"delta":{"content":" the"},"logprobs":null,"finish_reason":null}]}` + "\n\n"

func TestReader_DoesNotAllocatePerEvent(t *testing.T) {
	for _, c := range []struct{ name, piece string }{
		{"single line", chunk}, {"CR LF", "data: x\r\n\r\n"}, {"CR", "data: x\r\r"}, {"several lines", "data: a\ndata: b\ndata: c\n\n"}, {"comment", ": ping\n\n"},
		{"named", "event: content_block_delta\n" + chunk + "event: ping\ndata: {}\n\n"}, {"with id", "id: 12\ndata: x\n\n"},
	} {
		r := NewReader(&loop{piece: c.piece}, 0)
		next := func() {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			r.Buffered()
		}
		for range 100 {
			next()
		}
		if n := testing.AllocsPerRun(1000, next); n != 0 {
			t.Errorf("%s: %v allocations an event", c.name, n)
		}
	}
}

// TestReader_RemembersFewNames: names a sender invents do not pile up.
func TestReader_RemembersFewNames(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	for i := range 1000 {
		in.WriteString("event: n" + strconv.Itoa(i) + "\ndata: x\n\n")
	}
	in.WriteString("event: " + strings.Repeat("y", 1000) + "\ndata: x\n\n")
	r := NewReader(strings.NewReader(in.String()), 0)
	for i := range 1000 {
		if e, err := r.Next(); err != nil || e.Name != "n"+strconv.Itoa(i) {
			t.Fatalf("event %d is named %q, %v", i, e.Name, err)
		}
	}
	if e, err := r.Next(); err != nil || len(e.Name) != 1000 {
		t.Errorf("long name %q, %v", e.Name, err)
	}
	if len(r.names) > maxNames {
		t.Errorf("%d names are kept", len(r.names))
	}
	for _, name := range r.names {
		if len(name) > 64 {
			t.Errorf("a name of %d bytes is kept", len(name))
		}
	}
}

// TestReader_ManyLinesAreNotQuadratic: looking for each line's end to the end of the buffer would take minutes.
func TestReader_ManyLinesAreNotQuadratic(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r", "\r\n"} {
		in := strings.Repeat("data: x"+end, 1_000_000) + end
		r := NewReader(strings.NewReader(in), 0)
		e, err := r.Next()
		if err != nil || len(e.Data) != 2*1_000_000-1 || len(e.Raw) != len(in) {
			t.Errorf("%q: %d bytes, %v", end, len(e.Data), err)
		}
		framed := Append(nil, "", []byte(strings.Repeat("x"+end, 1_000_000)))
		if len(framed) != len("data: x\n")*1_000_000+len("data: \n\n") {
			t.Errorf("%q: framed in %d bytes", end, len(framed))
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, data, want, back string }{
		{"", "x", "data: x\n\n", "x"},
		{"", "", "data: \n\n", ""},
		{"ping", "{}", "event: ping\ndata: {}\n\n", "{}"},
		{"", " x", "data:  x\n\n", " x"},
		{"", "a\nb", "data: a\ndata: b\n\n", "a\nb"},
		{"", "a\r\nb\rc", "data: a\ndata: b\ndata: c\n\n", "a\nb\nc"},
		{"", "a\n", "data: a\ndata: \n\n", "a\n"},
		{"", "\n", "data: \ndata: \n\n", "\n"},
		{"", "\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n", "\n\n\n"},
		{"", "a\n\nevent: b", "data: a\ndata: \ndata: event: b\n\n", "a\n\nevent: b"},
		{"", "\ufeffx", "data: \ufeffx\n\n", "\ufeffx"},
	} {
		got := Append([]byte("> "), c.name, []byte(c.data))
		if string(got) != "> "+c.want {
			t.Errorf("Append(%q, %q): %q, want %q", c.name, c.data, got, c.want)
		}
		e, err := NewReader(bytes.NewReader(got[2:]), 0).Next()
		if err != nil || e.Name != c.name || string(e.Data) != c.back || string(e.Raw) != c.want {
			t.Errorf("Append(%q, %q) reads back as %q, %q, %v", c.name, c.data, e.Name, e.Data, err)
		}
	}
	if got, want := string(Append(nil, "a\ndata: b\r\nc", []byte("x"))), "event: a data: b  c\ndata: x\n\n"; got != want {
		t.Errorf("a name with line ends: %q, want %q", got, want)
	}
	for text, want := range map[string]string{"": ": \n\n", "ping": ": ping\n\n", "a\n\ndata: b\r": ": a  data: b \n\n"} {
		got := AppendComment([]byte("> "), text)
		if string(got) != "> "+want {
			t.Errorf("AppendComment(%q): %q, want %q", text, got, want)
		}
		if e, err := NewReader(bytes.NewReader(got[2:]), 0).Next(); err != nil || !e.Comment || string(e.Raw) != want {
			t.Errorf("AppendComment(%q) reads back as %+v, %v", text, e, err)
		}
	}
}

func TestAppend_DoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for _, text := range []string{chunk[6 : len(chunk)-2], "a\nb\r\nc"} {
		payload := []byte(text)
		if n := testing.AllocsPerRun(100, func() { _ = Append(dst, "delta", payload) }); n != 0 {
			t.Errorf("%v allocations for %.20q", n, text)
		}
	}
}
