package responses

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestAnswer_ReadsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	body := []byte(recorded(t, "rich.json"))
	ev, err := Answer(decode(t, ask), llm.Options{}, body)
	if err != nil {
		t.Fatal(err)
	}
	if string(ev.Raw) != string(body) || ev.Answer != nil || ev.AnswerID != "resp_1" || ev.StopReason != "completed" || ev.TextBytes < 40 {
		t.Errorf("%+v", ev)
	}
	if want := (money.Tokens{Input: 10, CacheRead: 8, CacheWrite5m: 2, Output: 6, Reasoning: 9}); ev.Marks != llm.MarkWhole|llm.MarkUsage || ev.Usage != want {
		t.Errorf("%+v", ev.Usage)
	}
}

func TestAnswer_JudgesTheStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask, body string
		stop      string
		kind      llm.Kind
	}{
		"html":                  {ask, `<html>`, "", llm.Upstream},
		"array":                 {ask, `[]`, "", llm.Upstream},
		"no output":             {ask, `{"id":"r"}`, "", llm.Upstream},
		"duplicate names":       {ask, `{"status":"completed","output":[],"output":[]}`, "", llm.Upstream},
		"failed":                {ask, `{"status":"failed","output":[],"error":{"code":"invalid_prompt","message":"no"}}`, "", llm.Invalid},
		"an error":              {ask, `{"error":{"code":"rate_limit_exceeded","message":"slow"}}`, "", llm.RateLimited},
		"no status":             {ask, `{"output":[]}`, "", ""},
		"completed":             {ask, `{"status":"completed","error":null,"output":[],"brand_new":{}}`, "completed", ""},
		"incomplete":            {ask, `{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}`, "max_output_tokens", ""},
		"still going":           {ask, `{"status":"in_progress","output":[]}`, "", ""},
		"still going, as asked": {`{"model":"m","input":"hi","background":true}`, `{"status":"queued","output":[]}`, "queued", ""},
		"canceled":              {ask, `{"status":"cancelled","output":[]}`, "cancelled", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := Answer(decode(t, tc.ask), llm.Options{Translate: true}, []byte(tc.body))
			switch {
			case tc.kind == "" && err != nil, tc.kind != "" && (err == nil || llm.AsError(err).Kind != tc.kind):
				t.Errorf("error %v, want kind %q", err, tc.kind)
			case ev.StopReason != tc.stop:
				t.Errorf("stop reason %q, want %q", ev.StopReason, tc.stop)
			}
		})
	}
}

func TestAnswer_TakesNoContradictoryUsage(t *testing.T) {
	t.Parallel()
	ev, err := Answer(decode(t, ask), llm.Options{}, []byte(`{"status":"completed","output":[],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":5},"output_tokens":1}}`))
	if err != nil || ev.Marks&llm.MarkUsage != 0 {
		t.Errorf("%+v, %v", ev, err)
	}
}

func TestAnswer_WritesBackItsOwnThoughtByteForByte(t *testing.T) {
	t.Parallel()
	req := decode(t, ask)
	ev, err := Answer(req, llm.Options{Translate: true}, []byte(recorded(t, "rich.json")))
	if err != nil {
		t.Fatal(err)
	}
	// A client that asked for a stream, of an upstream that answered in one piece.
	stream, w := write(req, ev.Answer.Deltas()...)
	if len(w.Lost()) > 0 {
		t.Errorf("lost %v", w.Lost())
	}
	events := sdkEvents(t, stream)
	for _, own := range events {
		if own.Type == "response.output_item.done" && own.OutputIndex == 0 {
			if it := own.Item; it.ID != "rs_1" || it.EncryptedContent != "gAAAA:b+/=" || it.Summary[0].Text != "**Look**\n\nCall f." {
				t.Errorf("%s", it.RawJSON())
			}
		}
		if own.Type == "response.output_item.done" && own.OutputIndex == 1 && own.Item.ID != "ws_1" {
			t.Errorf("%s", own.Item.RawJSON())
		}
		if own.Type == "response.reasoning_summary_text.delta" && own.ItemID != "rs_1" {
			t.Errorf("%s", own.RawJSON())
		}
	}
	spec := testkit.OpenAISpec(t)
	for _, data := range testkit.EventData([]byte(stream)) {
		if err := spec.ValidateChunk("/responses", data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestErrors_ReadAndWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		kind   llm.Kind
		text   string
	}{
		"empty":   {500, ``, llm.Upstream, "the upstream answered with HTTP status 500"},
		"html":    {502, `<html><body>bad gateway`, llm.Upstream, "the upstream answered with HTTP status 502"},
		"limited": {429, `{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded","param":null}}`, llm.RateLimited, "slow"},
		"long":    {400, `{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded","param":"input"}}`, llm.TooLong, "too long"},
		"a novel": {400, `{"error":{"message":"` + strings.Repeat("x", 9000) + `"}}`, llm.Invalid, strings.Repeat("x", 2000) + " …"},
	} {
		e := DecodeError(tc.status, []byte(tc.body))
		if e.Kind != tc.kind || e.Message != tc.text {
			t.Errorf("%s: %v %q", name, e.Kind, e.Message)
		}
	}
	got := string(AppendError(nil, &llm.Error{Kind: llm.Unsupported, Message: "no \"state\"", Param: "conversation", Code: "stateful"}))
	want := `{"error":{"message":"no \"state\"","type":"invalid_request_error","param":"conversation","code":"stateful"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
