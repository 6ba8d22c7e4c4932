package anthropic

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// checkOrder holds a stream against the order of the dialect: one message, blocks one
// behind the other with rising indexes, each with its end, then the stop reason.
func checkOrder(t *testing.T, data []string) {
	t.Helper()
	open, next, stopped := int64(-1), int64(0), false
	for i, d := range data {
		get := func(path ...string) rawjson.Value { v, _ := rawjson.Lookup([]byte(d), path...); return v }
		kind, _ := get("type").Str()
		index, _ := get("index").Int()
		bad := false
		switch kind {
		case "message_start":
			bad = i != 0
		case "content_block_start":
			bad = open >= 0 || index != next || stopped
			open, next = index, next+1
		case "content_block_delta":
			bad = index >= next || stopped
		case "content_block_stop":
			bad = index != open
			open = -1
		case "message_delta":
			bad = open >= 0 || get("delta", "stop_reason").Kind() != rawjson.String
			stopped = true
		case "message_stop":
			bad = !stopped || i != len(data)-1
		case "ping":
		default:
			bad = true
		}
		if bad || i == 0 && kind != "message_start" && kind != "ping" {
			t.Fatalf("event %d is out of order: %s\nof %s", i, d, strings.Join(data, "\n"))
		}
	}
	if !stopped || !strings.Contains(data[len(data)-1], "message_stop") {
		t.Fatalf("no end: %s", strings.Join(data, "\n"))
	}
}

func begin() llm.Delta { return llm.Delta{Kind: llm.DeltaBegin, ID: "c", Model: "big"} }

func open(block int, p llm.Part) llm.Delta {
	return llm.Delta{Kind: llm.DeltaOpen, Block: block, Part: p}
}

func piece(block int, text string) llm.Delta {
	return llm.Delta{Kind: llm.DeltaPiece, Block: block, Text: []byte(text)}
}

func closed(block int) llm.Delta { return llm.Delta{Kind: llm.DeltaClose, Block: block} }

func stop(reason llm.StopReason) llm.Delta {
	return llm.Delta{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: reason}}
}

func used(t money.Tokens) llm.Delta { return llm.Delta{Kind: llm.DeltaUsage, Usage: t} }

var done = llm.Delta{Kind: llm.DeltaDone}

func toolCall(id string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: "f"}}
}

func TestWriter_WritesEachEventAsItComes(t *testing.T) {
	t.Parallel()
	w := NewWriter(shortRequest(t))
	for i, step := range []struct {
		d    llm.Delta
		want string // data of the events
	}{
		{begin(), `{"type":"message_start","message":{"id":"c","type":"message","role":"assistant","model":"big","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":18,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"output_tokens_details":{"thinking_tokens":0}}}}`},
		{llm.Delta{Kind: llm.DeltaPing}, `{"type":"ping"}`},
		{open(0, llm.Part{Kind: llm.Reasoning}), ``},
		{piece(0, "Hm"), `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}} {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}`},
		{llm.Delta{Kind: llm.DeltaSign, Part: llm.Part{Signature: "a", Signer: "bedrock"}}, ``},
		{llm.Delta{Kind: llm.DeltaSign, Part: llm.Part{Signature: "b", Signer: "bedrock"}}, ``},
		{closed(0), `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"fairlead.bedrock.ab"}} {"type":"content_block_stop","index":0}`},
		{open(1, llm.Part{Kind: llm.Text}), `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`},
		{piece(1, "\"é\n"), `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\"é\n"}}`},
		{closed(1), `{"type":"content_block_stop","index":1}`},
		{open(2, toolCall("a")), `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`},
		{piece(2, `{"x":`), `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}`},
		{open(3, toolCall("")), `{"type":"content_block_stop","index":2} {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_01J_1","name":"f","input":{}}}`},
		{piece(2, `1}`), `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}`},
		{closed(2), ``},
		{closed(3), `{"type":"content_block_stop","index":3}`},
		{llm.Delta{Kind: llm.DeltaForeign, Raw: []byte("x")}, ``},
		{stop(llm.StopTools), ``},
		{used(money.Tokens{Input: 3, CacheRead: 4, Output: 5, Reasoning: 2}), `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":7,"output_tokens_details":{"thinking_tokens":2}}}`},
		{used(money.Tokens{Input: 3, CacheRead: 4, Output: 5, Reasoning: 2}), ``},
		{done, `{"type":"message_stop"}`},
		{done, ``},
	} {
		if got := strings.Join(write(w, step.d), " "); got != step.want {
			t.Errorf("step %d:\n got %s\nwant %s", i, got, step.want)
		}
	}
	lostAre(t, "", w.Lost())
	if rest := w.End(nil); len(rest) > 0 {
		t.Errorf("%q behind the end", rest)
	}
}

