package gemini

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// stream is an answer with all that one can have, as the publisher's pages describe
// it (origin: described, https://ai.google.dev/api/generate-content and
// https://ai.google.dev/gemini-api/docs/thought-signatures).
const stream = `data: {"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini-3-pro","responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":"Hé\"l"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"totalTokenCount":12,"thoughtsTokenCount":2},"modelVersion":"gemini-3-pro","responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":"lo","thoughtSignature":"dGV4dA=="},{"functionCall":{"name":"f","args":{"x":"é"}},"thoughtSignature":"Y2FsbA=="},{"functionCall":{"id":"own","name":"g"}}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"totalTokenCount":16,"thoughtsTokenCount":2}}

data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://x.example","title":"X"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":3,"text":"é"},"groundingChunkIndices":[0,7]}]}}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":6,"totalTokenCount":17,"thoughtsTokenCount":2}}

`

// read gives the events of a stream.
func read(t *testing.T, d *StreamDecoder, stream string) (events []llm.Event, err error) {
	t.Helper()
	r := sse.NewReader(strings.NewReader(stream), 0)
	for {
		raw, err := r.Next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return events, err
		}
		ev, err := d.Next(raw)
		if err != nil {
			return events, err
		}
		ev.Raw = bytes.Clone(ev.Raw)
		events = append(events, ev)
	}
}

func TestStream_PassesEventsThroughAndWatches(t *testing.T) {
	t.Parallel()
	d := NewStream(&llm.Request{Surface: llm.Chat, Stream: true}, llm.Options{})
	events, err := read(t, d, stream)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	want := []llm.Mark{llm.MarkReasoning | llm.MarkUsage, llm.MarkContent | llm.MarkUsage, llm.MarkContent | llm.MarkTool | llm.MarkUsage, llm.MarkStop | llm.MarkUsage}
	for i, ev := range events {
		raw.Write(ev.Raw)
		if ev.Marks != want[i] || ev.Deltas != nil {
			t.Errorf("event %d: marks %b, want %b", i, ev.Marks, want[i])
		}
	}
	if raw.String() != stream || !d.Complete() || d.End() != nil {
		t.Errorf("complete %v, %s", d.Complete(), raw.String())
	}
	last := events[3]
	if diff := cmp.Diff(money.Tokens{Input: 5, CacheRead: 4, Output: 6, Reasoning: 2}, last.Usage); diff != "" || last.StopReason != "STOP" || events[0].AnswerID != "r1" || events[1].AnswerID != "" {
		t.Errorf("%+v %s", last, diff)
	}
	if events[1].TextBytes != len(`Hé\"l`) {
		t.Errorf("%d bytes", events[1].TextBytes)
	}
}

func TestStream_IsOneArrayForClientsThatDoNotAskForEvents(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*StreamDecoder) []byte{
		"]": (*StreamDecoder).End,
		`,` + "\n" + `{"error":{"code":502,"message":"x","status":"UNAVAILABLE"}}]`: func(d *StreamDecoder) []byte {
			return append(d.Fail(&llm.Error{Kind: llm.Cut, Message: "x"}), d.End()...)
		},
	}
	for end, finish := range ends {
		d := NewStream(&llm.Request{Surface: llm.Chat, Stream: true, Array: true}, llm.Options{})
		events, err := read(t, d, strings.ReplaceAll(stream, "\n", "\r\n")+": ping\n\n")
		if err != nil {
			t.Fatal(err)
		}
		var whole []byte
		for _, ev := range events {
			whole = append(whole, ev.Raw...)
		}
		whole = append(whole, finish(d)...)
		if !bytes.HasSuffix(whole, []byte(end)) {
			t.Errorf("%s does not end in %s", whole, end)
		}
		var all []map[string]any
		if err := json.Unmarshal(whole, &all); err != nil || len(all) < 4 || all[3]["candidates"] == nil {
			t.Errorf("%v: %s", err, whole)
		}
	}
	if empty := NewStream(&llm.Request{Array: true}, llm.Options{}).End(); string(empty) != "[]" {
		t.Errorf("%s", empty)
	}
}

