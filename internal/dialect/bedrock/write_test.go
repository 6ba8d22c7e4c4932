package bedrock

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	awsdocument "github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

func text(s string) llm.Part { return llm.Part{Kind: llm.Text, Text: s} }

func user(parts ...llm.Part) llm.Turn      { return llm.Turn{Role: llm.User, Parts: parts} }
func assistant(parts ...llm.Part) llm.Turn { return llm.Turn{Role: llm.Assistant, Parts: parts} }

func call(id, name, arguments string) llm.Part {
	return llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: name, Arguments: arguments}}
}

func result(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: id, Parts: parts}}
}

const (
	claude37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
	claude45 = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	claude46 = "anthropic.claude-opus-4-6-v1"
	claude48 = "anthropic.claude-opus-4-8"
	novaLite = "amazon.nova-lite-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	llama    = "meta.llama3-3-70b-instruct-v1:0"
	gptOSS   = "openai.gpt-oss-120b-1:0"
	profile  = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
)

func write(t *testing.T, model string, p llm.Prompt) (body, lost string) {
	t.Helper()
	p.Surface = llm.Chat
	raw, losses, err := Write(&p, false, llm.Options{Model: model})
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(losses))
	for i, f := range losses {
		names[i] = string(f)
	}
	return string(raw), strings.Join(names, ",")
}

