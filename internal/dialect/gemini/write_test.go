package gemini

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

func say(role llm.Role, parts ...llm.Part) llm.Turn { return llm.Turn{Role: role, Parts: parts} }

func words(text string) llm.Part { return llm.Part{Kind: llm.Text, Text: text} }

func asks(text string) []llm.Turn { return []llm.Turn{say(llm.User, words(text))} }

func call(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: name, Arguments: args}}
}

func signed(p llm.Part, signer, signature string) llm.Part {
	p.Signer, p.Signature = signer, signature
	return p
}

func result(id, name string, failed bool, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: id, Name: name, Failed: failed, Parts: parts}}
}

const hi = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`

func TestWrite_SaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	own := llm.Part{Kind: llm.Reasoning, Signer: Name, Signature: "c2ln"}
	for name, tc := range map[string]struct {
		model string
		in    llm.Prompt
		want  string
		lost  string
	}{
		"words": {in: llm.Prompt{System: []llm.Part{words("be brief")}, Turns: []llm.Turn{say(llm.User, words("a")), say(llm.User, words("b")), say(llm.Assistant, words("c")), say(llm.System, words("d"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"}]},{"role":"user","parts":[{"text":"d"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]}}`,
			lost: "system"},
		"sampling": {in: llm.Prompt{Turns: asks("hi"), Sampling: llm.Sampling{MaxTokens: new(int64(5)), Temperature: new(0.0), TopP: new(0.5), TopK: new(int64(40)), Seed: new(int64(7)),
			Stop: []string{"x"}, PresencePenalty: new(0.1), FrequencyPenalty: new(0.2), N: 2, Logprobs: true, TopLogprobs: 3}, Tier: "flex"},
			want: `{` + hi + `,"generationConfig":{"stopSequences":["x"],"candidateCount":2,"maxOutputTokens":5,"temperature":0,"topP":0.5,"topK":40,"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":3},"serviceTier":"flex"}`},
		"what has no word": {in: llm.Prompt{Turns: []llm.Turn{{Role: llm.User, Name: "Bo", Parts: []llm.Part{{Kind: llm.Text, Text: "hi", Cache: &llm.Cache{}}}}},
			Sampling: llm.Sampling{MinP: new(0.1), RepeatPenalty: new(1.1), LogitBias: []byte(`{"1":2}`), N: 1}, User: "u", Metadata: map[string]string{"a": "b"}, Tier: "standard_only"},
			want: `{` + hi + `}`, lost: "name,cache_control,min_p,repeat_penalty,logit_bias,metadata,user,service_tier"},
		"tools": {in: llm.Prompt{Turns: asks("hi"), Tools: []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object","$defs":{}}`)}, {Name: "g"},
			{Raw: []byte(`{"googleSearch":{}}`), Dialect: Name}, {Raw: []byte(`{"type":"web_search"}`), Dialect: "anthropic"}}, Parallel: new(false)},
			want: `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","$defs":{}}},{"name":"g"}]},{"googleSearch":{}}]}`,
			lost: "tools,parallel_tool_calls"},
		"strict tools": {in: llm.Prompt{Turns: asks("hi"), Tools: []llm.Tool{{Name: "f", Strict: new(true)}}},
			want: `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}`},
		"one tool": {in: llm.Prompt{Turns: asks("hi"), Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceOne, Name: "f"}},
			want: `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}`},
		"some tools": {in: llm.Prompt{Turns: asks("hi"), Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceAuto, Allowed: []string{"f"}}},
			want: `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}}`},
		"no tool": {in: llm.Prompt{Turns: asks("hi"), Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceNone}},
			want: `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`},
		"a choice without tools": {in: llm.Prompt{Turns: asks("hi"), Choice: llm.ToolChoice{Mode: llm.ChoiceAny}}, want: `{` + hi + `}`},
		"calls and results": {in: llm.Prompt{Turns: []llm.Turn{say(llm.User, words("w?")), say(llm.Assistant, call("a", "f", `{"x":1}`), call("b", "g", ""), call("c", "h", `{"x":`)),
			say(llm.User, result("a", "f", false, words(`{"y":2}`)), result("b", "g", false, words("plain")), result("c", "h", true, words("no"),
				llm.Part{Kind: llm.Image, Media: &llm.Media{Base64: "AAAA"}}), words("so?"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="},{"functionCall":{"id":"b","name":"g","args":{}}},{"functionCall":{"id":"c","name":"h","args":{"arguments":"{\"x\":"}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"y":2}}},{"functionResponse":{"id":"b","name":"g","response":{"output":"plain"}}},{"functionResponse":{"id":"c","name":"h","response":{"error":"no"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}},{"text":"so?"}]}]}`},
		"calls of others for an older model": {model: "gemini-2.5-flash", in: llm.Prompt{Turns: []llm.Turn{say(llm.User, words("w?")), say(llm.Assistant, call("a", "f", "{}"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}}]}]}`},
		"signed calls of others": {in: llm.Prompt{Turns: []llm.Turn{say(llm.User, words("w?")), say(llm.Assistant, signed(call("a", "f", "{}"), "other", "s"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"w?"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="}]}]}`, lost: "signature"},
		"media of results of an older model": {model: "gemini-2.5-flash", in: llm.Prompt{Turns: []llm.Turn{say(llm.User, result("a", "f", false, llm.Part{Kind: llm.Image, Media: &llm.Media{Base64: "AAAA"}}))}},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"output":""}}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}`},
		"signatures": {in: llm.Prompt{Turns: []llm.Turn{say(llm.Assistant,
			llm.Part{Kind: llm.Reasoning, Text: "Hm", Signer: "anthropic", Signature: "s"}, words("a"), own, own, call("1", "f", "{}"), signed(call("2", "g", "{}"), Name, "Zw=="), own, words("b"), own, own)}},
			want: `{"contents":[{"role":"model","parts":[{"text":"Hm","thought":true},{"text":"a","thoughtSignature":"c2ln"},{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"2","name":"g","args":{}},"thoughtSignature":"Zw=="},` +
				`{"text":"b","thoughtSignature":"c2ln"},{"text":"","thoughtSignature":"c2ln"},{"text":"","thoughtSignature":"c2ln"}]}]}`,
			lost: "signature"},
		"thought of others that nobody can read": {in: llm.Prompt{Turns: []llm.Turn{say(llm.Assistant, llm.Part{Kind: llm.Reasoning, Redacted: "x", Signer: "anthropic"}, words("a"))}},
			want: `{"contents":[{"role":"model","parts":[{"text":"a"}]}]}`, lost: "signature"},
		"media": {in: llm.Prompt{Turns: []llm.Turn{say(llm.User,
			llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/gif", Base64: "R0", Detail: "low"}},
			llm.Part{Kind: llm.Document, Media: &llm.Media{Base64: "JV", Cite: true}},
			llm.Part{Kind: llm.Image, Media: &llm.Media{URL: "https://x.example/a.JPG?s=1"}},
			llm.Part{Kind: llm.Video, Media: &llm.Media{URL: "https://youtu.be/x"}},
			llm.Part{Kind: llm.Audio, Media: &llm.Media{FileID: "gs://b/a.wav", FileOf: Name, MIME: "audio/wav"}},
			llm.Part{Kind: llm.Image, Media: &llm.Media{URL: "http://x.example/a.png"}},
			llm.Part{Kind: llm.Document, Media: &llm.Media{FileID: "file-1", FileOf: "openai-chat"}})}},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/gif","data":"R0"}},{"inlineData":{"mimeType":"application/pdf","data":"JV"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://x.example/a.JPG?s=1"}},{"fileData":{"mimeType":"video/mp4","fileUri":"https://youtu.be/x"}},{"fileData":{"mimeType":"audio/wav","fileUri":"gs://b/a.wav"}}]}]}`,
			lost: "detail,citations,image,file_id"},
		"addresses that an older model does not fetch": {model: "gemini-2.0-flash", in: llm.Prompt{Turns: []llm.Turn{say(llm.User, words("hi"), llm.Part{Kind: llm.Image, Media: &llm.Media{URL: "https://x.example/a"}})}},
			want: `{` + hi + `}`, lost: "image"},
		"other parts": {in: llm.Prompt{Turns: []llm.Turn{say(llm.Assistant, llm.Part{Kind: llm.Other, Dialect: Name, Raw: []byte(`{"executableCode":{"language":"PYTHON","code":"1"}}`)}, llm.Part{Kind: llm.Other, Dialect: "anthropic", Raw: []byte(`{}`)})}},
			want: `{"contents":[{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"}}]}]}`, lost: "content"},
		"a schema": {in: llm.Prompt{Turns: asks("hi"), Format: llm.Format{Kind: llm.FormatSchema, Name: "n", Schema: []byte(`{"type":"object"}`), Strict: new(true)}},
			want: `{` + hi + `,"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}}`},
		"JSON": {in: llm.Prompt{Turns: asks("hi"), Format: llm.Format{Kind: llm.FormatJSON}},
			want: `{` + hi + `,"generationConfig":{"responseMimeType":"application/json"}}`},
		"an effort": {in: llm.Prompt{Turns: asks("hi"), Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "xhigh", Summary: "auto"}},
			want: `{` + hi + `,"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}}`},
		"an effort of an older model": {model: "gemini-2.5-pro", in: llm.Prompt{Turns: asks("hi"), Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "low"}},
			want: `{` + hi + `,"generationConfig":{"thinkingConfig":{"thinkingBudget":4096}}}`},
		"a budget": {in: llm.Prompt{Turns: asks("hi"), Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 2000, Show: new(false)}},
			want: `{` + hi + `,"generationConfig":{"thinkingConfig":{"includeThoughts":false,"thinkingBudget":2000}}}`},
		"no thought": {model: "gemini-2.5-flash-lite", in: llm.Prompt{Turns: asks("hi"), Thinking: llm.Thinking{Mode: llm.ThinkingOff}},
			want: `{` + hi + `,"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`},
		"no thought of a model that must think": {model: "gemini-3.1-pro", in: llm.Prompt{Turns: asks("hi"), Thinking: llm.Thinking{Mode: llm.ThinkingOff}},
			want: `{` + hi + `,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}`, lost: "thinking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.in.Surface = llm.Chat
			body, lost, err := Write(&tc.in, true, llm.Options{Model: tc.model})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := fieldNames(lost); got != tc.lost {
				t.Errorf("lost %q, want %q", got, tc.lost)
			}
			if name != "media" { // its base64 is cut short
				readSent(t, body)
			}
		})
	}
}

