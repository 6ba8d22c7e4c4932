package arch_test

import (
	"go/ast"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/arch"
)

// load reads the repository once for all tests.
var load = sync.OnceValues(func() (*arch.Tree, error) { return arch.Load(".") })

func tree(t *testing.T) *arch.Tree {
	t.Helper()
	tr, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// contextFields are the structs that may keep a context, with the reason.
var contextFields = map[string]string{}

func TestArch_EveryPackageHasItsPlace(t *testing.T) {
	t.Parallel()
	for _, pkg := range tree(t).Packages() {
		if _, ok := arch.Find(pkg); !ok {
			t.Errorf("%s is not in the table: add it to Floors in internal/arch/floors.go with its floor and what it answers", pkg)
		}
	}
}

func TestArch_ImportsGoDown(t *testing.T) {
	t.Parallel()
	eachImport(t, func(pkg string, f arch.File, spec *ast.ImportSpec, target string) {
		from, ok := arch.Find(pkg)
		to, inside := tree(t).Inside(target)
		if !ok || !inside || to == pkg {
			return
		}
		row, ok := arch.Find(to)
		if !ok {
			t.Errorf("%s: %s imports %s, which is not in the table", tree(t).Where(spec), pkg, to)
			return
		}
		if why := arch.Why(from, row, pkg, to, f.Test); why != "" {
			t.Errorf("%s: %s must not import %s: %s", tree(t).Where(spec), pkg, to, why)
		}
	})
}

func TestArch_LibrariesStayInTheirRoom(t *testing.T) {
	t.Parallel()
	eachImport(t, func(pkg string, f arch.File, spec *ast.ImportSpec, target string) {
		row, ok := arch.Find(pkg)
		if f.Test || ok && row.Kind != arch.Room && row.Kind != arch.Program {
			return
		}
		if why := arch.WhyConfined(pkg, target); why != "" {
			t.Errorf("%s: %s must not import %s: %s", tree(t).Where(spec), pkg, target, why)
		}
	})
}

func TestArch_LowerFloorsArePure(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	eachImport(t, func(pkg string, f arch.File, spec *ast.ImportSpec, target string) {
		if row, ok := arch.Find(pkg); !ok || !row.Pure() || f.Test {
			return
		}
		if why := arch.WhyImpure(target); why != "" {
			t.Errorf("%s: %s must not import %s: %s", tr.Where(spec), pkg, target, why)
		}
	})
	for _, pkg := range tr.Packages() {
		if row, ok := arch.Find(pkg); !ok || !row.Pure() {
			continue
		}
		for _, finding := range arch.Impurities(tr.Fset, productFiles(tr.Go[pkg])) {
			t.Errorf("%s: %s", tr.Where(finding.Node), finding.Why)
		}
	}
}

func TestArch_EveryPackageSaysWhatItAnswers(t *testing.T) {
	t.Parallel()
	for _, pkg := range tree(t).Packages() {
		var docs []string
		lines := 0
		for _, f := range tree(t).Go[pkg] {
			if f.AST.Doc == nil || f.Generated {
				continue
			}
			text := strings.TrimSpace(f.AST.Doc.Text())
			for line := range strings.Lines(text) {
				if strings.TrimSpace(line) != "" {
					lines++
				}
			}
			docs = append(docs, f.Name)
		}
		switch {
		case len(docs) == 0:
			t.Errorf("%s has no package comment: say in 3 to 10 lines what it answers, what it must not know, where to start reading", pkg)
		case len(docs) > 1:
			t.Errorf("%s has package comments in %s: keep one", pkg, strings.Join(docs, ", "))
		case lines < 3 || lines > 10:
			t.Errorf("%s: the package comment has %d lines, want 3 to 10", docs[0], lines)
		}
	}
}

func TestArch_NothingRegistersItself(t *testing.T) {
	t.Parallel()
	eachDecl(t, func(f arch.File, d ast.Decl) {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			t.Errorf("%s: no init functions: what plugs in stands in one table that a reader can see", tree(t).Where(fn))
		}
	})
}

func TestArch_ContextIsAParameter(t *testing.T) {
	t.Parallel()
	for _, pkg := range tree(t).Packages() {
		for _, f := range tree(t).Go[pkg] {
			if f.Test {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				name := pkg + "." + spec.Name.Name
				if s, ok := spec.Type.(*ast.StructType); ok && contextFields[name] == "" && keepsContext(s) {
					t.Errorf("%s: %s keeps a context: pass it as the first parameter of each call, or list the type in contextFields with the reason", tree(t).Where(spec), name)
				}
				return true
			})
		}
	}
}

func keepsContext(s *ast.StructType) bool {
	for _, field := range s.Fields.List {
		if sel, ok := field.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "context" {
				return true
			}
		}
	}
	return false
}

func eachImport(t *testing.T, visit func(pkg string, f arch.File, spec *ast.ImportSpec, target string)) {
	t.Helper()
	for _, pkg := range tree(t).Packages() {
		for _, f := range tree(t).Go[pkg] {
			for _, spec := range f.AST.Imports {
				target, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				visit(pkg, f, spec, target)
			}
		}
	}
}

func eachDecl(t *testing.T, visit func(f arch.File, d ast.Decl)) {
	t.Helper()
	for _, pkg := range tree(t).Packages() {
		for _, f := range tree(t).Go[pkg] {
			for _, d := range f.AST.Decls {
				visit(f, d)
			}
		}
	}
}

func productFiles(files []arch.File) []*ast.File {
	var out []*ast.File
	for _, f := range files {
		if !f.Test {
			out = append(out, f.AST)
		}
	}
	return out
}

func TestLoad_SeesTheWholeRepository(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	for _, name := range []string{"go.mod", "Makefile", "internal/arch/arch_test.go"} {
		found := false
		for _, f := range tr.Files {
			found = found || f == name
		}
		if !found {
			t.Errorf("%s was not seen", name)
		}
	}
	for _, f := range tr.Files {
		if dir := path.Dir(f); dir == ".git" || strings.HasPrefix(f, ".cache/") {
			t.Errorf("%s should have been left out", f)
		}
	}
	if _, err := arch.Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("Load outside a module succeeded, want an error")
	}
}
