package strict

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

type decoder struct {
	opt      Options
	places   *Places
	problems Problems
	anchors  map[string]ast.Node
	nodes    int
}

// problem notes a mistake at a token, up to the bound.
func (d *decoder) problem(at Position, path []string, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, Problem{File: d.opt.File, Position: at, Path: Dotted(path), Message: fmt.Sprintf(format, args...)})
	}
}

// value decodes one node into v. path is where it stands, f what the tags of the
// field say.
func (d *decoder) value(n ast.Node, v reflect.Value, f field, path []string) {
	at := nodePosition(n)
	n = d.resolve(n, path)
	if n == nil {
		return
	}
	if d.nodes++; d.nodes > maxNodes || len(path) > maxNesting {
		if d.nodes == maxNodes+1 || len(path) > maxNesting {
			d.problem(at, path, "the aliases of this file make more than %d values: write less with aliases", maxNodes)
		}
		return
	}
	if v.Kind() == reflect.Pointer {
		made := reflect.New(v.Type().Elem())
		d.value(n, made.Elem(), f, path)
		v.Set(made)
		return
	}
	form, scalar := formOf(v.Type(), f)
	switch {
	case n.Type() == ast.NullType:
		d.problem(at, path, "is empty: write %s, or take the line out", wants(v.Type(), f))
	case scalar:
		d.scalar(n, v, f, form, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case isEntries(v.Type()):
		d.entries(n, v, path)
	default:
		d.list(n, v, f, path)
	}
}

// Visit notes anchors before anything is decoded; it implements ast.Visitor.
func (d *decoder) Visit(n ast.Node) ast.Visitor {
	if x, ok := n.(*ast.AnchorNode); ok {
		d.anchors[x.Name.GetToken().Value] = x.Value
	}
	return d
}

// resolve follows anchors and aliases; nil when the node is not usable, which was
// then reported.
func (d *decoder) resolve(n ast.Node, path []string) ast.Node {
	for range maxNesting {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			name := x.Value.GetToken().Value
			target, ok := d.anchors[name]
			if !ok {
				d.problem(nodePosition(n), path, "nothing in this file is anchored as &%s", clip(name))
				return nil
			}
			n = target
		case *ast.TagNode:
			d.problem(nodePosition(n), path, "tags such as %s are not used here: take it out", clip(x.GetToken().Value))
			return nil
		case nil:
			return nil
		default:
			return n
		}
	}
	d.problem(nodePosition(n), path, "this alias leads to itself: write the value")
	return nil
}

// pairs are the entries of a mapping node; ok is false for any other node.
func pairs(n ast.Node) (all []*ast.MappingValueNode, ok bool) {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}, true
	}
	return nil, false
}

// eachKey walks a mapping: every key once, with its name.
func (d *decoder) eachKey(n ast.Node, path []string, visit func(name string, key Position, value ast.Node)) bool {
	all, ok := pairs(n)
	if !ok {
		return false
	}
	seen := map[string]Position{}
	for _, pair := range all {
		at := nodePosition(pair.Key)
		name, ok := keyName(pair.Key)
		if pair.Key.Type() == ast.MergeKeyType {
			d.problem(at, path, "merge keys (<<) are not used here: write the settings, or an alias for all of them")
			continue
		}
		if !ok {
			d.problem(at, path, "this is not a plain name: write name: value")
			continue
		}
		if first, twice := seen[name]; twice {
			d.problem(at, path, "%q is set twice, first on line %d: keep one", clip(name), first.Line)
			continue
		}
		seen[name] = at
		visit(name, at, pair.Value)
	}
	return true
}

func keyName(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return key.GetToken().Value, true // targets may be called 4 or true
	}
	return "", false
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path []string) {
	at := nodePosition(n)
	if place, ok := d.places.at[join(path)]; ok {
		at = place.Key
	}
	fields := fieldsOf(v.Type())
	present := map[string]bool{}
	ok := d.eachKey(n, path, func(name string, key Position, value ast.Node) {
		f, known := fields.find(name)
		if !known {
			d.problem(key, path, "unknown key %q: %s", clip(name), DidYouMean(name, fields.names()))
			return
		}
		present[name] = true
		child := append(slices.Clip(path), name)
		d.places.at[join(child)] = Place{Key: key, Value: nodePosition(value)}
		d.value(value, v.Field(f.index), f, child)
	})
	if !ok {
		d.mismatch(n, path, "settings, each as name: value", false)
		return
	}
	for _, f := range fields {
		if f.required != "" && !present[f.name] {
			d.problem(at, path, "%s is missing: %s", f.name, f.required)
		}
	}
}

// entries decodes a mapping of names into a slice of structs that hold their name.
func (d *decoder) entries(n ast.Node, v reflect.Value, path []string) {
	elem := v.Type().Elem()
	nameField, valueField := entryFields(elem)
	ok := d.eachKey(n, path, func(name string, key Position, value ast.Node) {
		child := append(slices.Clip(path), name)
		d.places.at[join(child)] = Place{Key: key, Value: nodePosition(value)}
		entry := reflect.New(elem).Elem()
		entry.Field(nameField.index).SetString(name)
		if nameField.pattern != nil && !nameField.pattern.MatchString(name) {
			d.problem(key, child, "this name cannot be used: begin with a letter or digit, go on with those and . _ - + : / @, at most 128 in all")
		}
		if valueField.index >= 0 {
			d.value(value, entry.Field(valueField.index), valueField, child)
		} else {
			d.value(value, entry, field{}, child)
		}
		v.Set(reflect.Append(v, entry))
	})
	if !ok {
		d.mismatch(n, path, "names, each with its settings, as name: value", false)
	}
}