func TestWrite(t *testing.T) {
	t.Parallel()
	hi := []llm.Turn{user(text("hi"))}
	const msg = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]`
	for name, c := range map[string]struct {
		model      string
		in         llm.Prompt
		want, lost string
	}{
		"words": {
			llama,
			llm.Prompt{System: []llm.Part{text("be brief"), text("")}, Turns: hi, Sampling: llm.Sampling{MaxTokens: new(int64(5)), Temperature: new(0.5), TopP: new(0.9), Stop: []string{"x"}}},
			msg + `,"system":[{"text":"be brief"}],"inferenceConfig":{"maxTokens":5,"temperature":0.5,"topP":0.9,"stopSequences":["x"]}}`, "",
		},
		"stop sequences of Claude are asked for": {
			claude37, llm.Prompt{Turns: hi, Sampling: llm.Sampling{Stop: []string{"x"}}},
			msg + `,"inferenceConfig":{"stopSequences":["x"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}`, "",
		},
		"what Converse has no word for": {
			llama,
			llm.Prompt{Turns: hi, User: "u", Tier: "scale", Parallel: new(false), Tools: []llm.Tool{{Name: "f"}}, Format: llm.Format{Kind: llm.FormatJSON}, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Effort: "low"},
				Sampling: llm.Sampling{TopK: new(int64(4)), MinP: new(.1), Seed: new(int64(1)), PresencePenalty: new(1.), FrequencyPenalty: new(1.), RepeatPenalty: new(1.1), LogitBias: []byte(`{"1":2}`), N: 2, Logprobs: true, TopLogprobs: 3}},
			msg + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`,
			"top_k,thinking,response_format,service_tier,min_p,seed,presence_penalty,frequency_penalty,repeat_penalty,logit_bias,n,logprobs,top_logprobs,user,parallel_tool_calls",
		},
		"what changes nothing is not lost": {
			llama, llm.Prompt{Turns: hi, Parallel: new(false), Tier: "auto", Sampling: llm.Sampling{PresencePenalty: new(0.), RepeatPenalty: new(1.), LogitBias: []byte(`{}`), N: 1}, Thinking: llm.Thinking{Mode: llm.ThinkingOff}},
			msg + `}`, "",
		},
		"schema, tier and metadata": {
			claude45,
			llm.Prompt{Turns: hi, Tier: "flex", Metadata: map[string]string{"b": "2", "a": "x y"}, Format: llm.Format{Kind: llm.FormatSchema, Name: "n", Description: "d", Schema: []byte(`{"type":"object"}`)}},
			msg + `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\"}","name":"n","description":"d"}}}},"requestMetadata":{"a":"x y","b":"2"},"serviceTier":{"type":"flex"}}`, "",
		},
		"metadata that AWS refuses": {claude45, llm.Prompt{Turns: hi, Metadata: map[string]string{"a": "é"}}, msg + `}`, "metadata"},
		"roles take turns": {
			claude45,
			llm.Prompt{Turns: []llm.Turn{user(text("a")), {Role: llm.System, Parts: []llm.Part{text("rule")}}, user(text("b")), assistant(), assistant(text("  ")), user(text("c")), assistant(text("d")), {Role: llm.Assistant, Name: "bot", Parts: []llm.Part{text("e")}}}},
			`{"messages":[{"role":"user","content":[{"text":"a"},{"text":"rule"},{"text":"b"},{"text":"c"}]},{"role":"assistant","content":[{"text":"d"},{"text":"e"}]}]}`, "system,name",
		},
		"tools": {
			claude45,
			llm.Prompt{
				Turns: []llm.Turn{user(text("w?")), assistant(text("ok"), call("a", "f", `{"x":1}`), call("b", "g", "")), user(result("a", text("1")), llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: "b", Failed: true}}, text("go on"))},
				Tools: []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: new(true), Cache: &llm.Cache{}}, {Name: "g", Strict: new(false)}, {Name: "web", Raw: []byte(`{}`), Dialect: "anthropic"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceOne, Name: "f"},
			},
			`{"messages":[{"role":"user","content":[{"text":"w?"}]},{"role":"assistant","content":[{"text":"ok"},{"toolUse":{"toolUseId":"a","name":"f","input":{"x":1}}},{"toolUse":{"toolUseId":"b","name":"g","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}},{"toolResult":{"toolUseId":"b","content":[{"json":{}}],"status":"error"}},{"text":"go on"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}},"strict":true}},{"cachePoint":{"type":"default"}},{"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"tool":{"name":"f"}}}}`,
			"tools",
		},
		"what Llama refuses": {
			llama, llm.Prompt{Turns: hi, Tools: []llm.Tool{{Name: "f", Strict: new(true)}}, Choice: llm.ToolChoice{Mode: llm.ChoiceAny}},
			msg + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`, "strict,tool_choice",
		},
		"some tool of those allowed": {
			novaLite, llm.Prompt{Turns: hi, Tools: []llm.Tool{{Name: "f"}, {Name: "g"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceAny, Allowed: []string{"g"}}},
			msg + `,"toolConfig":{"tools":[{"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}}}`, "",
		},
		"no tool may be called": {llama, llm.Prompt{Turns: hi, Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceNone}}, msg + `}`, ""},
		"no tool may be called, but some were": {
			llama, llm.Prompt{Turns: []llm.Turn{user(text("hi")), assistant(call("a", "f", "")), user(llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: "a", Failed: true, Parts: []llm.Part{text("no")}}})}, Tools: []llm.Tool{{Name: "f"}}, Choice: llm.ToolChoice{Mode: llm.ChoiceNone}},
			`{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"no"}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`,
			"is_error,tool_choice",
		},
		"tools were called and are no longer offered": {
			llama, llm.Prompt{Turns: []llm.Turn{user(text("hi")), assistant(call("a", "f", "not JSON")), user(result("a", text("no")))}},
			`{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{"arguments":"not JSON"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"no"}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"No longer offered: do not call it.","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`, "",
		},
		"ids beyond AWS's bounds": {
			llama, llm.Prompt{Turns: []llm.Turn{assistant(call("call.é", "f", "[1]")), user(result("call.é", text("x")))}, Tools: []llm.Tool{{Name: "f"}}},
			`{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"call___9e0b8d99dfa2a4c1","name":"f","input":{"arguments":"[1]"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"call___9e0b8d99dfa2a4c1","content":[{"text":"x"}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`, "",
		},
		"cache points": {
			claude45, llm.Prompt{System: []llm.Part{{Kind: llm.Text, Text: "s", Cache: &llm.Cache{TTL: "1h"}}}, Turns: []llm.Turn{user(llm.Part{Kind: llm.Text, Text: "hi", Cache: &llm.Cache{}})}},
			`{"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}],"system":[{"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}}]}`, "",
		},
		"cache points of Nova": {
			novaLite, llm.Prompt{System: []llm.Part{{Kind: llm.Text, Text: "s", Cache: &llm.Cache{TTL: "5m"}}}, Turns: hi, Sampling: llm.Sampling{TopK: new(int64(4))}},
			msg + `,"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],"additionalModelRequestFields":{"inferenceConfig":{"topK":4}}}`, "",
		},
		"a model without cache points": {llama, llm.Prompt{Turns: []llm.Turn{user(llm.Part{Kind: llm.Text, Text: "hi", Cache: &llm.Cache{}})}}, msg + `}`, "cache_control"},
		"an ARN may hide any model":    {profile, llm.Prompt{Turns: []llm.Turn{user(llm.Part{Kind: llm.Text, Text: "hi", Cache: &llm.Cache{}})}}, `{"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}]}`, ""},
		"media": {
			claude45,
			llm.Prompt{Turns: []llm.Turn{user(text("see"),
				llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/jpeg", Base64: "QUJD", Detail: "low"}},
				llm.Part{Kind: llm.Image, Media: &llm.Media{Base64: "iVBORw0K"}},
				llm.Part{Kind: llm.Image, Media: &llm.Media{URL: "https://x/a.png"}},
				llm.Part{Kind: llm.Image, Media: &llm.Media{URL: "s3://b/a.webp"}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "QUJD", Name: "a_b.pdf", Context: "c", Cite: true}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "text/plain", Base64: "QUJD", Name: "a_b.pdf"}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{FileID: "f1", FileOf: "anthropic"}},
				llm.Part{Kind: llm.Video, Media: &llm.Media{MIME: "video/mp4", Base64: "QUJD"}},
				llm.Part{Kind: llm.Audio, Media: &llm.Media{MIME: "audio/wav", Base64: "QUJD"}},
				llm.Part{Kind: llm.Audio, Media: &llm.Media{MIME: "audio/strange", Base64: "QUJD"}},
				llm.Part{Kind: llm.Other, Raw: []byte(`{}`), Dialect: "openai-chat"},
			), assistant(llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "QUJD"}})}},
			`{"messages":[{"role":"user","content":[{"text":"see"},{"image":{"format":"jpeg","source":{"bytes":"QUJD"}}},{"image":{"format":"png","source":{"bytes":"iVBORw0K"}}},{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://b/a.webp"}}}},{"document":{"format":"pdf","name":"a-b-pdf","source":{"bytes":"QUJD"},"context":"c","citations":{"enabled":true}}},{"document":{"format":"txt","name":"a-b-pdf 2","source":{"bytes":"QUJD"}}},{"video":{"format":"mp4","source":{"bytes":"QUJD"}}},{"audio":{"format":"wav","source":{"bytes":"QUJD"}}}]}]}`,
			"detail,image,file_id,audio,content",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost := write(t, c.model, c.in)
			if diff := cmp.Diff(c.want, body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if lost != c.lost {
				t.Errorf("lost %q, want %q", lost, c.lost)
			}
		})
	}
}

