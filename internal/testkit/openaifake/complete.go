package openaifake

import (
	"encoding/json"
	"iter"
)

type completionRequest struct {
	Model         string          `json:"model"`
	Prompt        json.RawMessage `json:"prompt"`
	Stream        bool            `json:"stream"`
	StreamOptions *streamOptions  `json:"stream_options"`
	MaxTokens     *int            `json:"max_tokens"`
	N             *int            `json:"n"`
	Stop          json.RawMessage `json:"stop"`
	Logprobs      *int            `json:"logprobs"`
	Echo          bool            `json:"echo"`
}

type completionLogprobs struct {
	Tokens  []string             `json:"tokens"`
	Values  []float64            `json:"token_logprobs"`
	Top     []map[string]float64 `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"`
}

type completionChoice struct {
	Text     string              `json:"text"`
	Index    int                 `json:"index"`
	Logprobs *completionLogprobs `json:"logprobs"`
	Finish   *string             `json:"finish_reason"`
}

type completion struct {
	ID          string             `json:"id"`
	Object      string             `json:"object"`
	Created     int64              `json:"created"`
	Model       string             `json:"model"`
	Choices     []completionChoice `json:"choices"`
	Usage       json.RawMessage    `json:"usage,omitempty"`
	Fingerprint string             `json:"system_fingerprint"`
}

// Complete answers POST /completions.
func Complete(body []byte, knobs Knobs) Answer {
	var request completionRequest
	if wrong := decode(body, &request); wrong != nil {
		return *wrong
	}
	prompts := prompts(request.Prompt)
	switch {
	case request.Model == "":
		return *badRequest("model", "missing_required_parameter", "Missing required parameter: 'model'.")
	case len(prompts) == 0:
		return *badRequest("prompt", "missing_required_parameter", "Missing or unreadable parameter: 'prompt'.")
	}
	c := newCompleted(&request, prompts, body, knobs)
	if request.Stream {
		return Answer{Status: 200, Events: c.events()}
	}
	return Answer{Status: 200, Body: c.whole()}
}

// completed is a completion before it is written down: n choices for each prompt.
type completed struct {
	request *completionRequest
	base    completion
	texts   []pieces
	finish  []string
	usage   *usage
	knobs   Knobs
}

func newCompleted(request *completionRequest, prompts []string, body []byte, knobs Knobs) *completed {
	c := &completed{request: request, knobs: knobs, base: completion{
		ID: identity("cmpl-", body, knobs.Seq), Object: "text_completion", Created: knobs.Created,
		Model: request.Model, Fingerprint: fingerprint,
	}}
	most, tokens := 16, 0 // 16 is the publisher's default for max_tokens here
	if request.MaxTokens != nil {
		most = *request.MaxTokens
	}
	for _, prompt := range prompts {
		for range number1(request.N) {
			text, finish := limit(spoken(knobs, body, Sentence), texts(request.Stop), most)
			if request.Echo {
				text = split(prompt + text.String())
			}
			c.texts, c.finish = append(c.texts, text), append(c.finish, finish)
			tokens += text.n
		}
	}
	c.usage = newUsage(countTokens(prompts...), tokens, knobs)
	return c
}

func number1(n *int) int {
	if n == nil {
		return 1
	}
	return *n
}

func (c *completed) whole() []byte {
	out := c.base
	for i, text := range c.texts {
		out.Choices = append(out.Choices, completionChoice{
			text.String(), i, c.measured(text, 0, text.n), &c.finish[i],
		})
	}
	if c.usage != nil {
		out.Usage = encode(c.usage)
	}
	return encode(out)
}

func (c *completed) events() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		withUsage := c.request.StreamOptions.usage() && c.usage != nil
		send := func(choices []completionChoice, usage json.RawMessage) bool {
			out := c.base
			out.Choices = choices
			if withUsage {
				out.Usage = usage
			}
			return yield(encode(out))
		}
		for i, text := range c.texts {
			for k := range text.n {
				part := completionChoice{text.at(k), i, c.measured(text, k, k+1), nil}
				if !send([]completionChoice{part}, null) {
					return
				}
			}
			if !c.knobs.NoStop && !send([]completionChoice{{Index: i, Finish: &c.finish[i]}}, null) {
				return
			}
		}
		if withUsage && !send([]completionChoice{}, encode(c.usage)) {
			return
		}
		if !c.knobs.NoDone {
			yield([]byte(Done))
		}
	}
}

func (c *completed) measured(text pieces, from, to int) *completionLogprobs {
	if c.request.Logprobs == nil {
		return nil
	}
	out := &completionLogprobs{[]string{}, []float64{}, []map[string]float64{}, []int{}}
	offset := 0
	for i := range to {
		token := text.at(i)
		if i >= from {
			likely := -float64(i%7) / 8
			out.Tokens, out.Values = append(out.Tokens, token), append(out.Values, likely)
			out.Top = append(out.Top, map[string]float64{token: likely})
			out.Offsets = append(out.Offsets, offset)
		}
		offset += len(token)
	}
	return out
}

// prompts reads a prompt: a string, strings, token ids, or lists of token ids.
func prompts(raw json.RawMessage) []string {
	if found := texts(raw); found != nil {
		return found
	}
	var ids []int
	if json.Unmarshal(raw, &ids) == nil && len(ids) > 0 {
		return []string{string(raw)}
	}
	var many [][]int
	_ = json.Unmarshal(raw, &many) // none of the four forms: no prompt
	out := make([]string, len(many))
	for i, list := range many {
		out[i] = string(encode(list))
	}
	return out
}