func (d *decoder) list(n ast.Node, v reflect.Value, f field, path []string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.mismatch(n, path, wants(v.Type(), f), false)
		return
	}
	for i, value := range seq.Values {
		child := append(slices.Clip(path), "["+strconv.Itoa(i)+"]")
		at := nodePosition(value)
		d.places.at[join(child)] = Place{Key: at, Value: at}
		entry := reflect.New(v.Type().Elem()).Elem()
		d.value(value, entry, f, child)
		v.Set(reflect.Append(v, entry))
	}
}

// scalar decodes one value that is not a mapping or a list.
func (d *decoder) scalar(n ast.Node, v reflect.Value, f field, form Form, path []string) {
	text, isText := scalarText(n)
	if !suits(n, v, form) {
		d.mismatch(n, path, form.Wants, form.Secret)
		return
	}
	if isText && v.Kind() == reflect.String && !isScalarType(v.Type()) && f.enum == nil && d.opt.Expand != nil {
		expanded, err := d.opt.Expand(text)
		if err != nil {
			d.problem(nodePosition(n), path, "%s", err)
			return
		}
		text = expanded
	}
	if err := setScalar(v, f, text); err != nil {
		message := err.Error()
		if quoted := strconv.Quote(clip(text)); !form.Secret && text != "" && !strings.Contains(message, quoted) {
			message = quoted + " " + message
		}
		d.problem(nodePosition(n), path, "%s", message)
	}
}

// suits reports whether a node's kind is one that the type takes.
func suits(n ast.Node, v reflect.Value, form Form) bool {
	number := v.CanInt() && !isScalarType(v.Type()) && v.Type() != durationType
	switch n.Type() {
	case ast.StringType, ast.LiteralType:
		return v.Kind() != reflect.Bool && !number
	case ast.IntegerType, ast.FloatType:
		return form.Numbers
	case ast.BoolType:
		return v.Kind() == reflect.Bool
	}
	return false
}

// setScalar puts the text into v, checked by the field's tags.
func setScalar(v reflect.Value, f field, text string) error {
	if text == "" {
		return fmt.Errorf("is empty: write %s, or take the line out", wants(v.Type(), f))
	}
	switch {
	case v.Type() == durationType:
		return setDuration(v, text)
	case v.Type() == timeType:
		return setTime(v, text)
	case v.CanAddr() && reflect.PointerTo(v.Type()).Implements(textUnmarshaler):
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil { //nolint:forcetypeassert // Implements was asked
			return err
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(text == "true")
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("is not a whole number: write one such as 2")
		}
		v.SetInt(n)
	case f.enum != nil && !slices.Contains(f.enum, text):
		return fmt.Errorf("is not known: %s", DidYouMean(text, f.enum))
	default:
		v.SetString(text)
	}
	return f.checkRange(v)
}

// mismatch reports a node of the wrong kind.
func (d *decoder) mismatch(n ast.Node, path []string, want string, secret bool) {
	got := describe(n)
	if secret {
		got = describeSecret(n)
	}
	hint := ""
	switch n.Type() {
	case ast.IntegerType, ast.FloatType, ast.BoolType:
		if strings.HasPrefix(want, "text") {
			hint = ": put it in quotes"
		}
	}
	d.problem(nodePosition(n), path, "expected %s, got %s%s", want, got, hint)
}

// scalarText gives the text of a scalar as it was written; isText is false for
// numbers and booleans.
func scalarText(n ast.Node) (text string, isText bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(x.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, false
	case *ast.BoolNode:
		return strconv.FormatBool(x.Value), false
	}
	return "", false
}

func describe(n ast.Node) string {
	switch n.Type() {
	case ast.StringType, ast.LiteralType:
		text, _ := scalarText(n)
		return fmt.Sprintf("the text %q", clip(text))
	case ast.IntegerType, ast.FloatType:
		return "the number " + clip(n.GetToken().Value)
	case ast.BoolType:
		return n.GetToken().Value
	}
	return describeSecret(n)
}

// describeSecret names the kind of a node without its value.
func describeSecret(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "settings"
	case ast.SequenceType:
		return "a list"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.BoolType:
		return "true or false"
	case ast.MergeKeyType:
		return "a merge key"
	}
	return "something else"
}

// nodePosition is where a node begins. A block mapping's own token is its first
// colon, so its first key stands for it.
func nodePosition(n ast.Node) Position {
	switch x := n.(type) {
	case nil:
		return start
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return nodePosition(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePosition(x.Key)
	case *ast.AnchorNode:
		return position(x.Start)
	case *ast.AliasNode:
		return position(x.Start)
	}
	return position(n.GetToken())
}
