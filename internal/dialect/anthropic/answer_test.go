package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

const plainAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Hm","signature":"sig"},{"type":"redacted_thinking","data":"red"},{"type":"text","text":"Hi","citations":[{"type":"page_location","cited_text":"q","document_index":1,"document_title":"d","start_page_number":1,"end_page_number":2}]},{"type":"tool_use","id":"a","name":"f","input":{"x":1}},{"type":"hologram"}],"stop_reason":"stop_sequence","stop_sequence":"x","container":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":5,"cache_read_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":2},"output_tokens":11,"output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":1},"service_tier":"standard"}}`

func TestAnswer_IsReadAndPassedOn(t *testing.T) {
	t.Parallel()
	ev, err := Answer(&llm.Request{Surface: llm.Chat}, llm.Options{}, []byte(plainAnswer))
	if err != nil || string(ev.Raw) != plainAnswer || ev.Answer != nil || ev.Marks != llm.MarkWhole|llm.MarkUsage {
		t.Fatalf("%v %+v", err, ev)
	}
	if ev.AnswerID != "msg_1" || ev.StopReason != "stop_sequence" || ev.TextBytes != len(`HmHi{"x":1}`) || ev.Usage != answerUsage {
		t.Errorf("%+v", ev)
	}
	ev, err = Answer(&llm.Request{Surface: llm.Chat}, neutral(), []byte(plainAnswer))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "answer", &llm.Answer{ID: "msg_1", Model: "claude", Usage: answerUsage, Counted: true, Tier: "standard", Choices: []llm.Choice{{
		Parts: []llm.Part{
			{Kind: llm.Reasoning, Text: "Hm", Signature: "sig", Signer: Name},
			{Kind: llm.Reasoning, Redacted: "red", Signer: Name},
			{Kind: llm.Text, Text: "Hi", Citations: []llm.Citation{{Kind: "document", Quote: "q", Title: "d", Document: 1, Dialect: Name,
				Raw: []byte(`{"type":"page_location","cited_text":"q","document_index":1,"document_title":"d","start_page_number":1,"end_page_number":2}`)}}},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: `{"x":1}`}},
			{Kind: llm.Other, Raw: []byte(`{"type":"hologram"}`), Dialect: Name},
		},
		Stop: llm.Stop{Reason: llm.StopSequence, Word: "stop_sequence", Sequence: "x"},
	}}}, ev.Answer)
	body, lost := WriteAnswer(shortRequest(t), ev.Answer)
	lostAre(t, "", lost)
	want := strings.NewReplacer(`"container":null,`, "", `"web_search_requests":1`, `"web_search_requests":1,"web_fetch_requests":0`, `"stop_sequence":"x"`, `"stop_sequence":"x","stop_details":null`, `,"service_tier":"standard"`, "").Replace(plainAnswer)
	same(t, "written again", want, string(body))
}

func TestAnswer_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]llm.Kind{
		``: llm.Upstream, `<html>`: llm.Upstream, `[]`: llm.Upstream, `{}`: llm.Upstream, `{"content":"hi"}`: llm.Upstream,
		`{"content":[],"content":[]}`: llm.Upstream, `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`: llm.Overloaded,
	} {
		_, err := Answer(&llm.Request{Surface: llm.Chat}, llm.Options{}, []byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	ev, err := Answer(&llm.Request{Surface: llm.Chat}, neutral(), []byte(`{"content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":-5}}`))
	if err != nil || ev.StopReason != "" || ev.Marks != llm.MarkWhole || ev.Answer == nil || ev.Answer.Counted {
		t.Errorf("%v %+v", err, ev)
	}
}

func TestStopReasons_HaveTheirWordBothWays(t *testing.T) {
	t.Parallel()
	for word, tc := range map[string]struct {
		reason llm.StopReason
		back   string
	}{
		"end_turn": {llm.StopEnd, ""}, "max_tokens": {llm.StopLength, ""}, "stop_sequence": {llm.StopSequence, ""}, "tool_use": {llm.StopTools, ""},
		"pause_turn": {llm.StopPause, ""}, "refusal": {llm.StopRefusal, ""},
		"model_context_window_exceeded": {llm.StopLength, "max_tokens"}, "boredom": {llm.StopOther, "end_turn"},
	} {
		ev, err := Answer(&llm.Request{Surface: llm.Chat}, neutral(), []byte(`{"content":[],"stop_reason":"`+word+`"}`))
		if err != nil || ev.StopReason != word || ev.Answer.Choices[0].Stop.Reason != tc.reason || ev.Answer.Choices[0].Stop.Word != word {
			t.Errorf("%s: %v %+v", word, err, ev.Answer)
		}
		back := tc.back
		if back == "" {
			back = word
		}
		if body, _ := WriteAnswer(shortRequest(t), ev.Answer); !strings.Contains(string(body), `"stop_reason":"`+back+`"`) {
			t.Errorf("%s: %s", word, body)
		}
	}
}

func TestAnswer_CountsTokens(t *testing.T) {
	t.Parallel()
	req := &llm.Request{Surface: llm.CountTokens}
	ev, err := Answer(req, neutral(), []byte(`{"input_tokens":42,"context_management":null}`))
	if err != nil || ev.Answer.Usage.Input != 42 || !ev.Usage.IsZero() || ev.Marks != llm.MarkWhole|llm.MarkUsage {
		t.Fatalf("%v %+v", err, ev)
	}
	body, _ := WriteAnswer(req, &llm.Answer{Usage: money.Tokens{Input: 40, CacheRead: 2}})
	same(t, "body", `{"input_tokens":42}`, string(body))
	for _, bad := range []string{`{}`, `{"input_tokens":"many"}`, `{"input_tokens":-1}`, `x`} {
		if _, err := Answer(req, neutral(), []byte(bad)); err == nil {
			t.Errorf("%s is no count", bad)
		}
	}
}

func TestWriteAnswer_SaysWhatItCannotShow(t *testing.T) {
	t.Parallel()
	body, lost := WriteAnswer(shortRequest(t), &llm.Answer{Choices: []llm.Choice{
		{Parts: []llm.Part{{Kind: llm.Audio, Media: &llm.Media{}}, {Kind: llm.Text}, {Kind: llm.Refusal, Text: "no", Citations: []llm.Citation{{Document: -1}}},
			{Kind: llm.ToolCall, Call: &llm.Call{ID: "a:b", Name: "f", Arguments: `{"x`}}}},
		{},
	}})
	lostAre(t, "n,content,citations", lost)
	same(t, "body", `{"id":"msg_01J","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"no"},{"type":"tool_use","id":"`+toolID("a:b")+`","name":"f","input":{"invalid_arguments":"{\"x"}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":18,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"output_tokens_details":{"thinking_tokens":0}}}`, string(body))
	if body, _ := WriteAnswer(shortRequest(t), &llm.Answer{}); !strings.Contains(string(body), `"content":[],"stop_reason":"end_turn"`) {
		t.Errorf("%s", body)
	}
}

