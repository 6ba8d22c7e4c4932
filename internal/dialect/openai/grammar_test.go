package openai

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

const toolsBody = `{"model":"m","stream":true,"parallel_tool_calls":true,"messages":[
 {"role":"user","content":"weather?"},
 {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},
 {"role":"tool","tool_call_id":"call_1","content":"sunny"}],
 "tools":[{"type":"function","function":{"name":"weather","description":"tells the weather","parameters":{"type":"object","properties":{"city":{"$ref":"#/$defs/city"},"days":{"type":"integer"}},"$defs":{"city":{"type":"string"}}}}},
          {"type":"function","function":{"name":"now"}}]}`

var byGrammar = llm.Options{Model: "m", ToolsByGrammar: true}

func TestGrammar_RequestHasASchemaInPlaceOfTools(t *testing.T) {
	t.Parallel()
	segments, loss, err := Encode(decode(t, llm.Chat, toolsBody), byGrammar)
	body := segments.Join()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tools", "parallel_tool_calls"}, loss); diff != "" {
		t.Errorf("loss (-want +got):\n%s", diff)
	}
	var got struct {
		Tools          any
		ToolChoice     any `json:"tool_choice"`
		Messages       []struct{ Role, Content string }
		ResponseFormat struct {
			JSONSchema struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Tools != nil || len(got.Messages) != 4 {
		t.Fatalf("got %s", body)
	}
	for i, want := range []string{"weather", "weather?", `{"name": "weather", "arguments": {"city":"Rome"}}`, "Result of call_1: sunny"} {
		if !strings.Contains(got.Messages[i].Content, want) {
			t.Errorf("message %d is %q, want %q in it", i, got.Messages[i].Content, want)
		}
	}
	const schema = `{"$defs":{"t0":{"type":"object","properties":{"city":{"$ref":"#/$defs/t0/$defs/city"},"days":{"type":"integer"}},"$defs":{"city":{"type":"string"}}},` +
		`"t1":{"type":"object","properties":{},"additionalProperties":false}},"anyOf":[` +
		`{"type":"object","properties":{"name":{"const":"weather"},"arguments":{"$ref":"#/$defs/t0"}},"required":["name","arguments"],"additionalProperties":false},` +
		`{"type":"object","properties":{"name":{"const":"now"},"arguments":{"$ref":"#/$defs/t1"}},"required":["name","arguments"],"additionalProperties":false},` +
		`{"type":"object","properties":{"content":{"type":"string"}},"required":["content"],"additionalProperties":false}]}`
	if diff := cmp.Diff(schema, string(got.ResponseFormat.JSONSchema.Schema)); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

func TestGrammar_ToolChoiceNarrowsTheSchema(t *testing.T) {
	t.Parallel()
	base := `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}],"tool_choice":`
	for choice, want := range map[string]struct{ has, lacks string }{
		`"required"`: {`"const":"a"`, `"content":{"type":"string"}`},
		`{"type":"function","function":{"name":"b"}}`: {`"const":"b"`, `"const":"a"`},
		`"auto"`: {`"content":{"type":"string"}`, `"tools"`},
	} {
		segments, _, err := Encode(decode(t, llm.Chat, base+choice+"}"), byGrammar)
		body := segments.Join()
		if err != nil || !strings.Contains(string(body), want.has) || strings.Contains(string(body), want.lacks) {
			t.Errorf("%s: %v, %s", choice, err, body)
		}
	}
	_, _, err := Encode(decode(t, llm.Chat, base+`{"type":"function","function":{"name":"c"}}}`), byGrammar)
	if err == nil || llm.AsError(err).Param != "tool_choice" {
		t.Errorf("a choice of no tool: %v", err)
	}
}

// contentStream is a stream whose text comes in pieces of n bytes.
func contentStream(text string, n int) string {
	var out strings.Builder
	out.WriteString(roleChunk)
	for len(text) > 0 {
		cut := min(n, len(text))
		for cut < len(text) && text[cut]&0xC0 == 0x80 { // chunks hold whole characters
			cut++
		}
		piece, _ := json.Marshal(text[:cut])
		text = text[cut:]
		fmt.Fprintf(&out, `data: {"id":"chatcmpl-9","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}`+"\n\n", piece)
	}
	out.WriteString(stopChunk + doneChunk)
	return out.String()
}

// collected is what a client makes of a stream.
type collected struct{ Content, Name, Arguments, Finish string }

func collect(t *testing.T, raw string) (c collected) {
	t.Helper()
	for line := range strings.SplitSeq(raw, "\n\n") {
		data, ok := strings.CutPrefix(line, "data: {")
		if !ok {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						ID       string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				FinishReason string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte("{"+data), &chunk); err != nil {
			t.Fatalf("chunk %q: %v", line, err)
		}
		for _, ch := range chunk.Choices {
			c.Content += ch.Delta.Content
			c.Finish += ch.FinishReason
			for _, call := range ch.Delta.ToolCalls {
				if (call.ID != "") != (call.Function.Name != "") {
					t.Errorf("id and name come together: %q", line)
				}
				c.Name += call.Function.Name
				c.Arguments += call.Function.Arguments
			}
		}
	}
	return c
}

func TestGrammar_StreamTurnsBackWhateverTheChunks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want collected
	}{
		"a call":          {`{"name": "weather", "arguments": {"city": "Ro}\"me", "days": [1, {"x": 2}]} }`, collected{Name: "weather", Arguments: `{"city": "Ro}\"me", "days": [1, {"x": 2}]}`, Finish: "tool_calls"}},
		"words":           {`{"content":"It is \"fine\" \ud83d\ude00 é\n\\"}`, collected{Content: "It is \"fine\" 😀 é\n\\", Finish: "stop"}},
		"spaced":          {" {\n \"content\" : \"x\" }", collected{Content: "x", Finish: "stop"}},
		"no JSON at all":  {"Hello there", collected{Content: "Hello there", Finish: "stop"}},
		"never to point":  {`{"nam`, collected{Content: `{"nam`, Finish: "stop"}},
		"arguments first": {`{"arguments": {"city": "Ro}\"me", "days": [1]} , "name": "weather"}`, collected{Name: "weather", Arguments: `{"city": "Ro}\"me", "days": [1]}`, Finish: "tool_calls"}},
		"long and first":  {`{"arguments":{"city":"` + strings.Repeat("R", 2*maxPrefix) + `"},"name":"weather"}`, collected{Name: "weather", Arguments: `{"city":"` + strings.Repeat("R", 2*maxPrefix) + `"}`, Finish: "tool_calls"}},
		"and no name":     {`{"arguments":{"city":"Rome"},"nom":"weather"}`, collected{Content: `{"arguments":{"city":"Rome"},"nom":"weather"}`, Finish: "stop"}},
		"and cut":         {`{"arguments":{"city":"Ro`, collected{Content: `{"arguments":{"city":"Ro`, Finish: "stop"}},
		"cut in argument": {`{"name":"weather","arguments":{"city":"R`, collected{Name: "weather", Arguments: `{"city":"R`, Finish: "tool_calls"}},
	} {
		for n := 1; n <= len(tc.text); n += 1 + len(tc.text)/7 {
			t.Run(fmt.Sprintf("%s by %d", name, n), func(t *testing.T) {
				t.Parallel()
				d := newStream(t, toolsBody, byGrammar)
				raw, events, err := drain(d, contentStream(tc.text, n))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, collect(t, raw)); diff != "" {
					t.Errorf("(-want +got):\n%s\nof %s", diff, raw)
				}
				for _, ev := range events {
					if tc.want.Name != "" && ev.Marks&llm.MarkContent != 0 {
						t.Errorf("a call's bytes were marked as content")
					}
				}
				if !d.Complete() {
					t.Error("not complete")
				}
			})
		}
	}
}

