package bedrock

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// frames are events as AWS's own encoder writes them, name and payload in turn. A name that ends in
// Exception is one.
func frames(tb testing.TB, events ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	for i := 0; i < len(events); i += 2 {
		m := eventstream.Message{Payload: []byte(events[i+1])}
		if strings.HasSuffix(events[i], "Exception") {
			m.Headers.Set(":exception-type", eventstream.StringValue(events[i]))
			m.Headers.Set(":message-type", eventstream.StringValue("exception"))
		} else {
			m.Headers.Set(":event-type", eventstream.StringValue(events[i]))
			m.Headers.Set(":message-type", eventstream.StringValue("event"))
		}
		if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

// whole is a stream with everything in it. origin: described, from the API reference of ConverseStream.
var whole = []string{
	"messageStart", `{"role":"assistant","p":"abc"}`,
	"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"H"}},"p":"a"}`,
	"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m"}}}`,
	"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s+/="}}}`,
	"contentBlockStop", `{"contentBlockIndex":0}`,
	"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cmVk"}}}`,
	"contentBlockStop", `{"contentBlockIndex":1}`,
	"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"text":""}}`,
	"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"text":"Hi \"é"}}`,
	"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"citation":{"title":"t","sourceContent":[{"text":"q"}],"location":{"documentChar":{"documentIndex":1,"start":2,"end":5}}}}}`,
	"contentBlockStop", `{"contentBlockIndex":2}`,
	"contentBlockStart", `{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}`,
	"contentBlockDelta", `{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"x\":"}}}`,
	"contentBlockDelta", `{"contentBlockIndex":3,"delta":{"toolUse":{"input":"1}"}}}`,
	"contentBlockStop", `{"contentBlockIndex":3}`,
	"contentBlockStart", `{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}`,
	"newEvent", `{"x":1}`,
	"messageStop", `{"stopReason":"tool_use"}`,
	"metadata", `{"usage":{"inputTokens":10,"outputTokens":7,"totalTokens":47,"cacheReadInputTokens":20,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4},{"ttl":"5m","inputTokens":6}]},"metrics":{"latencyMs":5}}`,
}

// read reads a stream to its end and gives copies of all that was said.
func read(tb testing.TB, in []byte) (events []llm.Event, deltas []llm.Delta, d *StreamDecoder, err error) {
	tb.Helper()
	d = NewStream(&llm.Request{}, llm.Options{Translate: true})
	r := sse.NewEventStream(bytes.NewReader(in), 0)
	for {
		raw, err := r.Next()
		if err != nil {
			return events, deltas, d, err
		}
		ev, err := d.Next(raw)
		if err != nil {
			return events, deltas, d, err
		}
		for _, delta := range ev.Deltas {
			delta.Text = append([]byte(nil), delta.Text...)
			delta.Raw = append([]byte(nil), delta.Raw...)
			deltas = append(deltas, delta)
		}
		ev.Deltas, ev.Raw = nil, nil
		events = append(events, ev)
	}
}

var usage = money.Tokens{Input: 10, CacheRead: 20, CacheWrite5m: 6, CacheWrite1h: 4, Output: 7}