func TestEncode_ChangesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	turn := func(blocks string) string {
		return `{"model":"m", "messages":[{"role":"user","content":"a"}, {"role":"assistant","content":[` + blocks + `] }],"x":1.0}`
	}
	for name, tc := range map[string]struct{ in, want, lost string }{
		"nothing":              {`{ "model":"m", "fairlead_x":{"a":"fairlead."},` + user + `}`, ``, ""},
		"metadata stays":       {`{"model":"m","metadata":{"user_id":"fairlead_task"},` + user + `}`, ``, ""},
		"model, spaces kept":   {`{ "model" : "alias" , ` + user + ` }`, `{ "model" : "m" , ` + user + ` }`, ""},
		"own thought":          {turn(`{"type":"thinking","thinking":"x","signature":"own"} , {"type":"redacted_thinking","data":"own"}`), ``, ""},
		"others' thought":      {turn(`{"type":"thinking","thinking":"x","signature":"fairlead.gemini.s"},{"type":"text","text":"t" },{"type":"redacted_thinking","data":"fairlead.b.r"}`), turn(`{"type":"text","text":"t" }`), "signature"},
		"thought without":      {turn(`{"type":"thinking","thinking":"x","signature":""},{"type":"text","text":"t"},{"type":"thinking","thinking":"y"}`), turn(`{"type":"text","text":"t"}`), "signature"},
		"nothing left":         {turn(`{"type":"thinking","thinking":"x","signature":""}`), `{"model":"m", "messages":[{"role":"user","content":"a"}],"x":1.0}`, "signature"},
		"found by others":      {turn(`{"type":"text","text":"t","citations":[{"encrypted_index":"fairlead.web"},{"encrypted_index":"own"}],"z":1}`), turn(`{"type":"text","text":"t","citations":[{"encrypted_index":"own"}],"z":1}`), ""},
		"a user may say so":    {`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\"thinking\" fairlead.x"}]}]}`, ``, ""},
		"a word of the answer": {turn(`{"type":"text","text":"fairlead.x"}`), ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tc.in
			req := decode(t, llm.Chat, tc.in)
			body, lost, err := Encode(req, llm.Options{Model: "m"})
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" {
				tc.want = tc.in
			}
			same(t, "body", tc.want, string(body.Join()))
			if strings.Join(lost, ",") != tc.lost || string(req.Body) != before {
				t.Errorf("lost %v, want %q", lost, tc.lost)
			}
		})
	}
}

