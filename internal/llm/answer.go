package llm

import (
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Answer is a whole answer in the house's own words.
type Answer struct {
	ID      string
	Model   string // as the upstream names it
	Choices []Choice
	Usage   money.Tokens
	Counted bool   // the upstream gave Usage
	Tier    string // the service tier that answered
	// Fingerprint is the upstream's own mark of the system that answered.
	Fingerprint string

	Vectors [][]float32 // of the Embeddings surface, in the order of the inputs
	Ranks   []Rank      // of the Rerank surface, the best first
}

// Rank is one document's place among those of a rerank request.
type Rank struct {
	Index int
	Score float64
}

// Choice is one of the answers to a request; there is more than one only where n
// asked for it.
type Choice struct {
	Parts []Part
	Stop  Stop
	// Logprobs is the object of that name in OpenAI's form, nil when there is none.
	Logprobs []byte
}

// StopReason is why generation ended.
type StopReason string

// The reasons. A reason that is not known is StopOther; its word is in Stop.Word.
const (
	StopEnd      StopReason = "end"      // the model was done
	StopSequence StopReason = "sequence" // a stop sequence of the request was met
	StopLength   StopReason = "length"   // the bound on tokens, or the context, was met
	StopTools    StopReason = "tools"    // tools are to be called
	StopFilter   StopReason = "filter"   // the provider withheld the rest
	StopRefusal  StopReason = "refusal"  // the model will not answer
	StopPause    StopReason = "pause"    // a long turn may be continued
	StopOther    StopReason = "other"
)

// Stop is why generation ended, with what belongs to it.
type Stop struct {
	Reason   StopReason
	Word     string // the provider's own
	Sequence string // that was met, where the provider says so
}

// DeltaKind is what a delta says.
type DeltaKind uint8

// The kinds of deltas, in the order in which they come. Readers keep to this order
// for each choice, whatever the upstream does:
//
//	Begin (Open (Piece | Sign | Cite | Logprobs)* Close)* Stop, then Usage, then Done
//
// Blocks of one choice may be open at the same time (parallel tool calls of some
// engines). Usage may come at any time and more than once; the last one counts. Ping
// and Foreign may come anywhere.
const (
	DeltaBegin    DeltaKind = iota + 1 // the answer begins: ID and Model
	DeltaOpen                          // a block begins: Part has its kind, and of a call the id and name
	DeltaPiece                         // Text of the block: words, thought, or arguments of a call
	DeltaSign                          // Signature and Signer of the block, or its Redacted thought: Part
	DeltaCite                          // a citation of the block: Part.Citations
	DeltaLogprobs                      // Raw, the object in OpenAI's form, of the choice
	DeltaClose                         // the block is complete
	DeltaStop                          // Stop of the choice
	DeltaUsage                         // Usage
	DeltaDone                          // the dialect's own terminator
	DeltaPing                          // a comment or a ping
	DeltaForeign                       // an event that this version does not know: Raw
)

// Delta is one neutral piece of a streamed answer. Text and Raw are valid until the
// next delta is made.
type Delta struct {
	Kind   DeltaKind
	Choice int
	Block  int // rises from 0 within its choice
	ID     string
	Model  string
	Part   Part
	Text   []byte // not escaped
	Raw    []byte
	Stop   Stop
	Usage  money.Tokens
}

// Collect puts the deltas of a stream together: for a client that wants a plain
// answer from an upstream that only streams. The zero value is ready.
type Collect struct {
	Answer Answer
	blocks [][]block // by choice
}

type block struct {
	part Part
	text []byte
}

// maxBlocks bounds the choices of an answer and the blocks of a choice.
const maxBlocks = 1 << 12

// Add takes one delta.
func (c *Collect) Add(d Delta) {
	switch d.Kind {
	case DeltaBegin:
		c.Answer.ID, c.Answer.Model = d.ID, d.Model
	case DeltaUsage:
		c.Answer.Usage, c.Answer.Counted = d.Usage, true
	case DeltaOpen, DeltaPiece, DeltaSign, DeltaCite:
		if b := c.block(d.Choice, d.Block); b != nil {
			b.add(d)
		}
	case DeltaLogprobs:
		if c.choice(d.Choice) {
			c.Answer.Choices[d.Choice].Logprobs = joinLogprobs(c.Answer.Choices[d.Choice].Logprobs, d.Raw)
		}
	case DeltaStop:
		if c.choice(d.Choice) {
			c.Answer.Choices[d.Choice].Stop = d.Stop
		}
	}
}

// Whole is the answer as far as it came.
func (c *Collect) Whole() *Answer {
	for i := range c.Answer.Choices {
		parts := make([]Part, len(c.blocks[i]))
		for j := range c.blocks[i] {
			parts[j] = c.blocks[i][j].whole()
		}
		c.Answer.Choices[i].Parts = parts
	}
	return &c.Answer
}

func (c *Collect) choice(i int) bool {
	if i < 0 || i >= maxBlocks {
		return false
	}
	for len(c.Answer.Choices) <= i {
		c.Answer.Choices = append(c.Answer.Choices, Choice{})
		c.blocks = append(c.blocks, nil)
	}
	return true
}

func (c *Collect) block(choice, i int) *block {
	if !c.choice(choice) || i < 0 || i >= maxBlocks {
		return nil
	}
	for len(c.blocks[choice]) <= i {
		c.blocks[choice] = append(c.blocks[choice], block{})
	}
	return &c.blocks[choice][i]
}

func (b *block) add(d Delta) {
	switch d.Kind {
	case DeltaOpen:
		b.part = d.Part
		if d.Part.Call != nil {
			call := *d.Part.Call
			b.part.Call = &call
		}
	case DeltaPiece:
		b.text = append(b.text, d.Text...)
	case DeltaSign:
		b.part.Signature += d.Part.Signature
		b.part.Signer = d.Part.Signer
		b.part.Redacted += d.Part.Redacted
	case DeltaCite:
		b.part.Citations = append(b.part.Citations, d.Part.Citations...)
	}
}

func (b *block) whole() Part {
	p := b.part
	if p.Call != nil {
		call := *p.Call
		call.Arguments += string(b.text)
		p.Call = &call
	} else {
		p.Text += string(b.text)
	}
	return p
}

// Deltas gives a whole answer piece by piece, for a client that wants a stream of an
// upstream that answered in one piece.
func (a *Answer) Deltas() []Delta {
	out := []Delta{{Kind: DeltaBegin, ID: a.ID, Model: a.Model}}
	for i := range a.Choices {
		out = append(out, a.Choices[i].deltas(i)...)
	}
	if a.Counted {
		out = append(out, Delta{Kind: DeltaUsage, Usage: a.Usage})
	}
	return append(out, Delta{Kind: DeltaDone})
}

func (c *Choice) deltas(choice int) (out []Delta) {
	spoken := -1 // the text that the logprobs belong to
	for i := range c.Parts {
		if c.Parts[i].Kind == Text || c.Parts[i].Kind == Refusal {
			spoken = i
		}
	}
	for i := range c.Parts {
		p := &c.Parts[i]
		open := *p
		open.Text, open.Citations, open.Signature, open.Redacted = "", nil, "", ""
		text := p.Text
		if p.Call != nil {
			text = p.Call.Arguments
			open.Call = &Call{ID: p.Call.ID, Name: p.Call.Name}
		}
		add := func(d Delta) {
			d.Choice, d.Block = choice, i
			out = append(out, d)
		}
		add(Delta{Kind: DeltaOpen, Part: open})
		if text != "" {
			add(Delta{Kind: DeltaPiece, Text: []byte(text)})
		}
		if len(p.Citations) > 0 {
			add(Delta{Kind: DeltaCite, Part: Part{Citations: p.Citations}})
		}
		if p.Signature != "" || p.Redacted != "" {
			add(Delta{Kind: DeltaSign, Part: Part{Signature: p.Signature, Signer: p.Signer, Redacted: p.Redacted}})
		}
		if i == spoken && c.Logprobs != nil {
			add(Delta{Kind: DeltaLogprobs, Raw: c.Logprobs})
		}
		add(Delta{Kind: DeltaClose})
	}
	if c.Logprobs != nil && spoken < 0 {
		out = append(out, Delta{Kind: DeltaLogprobs, Choice: choice, Raw: c.Logprobs})
	}
	return append(out, Delta{Kind: DeltaStop, Choice: choice, Stop: c.Stop})
}

// joinLogprobs joins two objects {"content":[…],"refusal":[…]}.
func joinLogprobs(a, b []byte) []byte {
	if a == nil {
		return append([]byte(nil), b...)
	}
	out := []byte{'{'}
	for _, name := range [...]string{"content", "refusal"} {
		items := append(items(a, name), items(b, name)...)
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, name), ':')
		if items == nil {
			out = append(out, "null"...)
			continue
		}
		for i, item := range items {
			out = append(append(out, "[,"[min(i, 1)]), item.Raw()...)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

func items(object []byte, name string) (out []rawjson.Value) {
	list, _ := rawjson.Lookup(object, name)
	for item := range list.Items() {
		out = append(out, item)
	}
	return out
}
