package anthropic

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

const user = `"messages":[{"role":"user","content":"hi"}]`

func TestDecode_ReadsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	content := func(blocks string) string {
		return `{"model":"m","messages":[{"role":"user","content":[` + blocks + `]}]}`
	}
	for name, tc := range map[string]struct {
		body   string
		needs  llm.Ability
		stream bool
		max    int64
	}{
		"plain":              {`{"model":"m","max_tokens":7,` + user + `}`, 0, false, 7},
		"cache pre-warming":  {`{"model":"m","max_tokens":0,` + user + `}`, 0, false, 0},
		"unknown fields":     {`{"model":"m","whatever":{"a":[1]},"container":"c",` + user + `}`, 0, false, 0},
		"unknown block":      {content(`{"type":"hologram","x":1}`), 0, false, 0},
		"nulls":              {`{"model":"m","stream":null,"max_tokens":null,"system":null,"tools":null,"metadata":null,"output_config":null,` + user + `}`, 0, false, 0},
		"stream":             {`{"model":"m","stream":true,` + user + `}`, llm.CanStream, true, 0},
		"tools":              {`{"model":"m","tools":[{"name":"f","input_schema":{"type":"object"}}],` + user + `}`, llm.CanTools, false, 0},
		"a provider's tool":  {`{"model":"m","tools":[{"type":"web_search_20260318","name":"web_search"}],` + user + `}`, llm.CanTools, false, 0},
		"tools but none":     {`{"model":"m","tools":[{"name":"f"}],"tool_choice":{"type":"none"},` + user + `}`, 0, false, 0},
		"no tools":           {`{"model":"m","tools":[],` + user + `}`, 0, false, 0},
		"image":              {content(`{"type":"image","source":{"type":"url","url":"x"}}`), llm.CanVision, false, 0},
		"image, escaped":     {content(`{"type":"im\u0061ge"}`), llm.CanVision, false, 0},
		"image in a result":  {content(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"image"}]}`), llm.CanVision, false, 0},
		"document":           {content(`{"type":"document"}`), llm.CanDocuments, false, 0},
		"schema":             {`{"model":"m","output_config":{"format":{"type":"json_schema","schema":{}}},` + user + `}`, llm.CanSchema, false, 0},
		"schema, older":      {`{"model":"m","output_format":{"type":"json_schema","schema":{}},` + user + `}`, llm.CanSchema, false, 0},
		"thinking is a wish": {`{"model":"m","thinking":{"type":"adaptive"},"output_config":{"effort":"high"},` + user + `}`, 0, false, 0},
		"system in between":  {`{"model":"m","system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}`, 0, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := decode(t, llm.Chat, tc.body)
			if want := tc.needs | llm.CanChat; req.Needs != want || req.Stream != tc.stream || req.MaxTokens != tc.max || req.Model != "m" {
				t.Errorf("needs %v stream %v max %d, want %v %v %d", req.Needs.Names(), req.Stream, req.MaxTokens, want.Names(), tc.stream, tc.max)
			}
		})
	}
	if req := decode(t, llm.CountTokens, `{"model":"m","stream":true,`+user+`}`); req.Stream || req.Needs != llm.CanCountTokens {
		t.Errorf("a count is no stream: %+v", req)
	}
}

