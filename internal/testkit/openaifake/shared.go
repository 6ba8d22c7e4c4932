package openaifake

// What fakes of other dialects, which speak the same sentences, need of this one.

// Pieces is text in the parts that a stream sends.
type Pieces = pieces

// Len is how many parts there are.
func (p pieces) Len() int { return p.n }

// Part is the i-th of them.
func (p pieces) Part(i int) string { return p.at(i) }

// Speak chooses what is said to a request: by its knobs, up to a stop sequence and a
// bound of tokens (0 for none). Usual is what it says without knobs. Finish is "stop" or "length".
func Speak(knobs Knobs, body []byte, usual string, stops []string, most int) (said Pieces, finish string) {
	return limit(spoken(knobs, body, usual), stops, most)
}

// Refusal and Thought are the texts that the knobs of these names bring.
const (
	Refusal = "I cannot help with that."
	Thought = thought
)

// Chop breaks text into parts of at most size bytes.
func Chop(text string, size int) Pieces { return chop(text, size) }

// CountTokens stands in for a tokenizer.
func CountTokens(texts ...string) int { return countTokens(texts...) }

// Identity makes an answer's id, repeatable per request body and sequence number.
func Identity(prefix string, body []byte, seq int) string { return identity(prefix, body, seq) }

// Encode writes JSON without HTML escapes.
func Encode(value any) []byte { return encode(value) }
