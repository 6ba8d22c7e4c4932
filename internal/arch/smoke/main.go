// Smoke reports what has grown large: files, functions, packages, interfaces,
// constructors and structs above the size at which a reader should ask whether
// there are two things inside.
//
// An alarm is a question, not a failure, so the exit code is 0 however many there
// are. Tests and generated files are left out. Run it with `make smoke`; start
// reading at alarms.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/arch"
)

// limit is one kind of alarm: it rings above Max.
type limit struct {
	what string
	unit string
	max  int
}

var (
	fileLines     = limit{"file", "lines", 400}
	funcLines     = limit{"function", "lines", 60}
	packageFiles  = limit{"package", "files", 12}
	ifaceMethods  = limit{"interface", "methods", 5}
	constructorIn = limit{"constructor", "parameters", 4}
	structFields  = limit{"struct", "fields", 15}
)

// alarm is one thing above its limit.
type alarm struct {
	limit limit
	name  string
	where string
	size  int
}

func main() {
	tree, err := arch.Load(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
	report(os.Stdout, alarms(tree))
}

// alarms measures every product file of the tree.
func alarms(tree *arch.Tree) []alarm {
	m := meter{tree: tree}
	for _, pkg := range tree.Packages() {
		files := 0
		for _, f := range tree.Go[pkg] {
			if f.Test || f.Generated {
				continue
			}
			files++
			m.check(fileLines, f.Name, f.Name, f.Lines)
			for _, d := range f.AST.Decls {
				m.decl(d)
			}
		}
		m.check(packageFiles, pkg, pkg, files)
	}
	return m.found
}

type meter struct {
	tree  *arch.Tree
	found []alarm
}

func (m *meter) check(l limit, name, where string, size int) {
	if size > l.max {
		m.found = append(m.found, alarm{l, name, where, size})
	}
}

func (m *meter) decl(d ast.Decl) {
	where := m.tree.Where(d)
	switch d := d.(type) {
	case *ast.FuncDecl:
		m.check(funcLines, d.Name.Name, where, m.lines(d))
		if constructs(d) {
			m.check(constructorIn, d.Name.Name, where, d.Type.Params.NumFields())
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if spec, ok := s.(*ast.TypeSpec); ok {
				m.typeSpec(spec)
			}
		}
	}
}

func (m *meter) typeSpec(spec *ast.TypeSpec) {
	where := m.tree.Where(spec)
	switch t := spec.Type.(type) {
	case *ast.InterfaceType:
		m.check(ifaceMethods, spec.Name.Name, where, t.Methods.NumFields())
	case *ast.StructType:
		m.check(structFields, spec.Name.Name, where, t.Fields.NumFields())
	}
}

func (m *meter) lines(n ast.Node) int {
	return m.tree.Fset.Position(n.End()).Line - m.tree.Fset.Position(n.Pos()).Line + 1
}

// constructs reports a plain function that makes something: New, NewX, newX, Open.
func constructs(d *ast.FuncDecl) bool {
	name := strings.ToLower(d.Name.Name)
	return d.Recv == nil && d.Type.Results.NumFields() > 0 &&
		(strings.HasPrefix(name, "new") || strings.HasPrefix(name, "open"))
}

// report prints the alarms by kind, the largest first, and how many there are.
func report(w io.Writer, found []alarm) {
	for _, l := range []limit{fileLines, funcLines, packageFiles, ifaceMethods, constructorIn, structFields} {
		var these []alarm
		for _, a := range found {
			if a.limit == l {
				these = append(these, a)
			}
		}
		slices.SortStableFunc(these, func(a, b alarm) int { return cmp.Compare(b.size, a.size) })
		fmt.Fprintf(w, "%-11s > %3d %-10s %3d\n", l.what, l.max, l.unit, len(these))
		for _, a := range these {
			if a.name == a.where {
				fmt.Fprintf(w, "  %6d  %s\n", a.size, a.where)
			} else {
				fmt.Fprintf(w, "  %6d  %s  %s\n", a.size, a.where, a.name)
			}
		}
	}
	fmt.Fprintf(w, "%d alarms: split by noun or step, or say in the commit why it reads better whole\n", len(found))
}
