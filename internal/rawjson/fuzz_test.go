package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

var seeds = []string{
	``, ` `, `null`, `true`, `-0.0e+5`, `1e999`, `"a\u00e9\ud83d\ude00\n"`, `"\ud800"`, "\"\xed\xa0\x80\"", `[]`, `{}`, `[1,[2,{"a":3}]]`,
	`{"model":"a","mod\u0065l":"b"}`, `{"a":{"b":{"c":[null,true,"}\"{"]}}}`, `{"a":1,}`, `{"":0,"\u0000":1}`, ` { "a" : 1 , "b" : [ ] } `,
	`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"\u0067":0}`,
	"\ufeff{}", `{"a":"` + strings.Repeat("x", 40) + "é漢😀\x80" + `"}`, string(chat(800, codeLine)), string(chat(800, asiaLine)),
}

// FuzzCheck holds Check against jsontext, which by default refuses what we refuse: equal names at any depth, bytes that
// are not UTF-8, half surrogate pairs. The one difference is the depth limit, which is set to jsontext's here. What Check found is
// compared with jsontext's tokens, what accessors say with encoding/json and math/big.
func FuzzCheck(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	var reused Doc
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Check(b, Limits{Depth: MaxDepth})
		if want := jsontext.Value(b).IsValid(); (err == nil) != want {
			t.Fatalf("Check says %v, jsontext says valid is %v", err, want)
		}
		again := reused.Reset(b, Limits{Depth: MaxDepth})
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("Check says %v, Reset says %v", err, again)
		}
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(b) {
				t.Fatalf("error %#v", err)
			}
			onlyNames := jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true))
			if onlyNames && !errors.Is(err, ErrDuplicate) {
				t.Fatalf("%v, but nothing is wrong except equal names", err)
			}
			return
		}
		var noted Doc // with the end of every value noted
		if err := noted.reset(b, Limits{Depth: MaxDepth}, &ends{}); err != nil {
			t.Fatal(err)
		}
		if got, want := generic(t, noted.Root()), decoded(t, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("walking the values by their ends gives %#v, encoding/json %#v", got, want)
		}
		for _, doc := range []*Doc{&d, &reused, &noted} {
			if diff := cmp.Diff(referenceFields(t, b), fieldsOf(doc.Fields())); diff != "" {
				t.Fatalf("fields (-jsontext +ours):\n%s", diff)
			}
		}
		if got, want := generic(t, d.Root()), decoded(t, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("walking the values gives %#v, encoding/json %#v", got, want)
		}
	})
}

// referenceFields lists the root's fields as fieldsOf does, from jsontext.
func referenceFields(t *testing.T, b []byte) []string {
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if dec.PeekKind() != '{' {
		return nil
	}
	var list []string
	_, _ = dec.ReadToken()
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name.String())
		v, err := dec.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(v))
	}
	return list
}

// decoded is what encoding/json makes of b, with numbers as they are written.
func decoded(t *testing.T, b []byte) any {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return v
}

// generic builds the same from our accessors.
func generic(t *testing.T, v Value) any {
	switch v.Kind() {
	case Object:
		m := map[string]any{}
		for name, field := range v.Fields() {
			m[name] = generic(t, field)
			if got, ok := v.Get(name); !ok || got.pos != field.pos {
				t.Fatalf("Get(%q) is not the field that Fields yields", name)
			}
		}
		return m
	case Array:
		list := []any{}
		for item := range v.Items() {
			list = append(list, generic(t, item))
		}
		return list
	case String:
		s, _ := v.Str()
		if !v.Is(s) {
			t.Fatalf("%s is not what it says", v.Raw())
		}
		return s
	case Bool:
		truth, ok := v.Bool()
		if !ok {
			t.Fatalf("%s is no boolean", v.Raw())
		}
		return truth
	case Number:
		sameNumber(t, v)
		return json.Number(v.Raw())
	case Null:
		return nil
	}
	t.Fatalf("kind %v", v.Kind())
	return nil
}

// sameNumber compares Int with exact arithmetic, where that is affordable.
func sameNumber(t *testing.T, v Value) {
	text := string(v.Raw())
	if _, exp, has := strings.Cut(strings.ToLower(text), "e"); has && len(exp) > 4 || len(text) > 100 {
		return
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("math/big does not read %s", text)
	}
	want := exact.IsInt() && exact.Num().IsInt64()
	got, ok := v.Int()
	if ok != want || ok && exact.Num().Int64() != got {
		t.Fatalf("%s: Int %d, %v; it is %v", text, got, ok, exact)
	}
}

