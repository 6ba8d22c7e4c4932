package responses

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/testkit"
)

// rewritten are requests, what they become when they are read and written anew, and
// what is lost on the way.
var rewritten = map[string]struct{ in, want, lost string }{
	"words": {
		`{"model":"m","input":"hi","instructions":"be brief","max_output_tokens":50,"temperature":0.5,"top_p":0.9,"user":"u","service_tier":"flex","store":false,"truncation":"disabled","metadata":{"k":"v","fairlead_task":"t"},"parallel_tool_calls":true}`,
		`{"model":"t","instructions":"be brief","input":[{"role":"user","content":"hi"}],"store":false,"max_output_tokens":50,"temperature":0.5,"top_p":0.9,"user":"u","metadata":{"k":"v"},"service_tier":"flex"}`,
		"",
	},
	"what no other dialect has": {
		`{"model":"m","input":"hi","store":true,"background":true,"truncation":"auto","include":["web_search_call.results","reasoning.encrypted_content"],"max_tool_calls":2,"text":{"verbosity":"low"},"reasoning":{"mode":"pro","effort":"low"},"prompt_cache_key":"k","stream_options":{"include_obfuscation":false},"brand_new":1,"nothing":null,"tools":[{"type":"function","name":"f","defer_loading":true}],"tool_choice":{"type":"web_search"}}`,
		`{"model":"t","input":[{"role":"user","content":"hi"}],"store":false,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]}`,
		"reasoning.mode,text.verbosity,tools.defer_loading,tool_choice,store,background,truncation,include,brand_new,max_tool_calls,prompt_cache_key",
	},
	"messages": {
		`{"model":"m","input":[{"role":"developer","content":"a"},{"type":"message","role":"system","content":[{"type":"input_text","text":"b"}]},{"role":"user","content":[{"type":"input_text","text":"c"},{"type":"input_text","text":"d"}]},{"type":"message","role":"assistant","id":"msg_9","status":"completed","phase":"final_answer","content":[{"type":"output_text","text":"e","annotations":[]},{"type":"refusal","refusal":"f"}]},{"role":"developer","content":"g"},{"role":"user","content":"h"}]}`,
		`{"model":"t","instructions":"a\n\nb","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"c"},{"type":"input_text","text":"d"}]},{"type":"message","role":"assistant","content":"e"},{"type":"message","id":"msg_2","status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"f"}]},{"role":"system","content":"g"},{"role":"user","content":"h"}],"store":false}`,
		"",
	},
	"media": {
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/gif;base64,R0","detail":"low"},{"type":"input_image","file_id":"f1"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"},{"type":"input_file","file_data":"AB"},{"type":"input_file","file_url":"https://a.example/x.pdf"},{"type":"input_file","file_id":"f2"}]}]}`,
		`{"model":"t","input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:image/gif;base64,R0","detail":"low"},{"type":"input_image","file_id":"f1","detail":"auto"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"},{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,AB"},{"type":"input_file","file_url":"https://a.example/x.pdf"},{"type":"input_file","file_id":"f2"}]}],"store":false}`,
		"",
	},
	"tools over two turns": {
		`{"model":"m","input":[{"role":"user","content":"w?"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}],"encrypted_content":"gA:b/+="},{"type":"function_call","id":"fc_1","call_id":"a","name":"f","arguments":"{\"x\":1}","status":"completed"},{"type":"function_call","call_id":"b","name":"g","arguments":""},{"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":[{"type":"input_text","text":"2"},{"type":"input_image","image_url":"https://a.example/i.png"}]}],"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g","parameters":null}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]},"parallel_tool_calls":false}`,
		`{"model":"t","input":[{"role":"user","content":"w?"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one\n\ntwo"}],"encrypted_content":"gA:b/+="},{"type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":1}"},{"type":"function_call","call_id":"b","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":[{"type":"input_text","text":"2"},{"type":"input_image","image_url":"https://a.example/i.png","detail":"auto"}]}],"store":false,"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]},"parallel_tool_calls":false,"include":["reasoning.encrypted_content"]}`,
		"",
	},
	"tools of its own": {
		`{"model":"m","input":[{"role":"user","content":"w?"},{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"role":"assistant","content":"so"},{"type":"custom_tool_call_output","call_id":"c","output":"x"}],"tools":[{"type":"web_search"},{"type":"custom","name":"c"}],"tool_choice":"required"}`,
		`{"model":"t","input":[{"role":"user","content":"w?"},{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"message","role":"assistant","content":"so"},{"type":"custom_tool_call_output","call_id":"c","output":"x"}],"store":false,"tools":[{"type":"web_search"},{"type":"custom","name":"c"}],"tool_choice":"required"}`,
		"",
	},
	"schema": {
		`{"model":"m","input":"hi","text":{"format":{"type":"json_schema","name":"s","description":"d","schema":{"type":"object"},"strict":true}},"top_logprobs":2}`,
		`{"model":"t","input":[{"role":"user","content":"hi"}],"store":false,"top_logprobs":2,"text":{"format":{"type":"json_schema","name":"s","description":"d","schema":{"type":"object"},"strict":true}},"include":["message.output_text.logprobs"]}`,
		"",
	},
	"json, thinking, one tool": {
		`{"model":"m","input":"hi","text":{"format":{"type":"json_object"}},"reasoning":{"effort":"max","generate_summary":"concise"},"safety_identifier":"s","tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":{"type":"function","name":"f"}}`,
		`{"model":"t","input":[{"role":"user","content":"hi"}],"store":false,"tools":[{"type":"function","name":"f","parameters":{},"strict":false}],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_object"}},"reasoning":{"effort":"max","summary":"concise"},"include":["reasoning.encrypted_content"],"user":"s"}`,
		"",
	},
}

