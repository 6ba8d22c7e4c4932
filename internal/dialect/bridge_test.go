package dialect

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// foreign is the first dialect under another name: bytes that pass through it are
// read into neutral words and written anew.
func foreign() (client, target *Codec) {
	other := table[0]
	other.Name = "foreign"
	return &other, &table[0]
}

func codec(t *testing.T, name string) *Codec {
	t.Helper()
	c, ok := ByName(name)
	if !ok {
		t.Fatal("there is no dialect " + name)
	}
	return c
}

func newRequest(t *testing.T, c *Codec, body string) *llm.Request {
	t.Helper()
	req, err := c.Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
	if err != nil {
		t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1700000000, 0)
	return req
}

func TestBridge_WritesWhatItRead(t *testing.T) {
	t.Parallel()
	client, target := foreign()
	for name, tc := range map[string]struct{ in, want, lost string }{
		"words": {
			`{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"max_tokens":5,"temperature":0.5,"stop":"x","fairlead_x":1}`,
			`{"model":"t","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"max_tokens":5,"temperature":0.5,"stop":["x"]}`,
			"fairlead_x",
		},
		"tools": {
			`{"model":"m","messages":[{"role":"user","content":"w?"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"2"}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false}`,
			`{"model":"t","messages":[{"role":"user","content":"w?"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"a"},{"role":"tool","content":"2","tool_call_id":"b"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false}`,
			"",
		},
		"media": {
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0","detail":"low"}},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_id":"f1"}}]}]}`,
			`{"model":"t","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0","detail":"low"}},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_id":"f1"}}]}]}`,
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := NewBridge(client, target, newRequest(t, client, tc.in), llm.Options{Model: "t"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(b.Body.Join())); diff != "" || b.Path != "/chat/completions" {
				t.Errorf("%s (-want +got):\n%s", b.Path, diff)
			}
			if got := strings.Join(b.Lost, ","); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
		})
	}
}

const answer = `{"id":"c1","object":"chat.completion","created":1700000000,"model":"big","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"reasoning_content":"Hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0}}}`

func TestBridge_AnswersWhatTheTargetSaid(t *testing.T) {
	t.Parallel()
	client, target := foreign()
	b, err := NewBridge(client, target, newRequest(t, client, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`), llm.Options{Model: "t"})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := b.Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer, string(ev.Raw)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ev.AnswerID != "c1" || ev.Usage.Reasoning != 3 || ev.Usage.CacheRead != 2 {
		t.Errorf("%+v", ev)
	}
}

func TestBridge_StreamsWhatTheTargetSaid(t *testing.T) {
	t.Parallel()
	client, target := foreign()
	asked := newRequest(t, client, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`)
	b, err := NewBridge(client, target, asked, llm.Options{Model: "t", AskUsage: true})
	if err != nil {
		t.Fatal(err)
	}
	head := `data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[{"index":0,`
	stream := head + `"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"reasoning_content":"Hm"},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"content":"H\""},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"content":"i"},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"content":"\né"},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
		head + `"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}` + "\n\n" +
		`data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"big","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}` + "\n\n" +
		"data: [DONE]\n\n"
	var got bytes.Buffer
	decoder, reader := b.Stream(), sse.NewReader(strings.NewReader(stream), 0)
	for {
		raw, err := reader.Next()
		if err == io.EOF {
			break
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(ev.Raw)
	}
	got.Write(decoder.End())
	if diff := cmp.Diff(stream, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !decoder.Complete() {
		t.Error("the stream is complete")
	}
}
