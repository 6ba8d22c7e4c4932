package ollama

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// origin: described. After the examples of https://docs.ollama.com/api/chat and
// https://docs.ollama.com/capabilities/tool-calling.
const thoughtAndTools = `{"model":"qwen3","created_at":"2026-08-01T10:00:00.1Z","message":{"role":"assistant","content":"","thinking":"The user"},"done":false}
{"model":"qwen3","created_at":"2026-08-01T10:00:00.2Z","message":{"role":"assistant","content":"","thinking":" asks…\n"},"done":false}
{"model":"qwen3","created_at":"2026-08-01T10:00:00.3Z","message":{"role":"assistant","content":"I'll \"look\""},"done":false}
{"model":"qwen3","created_at":"2026-08-01T10:00:00.4Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_a","function":{"index":0,"name":"f","arguments":{"city":"Köln","n":1.50}}},{"function":{"index":1,"name":"g","arguments":{}}}]},"done":false}
{"model":"qwen3","created_at":"2026-08-01T10:00:00.5Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":100,"load_duration":10,"prompt_eval_count":26,"prompt_eval_duration":5,"eval_count":298,"eval_duration":80}
`

func TestStream_Reads(t *testing.T) {
	t.Parallel()
	got := collect(t, chat(t), thoughtAndTools)
	if got.err != nil || !got.d.Complete() || got.d.End() != nil || got.raw != thoughtAndTools {
		t.Fatalf("%v, complete %v, raw %q", got.err, got.d.Complete(), got.raw)
	}
	usage := money.Tokens{Input: 26, Output: 298}
	calls := len(`[{"id":"call_a","function":{"index":0,"name":"f","arguments":{"city":"Köln","n":1.50}}},{"function":{"index":1,"name":"g","arguments":{}}}]`)
	if diff := cmp.Diff([]llm.Event{
		{Marks: llm.MarkStart | llm.MarkReasoning, TextBytes: 8}, {Marks: llm.MarkStart | llm.MarkReasoning, TextBytes: 10}, {Marks: llm.MarkStart | llm.MarkContent, TextBytes: 13},
		{Marks: llm.MarkStart | llm.MarkTool, TextBytes: calls}, {Marks: llm.MarkStart | llm.MarkStop | llm.MarkUsage | llm.MarkDone, StopReason: "stop", Usage: usage},
	}, got.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "Bopp" + "cop" + "copcopc" + "SUD"; got.kinds != want {
		t.Errorf("deltas %s, want %s", got.kinds, want)
	}
	want := &llm.Answer{Model: "qwen3", Usage: usage, Counted: true, Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.Reasoning, Text: "The user asks…\n"}, {Kind: llm.Text, Text: `I'll "look"`},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "call_a", Name: "f", Arguments: `{"city":"Köln","n":1.50}`}},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "call_01J_1", Name: "g", Arguments: `{}`}}},
		Stop: llm.Stop{Reason: llm.StopTools, Word: "stop"},
	}}}
	if diff := cmp.Diff(want, got.answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStream_CutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	whole := strings.TrimSuffix(thoughtAndTools, "\n")
	for i := range whole {
		if got := collect(t, chat(t), whole[:i]); got.d.Complete() {
			t.Fatalf("cut at %d it is complete", i)
		}
	}
	for _, stream := range []string{whole, whole + "\n\n", strings.ReplaceAll(thoughtAndTools, "\n", "\r\n")} {
		if got := collect(t, chat(t), stream); !got.d.Complete() || got.err != nil {
			t.Errorf("%q…: %v", stream[len(stream)-10:], got.err)
		}
	}
}