// FuzzEdit makes three changes and compares the result with the same changes made to decoded maps; all that was not
// touched must stand there byte for byte, in the same order.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(`{"model":"a","stream_options":{"x":1},"n":[1]}`), "model", []byte(`"b"`), "stream_options.include_usage", []byte(`true`), "n", []byte(nil))
	f.Add([]byte(` { "a" : 1 , "b" : { } } `), "b.c.d", []byte(`[]`), "a", []byte(nil), "b.c", []byte(`{"e":null}`))
	f.Add([]byte(`{"a":{"b":1},"\u0063":2}`), "a.b", []byte(nil), "c", []byte(nil), "", []byte(`0`))
	f.Add([]byte(`{"a":"s"}`), "a.b", []byte(nil), "a.b.c", []byte(`0`), "a", []byte(`{"b":{}}`))
	f.Add([]byte(`null`), "a.b", []byte(`1`), "a.c", []byte(`{"x":1}`), "a.c.x", []byte(nil))
	f.Fuzz(func(t *testing.T, b []byte, path1 string, raw1 []byte, path2 string, raw2 []byte, path3 string, raw3 []byte) {
		d, err := Check(b, Default())
		if err != nil {
			return
		}
		e := d.Edit()
		model, bad := decoded(t, b), false
		touched := map[string]bool{}
		for _, c := range []change{{string(raw1), strings.Split(path1, ".")}, {string(raw2), strings.Split(path2, ".")}, {string(raw3), strings.Split(path3, ".")}} {
			touched[c.path[0]] = true
			if c.raw == "" {
				e.Delete(c.path...)
				model = modelDelete(model, c.path)
				continue
			}
			e.Set([]byte(c.raw), c.path...)
			if checkError(c.raw) != nil || slices.ContainsFunc(c.path, func(name string) bool { return !utf8.ValidString(name) }) {
				return // TestEdits_Refuses looks at these
			}
			var ok bool
			model, ok = modelSet(model, c.path, decoded(t, []byte(c.raw)))
			bad = bad || !ok
		}
		out, err := e.Apply()
		if errors.Is(err, ErrDepth) {
			return
		}
		if bad { // an error, unless a later change replaced the parent that was in the way
			if err != nil && !errors.Is(err, ErrNotObject) {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v, but the model could be changed", err)
		}
		changed, err := Check(out, Default())
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if got := decoded(t, out); !reflect.DeepEqual(got, model) {
			t.Fatalf("got %s, want %#v", out, model)
		}
		if diff := cmp.Diff(untouched(&d, touched), untouched(&changed, touched)); diff != "" {
			t.Fatalf("untouched fields (-before +after):\n%s", diff)
		}
		if len(out) > len(b)+e.grow {
			t.Fatalf("%d bytes, but room was made for %d", len(out), len(b)+e.grow)
		}
	})
}

func untouched(d *Doc, touched map[string]bool) []string {
	var list []string
	for name, v := range d.Fields() {
		if !touched[name] {
			list = append(list, name, string(v.Raw()))
		}
	}
	return list
}

func modelDelete(v any, path []string) any {
	if m, ok := v.(map[string]any); ok {
		if len(path) == 1 {
			delete(m, path[0])
		} else if inner, has := m[path[0]]; has {
			m[path[0]] = modelDelete(inner, path[1:])
		}
	}
	return v
}

func modelSet(v any, path []string, to any) (any, bool) {
	if len(path) == 0 {
		return to, true
	}
	if v == nil {
		v = map[string]any{}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v, false
	}
	inner, ok := modelSet(m[path[0]], path[1:], to)
	if ok {
		m[path[0]] = inner
	}
	return m, ok
}

// FuzzLookup: no panic whatever the bytes; on sound JSON the same answer as the checked document's.
func FuzzLookup(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "a.b")
		f.Add([]byte(s), "model")
	}
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		names := strings.Split(path, ".")
		if path == "" {
			names = nil
		}
		v, ok := Lookup(b, names...)
		if ok != (v.Kind() != Invalid) {
			t.Fatalf("found is %v, but the kind is %v", ok, v.Kind())
		}
		if start, end := v.Pos(); ok && string(b[start:end]) != string(v.Raw()) {
			t.Fatal("Pos is not where Raw stands")
		}
		touch(v, 0)
		d, err := Check(b, Limits{Depth: MaxDepth})
		if err != nil {
			return
		}
		want, had := d.Root(), true
		if len(names) > 0 {
			if want, had = d.Get(names[0]); had {
				want, had = want.Path(names[1:]...)
			}
		}
		if ok != had || v.pos != want.pos || string(v.Raw()) != string(want.Raw()) {
			t.Fatalf("Lookup: %q at %d, %v; Get: %q at %d, %v", v.Raw(), v.pos, ok, want.Raw(), want.pos, had)
		}
	})
}

// touch calls every accessor of v and of what is in it.
func touch(v Value, depth int) {
	v.Str()
	v.Bool()
	v.Int()
	v.Float()
	v.Is("x")
	if depth > 50 {
		return
	}
	for _, field := range v.Fields() {
		touch(field, depth+1)
	}
	for item := range v.Items() {
		touch(item, depth+1)
	}
}
