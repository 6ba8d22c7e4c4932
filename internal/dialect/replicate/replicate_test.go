package replicate

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

func say(role llm.Role, text string) llm.Turn {
	return llm.Turn{Role: role, Parts: []llm.Part{{Kind: llm.Text, Text: text}}}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	n, heat := int64(9), 0.5
	for name, tc := range map[string]struct {
		prompt llm.Prompt
		model  string
		stream bool
		want   string
		lost   string
	}{
		"one turn": {llm.Prompt{Surface: llm.Chat, Turns: []llm.Turn{say(llm.User, "hi")}}, "a/b", false, `{"input":{"prompt":"hi"}}`, ""},
		"a conversation": {
			llm.Prompt{Surface: llm.Chat, System: []llm.Part{{Kind: llm.Text, Text: "be brief"}},
				Turns: []llm.Turn{say(llm.User, "hi"), say(llm.Assistant, "hello"), say(llm.User, "bye")}},
			"a/b", true,
			`{"input":{"prompt":"User: hi\n\nAssistant: hello\n\nUser: bye\n\nAssistant:","system_prompt":"be brief"},"stream":true}`, "",
		},
		"a version": {
			llm.Prompt{Surface: llm.Completions, Texts: []string{"once"}, Sampling: llm.Sampling{MaxTokens: &n, Temperature: &heat, Stop: []string{"a", "b"}}},
			"a/b:5c78", false, `{"version":"5c78","input":{"prompt":"once","max_tokens":9,"temperature":0.5,"stop_sequences":"a,b"}}`, "",
		},
		"what it cannot say": {
			llm.Prompt{Surface: llm.Chat, Tools: []llm.Tool{{Name: "f"}}, User: "u", Turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.Image, Media: &llm.Media{URL: "https://x.test/a.png"}}, {Kind: llm.Text, Text: "see", Cache: &llm.Cache{}}}}}},
			"a/b", false, `{"input":{"prompt":"see"}}`, "cache_control image tools user",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Write(&tc.prompt, tc.stream, llm.Options{Model: tc.model})
			if diff := cmp.Diff(tc.want, string(body)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if got := sorted(lost); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
		})
	}
}

func sorted(lost llm.Losses) string {
	names := make([]string, len(lost))
	for i, f := range lost {
		names[i] = string(f)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestPath(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"meta/llama-3": "/models/meta/llama-3/predictions", "a/b:5c78": "/predictions", "5c78": "/predictions", "a/b?c": "/models/a/b%3Fc/predictions",
	} {
		if got := Path(&llm.Request{Surface: llm.Chat}, llm.Options{Model: model}); got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
	}
	if got := Path(&llm.Request{Surface: llm.Embeddings}, llm.Options{Model: "a/b"}); got != "" {
		t.Errorf("embeddings: %s", got)
	}
}

// origin: described, after https://replicate.com/docs/reference/http (2026-11).
const made = `{"id":"p1","model":"meta/llama-3","version":"hidden","input":{"prompt":"hi"},"logs":"","output":["Hel","lo"],"error":null,"status":"succeeded","created_at":"2026-11-01T10:00:00Z","metrics":{"predict_time":0.4,"input_token_count":7,"output_token_count":2},"urls":{"get":"https://api.replicate.com/v1/predictions/p1"}}`

func TestAnswer(t *testing.T) {
	t.Parallel()
	ev, err := Answer(nil, llm.Options{}, []byte(made))
	if err != nil || ev.StopReason == "" || ev.AnswerID != "p1" || ev.Usage != (money.Tokens{Input: 7, Output: 2}) || ev.Answer.Choices[0].Parts[0].Text != "Hello" {
		t.Errorf("%v %+v", err, ev)
	}
	for body, says := range map[string]string{
		"<html>": "not valid JSON", `{"status":"failed","error":"CUDA out of memory"}`: "CUDA", `{"status":"canceled"}`: "canceled",
		`{"status":"succeeded","status":"failed"}`: "not valid JSON", `{"status":1}`: "form that is published", `{}`: "ended as",
	} {
		var e *llm.Error
		if _, err := Answer(nil, llm.Options{}, []byte(body)); !errors.As(err, &e) || e.Kind != llm.Upstream || !strings.Contains(e.Message, says) {
			t.Errorf("%s: %v, want %q", body, err, says)
		}
	}
	ev, err = Answer(nil, llm.Options{}, []byte(`{"status":"succeeded","output":"whole","metrics":{"input_token_count":-1,"output_token_count":2}}`))
	if err != nil || ev.Answer.Choices[0].Parts[0].Text != "whole" || ev.Marks&llm.MarkUsage != 0 {
		t.Errorf("%v %+v", err, ev)
	}
}

// origin: described, after https://replicate.com/docs/topics/predictions/streaming (2026-11).
const events = "event: output\nid: 1\ndata: Hel\n\n: hi\n\nevent: output\nid: 2\ndata: lo\ndata: you\n\nevent: news\ndata: 1\n\nevent: done\ndata: {}\n\n"

func listen(stream string) (text string, d *StreamDecoder, err error) {
	d = NewStream(nil, llm.Options{})
	r := sse.NewReader(strings.NewReader(stream), 0)
	for {
		raw, err := r.Next()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return text, d, err
		}
		ev, err := d.Next(raw)
		if err != nil {
			return text, d, err
		}
		for _, delta := range ev.Deltas {
			text += string(delta.Text)
		}
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	text, d, err := listen(events)
	if err != nil || text != "Hello\nyou" || !d.Complete() {
		t.Errorf("%q %v %v", text, d.Complete(), err)
	}
	for i := range len(events) - 1 {
		if _, d, _ := listen(events[:i]); d.Complete() {
			t.Errorf("cut at %d it is complete", i)
		}
	}
	for stream, says := range map[string]string{
		"event: output\ndata: x\n\nevent: error\ndata: {\"detail\":\"too long\"}\n\n": "too long",
		"event: done\ndata: {\"reason\":\"canceled\"}\n\n":                            "canceled",
	} {
		if _, d, err := listen(stream); err == nil || !strings.Contains(err.Error(), says) || d.Complete() {
			t.Errorf("%q: %v, want %q", stream, err, says)
		}
	}
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		kind   llm.Kind
		says   string
	}{
		{422, `{"detail":"- input: prompt is required","status":422}`, llm.Invalid, "prompt is required"},
		{402, `{"title":"Payment required","detail":"no credit"}`, llm.Unpaid, "no credit"},
		{429, ``, llm.RateLimited, "429"}, {500, "<html>", llm.Upstream, "500"}, {401, `{"detail":1}`, llm.Unauthorized, "401"},
	} {
		if e := DecodeError(tc.status, []byte(tc.body)); e.Kind != tc.kind || !strings.Contains(e.Message, tc.says) || e.Status != tc.status {
			t.Errorf("%d %s: %+v", tc.status, tc.body, e)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(events)
	f.Add("event: done\ndata: {\"reason\":\"error\"}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		if _, d, err := listen(stream); err != nil && d.Complete() {
			t.Error("a stream that failed is complete")
		}
	})
}
