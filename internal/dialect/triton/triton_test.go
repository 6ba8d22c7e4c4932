package triton

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

func asked() *llm.Request {
	return &llm.Request{Surface: llm.Completions, Stream: true, Body: []byte(`{"text_input":"a","max_tokens":4}`)}
}

func TestPath_NamesTheModel(t *testing.T) {
	t.Parallel()
	req := asked()
	if got := Path(req, llm.Options{Model: "my model/1"}); got != "/v2/models/my%20model%2F1/generate_stream" {
		t.Error(got)
	}
	req.Stream = false
	if got := Path(req, llm.Options{Model: "ensemble"}); got != "/v2/models/ensemble/generate" {
		t.Error(got)
	}
	req.Surface = llm.Chat
	if got := Path(req, llm.Options{Model: "ensemble"}); got != "" {
		t.Error(got)
	}
}

func TestWrite_SaysWhatAModelTakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		p          llm.Prompt
		opt        llm.Options
		max        string
		want, lost string
	}{
		"nothing but a text":  {llm.Prompt{}, llm.Options{}, "1024", ``, ""},
		"the target's bound":  {llm.Prompt{}, llm.Options{MaxTokens: 50}, "50", ``, ""},
		"greedy":              {llm.Prompt{Sampling: llm.Sampling{Temperature: new(0.0), TopP: new(0.5)}}, llm.Options{}, "1024", `,"top_k":1`, ""},
		"all of it":           {llm.Prompt{Sampling: llm.Sampling{MaxTokens: new(int64(9)), Temperature: new(0.5), TopP: new(0.9), TopK: new(int64(40)), Seed: new(int64(7)), Stop: []string{"x", "y"}, PresencePenalty: new(0.2), FrequencyPenalty: new(0.1), RepeatPenalty: new(1.1)}}, llm.Options{}, "9", `,"temperature":0.5,"top_p":0.9,"top_k":40,"stop_words":["x","y"],"seed":7,"random_seed":7,"presence_penalty":0.2,"frequency_penalty":0.1,"repetition_penalty":1.1`, ""},
		"JSON":                {llm.Prompt{Format: llm.Format{Kind: llm.FormatJSON}}, llm.Options{}, "1024", `,"guided_decoding_guide_type":"json"`, ""},
		"a schema":            {llm.Prompt{Format: llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`)}}, llm.Options{}, "1024", `,"guided_decoding_guide_type":"json_schema","guided_decoding_guide":"{\"type\":\"object\"}"`, ""},
		"what cannot be said": {llm.Prompt{User: "u", Metadata: map[string]string{"a": "b"}, Sampling: llm.Sampling{MinP: new(0.1), Seed: new(int64(-1)), LogitBias: []byte("{}"), N: 2, Logprobs: true}}, llm.Options{}, "1024", ``, "seed min_p logit_bias n logprobs user metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.p.Surface, tc.p.Texts = llm.Completions, []string{"Once \"upon\""}
			body, lost, err := Write(&tc.p, true, tc.opt)
			want := `{"text_input":"Once \"upon\"","max_tokens":` + tc.max + `,"stream":true,"exclude_input_in_output":true` + tc.want + `,"return_num_input_tokens":true,"return_num_output_tokens":true}`
			if diff := cmp.Diff(want, string(body)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			var names []string
			for _, f := range lost {
				names = append(names, string(f))
			}
			if got := strings.Join(names, " "); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
		})
	}
	for param, p := range map[string]llm.Prompt{"prompt": {Texts: []string{"a", "b"}}, "suffix": {Texts: []string{"a"}, Suffix: "c"}} {
		if _, _, err := Write(&p, false, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported || llm.AsError(err).Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
}

// origin: described. After the extension's description and the answers that users show in
// https://github.com/triton-inference-server/tensorrtllm_backend/issues/383 and /503.
const (
	head    = `data: {"context_logits":0.0,"cum_log_probs":0.0,"model_name":"ensemble","model_version":"1",`
	tail    = `"output_log_probs":[0.0,0.0],"sequence_end":false,"sequence_id":0,"sequence_start":false,"text_output":`
	pieces  = head + tail + "\" (\"}\n\n" + head + tail + "\"\"}\n\n" + head + tail + "\"arr\\né)\"}\n\n"
	counted = head + `"num_input_tokens":6,"num_output_tokens":1,` + tail + "\"a\"}\n\n" + head + `"num_input_tokens":6,"num_output_tokens":3,` + tail + "\"b\"}\n\n"
)

// collect reads a stream as the house does: the decoder hears of the end where it is a
// clean one.
func collect(source io.Reader) (marks []llm.Mark, c llm.Collect, d *StreamDecoder, err error) {
	d = NewStream(asked(), llm.Options{Translate: true})
	reader := sse.NewReader(source, 0)
	for {
		raw, err := reader.Next()
		if errors.Is(err, io.EOF) {
			ev := d.Ended()
			for _, delta := range ev.Deltas {
				c.Add(delta)
			}
			return append(marks, ev.Marks), c, d, nil
		}
		if err != nil {
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
	for name, tc := range map[string]struct {
		stream, text string
		marks        []llm.Mark
		stop         llm.Stop
		usage        money.Tokens
	}{
		"a model that does not count": {pieces, " (arr\né)", []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkStart, llm.MarkStart | llm.MarkContent, llm.MarkStop | llm.MarkDone}, llm.Stop{Reason: llm.StopEnd}, money.Tokens{}},
		"one that does":               {counted, "ab", []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkStart | llm.MarkContent, llm.MarkStop | llm.MarkDone | llm.MarkUsage}, llm.Stop{Reason: llm.StopLength}, money.Tokens{Input: 6, Output: 4}},
		"one that says why":           {`data: {"model_name":"ensemble","text_output":"a","finish_reason":"stop"}` + "\n\n", "a", []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkStop | llm.MarkDone}, llm.Stop{Reason: llm.StopEnd, Word: "stop"}, money.Tokens{}},
		"several beams":               {`data: {"model_name":"ensemble","text_output":["a","b"]}` + "\n\n", "a", []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkStop | llm.MarkDone}, llm.Stop{Reason: llm.StopEnd}, money.Tokens{}},
		"with CR LF":                  {strings.ReplaceAll(counted, "\n", "\r\n"), "ab", []llm.Mark{llm.MarkStart | llm.MarkContent, llm.MarkStart | llm.MarkContent, llm.MarkStop | llm.MarkDone | llm.MarkUsage}, llm.Stop{Reason: llm.StopLength}, money.Tokens{Input: 6, Output: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marks, c, d, err := collect(strings.NewReader(tc.stream))
			if diff := cmp.Diff(tc.marks, marks); diff != "" || err != nil || !d.Complete() || d.End() != nil || d.Ended().Marks != 0 {
				t.Errorf("%v, complete %v (-want +got):\n%s", err, d.Complete(), diff)
			}
			want := &llm.Answer{Model: "ensemble", Usage: tc.usage, Counted: !tc.usage.IsZero(), Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: tc.text}}, Stop: tc.stop}}}
			if diff := cmp.Diff(want, c.Whole()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStream_IsCompleteAtACleanEndAlone: between two events nothing but the transport knows
// that a stream was cut, so its word is needed.
func TestStream_IsCompleteAtACleanEndAlone(t *testing.T) {
	t.Parallel()
	boundary := map[int]bool{}
	for i := range len(pieces) {
		if strings.HasSuffix(pieces[:i], "\n\n") {
			boundary[i] = true
		}
		_, _, d, err := collect(strings.NewReader(pieces[:i]))
		if d.Complete() != boundary[i] || err == nil != (boundary[i] || i == 0) {
			t.Fatalf("ended at %d: complete %v, %v", i, d.Complete(), err)
		}
		for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
			if _, _, d, _ := collect(io.MultiReader(strings.NewReader(pieces[:i]), iotest.ErrReader(broken))); d.Complete() {
				t.Fatalf("cut at %d by %v it is complete", i, broken)
			}
		}
	}
}

func TestStream_TheUnknownAndErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stream string
		kind   llm.Kind // "" for none
		text   string
	}{
		"nothing":          {"", "", ""},
		"an unknown event": {": hm\n\ndata: {\"model_name\":\"m\"}\n\n", "", ""},
		"before output":    {`data: {"error":"in ensemble 'ensemble', Prompt length (3000) exceeds maximum input length (1024)."}` + "\n\n", llm.TooLong, "in ensemble 'ensemble', Prompt length (3000) exceeds maximum input length (1024)."},
		"after output":     {counted + `data: {"error":"Executor failed process requestId 1"}` + "\n\n", llm.Upstream, "Executor failed process requestId 1"},
		"without a word":   {`data: {"error":{}}` + "\n\n", llm.Upstream, "the upstream reported an error without saying which"},
		"HTML":             {"data: <html>\n\n", llm.Upstream, "the upstream sent an event that is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, d, err := collect(strings.NewReader(tc.stream))
			if d.Complete() || d.Ended().Marks != 0 || (err == nil) != (tc.kind == "") {
				t.Fatalf("complete %v, %v", d.Complete(), err)
			}
			if e := llm.AsError(err); err != nil && (e.Kind != tc.kind || e.Message != tc.text) {
				t.Errorf("%v", err)
			}
		})
	}
	if got, want := string(NewStream(nil, llm.Options{}).Fail(&llm.Error{Message: "no"})), "data: {\"error\":\"no\"}\n\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestAnswer_Reads(t *testing.T) {
	t.Parallel()
	body := strings.TrimPrefix(head, "data: ") + `"num_input_tokens":6,"num_output_tokens":2,` + tail + `"a\n"}`
	ev, err := Answer(asked(), llm.Options{Translate: true}, []byte(body))
	if err != nil || ev.Marks != llm.MarkWhole|llm.MarkUsage || ev.TextBytes != 3 || string(ev.Raw) != body {
		t.Fatalf("%+v, %v", ev, err)
	}
	want := &llm.Answer{Model: "ensemble", Usage: money.Tokens{Input: 6, Output: 2}, Counted: true, Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: "a\n"}}, Stop: llm.Stop{Reason: llm.StopEnd}}}}
	if diff := cmp.Diff(want, ev.Answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, body := range map[string]string{"HTML": "<html>", "a list": `[]`, "nothing": `{}`, "an error with status 200": `{"error":"generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses"}`} {
		if _, err := Answer(asked(), llm.Options{}, []byte(body)); llm.AsError(err).Kind != llm.Upstream {
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
		"HTML":            {502, "<html>", llm.Upstream, "the upstream answered with HTTP status 502"},
		"no such model":   {400, `{"error":"Request for unknown model: 'x' is not found"}`, llm.NotFound, "Request for unknown model: 'x' is not found"},
		"a field":         {400, `{"error":"unexpected key"}`, llm.Invalid, "unexpected key"},
		"the first event": {400, "data: {\"error\":\"Executor failed process requestId 1\"}\n\n", llm.Upstream, "Executor failed process requestId 1"},
		"a queue":         {503, `{"error":"Exceeds maximum queue size"}`, llm.Overloaded, "Exceeds maximum queue size"},
		"a book":          {500, `{"error":"` + strings.Repeat("x", 5000) + `"}`, llm.Upstream, strings.Repeat("x", 2000) + " …"},
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
	f.Add(pieces)
	f.Add(counted)
	f.Add("data: {\"text_output\":[],\"num_output_tokens\":9e99}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		_, c, d, _ := collect(strings.NewReader(stream))
		if a := c.Whole(); d.Complete() && (len(a.Choices) != 1 || a.Choices[0].Stop.Reason == "") {
			t.Fatalf("%+v", a)
		}
	})
}
