package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

const (
	startEvent = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":5,"cache_read_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":2},"output_tokens":1}}}`
	pingEvent  = `{"type": "ping"}`
	endEvent   = `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":11,"output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":1}}}`
	stopEvent  = `{"type":"message_stop"}`
)

// answerStream is a stream with every kind of block.
var answerStream = events(startEvent,
	`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`, pingEvent,
	`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm\n\u00e9"}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"red"}}`,
	`{"type":"content_block_stop","index":1}`,
	`{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Let"}}`,
	`{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"q","url":"https://a.example","title":"A","encrypted_index":"e"}}}`,
	`{"type":"content_block_stop","index":2}`,
	`{"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`,
	`{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
	`{"type":"content_block_stop","index":3}`,
	`{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`,
	`{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}`,
	`{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}`,
	`{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
	`{"type":"content_block_stop","index":4}`,
	endEvent, stopEvent)

var answerUsage = money.Tokens{Input: 7, CacheRead: 9, CacheWrite5m: 3, CacheWrite1h: 2, Output: 7, Reasoning: 4, Searches: 1}

func TestStream_PassesThroughAndWatches(t *testing.T) {
	t.Parallel()
	r := all(answerStream, llm.Options{})
	if r.raw != answerStream || r.err != nil || !r.complete || r.end != "" || len(r.deltas) > 0 {
		t.Fatalf("err %v, complete %v, end %q", r.err, r.complete, r.end)
	}
	var marks []llm.Mark
	text, usage, stop, id := 0, money.Tokens{}, "", ""
	for _, ev := range r.events {
		marks = append(marks, ev.Marks)
		text += ev.TextBytes
		if ev.Marks&llm.MarkUsage != 0 {
			usage = ev.Usage
		}
		stop, id = stop+ev.StopReason, id+ev.AnswerID
	}
	const start, reasoning, content, tool = llm.MarkStart, llm.MarkReasoning, llm.MarkContent, llm.MarkTool
	same(t, "marks", []llm.Mark{start, start, llm.MarkComment, reasoning, reasoning, start, reasoning, start, start, content, content, start,
		content, tool, start, tool, start | tool, tool, tool, start, llm.MarkStop | llm.MarkUsage, llm.MarkDone}, marks)
	same(t, "usage", answerUsage, usage)
	if stop != "tool_use" || id != "msg_1" || text != len(`Hm\n\u00e9Let{}{\"x\":1}`) {
		t.Errorf("stop %q, id %q, %d bytes of text", stop, id, text)
	}
	if r.events[0].Marks.First() || r.events[1].Marks.First() {
		t.Error("a beginning is not yet an answer")
	}
}

func TestStream_GivesNeutralWords(t *testing.T) {
	t.Parallel()
	r := all(answerStream, neutral())
	raw := `{"type":"web_search_result_location","cited_text":"q","url":"https://a.example","title":"A","encrypted_index":"e"}`
	want := []llm.Delta{
		{Kind: llm.DeltaBegin, ID: "msg_1", Model: "claude"},
		{Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Reasoning}},
		{Kind: llm.DeltaPing},
		{Kind: llm.DeltaPiece, Text: []byte("Hm\né")},
		{Kind: llm.DeltaSign, Part: llm.Part{Signature: "sig", Signer: Name}},
		{Kind: llm.DeltaClose},
		{Kind: llm.DeltaOpen, Block: 1, Part: llm.Part{Kind: llm.Reasoning}},
		{Kind: llm.DeltaSign, Block: 1, Part: llm.Part{Redacted: "red", Signer: Name}},
		{Kind: llm.DeltaClose, Block: 1},
		{Kind: llm.DeltaOpen, Block: 2, Part: llm.Part{Kind: llm.Text}},
		{Kind: llm.DeltaPiece, Block: 2, Text: []byte("Let")},
		{Kind: llm.DeltaCite, Block: 2, Part: llm.Part{Citations: []llm.Citation{{Kind: "web", Quote: "q", Title: "A", URL: "https://a.example", Document: -1, Raw: []byte(raw), Dialect: Name}}}},
		{Kind: llm.DeltaClose, Block: 2},
		{Kind: llm.DeltaOpen, Block: 3, Part: llm.Part{Kind: llm.Other, Raw: []byte(`{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`), Dialect: Name}},
		{Kind: llm.DeltaClose, Block: 3},
		{Kind: llm.DeltaOpen, Block: 4, Part: llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f"}}},
		{Kind: llm.DeltaPiece, Block: 4, Text: []byte(`{"x":`)},
		{Kind: llm.DeltaPiece, Block: 4, Text: []byte(`1}`)},
		{Kind: llm.DeltaClose, Block: 4},
		{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopTools, Word: "tool_use"}},
		{Kind: llm.DeltaUsage, Usage: answerUsage},
		{Kind: llm.DeltaDone},
	}
	for i := range r.deltas {
		d := &r.deltas[i]
		if len(d.Text) == 0 {
			d.Text = nil
		}
		if len(d.Raw) == 0 {
			d.Raw = nil
		}
	}
	same(t, "deltas", want, r.deltas)
}

func TestStream_BeginsWithTheUnknown(t *testing.T) {
	t.Parallel()
	unknown := events(`{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"x"}}`, `{"type":"weather","sun":true}`, `{"type":"message_delta","delta":{}}`, `{"no":"type"}`)
	r := all(unknown, neutral())
	if r.err != nil || r.raw != unknown || r.complete {
		t.Fatalf("%v %q", r.err, r.raw)
	}
	for i, ev := range r.events {
		if ev.Marks != llm.MarkUnknown {
			t.Errorf("event %d: marks %b", i, ev.Marks)
		}
	}
	open := `{"type":"content_block_start","index":7,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}`
	for name, tc := range map[string]struct{ stream, want string }{
		"a call that came whole":    {events(open, `{"type":"content_block_stop","index":7}`, endEvent), `{"x":1}`},
		"a call that came twice":    {events(open, `{"type":"content_block_delta","index":7,"delta":{"type":"input_json_delta","partial_json":"{}"}}`, `{"type":"content_block_stop","index":7}`, endEvent), `{}`},
		"no end of the block":       {events(open, endEvent), `{"x":1}`},
		"a piece of no block":       {events(open, `{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}`, `{"type":"content_block_stop","index":9}`, endEvent), `{"x":1}`},
		"a comment and a named one": {": hi\n\n" + events(open) + "event: message\ndata: " + pingEvent + "\n\n" + events(endEvent), `{"x":1}`},
	} {
		r := all(tc.stream, neutral())
		var c llm.Collect
		for _, d := range r.deltas {
			c.Add(d)
		}
		a := c.Whole()
		if r.err != nil || !r.complete || len(a.Choices) != 1 || len(a.Choices[0].Parts) != 1 || a.Choices[0].Parts[0].Call.Arguments != tc.want {
			t.Errorf("%s: %v, %+v", name, r.err, a)
		}
		if r.end != messageStop {
			t.Errorf("%s: the forgotten end is %q", name, r.end)
		}
	}
}

func TestStream_CutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	stopAt := strings.Index(answerStream, endEvent) + len(endEvent)
	for i := range answerStream {
		r := all(answerStream[:i], neutral())
		if want := i >= stopAt+2; r.complete != want {
			t.Fatalf("cut at %d of %d: complete %v", i, stopAt, r.complete)
		}
	}
	crlf := strings.ReplaceAll(answerStream, "\n", "\r\n")
	if r := all(crlf, neutral()); r.err != nil || !r.complete || r.raw != crlf || len(r.deltas) != 22 {
		t.Errorf("CR LF: %v, %d deltas", r.err, len(r.deltas))
	}
}

