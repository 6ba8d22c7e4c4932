package responses

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// FuzzDecode holds that what Decode takes can be encoded, and that what can be read can
// be written, as JSON.
func FuzzDecode(f *testing.F) {
	for _, tc := range rewritten {
		f.Add([]byte(tc.in))
	}
	f.Add([]byte(`{"model":"m","input":[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"fairlead.gemini.S"},{"type":"reasoning","encrypted_content":"fairlead.x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Decode(llm.Incoming{Surface: llm.Chat, Body: body, Limits: rawjson.Limits{Depth: 32}})
		if err != nil {
			if llm.AsError(err).Kind != llm.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		encoded, _, err := Encode(req, llm.Options{Model: "t"})
		if err != nil || !json.Valid(encoded.Join()) {
			t.Fatalf("%v: %s", err, encoded)
		}
		p, err := Read(req)
		if err != nil {
			if k := llm.AsError(err).Kind; k != llm.Invalid && k != llm.Unsupported {
				t.Fatalf("%v", err)
			}
			return
		}
		written, _, err := Write(p, req.Stream, llm.Options{Model: "t"})
		if err != nil || !json.Valid(written) {
			t.Fatalf("%v: %s", err, written)
		}
	})
}

// FuzzStream holds that any stream can be read and shown anew without a panic, and that
// what is shown is numbered from 0 on.
func FuzzStream(f *testing.F) {
	f.Add(recorded(f, "rich.sse"))
	f.Add(createdEvent + itemEvent + textEvent + stopEvent)
	f.Add(createdEvent + "data: {\"error\":1}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		req := decode(t, ask)
		_, events, _ := drain(NewStream(req, llm.Options{Translate: true}), stream)
		var deltas []llm.Delta
		for _, ev := range events {
			deltas = append(deltas, ev.Deltas...)
		}
		shown, _ := write(req, deltas...)
		n := int64(0)
		for line := range strings.SplitSeq(shown, "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			var ev struct {
				Number int64 `json:"sequence_number"`
			}
			if err := json.Unmarshal([]byte(data), &ev); err != nil || ev.Number != n {
				t.Fatalf("%v, want number %d: %s", err, n, data)
			}
			n++
		}
	})
}
