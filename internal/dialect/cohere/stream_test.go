package cohere

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	api "github.com/cohere-ai/cohere-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// whole is a stream with everything in it. origin: described, from Cohere's guide to streaming and its SDK.
var whole = []string{
	`{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant"}}}`,
	`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}`,
	`{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"Hm"}}}}`,
	`{"type":"content-end","index":0}`,
	`{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
	`{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Hi "}}}}`,
	`{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"\"é"}}}}`,
	`{"type":"content-end","index":1}`,
	`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":2,"text":"Hi","sources":[{"type":"document","id":"doc:3","document":{"title":"t","text":"q"}}],"type":"TEXT_CONTENT"}}}}`,
	`{"type":"citation-end","index":0}`,
	`{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}`,
	`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t1","type":"function","function":{"name":"f","arguments":""}}}}}`,
	`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"x\":"}}}}}`,
	`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}`,
	`{"type":"tool-call-end","index":0}`,
	`{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"t2","type":"function","function":{"name":"g","arguments":""}}}}}`,
	`{"type":"tool-call-end","index":1}`,
	`{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":10,"output_tokens":7},"tokens":{"input_tokens":100,"output_tokens":7}}}}`,
}

func events(end string, datas ...string) string {
	var b strings.Builder
	for _, data := range datas {
		kind, _, _ := strings.Cut(strings.TrimPrefix(data, `{"type":"`), `"`)
		b.WriteString("event: " + kind + end + "data: " + data + end + end)
	}
	return b.String()
}

func read(tb testing.TB, in string) (all []llm.Event, deltas []llm.Delta, d *StreamDecoder, err error) {
	tb.Helper()
	d = NewStream(&llm.Request{}, llm.Options{Translate: true})
	r := sse.NewReader(strings.NewReader(in), 0)
	for {
		raw, err := r.Next()
		if err != nil {
			return all, deltas, d, err
		}
		ev, err := d.Next(raw)
		if err != nil {
			return all, deltas, d, err
		}
		for _, delta := range ev.Deltas {
			delta.Text, delta.Raw = bytes.Clone(delta.Text), bytes.Clone(delta.Raw)
			deltas = append(deltas, delta)
		}
		all = append(all, ev)
	}
}

func TestStream_SaysAllOfIt(t *testing.T) {
	t.Parallel()
	for _, data := range whole {
		var sdk api.V2ChatStreamResponse
		if err := sdk.UnmarshalJSON([]byte(data)); err != nil || sdk.Type == "" {
			t.Errorf("%s is nothing that Cohere's SDK reads: %v", data, err)
		}
	}
	cite := llm.Citation{Kind: "document", Title: "t", Quote: "q", Document: 3, Start: 0, End: 2, Of: "answer", Dialect: Name}
	want := []llm.Delta{
		{Kind: llm.DeltaBegin, ID: "c1"},
		{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Reasoning}}, {Kind: llm.DeltaPiece, Text: []byte("Hm")}, {Kind: llm.DeltaClose},
		{Kind: llm.DeltaOpen, Block: 1, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Block: 1, Text: []byte("Hi ")}, {Kind: llm.DeltaPiece, Block: 1, Text: []byte(`"é`)},
		{Kind: llm.DeltaCite, Block: 1, Part: llm.Part{Citations: []llm.Citation{cite}}}, {Kind: llm.DeltaClose, Block: 1},
		{Kind: llm.DeltaOpen, Block: 2, Part: llm.Part{Kind: llm.Reasoning}}, {Kind: llm.DeltaPiece, Block: 2, Text: []byte("I will")}, {Kind: llm.DeltaClose, Block: 2},
		{Kind: llm.DeltaOpen, Block: 3, Part: call("t1", "f", "")}, {Kind: llm.DeltaPiece, Block: 3, Text: []byte(`{"x":`)}, {Kind: llm.DeltaPiece, Block: 3, Text: []byte("1}")}, {Kind: llm.DeltaClose, Block: 3},
		{Kind: llm.DeltaOpen, Block: 4, Part: call("t2", "g", "")}, {Kind: llm.DeltaClose, Block: 4},
		{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopTools, Word: "TOOL_CALL"}}, {Kind: llm.DeltaUsage, Usage: money.Tokens{Input: 10, Output: 7}}, {Kind: llm.DeltaDone},
	}
	for _, end := range []string{"\n", "\r\n"} {
		all, deltas, d, err := read(t, events(end, whole...))
		if !errors.Is(err, io.EOF) || !d.Complete() || d.End() != nil {
			t.Fatal(err, d.Complete())
		}
		if diff := cmp.Diff(want, deltas, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(llm.Citation{}, "Raw")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		text := 0
		for _, ev := range all {
			text += ev.TextBytes
		}
		last := all[len(all)-1]
		if text != len(`HmHi "éI willf{"x":1}g`) || last.Marks != llm.MarkStop|llm.MarkUsage|llm.MarkDone || last.StopReason != "TOOL_CALL" || all[0].AnswerID != "c1" || all[0].Marks != llm.MarkStart {
			t.Errorf("%d bytes of text, %+v", text, last)
		}
	}
}

func TestStream_CutAnywhereIsNotComplete(t *testing.T) {
	t.Parallel()
	in := events("\n", whole...)
	for cut := range in {
		if _, _, d, err := read(t, in[:cut]); d.Complete() || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: complete, %v", cut, err)
		}
	}
}