func TestStream_SaysAllOfIt(t *testing.T) {
	t.Parallel()
	events, deltas, d, err := read(t, frames(t, whole...))
	if !errors.Is(err, io.EOF) || !d.Complete() {
		t.Fatal(err, d.Complete())
	}
	thought := llm.Part{Kind: llm.Reasoning}
	cite := llm.Citation{Kind: "document", Title: "t", Quote: "q", Document: 1, Start: 2, End: 5, Of: "document", Dialect: Name}
	want := []llm.Delta{
		{Kind: llm.DeltaBegin},
		{Kind: llm.DeltaOpen, Part: thought}, {Kind: llm.DeltaPiece, Text: []byte("H")}, {Kind: llm.DeltaPiece, Text: []byte("m")},
		{Kind: llm.DeltaSign, Part: llm.Part{Signature: "s+/=", Signer: Name}}, {Kind: llm.DeltaClose},
		{Kind: llm.DeltaOpen, Block: 1, Part: thought}, {Kind: llm.DeltaSign, Block: 1, Part: llm.Part{Redacted: "cmVk", Signer: Name}}, {Kind: llm.DeltaClose, Block: 1},
		{Kind: llm.DeltaOpen, Block: 2, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Block: 2, Text: []byte(`Hi "é`)},
		{Kind: llm.DeltaCite, Block: 2, Part: llm.Part{Citations: []llm.Citation{cite}}}, {Kind: llm.DeltaClose, Block: 2},
		{Kind: llm.DeltaOpen, Block: 3, Part: call("t1", "f", "")}, {Kind: llm.DeltaPiece, Block: 3, Text: []byte(`{"x":`)}, {Kind: llm.DeltaPiece, Block: 3, Text: []byte("1}")}, {Kind: llm.DeltaClose, Block: 3},
		{Kind: llm.DeltaOpen, Block: 4, Part: call("t2", "g", "")},
		{Kind: llm.DeltaForeign, Raw: []byte(`{"x":1}`)},
		{Kind: llm.DeltaClose, Block: 4},
		{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopTools, Word: "tool_use"}},
		{Kind: llm.DeltaUsage, Usage: usage}, {Kind: llm.DeltaDone},
	}
	if diff := cmp.Diff(want, deltas, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(llm.Citation{}, "Raw")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	marks := []llm.Mark{
		llm.MarkStart, llm.MarkReasoning, llm.MarkReasoning, llm.MarkReasoning, 0, llm.MarkReasoning, 0, 0, llm.MarkContent, llm.MarkContent, 0,
		llm.MarkTool, llm.MarkTool, llm.MarkTool, 0, llm.MarkTool, llm.MarkUnknown, llm.MarkStop, llm.MarkUsage | llm.MarkDone,
	}
	text := 0
	for i, ev := range events {
		if ev.Marks != marks[i] {
			t.Errorf("event %d: marks %b, want %b", i, ev.Marks, marks[i])
		}
		text += ev.TextBytes
	}
	if last := events[len(events)-1]; last.Usage != usage || text != len(`HmHi "éf{"x":1}g`) || events[len(events)-2].StopReason != "tool_use" {
		t.Errorf("%+v, %d bytes of text", last, text)
	}
}

