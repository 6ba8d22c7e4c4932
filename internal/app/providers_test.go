package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/dialect"
)

// exchanges is where the fixtures are: NAME.txtar of each provider in the catalog, and
// NAME+WORD.txtar of further APIs of it. CONTRIBUTING.md has the form of one.
const exchanges = "../catalog/providers/exchanges"

// TestProviders_AnswerAsTheirExchangesSay plays every provider's exchange through the
// bridge, with the options that a target of it has. No fixture, no provider.
func TestProviders_AnswerAsTheirExchangesSay(t *testing.T) {
	t.Parallel()
	prices, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(exchanges, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prices.Providers() {
		if !slices.Contains(files, filepath.Join(exchanges, p.ID+".txtar")) {
			t.Errorf("providers/%s.toml has no exchange: add providers/exchanges/%s.txtar", p.ID, p.ID)
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := readFixture(t, file)
			f.provider, _, _ = strings.Cut(name, "+")
			f.play(prices)
		})
	}
}

// newcomer is all that a provider is that speaks what is spoken here already.
const newcomer = `
id = "newcomer"
name = "Newcomer"
kind = "hosted"
source = "https://newcomer.example/docs"
date = "2026-11"

[api]
dialect = "openai-chat"
base_url = "https://api.newcomer.example/v1"
auth = "bearer"
key_env = ["NEWCOMER_API_KEY"]
stream_usage = true

[does]
surfaces = ["chat"]
abilities = ["stream", "tools"]
models = true
`

// TestProviders_ANewOneIsOneFile adds a provider to the catalog's folder, and nothing else,
// and plays another's exchange as its own.
func TestProviders_ANewOneIsOneFile(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"providers/newcomer.toml": {Data: []byte(newcomer)}}
	for _, dir := range []string{"providers", "flavors", "prices"} {
		paths, err := filepath.Glob(filepath.Join("../catalog", dir, "*.*l"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[dir+"/"+filepath.Base(path)] = &fstest.MapFile{Data: text}
		}
	}
	c, err := catalog.LoadFrom(files)
	if err != nil {
		t.Fatal(err)
	}
	f := readFixture(t, filepath.Join(exchanges, "avian.txtar"))
	f.provider = "newcomer"
	target, _ := f.target(c)
	client, _ := dialect.ByName("openai-chat")
	asked, _ := f.section("asked")
	req := f.decode(client, streaming(asked))
	b, err := dialect.NewBridge(client, target.Spoken(client.Name, req).Codec, req, target.Options)
	if err != nil {
		t.Fatal(err)
	}
	if got := sent(target, target.Spoken(client.Name, req), b); !strings.HasPrefix(got, "POST https://api.newcomer.example/v1/chat/completions\nAuthorization: Bearer KEY\n") || !strings.Contains(got, "include_usage") {
		t.Errorf("sent %s", got)
	}
	wire, _ := f.section("stream.answer")
	ev, _, err := f.readStream(b, wire)
	if err != nil || ev.StopReason != "tool_calls" || ev.Usage.Output != 18 {
		t.Errorf("%+v %v", ev, err)
	}
}