func TestWriter_EndsEveryStream(t *testing.T) {
	t.Parallel()
	text := llm.Part{Kind: llm.Text}
	for name, tc := range map[string]struct {
		deltas []llm.Delta
		has    []string
		lost   string
	}{
		"no usage":              {[]llm.Delta{begin(), open(0, text), piece(0, "12345678"), closed(0), stop(llm.StopEnd)}, []string{`"stop_reason":"end_turn"`, `"output_tokens":2,`}, ""},
		"usage before the stop": {[]llm.Delta{begin(), used(money.Tokens{Input: 9, Output: 1}), open(0, text), closed(0), stop(llm.StopLength), done}, []string{`"stop_reason":"max_tokens"`, `"input_tokens":9,`}, ""},
		"nothing closed":        {[]llm.Delta{begin(), open(0, text), piece(0, "a"), stop(llm.StopEnd), done}, nil, ""},
		"nothing begun":         {[]llm.Delta{stop(llm.StopFilter), done}, []string{`"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}`}, ""},
		"no stop":               {[]llm.Delta{begin(), open(0, text)}, []string{`"stop_reason":"end_turn"`}, ""},
		"a sequence":            {[]llm.Delta{begin(), {Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopSequence, Sequence: "x\""}}}, []string{`"stop_reason":"stop_sequence","stop_sequence":"x\""`}, ""},
		"calls under stop":      {[]llm.Delta{begin(), open(0, toolCall("a")), closed(0), stop(llm.StopEnd)}, []string{`"stop_reason":"tool_use"`}, ""},
		"better counts later":   {[]llm.Delta{begin(), stop(llm.StopEnd), used(money.Tokens{Input: 1, Output: 1}), used(money.Tokens{Input: 1, Output: 8})}, []string{`"output_tokens":1,`, `"output_tokens":8,`}, ""},
		"redacted":              {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.Reasoning}), {Kind: llm.DeltaSign, Part: llm.Part{Redacted: "r", Signer: "x"}}, closed(0), stop(llm.StopEnd)}, []string{`{"type":"redacted_thinking","data":"fairlead.x.r"}`}, ""},
		"an empty thought":      {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.Reasoning}), closed(0), piece(0, "late"), open(1, text), closed(1), stop(llm.StopEnd)}, nil, ""},
		"a signature alone":     {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.Reasoning}), {Kind: llm.DeltaSign, Part: llm.Part{Signature: "s", Signer: Name}}, closed(0), stop(llm.StopEnd)}, []string{`{"type":"signature_delta","signature":"s"}`}, ""},
		"a call signed at once": {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f"}, Signature: "s", Signer: "gemini"}), closed(0), stop(llm.StopTools)}, []string{`{"type":"signature_delta","signature":"fairlead.gemini.s"}`}, ""},
		"a call signed late":    {[]llm.Delta{begin(), open(0, toolCall("a")), closed(0), {Kind: llm.DeltaSign, Part: llm.Part{Signature: "s", Signer: "gemini"}}, stop(llm.StopTools)}, []string{`{"type":"redacted_thinking","data":"fairlead.gemini.s"}`}, ""},
		"a signature too late":  {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.Reasoning}), piece(0, "a"), closed(0), {Kind: llm.DeltaSign, Part: llm.Part{Signature: "s"}}, stop(llm.StopEnd)}, nil, "signature"},
		"another answer":        {[]llm.Delta{begin(), open(0, text), {Kind: llm.DeltaOpen, Choice: 1, Part: text}, closed(0), stop(llm.StopEnd), {Kind: llm.DeltaStop, Choice: 1}}, nil, "n"},
		"what has no form":      {[]llm.Delta{begin(), open(0, llm.Part{Kind: llm.Audio}), piece(0, "a"), closed(0), stop(llm.StopEnd)}, nil, "content"},
		"a cited document":      {[]llm.Delta{begin(), open(0, text), {Kind: llm.DeltaCite, Part: llm.Part{Citations: []llm.Citation{{Kind: "document", Document: 0, Of: "document", Start: 1, End: 2}, {Document: -1}}}}, stop(llm.StopEnd)}, []string{`"type":"char_location"`}, "citations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewWriter(shortRequest(t))
			var raw []byte
			for i := range tc.deltas {
				raw = w.Append(raw, &tc.deltas[i])
			}
			raw = w.End(raw)
			checkOrder(t, dataOf(raw))
			for _, has := range tc.has {
				if !strings.Contains(string(raw), has) {
					t.Errorf("%s is missing in %s", has, raw)
				}
			}
			lostAre(t, tc.lost, w.Lost())
		})
	}
}

// TestWriter_WritesWhatTheDecoderRead: what came in this dialect goes out as it came, but
// for what only one provider can say.
func TestWriter_WritesWhatTheDecoderRead(t *testing.T) {
	t.Parallel()
	r := all(answerStream, neutral())
	w := NewWriter(shortRequest(t))
	var raw []byte
	for i := range r.deltas {
		raw = w.Append(raw, &r.deltas[i])
	}
	checkOrder(t, dataOf(raw))
	again := all(string(raw), neutral())
	var first, second llm.Collect
	for _, d := range r.deltas {
		first.Add(d)
	}
	for _, d := range again.deltas {
		second.Add(d)
	}
	same(t, "answer", first.Whole(), second.Whole())
}

func TestWriter_HoldsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	w := NewWriter(shortRequest(t))
	write(w, begin(), open(0, llm.Part{Kind: llm.Reasoning}), llm.Delta{Kind: llm.DeltaSign, Part: llm.Part{Signature: strings.Repeat("s", maxProof+1)}})
	lostAre(t, "signature", w.Lost())
	for i := range maxShown + 10 {
		write(w, open(i+1, llm.Part{Kind: llm.Text}))
	}
	if len(w.blocks) > maxShown {
		t.Errorf("%d blocks", len(w.blocks))
	}
}

func BenchmarkWriter_Piece(b *testing.B) {
	w := NewWriter(&llm.Request{})
	buf := w.Append(nil, new(begin()))
	buf = w.Append(buf, new(open(0, llm.Part{Kind: llm.Text})))
	d := piece(0, "a few words of text ")
	b.ReportAllocs()
	for b.Loop() {
		buf = w.Append(buf[:0], &d)
	}
}
