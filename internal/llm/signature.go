package llm

import "strings"

// A signature of thought that travels through a client of another dialect must find
// its way back to the provider that made it, and to no other. It is carried in that
// client's own signature field with the signer's dialect before it.
const signedPrefix = "fairlead."

// CarrySignature is how a signature of signer looks to clients of the dialect
// home: its own are untouched.
func CarrySignature(home, signer, signature string) string {
	if signature == "" || signer == home {
		return signature
	}
	return signedPrefix + signer + "." + signature
}

// ReadSignature takes a signature that a client of the dialect home sent back: who
// made it, and its own bytes.
func ReadSignature(home, carried string) (signer, signature string) {
	rest, ok := strings.CutPrefix(carried, signedPrefix)
	if !ok {
		return home, carried
	}
	signer, signature, ok = strings.Cut(rest, ".")
	if !ok {
		return home, carried
	}
	return signer, signature
}
