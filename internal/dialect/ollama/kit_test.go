package ollama

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/sse"
)

// newRequest decodes a body as the house does.
func newRequest(t testing.TB, surface llm.Surface, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: surface, Body: []byte(body)})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	req.ID, req.Time = "01J", time.Date(2026, 8, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
	return req
}

func chat(t testing.TB) *llm.Request {
	t.Helper()
	return newRequest(t, llm.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
}

// collected is what a stream said.
type collected struct {
	events []llm.Event // without their bytes and deltas
	raw    string
	answer *llm.Answer
	kinds  string // of the deltas, a letter each
	err    error
	d      *StreamDecoder
}

// letters are the kinds of deltas as tests write them down.
var letters = map[llm.DeltaKind]byte{
	llm.DeltaBegin: 'B', llm.DeltaOpen: 'o', llm.DeltaPiece: 'p', llm.DeltaLogprobs: 'l', llm.DeltaClose: 'c', llm.DeltaStop: 'S',
	llm.DeltaUsage: 'U', llm.DeltaDone: 'D', llm.DeltaPing: '.', llm.DeltaForeign: 'f',
}

// collect reads a stream to its end or its first error.
func collect(t testing.TB, req *llm.Request, stream string) (c collected) {
	t.Helper()
	c.d = NewStream(req, llm.Options{Translate: true})
	var all llm.Collect
	reader := sse.NewLines(strings.NewReader(stream), 0)
	for {
		raw, err := reader.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.err = err
			}
			c.answer = all.Whole()
			return c
		}
		ev, err := c.d.Next(raw)
		if err != nil {
			c.err, c.answer = err, all.Whole()
			return c
		}
		for _, d := range ev.Deltas {
			all.Add(d)
			c.kinds += string(letters[d.Kind])
		}
		c.raw += string(ev.Raw)
		ev.Raw, ev.Deltas = nil, nil
		c.events = append(c.events, ev)
	}
}

// writeStream writes an answer as a stream.
func writeStream(req *llm.Request, deltas []llm.Delta) (string, llm.Losses) {
	w := NewWriter(req)
	var out []byte
	for i := range deltas {
		out = w.Append(out, &deltas[i])
	}
	return string(w.End(out)), w.Lost()
}
