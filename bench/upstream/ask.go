package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Ask is what a request wants of the upstream. It travels in the body's field "user",
// which gateways leave alone.
type Ask struct {
	Stream bool
	Chunks int           // of a streamed answer, the role and the stop reason included
	Think  time.Duration // before the answer begins
	Gap    time.Duration // between chunks
}

// askBytes is how much of a body may stand before its Ask ends.
const askBytes = 256

// maxChunks bounds a streamed answer.
const maxChunks = 1_000_000

var (
	streamField = []byte(`"stream":true`)
	userField   = []byte(`"user":"`)
)

// parseAsk finds the Ask in the first bytes of a body.
func parseAsk(head []byte) (Ask, error) {
	ask := Ask{Stream: bytes.Contains(head, streamField)}
	_, user, ok := bytes.Cut(head, userField)
	if !ok {
		return ask, errors.New("the body does not begin with model, stream and user")
	}
	var think, gap int64
	if _, err := fmt.Sscanf(string(user), "chunks=%d think=%d gap=%d", &ask.Chunks, &think, &gap); err != nil {
		return ask, fmt.Errorf("the user field is not one of a benchmark: %w", err)
	}
	if ask.Chunks < 2 && ask.Stream || ask.Chunks > maxChunks {
		return ask, fmt.Errorf("%d chunks: a stream has 2 to %d", ask.Chunks, maxChunks)
	}
	ask.Think, ask.Gap = time.Duration(think)*time.Microsecond, time.Duration(gap)*time.Microsecond
	return ask, nil
}

// Body is a chat request of about size bytes that asks model for a.
func (a Ask) Body(model string, size int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":%q,"stream":%t,"user":"chunks=%d think=%d gap=%d","temperature":0.7,"max_tokens":512,"messages":[`,
		model, a.Stream, a.Chunks, a.Think.Microseconds(), a.Gap.Microseconds())
	b.WriteString(`{"role":"system","content":"You answer briefly."}`)
	for role, end := 0, len(`"}]}`); b.Len()+end < size; role++ {
		fmt.Fprintf(&b, `,{"role":%q,"content":"`, [...]string{"user", "assistant"}[role%2])
		for start := b.Len(); b.Len()-start < messageBytes && b.Len()+end < size; {
			if left := size - b.Len() - end; left < len(passage) {
				b.WriteString(strings.Repeat("rope ", left/len("rope ")+1)[:left])
				break
			}
			b.WriteString(passage)
		}
		b.WriteString(`"}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// MessagesBody is the same in Anthropic's Messages. A gateway turns the user's id into
// the field that the upstream reads, which must stand near the body's start: the prompt
// is a word.
func (a Ask) MessagesBody(model string) []byte {
	return fmt.Appendf(nil, `{"model":%q,"stream":%t,"max_tokens":512,"messages":[{"role":"user","content":"rope"}],"metadata":{"user_id":"chunks=%d think=%d gap=%d"}}`,
		model, a.Stream, a.Chunks, a.Think.Microseconds(), a.Gap.Microseconds())
}

// messageBytes is how long one message of a large prompt is: a page or two.
const messageBytes = 11 << 10

// passage is prose as it looks in JSON: an escape every 67 bytes and a character
// beyond ASCII every 400, as in documentation with wrapped lines. (Source code has an
// escape every 16 bytes, and is dearer to check.)
const passage = `A fairlead guides a line where it should run, and keeps it from chafing.\n` +
	`On a yacht it is a ring of steel or a block of hard wood, bolted to the deck at the bow or the stern.\n` +
	`Its edges are rounded, since a rope that bends over a sharp edge under load soon parts.\n` +
	`Sailors say \"mind the chafe\", and put grease or leather where two lines cross – most of all at sea,\n` +
	`where nobody looks at a mooring line twice before the weather turns and the harbour is far away.\n`
