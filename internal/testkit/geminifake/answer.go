package geminifake

import (
	"encoding/json"
	"iter"
	"strings"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// answer is an answer before it is written down whole or in chunks.
type answer struct {
	id, model string
	knobs     openaifake.Knobs
	thinks    bool
	pieces    openaifake.Pieces
	calls     []outPart
	finish    string
	usage     usage
}

type outPart struct {
	Text      *string  `json:"text,omitempty"`
	Thought   bool     `json:"thought,omitempty"`
	Call      *outCall `json:"functionCall,omitempty"`
	Signature string   `json:"thoughtSignature,omitempty"`
}

type outCall struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

type outContent struct {
	Parts []outPart `json:"parts,omitempty"`
	Role  string    `json:"role"`
}

type candidate struct {
	Content outContent `json:"content"`
	Finish  string     `json:"finishReason,omitempty"`
	Index   int        `json:"index"`
}

type usage struct {
	Prompt   int `json:"promptTokenCount"`
	Answer   int `json:"candidatesTokenCount,omitempty"`
	Total    int `json:"totalTokenCount"`
	Cached   int `json:"cachedContentTokenCount,omitempty"`
	Thoughts int `json:"thoughtsTokenCount,omitempty"`
}

type response struct {
	Candidates []candidate `json:"candidates"`
	Usage      *usage      `json:"usageMetadata,omitempty"`
	Model      string      `json:"modelVersion"`
	ID         string      `json:"responseId"`
}

func newAnswer(r *request, model string, body []byte, knobs openaifake.Knobs) *answer {
	a := &answer{id: openaifake.Identity("gem", body, knobs.Seq), model: model, knobs: knobs, finish: "STOP"}
	a.thinks = knobs.Think || r.Config.Thinking.Include
	tokens := 0
	for i, f := range r.called() {
		schema := f.Schema
		if len(schema) == 0 {
			schema = lowered(f.Parameters)
		}
		args := openaifake.Instance(schema)
		tokens += 3 + (len(args)+3)/4
		p := outPart{Call: &outCall{f.Name, args}}
		if i == 0 {
			p.Signature = Signature
		}
		a.calls = append(a.calls, p)
	}
	if len(a.calls) == 0 {
		a.speak(r, body)
		tokens = a.pieces.Len()
	}
	a.usage = usage{Prompt: max(r.tokens(), knobs.Cached), Answer: tokens, Cached: knobs.Cached, Thoughts: knobs.Reason}
	a.usage.Total = a.usage.Prompt + tokens + knobs.Reason
	return a
}

func (a *answer) speak(r *request, body []byte) {
	usual := openaifake.Sentence
	if result, ok := r.result(); ok {
		usual = "The tool said: " + string(result)
	}
	schema := r.Config.JSONSchema
	if len(schema) == 0 {
		schema = lowered(r.Config.Schema)
	}
	if r.Config.MIME == "application/json" && len(schema) > 0 {
		a.pieces = openaifake.Chop(string(openaifake.Instance(schema)), 6)
		return
	}
	said, finish := openaifake.Speak(a.knobs, body, usual, r.Config.Stops, r.Config.Most)
	a.pieces = said
	if finish == "length" {
		a.finish = "MAX_TOKENS"
	}
	if a.knobs.Refuse {
		a.pieces, a.finish = openaifake.Chop("", 1), "SAFETY"
	}
}

// lowered turns the types of Gemini's own schemas (STRING) into JSON Schema's.
func lowered(schema json.RawMessage) json.RawMessage {
	text := string(schema)
	for _, word := range []string{"OBJECT", "ARRAY", "STRING", "INTEGER", "NUMBER", "BOOLEAN"} {
		text = strings.ReplaceAll(text, `"`+word+`"`, `"`+strings.ToLower(word)+`"`)
	}
	return json.RawMessage(text)
}

func (a *answer) chunk(finish string, u *usage, parts ...outPart) []byte {
	return openaifake.Encode(response{
		Candidates: []candidate{{Content: outContent{parts, "model"}, Finish: finish}}, Usage: u, Model: a.model, ID: a.id,
	})
}

func texted(text string) outPart { return outPart{Text: &text} }

func thoughtPart() outPart {
	p := texted(openaifake.Thought)
	p.Thought = true
	return p
}

func (a *answer) whole() []byte {
	var parts []outPart
	if a.thinks {
		parts = append(parts, thoughtPart())
	}
	parts = append(parts, a.calls...)
	if text := a.pieces; len(a.calls) == 0 && a.finish != "SAFETY" {
		p := texted(text.String())
		if a.thinks {
			p.Signature = Signature
		}
		parts = append(parts, p)
	}
	return a.chunk(a.finish, a.counted(a.usage), parts...)
}

// counted is a usage, unless the knobs leave it out.
func (a *answer) counted(u usage) *usage {
	if a.knobs.NoUsage {
		return nil
	}
	return &u
}

// events are chunks with the counts so far; the last has the finish reason, and the signature where text is signed.
func (a *answer) events() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		early := a.counted(usage{Prompt: a.usage.Prompt, Total: a.usage.Prompt, Cached: a.usage.Cached})
		if a.thinks && !yield(a.chunk("", early, thoughtPart())) {
			return
		}
		for _, c := range a.calls {
			if !yield(a.chunk("", early, c)) {
				return
			}
		}
		if len(a.calls) == 0 {
			for i := range a.pieces.Len() {
				if !yield(a.chunk("", early, texted(a.pieces.Part(i)))) {
					return
				}
			}
		}
		if a.knobs.NoStop {
			return
		}
		last := texted("")
		if a.thinks && len(a.calls) == 0 {
			last.Signature = Signature
		}
		yield(a.chunk(a.finish, a.counted(a.usage), last))
	}
}
