package dialect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
)

// A thought's proof comes back to who signed it, byte for byte, after the client has
// echoed the answer as its SDK does; or its loss was named with the answer.
func TestConformance_ProofOfThoughtComesBackOnTheNextTurn(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		for _, feature := range dialecttest.ReplyFeatures {
			if !strings.Contains(feature.Name, "signed") && !strings.Contains(feature.Name, "redacted") {
				continue
			}
			answer, ok := dialecttest.Plain(target, feature)
			if !ok {
				continue
			}
			call, err := dialecttest.NewCall(client, target, "text", false)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := call.Bridge.Answer(answer)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(call.Lost(), nameOfSignature(client)) {
				continue
			}
			body, err := dialecttest.Echo(client.Name, call.Request.Body, ev.Raw)
			if err != nil {
				t.Fatal(err)
			}
			next, err := dialecttest.Request(client, body, false)
			if err != nil {
				t.Fatalf("%s: %v: %s", feature.Name, err, body)
			}
			b, err := dialect.NewBridge(client, target, next, dialecttest.Options(target))
			if err != nil {
				t.Fatalf("%s: %v: %s", feature.Name, err, body)
			}
			sent := string(b.Body.Join())
			if !strings.Contains(sent, "U2lnbmVkIQ==") && !strings.Contains(sent, "UmVkYWN0ZWQ=") || strings.Contains(sent, "fairlead.") {
				t.Errorf("%s: the proof did not come back (lost: %v)\nthe client got  %s\nand the target %s", feature.Name, b.Lost, ev.Raw, sent)
			}
		}
	})
}

func nameOfSignature(c *dialect.Codec) string {
	for field, name := range c.Names {
		if field == "signature" {
			return name
		}
	}
	return "signature"
}
