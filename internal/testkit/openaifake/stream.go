package openaifake

import (
	"encoding/json"
	"iter"
	"strings"
)

const thought = "The user greets; greet back."

// delta is what one chunk adds. Content and Refusal are raw so that "", null and absent stay apart.
type delta struct {
	Role      string          `json:"role,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	Reasoning string          `json:"reasoning_content,omitempty"`
	ToolCalls []toolCall      `json:"tool_calls,omitempty"`
	Refusal   json.RawMessage `json:"refusal,omitempty"`
}

type chunkChoice struct {
	Index    int       `json:"index"`
	Delta    delta     `json:"delta"`
	Logprobs *logprobs `json:"logprobs"`
	Finish   *string   `json:"finish_reason"`
}

type chunk struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Tier        string          `json:"service_tier"`
	Fingerprint string          `json:"system_fingerprint"`
	Choices     []chunkChoice   `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
	Obfuscation *string         `json:"obfuscation,omitempty"`
}

func (o *streamOptions) usage() bool { return o != nil && o.IncludeUsage }

func (o *streamOptions) obfuscation() bool {
	return o == nil || o.IncludeObfuscation == nil || *o.IncludeObfuscation
}

var null = json.RawMessage("null")

// events writes the answer as chat.completion.chunk objects: a role chunk per choice, then the parts of all choices in
// turn, then the finish reasons, then the usage if it was asked for, then [DONE].
func (r *reply) events() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for c := range r.chunks() {
			if !yield(encode(r.complete(c))) {
				return
			}
		}
		if options := r.request.StreamOptions; options.usage() {
			if u := r.usage(); u != nil && !yield(encode(r.usageChunk(u))) {
				return
			}
		}
		if !r.knobs.NoDone {
			yield([]byte(Done))
		}
	}
}

func (r *reply) chunks() iter.Seq[chunkChoice] {
	return func(yield func(chunkChoice) bool) {
		longest := 0
		for i, c := range r.choices {
			longest = max(longest, len(r.parts(c)))
			if !yield(chunkChoice{Index: i, Delta: opening(c), Logprobs: nil}) {
				return
			}
		}
		for i, c := range r.choices {
			if r.knobs.Think && !yield(chunkChoice{Index: i, Delta: delta{Reasoning: thought}}) {
				return
			}
			longest = max(longest, c.text.n)
		}
		for k := range longest {
			for i, c := range r.choices {
				if part, ok := r.part(c, k); ok {
					part.Index = i
					if !yield(part) {
						return
					}
				}
			}
		}
		if r.knobs.NoStop {
			return
		}
		for i, c := range r.choices {
			if !yield(chunkChoice{Index: i, Finish: &c.finish}) {
				return
			}
		}
	}
}

// opening is the role chunk: with calls to come, content is null.
func opening(c choice) delta {
	if len(c.calls) > 0 {
		return delta{Role: "assistant", Content: null, Refusal: null}
	}
	return delta{Role: "assistant", Content: json.RawMessage(`""`), Refusal: null}
}

// part returns the k-th addition to a choice: a piece of text, or a piece of a tool call.
func (r *reply) part(c choice, k int) (chunkChoice, bool) {
	if len(c.calls) > 0 {
		parts := r.parts(c)
		if k >= len(parts) {
			return chunkChoice{}, false
		}
		return chunkChoice{Delta: delta{ToolCalls: []toolCall{parts[k]}}}, true
	}
	if k >= c.text.n {
		return chunkChoice{}, false
	}
	d := delta{Content: encode(c.text.at(k))}
	if c.refuse {
		d = delta{Refusal: d.Content}
	}
	return chunkChoice{Delta: d, Logprobs: r.measured(c, k, k+1)}, true
}

// parts breaks tool calls as OpenAI does: id, type and name with empty arguments first, then the arguments bit by bit.
func (r *reply) parts(c choice) []toolCall {
	var parts []toolCall
	for i, call := range c.calls {
		first := toolCall{Index: &i, ID: call.ID, Type: call.Type}
		if call.Custom != nil {
			first.Custom = &customCall{Name: call.Custom.Name}
			parts = append(parts, first)
			for bit := range each(chop(call.Custom.Input, 5)) {
				parts = append(parts, toolCall{Index: &i, Custom: &customCall{Input: bit}})
			}
			continue
		}
		first.Function = &functionCall{Name: call.Function.Name}
		parts = append(parts, first)
		for bit := range each(chop(call.Function.Arguments, 5)) {
			parts = append(parts, toolCall{Index: &i, Function: &functionCall{Arguments: bit}})
		}
	}
	return parts
}

func each(p pieces) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range p.n {
			if !yield(p.at(i)) {
				return
			}
		}
	}
}

func (r *reply) complete(choice chunkChoice) chunk {
	c := chunk{
		ID: r.id, Object: "chat.completion.chunk", Created: r.knobs.Created, Model: r.request.Model,
		Tier: tier, Fingerprint: fingerprint, Choices: []chunkChoice{choice},
	}
	if r.request.StreamOptions.usage() && !r.knobs.NoUsage {
		c.Usage = null
	}
	if r.request.StreamOptions.obfuscation() {
		// OpenAI pads chunks so that their lengths say less about the text; what is in it means nothing.
		pad := strings.Repeat("x", 15-len(choice.Delta.Content)%16)
		c.Obfuscation = &pad
	}
	return c
}

func (r *reply) usageChunk(u *usage) chunk {
	return chunk{
		ID: r.id, Object: "chat.completion.chunk", Created: r.knobs.Created, Model: r.request.Model,
		Tier: tier, Fingerprint: fingerprint, Choices: []chunkChoice{}, Usage: encode(u),
	}
}
