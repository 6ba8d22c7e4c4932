package enginetests

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"
)

// ask is one question, the same in every dialect.
type ask struct {
	turns  []string // user first, then the assistant, and so on
	system string
	most   int    // tokens of the answer
	stop   string // a stop sequence
	schema string // the answer's JSON Schema
	tool   string // a tool that must be called; its argument is city
	stream bool
}

// said is an answer, whatever dialect it came in.
type said struct {
	text   string
	tool   string // the called tool and its arguments, "name {…}"
	why    string // the stop reason, in the wire's own word
	in     int64  // all tokens of the prompt, from a cache or not
	out    int64
	pieces int // of a stream
}

// client is one dialect as its clients speak it.
type client struct {
	name string
	// ends, cut and called are its words for an answer that is over, reached its limit, or
	// calls a tool.
	ends, cut, called string
	path              func(model string, a ask) string
	body              func(model string, a ask) object
	read              func(t testing.TB, a ask, body []byte) said
	// tooLong reports whether an error body has this dialect's shape for a prompt that
	// does not fit; its message is looked at elsewhere.
	tooLong func(body []byte) (message string, ok bool)
}

type object = map[string]any

var clients = []client{chatClient, responsesClient, anthropicClient, geminiClient, ollamaClient}

func (c client) ask(t testing.TB, s server, model string, a ask) (said, reply) {
	t.Helper()
	r := s.do(t, c.path(model, a), encode(c.body(model, a)))
	if r.status != 200 {
		t.Fatalf("%s asked %s: %d %s", c.name, model, r.status, r.body)
	}
	return c.read(t, a, r.body), r
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // what tests build is always JSON
	}
	return b
}

func decode(t testing.TB, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}

// toolSchema is the only tool's.
var toolSchema = object{"type": "object", "properties": object{"city": object{"type": "string", "maxLength": 12}}, "required": []string{"city"}, "additionalProperties": false}

// messages are the turns in the form that most dialects have.
func messages(a ask) (list []object) {
	for i, text := range a.turns {
		list = append(list, object{"role": [...]string{"user", "assistant"}[i%2], "content": text})
	}
	return list
}

func withSystem(a ask, list []object) []object {
	if a.system == "" {
		return list
	}
	return append([]object{{"role": "system", "content": a.system}}, list...)
}

// events splits a stream of server-sent events into the data of each.
func events(t testing.TB, body []byte) (data [][]byte) {
	t.Helper()
	for event := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n\n") {
		for line := range strings.SplitSeq(event, "\n") {
			if rest, ok := strings.CutPrefix(line, "data:"); ok {
				data = append(data, []byte(strings.TrimSpace(rest)))
			}
		}
	}
	if len(data) == 0 {
		t.Fatalf("no events in %q", body)
	}
	return data
}

var chatClient = client{
	name: "openai-chat", ends: "stop", cut: "length", called: "tool_calls",
	path: func(string, ask) string { return "/v1/chat/completions" },
	body: func(model string, a ask) object {
		b := object{"model": model, "messages": withSystem(a, messages(a)), "max_tokens": a.most, "temperature": 0, "seed": 7}
		if a.stop != "" {
			b["stop"] = []string{a.stop}
		}
		if a.schema != "" {
			b["response_format"] = object{"type": "json_schema", "json_schema": object{"name": "answer", "strict": true, "schema": json.RawMessage(a.schema)}}
		}
		if a.tool != "" {
			b["tools"] = []object{{"type": "function", "function": object{"name": a.tool, "parameters": toolSchema}}}
			b["tool_choice"] = "required"
		}
		if a.stream {
			b["stream"], b["stream_options"] = true, object{"include_usage": true}
		}
		return b
	},
	read: func(t testing.TB, a ask, body []byte) said {
		var whole openai.ChatCompletion
		pieces := 0
		if a.stream {
			var all openai.ChatCompletionAccumulator
			data := events(t, body)
			if string(data[len(data)-1]) != "[DONE]" {
				t.Errorf("the stream ends without [DONE]: %s", body)
			}
			for _, d := range data[:len(data)-1] {
				var chunk openai.ChatCompletionChunk
				decode(t, d, &chunk)
				if !all.AddChunk(chunk) {
					t.Fatalf("OpenAI's accumulator refuses %s", d)
				}
				pieces++
			}
			whole = all.ChatCompletion
		} else {
			decode(t, body, &whole)
		}
		if len(whole.Choices) != 1 {
			t.Fatalf("%d choices in %s", len(whole.Choices), body)
		}
		c := whole.Choices[0]
		s := said{text: c.Message.Content, why: c.FinishReason, in: whole.Usage.PromptTokens, out: whole.Usage.CompletionTokens, pieces: pieces}
		for _, call := range c.Message.ToolCalls {
			s.tool += call.Function.Name + " " + call.Function.Arguments
		}
		return s
	},
	tooLong: openaiTooLong,
}

