package sse

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var lineEnd = regexp.MustCompile("\r\n|\n|\r")

// reference parses a whole stream at leisure, following the standard's text: split into lines, interpret each. Only where Raw
// is cut comes from this package's own rule: after a line that ended with a lone CR, the LF of a blank line's CR LF goes to
// the next event. broken says that the last event is unfinished.
func reference(in string) (events []event, broken bool) {
	start, from := 0, 0 // of the event, of the line
	if strings.HasPrefix(in, "\ufeff") {
		from = len("\ufeff")
	}
	var e event
	var values []string
	flush := func(end int) {
		e.Raw = in[start:end]
		if e.Comment = values == nil; !e.Comment {
			e.Data = []string{strings.Join(values, "\n")}
		}
		events = append(events, e)
		e, values, start = event{}, nil, end
	}
	line := func(s string) {
		name, value, _ := strings.Cut(s, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "data":
			values = append(values, value)
		case name == "event":
			e.Name = value
		case name == "id" && !strings.Contains(value, "\x00"):
			e.ID = []string{value}
		}
	}
	before := ""
	for _, at := range lineEnd.FindAllStringIndex(in, -1) {
		if at[0] < from { // a line end cannot stand in the byte order mark
			panic("overlap")
		}
		end := in[at[0]:at[1]]
		switch {
		case at[0] > from:
			line(in[from:at[0]])
		case end == "\r\n" && before == "\r":
			flush(at[1] - 1)
		default:
			flush(at[1])
		}
		from, before = at[1], end
	}
	if start < len(in) {
		// A rest of one LF is that of a CR LF: a blank line's own LF would have flushed.
		if broken = start < len(in)-1 || in[start:] != "\n"; broken && from < len(in) {
			line(in[from:])
		}
		flush(len(in))
	}
	return events, broken
}

// chunks is a reader that cuts a text into pieces of the given sizes, in turn; a size of 0 is a read of nothing.
type chunks struct {
	rest  string
	sizes []byte
	turn  int
	reads int
}

func (c *chunks) Read(p []byte) (int, error) {
	c.reads++
	if c.rest == "" {
		return 0, io.EOF
	}
	size := len(c.rest)
	if len(c.sizes) > 0 {
		size = int(c.sizes[c.turn%len(c.sizes)])
		c.turn++
	}
	if slices.Max(append(c.sizes, 0)) == 0 {
		size = max(size, 1)
	}
	n := copy(p, c.rest[:min(size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

// FuzzReader compares the Reader with the reference parser however the stream is cut into reads. All Raws in a row are
// the stream, and Buffered keeps its promise.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"", "data: x\n\n", "data: x\r\n\r\n", "data: x\r\rdata: y\r\r", "data: x\r\r\ndata: y\n\n", "\r\r\n\r\n\n\r", "\ufeff\ufeff\ndata\n\n", "\ufeff",
		": c\nevent: a\nid: 1\ndata: b\ndata:c\n\nid: \x00\n\n", "data: [DONE]\n", "event\ndata\n\ndata: \xe6\xbc\xa2\n\n", "\xef\xbbdata: x\n\n", chunk + chunk,
	} {
		f.Add(s, []byte{1})
		f.Add(s, []byte{3, 0, 2})
		f.Add(s, []byte{})
	}
	f.Fuzz(func(t *testing.T, in string, sizes []byte) {
		if len(sizes) > 50 { // else the sizes may hold more empty reads in a row than a Reader accepts
			sizes = sizes[:50]
		}
		want, broken := reference(in)
		wantErr := io.EOF
		if broken {
			wantErr = io.ErrUnexpectedEOF
		}
		source := &chunks{rest: in, sizes: sizes}
		r := NewReader(source, 0)
		var got []event
		raw := ""
		for {
			promised, reads := r.Buffered(), source.reads
			e, err := r.Next()
			if promised && (err != nil || source.reads != reads) {
				t.Fatalf("Buffered, but Next gave %v after %d reads", err, source.reads-reads)
			}
			if err == nil || e.Raw != nil {
				got, raw = append(got, copied(e)), raw+string(e.Raw)
			}
			if err != nil {
				if err != wantErr {
					t.Fatalf("error %v, want %v", err, wantErr)
				}
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-reference +ours):\n%s", diff)
		}
		if raw != in {
			t.Fatalf("the Raws in a row are %q", raw)
		}
		if whole, err := readAll(NewReader(iotest.DataErrReader(strings.NewReader(in)), 0)); err != wantErr || !cmp.Equal(got, whole) {
			t.Fatalf("read whole: %v\n%s", err, cmp.Diff(got, whole))
		}
	})
}

// FuzzAppend: what was framed reads back as one event, with every line end as LF.
func FuzzAppend(f *testing.F) {
	f.Add("", "x")
	f.Add("a\nb", "a\r\nb\n\r\rc")
	f.Fuzz(func(t *testing.T, name, payload string) {
		r := NewReader(strings.NewReader(string(Append(nil, name, []byte(payload)))), 1<<30)
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := lineEnd.ReplaceAllString(payload, "\n"); string(e.Data) != want || e.Comment {
			t.Fatalf("data %q, want %q", e.Data, want)
		}
		if want := strings.NewReplacer("\n", " ", "\r", " ").Replace(name); e.Name != want {
			t.Fatalf("name %q, want %q", e.Name, want)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("after it: %v", err)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, piece string }{
		{"chat chunk", chunk}, {"tiny", "data: x\n\n"}, {"CR LF", "data: x\r\n\r\n"}, {"named", "event: content_block_delta\n" + chunk}, {"three lines", "data: a\ndata: b\ndata: c\n\n"},
		{"60 KB", "data: " + strings.Repeat("x", 60<<10) + "\n\n"}, {"1 MB", "data: " + strings.Repeat("x", 1<<20) + "\n\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := NewReader(&loop{piece: c.piece}, 0)
			b.SetBytes(int64(len(c.piece)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	payload, dst := []byte(chunk[6:len(chunk)-2]), make([]byte, 0, 4096)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		dst = Append(dst[:0], "", payload)
	}
}