func TestReadAndWrite_KeepTheRequest(t *testing.T) {
	t.Parallel()
	for name, tc := range rewritten {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Read(decode(t, tc.in))
			if err != nil {
				t.Fatal(err)
			}
			body, lost, err := Write(p, false, llm.Options{Model: "t"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := strings.Join(p.Unread, ","); got != tc.lost || lost != nil {
				t.Errorf("unread %q, want %q; lost %v", got, tc.lost, lost)
			}
		})
	}
}

func TestWrite_KeepsToThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	for name, tc := range rewritten {
		if name == "tools of its own" { // one of them with fields of an older version
			continue
		}
		p, err := Read(decode(t, tc.in))
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := Write(p, true, llm.Options{Model: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if err := spec.ValidateRequest("/responses", body); err != nil {
			t.Errorf("%s: %s: %v", name, body, err)
		}
	}
}

func TestRead_RefusesAConversationThatIsElsewhere(t *testing.T) {
	t.Parallel()
	for field, body := range map[string]string{
		"previous_response_id": `{"model":"m","previous_response_id":"r1","input":"go on"}`,
		"conversation":         `{"model":"m","conversation":"c1","input":"go on"}`,
		"prompt":               `{"model":"m","prompt":{"id":"p1"}}`,
		"item_reference":       `{"model":"m","input":[{"type":"item_reference","id":"msg_1"},{"role":"user","content":"go on"}]}`,
	} {
		_, err := Read(decode(t, body))
		if e := llm.AsError(err); err == nil || e.Kind != llm.Unsupported || e.Code != "stateful" || e.Param != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestRead_ForgetsReferencesToThoughtThatNobodyStored(t *testing.T) {
	t.Parallel()
	p, err := Read(decode(t, `{"model":"m","input":[{"role":"user","content":"w?"},{"type":"item_reference","id":"rs_fl_1"},{"type":"item_reference","id":"rs_fl_2"},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"1"}]}`))
	if err != nil || len(p.Turns) != 3 || strings.Join(p.Unread, ",") != "item_reference" {
		t.Errorf("%+v %v", p, err)
	}
}

func TestRead_RefusesWhatHasTheWrongShape(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, param string }{
		"role":      {`{"model":"m","input":[{"role":"robot","content":"hi"}]}`, "input[0].role"},
		"call":      {`{"model":"m","input":[{"type":"function_call","call_id":1}]}`, "input[0].call_id"},
		"audio":     {`{"model":"m","input":[{"role":"user","content":[{"type":"input_audio"}]}]}`, "input[0].content"},
		"image":     {`{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":{"url":"x"}}]}]}`, "input[0].content.image_url"},
		"reasoning": {`{"model":"m","input":"hi","reasoning":{"effort":3}}`, "reasoning.effort"},
	} {
		_, err := Read(decode(t, tc.body))
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != tc.param {
			t.Errorf("%s: %v, param %q", name, err, e.Param)
		}
	}
}

func TestRead_FindsWhoseThoughtItIs(t *testing.T) {
	t.Parallel()
	p, err := Read(decode(t, `{"model":"m","input":[{"role":"user","content":"w?"},
		{"type":"reasoning","id":"rs_01J_0","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"fairlead.anthropic.SIG.=="},
		{"type":"reasoning","id":"rs_01J_1","summary":[],"encrypted_content":"fairlead.anthropic/redacted.RED"},
		{"type":"reasoning","id":"rs_2","summary":[{"type":"summary_text","text":"closed"}]},
		{"type":"reasoning","id":"rs_3","summary":[],"content":[{"type":"reasoning_text","text":"open"}]},
		{"type":"reasoning","summary":[],"encrypted_content":"gAAA"},
		{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},
		{"type":"function_call","call_id":"b","name":"f","arguments":"{}"},
		{"type":"reasoning","id":"rs_fl_b","summary":[],"encrypted_content":"fairlead.gemini.GEM"},
		{"type":"function_call_output","call_id":"a","output":"1"},
		{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
		{"type":"reasoning","summary":[],"encrypted_content":"fairlead.gemini.NEXT"},
		{"type":"function_call","call_id":"d","name":"f","arguments":"{}"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Part{
		{Kind: llm.Reasoning, Text: "Hm", Signature: "SIG.==", Signer: "anthropic"},
		{Kind: llm.Reasoning, Redacted: "RED", Signer: "anthropic"},
		{Kind: llm.Reasoning, Text: "closed", Signature: "rs_2:", Signer: Name},
		{Kind: llm.Reasoning, Text: "open"},
		{Kind: llm.Reasoning, Signature: ":gAAA", Signer: Name},
		{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: "{}"}},
		{Kind: llm.ToolCall, Call: &llm.Call{ID: "b", Name: "f", Arguments: "{}"}, Signature: "GEM", Signer: "gemini"},
	}
	if diff := cmp.Diff(want, p.Turns[1].Parts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if next := p.Turns[3].Parts[1]; next.Signature != "NEXT" || next.Call.ID != "d" {
		t.Errorf("%+v", next)
	}
	if result := p.Turns[2].Parts[0].Result; result.Name != "f" {
		t.Errorf("%+v", result)
	}
}

func TestWrite_LosesWhatTheDialectCannotSay(t *testing.T) {
	t.Parallel()
	n, f, off := int64(5), 0.5, false
	p := &llm.Prompt{
		Surface: llm.Chat,
		System:  []llm.Part{{Kind: llm.Text, Text: "s", Cache: &llm.Cache{}}, {Kind: llm.Image, Media: &llm.Media{URL: "x"}}},
		Turns: []llm.Turn{
			{Role: llm.User, Name: "bob", Parts: []llm.Part{{Kind: llm.Video, Media: &llm.Media{URL: "v"}}, {Kind: llm.Image, Media: &llm.Media{FileID: "f", FileOf: "gemini"}}, {Kind: llm.Text, Text: "hi"}}},
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "Hm", Signature: "S", Signer: "anthropic"},
				{Kind: llm.Other, Raw: []byte(`{}`), Dialect: "anthropic"},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f"}},
			}},
			{Role: llm.User, Parts: []llm.Part{{Kind: llm.ToolResult, Result: &llm.Result{CallID: "a", Failed: true, Parts: []llm.Part{{Kind: llm.Text, Text: "bad"}}}}}},
		},
		Tools:    []llm.Tool{{Name: "web", Raw: []byte(`{}`), Dialect: "anthropic"}},
		Tier:     "standard_only",
		Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 3000, Show: &off},
		Sampling: llm.Sampling{MaxTokens: &n, TopK: &n, Seed: &n, Stop: []string{"x"}, PresencePenalty: &f, N: 2, LogitBias: []byte(`{}`)},
	}
	body, lost, err := Write(p, true, llm.Options{Model: "t"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"t","instructions":"s","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"bad"}],"stream":true,"store":false,"max_output_tokens":16,"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	fields := llm.Losses{llm.FieldCache, llm.FieldSystem, llm.FieldTools, llm.FieldThinking, llm.FieldTier, llm.FieldName, llm.FieldVideo, llm.FieldFile, llm.FieldSignature, llm.FieldReasoning,
		llm.FieldOther, llm.FieldIsError, llm.FieldMaxTokens, llm.FieldTopK, llm.FieldSeed, llm.FieldStop, llm.FieldPresencePenalty, llm.FieldLogitBias, llm.FieldN}
	if diff := cmp.Diff(fields, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}