func TestGrammar_HeldArgumentsHaveABound(t *testing.T) {
	t.Parallel()
	text := `{"arguments":["` + strings.Repeat("R", maxEarly)
	raw, _, err := drain(newStream(t, toolsBody, byGrammar), contentStream(text, 1<<16))
	if got := collect(t, raw); err != nil || got.Content != text || got.Finish != "stop" {
		t.Errorf("%v, %d bytes, %q", err, len(got.Content), got.Finish)
	}
}

func TestGrammar_ArgumentsAreNotBuffered(t *testing.T) {
	t.Parallel()
	d := newStream(t, toolsBody, byGrammar)
	_, events, err := drain(d, contentStream(`{"name":"weather","arguments":{"city":"Rome and a long tail"}}`, 4))
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	for _, ev := range events {
		if ev.Marks&llm.MarkTool != 0 {
			pieces++
		}
	}
	if pieces < 8 {
		t.Errorf("the arguments came in %d pieces: they were held back", pieces)
	}
}

func TestGrammar_PlainAnswerTurnsBack(t *testing.T) {
	t.Parallel()
	req := decode(t, llm.Chat, strings.Replace(toolsBody, `"stream":true`, `"stream":false`, 1))
	answer := func(content string) string {
		text, _ := json.Marshal(content)
		return `{"id":"chatcmpl-9","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":` + string(text) + `},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	}
	ev, err := Answer(req, byGrammar, []byte(answer(`{"name":"weather","arguments":{"city":"Rome"}}`)))
	want := `{"id":"chatcmpl-9","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_9_0","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}],"refusal":null},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	if diff := cmp.Diff(want, string(ev.Raw)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	ev, err = Answer(req, byGrammar, []byte(answer(`{"arguments":{"city":"Rome"},"name":"weather"}`)))
	if diff := cmp.Diff(want, string(ev.Raw)); err != nil || diff != "" {
		t.Errorf("arguments first: %v (-want +got):\n%s", err, diff)
	}
	ev, err = Answer(req, byGrammar, []byte(answer(`{"content":"hi"}`)))
	if err != nil || !strings.Contains(string(ev.Raw), `"content":"hi","refusal":null`) {
		t.Errorf("%v, %s", err, ev.Raw)
	}
}