func TestStream_SpeaksInNeutralWords(t *testing.T) {
	t.Parallel()
	d := NewStream(&llm.Request{Surface: llm.Chat, Stream: true, ID: "01J"}, llm.Options{Translate: true})
	r := sse.NewReader(strings.NewReader(stream), 0)
	var got []string
	var c llm.Collect
	for {
		raw, err := r.Next()
		if err == io.EOF {
			break
		}
		ev, err := d.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, delta := range ev.Deltas {
			got = append(got, string("_BOPSCLXTUDNF"[delta.Kind]))
			c.Add(delta)
		}
	}
	if want := "BOPXOPPXOSXOSPXOPXOCXTU"; strings.Join(got, "") != want {
		t.Errorf("%s, want %s", strings.Join(got, ""), want)
	}
	a := c.Whole()
	want := &llm.Answer{ID: "r1", Model: "gemini-3-pro", Usage: money.Tokens{Input: 5, CacheRead: 4, Output: 6, Reasoning: 2}, Counted: true, Choices: []llm.Choice{{
		Parts: []llm.Part{
			{Kind: llm.Reasoning, Text: "Hm"}, {Kind: llm.Text, Text: "Hé\"llo"},
			signed(llm.Part{Kind: llm.Reasoning}, Name, "dGV4dA=="), signed(call("call_01J_0", "f", `{"x":"é"}`), Name, "Y2FsbA=="), call("own", "g", "{}"),
			{Kind: llm.Text, Citations: []llm.Citation{{Kind: "web", URL: "https://x.example", Title: "X", Document: -1, Start: 1, End: 2, Of: "answer"}}},
		},
		Stop: llm.Stop{Reason: llm.StopTools, Word: "STOP"},
	}}}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStream_CutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	for _, s := range []string{stream, strings.ReplaceAll(stream, "\n", "\r\n")} {
		stop := strings.LastIndex(s, "data: ")
		for n := range len(s) {
			d := NewStream(&llm.Request{Surface: llm.Chat, Stream: true}, llm.Options{Translate: true})
			_, _ = read(t, d, s[:n])
			last := strings.TrimRight(s, "\r\n")
			if d.Complete() && n < len(last) {
				t.Fatalf("complete after %d of %d bytes, its stop begins at %d", n, len(s), stop)
			}
		}
	}
}

func TestStream_ManyCandidatesAreCompleteTogether(t *testing.T) {
	t.Parallel()
	d := NewStream(&llm.Request{}, llm.Options{Translate: true})
	for i, chunk := range []string{
		`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]}}]}`,
		`{"candidates":[{"index":1,"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":1}}`,
		`{"candidates":[{"index":0,"finishReason":"SAFETY"},{"index":-1,"finishReason":"STOP"},{"index":99}]}`,
	} {
		ev, err := d.Next(sse.Event{Data: []byte(chunk)})
		if err != nil {
			t.Fatal(err)
		}
		if d.Complete() != (i == 2) {
			t.Errorf("chunk %d: complete %v", i, d.Complete())
		}
		if i == 2 {
			last := ev.Deltas[len(ev.Deltas)-1]
			if last.Kind != llm.DeltaUsage || last.Usage.Input != 1 || ev.StopReason != "SAFETY" {
				t.Errorf("%+v", ev)
			}
		}
	}
}

