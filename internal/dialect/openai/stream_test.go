package openai

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// drain decodes a whole stream and gives what a client would read.
func drain(d *StreamDecoder, stream string) (raw string, events []llm.Event, err error) {
	r := sse.NewReader(strings.NewReader(stream), 0)
	var out strings.Builder
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String(), events, nil
		}
		if err != nil {
			return out.String(), events, err
		}
		got, err := d.Next(ev)
		if err != nil {
			return out.String(), events, err
		}
		out.Write(got.Raw)
		got.Raw = nil
		events = append(events, got)
	}
}

const (
	roleChunk  = `data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}` + "\n\n"
	textChunk  = `data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hel\nlo"},"finish_reason":null}],"usage":null}` + "\n\n"
	stopChunk  = `data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n"
	usageChunk = `data: {"id":"c1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}` + "\n\n"
	doneChunk  = "data: [DONE]\n\n"
)

func newStream(t *testing.T, body string, opt llm.Options) *StreamDecoder {
	t.Helper()
	return NewStream(decode(t, llm.Chat, body), opt)
}

const streamBody = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`

func TestStream_MarksEachChunk(t *testing.T) {
	t.Parallel()
	d := newStream(t, streamBody, llm.Options{})
	raw, events, err := drain(d, ": ping\n\n"+roleChunk+textChunk+stopChunk+usageChunk+doneChunk)
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Event{
		{Marks: llm.MarkComment},
		{Marks: llm.MarkStart, AnswerID: "c1"},
		{Marks: llm.MarkContent, TextBytes: len(`Hel\nlo`)},
		{Marks: llm.MarkStop, StopReason: "stop"},
		{Marks: llm.MarkUsage | llm.MarkUsageOnly, Usage: money.Tokens{Input: 6, CacheRead: 4, Output: 3, Reasoning: 2}},
		{Marks: llm.MarkDone},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !d.Complete() || d.End() != nil {
		t.Errorf("Complete %v, End %q", d.Complete(), d.End())
	}
	if want := ": ping\n\n" + roleChunk + textChunk + stopChunk + doneChunk; raw != want {
		t.Errorf("the client reads %q, want all but the usage it did not ask for", raw)
	}
}

func TestStream_KeepsUsageForWhoAsked(t *testing.T) {
	t.Parallel()
	d := newStream(t, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`, llm.Options{})
	whole := roleChunk + textChunk + stopChunk + usageChunk + doneChunk
	if raw, _, err := drain(d, whole); err != nil || raw != whole {
		t.Errorf("got %q, %v, want every byte", raw, err)
	}
}

func TestStream_IsCompleteOnlyWithEveryStop(t *testing.T) {
	t.Parallel()
	second := strings.ReplaceAll(textChunk, `"index":0`, `"index":1`)
	for name, tc := range map[string]struct {
		stream   string
		complete bool
	}{
		"nothing":           {"", false},
		"role only":         {roleChunk, false},
		"text":              {roleChunk + textChunk, false},
		"done without stop": {roleChunk + textChunk + doneChunk, false},
		"stop":              {roleChunk + textChunk + stopChunk, true},
		"one of two":        {roleChunk + textChunk + second + stopChunk, false},
		"both":              {roleChunk + textChunk + second + stopChunk + strings.ReplaceAll(stopChunk, `"index":0`, `"index":1`), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newStream(t, streamBody, llm.Options{})
			if _, _, err := drain(d, tc.stream); err != nil {
				t.Fatal(err)
			}
			if d.Complete() != tc.complete {
				t.Errorf("Complete is %v", d.Complete())
			}
		})
	}
}

func TestStream_ReportsErrorsOfTheUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stream string
		kind   llm.Kind
		says   string
	}{
		"error object":  {`data: {"error":{"message":"no more","code":"rate_limit_exceeded"}}` + "\n\n", llm.RateLimited, "no more"},
		"error event":   {"event: error\ndata: {\"message\":\"broke\"}\n\n", llm.Upstream, "broke"},
		"error text":    {`data: {"error":"out of memory"}` + "\n\n", llm.Upstream, "out of memory"},
		"garbage":       {"data: {\"id\":\n\n", llm.Upstream, "not a JSON object"},
		"a number":      {"data: 7\n\n", llm.Upstream, "not a JSON object"},
		"twin names":    {`data: {"choices":[],"choices":[]}` + "\n\n", llm.Upstream, "not a JSON object"},
		"context":       {`data: {"error":{"message":"too long","type":"exceed_context_size_error","code":400}}` + "\n\n", llm.TooLong, "too long"},
		"overload code": {`data: {"error":{"message":"busy","code":503}}` + "\n\n", llm.Overloaded, "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := drain(newStream(t, streamBody, llm.Options{}), tc.stream)
			e := llm.AsError(err)
			if err == nil || e.Kind != tc.kind || !strings.Contains(e.Message, tc.says) {
				t.Errorf("got %v, want %s saying %q", err, tc.kind, tc.says)
			}
		})
	}
}

func TestStream_ForwardsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	stream := "event: news\ndata: {\"x\":1}\n\n" + `data: {"object":"something.else"}` + "\n\n"
	raw, events, err := drain(newStream(t, streamBody, llm.Options{}), stream)
	if err != nil || raw != stream {
		t.Fatalf("got %q, %v", raw, err)
	}
	for _, ev := range events {
		if ev.Marks != llm.MarkUnknown {
			t.Errorf("marks %b", ev.Marks)
		}
	}
}

