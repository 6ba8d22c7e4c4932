package dialect

import (
	"bytes"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// spread is an answer with line ends wherever JSON has room for them: models write
// such arguments when a grammar leaves them the choice, and servers such bodies.
const spread = `{
  "id": "c1", "object": "chat.completion", "created": 1700000000, "model": "big",
  "choices": [{
    "index": 0,
    "message": {"role": "assistant", "content": "Hi", "tool_calls": [
      {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\n  \"x\":\r\n1}"}}
    ]},
    "logprobs": {
      "content": [{"token": "Hi",
        "logprob": -0.5, "bytes": [72,
        105], "top_logprobs": []}]
    },
    "finish_reason": "tool_calls"
  }],
  "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
}`

func TestBridge_KeepsEveryEventOnItsLine(t *testing.T) {
	t.Parallel()
	target := codec(t, "openai-chat")
	for i := range table {
		client := &table[i]
		if client.Writer == nil {
			continue
		}
		t.Run(client.Name, func(t *testing.T) {
			t.Parallel()
			b := &Bridge{client: client, target: target, opt: llm.Options{Translate: true}}
			b.asked = &llm.Request{Surface: llm.Chat, Dialect: client.Name, ID: "01J", Body: []byte("{}"), Stream: true, StreamUsage: true}
			if client.Decode != nil {
				doc, err := rawjson.Check(b.asked.Body, rawjson.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				b.asked.Doc = doc
			}
			b.sent = b.asked
			ev, err := b.AsStream([]byte(spread))
			if err != nil {
				t.Fatal(err)
			}
			frames, events := client.Frames.New(bytes.NewReader(ev.Raw), 1<<20), 0
			for {
				frame, err := frames.Next()
				if err != nil {
					break // the end
				}
				if string(frame.Data) == "[DONE]" {
					continue
				}
				if _, err := rawjson.Check(frame.Data, rawjson.Limits{}); err != nil {
					t.Errorf("an event is broken (%v): %s", err, frame.Data)
				}
				events++
			}
			if events < 2 || !bytes.Contains(ev.Raw, []byte("1}")) {
				t.Errorf("%d events in %s", events, ev.Raw)
			}
		})
	}
}
