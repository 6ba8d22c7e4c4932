package anthropic

import (
	"bytes"
	"strings"

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
func Encode(req *llm.Request, opt llm.Options) (body []byte, loss []string, err error) {
	edit := req.Doc.Edit()
	if opt.Model != req.Model {
		edit.Set(rawjson.AppendString(nil, opt.Model), "model")
	}
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
	body, err = edit.Apply()
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
	out := make([]byte, 0, len(list.Raw()))
	out = append(out, '[')
	for m := range list.Items() {
		if len(out) > 1 {
			out = append(out, ',')
		}
		content, ok := m.Get("content")
		if role, _ := m.Get("role"); !ok || !role.Is("assistant") || content.Kind() != rawjson.Array {
			out = append(out, m.Raw()...)
			continue
		}
		cut := s.cut
		s.cut = false
		kept, left := s.blocks(content)
		switch {
		case !s.cut:
			out = append(out, m.Raw()...)
		case left == 0:
			out = bytes.TrimSuffix(out, []byte(","))
		default:
			out = replace(out, m, content, kept)
		}
		s.cut = s.cut || cut
	}
	return append(bytes.TrimSuffix(out, []byte(",")), ']')
}

// replace copies outer with other bytes in place of one of its values.
func replace(dst []byte, outer, value rawjson.Value, with []byte) []byte {
	start, end := outer.Pos()
	from, to := value.Pos()
	raw := outer.Raw()
	dst = append(dst, raw[:from-start]...)
	dst = append(dst, with...)
	return append(dst, raw[to-start:end-start]...)
}

func (s *stripper) blocks(content rawjson.Value) (out []byte, left int) {
	out = append(out, '[')
	for b := range content.Items() {
		kept := b.Raw()
		kind, _ := b.Get("type")
		switch {
		case kind.Is("thinking") && isForeign(b, "signature"), kind.Is("redacted_thinking") && isForeign(b, "data"):
			s.cut = true
			s.lost.Add(llm.FieldSignature)
			continue
		case kind.Is("text"):
			if list, ok := b.Get("citations"); ok && bytes.Contains(list.Raw(), []byte(foreignIndex)) {
				s.cut = true
				kept = replace(nil, b, list, ownCitations(list))
			}
		}
		if left > 0 {
			out = append(out, ',')
		}
		out = append(out, kept...)
		left++
	}
	return append(out, ']'), left
}

// isForeign reports whether a proof of thought is another provider's, or none.
func isForeign(b rawjson.Value, field string) bool {
	v, _ := b.Get(field)
	proof, _ := v.Str()
	return proof == "" || strings.HasPrefix(proof, signedMark)
}

// ownCitations is a list without those that another provider's search found: what they
// say is still in the text.
func ownCitations(list rawjson.Value) []byte {
	out := []byte{'['}
	for c := range list.Items() {
		if index, _ := c.Get("encrypted_index"); index.Is(foreignIndex) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, c.Raw()...)
	}
	return append(out, ']')
}