func TestStream_OddEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []llm.Delta
	}{
		"unknown":                     {"data: {\"type\":\"hologram\"}\n\n", []llm.Delta{{Kind: llm.DeltaForeign, Raw: []byte("data: {\"type\":\"hologram\"}\n\n")}}},
		"ping and the end of others":  {": x\n\ndata: [DONE]\n\n", []llm.Delta{{Kind: llm.DeltaPing}}},
		"the type in the event alone": {"event: content-delta\ndata: {\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n", []llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Text: []byte("a")}}},
		"a call whose start was lost": {events("\n", whole[12]), []llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: call("", "", "")}, {Kind: llm.DeltaPiece, Text: []byte(`{"x":`)}}},
		"an end without a reason":     {events("\n", `{"type":"message-end","delta":{}}`), []llm.Delta{{Kind: llm.DeltaBegin}}},
		"a text in the start, two in a row": {
			events("\n", `{"type":"content-start","delta":{"message":{"content":{"type":"text","text":"a"}}}}`, `{"type":"content-start","delta":{"message":{"content":{"type":"text","text":"b"}}}}`),
			[]llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Text: []byte("a")}, {Kind: llm.DeltaClose}, {Kind: llm.DeltaOpen, Block: 1, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Block: 1, Text: []byte("b")}},
		},
	} {
		_, deltas, d, err := read(t, c.in)
		if !errors.Is(err, io.EOF) || d.Complete() {
			t.Errorf("%s: %v, complete %v", name, err, d.Complete())
		}
		if diff := cmp.Diff(c.want, deltas, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStream_TellsOfErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]llm.Error{
		`{"type":"message-end","delta":{"finish_reason":"ERROR","error":"oops"}}`: {Kind: llm.Upstream, Code: "ERROR", Message: "oops"},
		`{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}`:              {Kind: llm.Timeout, Code: "TIMEOUT", Message: "the upstream ran out of time while it made the answer"},
		`{"message":"internal error"}`:                                            {Kind: llm.Upstream, Message: "internal error"}, `[]`: {Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object"},
	} {
		_, _, d, err := read(t, "data: "+in+"\n\n")
		e := llm.AsError(err)
		if e.Kind != want.Kind || e.Message != want.Message || e.Code != want.Code || d.Complete() {
			t.Errorf("%s: %+v", in, e)
		}
	}
}

func TestAnswer_Chat(t *testing.T) {
	t.Parallel()
	body := `{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","tool_plan":"I will","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}],
"content":[{"type":"thinking","thinking":"Hm"},{"type":"text","text":"Hi"},{"type":"hologram","x":1}],"citations":[{"start":0,"end":2,"text":"Hi","sources":[{"type":"tool","id":"t0:0","tool_output":{}}],"content_index":1,"type":"TEXT_CONTENT"}]},
"usage":{"tokens":{"input_tokens":10,"output_tokens":7},"cached_tokens":4},"new":1}`
	ev, err := Answer(&llm.Request{Surface: llm.Chat}, llm.Options{Translate: true}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	used := money.Tokens{Input: 6, CacheRead: 4, Output: 7}
	want := &llm.Answer{ID: "c1", Usage: used, Counted: true, Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd, Word: "COMPLETE"}, Parts: []llm.Part{
		{Kind: llm.Reasoning, Text: "I will"}, {Kind: llm.Reasoning, Text: "Hm"},
		{Kind: llm.Text, Text: "Hi", Citations: []llm.Citation{{Kind: "document", Document: -1, End: 2, Of: "answer", Dialect: Name}}},
		{Kind: llm.Other, Raw: []byte(`{"type":"hologram","x":1}`), Dialect: Name}, call("t1", "f", "{}"),
	}}}}
	if diff := cmp.Diff(want, ev.Answer, cmpopts.IgnoreFields(llm.Citation{}, "Raw")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ev.Usage != used || ev.AnswerID != "c1" || ev.StopReason != "COMPLETE" || ev.TextBytes != len("I willHmHif{}") || ev.Marks != llm.MarkWhole|llm.MarkUsage {
		t.Errorf("%+v", ev)
	}
	for _, bad := range []string{`[]`, `{}`, `{"message":"no"}`, `{"message":{}}`, `{"message":{},"finish_reason":"ERROR"}`, `{"id":"a","id":"b"}`} {
		if _, err := Answer(&llm.Request{Surface: llm.Chat}, llm.Options{}, []byte(bad)); err == nil || llm.AsError(err).Kind != llm.Upstream {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAnswer_Embeddings(t *testing.T) {
	t.Parallel()
	for in, n := range map[string]int64{
		`{"id":"e","embeddings":{"float":[[0.5,-1],[2]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":4}}}`: 4,
		`{"id":"e","embeddings":[[0.5,-1],[2]],"meta":{"billed_units":{"input_tokens":1.5}}}`:                           0,
	} {
		ev, err := Answer(&llm.Request{Surface: llm.Embeddings}, llm.Options{Translate: true}, []byte(in))
		if err != nil || ev.Usage.Input != n || ev.Answer.Counted != (n > 0) || ev.AnswerID != "e" {
			t.Errorf("%+v, %v", ev, err)
		}
		if diff := cmp.Diff([][]float32{{.5, -1}, {2}}, ev.Answer.Vectors); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := Answer(&llm.Request{Surface: llm.Embeddings}, llm.Options{}, []byte(`{"message":"no"}`)); llm.AsError(err).Message != "no" {
		t.Errorf("%v", err)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(events("\n", whole...))
	for _, data := range whole {
		f.Add("data: " + data + "\n\n")
	}
	f.Fuzz(func(t *testing.T, in string) {
		_, deltas, d, _ := read(t, in)
		var c llm.Collect
		stops := 0
		for _, delta := range deltas {
			c.Add(delta)
			if delta.Kind == llm.DeltaStop {
				stops++
			}
		}
		c.Whole()
		if d.Complete() != (stops > 0) {
			t.Fatalf("complete: %v with %d stops", d.Complete(), stops)
		}
	})
}
