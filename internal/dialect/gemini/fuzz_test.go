package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{` + hi + `}`, `{"contents":{"parts":{"text":"x"}},"system_instruction":{"parts":{"text":"y"}}}`,
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a_b":1}},"thought_signature":"ZmFpcmxlYWQuYW50aHJvcGljLnM="}]},{"parts":[{"functionResponse":{"name":"f","response":{"output":1}}}]}]}`,
		`{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"x":{"type":"STRING","nullable":true}}}}]}],"generation_config":{"max_output_tokens":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Decode(llm.Incoming{Surface: llm.Chat, Body: body, Limits: rawjson.Default(), Model: "m"})
		if err != nil {
			return
		}
		for _, model := range []string{"m", "t"} {
			sent, _, err := Encode(req, llm.Options{Model: model})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rawjson.Check(sent.Join(), rawjson.Limits{Depth: rawjson.MaxDepth}); err != nil {
				t.Fatalf("%v in %s", err, sent)
			}
		}
		prompt, err := Read(req)
		if err != nil {
			return
		}
		sent, _, err := Write(prompt, false, llm.Options{Model: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rawjson.Check(sent, rawjson.Limits{Depth: rawjson.MaxDepth}); err != nil {
			t.Fatalf("%v in %s", err, sent)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add(stream)
	f.Add("data: [DONE]\n\ndata: {\"candidates\":[{\"index\":63,\"finishReason\":\"STOP\",\"logprobsResult\":{\"chosenCandidates\":[{}]}}]}\n\n")
	f.Add("data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n: x\n\n")
	f.Fuzz(func(t *testing.T, wire string) {
		d := NewStream(&llm.Request{ID: "1", Array: true}, llm.Options{Translate: true})
		w := NewWriter(&llm.Request{ID: "2", Array: true})
		r := sse.NewReader(strings.NewReader(wire), 0)
		var passed, out []byte
		for {
			raw, err := r.Next()
			if err != nil {
				break
			}
			ev, err := d.Next(raw)
			if err != nil {
				passed = append(passed, d.Fail(llm.AsError(err))...)
				out = w.Fail(out, llm.AsError(err))
				break
			}
			passed = append(passed, ev.Raw...)
			for i := range ev.Deltas {
				out = w.Append(out, &ev.Deltas[i])
			}
		}
		for _, array := range [][]byte{append(passed, d.End()...), w.End(out)} {
			var all []any
			if err := json.Unmarshal(array, &all); err != nil {
				t.Fatalf("%v in %s", err, array)
			}
		}
	})
}
