package arch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/arch"
)

// roomRow is a line of ARCHITECTURE.md's table of rooms: floor and package.
var roomRow = regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z0-9/]+)` \\|")

func TestArchitecture_ListsTheRoomsThatExist(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	text, err := os.ReadFile(filepath.Join(tr.Root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range roomRow.FindAllStringSubmatch(string(text), -1) {
		pkg := "internal/" + m[2]
		listed[pkg] = true
		row, ok := arch.Find(pkg)
		if !ok || strconv.Itoa(row.Floor) != m[1] {
			t.Errorf("ARCHITECTURE.md puts %s on floor %s; the table says %+v", pkg, m[1], row)
		}
		if len(tr.Go[pkg]) == 0 {
			t.Errorf("ARCHITECTURE.md lists %s, which is not built yet: take the line out until it is", pkg)
		}
	}
	for _, pkg := range tr.Packages() {
		row, ok := arch.Find(pkg)
		if !ok || row.Kind != arch.Room || row.Floor > 11 || listed[pkg] {
			continue
		}
		if root, part := strings.CutSuffix(row.Path, "/..."); part && pkg != root {
			continue // a part of a room that has its line
		}
		t.Errorf("%s exists, but the table of rooms in ARCHITECTURE.md does not list it", pkg)
	}
}

// link is a Markdown link or image to a file of the repository.
var link = regexp.MustCompile(`\]\(([^)#:\s]+)[^)]*\)`)

func TestDocuments_LinkToFilesThatExist(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	for _, name := range tr.Files {
		if !strings.HasSuffix(name, ".md") || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(tr.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "https" { // a page elsewhere
				continue
			}
			target := filepath.Join(tr.Root, filepath.Dir(name), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}
