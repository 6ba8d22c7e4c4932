package tgi

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
	"github.com/fairlead/fairlead/internal/testkit"
)

// spec runs a check against the publisher's description, in a subtest, so that only the
// check is skipped without the data.
func spec(t *testing.T, check func(*testkit.Spec) error) {
	t.Helper()
	t.Run("as published", func(t *testing.T) {
		t.Parallel()
		if err := check(testkit.PublishedSpec(t, "tgi.openapi.json")); err != nil {
			t.Error(err)
		}
	})
}

func TestPath_CompletionsAlone(t *testing.T) {
	t.Parallel()
	for want, req := range map[string]llm.Request{
		"/generate": {Surface: llm.Completions}, "/generate_stream": {Surface: llm.Completions, Stream: true},
	} {
		if got := Path(&req, llm.Options{}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, s := range []llm.Surface{llm.Chat, llm.Embeddings, llm.Rerank} {
		if got := Path(&llm.Request{Surface: s}, llm.Options{}); got != "" {
			t.Errorf("%s: %q", s, got)
		}
	}
}

func TestWrite_SaysWhatAServerTakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		p          llm.Prompt
		want, lost string
	}{
		"nothing but a text": {llm.Prompt{}, ``, ""},
		"all of it": {llm.Prompt{Sampling: llm.Sampling{MaxTokens: new(int64(9)), Temperature: new(0.5), TopP: new(0.9), TopK: new(int64(40)), Seed: new(int64(7)), Stop: []string{"x"}, FrequencyPenalty: new(0.1), RepeatPenalty: new(1.1)}},
			`,"do_sample":true,"max_new_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":7,"stop":["x"],"frequency_penalty":0.1,"repetition_penalty":1.1`, ""},
		"greedy":                 {llm.Prompt{Sampling: llm.Sampling{Temperature: new(0.0), TopP: new(0.5), TopK: new(int64(3))}}, `,"do_sample":false`, ""},
		"a temperature of one":   {llm.Prompt{Sampling: llm.Sampling{Temperature: new(1.0)}}, `,"do_sample":true,"temperature":1`, ""},
		"what means nothing":     {llm.Prompt{Sampling: llm.Sampling{TopP: new(1.0), TopK: new(int64(-1)), PresencePenalty: new(0.0), N: 1}}, ``, ""},
		"what cannot be said":    {llm.Prompt{User: "u", Metadata: map[string]string{"a": "b"}, Sampling: llm.Sampling{TopP: new(0.0), MinP: new(0.1), Seed: new(int64(-1)), PresencePenalty: new(1.0), LogitBias: []byte("{}"), N: 2, Logprobs: true}}, ``, "top_p seed min_p presence_penalty logit_bias n logprobs user metadata"},
		"a schema":               {llm.Prompt{Format: llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object","properties":{"a":{}}}`)}}, `,"grammar":{"type":"json","value":{"type":"object","properties":{"a":{}}}}`, ""},
		"JSON of whatever shape": {llm.Prompt{Format: llm.Format{Kind: llm.FormatJSON}}, ``, "response_format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.p.Surface, tc.p.Texts = llm.Completions, []string{"Once \"upon\""}
			body, lost, err := Write(&tc.p, true, llm.Options{Model: "t"})
			want := `{"inputs":"Once \"upon\"","parameters":{"details":true,"return_full_text":false` + tc.want + `}}`
			if diff := cmp.Diff(want, string(body)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if got := names(lost); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
			spec(t, func(s *testkit.Spec) error { return s.ValidateRequest("/generate", body) })
		})
	}
}

func names(lost llm.Losses) string {
	var list []string
	for _, f := range lost {
		list = append(list, string(f))
	}
	return strings.Join(list, " ")
}

func TestWrite_RefusesWhatWouldBeAnotherRequest(t *testing.T) {
	t.Parallel()
	for param, p := range map[string]llm.Prompt{"prompt": {Texts: []string{"a", "b"}}, "suffix": {Texts: []string{"a"}, Suffix: "c"}} {
		if _, _, err := Write(&p, false, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported || llm.AsError(err).Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
}

// origin: described. After the publisher's description and
// https://huggingface.co/docs/text-generation-inference/conceptual/streaming.
const whole = `data:{"index":1,"token":{"id":885,"text":" if","logprob":-0.5,"special":false},"generated_text":null,"details":null}

:

data:{"index":2,"token":{"id":9,"text":" \"é\n\"","logprob":-0.25,"special":false},"top_tokens":[],"generated_text":null,"details":null}

data:{"index":3,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":" if \"é\n\"","details":{"finish_reason":"eos_token","generated_tokens":3,"seed":null,"input_length":5}}

`

// collect reads a stream to its end or its first error.
func collect(stream string) (marks []llm.Mark, c llm.Collect, d *StreamDecoder, err error) {
	d = NewStream(&llm.Request{}, llm.Options{Translate: true})
	reader := sse.NewReader(strings.NewReader(stream), 0)
	for {
		raw, readErr := reader.Next()
		if readErr != nil {
			if !errors.Is(readErr, io.EOF) {
				err = readErr
			}
			return marks, c, d, err
		}
		ev, err := d.Next(raw)
		if err != nil {
			return marks, c, d, err
		}
		marks = append(marks, ev.Marks)
		for _, delta := range ev.Deltas {
			c.Add(delta)
		}
	}
}

func TestStream_Reads(t *testing.T) {
	t.Parallel()
	marks, c, d, err := collect(whole)
	want := []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkComment, llm.MarkStart | llm.MarkContent, llm.MarkStart | llm.MarkStop | llm.MarkUsage | llm.MarkDone}
	if diff := cmp.Diff(want, marks); diff != "" || err != nil || !d.Complete() || d.End() != nil {
		t.Errorf("%v, complete %v (-want +got):\n%s", err, d.Complete(), diff)
	}
	answer := &llm.Answer{Usage: money.Tokens{Input: 5, Output: 3}, Counted: true, Choices: []llm.Choice{{
		Parts: []llm.Part{{Kind: llm.Text, Text: " if \"é\n\""}}, Stop: llm.Stop{Reason: llm.StopEnd, Word: "eos_token"}}}}
	if diff := cmp.Diff(answer, c.Whole()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	spec(t, func(s *testkit.Spec) error {
		for _, data := range testkit.EventData([]byte(whole)) {
			if err := s.ValidateChunk("/generate_stream", data); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestStream_CutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	for i := range len(whole) - 1 {
		if _, _, d, _ := collect(whole[:i]); d.Complete() {
			t.Fatalf("cut at %d it is complete", i)
		}
	}
	if _, c, d, err := collect(strings.ReplaceAll(whole, "\n", "\r\n")); err != nil || !d.Complete() || c.Answer.Usage.Output != 3 {
		t.Errorf("with CR LF: %v", err)
	}
}

func TestStream_TheUnknownAndErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stream string
		kind   llm.Kind // "" for none
		text   string
	}{
		"an unknown event":    {`data:{"progress":1}` + "\n\n", "", ""},
		"no details":          {`data:{"index":1,"token":{"text":"a","special":false},"generated_text":"a","details":null}` + "\n\n", "", ""},
		"before output":       {`data:{"error":"Model is overloaded","error_type":"overloaded"}` + "\n\n", llm.Overloaded, "Model is overloaded"},
		"after output":        {`data:{"token":{"text":"a"}}` + "\n\n" + `data:{"error":"Request failed during generation: CUDA","error_type":"generation"}` + "\n\n", llm.Upstream, "Request failed during generation: CUDA"},
		"by the event's name": {"event:error\n" + `data:{"message":"x"}` + "\n\n", llm.Upstream, "x"},
		"a prompt too long":   {"data:{\"error\":\"Input validation error: `inputs` must have less than 1024 tokens. Given: 2000\",\"error_type\":\"validation\"}\n\n", llm.TooLong, "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000"},
		"without a word":      {`data:{"error":7}` + "\n\n", llm.Upstream, "the upstream reported an error without saying which"},
		"HTML":                {"data:<html>\n\n", llm.Upstream, "the upstream sent an event that is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, d, err := collect(tc.stream)
			if d.Complete() || (err == nil) != (tc.kind == "") {
				t.Fatalf("complete %v, %v", d.Complete(), err)
			}
			if e := llm.AsError(err); err != nil && (e.Kind != tc.kind || e.Message != tc.text) {
				t.Errorf("%v", err)
			}
		})
	}
	if got, want := string(NewStream(nil, llm.Options{}).Fail(&llm.Error{Message: "no"})), "data: {\"error\":\"no\",\"error_type\":\"generation\"}\n\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestAnswer_Reads(t *testing.T) {
	t.Parallel()
	tokens := `"tokens":[{"id":1,"text":"a","logprob":-1,"special":false}]`
	for name, tc := range map[string]struct {
		body  string
		stop  llm.Stop
		usage money.Tokens
	}{
		"without the prompt's tokens": {`{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":1,"prefill":[],` + tokens + `}}`, llm.Stop{Reason: llm.StopLength, Word: "length"}, money.Tokens{}},
		"with them":                   {`{"generated_text":"a","details":{"finish_reason":"stop_sequence","generated_tokens":1,"prefill":[{"id":1,"text":"x","logprob":null},{"id":2,"text":"y","logprob":-1}],` + tokens + `}}`, llm.Stop{Reason: llm.StopSequence, Word: "stop_sequence"}, money.Tokens{Input: 2, Output: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec(t, func(s *testkit.Spec) error { return s.ValidateResponse("/generate", []byte(tc.body)) })
			ev, err := Answer(&llm.Request{}, llm.Options{Translate: true}, []byte(tc.body))
			if err != nil || ev.StopReason != tc.stop.Word || ev.TextBytes != 1 || ev.Usage != tc.usage {
				t.Fatalf("%+v, %v", ev, err)
			}
			want := &llm.Answer{Usage: tc.usage, Counted: !tc.usage.IsZero(), Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: "a"}}, Stop: tc.stop}}}
			if diff := cmp.Diff(want, ev.Answer); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for name, body := range map[string]string{"HTML": "<html>", "a list": `[]`, "nothing": `{}`, "an error": `{"error":"no","error_type":"generation"}`} {
		if _, err := Answer(&llm.Request{}, llm.Options{}, []byte(body)); llm.AsError(err).Kind != llm.Upstream {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		kind   llm.Kind
		text   string
	}{
		"HTML":       {502, "<html>", llm.Upstream, "the upstream answered with HTTP status 502"},
		"overloaded": {429, `{"error":"Model is overloaded","error_type":"overloaded"}`, llm.Overloaded, "Model is overloaded"},
		"a limit":    {429, `{"message":"slow down"}`, llm.RateLimited, "slow down"},
		"a field":    {422, "{\"error\":\"Input validation error: `stop` supports up to 4 stop sequences. Given: 5\",\"error_type\":\"validation\"}", llm.Invalid, "Input validation error: `stop` supports up to 4 stop sequences. Given: 5"},
		"too long":   {422, "{\"error\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`\",\"error_type\":\"validation\"}", llm.TooLong, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`"},
		"generation": {424, `{"error":"Request failed during generation","error_type":"generation"}`, llm.Upstream, "Request failed during generation"},
		"a book":     {500, `{"error":"` + strings.Repeat("x", 5000) + `"}`, llm.Upstream, strings.Repeat("x", 2000) + " …"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := DecodeError(tc.status, []byte(tc.body)); e.Kind != tc.kind || e.Message != tc.text || e.Status != tc.status {
				t.Errorf("%s, %q", e.Kind, e.Message)
			}
		})
	}
}

func FuzzStream(f *testing.F) {
	f.Add(whole)
	f.Add("data:{\"token\":{\"text\":1},\"details\":{\"finish_reason\":\"\",\"generated_tokens\":-1,\"input_length\":9}}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		_, c, d, _ := collect(stream)
		if a := c.Whole(); d.Complete() && (len(a.Choices) != 1 || a.Choices[0].Stop.Reason == "") {
			t.Fatalf("%+v", a)
		}
	})
}
