package responses

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

// recorded reads a fixture (origin: described).
func recorded(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const (
	createdEvent = `event: response.created` + "\n" + `data: {"type":"response.created","sequence_number":0,"response":{"id":"r1","model":"big","status":"in_progress","error":null,"output":[]}}` + "\n\n"
	itemEvent    = `data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","content":[]}}` + "\n\n"
	textEvent    = `data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel\nlo","logprobs":[]}` + "\n\n"
	stopEvent    = `event: response.completed` + "\n" + `data: {"type":"response.completed","sequence_number":3,"response":{"id":"r1","model":"big","status":"completed","output":[{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Hel\nlo"}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}}}` + "\n\n"
)

func TestStream_MarksEachEvent(t *testing.T) {
	t.Parallel()
	d := NewStream(decode(t, ask), llm.Options{})
	whole := ": ping\n\n" + createdEvent + itemEvent + "event: response.brand_new\ndata: {\"type\":\"response.brand_new\",\"x\":1}\n\n" + textEvent + stopEvent
	raw, events, err := drain(d, whole)
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Event{
		{Marks: llm.MarkComment},
		{Marks: llm.MarkStart, AnswerID: "r1"},
		{Marks: llm.MarkStart},
		{Marks: llm.MarkUnknown},
		{Marks: llm.MarkContent, TextBytes: len(`Hel\nlo`)},
		{Marks: llm.MarkStop | llm.MarkUsage | llm.MarkDone, StopReason: "completed", Usage: money.Tokens{Input: 6, CacheRead: 4, Output: 3, Reasoning: 2}},
	}
	if diff := cmp.Diff(want, events, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if raw != whole || !d.Complete() || d.End() != nil {
		t.Errorf("Complete %v, End %q, the client reads %q", d.Complete(), d.End(), raw)
	}
}

func TestStream_WaitsForTheFirstRealEvent(t *testing.T) {
	t.Parallel()
	d := NewStream(decode(t, ask), llm.Options{})
	_, events, err := drain(d, recorded(t, "rich.sse"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, false, true} { // comment, created, in_progress, a reasoning item
		if events[i].Marks.First() != want {
			t.Errorf("event %d: %b", i, events[i].Marks)
		}
	}
}

func TestStream_IsNeverCompleteWhereItWasCut(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]string{
		"lf":   recorded(t, "rich.sse"),
		"crlf": strings.ReplaceAll(recorded(t, "rich.sse"), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := strings.LastIndex(stream, "data: ")
			step := 7
			for cut := 0; cut < len(stream); cut += step {
				if cut > last-50 {
					step = 1
				}
				d := NewStream(decode(t, ask), llm.Options{Translate: true})
				_, _, err := drain(d, stream[:cut])
				// The last event counts once its line ends; the blank line behind it may be missing.
				if d.Complete() && err == nil && strings.TrimRight(stream[:cut], "\r\n") != strings.TrimRight(stream, "\r\n") {
					t.Fatalf("cut at %d of %d it is complete", cut, len(stream))
				}
			}
		})
	}
}

func TestStream_SaysTheSameAsThePlainAnswer(t *testing.T) {
	t.Parallel()
	req := decode(t, ask)
	streamed := collect(t, req, recorded(t, "rich.sse"))
	ev, err := Answer(req, llm.Options{Translate: true}, []byte(recorded(t, "rich.json")))
	if err != nil {
		t.Fatal(err)
	}
	compact := cmp.Transformer("JSON", func(raw []byte) string {
		return strings.NewReplacer(" ", "", "\n", "").Replace(string(raw))
	})
	if diff := cmp.Diff(ev.Answer, streamed, compact); diff != "" {
		t.Errorf("(-plain +streamed):\n%s", diff)
	}
	parts := streamed.Choices[0].Parts
	if len(parts) != 5 {
		t.Fatalf("%+v", parts)
	}
	if p := parts[0]; p.Text != "**Look**\n\nCall f." || p.Signer != Name || p.Signature != "rs_1:gAAAA:b+/=" {
		t.Errorf("%+v", p)
	}
	if p := parts[1]; p.Kind != llm.Other || p.Dialect != Name || !strings.Contains(string(p.Raw), "ws_1") {
		t.Errorf("%+v", p)
	}
	if p := parts[2]; p.Text != "It is \"warm\"\n" || p.Citations[0].URL != "https://a.example/" {
		t.Errorf("%+v", p)
	}
	if c := parts[4].Call; c.ID != "call_b" || c.Name != "g" || c.Arguments != `{"y":"é"}` {
		t.Errorf("%+v", c)
	}
	if s := streamed.Choices[0].Stop; s.Reason != llm.StopTools || s.Word != "completed" {
		t.Errorf("%+v", s)
	}
	if want := (money.Tokens{Input: 10, CacheRead: 8, CacheWrite5m: 2, Output: 6, Reasoning: 9}); streamed.Usage != want {
		t.Errorf("%+v", streamed.Usage)
	}
}

func TestStream_KeepsTheOrderOfDeltas(t *testing.T) {
	t.Parallel()
	_, events, err := drain(NewStream(decode(t, ask), llm.Options{Translate: true}), recorded(t, "rich.sse"))
	if err != nil {
		t.Fatal(err)
	}
	open := map[int]bool{}
	next, last := 0, llm.DeltaKind(0)
	for _, ev := range events {
		for _, d := range ev.Deltas {
			switch d.Kind {
			case llm.DeltaOpen:
				if d.Block != next {
					t.Errorf("block %d opens, want %d", d.Block, next)
				}
				next++
				open[d.Block] = true
			case llm.DeltaPiece, llm.DeltaSign, llm.DeltaCite:
				if !open[d.Block] {
					t.Errorf("%d of block %d, which is not open", d.Kind, d.Block)
				}
			case llm.DeltaClose:
				delete(open, d.Block)
			case llm.DeltaStop:
				if len(open) > 0 {
					t.Errorf("open at the stop: %v", open)
				}
			}
			if d.Kind != llm.DeltaPing && d.Kind != llm.DeltaForeign {
				last = d.Kind
			}
		}
	}
	if last != llm.DeltaDone {
		t.Errorf("the last delta is %d", last)
	}
}

func TestStream_ReadsWhatCameWithoutPieces(t *testing.T) {
	t.Parallel()
	const call = `{"id":"fc","type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":1}"}`
	for name, stream := range map[string]string{
		"items only at the end":     createdEvent + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[` + call + `]}}` + "\n\n",
		"items only when done":      createdEvent + `data: {"type":"response.output_item.done","output_index":0,"item":` + call + `}` + "\n\n" + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}` + "\n\n",
		"arguments only when done":  createdEvent + `data: {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"a","name":"f","arguments":""}}` + "\n\n" + `data: {"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"x\":1}"}` + "\n\n" + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[` + call + `]}}` + "\n\n",
		"no name of the event":      strings.ReplaceAll(createdEvent, "event: response.created\n", "") + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[` + call + `]}}` + "\n\n",
		"no type but a name":        `event: response.completed` + "\n" + `data: {"response":{"id":"r1","model":"big","status":"completed","output":[` + call + `]}}` + "\n\n",
		"behind the end, a [DONE]":  createdEvent + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[` + call + `]}}` + "\n\ndata: [DONE]\n\n",
		"a keepalive in the middle": createdEvent + `data: {"type":"keepalive","sequence_number":1}` + "\n\n" + `data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[` + call + `]}}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := collect(t, decode(t, ask), stream)
			if a.ID != "r1" || len(a.Choices) != 1 || len(a.Choices[0].Parts) != 1 || a.Choices[0].Parts[0].Call.Arguments != `{"x":1}` {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestStream_ReportsErrorsOfTheUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event string
		kind  llm.Kind
		code  string
		text  string
	}{
		"failed":            {`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"oops"}}}`, llm.Upstream, "server_error", "oops"},
		"failed, limited":   {`{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}`, llm.RateLimited, "rate_limit_exceeded", "slow"},
		"failed, too long":  {`{"type":"response.failed","response":{"error":{"code":"context_length_exceeded","message":"long"}}}`, llm.TooLong, "", "long"},
		"failed, the image": {`{"type":"response.failed","response":{"error":{"code":"image_too_large","message":"big"}}}`, llm.Invalid, "image_too_large", "big"},
		"failed, policy":    {`{"type":"response.failed","response":{"error":{"code":"image_content_policy_violation","message":"no"}}}`, llm.Blocked, "image_content_policy_violation", "no"},
		"failed, silent":    {`{"type":"response.failed","response":{}}`, llm.Upstream, "", "the upstream reported an error without saying which"},
		"error":             {`{"type":"error","code":"server_is_overloaded","message":"full","param":null,"sequence_number":4}`, llm.Overloaded, "server_is_overloaded", "full"},
		"error, codeless":   {`{"type":"error","code":null,"message":"what","param":"input","sequence_number":4}`, llm.Upstream, "", "what"},
		"error, nested":     {`{"type":"error","sequence_number":4,"error":{"type":"x","code":"rate_limit_exceeded","message":"slow","param":null}}`, llm.RateLimited, "rate_limit_exceeded", "slow"},
		"another dialect's": {`{"error":{"message":"gone","code":503}}`, llm.Overloaded, "503", "gone"},
		"not JSON":          {`<html>`, llm.Upstream, "", "the upstream sent an event that is not a JSON object"},
		"duplicate names":   {`{"type":"response.created","type":"x"}`, llm.Upstream, "", "the upstream sent an event that is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewStream(decode(t, ask), llm.Options{})
			_, _, err := drain(d, createdEvent+textEvent+"data: "+tc.event+"\n\n")
			e := llm.AsError(err)
			if err == nil || e.Kind != tc.kind || e.Code != tc.code || e.Message != tc.text || d.Complete() {
				t.Errorf("%v %q %q, complete %v", e.Kind, e.Code, e.Message, d.Complete())
			}
		})
	}
}

