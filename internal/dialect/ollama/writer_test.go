package ollama

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

var paths = map[llm.Surface]string{llm.Chat: "/api/chat", llm.Completions: "/api/generate", llm.Embeddings: "/api/embed"}

// validateRequest holds a body against the publisher's description, where it is there.
func validateRequest(t *testing.T, surface llm.Surface, body []byte) {
	t.Helper()
	spec(t, func(s *testkit.Spec) error { return s.ValidateRequest(paths[surface], body) })
}

// spec runs a check in a subtest, so that only the check is skipped without the data.
func spec(t *testing.T, check func(*testkit.Spec) error) {
	t.Helper()
	t.Run("as published", func(t *testing.T) {
		t.Parallel()
		if err := check(testkit.PublishedSpec(t, "ollama.openapi.yaml")); err != nil {
			t.Error(err)
		}
	})
}

const head = `{"model":"big","created_at":"2026-08-01T10:00:00Z"`

func said() *llm.Answer {
	return &llm.Answer{Model: "big", Usage: money.Tokens{Input: 5, CacheRead: 2, Output: 2, Reasoning: 3}, Counted: true, Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm", Signature: "s", Signer: "anthropic"}, {Kind: llm.Text, Text: "H\"i\n"},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: `{"x":1}`}}, {Kind: llm.ToolCall, Call: &llm.Call{Name: "g"}},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "c", Name: "h", Arguments: `{"x":`}}},
		Stop: llm.Stop{Reason: llm.StopTools}, Logprobs: []byte(`{"content":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[]}],"refusal":null}`),
	}}}
}

func TestWriteAnswer(t *testing.T) {
	t.Parallel()
	body, lost := WriteAnswer(chat(t), said())
	want := head + `,"message":{"role":"assistant","content":"H\"i\n","thinking":"hm","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}},` +
		`{"id":"call_01J_1","function":{"index":1,"name":"g","arguments":{}}},{"id":"c","function":{"index":2,"name":"h","arguments":{"arguments":"{\"x\":"}}}]},` +
		`"logprobs":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[]}],"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5}`
	if diff := cmp.Diff(want, string(body)); diff != "" || !cmp.Equal(lost, llm.Losses{llm.FieldSignature}) {
		t.Errorf("lost %v (-want +got):\n%s", lost, diff)
	}
	spec(t, func(s *testkit.Spec) error { return s.ValidateResponse("/api/chat", body) })

	req := newRequest(t, llm.Completions, `{"model":"m","prompt":"a"}`)
	body, lost = WriteAnswer(req, &llm.Answer{Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: "b"}}, Stop: llm.Stop{Reason: llm.StopLength}}, {}}})
	want = `{"model":"m","created_at":"2026-08-01T10:00:00Z","response":"b","done":true,"done_reason":"length"}`
	if diff := cmp.Diff(want, string(body)); diff != "" || !cmp.Equal(lost, llm.Losses{llm.FieldN}) {
		t.Errorf("lost %v (-want +got):\n%s", lost, diff)
	}
	spec(t, func(s *testkit.Spec) error { return s.ValidateResponse("/api/generate", body) })

	embed := newRequest(t, llm.Embeddings, `{"model":"m","input":"a"}`)
	body, _ = WriteAnswer(embed, &llm.Answer{Vectors: [][]float32{{0.5, -0.25}, {1}}, Usage: money.Tokens{Input: 3}, Counted: true})
	if diff := cmp.Diff(`{"model":"m","embeddings":[[0.5,-0.25],[1]],"prompt_eval_count":3}`, string(body)); diff != "" {
		t.Error(diff)
	}
	spec(t, func(s *testkit.Spec) error { return s.ValidateResponse("/api/embed", body) })
}

