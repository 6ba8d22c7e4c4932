package dialect_test

import (
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
)

// update is the flag of the golden files here, which other tests of the package read
// too; whoever comes first declares it.
var update = func() *flag.Flag {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the golden files and docs/conformance.md anew")
	}
	return flag.Lookup("update")
}()

const tableFile = "../../docs/conformance.md"

// eachPair runs a test for every client and every target.
func eachPair(t *testing.T, test func(t *testing.T, client, target *dialect.Codec)) {
	t.Helper()
	for _, client := range dialecttest.Clients() {
		for _, target := range dialecttest.Targets() {
			t.Run(client.Name+" to "+target.Name, func(t *testing.T) {
				t.Parallel()
				test(t, client, target)
			})
		}
	}
}

// results are every feature over every pair, found once.
var results = sync.OnceValue(func() (out []dialecttest.Result) {
	for _, client := range dialecttest.Clients() {
		for _, target := range dialecttest.Targets() {
			out = append(append(out, dialecttest.RunAsks(client, target)...), dialecttest.RunReplies(client, target)...)
		}
	}
	return out
})

func TestConformance_LosesNothingInSilence(t *testing.T) {
	t.Parallel()
	for _, r := range results() {
		for _, p := range r.Problems {
			t.Errorf("%s to %s: %s: %s", r.Client, r.Target, r.Feature, p)
		}
	}
}

func TestConformance_TableIsFresh(t *testing.T) {
	t.Parallel()
	got := dialecttest.Markdown(results())
	if update.Value.String() == "true" {
		if err := os.WriteFile(tableFile, []byte(got), 0o644); err != nil { // a document
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is stale: read what changed, then write it anew with -update", tableFile)
	}
}

// A dialect translated into itself has a word for everything, so nearly nothing may
// be lost; what is, is named.
func TestConformance_DialectTranslatesIntoItself(t *testing.T) {
	t.Parallel()
	for _, target := range dialecttest.Clients() {
		client := *target // another pointer, so that nothing passes through
		t.Run(target.Name, func(t *testing.T) {
			t.Parallel()
			for _, r := range append(dialecttest.RunAsks(&client, target), dialecttest.RunReplies(&client, target)...) {
				for _, p := range r.Problems {
					t.Errorf("%s: %s", r.Feature, p)
				}
				if r.Outcome == dialecttest.Lost {
					t.Logf("%s: lost %q", r.Feature, r.Lost)
				}
			}
		})
	}
}