func openaiTooLong(body []byte) (string, bool) {
	var e struct {
		Error struct{ Message, Type, Code string }
	}
	err := json.Unmarshal(body, &e)
	return e.Error.Message, err == nil && e.Error.Type == "invalid_request_error" && e.Error.Code == "context_length_exceeded"
}

// items are the turns as OpenAI's Responses gives an answer and takes it back. It takes the short form of messages
// too, but llama.cpp's server takes that only from the user.
func items(a ask) (list []object) {
	for i, turn := range messages(a) {
		if i%2 == 1 {
			turn = object{
				"type": "message", "id": "msg_" + strconv.Itoa(i), "role": "assistant", "status": "completed",
				"content": []object{{"type": "output_text", "text": turn["content"], "annotations": []any{}}},
			}
		}
		list = append(list, turn)
	}
	return list
}

var responsesClient = client{
	name: "openai-responses", ends: "completed", cut: "incomplete max_output_tokens", called: "completed",
	path: func(string, ask) string { return "/v1/responses" },
	body: func(model string, a ask) object {
		b := object{"model": model, "input": items(a), "max_output_tokens": a.most, "temperature": 0}
		if a.system != "" {
			b["instructions"] = a.system
		}
		if a.stop != "" {
			b["stop"] = []string{a.stop} // not OpenAI's: an extension of llama.cpp's
		}
		if a.schema != "" {
			b["text"] = object{"format": object{"type": "json_schema", "name": "answer", "strict": true, "schema": json.RawMessage(a.schema)}}
		}
		if a.tool != "" {
			b["tools"] = []object{{"type": "function", "name": a.tool, "parameters": toolSchema, "strict": true}}
			b["tool_choice"] = "required"
		}
		if a.stream {
			b["stream"] = true
		}
		return b
	},
	read: func(t testing.TB, a ask, body []byte) said {
		var whole responses.Response
		var s said
		var text strings.Builder
		if a.stream {
			for _, d := range events(t, body) {
				var ev responses.ResponseStreamEventUnion
				decode(t, d, &ev)
				switch ev.Type {
				case "response.output_text.delta":
					text.WriteString(ev.Delta)
				case "response.completed", "response.incomplete", "response.failed":
					whole = ev.Response
				}
				s.pieces++
			}
		} else {
			decode(t, body, &whole)
		}
		if s.text = whole.OutputText(); a.stream && s.text != text.String() {
			t.Errorf("the pieces are %q, the whole is %q", text.String(), s.text)
		}
		for _, item := range whole.Output {
			if item.Type == "function_call" {
				s.tool += item.Name + " " + item.AsFunctionCall().Arguments
			}
		}
		s.why = strings.TrimSpace(string(whole.Status) + " " + whole.IncompleteDetails.Reason)
		s.in, s.out = whole.Usage.InputTokens, whole.Usage.OutputTokens
		return s
	},
	tooLong: openaiTooLong,
}

var anthropicClient = client{
	name: "anthropic", ends: "end_turn", cut: "max_tokens", called: "tool_use",
	path: func(string, ask) string { return "/v1/messages" },
	body: func(model string, a ask) object {
		b := object{"model": model, "messages": messages(a), "max_tokens": a.most, "temperature": 0}
		if a.system != "" {
			b["system"] = a.system
		}
		if a.stop != "" {
			b["stop_sequences"] = []string{a.stop}
		}
		if a.schema != "" {
			b["output_config"] = object{"format": object{"type": "json_schema", "schema": json.RawMessage(a.schema)}}
		}
		if a.tool != "" {
			b["tools"] = []object{{"name": a.tool, "input_schema": toolSchema}}
			b["tool_choice"] = object{"type": "any"}
		}
		if a.stream {
			b["stream"] = true
		}
		return b
	},
	read: func(t testing.TB, a ask, body []byte) said {
		var whole anthropic.Message
		var s said
		if a.stream {
			for _, d := range events(t, body) {
				var ev anthropic.MessageStreamEventUnion
				decode(t, d, &ev)
				if err := whole.Accumulate(ev); err != nil {
					t.Fatalf("Anthropic's accumulator refuses %s: %v", d, err)
				}
				s.pieces++
			}
		} else {
			decode(t, body, &whole)
		}
		for _, block := range whole.Content {
			if s.text += block.Text; block.Type == "tool_use" {
				s.tool += block.Name + " " + string(block.Input)
			}
		}
		u := whole.Usage
		s.why, s.in, s.out = string(whole.StopReason), u.InputTokens+u.CacheReadInputTokens+u.CacheCreationInputTokens, u.OutputTokens
		return s
	},
	tooLong: func(body []byte) (string, bool) {
		var e struct {
			Type  string
			Error struct{ Type, Message string }
		}
		err := json.Unmarshal(body, &e)
		return e.Error.Message, err == nil && e.Type == "error" && e.Error.Type == "invalid_request_error"
	},
}

