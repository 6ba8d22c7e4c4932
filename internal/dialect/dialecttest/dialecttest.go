// Package dialecttest is the conformance kit of the dialects: does what one side
// said reach the other, whatever the two speak, or is its loss named?
//
// Requests stand in testdata/ask, one file per dialect of clients, in that dialect's
// own wire form, by the name of the feature they show. Answers are neutral and are
// put on the wire by the target's own codec, or by the kit's maker where no client
// speaks its dialect. Both are carried over a dialect.Bridge and read back; the
// meanings are compared as lists of facts. It opens no connection and imports no
// package testing, so that bench/conformance can judge a running gateway by the same
// rules. Start reading at Fact, then Asks and Replies, then Ask and Reply.
package dialecttest

import (
	"cmp"
	"slices"

	"github.com/fairlead/fairlead/internal/dialect"
)

// order is the order in which dialects are shown; others come behind, by name.
var order = []string{"openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "bedrock"}

// Clients are the dialects that clients speak.
func Clients() (out []*dialect.Codec) {
	return having(func(c *dialect.Codec) bool { return isClient(c) && hasAsks(c.Name) })
}

// Targets are the dialects that chat upstreams speak.
func Targets() []*dialect.Codec {
	return having(func(c *dialect.Codec) bool {
		return isClient(c) && hasAsks(c.Name) || makers[c.Name].plain != nil
	})
}

// isClient reports whether clients speak the dialect, so that its own codec can make
// what an upstream of it would send.
func isClient(c *dialect.Codec) bool { return c.Read != nil && c.Writer != nil }

func having(ok func(*dialect.Codec) bool) (out []*dialect.Codec) {
	for _, name := range dialect.Names() {
		if c, _ := dialect.ByName(name); ok(c) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *dialect.Codec) int {
		return cmp.Or(cmp.Compare(rank(a.Name), rank(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}