func fieldNames(lost llm.Losses) string {
	names := make([]string, len(lost))
	for i, f := range lost {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}

func TestWrite_AsksForVectorsAndCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   llm.Prompt
		want string
	}{
		"vectors": {llm.Prompt{Surface: llm.Embeddings, Texts: []string{"a", "b"}, Dimensions: 3, Purpose: "document"},
			`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":3},{"model":"models/m","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":3}]}`},
		"a count": {llm.Prompt{Surface: llm.CountTokens, Turns: asks("hi"), Sampling: llm.Sampling{MaxTokens: new(int64(1))}}, `{` + hi + `}`},
		"a count with more": {llm.Prompt{Surface: llm.CountTokens, Turns: asks("hi"), System: []llm.Part{words("s")}},
			`{"generateContentRequest":{"model":"models/m",` + hi + `,"systemInstruction":{"parts":[{"text":"s"}]}}}`},
	} {
		body, lost, err := Write(&tc.in, false, llm.Options{Model: "m"})
		if err != nil || len(lost) > 0 {
			t.Errorf("%s: %v, lost %v", name, err, lost)
		}
		if diff := cmp.Diff(tc.want, string(body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPath_NamesTheModel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		model, want string
		req         llm.Request
	}{
		{"gemini-3-pro", "/models/gemini-3-pro:generateContent", llm.Request{Surface: llm.Chat}},
		{"gemini-3-pro", "/models/gemini-3-pro:streamGenerateContent?alt=sse", llm.Request{Surface: llm.Chat, Stream: true, Array: true}},
		{"tunedModels/x y", "/tunedModels/x%20y:generateContent", llm.Request{Surface: llm.Chat}},
		{"publishers/google/models/m@1", "/publishers/google/models/m@1:countTokens", llm.Request{Surface: llm.CountTokens}},
		{"../a?b", "/%2E%2E/a%3Fb:generateContent", llm.Request{Surface: llm.Chat}},
		{"m", "/models/m:batchEmbedContents", llm.Request{Surface: llm.Embeddings, Dialect: "openai-chat"}},
		{"m", "/models/m:embedContent", llm.Request{Surface: llm.Embeddings, Dialect: Name}},
		{"m", "", llm.Request{Surface: llm.Rerank}},
	} {
		if got := Path(&tc.req, llm.Options{Model: tc.model}); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.model, got, tc.want)
		}
	}
}