func TestStream_MeetsTheUnknownAndTheBroken(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]struct {
		marks llm.Mark
		kind  llm.Kind
	}{
		`{"new":1}`:            {llm.MarkUnknown, ""},
		`{"responseId":"x"}`:   {llm.MarkStart, ""},
		`{"usageMetadata":{}}`: {llm.MarkUsage | llm.MarkUsageOnly, ""},
		`{"usageMetadata":{"promptTokenCount":1,"cachedContentTokenCount":9},"responseId":"x"}`: {llm.MarkStart, ""},
		`{"candidates":[{"content":{"parts":[{"text":""}]}}]}`:                                  {llm.MarkStart, ""},
		`{"candidates":[{"content":{"parts":[{"new":{}}]}}]}`:                                   {llm.MarkContent, ""},
		`{"candidates":[{"content":{"parts":[{"inlineData":{"data":"AA"}}]}}]}`:                 {llm.MarkContent, ""},
		`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}`:    {llm.MarkStop | llm.MarkUsage, ""},
		`[DONE]`:                               {llm.MarkDone, ""},
		`[]`:                                   {0, llm.Upstream},
		`{"a":1,"a":2}`:                        {0, llm.Upstream},
		`<html>`:                               {0, llm.Upstream},
		`{"error":{"code":503,"message":"m"}}`: {0, llm.Overloaded},
		`{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`: {0, llm.RateLimited},
	} {
		for _, opt := range []llm.Options{{}, {Translate: true}} {
			d := NewStream(&llm.Request{}, opt)
			ev, err := d.Next(sse.Event{Data: []byte(data)})
			switch {
			case err != nil:
				if e := llm.AsError(err); e.Kind != want.kind || e.Message == "" {
					t.Errorf("%s: %v", data, err)
				}
			case want.kind != "" || ev.Marks != want.marks:
				t.Errorf("%s: marks %b", data, ev.Marks)
			}
			if blocked := strings.Contains(data, "blockReason"); d.Complete() != blocked {
				t.Errorf("%s: complete %v", data, d.Complete())
			}
		}
	}
}

// written is a stream of deltas as a client gets it.
func written(w *Writer, deltas ...llm.Delta) string {
	var out []byte
	for i := range deltas {
		out = w.Append(out, &deltas[i])
	}
	return string(w.End(out))
}

func open(block int, part llm.Part) llm.Delta {
	return llm.Delta{Kind: llm.DeltaOpen, Block: block, Part: part}
}

func piece(block int, text string) llm.Delta {
	return llm.Delta{Kind: llm.DeltaPiece, Block: block, Text: []byte(text)}
}

func shut(block int) llm.Delta { return llm.Delta{Kind: llm.DeltaClose, Block: block} }

func stops(reason llm.StopReason) llm.Delta {
	return llm.Delta{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: reason}}
}

