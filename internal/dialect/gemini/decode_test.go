package gemini

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func decode(t *testing.T, surface llm.Surface, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: surface, Body: []byte(body), Limits: rawjson.Default(), Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	req.ID = "01J"
	return req
}

func TestDecode_RefusesWhatIsWrongAndNamesIt(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:               "",
		`{"contents":`:     "",
		`{"a":1,"a":2}`:    "",
		`{"contents":"x"}`: "contents", `{"contents":[]}`: "contents", `{}`: "contents", `{"contents":["x"]}`: "contents[0]",
		`{"contents":[{"parts":"x"}]}`:                                                       "contents[0].parts",
		`{"contents":[{"parts":["x"]}]}`:                                                     "contents[0].parts[0]",
		`{` + hi + `,"generationConfig":[]}`:                                                 "generationConfig",
		`{` + hi + `,"generation_config":{"temperature":"1"}}`:                               "generationConfig.temperature",
		`{` + hi + `,"generationConfig":{"maxOutputTokens":-1}}`:                             "generationConfig.maxOutputTokens",
		`{` + hi + `,"generationConfig":{"candidate_count":99}}`:                             "generationConfig.candidateCount",
		`{` + hi + `,"generationConfig":{"topK":1,"top_k":2}}`:                               "",
		`{` + hi + `,"generationConfig":{},"generation_config":{}}`:                          "",
		`{` + hi + `,"generationConfig":{},"generation\u0043onfig":{}}`:                      "",
		`{` + hi + `,"tools":[1]}`:                                                           "tools[0]",
		`{` + hi + `,"tools":[{"functionDeclarations":[{}]}]}`:                               "tools[0].functionDeclarations[0].name",
		`{` + hi + `,"labels":{"fairlead_task":1}}`:                                          "labels.fairlead_task",
		`{"contents":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `,"model":1}`: "",
	} {
		_, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(body), Limits: rawjson.Default(), Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.Invalid || e.Param != want || e.Message == "" {
			t.Errorf("%s: %v, param %q", body, err, e.Param)
		}
	}
	if _, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(`{` + hi + `}`)}); llm.AsError(err).Param != "model" {
		t.Errorf("%v", err)
	}
	for body, want := range map[string]string{`{}`: "content", `{"requests":[]}`: "requests", `{"requests":[{}]}`: "requests[0].content"} {
		if _, err := Decode(llm.Incoming{Surface: llm.Embeddings, Body: []byte(body), Model: "m"}); llm.AsError(err).Param != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDecode_FindsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]llm.Ability{
		`{` + hi + `,"unknown":{"x":1}}`:                                                                                        0,
		`{"contents":{"parts":{"text":"x"}}}`:                                                                                   0,
		`{"contents":[{"parts":[{"inline_data":{"mime_type":"audio/wav","data":""}}]}]}`:                                        llm.CanAudio,
		`{"contents":[{"parts":[{"fileData":{"mimeType":"video/mp4","fileUri":"x"}}]}]}`:                                        llm.CanVision,
		`{` + hi + `,"tools":[{"function_declarations":[{"name":"f"}]}]}`:                                                       llm.CanTools,
		`{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`: 0,
		`{` + hi + `,"tools":[{"googleSearch":{}}]}`:                                                                            0,
		`{` + hi + `,"generationConfig":{"responseMimeType":"application/json"}}`:                                               llm.CanJSON,
		`{` + hi + `,"generationConfig":{"response_mime_type":"application/json","response_schema":{"type":"X"}}}`:              llm.CanSchema,
		`{` + hi + `,"generationConfig":{"responseLogprobs":true,"candidateCount":2}}`:                                          llm.CanLogprobs | llm.CanManyChoices,
	} {
		req := decode(t, llm.Chat, body)
		if got := req.Needs &^ llm.CanChat; got != want {
			t.Errorf("%s: needs %v", body, got.Names())
		}
		if !req.StreamUsage || req.Model != "m" {
			t.Errorf("%+v", req)
		}
	}
	req := decode(t, llm.Chat, `{`+hi+`,"labels":{"fairlead_task":"t","a":"b"},"generation_config":{"max_output_tokens":9}}`)
	if req.Tags.Task != "t" || req.MaxTokens != 9 {
		t.Errorf("%+v", req)
	}
}

func TestEncode_LeavesTheClientsBytesAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface        llm.Surface
		in, want, lost string
	}{
		"unknown fields": {llm.Chat, `{ "contents":[{"parts":[{"text":"x","new":1}]}], "safety_settings":[], "new":{"a":[1]} }`, "", ""},
		"labels":         {llm.Chat, `{` + hi + `,"labels":{"fairlead_task":"t"}}`, `{` + hi + `}`, ""},
		"some labels":    {llm.Chat, `{` + hi + `,"labels":{"fairlead_task":"t","a":"b"}}`, `{` + hi + `,"labels":{"a":"b"}}`, ""},
		"own signatures": {llm.Chat, `{"contents":[{"role":"model","parts":[{"text":"x","thoughtSignature":"ZmFpcmxlYWQuYQ=="}]}]}`, "", ""},
		"carried signatures": {llm.Chat,
			`{"contents":[{"role":"model","parts":[{"thought":true,"text":"Hm","thought_signature":"ZmFpcmxlYWQuYW50aHJvcGljLnM="},{"text":"","thought":true,"thoughtSignature":"ZmFpcmxlYWQuYW50aHJvcGljLnM"},{"functionCall":{"name":"f"},"thoughtSignature":"c2ln"}]}], "x":1}`,
			`{"contents":[{"role":"model","parts":[{"thought":true,"text":"Hm"},{"text":""},{"functionCall":{"name":"f"},"thoughtSignature":"c2ln"}]}], "x":1}`,
			"thoughtSignature"},
		"models within": {llm.Embeddings, `{"requests":[{"model":"models/m","content":{"parts":[]}}, {"content":{"parts":[]},"model":"models/m"}]}`,
			`{"requests":[{"model":"models/t","content":{"parts":[]}}, {"content":{"parts":[]},"model":"models/t"}]}`, ""},
		"models of counts": {llm.CountTokens, `{"generate_content_request":{` + hi + `,"model":"models/m"}}`, `{"generate_content_request":{` + hi + `,"model":"models/t"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := decode(t, tc.surface, tc.in)
			body, lost, err := Encode(req, llm.Options{Model: "t"})
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			if want == "" {
				want = tc.in
				if len(body) != 1 || &body[0][0] != &req.Body[0] {
					t.Error("the body was copied")
				}
			}
			if diff := cmp.Diff(want, string(body.Join())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := strings.Join(lost, ","); got != tc.lost {
				t.Errorf("lost %q", got)
			}
		})
	}
}

