package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strings"
)

// Finding is one place that breaks a rule.
type Finding struct {
	Node ast.Node
	Why  string
}

// clock and seeded are the functions by which hidden inputs come into a package:
// the time of day, and random numbers from a seed that nobody recorded.
var (
	clock = map[string]bool{
		"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true,
		"AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true,
	}
	seeded = map[string]bool{
		"New": true, "NewSource": true, "NewPCG": true, "NewChaCha8": true, "NewZipf": true,
		"Rand": true, "Source": true, "Source64": true, "PCG": true, "ChaCha8": true, "Zipf": true,
	}
)

// Impurities finds what makes the answers of a package depend on more than its
// inputs: the clock, unseeded random numbers, goroutines, and package-level
// variables that change. Tables that are never written, sentinel errors, compiled
// expressions and embedded files are values, so they are no finding.
//
// Names are resolved with go/types over the package alone; imports are left
// empty, which costs milliseconds rather than the seconds of loading them all. A
// map that is first handed to a local variable and then written is not seen.
func Impurities(fset *token.FileSet, files []*ast.File) []Finding {
	p := purity{info: types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
	conf := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	// Errors are expected: every imported name is missing from its empty package.
	p.pkg, _ = conf.Check("pure", fset, files, &p.info)
	for _, f := range files {
		p.declarations(f)
		ast.Inspect(f, p.visit)
	}
	return p.found
}

type purity struct {
	info  types.Info
	pkg   *types.Package
	found []Finding
}

func (p *purity) add(n ast.Node, why string) {
	p.found = append(p.found, Finding{n, why})
}

// declarations finds package variables whose type exists to be changed.
func (p *purity) declarations(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec) //nolint:forcetypeassert // a var declaration holds nothing else
			exprs := []ast.Expr{v.Type}
			for _, value := range v.Values {
				if lit, ok := value.(*ast.CompositeLit); ok {
					exprs = append(exprs, lit.Type)
				}
			}
			for _, t := range exprs {
				if p.shared(t) {
					p.add(v, "package-level "+v.Names[0].Name+" is shared state: pass it in")
				}
			}
		}
	}
}

// shared reports a type of sync or sync/atomic, bare or as the base of a generic.
func (p *purity) shared(t ast.Expr) bool {
	if x, ok := t.(*ast.IndexExpr); ok {
		t = x.X
	}
	from, _ := p.foreign(t)
	return from == "sync" || from == "sync/atomic"
}

func (p *purity) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		p.add(n, "starts a goroutine; floor 5 and up own those")
	case *ast.SelectorExpr:
		p.hiddenInput(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			p.written(n.Lhs...)
		}
	case *ast.IncDecStmt:
		p.written(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			p.written(n.Key, n.Value)
		}
	case *ast.SendStmt:
		p.written(n.Chan)
	case *ast.UnaryExpr:
		if _, ok := ast.Unparen(n.X).(*ast.Ident); ok && n.Op == token.AND {
			p.written(n.X)
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") {
			p.written(n.Args[0])
		}
	}
	return true
}

func (p *purity) hiddenInput(sel *ast.SelectorExpr) {
	from, name := p.foreign(sel)
	switch {
	case from == "time" && clock[name]:
		p.add(sel, "time."+name+" reads the clock; time is part of the Question")
	case (from == "math/rand" || from == "math/rand/v2") && !seeded[name]:
		p.add(sel, "rand."+name+" draws from a hidden seed; the seed is part of the Question")
	}
}

// written notes those expressions that change a package-level variable, its own
// package's or another's.
func (p *purity) written(targets ...ast.Expr) {
	for _, target := range targets {
		root := target
		for root != nil {
			if from, name := p.foreign(root); from != "" {
				p.add(target, "changes "+path.Base(from)+"."+name+", which belongs to another package")
				break
			}
			if id, ok := root.(*ast.Ident); ok {
				if v, ok := p.info.Uses[id].(*types.Var); ok && p.pkg != nil && v.Parent() == p.pkg.Scope() {
					p.add(target, "package-level "+id.Name+" is changed (or its address given away) after its declaration: make it a value that is passed")
				}
				break
			}
			root = inner(root)
		}
	}
}

// inner is the expression that holds what e selects from, or nil.
func inner(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return e.X
	case *ast.IndexExpr:
		return e.X
	case *ast.SliceExpr:
		return e.X
	case *ast.SelectorExpr:
		return e.X
	case *ast.StarExpr:
		return e.X
	}
	return nil
}

// foreign gives import path and name of a selector on a package, or "".
func (p *purity) foreign(e ast.Expr) (from, name string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	pkg, ok := p.info.Uses[id].(*types.PkgName)
	if !ok {
		return "", ""
	}
	return pkg.Imported().Path(), sel.Sel.Name
}

// emptyImporter answers every import with a package that has a name and no more.
type emptyImporter struct{}

func (emptyImporter) Import(importPath string) (*types.Package, error) {
	name := path.Base(importPath)
	if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
		name = path.Base(path.Dir(importPath))
	}
	pkg := types.NewPackage(importPath, name)
	pkg.MarkComplete()
	return pkg, nil
}
