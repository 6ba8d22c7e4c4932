package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tree is the source of the module: every file of the repository by name, and
// every Go file parsed, whatever its build tags say.
type Tree struct {
	Root   string // the module's folder
	Module string // the module path of go.mod
	Fset   *token.FileSet
	Files  []string // every file, slash-separated, below Root
	Go     map[string][]File
}

// File is one Go file of a package.
type File struct {
	Name      string // below Root
	Lines     int
	Test      bool
	Generated bool
	AST       *ast.File
}

// leftOut matches what is made on the spot and never committed.
var leftOut = regexp.MustCompile(`^(\.git|\.cache|\.venv|bin|data)$|(^|/)(node_modules|__pycache__)$|\.(test|prof|out|pyc)$`)

var moduleLine = regexp.MustCompile(`(?m)^module (\S+)$`)

// Load reads the repository that holds dir. It walks the folders itself, rather
// than asking the go command, for two reasons: files for other systems count too,
// and the go command then knows that a new file makes a cached test result stale.
func Load(dir string) (*Tree, error) {
	root, module, err := findModule(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: root, Module: module, Fset: token.NewFileSet(), Go: map[string][]File{}}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if leftOut.MatchString(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			t.Files = append(t.Files, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk %s: %w", root, err)
	}
	for _, name := range t.Files {
		if strings.HasSuffix(name, ".go") && !strings.Contains(name, "testdata/") {
			if err := t.parse(name); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *Tree) parse(name string) error {
	src, err := os.ReadFile(filepath.Join(t.Root, filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	f, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse source: %w", err)
	}
	pkg := path.Dir(name)
	t.Go[pkg] = append(t.Go[pkg], File{
		Name:      name,
		Lines:     strings.Count(string(src), "\n"),
		Test:      strings.HasSuffix(name, "_test.go"),
		Generated: ast.IsGenerated(f),
		AST:       f,
	})
	return nil
}

// Packages lists the folders that hold Go files, sorted.
func (t *Tree) Packages() []string {
	names := make([]string, 0, len(t.Go))
	for name := range t.Go {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Where gives file:line of a node.
func (t *Tree) Where(n ast.Node) string {
	p := t.Fset.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// Inside cuts the module path off an import path; ok is false for foreign code.
func (t *Tree) Inside(importPath string) (rel string, ok bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}

func findModule(dir string) (root, module string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", "", fmt.Errorf("find the module: %w", err)
	}
	for {
		src, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			m := moduleLine.FindSubmatch(src)
			if m == nil {
				return "", "", fmt.Errorf("%s/go.mod has no module line", dir)
			}
			return dir, string(m[1]), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", "", fmt.Errorf("no go.mod in any parent folder: run this inside the repository")
		}
		dir = parent
	}
}