func TestDecode_RefusesWithTheField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, param, says string }{
		"empty":               {``, "", "not valid JSON"},
		"broken":              {`{"model":`, "", "not valid JSON"},
		"not an object":       {`[1]`, "", "must be a JSON object"},
		"two models":          {`{"model":"a","model":"b",` + user + `}`, "", "refused"},
		"deep twin":           {`{"model":"a","x":[{"k":1,"\u006b":2}],` + user + `}`, "", "refused"},
		"depth bomb":          {`{"model":"a","x":` + strings.Repeat("[", 100_000), "", "refused"},
		"no model":            {`{` + user + `}`, "model", "required"},
		"model is a number":   {`{"model":1,` + user + `}`, "model", "must be a string"},
		"Model is another":    {`{"Model":"a",` + user + `}`, "model", "required"},
		"model too long":      {`{"model":"` + strings.Repeat("x", 300) + `",` + user + `}`, "model", "at most"},
		"no messages":         {`{"model":"a"}`, "messages", "at least one"},
		"empty messages":      {`{"model":"a","messages":[]}`, "messages", "at least one"},
		"messages a string":   {`{"model":"a","messages":"hi"}`, "messages", "must be an array"},
		"a message is text":   {`{"model":"a","messages":["hi"]}`, "messages.0", "must be an object"},
		"no role":             {`{"model":"a","messages":[{"content":"x"}]}`, "messages.0.role", "must be"},
		"strange role":        {`{"model":"a","messages":[{"role":"tool","content":"x"}]}`, "messages.0.role", "must be"},
		"content a number":    {`{"model":"a","messages":[{"role":"user","content":1}]}`, "messages.0.content", "must be a string or an array"},
		"block without type":  {`{"model":"a","messages":[{"role":"user","content":[{"text":"x"}]}]}`, "messages.0.content.0.type", "must be a string"},
		"inner without type":  {`{"model":"a","messages":[{"role":"user","content":[{"type":"tool_result","content":[{}]}]}]}`, "messages.0.content.0.content.0.type", "must be a string"},
		"system of images":    {`{"model":"a","system":[{"type":"image"}],` + user + `}`, "system", "text blocks"},
		"system a number":     {`{"model":"a","system":1,` + user + `}`, "system", "must be"},
		"stream a string":     {`{"model":"a","stream":"true",` + user + `}`, "stream", "must be a boolean"},
		"max_tokens text":     {`{"model":"a","max_tokens":"5",` + user + `}`, "max_tokens", "must be a number"},
		"max_tokens fraction": {`{"model":"a","max_tokens":1.5,` + user + `}`, "max_tokens", "whole number"},
		"tools an object":     {`{"model":"a","tools":{},` + user + `}`, "tools", "must be an array"},
		"a tool is text":      {`{"model":"a","tools":["f"],` + user + `}`, "tools.0", "must be an object"},
		"choice a string":     {`{"model":"a","tool_choice":"auto",` + user + `}`, "tool_choice", "must be an object"},
		"schema without":      {`{"model":"a","output_config":{"format":{"type":"json_schema"}},` + user + `}`, "output_config.format.schema", "JSON Schema"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(tc.body), Limits: rawjson.Limits{Depth: 64}})
			e := llm.AsError(err)
			if err == nil || e.Kind != llm.Invalid || e.Param != tc.param || !strings.Contains(e.Message, tc.says) {
				t.Errorf("got %v (param %q), want invalid, param %q, saying %q", err, e.Param, tc.param, tc.says)
			}
		})
	}
}

func TestRead_RefusesWithTheField(t *testing.T) {
	t.Parallel()
	for body, param := range map[string]string{
		`{"model":"a","stop_sequences":[1],` + user + `}`:                                                                            "stop_sequences.0",
		`{"model":"a","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}`:                                            "messages.0.content.0.text",
		`{"model":"a","messages":[{"role":"user","content":[{"type":"image"}]}]}`:                                                    "messages.0.content.0.source",
		`{"model":"a","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"document","source":"x"}]}]}]}`: "messages.0.content.0.content.0.source",
		`{"model":"a","tools":[{"name":1}],` + user + `}`:                                                                            "tools.0.name",
		`{"model":"a","thinking":{"type":"enabled","budget_tokens":"many"},` + user + `}`:                                            "thinking.budget_tokens",
	} {
		_, err := Read(decode(t, llm.Chat, body))
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != param {
			t.Errorf("%s: %v (param %q), want %q", body, err, e.Param, param)
		}
	}
}

func TestPath_KnowsTwoSurfaces(t *testing.T) {
	t.Parallel()
	for surface, want := range map[llm.Surface]string{llm.Chat: "/messages", llm.CountTokens: "/messages/count_tokens", llm.Embeddings: "", llm.Completions: ""} {
		if got := Path(&llm.Request{Surface: surface}, llm.Options{}); got != want {
			t.Errorf("%s: %q, want %q", surface, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(short)
	f.Add(everything)
	f.Add(`{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"fairlead.gemini.x"},{"type":"tool_use","id":"a","name":"f","input":{}}]}]}`)
	f.Add(`{"model":"m","messages":[{"role":"assistant","content":[{"type":"text","text":"a","citations":[{"encrypted_index":"fairlead.web"}]},{"type":"redacted_thinking","data":"fairlead.b"}]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		req, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: rawjson.Limits{Depth: 64}})
		if err != nil {
			return
		}
		sent, _, err := Encode(req, llm.Options{Model: "claude-opus-5"})
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if _, err := rawjson.Check(sent.Join(), rawjson.Limits{Depth: 64}); err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		p, err := Read(req)
		if err != nil {
			return
		}
		written, _, err := Write(p, true, llm.Options{Model: "claude-opus-4-5"})
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := rawjson.Check(written, rawjson.Limits{Depth: 256}); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
	})
}