func TestWrite_Thought(t *testing.T) {
	t.Parallel()
	hi := []llm.Turn{user(text("hi"))}
	const msg = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]`
	think := func(effort string) llm.Thinking { return llm.Thinking{Mode: llm.ThinkingOn, Effort: effort} }
	loop := func(thought ...llm.Part) []llm.Turn {
		return []llm.Turn{user(text("hi")), assistant(append(thought, call("a", "f", "{}"))...), user(result("a", text("1")))}
	}
	const tail = `{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`
	tools := []llm.Tool{{Name: "f"}}
	for name, c := range map[string]struct {
		model      string
		in         llm.Prompt
		want, lost string
	}{
		"a budget for an effort": {
			claude45, llm.Prompt{Turns: hi, Thinking: think("low"), Sampling: llm.Sampling{Temperature: new(0.2), TopK: new(int64(3)), TopP: new(1.)}},
			msg + `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":4096}}}`, "temperature,top_k",
		},
		"a budget within the bound": {
			claude37, llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 9000}, Sampling: llm.Sampling{MaxTokens: new(int64(2000))}},
			msg + `,"inferenceConfig":{"maxTokens":2000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1999}}}`, "thinking",
		},
		"no room for thought":       {claude37, llm.Prompt{Turns: hi, Thinking: think("high"), Sampling: llm.Sampling{MaxTokens: new(int64(500))}}, msg + `,"inferenceConfig":{"maxTokens":500}}`, "thinking"},
		"a forced tool comes first": {claude45, llm.Prompt{Turns: hi, Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceAny}, Thinking: think("high")}, msg + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}}}`, "thinking"},
		"an effort for those that decide": {
			claude46, llm.Prompt{Turns: hi, Thinking: think("xhigh")}, msg + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive"}},"outputConfig":{"effort":"xhigh"}}`, "",
		},
		"adaptive, shown":                {claude48, llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingAdaptive, Show: new(true)}}, msg + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive","display":"summarized"}}}`, ""},
		"off":                            {claude48, llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOff}, Sampling: llm.Sampling{Temperature: new(.5)}}, msg + `,"additionalModelRequestFields":{"thinking":{"type":"disabled"}}}`, "temperature"},
		"off, of one that always thinks": {"anthropic.claude-fable-5-1", llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOff}}, msg + `}`, "thinking"},
		"most of a budget":               {claude37, llm.Prompt{Turns: hi, Thinking: think("max")}, msg + `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":31000}}}`, ""},
		"a budget became a word": {
			claude46, llm.Prompt{Turns: hi, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 8000}}, msg + `,"additionalModelRequestFields":{"thinking":{"type":"adaptive"}},"outputConfig":{"effort":"medium"}}`, "thinking",
		},
		"hot":               {claude37, llm.Prompt{Turns: hi, Sampling: llm.Sampling{Temperature: new(1.5), TopP: new(.5), TopK: new(int64(3))}}, msg + `,"inferenceConfig":{"temperature":1,"topP":0.5},"additionalModelRequestFields":{"top_k":3}}`, "temperature"},
		"one of two":        {claude45, llm.Prompt{Turns: hi, Sampling: llm.Sampling{Temperature: new(.5), TopP: new(.5)}}, msg + `,"inferenceConfig":{"temperature":0.5}}`, "top_p"},
		"gpt-oss":           {gptOSS, llm.Prompt{Turns: hi, Thinking: think("max")}, msg + `,"additionalModelRequestFields":{"reasoning_effort":"high"}}`, ""},
		"Nova 2":            {nova2, llm.Prompt{Turns: hi, Thinking: think("high"), Sampling: llm.Sampling{MaxTokens: new(int64(9))}}, msg + `,"inferenceConfig":{"maxTokens":9},"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}}`, "thinking"},
		"Nova before":       {novaLite, llm.Prompt{Turns: hi, Thinking: think("high")}, msg + `}`, "thinking"},
		"an unknown family": {profile, llm.Prompt{Turns: hi, Thinking: think("high")}, msg + `}`, "thinking"},
		"signed thought goes back": {
			claude45, llm.Prompt{Tools: tools, Thinking: think("low"), Turns: loop(llm.Part{Kind: llm.Reasoning, Text: "Hm", Signature: "s+/=", Signer: Name}, llm.Part{Kind: llm.Reasoning, Redacted: "cmVk", Signer: Name})},
			`{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"s+/="}}},{"reasoningContent":{"redactedContent":"cmVk"}},` + tail + `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":4096}}}`, "",
		},
		"another's thought does not": {
			claude45, llm.Prompt{Tools: tools, Thinking: think("low"), Turns: loop(llm.Part{Kind: llm.Reasoning, Text: "Hm", Signature: "s", Signer: "gemini"}, llm.Part{Kind: llm.Reasoning, Text: "so"})},
			`{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[` + tail + `}`, "signature,reasoning,thinking",
		},
		"a signed call": {
			claude46, llm.Prompt{Tools: tools, Turns: []llm.Turn{user(text("hi")), assistant(llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: "a", Name: "f"}, Signature: "x", Signer: "gemini"}), user(result("a", text("1")))}},
			`{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[` + tail + `}`, "signature",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost := write(t, c.model, c.in)
			if diff := cmp.Diff(c.want, body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if lost != c.lost {
				t.Errorf("lost %q, want %q", lost, c.lost)
			}
		})
	}
}

