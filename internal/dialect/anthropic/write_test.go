package anthropic

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
)

// said is a prompt of one word, changed by f.
func said(f func(p *llm.Prompt)) *llm.Prompt {
	p := &llm.Prompt{Surface: llm.Chat, Turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("hi")}}}}
	f(p)
	return p
}

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func call(id, arguments string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: "f", Arguments: arguments}}
}

func toolResult(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: id, Parts: parts}}
}

func withTool(p *llm.Prompt) { p.Tools = []llm.Tool{{Name: "f"}, {Name: "g"}} }

const (
	oldModel = "claude-sonnet-4-5-20250929"
	someTool = `"tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object"}}]`
	hi       = `"messages":[{"role":"user","content":"hi"}]`
)

func TestWrite_Requests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prompt           *llm.Prompt
		model            string
		want, lost       string // want without model
		limit            int64
		stream, counting bool
	}{
		"shortest":           {prompt: said(func(*llm.Prompt) {}), want: `"max_tokens":8192,` + hi},
		"the target's bound": {prompt: said(func(*llm.Prompt) {}), limit: 100, want: `"max_tokens":100,` + hi},
		"the client's bound": {prompt: said(func(p *llm.Prompt) { p.Sampling.MaxTokens = new(int64(5)) }), limit: 100, stream: true, want: `"max_tokens":5,` + hi + `,"stream":true`},
		"system, user, stops": {prompt: said(func(p *llm.Prompt) {
			p.System = []llm.Part{text("s")}
			p.User = "u"
			p.Sampling.Stop = []string{"x", "\n"}
		}), want: `"max_tokens":8192,"system":"s",` + hi + `,"stop_sequences":["x"],"metadata":{"user_id":"u"}`, lost: "stop"},
		"system alone":      {prompt: &llm.Prompt{Surface: llm.Chat, System: []llm.Part{text("s")}}, want: `"max_tokens":8192,"messages":[{"role":"user","content":"s"}]`, lost: "system"},
		"what no one hears": {prompt: said(unheard), want: `"max_tokens":8192,` + hi, lost: "response_format,min_p,seed,presence_penalty,frequency_penalty,repeat_penalty,logit_bias,n,logprobs,top_logprobs,user,metadata,service_tier"},
		"neutral values": {prompt: said(func(p *llm.Prompt) {
			p.Sampling = llm.Sampling{PresencePenalty: new(0.0), FrequencyPenalty: new(0.0), RepeatPenalty: new(1.0), N: 1}
		}), want: `"max_tokens":8192,` + hi},
		"hot":        {prompt: said(func(p *llm.Prompt) { p.Sampling.Temperature = new(1.7) }), want: `"max_tokens":8192,` + hi + `,"temperature":1`, lost: "temperature"},
		"one of two": {prompt: said(func(p *llm.Prompt) { p.Sampling.Temperature, p.Sampling.TopP = new(0.2), new(0.5) }), model: oldModel, want: `"max_tokens":8192,` + hi + `,"temperature":0.2`, lost: "top_p"},
		"no say in sampling": {prompt: said(func(p *llm.Prompt) {
			p.Sampling = llm.Sampling{Temperature: new(0.2), TopP: new(0.5), TopK: new(int64(3))}
		}), model: "claude-opus-5-5", want: `"max_tokens":8192,` + hi, lost: "temperature,top_k,top_p"},
		"tier": {prompt: said(func(p *llm.Prompt) { p.Tier = "default" }), want: `"max_tokens":8192,` + hi + `,"service_tier":"standard_only"`},
		"schema": {prompt: said(func(p *llm.Prompt) {
			p.Format = llm.Format{Kind: llm.FormatSchema, Name: "x", Schema: []byte(`{"type":"object"}`), Strict: new(true)}
		}), model: oldModel, want: `"max_tokens":8192,` + hi + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`},
		"schema, too old": {prompt: said(func(p *llm.Prompt) { p.Format = llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{}`)} }), model: "claude-3-7-sonnet-latest", want: `"max_tokens":8192,` + hi, lost: "response_format"},
		"tools": {prompt: said(func(p *llm.Prompt) {
			p.Tools = []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"properties":{}}`), Strict: new(true), Cache: &llm.Cache{TTL: "1h"}}, {Name: "g", Strict: new(false)}, {Raw: []byte(`{"type":"bash_20250124","name":"bash"}`), Dialect: Name}, {Raw: []byte(`{}`), Dialect: "x"}}
		}), want: `"max_tokens":8192,` + hi + `,"tools":[{"name":"f","description":"d","input_schema":{"properties":{},"type":"object"},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},{"name":"g","input_schema":{"type":"object"}},{"type":"bash_20250124","name":"bash"}]`, lost: "tools"},
		"choice":             {prompt: said(func(p *llm.Prompt) { withTool(p); p.Choice = llm.ToolChoice{Mode: llm.ChoiceOne, Name: "g"} }), model: oldModel, want: `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"tool","name":"g"}`},
		"one call at a time": {prompt: said(func(p *llm.Prompt) { withTool(p); p.Parallel = new(false) }), want: `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`},
		"parallel is usual":  {prompt: said(func(p *llm.Prompt) { withTool(p); p.Parallel = new(true) }), want: `"max_tokens":8192,` + hi + `,` + someTool},
		"no calls":           {prompt: said(func(p *llm.Prompt) { withTool(p); p.Choice.Mode = llm.ChoiceNone; p.Parallel = new(false) }), want: `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"none"}`},
		"some tools": {prompt: said(func(p *llm.Prompt) {
			withTool(p)
			p.Choice = llm.ToolChoice{Mode: llm.ChoiceAuto, Allowed: []string{"g"}}
		}), want: `"max_tokens":8192,` + hi + `,"tools":[{"name":"g","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"}`},
		"a choice of nothing":   {prompt: said(func(p *llm.Prompt) { p.Choice.Mode = llm.ChoiceAny }), want: `"max_tokens":8192,` + hi},
		"must call, must think": {prompt: said(func(p *llm.Prompt) { withTool(p); p.Choice.Mode = llm.ChoiceAny }), model: "claude-opus-5-5", want: `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"auto"}`, lost: "tool_choice"},
		"must call, may think":  {prompt: said(func(p *llm.Prompt) { withTool(p); p.Choice.Mode = llm.ChoiceAny }), model: "claude-sonnet-5", want: `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"any"},"thinking":{"type":"disabled"}`},
		"count":                 {prompt: said(func(p *llm.Prompt) { p.Surface = llm.CountTokens; p.User = "u"; p.Sampling.Temperature = new(0.1) }), stream: true, want: hi},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := tc.model
			if model == "" {
				model = "m"
			}
			body, lost, err := Write(tc.prompt, tc.stream, llm.Options{Model: model, MaxTokens: tc.limit})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "body", `{"model":"`+model+`",`+tc.want+`}`, string(body))
			lostAre(t, tc.lost, lost)
		})
	}
}

func unheard(p *llm.Prompt) {
	p.Format.Kind = llm.FormatJSON
	p.Sampling = llm.Sampling{MinP: new(0.1), Seed: new(int64(1)), PresencePenalty: new(1.0), FrequencyPenalty: new(1.0), RepeatPenalty: new(1.1),
		LogitBias: []byte(`{"1":2}`), N: 2, Logprobs: true, TopLogprobs: 3}
	p.User = strings.Repeat("u", 300)
	p.Metadata = map[string]string{"a": "b"}
	p.Tier = "flex"
}

func TestWrite_Messages(t *testing.T) {
	t.Parallel()
	png := &llm.Media{MIME: "image/jpeg", Base64: "iVBORw0KGgo="}
	for name, tc := range map[string]struct {
		turns      []llm.Turn
		model      string
		want, lost string
	}{
		"neighbours become one": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("a")}}, {Role: llm.User, Name: "bob", Parts: []llm.Part{text("b")}}, {Role: llm.Assistant, Parts: []llm.Part{text("c")}}, {Role: llm.Assistant, Parts: []llm.Part{call("x", "")}}},
			want: `{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"tool_use","id":"x","name":"f","input":{}}]}`, lost: "name"},
		"results come first": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{call("x", `{"a":1}`), call("y", "{}")}}, {Role: llm.User, Parts: []llm.Part{text("wait"), toolResult("x", text("1"))}}, {Role: llm.User, Parts: []llm.Part{toolResult("y")}}},
			want: `{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{"a":1}},{"type":"tool_use","id":"y","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"1"},{"type":"tool_result","tool_use_id":"y"},{"type":"text","text":"wait"}]}`},
		"arguments": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{call("a", `{"x":`), call("b", `[1]`), call("c", "\"\xff"), call("d", `{"a":1,"a":2}`), call("e", " ")}}},
			want: `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"invalid_arguments":"{\"x\":"}},{"type":"tool_use","id":"b","name":"f","input":{"invalid_arguments":"[1]"}},{"type":"tool_use","id":"c","name":"f","input":{"invalid_arguments":"\"` + "\ufffd" + `"}},{"type":"tool_use","id":"d","name":"f","input":{"invalid_arguments":"{\"a\":1,\"a\":2}"}},{"type":"tool_use","id":"e","name":"f","input":{}}]}`},
		"ids in its letters": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{call("functions.f:0", "")}}, {Role: llm.User, Parts: []llm.Part{toolResult("functions.f:0")}}},
			want: `{"role":"assistant","content":[{"type":"tool_use","id":"functions_f_0_` + hashOf("functions.f:0") + `","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_f_0_` + hashOf("functions.f:0") + `"}]}`},
		"empty texts": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("a"), text(" \n"), {Kind: llm.Text, Cache: &llm.Cache{}}}}, {Role: llm.Assistant, Parts: []llm.Part{text("")}}},
			want: `{"role":"user","content":"a"}`, lost: "cache_control"},
		"instructions, older": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("a")}}, {Role: llm.System, Parts: []llm.Part{text("b")}}}, model: oldModel,
			want: `{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, lost: "system"},
		"instructions": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("a")}}, {Role: llm.System, Parts: []llm.Part{text("b")}}, {Role: llm.Assistant, Parts: []llm.Part{text("c")}}, {Role: llm.User, Parts: []llm.Part{text("d")}}, {Role: llm.System, Parts: []llm.Part{text("e")}}}, model: "claude-opus-4-8",
			want: `{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"assistant","content":"c"},{"role":"user","content":"d"},{"role":"system","content":"e"}`},
		"instructions out of place": {turns: []llm.Turn{{Role: llm.System, Parts: []llm.Part{text("a")}}, {Role: llm.Assistant, Parts: []llm.Part{text("b")}}, {Role: llm.System, Parts: []llm.Part{text("c")}}, {Role: llm.User, Parts: []llm.Part{text("d")}}}, model: "claude-opus-4-8",
			want: `{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}`, lost: "system"},
		"own thought": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm", Signature: "s", Signer: Name}, {Kind: llm.Reasoning, Redacted: "r", Signer: Name}, text("a")}}},
			want: `{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"r"},{"type":"text","text":"a"}]}`},
		"others' thought": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm"}, {Kind: llm.Reasoning, Signature: "s", Signer: "gemini"}, {Kind: llm.Refusal, Text: "no"}}}},
			want: `{"role":"assistant","content":"no"}`, lost: "reasoning,signature"},
		"a signed call": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.ToolCall, Call: &llm.Call{ID: "x", Name: "f"}, Signature: "s", Signer: "gemini"}}}},
			want: `{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}}]}`, lost: "signature"},
		"images": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Image, Media: png, Cache: &llm.Cache{TTL: "5m"}}, {Kind: llm.Image, Media: &llm.Media{URL: "u", Detail: "low"}}, {Kind: llm.Image, Media: &llm.Media{FileID: "f", FileOf: Name}}, {Kind: llm.Image, Media: &llm.Media{FileID: "f", FileOf: "x"}}, {Kind: llm.Image, Media: &llm.Media{MIME: "image/tiff", Base64: "SUkq"}}, {Kind: llm.Image, Media: &llm.Media{MIME: "image/jpg", Base64: "AAAA"}}}}},
			want: `{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"image","source":{"type":"url","url":"u"}},{"type":"image","source":{"type":"file","file_id":"f"}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}}]}`, lost: "detail,file_id,image"},
		"documents": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{{Kind: llm.Document, Media: &llm.Media{MIME: "text/markdown", Base64: base64.StdEncoding.EncodeToString([]byte("# é")), Name: "n"}}, {Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "JVBERg==", Cite: true, Context: "c"}}, {Kind: llm.Document, Media: &llm.Media{URL: "u"}}, {Kind: llm.Document, Media: &llm.Media{MIME: "application/zip", Base64: "UEs="}}}}},
			want: `{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"# é"},"title":"n"},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="},"context":"c","citations":{"enabled":true}},{"type":"document","source":{"type":"url","url":"u"}}]}`, lost: "document"},
		"what it cannot hear": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{text("a"), {Kind: llm.Audio, Media: &llm.Media{}}, {Kind: llm.Video, Media: &llm.Media{}}, {Kind: llm.Other, Raw: []byte(`{}`), Dialect: "x"}, {Kind: llm.Other, Raw: []byte(`{"type":"container_upload","file_id":"f"}`), Dialect: Name}}}},
			want: `{"role":"user","content":[{"type":"text","text":"a"},{"type":"container_upload","file_id":"f"}]}`, lost: "audio,video,content"},
		"citations": {turns: []llm.Turn{{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Text, Text: "a", Citations: []llm.Citation{{Raw: []byte(`{"type":"page_location"}`), Dialect: Name}, {URL: "u", Dialect: "x"}}}}}},
			want: `{"role":"assistant","content":[{"type":"text","text":"a","citations":[{"type":"page_location"}]}]}`, lost: "citations"},
		"a failed tool": {turns: []llm.Turn{{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.Result{CallID: "x", Failed: true, Parts: []llm.Part{text("no"), {Kind: llm.Image, Media: &llm.Media{URL: "u"}}}}, Cache: &llm.Cache{TTL: "1d"}}}}},
			want: `{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"u"}}],"is_error":true,"cache_control":{"type":"ephemeral"}}]}`, lost: "cache_control"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Write(&llm.Prompt{Surface: llm.Chat, Turns: tc.turns}, false, llm.Options{Model: tc.model})
			if err != nil {
				t.Fatal(err)
			}
			got := string(body)
			same(t, "messages", tc.want, got[strings.Index(got, `"messages":[`)+len(`"messages":[`):len(got)-len(`]}`)])
			lostAre(t, tc.lost, lost)
		})
	}
}