func TestErrors_RoundTrip(t *testing.T) {
	t.Parallel()
	for status, tc := range map[int]struct {
		body string
		kind llm.Kind
		says string
	}{
		400: {`{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: \"x\""},"request_id":"req_1"}`, llm.Invalid, `max_tokens: "x"`},
		401: {`{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, llm.Unauthorized, "invalid x-api-key"},
		402: {`{"type":"error","error":{"type":"billing_error","message":"pay"}}`, llm.Budget, "pay"},
		403: {`{"type":"error","error":{"type":"permission_error","message":"no"}}`, llm.Forbidden, "no"},
		404: {`{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`, llm.NotFound, "model: x"},
		413: {`{"type":"error","error":{"type":"request_too_large","message":"big"}}`, llm.TooLarge, "big"},
		429: {`{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`, llm.RateLimited, "slow"},
		500: {`{"type":"error","error":{"type":"api_error","message":"oops"}}`, llm.Upstream, "oops"},
		502: {`{"message":"from a proxy"}`, llm.Upstream, "from a proxy"},
		503: {`{"error":"busy"}`, llm.Overloaded, "busy"},
		504: {`{"type":"error","error":{"type":"timeout_error","message":"late"}}`, llm.Timeout, "late"},
		529: {`{"type":"error","error":{"type":"overloaded_error","message":"full"}}`, llm.Overloaded, "full"},
		418: {`<html>teapot`, llm.Upstream, "HTTP status 418"},
		302: {``, llm.Upstream, "HTTP status 302"},
	} {
		if e := DecodeError(status, []byte(tc.body)); e.Kind != tc.kind || e.Message != tc.says && !strings.HasSuffix(e.Message, tc.says) || e.Status != status || e.Code != "" {
			t.Errorf("%d: %+v, want %s %q", status, e, tc.kind, tc.says)
		}
	}
	for message, want := range map[string]llm.Kind{
		"Your credit balance is too low to access the Anthropic API":                  llm.Budget,
		"prompt is too long: 208310 tokens > 200000 maximum":                          llm.TooLong,
		"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000": llm.TooLong,
	} {
		body := AppendError(nil, &llm.Error{Kind: llm.Invalid, Message: message})
		if e := DecodeError(400, body); e.Kind != want || e.Message != message {
			t.Errorf("%s: %+v", message, e)
		}
	}
	if e := DecodeError(400, []byte(`{"error":{"code":400,"message":"request (3031 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":3031,"n_ctx":2048}}`)); e.Kind != llm.TooLong || e.Code != "" {
		t.Errorf("llama.cpp's: %+v", e)
	}
	e := DecodeError(400, []byte(`{"error":{"type":"brand_new_error","message":"`+strings.Repeat("é", 3000)+`"}}`))
	if e.Kind != llm.Invalid || e.Code != "brand_new_error" || len(e.Message) > wire.MaxMessage+10 {
		t.Errorf("%s %s, %d bytes", e.Kind, e.Code, len(e.Message))
	}
	same(t, "for agents that shorten", `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: maximum context length is 8192"}}`,
		string(AppendError(nil, &llm.Error{Kind: llm.TooLong, Message: "maximum context length is 8192"})))
}