func TestVersionOfClaude(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]int{
		claude37: 37, claude45: 45, claude46: 46, claude48: 48, "anthropic.claude-opus-4-20250514-v1:0": 40, "anthropic.claude-3-haiku-20240307-v1:0": 30,
		"anthropic.claude-v2:1": 0, "anthropic.claude-fable-5-1": 51, "anthropic.claude-mythos-preview": 47, "global.anthropic.claude-opus-4-1-20250805-v1:0": 41, "anthropic.claude-opus-5": 50, llama: 0,
	} {
		if got := versionOfClaude(model); got != want {
			t.Errorf("%s: %d, want %d", model, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		surface llm.Surface
		model   string
		stream  bool
		want    string
	}{
		{llm.Chat, claude45, false, "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"},
		{llm.Chat, profile, true, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse-stream"},
		{llm.Chat, "a b?c#d", false, "/model/a%20b%3Fc%23d/converse"},
		{llm.Embeddings, claude45, false, ""},
	} {
		if got := Path(&llm.Request{Surface: c.surface, Stream: c.stream}, llm.Options{Model: c.model}); got != c.want {
			t.Errorf("%s: %s, want %s", c.model, got, c.want)
		}
	}
	if _, _, err := Write(&llm.Prompt{Surface: llm.Embeddings}, false, llm.Options{}); llm.AsError(err).Kind != llm.Unsupported {
		t.Errorf("embeddings: %v", err)
	}
}

// keep keeps the body of a request instead of sending it.
type keep struct {
	body []byte
	path string
}

func (k *keep) Do(r *http.Request) (*http.Response, error) {
	k.body, _ = io.ReadAll(r.Body)
	k.path = r.URL.EscapedPath()
	return nil, io.ErrClosedPipe
}

// TestWrite_IsWhatTheSDKSends compares with the request that AWS's own client makes of the same
// conversation.
func TestWrite_IsWhatTheSDKSends(t *testing.T) {
	t.Parallel()
	schema := map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}
	rawSchema, _ := json.Marshal(schema, json.Deterministic(true))
	image, _ := base64.StdEncoding.DecodeString("iVBORw0KGgo=")
	ours, lost, err := Write(&llm.Prompt{
		Surface: llm.Chat, System: []llm.Part{{Kind: llm.Text, Text: "be brief", Cache: &llm.Cache{TTL: "1h"}}},
		Turns: []llm.Turn{
			user(text("weather?"), llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: "image/png", Base64: "iVBORw0KGgo="}},
				llm.Part{Kind: llm.Document, Media: &llm.Media{MIME: "application/pdf", Base64: "JVBERg==", Name: "report"}}),
			assistant(llm.Part{Kind: llm.Reasoning, Text: "Hm", Signature: "sig", Signer: Name}, llm.Part{Kind: llm.Reasoning, Redacted: "cmVk", Signer: Name}, text("Let me see."), call("t1", "f", `{"city":"Ulm"}`)),
			user(llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: "t1", Parts: []llm.Part{text("rain")}, Failed: true}}),
		},
		Tools: []llm.Tool{{Name: "f", Description: "d", Schema: rawSchema, Strict: new(true)}}, Choice: llm.ToolChoice{Mode: llm.ChoiceAuto},
		Format:   llm.Format{Kind: llm.FormatSchema, Name: "n", Schema: []byte(`{"type":"object"}`)},
		Sampling: llm.Sampling{MaxTokens: new(int64(9000)), Stop: []string{"END"}}, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 2048},
		Metadata: map[string]string{"team": "x"}, Tier: "priority",
	}, false, llm.Options{Model: claude45})
	if err != nil || len(lost) > 0 {
		t.Fatal(err, lost)
	}
	theirs := &keep{}
	client := bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", HTTPClient: theirs, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	_, _ = client.Converse(t.Context(), &bedrockruntime.ConverseInput{
		ModelId: new(claude45),
		System:  []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "be brief"}, &types.SystemContentBlockMemberCachePoint{Value: types.CachePointBlock{Type: types.CachePointTypeDefault, Ttl: types.CacheTTLOneHour}}},
		Messages: []types.Message{
			{Role: types.ConversationRoleUser, Content: []types.ContentBlock{
				&types.ContentBlockMemberText{Value: "weather?"},
				&types.ContentBlockMemberImage{Value: types.ImageBlock{Format: types.ImageFormatPng, Source: &types.ImageSourceMemberBytes{Value: image}}},
				&types.ContentBlockMemberDocument{Value: types.DocumentBlock{Format: types.DocumentFormatPdf, Name: new("report"), Source: &types.DocumentSourceMemberBytes{Value: []byte("%PDF")}}},
			}},
			{Role: types.ConversationRoleAssistant, Content: []types.ContentBlock{
				&types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberReasoningText{Value: types.ReasoningTextBlock{Text: new("Hm"), Signature: new("sig")}}},
				&types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberRedactedContent{Value: []byte("red")}},
				&types.ContentBlockMemberText{Value: "Let me see."},
				&types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{ToolUseId: new("t1"), Name: new("f"), Input: awsdocument.NewLazyDocument(map[string]any{"city": "Ulm"})}},
			}},
			{Role: types.ConversationRoleUser, Content: []types.ContentBlock{
				&types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{ToolUseId: new("t1"), Status: types.ToolResultStatusError, Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: "rain"}}}},
			}},
		},
		InferenceConfig: &types.InferenceConfiguration{MaxTokens: new(int32(9000)), StopSequences: []string{"END"}},
		ToolConfig: &types.ToolConfiguration{
			Tools:      []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{Name: new("f"), Description: new("d"), Strict: new(true), InputSchema: &types.ToolInputSchemaMemberJson{Value: awsdocument.NewLazyDocument(schema)}}}},
			ToolChoice: &types.ToolChoiceMemberAuto{},
		},
		OutputConfig:                      &types.OutputConfig{TextFormat: &types.OutputFormat{Type: types.OutputFormatTypeJsonSchema, Structure: &types.OutputFormatStructureMemberJsonSchema{Value: types.JsonSchemaDefinition{Name: new("n"), Schema: new(`{"type":"object"}`)}}}},
		AdditionalModelRequestFields:      awsdocument.NewLazyDocument(map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 2048}}),
		AdditionalModelResponseFieldPaths: []string{"/stop_sequence"},
		RequestMetadata:                   map[string]string{"team": "x"},
		ServiceTier:                       &types.ServiceTier{Type: types.ServiceTierTypePriority},
	})
	var want, got any
	if err := json.Unmarshal(theirs.body, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(ours, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-SDK +ours):\n%s", diff)
	}
	if path := Path(&llm.Request{Surface: llm.Chat}, llm.Options{Model: claude45}); path != theirs.path {
		t.Errorf("path %s, the SDK's is %s", path, theirs.path)
	}
}
