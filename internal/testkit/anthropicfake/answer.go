package anthropicfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// answer is a message before it is written down whole or in events.
type answer struct {
	id, model string
	knobs     openaifake.Knobs
	blocks    []said
	stop      string
	usage     usage
}

// said is one content block: what it is at its start, its deltas, and what it is as a whole.
type said struct {
	start  any
	deltas iter.Seq[any]
	whole  func() any
}

type usage struct {
	Input         int           `json:"input_tokens"`
	Created       int           `json:"cache_creation_input_tokens"`
	Read          int           `json:"cache_read_input_tokens"`
	CacheCreation cacheCreation `json:"cache_creation"`
	Output        int           `json:"output_tokens"`
	Details       *thought      `json:"output_tokens_details,omitempty"`
	Tier          string        `json:"service_tier"`
}

type cacheCreation struct {
	Hour int `json:"ephemeral_1h_input_tokens"`
	Five int `json:"ephemeral_5m_input_tokens"`
}

type thought struct {
	Tokens int `json:"thinking_tokens"`
}

type object = map[string]any

func newAnswer(r *request, body []byte, knobs openaifake.Knobs) *answer {
	a := &answer{id: openaifake.Identity("msg_", body, knobs.Seq), model: r.Model, knobs: knobs, stop: "end_turn"}
	if r.thinks() || knobs.Think {
		a.blocks = append(a.blocks, thinking())
	}
	tokens := 0
	if tools := r.called(); len(tools) > 0 && !knobs.Refuse {
		a.stop = "tool_use"
		for i, t := range tools {
			input := string(openaifake.Instance(t.Schema))
			tokens += 3 + (len(input)+3)/4
			a.blocks = append(a.blocks, call(fmt.Sprintf("toolu_%s_%d", a.id[len(a.id)-8:], i), t.Name, input))
		}
	} else {
		pieces := a.speak(r, body)
		tokens += pieces.Len()
		a.blocks = append(a.blocks, speech(pieces))
	}
	a.usage = usage{Input: r.tokens(), Output: tokens + knobs.Reason, Read: knobs.Cached, Tier: "standard"}
	if knobs.Reason > 0 {
		a.usage.Details = &thought{knobs.Reason}
	}
	if bytes.Contains(body, []byte(`"cache_control":`)) {
		a.usage.Created, a.usage.CacheCreation.Five = CacheWritten, CacheWritten
	}
	return a
}

func (a *answer) speak(r *request, body []byte) openaifake.Pieces {
	usual := openaifake.Sentence
	if result, ok := r.result(); ok {
		usual = "The tool said: " + result
	}
	if schema := r.Output.Format.Schema; len(schema) > 0 {
		return openaifake.Chop(string(openaifake.Instance(schema)), 6)
	}
	if a.knobs.Refuse {
		a.stop, a.knobs.Say = "refusal", openaifake.Refusal
	}
	pieces, finish := openaifake.Speak(a.knobs, body, usual, r.Stops, *r.MaxTokens)
	if finish == "length" {
		a.stop = "max_tokens"
	}
	return pieces
}

func thinking() said {
	return said{
		start: object{"type": "thinking", "thinking": "", "signature": ""},
		deltas: func(yield func(any) bool) {
			p := openaifake.Chop(openaifake.Thought, 9)
			for i := range p.Len() {
				if !yield(object{"type": "thinking_delta", "thinking": p.Part(i)}) {
					return
				}
			}
			yield(object{"type": "signature_delta", "signature": Signature})
		},
		whole: func() any {
			return object{"type": "thinking", "thinking": openaifake.Thought, "signature": Signature}
		},
	}
}

func speech(p openaifake.Pieces) said {
	return said{
		start: object{"type": "text", "text": ""},
		deltas: func(yield func(any) bool) {
			for i := range p.Len() {
				if !yield(object{"type": "text_delta", "text": p.Part(i)}) {
					return
				}
			}
		},
		whole: func() any { return object{"type": "text", "text": p.String()} },
	}
}

func call(id, name, input string) said {
	return said{
		start: object{"type": "tool_use", "id": id, "name": name, "input": object{}},
		deltas: func(yield func(any) bool) {
			p := openaifake.Chop(input, 6)
			if !yield(object{"type": "input_json_delta", "partial_json": ""}) {
				return // the first is empty at Anthropic, too
			}
			for i := range p.Len() {
				if !yield(object{"type": "input_json_delta", "partial_json": p.Part(i)}) {
					return
				}
			}
		},
		whole: func() any {
			return object{"type": "tool_use", "id": id, "name": name, "input": json.RawMessage(input)}
		},
	}
}

// envelope is the message's JSON, its order the publisher's.
type envelope struct {
	ID       string  `json:"id"`
	Type     string  `json:"type"`
	Role     string  `json:"role"`
	Model    string  `json:"model"`
	Content  []any   `json:"content"`
	Stop     *string `json:"stop_reason"`
	Sequence *string `json:"stop_sequence"`
	Usage    usage   `json:"usage"`
}

func (a *answer) whole() []byte {
	out := envelope{ID: a.id, Type: "message", Role: "assistant", Model: a.model, Content: []any{}, Stop: &a.stop, Usage: a.usage}
	for _, b := range a.blocks {
		out.Content = append(out.Content, b.whole())
	}
	return openaifake.Encode(out)
}

// event is one event's data. Its type is its name on the wire, and comes first.
type event struct {
	Type    string    `json:"type"`
	Message *envelope `json:"message,omitempty"`
	Index   *int      `json:"index,omitempty"`
	Block   any       `json:"content_block,omitempty"`
	Delta   any       `json:"delta,omitempty"`
	Usage   *usage    `json:"usage,omitempty"`
}

func (a *answer) events() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for e := range a.sequence() {
			if !yield(openaifake.Encode(e)) {
				return
			}
		}
	}
}

func (a *answer) sequence() iter.Seq[event] {
	return func(yield func(event) bool) {
		begun := a.usage
		begun.Output = 1
		head := &envelope{ID: a.id, Type: "message", Role: "assistant", Model: a.model, Content: []any{}, Usage: begun}
		if !yield(event{Type: "message_start", Message: head}) || !yield(event{Type: "ping"}) {
			return
		}
		for i, b := range a.blocks {
			if !yield(event{Type: "content_block_start", Index: &i, Block: b.start}) {
				return
			}
			for d := range b.deltas {
				if !yield(event{Type: "content_block_delta", Index: &i, Delta: d}) {
					return
				}
			}
			if !yield(event{Type: "content_block_stop", Index: &i}) {
				return
			}
		}
		if a.knobs.NoStop {
			return
		}
		stop := object{"stop_reason": a.stop, "stop_sequence": nil}
		if yield(event{Type: "message_delta", Delta: stop, Usage: &a.usage}) && !a.knobs.NoDone {
			yield(event{Type: "message_stop"})
		}
	}
}