func TestRead_TakesBothWaysOfWritingNames(t *testing.T) {
	t.Parallel()
	snake := `{"system_instruction":{"parts":{"text":"s"}},"contents":{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"_-8"}},{"file_data":{"mime_type":"application/pdf","file_uri":"gs://b/c"}}]},
	"generation_config":{"max_output_tokens":3,"stop_sequences":["a_b"],"thinking_config":{"thinking_budget":-1,"include_thoughts":true},"response_json_schema":{"type":"object","properties":{"a_b":{}}}},
	"tools":{"function_declarations":{"name":"a_b","parameters":{"type":"OBJECT","properties":{"c_d":{"type":"ARRAY","min_items":"1","items":{"type":"STRING"}},"e":{"any_of":[{"type":"NUMBER"}]}},"property_ordering":["c_d"]}}},
	"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["a_b"]}},"cached_content":"c"}`
	p, err := Read(decode(t, llm.Chat, snake))
	if err != nil {
		t.Fatal(err)
	}
	media := p.Turns[0].Parts[0].Media
	if p.System[0].Text != "s" || media.Base64 != "/+8=" || p.Turns[0].Parts[1].Media.FileID != "gs://b/c" {
		t.Errorf("%+v, %+v", p, media)
	}
	if *p.Sampling.MaxTokens != 3 || p.Sampling.Stop[0] != "a_b" || p.Thinking.Mode != llm.ThinkingAdaptive || string(p.Format.Schema) != `{"type":"object","properties":{"a_b":{}}}` {
		t.Errorf("%+v", p)
	}
	want := `{"type":"object","properties":{"c_d":{"type":"array","minItems":1,"items":{"type":"string"}},"e":{"anyOf":[{"type":"number"}]}}}`
	if diff := cmp.Diff(want, string(p.Tools[0].Schema)); diff != "" || p.Tools[0].Name != "a_b" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Choice.Mode != llm.ChoiceOne || p.Choice.Name != "a_b" || strings.Join(p.Unread, ",") != "cachedContent" {
		t.Errorf("%+v, %q", p.Choice, p.Unread)
	}
}