func TestAnswer_JudgesPlainAnswers(t *testing.T) {
	t.Parallel()
	req := decode(t, llm.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	for name, tc := range map[string]struct {
		body string
		kind llm.Kind // "" for a good one
	}{
		"good":          {`{"id":"c9","choices":[{"index":0,"message":{"content":"four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`, ""},
		"no choices":    {`{"id":"c9"}`, llm.Upstream},
		"empty choices": {`{"choices":[]}`, llm.Upstream},
		"an error, 200": {`{"error":{"message":"x"}}`, llm.Upstream},
		"HTML":          {`<html>`, llm.Upstream},
		"cut":           {`{"id":"c9","choices":[{"index"`, llm.Upstream},
		"twin names":    {`{"choices":[{"a":1,"a":2}]}`, llm.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := Answer(req, llm.Options{}, []byte(tc.body))
			if tc.kind != "" {
				if err == nil || llm.AsError(err).Kind != tc.kind {
					t.Errorf("got %v, want %s", err, tc.kind)
				}
				return
			}
			want := llm.Event{Marks: llm.MarkWhole | llm.MarkUsage, Raw: []byte(tc.body), Usage: money.Tokens{Input: 3, Output: 1}, AnswerID: "c9", StopReason: "stop", TextBytes: len(`"four"`)}
			if diff := cmp.Diff(want, ev); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestUsage_ReproducesTotals(t *testing.T) {
	t.Parallel()
	d := newStream(t, streamBody, llm.Options{})
	for usage, want := range map[string]money.Tokens{
		`{"prompt_tokens":10,"completion_tokens":5}`: {Input: 10, Output: 5},
		`{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":3},"total_tokens":15}`:                {Input: 10, Output: 2, Reasoning: 3},
		`{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":30},"total_tokens":45}`:               {Input: 10, Output: 5, Reasoning: 30},
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":1}}`: {Input: 3, CacheRead: 4, CacheWrite5m: 2, AudioInput: 1, Output: 5},
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":{"audio_tokens":5}}`:         {Input: 10, AudioOutput: 5},
	} {
		_, events, err := drain(d, `data: {"choices":[],"usage":`+usage+"}\n\n")
		if err != nil || len(events) != 1 || events[0].Usage != want {
			t.Errorf("%s: %v, %+v, want %+v", usage, err, events, want)
		}
	}
	_, events, _ := drain(d, `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}`+"\n\n")
	if len(events) != 1 || events[0].Marks&llm.MarkUsage != 0 {
		t.Errorf("contradictory counts must not become a bill: %+v", events)
	}
}

func TestErrors_RoundTrip(t *testing.T) {
	t.Parallel()
	in := &llm.Error{Kind: llm.Invalid, Message: "bad \"x\"", Param: "x", Code: "c"}
	out := DecodeError(400, AppendError(nil, in))
	if out.Kind != in.Kind || out.Message != in.Message || out.Param != in.Param || out.Code != in.Code {
		t.Errorf("got %+v", out)
	}
	for status, code := range map[int]string{429: "insufficient_quota", 402: "anything", 403: "insufficient_quota"} {
		got := DecodeError(status, AppendError(nil, &llm.Error{Kind: llm.Budget, Message: "no money", Code: code}))
		if got.Kind != llm.Unpaid || got.Code != "" {
			t.Errorf("%d %s: %+v: the account's empty purse is not the client's", status, code, got)
		}
	}
	for status, want := range map[int]llm.Kind{401: llm.Unauthorized, 402: llm.Unpaid, 429: llm.RateLimited, 500: llm.Upstream, 503: llm.Overloaded, 529: llm.Overloaded, 302: llm.Upstream, 418: llm.Upstream} {
		if got := DecodeError(status, []byte("<html>oops")); got.Kind != want || got.Message == "" {
			t.Errorf("%d: %+v, want %s", status, got, want)
		}
	}
}

// The template of the last chunk is a short cut: it must never change what is seen.
func TestStream_TemplateSeesWhatTheFullReadSees(t *testing.T) {
	t.Parallel()
	chunk := func(text string) string { return strings.Replace(textChunk, `Hel\nlo`, text, 1) }
	stream := roleChunk
	for _, text := range []string{"a", "b", `c\u0041`, "", "d", `\`, "e\"", "\x01", "\xff", `f","x":"`, `g"},"finish_reason":"stop"}],"x":[{"y":"`, "h"} {
		stream += chunk(text)
	}
	stream += "event: error\n" + chunk("i")
	for event := range strings.SplitSeq(stream, "\n\n") {
		for _, again := range []string{"", event + "\n\n"} { // with and without a second look at the same chunk
			whole := chunk("x") + chunk("y") + event + "\n\n" + again + chunk("z") + stopChunk
			fast, slow := newStream(t, streamBody, llm.Options{}), newStream(t, streamBody, llm.Options{})
			raw, events, err := drain(fast, whole)
			slowRaw, slowEvents, slowErr := drainSlowly(slow, whole)
			if diff := cmp.Diff(slowEvents, events); diff != "" || raw != slowRaw || (err == nil) != (slowErr == nil) {
				t.Errorf("%q: errors %v and %v, events (-full +template):\n%s", event, slowErr, err, diff)
			}
		}
	}
}

// drainSlowly is drain without the template.
func drainSlowly(d *StreamDecoder, stream string) (raw string, events []llm.Event, err error) {
	for event := range strings.SplitAfterSeq(stream, "\n\n") {
		d.last.mark = 0
		piece, got, err := drain(d, event)
		raw, events = raw+piece, append(events, got...)
		if err != nil {
			return raw, events, err
		}
	}
	return raw, events, nil
}

func FuzzStream(f *testing.F) {
	f.Add(roleChunk+textChunk+stopChunk+usageChunk+doneChunk, false)
	f.Add(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"{\"name\": \"f\", \"arguments\": {\"a\": 1}}"},"finish_reason":"stop"}]}`+"\n\n", true)
	f.Fuzz(func(t *testing.T, stream string, grammar bool) {
		body, opt := streamBody, llm.Options{}
		if grammar {
			body = `{"model":"m","stream":true,"tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"hi"}]}`
			opt.ToolsByGrammar = true
		}
		d := newStream(t, body, opt)
		_, events, err := drain(d, stream)
		stops := 0
		for _, ev := range events {
			if ev.Marks&llm.MarkStop != 0 {
				stops++
			}
			if ev.Usage.TotalInput() < 0 || ev.Usage.TotalOutput() < 0 || ev.TextBytes < 0 {
				t.Fatalf("negative counts: %+v", ev)
			}
		}
		if err == nil && d.Complete() && stops == 0 {
			t.Fatal("complete without a stop reason")
		}
	})
}