func TestStream_ReadsWhatServersSend(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface             llm.Surface
		stream, kinds, stop string
		reason              llm.StopReason
		usage               money.Tokens
	}{
		"a completion":           {llm.Completions, `{"model":"m","response":"a","done":false}` + "\n" + `{"model":"m","response":"","thinking":"t","done":false}` + "\n" + `{"response":"b","done":true,"done_reason":"length","context":[1,2],"prompt_eval_count":3}`, "Bopcopcop" + "cSUD", "length", llm.StopLength, money.Tokens{Input: 3}},
		"a server of old":        {llm.Chat, `{"message":{"content":"a"},"done":false}` + "\n" + `{"done":true,"eval_count":5}` + "\n", "Bop" + "cSD", "stop", llm.StopEnd, money.Tokens{}},
		"a model that is loaded": {llm.Chat, `{"model":"m","message":{"role":"assistant","content":""},"done_reason":"load","done":true}`, "BSD", "load", llm.StopOther, money.Tokens{}},
		"contradictory counts":   {llm.Chat, `{"message":{"content":"a"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":-1}`, "BopcSD", "stop", llm.StopEnd, money.Tokens{}},
		"what is unknown":        {llm.Chat, `{"status":"warming up"}` + "\n\n" + `{"message":{"content":"a","mood":"good"},"mood":1,"done":true,"done_reason":"stop"}`, "fBopcSD", "stop", llm.StopEnd, money.Tokens{}},
		"pictures":               {llm.Chat, `{"message":{"content":"","images":["/9j/"]},"done":true,"done_reason":"stop"}`, "BocSD", "stop", llm.StopEnd, money.Tokens{}},
		"null fields":            {llm.Chat, `{"message":{"content":"a","thinking":null,"tool_calls":null,"images":null},"logprobs":null,"error":null,"done":true,"done_reason":null}`, "BopcSD", "stop", llm.StopEnd, money.Tokens{}},
		"how likely":             {llm.Chat, `{"message":{"content":"a"},"done":false,"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1}]}]}` + "\n" + `{"message":{"content":""},"done":true,"done_reason":"stop"}`, "BoplcSD", "stop", llm.StopEnd, money.Tokens{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := chat(t)
			req.Surface = tc.surface
			got := collect(t, req, tc.stream)
			if got.err != nil || !got.d.Complete() || got.kinds != tc.kinds {
				t.Fatalf("%v, complete %v, deltas %s, want %s", got.err, got.d.Complete(), got.kinds, tc.kinds)
			}
			if got.answer.Choices[0].Stop != (llm.Stop{Reason: tc.reason, Word: tc.stop}) || got.answer.Usage != tc.usage {
				t.Errorf("%+v, %+v", got.answer.Choices[0].Stop, got.answer.Usage)
			}
			if name == "how likely" {
				want := `{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1,"bytes":null}]}],"refusal":null}`
				if diff := cmp.Diff(want, string(got.answer.Choices[0].Logprobs)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestStream_ErrorsWithin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stream string
		kind   llm.Kind
		text   string
	}{
		"an error line": {`{"message":{"content":"a"},"done":false}` + "\n" + `{"error":"an error was encountered while running the model"}` + "\n", llm.Upstream, "an error was encountered while running the model"},
		"too long":      {`{"error":"prompt exceeds context length"}`, llm.TooLong, "prompt exceeds context length"},
		"HTML":          {"<html>\n", llm.Upstream, "the upstream sent a line that is not a JSON object"},
		"broken":        {`{"message":` + "\n", llm.Upstream, "the upstream sent a line that is not a JSON object"},
		"said twice":    {`{"done":false,"done":true}` + "\n", llm.Upstream, "the upstream sent a line that is not a JSON object"},
		"no text":       {`{"error":{"code":7}}` + "\n", llm.Upstream, "the upstream reported an error without saying which"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := collect(t, chat(t), tc.stream)
			if e := llm.AsError(got.err); e.Kind != tc.kind || e.Message != tc.text || got.d.Complete() {
				t.Errorf("%v", got.err)
			}
		})
	}
	if got, want := string(NewStream(chat(t), llm.Options{}).Fail(&llm.Error{Message: "no"})), "{\"error\":\"no\"}\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestAnswer_Reads(t *testing.T) {
	t.Parallel()
	body := `{"model":"qwen3","created_at":"2026-08-01T10:00:00Z","message":{"role":"assistant","content":"Hi","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5}`
	ev, err := Answer(chat(t), llm.Options{Translate: true}, []byte(body))
	if err != nil || ev.Marks != llm.MarkWhole|llm.MarkUsage || string(ev.Raw) != body || ev.StopReason != "stop" || ev.TextBytes != 2+2+len(`[{"function":{"name":"f","arguments":{"x":1}}}]`) {
		t.Fatalf("%+v, %v", ev, err)
	}
	want := &llm.Answer{Model: "qwen3", Usage: money.Tokens{Input: 7, Output: 5}, Counted: true, Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, {Kind: llm.Text, Text: "Hi"}, {Kind: llm.ToolCall, Call: &llm.Call{ID: "call_01J_0", Name: "f", Arguments: `{"x":1}`}}},
		Stop:  llm.Stop{Reason: llm.StopTools, Word: "stop"}}}}
	if diff := cmp.Diff(want, ev.Answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	embed := newRequest(t, llm.Embeddings, `{"model":"m","input":"a"}`)
	ev, err = Answer(embed, llm.Options{Translate: true}, []byte(`{"model":"e","embeddings":[[0.5,-1e-3],[]],"total_duration":1,"prompt_eval_count":8}`))
	if diff := cmp.Diff(&llm.Answer{Model: "e", Vectors: [][]float32{{0.5, -1e-3}, nil}, Usage: money.Tokens{Input: 8}, Counted: true}, ev.Answer); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, body := range map[string]string{"HTML": `<html>`, "a list": `[]`, "no message": `{"done":true}`, "an error": `{"error":"no"}`} {
		for _, req := range []*llm.Request{chat(t), embed} {
			if _, err := Answer(req, llm.Options{}, []byte(body)); err == nil || llm.AsError(err).Kind != llm.Upstream {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(thoughtAndTools)
	f.Add(`{"response":"a","done":true}`)
	f.Add("{\"error\":1}\n\n{}\n{\"message\":{\"tool_calls\":[{}]}}")
	f.Fuzz(func(t *testing.T, stream string) {
		req := chat(t)
		d := NewStream(req, llm.Options{Translate: true})
		w := NewWriter(req)
		reader := sse.NewLines(strings.NewReader(stream), 0)
		var out []byte
		open := map[int]bool{}
		for {
			raw, err := reader.Next()
			if err != nil {
				break
			}
			ev, err := d.Next(raw)
			if err != nil {
				return
			}
			for i := range ev.Deltas {
				delta := &ev.Deltas[i]
				switch delta.Kind {
				case llm.DeltaOpen:
					open[delta.Block] = true
				case llm.DeltaPiece, llm.DeltaClose:
					if !open[delta.Block] {
						t.Fatalf("block %d was not opened", delta.Block)
					}
				}
				out = w.Append(out, delta)
			}
			if ev.Marks&llm.MarkDone != 0 {
				break
			}
		}
		again := collect(t, req, string(w.End(out)))
		if again.err != nil || !again.d.Complete() {
			t.Fatalf("%q reads back as %v", out, again.err)
		}
	})
}

func TestStream_DoesNotAllocatePerLine(t *testing.T) {
	line := sse.Event{Data: []byte(`{"model":"m","created_at":"2026-08-01T10:00:00.1Z","message":{"role":"assistant","content":" th\u00e9"},"done":false}`)}
	for name, opt := range map[string]llm.Options{"passed through": {}, "translated": {Translate: true}} {
		d := NewStream(chat(t), opt)
		read := func() {
			if _, err := d.Next(line); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations a line", name, n)
		}
	}
}