func TestStream_CutAnywhereIsNotComplete(t *testing.T) {
	t.Parallel()
	in := frames(t, whole...)
	stop := len(frames(t, whole[:len(whole)-2]...)) // the end of messageStop
	for cut := range in {
		_, _, d, err := read(t, in[:cut])
		if d.Complete() != (cut >= stop) {
			t.Fatalf("cut at %d: complete is %v", cut, d.Complete())
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestStream_StopReasons(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]llm.StopReason{
		"end_turn": llm.StopEnd, "tool_use": llm.StopTools, "max_tokens": llm.StopLength, "stop_sequence": llm.StopSequence, "guardrail_intervened": llm.StopFilter,
		"content_filtered": llm.StopFilter, "malformed_model_output": llm.StopOther, "malformed_tool_use": llm.StopOther, "model_context_window_exceeded": llm.StopLength, "new": llm.StopOther,
	} {
		_, deltas, d, err := read(t, frames(t, "messageStop", `{"stopReason":"`+word+`","additionalModelResponseFields":{"stop_sequence":"END"}}`))
		if got := (llm.Stop{Reason: want, Word: word, Sequence: "END"}); !errors.Is(err, io.EOF) || !d.Complete() || deltas[len(deltas)-1].Stop != got {
			t.Errorf("%s: %+v", word, deltas)
		}
	}
}

func TestStream_OddEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []string
		want []llm.Delta
	}{
		"a call whose start was lost": {
			[]string{"contentBlockDelta", `{"contentBlockIndex":7,"delta":{"toolUse":{"input":"{}"}}}`},
			[]llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: call("", "", "")}, {Kind: llm.DeltaPiece, Text: []byte("{}")}},
		},
		"an empty start, a late piece": {
			[]string{"contentBlockStart", `{"contentBlockIndex":0,"start":{}}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`, "contentBlockStop", `{"contentBlockIndex":0}`, "contentBlockStop", `{"contentBlockIndex":0}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"b"}}`},
			[]llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Text: []byte("a")}, {Kind: llm.DeltaClose}},
		},
		"a tool that the server runs": {
			[]string{"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"web","type":"server_tool_use"}}}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}`, "contentBlockStop", `{"contentBlockIndex":0}`},
			[]llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Other, Dialect: Name, Raw: []byte(`{"toolUse":{"toolUseId":"a","name":"web","type":"server_tool_use"}}`)}}, {Kind: llm.DeltaClose}},
		},
		"thought that only AWS reads, in pieces": {
			[]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"YQ=="}}}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"Yg=="}}}`, "contentBlockStop", `{"contentBlockIndex":0}`},
			[]llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Reasoning}}, {Kind: llm.DeltaSign, Part: llm.Part{Redacted: "YWI=", Signer: Name}}, {Kind: llm.DeltaClose}},
		},
		"counts that contradict themselves": {
			[]string{"metadata", `{"usage":{"inputTokens":-1,"outputTokens":2}}`}, []llm.Delta{{Kind: llm.DeltaBegin}},
		},
		"an unknown delta": {
			[]string{"contentBlockDelta", `{"delta":{"hologram":1}}`}, []llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaForeign, Raw: []byte(`{"delta":{"hologram":1}}`)}},
		},
		"a stop without a reason": {[]string{"messageStop", `{}`}, []llm.Delta{{Kind: llm.DeltaBegin}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, deltas, d, err := read(t, frames(t, c.in...))
			if !errors.Is(err, io.EOF) || d.Complete() {
				t.Errorf("%v, complete: %v", err, d.Complete())
			}
			if diff := cmp.Diff(c.want, deltas, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStream_TellsOfErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind          llm.Kind
		data, message string
	}{
		"throttlingException":         {llm.RateLimited, `{"message":"slow down"}`, "slow down"},
		"validationException":         {llm.TooLong, `{"message":"Input is too long for requested model."}`, "Input is too long for requested model."},
		"internalServerException":     {llm.Upstream, `{}`, "the upstream reported internalServerException within its answer"},
		"modelStreamErrorException":   {llm.Upstream, `{"message":"m","originalStatusCode":500,"originalMessage":"o"}`, "m"},
		"serviceUnavailableException": {llm.Overloaded, `oops`, "oops"},
		"modelTimeoutException":       {llm.Timeout, `{"Message":"late"}`, "late"},
		"newException":                {llm.Upstream, `{"message":"x"}`, "x"},
	} {
		_, deltas, d, err := read(t, frames(t, "messageStart", `{"role":"assistant"}`, name, c.data))
		e := llm.AsError(err)
		if e.Kind != c.kind || e.Message != c.message || e.Code != name || d.Complete() || len(deltas) != 1 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, data := range []string{"", "x", "[]", `{"a":1,"a":2}`} {
		_, _, _, err := read(t, frames(t, "messageStart", data))
		if e := llm.AsError(err); e.Kind != llm.Upstream {
			t.Errorf("%q: %+v", data, e)
		}
	}
}

func TestStream_HoldsNoMoreThanItsBounds(t *testing.T) {
	t.Parallel()
	d := NewStream(&llm.Request{}, llm.Options{})
	for i := range 10 * maxBlocks {
		data := `{"contentBlockIndex":` + string(rune('1'+i%9)) + `0` + itoa(i) + `,"delta":{"text":"x"}}`
		ev, err := d.Next(sse.Event{Name: "contentBlockDelta", Data: []byte(data)})
		if err != nil || ev.Deltas != nil {
			t.Fatal(err)
		}
	}
	if len(d.blocks) > maxBlocks {
		t.Errorf("%d blocks are held", len(d.blocks))
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + string(rune('0'+i%10))
}

func FuzzStream(f *testing.F) {
	for i := 0; i < len(whole); i += 2 {
		f.Add(whole[i], []byte(whole[i+1]))
	}
	f.Add(sse.Exception+"throttlingException", []byte(`{"message":"x"}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		d := NewStream(&llm.Request{}, llm.Options{Translate: true})
		var c llm.Collect
		for range 2 {
			ev, err := d.Next(sse.Event{Name: name, Data: data, Raw: data})
			if err != nil {
				return
			}
			if d.Complete() != (ev.Marks&llm.MarkStop != 0 || d.stopped) {
				t.Fatalf("complete without a stop: %+v", ev)
			}
			for _, delta := range ev.Deltas {
				c.Add(delta)
			}
		}
		c.Whole()
	})
}