func TestStream_FailsBehindWhatWasSeen(t *testing.T) {
	t.Parallel()
	d := NewStream(decode(t, ask), llm.Options{})
	if _, _, err := drain(d, createdEvent+itemEvent+textEvent); err != nil {
		t.Fatal(err)
	}
	seen := createdEvent + itemEvent + textEvent + string(d.Fail(&llm.Error{Kind: llm.Cut, Message: "cut"}))
	events := sdkEvents(t, seen)
	if last := events[len(events)-1]; last.Type != "error" || last.SequenceNumber != 3 || last.Message != "cut" {
		t.Errorf("%s", last.RawJSON())
	}
}

func TestStream_ReadsStopReasons(t *testing.T) {
	t.Parallel()
	const text, refusal = `{"type":"message","content":[{"type":"output_text","text":"x"}]}`, `{"type":"message","content":[{"type":"refusal","refusal":"no"}]}`
	for name, tc := range map[string]struct {
		event, response string
		want            llm.Stop
	}{
		"end":     {"response.completed", `{"status":"completed","output":[` + text + `]}`, llm.Stop{Reason: llm.StopEnd, Word: "completed"}},
		"refusal": {"response.completed", `{"status":"completed","output":[` + refusal + `]}`, llm.Stop{Reason: llm.StopRefusal, Word: "completed"}},
		"length":  {"response.incomplete", `{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[` + text + `]}`, llm.Stop{Reason: llm.StopLength, Word: "max_output_tokens"}},
		"filter":  {"response.incomplete", `{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`, llm.Stop{Reason: llm.StopFilter, Word: "content_filter"}},
		"unknown": {"response.incomplete", `{"status":"incomplete","incomplete_details":{"reason":"tired"},"output":[]}`, llm.Stop{Reason: llm.StopOther, Word: "tired"}},
		"silent":  {"response.incomplete", `{"status":"incomplete","incomplete_details":null,"output":[]}`, llm.Stop{Reason: llm.StopOther, Word: "incomplete"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := collect(t, decode(t, ask), `data: {"type":"`+tc.event+`","response":`+tc.response+`}`+"\n\n")
			if got := a.Choices[0].Stop; got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestStream_FixtureKeepsToThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	for _, data := range testkit.EventData([]byte(recorded(t, "rich.sse"))) {
		if strings.Contains(string(data), "web_search_call.") {
			continue
		}
		if err := spec.ValidateChunk("/responses", data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	if err := spec.ValidateChunk("/responses", []byte(`{"type":"response.output_text.delta","delta":"x"}`)); err == nil {
		t.Error("the judge lets everything pass")
	}
}
