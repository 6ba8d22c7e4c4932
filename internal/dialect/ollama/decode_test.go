package ollama

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func TestDecode_RefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface         llm.Surface
		body, param, in string
	}{
		"no JSON":           {llm.Chat, `{"model":`, "", "not valid JSON"},
		"no object":         {llm.Chat, `[]`, "", "must be a JSON object"},
		"a name said twice": {llm.Chat, `{"model":"m","messages":[{"role":"user","role":"tool"}]}`, "", "duplicate"},
		"no model":          {llm.Chat, `{"messages":[]}`, "model", "model is required"},
		"a long model":      {llm.Chat, `{"model":"` + strings.Repeat("m", 257) + `"}`, "model", "256"},
		"stream":            {llm.Chat, `{"model":"m","stream":"yes"}`, "stream", "must be a boolean"},
		"options":           {llm.Chat, `{"model":"m","options":{"temperature":"hot"}}`, "options.temperature", "must be a number"},
		"a word of format":  {llm.Chat, `{"model":"m","format":"xml"}`, "format", "JSON Schema"},
		"a level of think":  {llm.Chat, `{"model":"m","think":"hard"}`, "think", "low, medium"},
		"a message":         {llm.Chat, `{"model":"m","messages":["hi"]}`, "messages[0]", "object"},
		"a role":            {llm.Chat, `{"model":"m","messages":[{"content":"hi"}]}`, "messages[0].role", "string"},
		"parts as content":  {llm.Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content", "must be a string"},
		"a prompt":          {llm.Completions, `{"model":"m","prompt":["a"]}`, "prompt", "must be a string"},
		"an input":          {llm.Embeddings, `{"model":"m","input":1}`, "input", "a string or an array"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(llm.Incoming{Surface: tc.surface, Body: []byte(tc.body)})
			e := llm.AsError(err)
			if err == nil || e.Kind != llm.Invalid || e.Param != tc.param || !strings.Contains(strings.ToLower(e.Message), strings.ToLower(tc.in)) {
				t.Errorf("%v, param %q; want param %q and %q", err, e.Param, tc.param, tc.in)
			}
		})
	}
}

func TestDecode_ReadsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface llm.Surface
		body    string
		stream  bool
		max     int64
		needs   string
	}{
		"streams unless told otherwise": {llm.Chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, true, 0, "stream chat"},
		"null is not told":              {llm.Chat, `{"model":"m","stream":null,"format":"","tools":[]}`, true, 0, "stream chat"},
		"plain":                         {llm.Chat, `{"model":"m","stream":false,"future":{"a":1}}`, false, 0, "chat"},
		"tools and pictures":            {llm.Chat, `{"model":"m","stream":false,"tools":[{"type":"function"}],"messages":[{"role":"user","content":"","images":["aa"]}]}`, false, 0, "tools vision chat"},
		"a schema, thought, odds":       {llm.Chat, `{"model":"m","stream":false,"format":{"type":"object"},"think":"low","logprobs":true,"options":{"num_predict":7}}`, false, 7, "json_schema logprobs chat"},
		"JSON, no thought, no bound":    {llm.Chat, `{"model":"m","stream":false,"format":"json","think":false,"options":{"num_predict":-1}}`, false, 0, "json_object chat"},
		"a completion":                  {llm.Completions, `{"model":"m","prompt":"x","images":["aa"],"think":true}`, true, 0, "stream vision completions"},
		"loading a model is a request":  {llm.Completions, `{"model":"m","keep_alive":0}`, true, 0, "stream completions"},
		"embeddings never stream":       {llm.Embeddings, `{"model":"m","input":["x"],"stream":true}`, false, 0, "embeddings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t, tc.surface, tc.body)
			if got := strings.Join(req.Needs.Names(), " "); got != tc.needs || req.Stream != tc.stream || req.MaxTokens != tc.max || req.Model != "m" {
				t.Errorf("needs %q, stream %v, max %d", got, req.Stream, req.MaxTokens)
			}
		})
	}
}

func TestEncode_ChangesTheModelAndNothingElse(t *testing.T) {
	t.Parallel()
	body := `{ "model" : "m", "messages":[{"role":"user","content":"é\u00e9"}] , "future":{"a":1e1}}`
	got, lost, err := Encode(newRequest(t, llm.Chat, body), llm.Options{Model: "llama3.2:1b"})
	if want := strings.Replace(body, `"m"`, `"llama3.2:1b"`, 1); err != nil || lost != nil || string(got.Join()) != want {
		t.Errorf("%s, %v, %v", got, lost, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi","images":["/9j/"]}],"stream":false}`,
		`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","content":"1"}],"think":"low"}`,
		`{"model":"m","prompt":"a","suffix":"b","options":{"stop":["x"],"seed":1.0,"top_k":-1}}`, `{"model":"m","input":["a"],"dimensions":3}`, `{}`, `[`,
	} {
		for _, surface := range []string{"chat", "completions", "embeddings"} {
			f.Add(surface, s)
		}
	}
	f.Fuzz(func(t *testing.T, surface, body string) {
		req, err := Decode(llm.Incoming{Surface: llm.Surface(surface), Body: []byte(body)})
		if err != nil {
			return
		}
		if sent, _, err := Encode(req, llm.Options{Model: "t"}); err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		p, err := Read(req)
		if err != nil {
			return
		}
		sent, _, err := Write(p, req.Stream, llm.Options{Model: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rawjson.Check(sent, rawjson.Limits{}); err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		again, err := Decode(llm.Incoming{Surface: req.Surface, Body: sent})
		if err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		if _, err := Read(again); err != nil || again.Stream != req.Stream {
			t.Fatalf("%s: %v", sent, err)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  int
		body    string
		kind    llm.Kind
		message string
	}{
		"HTML":                {502, `<html>bad gateway</html>`, llm.Upstream, "the upstream answered with HTTP status 502"},
		"nothing":             {500, ``, llm.Upstream, "the upstream answered with HTTP status 500"},
		"no such model":       {404, `{"error":"model 'x' not found"}`, llm.NotFound, "model 'x' not found"},
		"what a model cannot": {400, `{"error":"\"m\" does not support tools"}`, llm.Unsupported, `"m" does not support tools`},
		"a wrong field":       {400, `{"error":"invalid input type"}`, llm.Invalid, "invalid input type"},
		"too long":            {400, `{"error":"the input length exceeds the context length"}`, llm.TooLong, "the input length exceeds the context length"},
		"busy":                {503, `{"error":"server busy, please try again.  maximum pending requests exceeded"}`, llm.Overloaded, "server busy, please try again.  maximum pending requests exceeded"},
		"no key":              {401, `{"error":"unauthorized","signin_url":"https://x"}`, llm.Unauthorized, "unauthorized"},
		"a proxy's own":       {403, `{"error":{"message":"no"}}`, llm.Forbidden, "no"},
		"a book":              {500, `{"error":"` + strings.Repeat("x", 5000) + `"}`, llm.Upstream, strings.Repeat("x", 2000) + " …"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := DecodeError(tc.status, []byte(tc.body))
			if e.Kind != tc.kind || e.Message != tc.message || e.Status != tc.status {
				t.Errorf("%s, %q, %d", e.Kind, e.Message, e.Status)
			}
		})
	}
	got := AppendError([]byte(">"), &llm.Error{Kind: llm.Budget, Message: "no \"money\"\n"})
	if diff := cmp.Diff(`>{"error":"no \"money\"\n"}`, string(got)); diff != "" {
		t.Error(diff)
	}
}
