package anthropic

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// All fixtures of this package are origin: described. They were built from the pages
// that the package's comment names.

func decode(t testing.TB, surface llm.Surface, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: surface, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
	if err != nil {
		t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	return req
}

// short is the shortest request.
const short = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`

func shortRequest(t testing.TB) *llm.Request {
	t.Helper()
	return decode(t, llm.Chat, short)
}

func read(t testing.TB, body string) *llm.Prompt {
	t.Helper()
	p, err := Read(decode(t, llm.Chat, body))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// events writes an upstream's stream from the data of its events.
func events(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		kind, _ := rawjson.Lookup([]byte(d), "type")
		name, _ := kind.Str()
		b.WriteString("event: " + name + "\ndata: " + d + "\n\n")
	}
	return b.String()
}

// result is what a decoder made of a stream.
type result struct {
	events   []llm.Event
	deltas   []llm.Delta
	raw      string
	end      string
	complete bool
	err      error
}

// all reads a stream to its end or its first error.
func all(stream string, opt llm.Options) (r result) {
	d := NewStream(&llm.Request{}, opt)
	frames := sse.NewReader(strings.NewReader(stream), 0)
	for {
		frame, err := frames.Next()
		if err != nil {
			if err != io.EOF {
				r.err = err
			}
			break
		}
		ev, err := d.Next(frame)
		if err != nil {
			r.err = err
			break
		}
		r.raw += string(ev.Raw)
		for _, delta := range ev.Deltas {
			delta.Text = append([]byte(nil), delta.Text...)
			delta.Raw = append([]byte(nil), delta.Raw...)
			r.deltas = append(r.deltas, delta)
		}
		ev.Raw, ev.Deltas = nil, nil
		r.events = append(r.events, ev)
	}
	r.complete, r.end = d.Complete(), string(d.End())
	return r
}

func neutral() llm.Options { return llm.Options{Translate: true} }

// write writes deltas, and gives the data of the events.
func write(w *Writer, deltas ...llm.Delta) (data []string) {
	var raw []byte
	for i := range deltas {
		raw = w.Append(raw, &deltas[i])
	}
	return dataOf(raw)
}

func dataOf(raw []byte) (data []string) {
	frames := sse.NewReader(strings.NewReader(string(raw)), 0)
	for {
		frame, err := frames.Next()
		if err != nil {
			return data
		}
		data = append(data, string(frame.Data))
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func lostAre(t *testing.T, want string, got llm.Losses) {
	t.Helper()
	names := make([]string, len(got))
	for i, f := range got {
		names[i] = string(f)
	}
	if list := strings.Join(names, ","); list != want {
		t.Errorf("lost %q, want %q", list, want)
	}
}