func TestRead_FindsTheCallOfAResult(t *testing.T) {
	t.Parallel()
	p, err := Read(decode(t, llm.Chat, `{"contents":[
		{"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"f","args":{"n":2}}},{"functionCall":{"id":"own","name":"g"}}]},
		{"role":"function","parts":[{"functionResponse":{"name":"f","response":{"output":"one"}}},{"functionResponse":{"id":"own","name":"g","response":{"error":"no"}}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1,"output":2}}},{"functionResponse":{"name":"stray","response":{"output":[1]}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, part := range p.Turns[1].Parts {
		r := part.Result
		failed := ""
		if r.Failed {
			failed = "!"
		}
		got = append(got, r.CallID+" "+r.Name+" "+r.Parts[0].Text+failed)
	}
	want := []string{"call_1 f one", "own g no!", `call_2 f {"a":1,"output":2}`, "call_3 stray [1]"}
	if diff := cmp.Diff(want, got); diff != "" || len(p.Turns) != 2 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Turns[0].Parts[2].Call.Arguments != "{}" {
		t.Errorf("%+v", p.Turns[0].Parts[2].Call)
	}
}

func TestRead_JoinsThePiecesOfAStream(t *testing.T) {
	t.Parallel()
	body := `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},
		{"role":"model","parts":[{"text":"H","thought":true}]},{"role":"model","parts":[{"text":"m","thought":true}]},
		{"role":"model","parts":[{"text":"","thought":true,"thoughtSignature":"` + carry(&llm.Part{Signer: "anthropic", Signature: "s"}) + `"}]},
		{"role":"model","parts":[{"text":"","thought":true,"thoughtSignature":"` + carry(&llm.Part{Signer: "anthropic", Redacted: "r", Signature: "q"}) + `"}]},
		{"role":"model","parts":[{"text":"Hel"}]},{"role":"model","parts":[{"text":"lo"},{"text":"","thoughtSignature":"c2ln"}]}]}`
	p, err := Read(decode(t, llm.Chat, body))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Turn{
		say(llm.User, words("a"), words("b")),
		say(llm.Assistant,
			llm.Part{Kind: llm.Reasoning, Text: "Hm", Signature: "s", Signer: "anthropic"},
			llm.Part{Kind: llm.Reasoning, Signature: "q", Redacted: "r", Signer: "anthropic"},
			words("Hello"), llm.Part{Kind: llm.Reasoning, Signature: "c2ln", Signer: Name}),
	}
	if diff := cmp.Diff(want, p.Turns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRead_NamesWhatHasNoWord(t *testing.T) {
	t.Parallel()
	p, err := Read(decode(t, llm.Chat, `{"contents":[{"parts":[{"text":"x"},{"executableCode":{"code":"1"}},{"inlineData":{"mimeType":"video/mp4","data":"AAAA"},"videoMetadata":{"fps":1},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}]}],
		"safetySettings":[{}],"generationConfig":{"speechConfig":{},"responseModalities":["AUDIO"],"responseMimeType":"text/x.enum"},"tools":[{"codeExecution":{},"urlContext":{}}],"labels":{"a":"b"},"store":true,"nothing":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "generationConfig.responseMimeType,generationConfig.responseModalities,generationConfig.speechConfig,safetySettings,videoMetadata"
	if got := strings.Join(p.Unread, ","); got != want {
		t.Errorf("unread %q", got)
	}
	if other := p.Turns[0].Parts[1]; other.Kind != llm.Other || string(other.Raw) != `{"executableCode":{"code":"1"}}` {
		t.Errorf("%s", other.Raw)
	}
	if p.Turns[0].Parts[2].Media.Detail != "low" || p.Metadata["a"] != "b" || string(p.Tools[0].Raw) != `{"codeExecution":{}}` || len(p.Tools) != 2 {
		t.Errorf("%+v", p)
	}
}

func TestRead_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"contents":[{"role":"system","parts":[{"text":"x"}]}]}`:          "contents[0].role",
		`{"contents":[{"role":"user","parts":[{}]}]}`:                      "contents[0].parts[0]",
		`{"contents":[{"role":"user","parts":[{"text":1}]}]}`:              "contents.0.parts.0.text",
		`{` + hi + `,"generationConfig":{"thinkingConfig":{"x":1}},"n":1}`: "",
	} {
		_, err := Read(decode(t, llm.Chat, body))
		switch {
		case err == nil && want != "":
			t.Errorf("%s: accepted", body)
		case err != nil && llm.AsError(err).Param != want:
			t.Errorf("%s: %v", body, err)
		}
	}
}
