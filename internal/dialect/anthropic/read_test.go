package anthropic

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
)

// everything is a request with all fields and blocks that have a neutral word.
const everything = `{"model":"m","max_tokens":4096,"stream":true,"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"messages":[
 {"role":"user","content":"hi"},
 {"role":"user","content":[
  {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
  {"type":"image","source":{"type":"url","url":"https://a.example/b.png"}},
  {"type":"image","source":{"type":"file","file_id":"file_1"}},
  {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="},"title":"a.pdf","context":"c","citations":{"enabled":true},"cache_control":{"type":"ephemeral"}},
  {"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"},"title":null},
  {"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]},
 {"role":"assistant","content":[
  {"type":"thinking","thinking":"hm","signature":"sig"},
  {"type":"redacted_thinking","data":"red"},
  {"type":"text","text":"see","citations":[{"type":"char_location","cited_text":"q","document_index":0,"document_title":"a.pdf","start_char_index":1,"end_char_index":2}]},
  {"type":"tool_use","id":"a","name":"f","input":{"x":1},"caller":{"type":"direct"}},
  {"type":"server_tool_use","id":"s","name":"web_search","input":{}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"u"}}]},{"type":"tool_result","tool_use_id":"b","content":"plain"},{"type":"tool_result","tool_use_id":"c"}]},
 {"role":"system","content":"now in French"}],
"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}},{"type":"custom","name":"g","input_schema":{"type":"object"}},{"type":"web_search_20260318","name":"web_search"}],
"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"},
"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}},
"temperature":1,"top_p":0.9,"top_k":5,"stop_sequences":["x"],"metadata":{"user_id":"u"},"service_tier":"standard_only"}`

