package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

var limits = rawjson.Limits{Depth: 64}

func decode(t *testing.T, surface llm.Surface, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: surface, Body: []byte(body), Limits: limits})
	if err != nil {
		t.Fatalf("Decode(%s): %v", body, err)
	}
	return req
}

func TestDecode_ReadsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	const user = `"messages":[{"role":"user","content":"hi"}]`
	for name, tc := range map[string]struct {
		surface llm.Surface
		body    string
		needs   llm.Ability
		stream  bool
		max     int64
	}{
		"plain chat":           {llm.Chat, `{"model":"m",` + user + `}`, llm.CanChat, false, 0},
		"stream":               {llm.Chat, `{"model":"m","stream":true,` + user + `}`, llm.CanChat | llm.CanStream, true, 0},
		"stream null":          {llm.Chat, `{"model":"m","stream":null,` + user + `}`, llm.CanChat, false, 0},
		"max_tokens":           {llm.Chat, `{"model":"m","max_tokens":7,` + user + `}`, llm.CanChat, false, 7},
		"max_completion wins":  {llm.Chat, `{"model":"m","max_tokens":7,"max_completion_tokens":9,` + user + `}`, llm.CanChat, false, 9},
		"tools":                {llm.Chat, `{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],` + user + `}`, llm.CanChat | llm.CanTools, false, 0},
		"tools but none":       {llm.Chat, `{"model":"m","tool_choice":"none","tools":[{"type":"function","function":{"name":"f"}}],` + user + `}`, llm.CanChat, false, 0},
		"no tools":             {llm.Chat, `{"model":"m","tools":[],` + user + `}`, llm.CanChat, false, 0},
		"schema":               {llm.Chat, `{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}},` + user + `}`, llm.CanChat | llm.CanSchema, false, 0},
		"json object":          {llm.Chat, `{"model":"m","response_format":{"type":"json_object"},` + user + `}`, llm.CanChat | llm.CanJSON, false, 0},
		"logprobs":             {llm.Chat, `{"model":"m","logprobs":true,` + user + `}`, llm.CanChat | llm.CanLogprobs, false, 0},
		"n":                    {llm.Chat, `{"model":"m","n":2,` + user + `}`, llm.CanChat | llm.CanManyChoices, false, 0},
		"n is one":             {llm.Chat, `{"model":"m","n":1,` + user + `}`, llm.CanChat, false, 0},
		"image":                {llm.Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, llm.CanChat | llm.CanVision, false, 0},
		"image, escaped":       {llm.Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image\u005furl","image_url":{"url":"x"}}]}]}`, llm.CanChat | llm.CanVision, false, 0},
		"completions":          {llm.Completions, `{"model":"m","prompt":"a","logprobs":2}`, llm.CanCompletions | llm.CanLogprobs, false, 0},
		"embeddings":           {llm.Embeddings, `{"model":"m","input":["a"],"encoding_format":"base64"}`, llm.CanEmbeddings, false, 0},
		"embeddings of tokens": {llm.Embeddings, `{"model":"m","input":[1,2]}`, llm.CanEmbeddings, false, 0},
		"unknown fields":       {llm.Chat, `{"model":"m","whatever":{"a":[1]},` + user + `}`, llm.CanChat, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := decode(t, tc.surface, tc.body)
			if req.Needs != tc.needs || req.Stream != tc.stream || req.MaxTokens != tc.max || req.Model != "m" {
				t.Errorf("got needs %v stream %v max %d, want %v %v %d", req.Needs.Names(), req.Stream, req.MaxTokens, tc.needs.Names(), tc.stream, tc.max)
			}
		})
	}
}

