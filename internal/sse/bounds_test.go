package sse

import (
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

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