func TestWriter_WritesLines(t *testing.T) {
	t.Parallel()
	got, lost := writeStream(chat(t), said().Deltas())
	text := func(s string) string { return head + `,"message":{"role":"assistant","content":` + s + `,"done":false` }
	want := text(`"","thinking":"hm"}`) + "}\n" + text(`"H\"i\n"}`) + "}\n" +
		text(`""}`) + `,"logprobs":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[]}]}` + "\n" +
		text(`"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}}]}`) + "}\n" +
		text(`"","tool_calls":[{"id":"call_01J_1","function":{"index":1,"name":"g","arguments":{}}}]}`) + "}\n" +
		text(`"","tool_calls":[{"id":"c","function":{"index":2,"name":"h","arguments":{"arguments":"{\"x\":"}}}]}`) + "}\n" +
		head + `,"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" || !cmp.Equal(lost, llm.Losses{llm.FieldSignature}) {
		t.Errorf("lost %v (-want +got):\n%s", lost, diff)
	}
	spec(t, func(s *testkit.Spec) error {
		for line := range strings.Lines(got) {
			if err := s.ValidateLine("/api/chat", []byte(line)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestWriter_HoldsCallsUntilTheyAreWhole(t *testing.T) {
	t.Parallel()
	call := func(id string) llm.Part { return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: "f"}} }
	piece := func(block int, s string) llm.Delta {
		return llm.Delta{Kind: llm.DeltaPiece, Block: block, Text: []byte(s)}
	}
	got, lost := writeStream(chat(t), []llm.Delta{
		{Kind: llm.DeltaBegin, Model: "big"}, {Kind: llm.DeltaPing}, {Kind: llm.DeltaForeign, Raw: []byte("{}")},
		{Kind: llm.DeltaOpen, Part: call("a")}, piece(0, `{"x"`), {Kind: llm.DeltaClose},
		{Kind: llm.DeltaOpen, Block: 1, Part: call("b")}, piece(1, `{"y":`), piece(0, `:1}`), piece(1, `2}`), {Kind: llm.DeltaClose, Block: 1},
		{Kind: llm.DeltaOpen, Choice: 1, Part: llm.Part{Kind: llm.Text}},
		{Kind: llm.DeltaOpen, Block: 2, Part: llm.Part{Kind: llm.Other}},
		{Kind: llm.DeltaUsage, Usage: money.Tokens{Input: 1}}, {Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopLength}}, {Kind: llm.DeltaUsage, Usage: money.Tokens{Input: 4, Output: 2}},
	})
	line := func(s string) string {
		return head + `,"message":{"role":"assistant","content":"","tool_calls":[{` + s + `}]},"done":false}` + "\n"
	}
	want := line(`"id":"b","function":{"index":0,"name":"f","arguments":{"y":2}}`) + line(`"id":"a","function":{"index":1,"name":"f","arguments":{"x":1}}`) +
		head + `,"message":{"role":"assistant","content":""},"done":true,"done_reason":"length","prompt_eval_count":4,"eval_count":2}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" || !cmp.Equal(lost, llm.Losses{llm.FieldN, llm.FieldOther}) {
		t.Errorf("lost %v (-want +got):\n%s", lost, diff)
	}
}

func TestWriter_EndsOnce(t *testing.T) {
	t.Parallel()
	w := NewWriter(newRequest(t, llm.Completions, `{"model":"m","prompt":"a"}`))
	out := w.Append(nil, &llm.Delta{Kind: llm.DeltaBegin})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Reasoning}})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaPiece, Text: []byte("t")})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaOpen, Block: 1, Part: llm.Part{Kind: llm.Text}})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaPiece, Block: 1, Text: []byte("a")})
	out = w.End(w.End(w.Append(out, &llm.Delta{Kind: llm.DeltaDone})))
	at := `{"model":"m","created_at":"2026-08-01T10:00:00Z","response":`
	want := at + `"","thinking":"t","done":false}` + "\n" + at + `"a","done":false}` + "\n" + at + `"","done":true,"done_reason":"stop"}` + "\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
	if got := string(w.Fail(nil, &llm.Error{Message: "cut"})); got != "{\"error\":\"cut\"}\n" {
		t.Errorf("%q", got)
	}
}

func TestWriter_DoesNotAllocatePerPiece(t *testing.T) {
	w := NewWriter(chat(t))
	dst := w.Append(make([]byte, 0, 4096), &llm.Delta{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}})
	d := llm.Delta{Kind: llm.DeltaPiece, Text: []byte(" the")}
	if n := testing.AllocsPerRun(100, func() { _ = w.Append(dst, &d) }); n != 0 {
		t.Errorf("%v allocations a piece", n)
	}
}