func TestDecode_RefusesWithTheField(t *testing.T) {
	t.Parallel()
	const user = `"messages":[{"role":"user","content":"hi"}]`
	for name, tc := range map[string]struct {
		surface     llm.Surface
		body, param string
		says        string
	}{
		"empty":                {llm.Chat, ``, "", "not valid JSON"},
		"broken":               {llm.Chat, `{"model":`, "", "not valid JSON"},
		"not an object":        {llm.Chat, `[1]`, "", "must be a JSON object"},
		"two models":           {llm.Chat, `{"model":"a","model":"b",` + user + `}`, "", "refused"},
		"two models, escaped":  {llm.Chat, `{"model":"a","m\u006fdel":"b",` + user + `}`, "", "refused"},
		"deep twin":            {llm.Chat, `{"model":"a","x":[{"k":1,"k":2}],` + user + `}`, "", "refused"},
		"depth bomb":           {llm.Chat, `{"model":"a","x":` + strings.Repeat("[", 100_000), "", "refused"},
		"no model":             {llm.Chat, `{` + user + `}`, "model", "missing"},
		"model is a number":    {llm.Chat, `{"model":1,` + user + `}`, "model", "must be a string"},
		"Model is another":     {llm.Chat, `{"Model":"a",` + user + `}`, "model", "missing"},
		"model too long":       {llm.Chat, `{"model":"` + strings.Repeat("x", 300) + `",` + user + `}`, "model", "at most"},
		"no messages":          {llm.Chat, `{"model":"a"}`, "messages", "missing"},
		"empty messages":       {llm.Chat, `{"model":"a","messages":[]}`, "messages", "not be empty"},
		"messages a string":    {llm.Chat, `{"model":"a","messages":"hi"}`, "messages", "must be an array"},
		"a message is text":    {llm.Chat, `{"model":"a","messages":["hi"]}`, "messages[0]", "must be an object"},
		"no role":              {llm.Chat, `{"model":"a","messages":[{"content":"x"}]}`, "messages[0].role", "must be a string"},
		"content a number":     {llm.Chat, `{"model":"a","messages":[{"role":"user","content":1}]}`, "messages[0].content", "must be a string"},
		"part without type":    {llm.Chat, `{"model":"a","messages":[{"role":"user","content":[{"text":"x"}]}]}`, "messages[0].content", "needs a type"},
		"stream a string":      {llm.Chat, `{"model":"a","stream":"true",` + user + `}`, "stream", "must be a boolean"},
		"max_tokens text":      {llm.Chat, `{"model":"a","max_tokens":"5",` + user + `}`, "max_tokens", "must be a number"},
		"max_tokens fraction":  {llm.Chat, `{"model":"a","max_tokens":1.5,` + user + `}`, "max_tokens", "whole number"},
		"n too many":           {llm.Chat, `{"model":"a","n":1000,` + user + `}`, "n", "from 1 to 128"},
		"tools an object":      {llm.Chat, `{"model":"a","tools":{},` + user + `}`, "tools", "must be an array"},
		"tool without type":    {llm.Chat, `{"model":"a","tools":[{}],` + user + `}`, "tools[0].type", "must be a string"},
		"schema without":       {llm.Chat, `{"model":"a","response_format":{"type":"json_schema"},` + user + `}`, "response_format.json_schema.schema", "must be a JSON Schema"},
		"prompt missing":       {llm.Completions, `{"model":"a"}`, "prompt", "missing"},
		"input empty":          {llm.Embeddings, `{"model":"a","input":[]}`, "input", "not be empty"},
		"encoding":             {llm.Embeddings, `{"model":"a","input":"x","encoding_format":"hex"}`, "encoding_format", "must be"},
		"metadata class":       {llm.Chat, `{"model":"a","metadata":{"fairlead_class":"A B"},` + user + `}`, "metadata.fairlead_class", "data classes"},
		"metadata unknown tag": {llm.Chat, `{"model":"a","metadata":{"fairlead_tsk":"x"},` + user + `}`, "metadata.fairlead_tsk", "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(llm.Incoming{Surface: tc.surface, Body: []byte(tc.body), Limits: limits})
			e := llm.AsError(err)
			if err == nil || e.Kind != llm.Invalid || e.Param != tc.param || !strings.Contains(e.Message, tc.says) {
				t.Errorf("got %v (param %q), want invalid, param %q, saying %q", err, e.Param, tc.param, tc.says)
			}
		})
	}
}

func TestEncode_ChangesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":            {`{"model":"m","messages":[{"role":"user","content":"hi"}],"x":1.0}`, ``},
		"model, spaces kept": {`{ "model" : "alias" , "messages":[{"role":"user","content":"hi"}] }`, `{ "model" : "m" , "messages":[{"role":"user","content":"hi"}] }`},
		"usage asked":        {`{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}`},
		"usage false":        {`{"model":"m","stream":true,"stream_options":{"include_usage":false,"x":1},"messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1},"messages":[{"role":"user","content":"hi"}]}`},
		"options null":       {`{"model":"m","stream":true,"stream_options":null,"messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`},
		"our tags go":        {`{"model":"m","metadata":{"fairlead_task":"t","own":"x"},"messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","metadata":{"own":"x"},"messages":[{"role":"user","content":"hi"}]}`},
		"metadata goes":      {`{"model":"m","metadata":{"fairlead_task":"t","fairlead_task_id":"1"},"messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`},
		"metadata stays":     {`{"model":"m","metadata":{},"messages":[{"role":"user","content":"hi"}]}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tc.want
			if want == "" {
				want = tc.in
			}
			req := decode(t, llm.Chat, tc.in)
			got, loss, err := Encode(req, llm.Options{Model: "m", AskUsage: true})
			if err != nil || loss != nil {
				t.Fatalf("Encode: loss %v, %v", loss, err)
			}
			if diff := cmp.Diff(want, string(got.Join())); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode_ReadsTags(t *testing.T) {
	t.Parallel()
	req := decode(t, llm.Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}],
		"metadata":{"fairlead_task":"explain","fairlead_task_id":"7","fairlead_class":"wallet, identity","fairlead_max_usd":"0.02","fairlead_deadline_ms":"1500","mine":"x"}}`)
	want := llm.Tags{Task: "explain", TaskID: "7", Classes: []string{"identity", "wallet"}, MaxUSD: "0.02", DeadlineMS: 1500}
	if diff := cmp.Diff(want, req.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"é\n"}]}],"metadata":{"fairlead_task":"x"}}`)
	f.Add(`{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"$defs":{"a":{}},"properties":{"x":{"$ref":"#/$defs/a"}}}}}],"messages":[{"role":"tool","tool_call_id":"1","content":"2"}],"tool_choice":"required"}`)
	f.Add(`{"model":"m","model":"n"}`)
	f.Fuzz(func(t *testing.T, body string) {
		req, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: limits})
		if err != nil {
			if e := llm.AsError(err); e.Kind != llm.Invalid {
				t.Fatalf("kind %s: %v", e.Kind, err)
			}
			return
		}
		for _, opt := range []llm.Options{{Model: "other", AskUsage: true}, {Model: "other", ToolsByGrammar: true}} {
			out, _, err := Encode(req, opt)
			if err != nil {
				continue
			}
			if _, err := rawjson.Check(out.Join(), rawjson.Limits{Depth: limits.Depth + 16}); err != nil {
				t.Fatalf("Encode made %q of %q: %v", out.Join(), body, err)
			}
		}
	})
}
