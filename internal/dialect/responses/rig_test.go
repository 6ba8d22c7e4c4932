package responses

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/packages/ssestream"
	sdk "github.com/openai/openai-go/v3/responses"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

func decode(t testing.TB, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
	if err != nil {
		t.Fatalf("Decode(%s): %v", body, err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	return req
}

// drain decodes a whole stream and gives what a client would read.
func drain(d *StreamDecoder, stream string) (raw string, events []llm.Event, err error) {
	r := sse.NewReader(strings.NewReader(stream), 0)
	var out strings.Builder
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String(), events, nil
		}
		if err != nil {
			return out.String(), events, err
		}
		got, err := d.Next(ev)
		if err != nil {
			return out.String(), events, err
		}
		out.Write(got.Raw)
		got.Raw = nil
		for i := range got.Deltas {
			got.Deltas[i].Text = bytes.Clone(got.Deltas[i].Text)
			got.Deltas[i].Raw = bytes.Clone(got.Deltas[i].Raw)
		}
		got.Deltas = append([]llm.Delta(nil), got.Deltas...)
		events = append(events, got)
	}
}

// collect puts a translated stream together.
func collect(t testing.TB, req *llm.Request, stream string) *llm.Answer {
	t.Helper()
	_, events, err := drain(NewStream(req, llm.Options{Translate: true}), stream)
	if err != nil {
		t.Fatal(err)
	}
	var c llm.Collect
	for _, ev := range events {
		for _, d := range ev.Deltas {
			c.Add(d)
		}
	}
	return c.Whole()
}

// write writes deltas as a stream.
func write(req *llm.Request, deltas ...llm.Delta) (stream string, w *Writer) {
	w = NewWriter(req)
	var out []byte
	for i := range deltas {
		out = w.Append(out, &deltas[i])
	}
	return string(w.End(out)), w
}

// sdkEvents is what the publisher's own client makes of a stream.
func sdkEvents(t testing.TB, stream string) (events []sdk.ResponseStreamEventUnion) {
	t.Helper()
	res := &http.Response{
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body:   io.NopCloser(strings.NewReader(stream)),
	}
	s := ssestream.NewStream[sdk.ResponseStreamEventUnion](ssestream.NewDecoder(res), nil)
	for s.Next() {
		events = append(events, s.Current())
	}
	if err := s.Err(); err != nil {
		t.Fatalf("the SDK cannot read the stream: %v\n%s", err, stream)
	}
	return events
}

const ask = `{"model":"m","input":"hi"}`
