package anthropic

import (
	"bytes"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes to send to an upstream of the same dialect: the client's
// own with the model's name changed, and the fields that were lost. The client's slice
// is not written to.
//
// One thing is taken out: where an earlier answer came from a target of another
// dialect, the client sends back thought that no provider of this one made, and
// citations that its own search did not find. It would refuse the whole request.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, loss []string, err error) {
	edit := wire.Edit(req, opt)
	if mayBeForeign(req.Body) {
		messages, _ := req.Doc.Get("messages")
		s := stripper{}
		if out := s.messages(messages); s.cut {
			edit.Set(out, "messages")
			for _, f := range s.lost {
				loss = append(loss, Names[f])
			}
		}
	}
	body, err = edit.Segments()
	return body, loss, err
}

// mayBeForeign is a quick look for what Encode takes out.
func mayBeForeign(body []byte) bool {
	return bytes.Contains(body, []byte(`"thinking"`)) || bytes.Contains(body, []byte(signedMark))
}

// signedMark begins what another dialect's signature is carried in.
const signedMark = "fairlead."

// stripper copies messages without what is foreign in them.
type stripper struct {
	cut  bool
	lost llm.Losses
}

// messages copies the array. A message of which nothing is left goes as a whole.
func (s *stripper) messages(list rawjson.Value) []byte {
	return copyItems(list, func(m rawjson.Value) []byte {
		content, ok := m.Get("content")
		if role, _ := m.Get("role"); !ok || !role.Is("assistant") || content.Kind() != rawjson.Array {
			return m.Raw()
		}
		cut := stripper{}
		left := copyItems(content, cut.block)
		if !cut.cut {
			return m.Raw()
		}
		s.cut = true
		s.lost.Add(cut.lost...)
		if v, _ := rawjson.Lookup(left); wire.NoItems(v) {
			return nil
		}
		return replace(m, content, left)
	})
}

// block gives a block without what is foreign in it, nil where all of it is.
func (s *stripper) block(b rawjson.Value) []byte {
	kind, _ := b.Get("type")
	switch {
	case kind.Is("thinking") && isForeign(b, "signature"), kind.Is("redacted_thinking") && isForeign(b, "data"):
		s.cut = true
		s.lost.Add(llm.FieldSignature)
		return nil
	case kind.Is("text"):
		list, ok := b.Get("citations")
		if !ok || !bytes.Contains(list.Raw(), []byte(foreignIndex)) {
			break
		}
		s.cut = true
		return replace(b, list, copyItems(list, func(c rawjson.Value) []byte {
			if index, _ := c.Get("encrypted_index"); index.Is(foreignIndex) {
				return nil // what it says is still in the text
			}
			return c.Raw()
		}))
	}
	return b.Raw()
}

// isForeign reports whether a proof of thought is another provider's, or none.
func isForeign(b rawjson.Value, field string) bool {
	v, _ := b.Get(field)
	proof, _ := v.Str()
	return proof == "" || strings.HasPrefix(proof, signedMark)
}

// copyItems copies an array with each item as given, or without it where that is nil.
// All other bytes stay.
func copyItems(list rawjson.Value, give func(rawjson.Value) []byte) []byte {
	raw := list.Raw()
	base, _ := list.Pos()
	out := make([]byte, 1, len(raw))
	out[0] = '['
	last, kept := 1, 0
	for item := range list.Items() {
		start, end := item.Pos()
		between := raw[last : start-base]
		last = end - base
		with := give(item)
		if with == nil {
			continue
		}
		if kept == 0 { // the comma before it stood behind what is gone
			between = bytes.Replace(between, []byte(","), nil, 1)
		}
		out = append(append(out, between...), with...)
		kept++
	}
	return append(out, raw[last:]...)
}

// replace copies outer with other bytes in place of one of its values.
func replace(outer, value rawjson.Value, with []byte) []byte {
	start, end := outer.Pos()
	from, to := value.Pos()
	raw := outer.Raw()
	out := append(make([]byte, 0, len(raw)), raw[:from-start]...)
	out = append(out, with...)
	return append(out, raw[to-start:end-start]...)
}