var geminiClient = client{
	name: "gemini", ends: "STOP", cut: "MAX_TOKENS", called: "STOP",
	path: func(model string, a ask) string {
		if a.stream {
			return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
		}
		return "/v1beta/models/" + model + ":generateContent"
	},
	body: func(_ string, a ask) object {
		var contents []object
		for i, text := range a.turns {
			contents = append(contents, object{"role": [...]string{"user", "model"}[i%2], "parts": []object{{"text": text}}})
		}
		config := object{"maxOutputTokens": a.most, "temperature": 0, "seed": 7}
		b := object{"contents": contents, "generationConfig": config}
		if a.system != "" {
			b["systemInstruction"] = object{"parts": []object{{"text": a.system}}}
		}
		if a.stop != "" {
			config["stopSequences"] = []string{a.stop}
		}
		if a.schema != "" {
			config["responseMimeType"], config["responseJsonSchema"] = "application/json", json.RawMessage(a.schema)
		}
		if a.tool != "" {
			b["tools"] = []object{{"functionDeclarations": []object{{"name": a.tool, "parametersJsonSchema": toolSchema}}}}
			b["toolConfig"] = object{"functionCallingConfig": object{"mode": "ANY"}}
		}
		return b
	},
	read: func(t testing.TB, a ask, body []byte) said {
		var s said
		bodies := [][]byte{body}
		if a.stream {
			bodies = events(t, body)
			s.pieces = len(bodies)
		}
		for _, d := range bodies {
			var r genai.GenerateContentResponse
			decode(t, d, &r)
			for _, c := range r.Candidates {
				if c.FinishReason != "" {
					s.why = string(c.FinishReason)
				}
				if c.Content == nil {
					continue
				}
				for _, p := range c.Content.Parts {
					if s.text += p.Text; p.FunctionCall != nil {
						s.tool += p.FunctionCall.Name + " " + string(encode(p.FunctionCall.Args))
					}
				}
			}
			if u := r.UsageMetadata; u != nil {
				s.in, s.out = int64(u.PromptTokenCount), int64(u.CandidatesTokenCount)
			}
		}
		return s
	},
	tooLong: func(body []byte) (string, bool) {
		var e struct{ Error genai.APIError }
		err := json.Unmarshal(body, &e)
		return e.Error.Message, err == nil && e.Error.Code == 400 && e.Error.Status == "INVALID_ARGUMENT"
	},
}

var ollamaClient = client{
	name: "ollama", ends: "stop", cut: "length", called: "stop",
	path: func(string, ask) string { return "/api/chat" },
	body: func(model string, a ask) object {
		options := object{"num_predict": a.most, "temperature": 0, "seed": 7}
		b := object{"model": model, "messages": withSystem(a, messages(a)), "stream": a.stream, "options": options}
		if a.stop != "" {
			options["stop"] = []string{a.stop}
		}
		if a.schema != "" {
			b["format"] = json.RawMessage(a.schema)
		}
		if a.tool != "" { // its clients cannot demand a call
			b["tools"] = []object{{"type": "function", "function": object{"name": a.tool, "parameters": toolSchema}}}
		}
		return b
	},
	read: func(t testing.TB, a ask, body []byte) said {
		var s said
		done := false
		for line := range strings.Lines(string(body)) {
			var r ollamaAnswer
			decode(t, []byte(line), &r)
			if done || r.Error != "" {
				t.Errorf("behind the end, or an error: %s", line)
			}
			s.text += r.Message.Content + r.Response
			for _, call := range r.Message.ToolCalls {
				s.tool += call.Function.Name + " " + string(call.Function.Arguments)
			}
			if done = r.Done; done {
				s.why, s.in, s.out = r.DoneReason, r.PromptEvalCount, r.EvalCount
			}
			s.pieces++
		}
		if !a.stream {
			s.pieces = 0
		}
		if !done {
			t.Errorf("no line is done: %s", body)
		}
		return s
	},
	tooLong: func(body []byte) (string, bool) {
		var e map[string]string
		err := json.Unmarshal(body, &e)
		return e["error"], err == nil && len(e) == 1
	},
}

// ollamaAnswer is a line of /api/chat or /api/generate
// (https://docs.ollama.com/api).
type ollamaAnswer struct {
	Model     string
	CreatedAt string `json:"created_at"`
	Message   struct {
		Role, Content string
		ToolCalls     []struct {
			Function struct {
				Name      string
				Arguments json.RawMessage
			}
		} `json:"tool_calls"`
	}
	Response        string
	Done            bool
	DoneReason      string `json:"done_reason"`
	PromptEvalCount int64  `json:"prompt_eval_count"`
	EvalCount       int64  `json:"eval_count"`
	Error           string
}

// String is for readers of failures.
func (s said) String() string {
	return fmt.Sprintf("%q%s, %s, %d+%d tokens", s.text, s.tool, s.why, s.in, s.out)
}