func TestStream_TellsErrors(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]llm.Kind{
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`:                            llm.Overloaded,
		`{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"req_1"}`:                       llm.Upstream,
		`{"type":"error","error":{"type":"rate_limit_error","message":"x"}}`:                                     llm.RateLimited,
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8"}}`: llm.TooLong,
		`{"type":"error"}`: llm.Upstream,
		`not json`:         llm.Upstream,
		`[]`:               llm.Upstream,
		`{"type":"content_block_delta","index":0,"index":1}`: llm.Upstream,
	} {
		r := all("event: error\ndata: "+data+"\n\n", neutral())
		var e *llm.Error
		if !errors.As(r.err, &e) || e.Kind != want || e.Message == "" {
			t.Errorf("%s: %v, want %s", data, r.err, want)
		}
	}
	if got := string(NewStream(nil, llm.Options{}).Fail(&llm.Error{Kind: llm.Cut, Message: "cut"})); got != "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"cut\"}}\n\n" {
		t.Errorf("%q", got)
	}
}

func TestUsage_IsWhatTheProviderCounted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		start, end string
		want       money.Tokens
		none       bool
	}{
		"cumulative":                {`{"input_tokens":3,"output_tokens":1}`, `{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":9}`, money.Tokens{Input: 5, CacheRead: 2, Output: 9}, false},
		"nulls":                     {`{"input_tokens":3,"cache_creation":null,"server_tool_use":null,"output_tokens":1}`, `{"input_tokens":null,"output_tokens":9}`, money.Tokens{Input: 3, Output: 9}, false},
		"5 minutes":                 {`{"input_tokens":3,"cache_creation_input_tokens":4,"output_tokens":0}`, `{"output_tokens":9}`, money.Tokens{Input: 3, CacheWrite5m: 4, Output: 9}, false},
		"thought beyond all output": {`{"input_tokens":3}`, `{"output_tokens":1,"output_tokens_details":{"thinking_tokens":2}}`, money.Tokens{}, true},
		"negative":                  {`{"input_tokens":3}`, `{"output_tokens":-1}`, money.Tokens{}, true},
		"absurd":                    {`{"input_tokens":9000000000000000000,"cache_read_input_tokens":9000000000000000000}`, `{"output_tokens":1}`, money.Tokens{}, true},
		"one hour beyond all":       {`{"input_tokens":3,"cache_creation_input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":2}}`, `{"output_tokens":1}`, money.Tokens{}, true},
		"nothing said":              {`{}`, `{}`, money.Tokens{}, true},
	} {
		r := all(events(`{"type":"message_start","message":{"usage":`+tc.start+`}}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+tc.end+`}`), llm.Options{})
		last := r.events[len(r.events)-1]
		if got := last.Marks&llm.MarkUsage == 0; got != tc.none || last.Usage != tc.want {
			t.Errorf("%s: %+v (none %v), want %+v", name, last.Usage, got, tc.want)
		}
		if r.events[0].Marks&llm.MarkUsage != 0 {
			t.Errorf("%s: the counts of the start are not a bill", name)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(answerStream)
	f.Add(events(startEvent, `{"type":"content_block_start","index":-1,"content_block":{"type":"tool_use","input":{"a":1}}}`, endEvent))
	f.Fuzz(func(t *testing.T, stream string) {
		r := all(stream, neutral())
		w := NewWriter(&llm.Request{ID: "x"})
		var raw []byte
		for i := range r.deltas {
			raw = w.Append(raw, &r.deltas[i])
		}
		for _, ev := range r.events {
			if ev.Usage.TotalInput() < 0 || ev.Usage.TotalOutput() < 0 || ev.TextBytes < 0 {
				t.Fatalf("negative counts: %+v", ev)
			}
		}
		if r.complete && r.err == nil {
			raw = w.End(raw)
			checkOrder(t, dataOf(raw))
		}
	})
}
