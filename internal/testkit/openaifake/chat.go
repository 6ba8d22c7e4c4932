package openaifake

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	fingerprint = "fp_fake000001"
	tier        = "default"
)

// Chat answers POST /chat/completions.
func Chat(body []byte, knobs Knobs) Answer {
	var request chatRequest
	if wrong := decode(body, &request); wrong != nil {
		return *wrong
	}
	if wrong := request.check(); wrong != nil {
		return *wrong
	}
	reply := newReply(&request, body, knobs)
	if request.Stream {
		return Answer{Status: 200, Events: reply.events()}
	}
	return Answer{Status: 200, Body: reply.whole()}
}

// reply is the answer before it is written down whole or in chunks.
type reply struct {
	request *chatRequest
	knobs   Knobs
	id      string
	choices []choice
}

type choice struct {
	text   pieces // empty when there are calls
	refuse bool   // the text is a refusal
	calls  []toolCall
	finish string
}

type toolCall struct {
	Index    *int          `json:"index,omitempty"` // in chunks only
	ID       string        `json:"id,omitempty"`
	Type     string        `json:"type,omitempty"`
	Function *functionCall `json:"function,omitempty"`
	Custom   *customCall   `json:"custom,omitempty"`
}

type functionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type customCall struct {
	Name  string `json:"name,omitempty"`
	Input string `json:"input"`
}

func newReply(request *chatRequest, body []byte, knobs Knobs) *reply {
	r := &reply{request: request, knobs: knobs, id: identity("chatcmpl-", body, knobs.Seq)}
	count := 1
	if request.N != nil {
		count = *request.N
	}
	for i := range count {
		r.choices = append(r.choices, r.choose(body, i))
	}
	return r
}

func (r *reply) choose(body []byte, index int) choice {
	if r.knobs.Refuse {
		return choice{text: split(Refusal), refuse: true, finish: "stop"}
	}
	if tools := r.request.called(); len(tools) > 0 {
		return choice{text: list(nil), calls: r.callAll(tools, index), finish: "tool_calls"}
	}
	usual := Sentence
	if role, text := r.request.last(); role == "tool" {
		usual = "The tool said: " + text
	}
	if index > 0 {
		usual += fmt.Sprintf(" (answer %d)", index+1)
	}
	text := spoken(r.knobs, body, usual)
	if format := r.request.ResponseFormat; format != nil {
		switch format.Type {
		case "json_schema":
			text = chop(string(Instance(format.JSONSchema.Schema)), 6)
		case "json_object":
			text = chop(`{"answer": "Ahoy", "count": 7}`, 6)
		}
	}
	limited, finish := limit(text, texts(r.request.Stop), r.request.tokenLimit())
	return choice{text: limited, finish: finish}
}

func (r *reply) callAll(tools []tool, index int) []toolCall {
	var calls []toolCall
	for i, t := range tools {
		call := toolCall{ID: fmt.Sprintf("call_%s_%d_%d", r.id[len(r.id)-8:], index, i), Type: "function"}
		if t.Type == "custom" {
			call.Type, call.Custom = "custom", &customCall{t.Custom.Name, "Paris — 7"}
		} else {
			call.Function = &functionCall{t.Function.Name, string(Instance(t.Function.Parameters))}
		}
		calls = append(calls, call)
	}
	return calls
}

// tokens counts what the choices hold: pieces of text, and a token per four bytes of arguments.
func (r *reply) tokens() int {
	count := 0
	for _, c := range r.choices {
		count += c.text.n
		for _, call := range c.calls {
			var arguments string
			if call.Function != nil {
				arguments = call.Function.Arguments
			} else {
				arguments = call.Custom.Input
			}
			count += 3 + (len(arguments)+3)/4
		}
	}
	return count
}

// usage is OpenAI's usage object with the details that bills depend on.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	PromptDetails    struct {
		Cached int `json:"cached_tokens"`
		Audio  int `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
		Audio     int `json:"audio_tokens"`
		Accepted  int `json:"accepted_prediction_tokens"`
		Rejected  int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

func newUsage(prompt, completion int, knobs Knobs) *usage {
	if knobs.NoUsage {
		return nil
	}
	u := &usage{PromptTokens: max(prompt, knobs.Cached), CompletionTokens: completion + knobs.Reason}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	u.PromptDetails.Cached = knobs.Cached
	u.CompletionDetails.Reasoning = knobs.Reason
	return u
}

func (r *reply) usage() *usage { return newUsage(r.request.promptTokens(), r.tokens(), r.knobs) }

type logprob struct {
	Token   string    `json:"token"`
	Logprob float64   `json:"logprob"`
	Bytes   []int     `json:"bytes"`
	Top     []logprob `json:"top_logprobs,omitzero"`
}

type logprobs struct {
	Content []logprob `json:"content"`
	Refusal []logprob `json:"refusal"`
}

// measure gives the i-th piece a made-up probability, and the alternatives that were asked for.
func (r *reply) measure(token string, i int) logprob {
	likely := -float64(i%7) / 8
	entry := logprob{Token: token, Logprob: likely, Bytes: bytesOf(token), Top: []logprob{}}
	if r.request.TopLogprobs == nil {
		return entry
	}
	for k := range *r.request.TopLogprobs {
		other := token + strings.Repeat("~", k)
		entry.Top = append(entry.Top, logprob{Token: other, Logprob: likely - float64(k), Bytes: bytesOf(other)})
	}
	return entry
}

func (r *reply) measured(c choice, from, to int) *logprobs {
	if !r.request.Logprobs {
		return nil
	}
	entries := []logprob{}
	for i := from; i < to; i++ {
		entries = append(entries, r.measure(c.text.at(i), i))
	}
	if c.refuse {
		return &logprobs{Refusal: entries}
	}
	return &logprobs{Content: entries}
}

func bytesOf(text string) []int {
	out := make([]int, len(text))
	for i := range len(text) {
		out[i] = int(text[i])
	}
	return out
}

type answerMessage struct {
	Role        string            `json:"role"`
	Content     *string           `json:"content"`
	Reasoning   string            `json:"reasoning_content,omitempty"`
	Refusal     *string           `json:"refusal"`
	ToolCalls   []toolCall        `json:"tool_calls,omitempty"`
	Annotations []json.RawMessage `json:"annotations"`
}

type answerChoice struct {
	Index    int           `json:"index"`
	Message  answerMessage `json:"message"`
	Logprobs *logprobs     `json:"logprobs"`
	Finish   string        `json:"finish_reason"`
}

// whole writes the answer as one chat.completion object.
func (r *reply) whole() []byte {
	var choices []answerChoice
	for i, c := range r.choices {
		m := answerMessage{Role: "assistant", ToolCalls: c.calls, Annotations: []json.RawMessage{}}
		text := c.text.String()
		switch {
		case c.refuse:
			m.Refusal = &text
		case len(c.calls) == 0:
			m.Content = &text
		}
		if r.knobs.Think {
			m.Reasoning = thought
		}
		choices = append(choices, answerChoice{i, m, r.measured(c, 0, c.text.n), c.finish})
	}
	return encode(struct {
		ID          string         `json:"id"`
		Object      string         `json:"object"`
		Created     int64          `json:"created"`
		Model       string         `json:"model"`
		Choices     []answerChoice `json:"choices"`
		Usage       *usage         `json:"usage,omitempty"`
		Tier        string         `json:"service_tier"`
		Fingerprint string         `json:"system_fingerprint"`
	}{r.id, "chat.completion", r.knobs.Created, r.request.Model, choices, r.usage(), tier, fingerprint})
}