func TestRead_UnderstandsAll(t *testing.T) {
	t.Parallel()
	p := read(t, everything)
	yes, no := true, false
	maxTokens, temperature, topP, topK := int64(4096), 1.0, 0.9, int64(5)
	want := &llm.Prompt{
		Surface: llm.Chat,
		System:  []llm.Part{{Kind: llm.Text, Text: "be brief", Cache: &llm.Cache{TTL: "1h"}}},
		Turns: []llm.Turn{
			{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.Text, Text: "hi"},
				{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "iVBORw0KGgo="}},
				{Kind: llm.Image, Media: &llm.Media{URL: "https://a.example/b.png"}},
				{Kind: llm.Image, Media: &llm.Media{FileID: "file_1", FileOf: Name}},
				{Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "JVBERg==", Name: "a.pdf", Context: "c", Cite: true}, Cache: &llm.Cache{}},
				{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "aGk="}},
				{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "YQpi"}},
			}},
			{Role: llm.Assistant, Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "hm", Signature: "sig", Signer: Name},
				{Kind: llm.Reasoning, Redacted: "red", Signer: Name},
				{Kind: llm.Text, Text: "see", Citations: []llm.Citation{{Kind: "document", Quote: "q", Title: "a.pdf", Start: 1, End: 2, Of: "document", Dialect: Name,
					Raw: []byte(`{"type":"char_location","cited_text":"q","document_index":0,"document_title":"a.pdf","start_char_index":1,"end_char_index":2}`)}}},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: `{"x":1}`}},
				{Kind: llm.Other, Raw: []byte(`{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`), Dialect: Name},
			}},
			{Role: llm.User, Parts: []llm.Part{
				{Kind: llm.ToolResult, Result: &llm.Result{CallID: "a", Name: "f", Failed: true, Parts: []llm.Part{
					{Kind: llm.Text, Text: "no"}, {Kind: llm.Image, Media: &llm.Media{URL: "u"}}}}},
				{Kind: llm.ToolResult, Result: &llm.Result{CallID: "b", Parts: []llm.Part{{Kind: llm.Text, Text: "plain"}}}},
				{Kind: llm.ToolResult, Result: &llm.Result{CallID: "c"}},
			}},
			{Role: llm.System, Parts: []llm.Part{{Kind: llm.Text, Text: "now in French"}}},
		},
		Tools: []llm.Tool{
			{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: &yes, Cache: &llm.Cache{}},
			{Name: "g", Schema: []byte(`{"type":"object"}`)},
			{Name: "web_search", Raw: []byte(`{"type":"web_search_20260318","name":"web_search"}`), Dialect: Name},
		},
		Choice:   llm.ToolChoice{Mode: llm.ChoiceOne, Name: "f"},
		Parallel: &no,
		Format:   llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`)},
		Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "high", Budget: 2048, Show: &yes},
		Sampling: llm.Sampling{MaxTokens: &maxTokens, Temperature: &temperature, TopP: &topP, TopK: &topK, Stop: []string{"x"}},
		User:     "u", Tier: "default",
	}
	same(t, "prompt", want, p)
}

func TestRead_NamesWhatHasNoWord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, want string }{
		"fields":            {`{"model":"m","container":"c","mcp_servers":[{}],"context_management":{},"speed":"fast","unheard_of":1,"fallbacks":null,` + user + `}`, "container,context_management,mcp_servers,speed,unheard_of"},
		"harmless":          {`{"model":"m","inference_geo":"eu","diagnostics":{},` + user + `}`, ""},
		"inner":             {`{"model":"m","metadata":{"user_id":"u","x":"y"},"output_config":{"effort":"low","task_budget":{}},` + user + `}`, "metadata.x,output_config.task_budget"},
		"tools":             {`{"model":"m","tools":[{"name":"f","input_schema":{},"defer_loading":true,"eager_input_streaming":true},{"name":"g","defer_loading":false}],` + user + `}`, "tools.defer_loading"},
		"blocks":            {`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","sparkle":1}],"clear_at":"x"}]}`, "messages.clear_at,messages.sparkle"},
		"cited own results": {`{"model":"m","messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"}],"citations":{"enabled":true}}]}]}`, "messages.citations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(read(t, tc.body).Unread, ","); got != tc.want {
				t.Errorf("unread %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRead_KnowsTheOddForms(t *testing.T) {
	t.Parallel()
	p := read(t, `{"model":"m","cache_control":{"type":"ephemeral"},"output_format":{"type":"json_schema","schema":{}},"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max"},
"messages":[{"role":"user","content":[{"type":"search_result","source":"https://s.example","title":"T","content":[{"type":"text","text":"found"}]},{"type":"document","source":{"type":"content","content":[{"type":"image"}]}},{"type":"hologram"}]}]}`)
	hide := false
	same(t, "thinking", llm.Thinking{Mode: llm.ThinkingAdaptive, Effort: "max", Show: &hide}, p.Thinking)
	same(t, "format", llm.Format{Kind: llm.FormatSchema, Schema: []byte("{}")}, p.Format)
	parts := p.Turns[0].Parts
	same(t, "search result", llm.Part{Kind: llm.Text, Text: "T\nhttps://s.example\n\nfound"}, parts[0])
	if parts[1].Kind != llm.Other || parts[2].Kind != llm.Other || string(parts[2].Raw) != `{"type":"hologram"}` || parts[2].Cache == nil {
		t.Errorf("%+v", parts)
	}
	for word, want := range map[string]llm.ChoiceMode{"auto": llm.ChoiceAuto, "any": llm.ChoiceAny, "none": llm.ChoiceNone, "whim": llm.ChoiceUnset} {
		p := read(t, `{"model":"m","tool_choice":{"type":"`+word+`"},`+user+`}`)
		if p.Choice.Mode != want || p.Parallel != nil {
			t.Errorf("%s: %+v", word, p.Choice)
		}
	}
	for _, word := range []string{"disabled", "between_tools"} {
		p := read(t, `{"model":"m","thinking":{"type":"`+word+`"},"output_config":{"effort":"low"},`+user+`}`)
		same(t, word, llm.Thinking{Mode: llm.ThinkingOff}, p.Thinking)
	}
}

// TestRead_FindsSignaturesOfOthers reads what Writer and WriteAnswer carry through a
// client of this dialect.
func TestRead_FindsSignaturesOfOthers(t *testing.T) {
	t.Parallel()
	p := read(t, `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[
{"type":"thinking","thinking":"hm","signature":""},
{"type":"redacted_thinking","data":"fairlead.openai-responses.enc"},
{"type":"thinking","thinking":"","signature":"fairlead.gemini.g1"},
{"type":"tool_use","id":"a","name":"f","input":{}},
{"type":"tool_use","id":"b","name":"f","input":{}},
{"type":"redacted_thinking","data":"fairlead.gemini.g2"},
{"type":"thinking","thinking":"by gemini","signature":"fairlead.gemini.g3"},
{"type":"thinking","thinking":"","signature":"own"},
{"type":"thinking","thinking":"","signature":"fairlead.gemini.g4"}]}]}`)
	same(t, "parts", []llm.Part{
		{Kind: llm.Reasoning, Text: "hm", Redacted: "enc", Signer: "openai-responses"},
		{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f", Arguments: "{}"}, Signature: "g1", Signer: "gemini"},
		{Kind: llm.ToolCall, Call: &llm.Call{ID: "b", Name: "f", Arguments: "{}"}, Signature: "g2", Signer: "gemini"},
		{Kind: llm.Reasoning, Text: "by gemini", Signature: "g3", Signer: "gemini"},
		{Kind: llm.Reasoning, Signature: "own", Signer: Name},
		{Kind: llm.Reasoning, Signature: "g4", Signer: "gemini"},
	}, p.Turns[1].Parts)
}