func hashOf(id string) string { return toolID(id)[strings.LastIndex(toolID(id), "_")+1:] }

func TestWrite_Thinking(t *testing.T) {
	t.Parallel()
	thinks := func(th llm.Thinking, maxTokens int64) *llm.Prompt {
		return said(func(p *llm.Prompt) {
			p.Thinking = th
			if maxTokens > 0 {
				p.Sampling.MaxTokens = &maxTokens
			}
		})
	}
	on := func(effort string, budget int64) llm.Thinking {
		return llm.Thinking{Mode: llm.ThinkingOn, Effort: effort, Budget: budget}
	}
	for name, tc := range map[string]struct {
		prompt     *llm.Prompt
		model      string
		want, lost string
	}{
		"effort becomes a budget, which makes room": {thinks(on("high", 0), 0), oldModel, `"max_tokens":32768,` + hi + `,"thinking":{"type":"enabled","budget_tokens":24576}`, ""},
		"budget":                      {thinks(on("", 2000), 4000), oldModel, `"max_tokens":4000,` + hi + `,"thinking":{"type":"enabled","budget_tokens":2000}`, ""},
		"no figure":                   {thinks(on("", 0), 20000), oldModel, `"max_tokens":20000,` + hi + `,"thinking":{"type":"enabled","budget_tokens":8192}`, ""},
		"cut to the client's bound":   {thinks(on("", 5000), 4000), oldModel, `"max_tokens":4000,` + hi + `,"thinking":{"type":"enabled","budget_tokens":2000}`, "thinking"},
		"a bound too low to think":    {thinks(on("low", 0), 1024), oldModel, `"max_tokens":1024,` + hi, "thinking"},
		"just room enough":            {thinks(on("low", 0), 1025), oldModel, `"max_tokens":1025,` + hi + `,"thinking":{"type":"enabled","budget_tokens":1024}`, "thinking"},
		"too little":                  {thinks(on("", 10), 4000), oldModel, `"max_tokens":4000,` + hi + `,"thinking":{"type":"enabled","budget_tokens":1024}`, "thinking"},
		"effort without a mode":       {thinks(llm.Thinking{Effort: "medium"}, 0), "claude-opus-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}`, ""},
		"adaptive":                    {thinks(llm.Thinking{Mode: llm.ThinkingAdaptive, Effort: "max"}, 0), "claude-sonnet-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}`, ""},
		"adaptive, to be seen":        {thinks(llm.Thinking{Mode: llm.ThinkingAdaptive, Summary: "auto"}, 0), "claude-sonnet-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive","display":"summarized"}`, ""},
		"adaptive, in detail, unseen": {thinks(llm.Thinking{Mode: llm.ThinkingAdaptive, Summary: "detailed", Show: new(false)}, 0), "claude-sonnet-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive","display":"omitted"}`, "thinking"},
		"a budget becomes an effort":  {thinks(on("", 5000), 0), "claude-opus-4-7", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}`, "thinking"},
		"minimal":                     {thinks(on("minimal", 0), 0), "claude-opus-4-7", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}`, "thinking"},
		"4.6 has both":                {thinks(on("", 2000), 0), "claude-opus-4-6", `"max_tokens":8192,` + hi + `,"thinking":{"type":"enabled","budget_tokens":2000}`, ""},
		"4.6 has no xhigh":            {thinks(on("xhigh", 0), 0), "claude-sonnet-4-6", `"max_tokens":8192,` + hi + `,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}`, "thinking"},
		"cannot think":                {thinks(on("high", 0), 0), "claude-3-5-haiku-20241022", `"max_tokens":8192,` + hi, "thinking"},
		"off where that is usual":     {thinks(llm.Thinking{Mode: llm.ThinkingOff}, 0), "claude-opus-4-8", `"max_tokens":8192,` + hi, ""},
		"off":                         {thinks(llm.Thinking{Effort: "none"}, 0), "claude-haiku-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"disabled"}`, ""},
		"off, as far as it goes":      {thinks(llm.Thinking{Mode: llm.ThinkingOff}, 0), "claude-sonnet-5-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"between_tools"}`, ""},
		"cannot but think":            {thinks(llm.Thinking{Mode: llm.ThinkingOff}, 0), "claude-fable-5-1", `"max_tokens":8192,` + hi + `,"output_config":{"effort":"low"}`, "thinking"},
		"an engine":                   {thinks(llm.Thinking{Mode: llm.ThinkingOn, Show: new(true)}, 0), "kimi-k3", `"max_tokens":16384,` + hi + `,"thinking":{"type":"enabled","budget_tokens":8192}`, ""},
		"no sampling while it thinks": {said(func(p *llm.Prompt) {
			p.Thinking = on("low", 0)
			p.Sampling = llm.Sampling{Temperature: new(0.2), TopP: new(0.97), TopK: new(int64(1))}
		}), "claude-opus-4-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"enabled","budget_tokens":4096},"top_p":0.97`, "temperature,top_k"},
		"a temperature of 1 is usual":  {said(func(p *llm.Prompt) { p.Thinking = on("low", 0); p.Sampling.Temperature = new(1.0) }), "claude-opus-4-5", `"max_tokens":8192,` + hi + `,"thinking":{"type":"enabled","budget_tokens":4096}`, ""},
		"a call goes over the thought": {said(func(p *llm.Prompt) { withTool(p); p.Thinking = on("low", 0); p.Choice.Mode = llm.ChoiceAny }), oldModel, `"max_tokens":8192,` + hi + `,` + someTool + `,"tool_choice":{"type":"any"}`, "thinking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Write(tc.prompt, false, llm.Options{Model: tc.model})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "body", `{"model":"`+tc.model+`",`+tc.want+`}`, string(body))
			lostAre(t, tc.lost, lost)
		})
	}
}

// A model that is to think may not go on behind a call that it made without thought.
func TestWrite_ThinksNotWithinARoundWithoutThought(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		signer := map[bool]string{true: Name, false: "gemini"}[own]
		p := said(func(p *llm.Prompt) {
			p.Thinking = llm.Thinking{Mode: llm.ThinkingOn, Budget: 2000}
			p.Turns = append(p.Turns,
				llm.Turn{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "hm", Signature: "s", Signer: signer}, call("a", "")}},
				llm.Turn{Role: llm.User, Parts: []llm.Part{toolResult("a")}}, llm.Turn{Role: llm.User, Parts: []llm.Part{text("and?")}})
		})
		body, lost, err := Write(p, false, llm.Options{Model: oldModel})
		if err != nil || strings.Contains(string(body), `"enabled"`) != own {
			t.Errorf("own %v: %s, %v", own, body, err)
		}
		lostAre(t, map[bool]string{true: "", false: "signature,reasoning,thinking"}[own], lost)
	}
}

func TestParseModel_ReadsEveryStyleOfName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		family  string
		version int
	}{
		"claude-3-haiku-20240307": {"haiku", 300}, "claude-3-7-sonnet-latest": {"sonnet", 307}, "claude-opus-4-20250514": {"opus", 400},
		"claude-opus-4-5@20251101": {"opus", 405}, "us.anthropic.claude-opus-4-6-v1:0": {"opus", 406}, "anthropic/claude-sonnet-4.5": {"sonnet", 405},
		"claude-sonnet-5": {"sonnet", 500}, "claude-fable-5-1": {"fable", 501}, "claude-mythos-preview": {"mythos", newest},
		"claude-instant-1.2": {"instant", 102}, "claude-2.1": {"", 201}, "claude-opus-latest": {"opus", newest}, "Claude-Haiku-4-5": {"haiku", 405},
	} {
		family, version, ok := parseModel(name)
		if !ok || family != want.family || version != want.version {
			t.Errorf("%s: %q %d %v, want %+v", name, family, version, ok, want)
		}
	}
	if _, _, ok := parseModel("MiniMax-M3"); ok {
		t.Error("not every model is Claude")
	}
}
