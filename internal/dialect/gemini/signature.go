package gemini

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// This dialect's signatures are bytes in base64, and its SDKs decode them: what
// llm.CarrySignature makes of another dialect's is put into base64 as well. Its first
// twelve characters are always the same.
var (
	carriedText = []byte("fairlead.")
	carriedHead = []byte("ZmFpcmxlYWQu")
)

// redactedMark stands before thought that only its provider can read, within a
// signature that is carried; the signature proper follows behind a zero byte.
const redactedMark = "redacted:"

// carry is what clients of this dialect see of a signature or of redacted thought.
func carry(p *llm.Part) string {
	if p.Signer == Name || p.Signature == "" && p.Redacted == "" {
		return p.Signature
	}
	text := p.Signature
	if p.Redacted != "" {
		text = redactedMark + p.Redacted
		if p.Signature != "" {
			text += "\x00" + p.Signature
		}
	}
	return base64.StdEncoding.EncodeToString([]byte(llm.CarrySignature(Name, p.Signer, text)))
}

// carried puts what a client sent back as a signature into a part.
func carried(p *llm.Part, signature string) {
	if signature == "" {
		return
	}
	p.Signer, p.Signature = Name, signature
	if !strings.HasPrefix(signature, string(carriedHead)) {
		return
	}
	text, err := unbase64(signature)
	if err != nil || !bytes.HasPrefix(text, carriedText) {
		return
	}
	signer, own := llm.ReadSignature(Name, string(text))
	if signer == Name {
		return // no signer in it, so it was not made by carry
	}
	p.Signer, p.Signature = signer, own
	if rest, ok := strings.CutPrefix(own, redactedMark); ok {
		p.Redacted, p.Signature, _ = strings.Cut(rest, "\x00")
	}
}

// unbase64 reads base64 in either alphabet, padded or not: SDKs differ.
func unbase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

// isForeign reports whether a signature is another dialect's that we carried.
func isForeign(v rawjson.Value) bool {
	text, ok := v.Str()
	if !ok || !strings.HasPrefix(text, string(carriedHead)) {
		return false
	}
	var p llm.Part
	carried(&p, text)
	return p.Signer != Name
}
