package catalog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/testkit"
)

// The list in docs/providers.md stands between these lines.
const (
	listBegins = "<!-- The list is written by `go test ./internal/catalog -run Page -update` from internal/catalog/providers. -->\n"
	listEnds   = "<!-- The list ends. -->\n"
)

func TestPage_ListsTheProviders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(testkit.Root(t), "docs", "providers.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), listBegins)
	_, after, ends := strings.Cut(rest, listEnds)
	if !begins || !ends {
		t.Fatal("docs/providers.md has no list")
	}
	want := before + listBegins + "\n" + list(load(t)) + listEnds + after
	if want == string(text) {
		return
	}
	if !testkit.Updating() {
		t.Fatal("docs/providers.md says something else than internal/catalog/providers: run this test with -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func list(c *catalog.Catalog) string {
	var out strings.Builder
	for _, kind := range []struct {
		kind  catalog.Kind
		title string
	}{
		{catalog.Hosted, "Hosted, billed by use"}, {catalog.Serverless, "Serverless, billed by time"},
		{catalog.SelfHosted, "Servers of your own"}, {catalog.Local, "On this machine"},
	} {
		fmt.Fprintf(&out, "### %s\n\n| `provider:` | who | address | speaks | key | can |\n|---|---|---|---|---|---|\n", kind.title)
		for _, p := range c.Providers() {
			if p.Kind == kind.kind {
				fmt.Fprintf(&out, "| `%s` | [%s](%s) | %s | %s | %s | %s |\n", p.ID, p.Name, p.Source, address(p), strings.Join(p.API.Dialects(), ", "), key(p), can(p))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

func address(p *catalog.Provider) string {
	switch {
	case p.API.BaseURL != "":
		return "`" + p.API.BaseURL + "`"
	case p.API.RegionURL != "":
		return "by `region:`, `" + p.API.RegionURL + "`"
	case p.API.Example != "":
		return "yours: `" + p.API.Example + "`"
	case p.Kind == catalog.Local:
		return "its own"
	}
	return "yours"
}

func key(p *catalog.Provider) string {
	ref := p.API.KeyReference(nil)
	switch {
	case ref == "":
		return "–"
	case p.API.Auth == "none":
		return "`" + ref + "`, where it wants one"
	}
	if len(p.API.KeyParts) > 0 {
		all := append(append([]string{}, p.API.KeyParts...), p.API.KeyMore...)
		ref += "` or `${" + strings.Join(all, "}:${") + "}"
	}
	return "`" + ref + "`"
}

func can(p *catalog.Provider) string {
	text := strings.Join(append(append([]string{}, p.Does.Surfaces...), p.Does.Abilities...), ", ")
	for _, e := range p.Does.Except {
		text += "; without " + strings.Join(e.Lack, ", ") + ": " + strings.ReplaceAll(e.Models, "|", "or")
	}
	return text
}
