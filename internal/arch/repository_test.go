package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// foreignWords may stand in no file: package registries (a user's own settings
// choose those) and folders of the machine that something was written on. Each is
// split, so that this file does not find itself.
var foreignWords = []struct{ word, why string }{
	{"proxy.golang" + ".org", "a package registry"},
	{"sum.golang" + ".org", "a package registry"},
	{"pypi" + ".org", "a package registry"},
	{"pythonhosted" + ".org", "a package registry"},
	{"registry.npmjs" + ".org", "a package registry"},
	{"registry.yarnpkg" + ".com", "a package registry"},
	{"crates" + ".io", "a package registry"},
	{"rubygems" + ".org", "a package registry"},
	{"deb.debian" + ".org", "a package mirror"},
	{"archive.ubuntu" + ".com", "a package mirror"},
	{"dl-cdn.alpinelinux" + ".org", "a package mirror"},
	{"/wo" + "rk/", "a path of one machine"},
	{"/ro" + "ot/", "a path of one machine"},
	{"/Us" + "ers/", "a path of one machine"},
	{"/tmp/" + "fl", "a path of one machine"},
}

// maxScanned is the size above which a file is data, not text that people wrote.
const maxScanned = 4 << 20

func TestRepository_NamesNoRegistryAndNoMachine(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	for _, name := range tr.Files {
		full := filepath.Join(tr.Root, filepath.FromSlash(name))
		info, err := os.Stat(full)
		if errors.Is(err, os.ErrNotExist) {
			continue // another test's scratch file, gone again
		}
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxScanned {
			continue
		}
		text, err := os.ReadFile(full)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		for _, f := range foreignWords {
			if at := bytes.Index(text, []byte(f.word)); at >= 0 {
				t.Errorf("%s:%d: %q is %s: leave it out", name, 1+bytes.Count(text[:at], []byte("\n")), f.word, f.why)
			}
		}
	}
}

func TestRepository_BuildsWithoutCgo(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	if len(tr.Go["cmd/fairlead"]) == 0 {
		t.Skip("cmd/fairlead does not exist yet")
	}
	for _, pkg := range listDeps(t, tr.Root, "0") {
		if pkg.Error != nil {
			t.Errorf("without cgo, %s cannot be built: %s", pkg.ImportPath, pkg.Error.Err)
		}
	}
	for _, pkg := range listDeps(t, tr.Root, "1") {
		if !pkg.Standard && len(pkg.CgoFiles) > 0 {
			t.Errorf("%s has cgo files (%s): the binary is static and cross-compiles", pkg.ImportPath, strings.Join(pkg.CgoFiles, ", "))
		}
	}
}

type listed struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
	Error      *struct{ Err string }
}

func listDeps(t *testing.T, root, cgo string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,CgoFiles,Error", "./cmd/fairlead")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listed
		err := d.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("read what go list printed: %v", err)
		}
		all = append(all, pkg)
	}
}