func TestWriter_WritesWhatGoogleWould(t *testing.T) {
	t.Parallel()
	const tail = `,"modelVersion":"m","responseId":"01J"}` + "\n\n"
	chunk := func(part string) string {
		return `data: {"candidates":[{"content":{"parts":[` + part + `],"role":"model"},"index":0}]` + tail
	}
	usage := llm.Delta{Kind: llm.DeltaUsage, Usage: money.Tokens{Input: 3, AudioInput: 2, Output: 1}}
	const counts = `,"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6,"promptTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO","tokenCount":2}]}`
	last := func(reason string) string {
		return `data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"` + reason + `,"index":0}]`
	}
	toolPart := llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f"}}
	for name, tc := range map[string]struct {
		deltas []llm.Delta
		want   string
		lost   string
	}{
		"words": {[]llm.Delta{{Kind: llm.DeltaBegin}, open(0, words("")), piece(0, "H\""), {Kind: llm.DeltaPing}, piece(0, "i"), shut(0), stops(llm.StopLength), usage, {Kind: llm.DeltaDone}},
			chunk(`{"text":"H\""}`) + chunk(`{"text":"i"}`) + last(`MAX_TOKENS"`)[:len(last(`MAX_TOKENS"`))] + counts + tail, ""},
		"no usage":    {[]llm.Delta{open(0, words("")), piece(0, "x"), shut(0), stops(llm.StopEnd)}, chunk(`{"text":"x"}`) + last(`STOP"`) + tail, ""},
		"usage first": {[]llm.Delta{open(0, words("")), usage, piece(0, "x"), shut(0), stops(llm.StopRefusal)}, chunk(`{"text":"x"}`) + last(`SAFETY"`) + counts + tail, ""},
		"usage again": {[]llm.Delta{open(0, words("")), shut(0), stops(llm.StopEnd), usage, usage}, last(`STOP"`) + counts + tail + `data: {` + counts[1:] + tail, ""},
		"thought": {[]llm.Delta{open(0, llm.Part{Kind: llm.Reasoning}), piece(0, "Hm"), {Kind: llm.DeltaSign, Part: llm.Part{Signer: "anthropic", Signature: "s"}}, shut(0), stops(llm.StopEnd)},
			chunk(`{"text":"Hm","thought":true}`) + chunk(`{"text":"","thought":true,"thoughtSignature":"ZmFpcmxlYWQuYW50aHJvcGljLnM="}`) + last(`STOP"`) + tail, ""},
		"calls in pieces that mix": {[]llm.Delta{open(0, toolPart), shut(0), open(1, llm.Part{Kind: llm.ToolCall, Call: &llm.Call{Name: "g"}}), piece(0, `{"x"`), piece(1, `{}`), shut(1), piece(0, `:1}`), stops(llm.StopTools)},
			chunk(`{"functionCall":{"id":"a","name":"f","args":{"x":1}}}`) + chunk(`{"functionCall":{"id":"call_01J_0_1","name":"g","args":{}}}`) + last(`STOP"`) + tail, ""},
		"a call that is broken": {[]llm.Delta{open(0, toolPart), piece(0, `{"x":`), shut(0), stops(llm.StopTools)},
			last(`MALFORMED_FUNCTION_CALL"`)[:len(last(`MALFORMED_FUNCTION_CALL"`))-2] + `,"finishMessage":"Malformed function call: f({\"x\":)"}]` + tail, "content"},
		"a call that is cut short": {[]llm.Delta{open(0, toolPart), piece(0, `{"x":`), shut(0), stops(llm.StopLength)},
			last(`MAX_TOKENS"`)[:len(last(`MAX_TOKENS"`))-2] + `,"finishMessage":"Malformed function call: f({\"x\":)"}]` + tail, "content"},
		"a picture": {[]llm.Delta{open(0, llm.Part{Kind: llm.Image, Media: &llm.Media{Base64: "AAAA", MIME: "image/png"}}), shut(0), stops(llm.StopEnd)},
			chunk(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`) + last(`STOP"`) + tail, ""},
		"what has no form": {[]llm.Delta{open(0, llm.Part{Kind: llm.Other, Dialect: "anthropic", Raw: []byte(`{}`)}), shut(0), {Kind: llm.DeltaForeign, Raw: []byte("x")}, stops(llm.StopPause)}, last(`OTHER"`) + tail, "content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewWriter(&llm.Request{ID: "01J", Model: "m", Time: time.Unix(0, 0)})
			if diff := cmp.Diff(tc.want, written(w, tc.deltas...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := fieldNames(w.Lost()); got != tc.lost {
				t.Errorf("lost %q", got)
			}
			if again := w.End(nil); again != nil {
				t.Errorf("ended twice: %s", again)
			}
			array := written(NewWriter(&llm.Request{ID: "01J", Model: "m", Array: true}), tc.deltas...)
			var all []map[string]any
			if err := json.Unmarshal([]byte(array), &all); err != nil {
				t.Errorf("%v: %s", err, array)
			}
		})
	}
}

func TestWriter_WhatItWritesReadsBack(t *testing.T) {
	t.Parallel()
	a := fullAnswer()
	a.Choices = append(a.Choices, llm.Choice{Parts: []llm.Part{words("second")}, Stop: llm.Stop{Reason: llm.StopFilter}})
	wire := written(NewWriter(&llm.Request{ID: "01J", Model: "m"}), a.Deltas()...)
	d := NewStream(&llm.Request{ID: "02"}, llm.Options{Translate: true})
	r := sse.NewReader(strings.NewReader(wire), 0)
	var c llm.Collect
	for {
		raw, err := r.Next()
		if err != nil {
			break
		}
		ev, err := d.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, delta := range ev.Deltas {
			c.Add(delta)
		}
	}
	got := c.Whole()
	if !d.Complete() || got.Usage != a.Usage || got.Choices[1].Stop.Reason != llm.StopFilter || got.Choices[0].Stop.Reason != llm.StopTools {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(string(a.Choices[0].Logprobs), string(got.Choices[0].Logprobs)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
