package responses

import (
	"bytes"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Thought that can be verified is an item with an id and encrypted_content, and the
// provider refuses one with the other's. So both together are the signature of a
// llm.Part: "id:encrypted_content".
//
// Another provider's signature stands for clients of this dialect in
// encrypted_content, wrapped by llm.CarrySignature; thought that only its provider can
// read has redactedMark behind the signer.
const (
	carriedPrefix = "fairlead."
	redactedMark  = "/redacted"
)

// seal puts an item's id and its encrypted content into one signature.
func seal(id, encrypted string) string { return id + ":" + encrypted }

// unseal is the way back. A signature without an id is the content alone.
func unseal(signature string) (id, encrypted string) {
	if id, encrypted, ok := strings.Cut(signature, ":"); ok {
		return id, encrypted
	}
	return "", signature
}

func isCarried(sealed rawjson.Value) bool {
	return bytes.HasPrefix(sealed.Raw(), []byte(`"`+carriedPrefix))
}

// isOurs reports whether an item's id was made here.
func isOurs(id rawjson.Value) bool { return bytes.HasPrefix(id.Raw(), []byte(`"`+reasoningID)) }

// readSealed gives a part the signature that an item has.
func readSealed(p *llm.Part, id, encrypted string) {
	signer, signature := llm.ReadSignature(Name, encrypted)
	signer, redacted := strings.CutSuffix(signer, redactedMark)
	switch {
	case encrypted == "":
	case signer == Name:
		p.Signer, p.Signature = Name, seal(id, encrypted)
	case redacted:
		p.Signer, p.Redacted = signer, signature
	default:
		p.Signer, p.Signature = signer, signature
	}
}

// writeSealed is the encrypted content, and the id if it is bound to one, of a part.
func writeSealed(p *llm.Part) (id, encrypted string) {
	switch {
	case p.Signer == Name && p.Signature != "":
		return unseal(p.Signature)
	case p.Signer == Name:
		return "", p.Redacted
	case p.Redacted != "":
		return "", llm.CarrySignature(Name, p.Signer+redactedMark, p.Redacted)
	}
	return "", llm.CarrySignature(Name, p.Signer, p.Signature)
}
