package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A change is one call of Set, or of Delete when raw is "".
type change struct {
	raw  string
	path []string
}

func set(raw string, path ...string) change { return change{raw, path} }
func del(path ...string) change             { return change{"", path} }

func apply(d *Doc, changes ...change) ([]byte, error) {
	e := d.Edit()
	for _, c := range changes {
		if c.raw == "" {
			e.Delete(c.path...)
		} else {
			e.Set([]byte(c.raw), c.path...)
		}
	}
	whole, err := e.Apply()
	// With every unchanged byte in a piece of its own the text is the same.
	p := splice{long: 1}
	err2 := e.apply(&p, 0)
	pieces := append(slices.Clip(p.pieces), p.out)
	if (err == nil) != (err2 == nil) || string(pieces.Join()) != string(whole) || pieces.Len() != len(whole) {
		return nil, fmt.Errorf("in pieces it is %q, %w, in one %q, %w", pieces, err2, whole, err)
	}
	return whole, err
}

func TestEdits_SegmentsDoNotCopyWhatIsLong(t *testing.T) {
	t.Parallel()
	text := []byte(`{"model":"a","messages":["` + strings.Repeat("x", longPiece) + `"],"n":1}`)
	d, err := Check(text, Default())
	if err != nil {
		t.Fatal(err)
	}
	e := d.Edit()
	e.Set([]byte(`"b"`), "model")
	got, err := e.Segments()
	if err != nil || len(got) != 3 {
		t.Fatalf("%d pieces, %v", len(got), err)
	}
	if start := bytes.IndexByte(text, '['); &got[1][0] != &text[start] {
		t.Error("the long value was copied")
	}
	if want := strings.Replace(string(text), `"a"`, `"b"`, 1); string(got.Join()) != want {
		t.Errorf("got %s", got.Join())
	}
}

func TestEdits_Apply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		changes    []change
		want       string
	}{
		{"nothing", ` {"a":1} `, nil, ` {"a":1} `},
		{"replace", `{"model":"a","n":1}`, []change{set(`"b"`, "model")}, `{"model":"b","n":1}`},
		{"replace keeps white space", "\n{ \"model\" :  \"a\" , \"n\":1 }\n", []change{set(`"b"`, "model")}, "\n{ \"model\" :  \"b\" , \"n\":1 }\n"},
		{"replace a name with escapes", `{"mod\u0065l":"a"}`, []change{set(`"b"`, "model")}, `{"mod\u0065l":"b"}`},
		{"white space around the new value goes", `{"a":1}`, []change{set(" [1 , 2]\n", "a")}, `{"a":[1 , 2]}`},
		{"add", `{"a":1}`, []change{set("2", "b")}, `{"a":1,"b":2}`},
		{"add to nothing", `{}`, []change{set("2", "b")}, `{"b":2}`},
		{"add to white space", `{ }`, []change{set("2", "b")}, `{ "b":2}`},
		{"add before the last white space", "{\n  \"a\": 1\n}", []change{set("2", "b")}, "{\n  \"a\": 1,\"b\":2\n}"},
		{"add several in order", `{"x":0}`, []change{set("1", "b"), set("2", "a"), set("3", "c")}, `{"x":0,"b":1,"a":2,"c":3}`},
		{"add a name that needs escapes", `{}`, []change{set("1", "a\"\n\\é")}, `{"a\"\n\\é":1}`},
		{"add the empty name", `{"a":1}`, []change{set("1", "")}, `{"a":1,"":1}`},
		{"names are case-exact", `{"Model":1}`, []change{set("2", "model")}, `{"Model":1,"model":2}`},
		{"delete the only", `{"a":1}`, []change{del("a")}, `{}`},
		{"delete the only, white space", `{ "a":1 }`, []change{del("a")}, `{  }`},
		{"delete the first", `{ "a":1 , "b":2}`, []change{del("a")}, `{ "b":2}`},
		{"delete the middle", `{"a":1 , "b":2 , "c":3}`, []change{del("b")}, `{"a":1 , "c":3}`},
		{"delete the last", `{"a":1 , "b":2 }`, []change{del("b")}, `{"a":1 }`},
		{"delete two at the start", `{"a":1, "b":2, "c":3}`, []change{del("b"), del("a")}, `{"c":3}`},
		{"delete two at the end", `{"a":1, "b":2, "c":3}`, []change{del("b"), del("c")}, `{"a":1}`},
		{"delete around", `{"a":1, "b":2, "c":3}`, []change{del("a"), del("c")}, `{"b":2}`},
		{"delete all", `{"a":1, "b":2, "c":3}`, []change{del("b"), del("a"), del("c")}, `{}`},
		{"delete all and add", `{"a":1, "b":2}`, []change{del("b"), del("a"), set("3", "c")}, `{"c":3}`},
		{"delete a name with escapes", `{"\u0061":1,"b":2}`, []change{del("a")}, `{"b":2}`},
		{"delete what is not there", `{"a":1}`, []change{del("b"), del("b", "c"), del("a", "x")}, `{"a":1}`},
		{"delete inside null or a string or an array", `{"a":null,"b":"x","c":[1]}`, []change{del("a", "x"), del("b", "x", "y"), del("c", "0")}, `{"a":null,"b":"x","c":[1]}`},
		{"delete inside a root without fields", `[1]`, []change{del("a")}, `[1]`},
		{"delete nested", `{"metadata":{"fairlead_task":"t","team":"r"},"n":1}`, []change{del("metadata", "fairlead_task")}, `{"metadata":{"team":"r"},"n":1}`},
		{"nested replace", `{"a":{"b":{"c":1,"d":2}},"z":0}`, []change{set("9", "a", "b", "c")}, `{"a":{"b":{"c":9,"d":2}},"z":0}`},
		{"nested add", `{"stream_options":{"x":1}}`, []change{set("true", "stream_options", "include_usage")}, `{"stream_options":{"x":1,"include_usage":true}}`},
		{"missing parent", `{"stream":true}`, []change{set("true", "stream_options", "include_usage")}, `{"stream":true,"stream_options":{"include_usage":true}}`},
		{"missing parents", `{}`, []change{set("1", "a", "b", "c"), set("2", "a", "b", "d"), set("3", "a", "e")}, `{"a":{"b":{"c":1,"d":2},"e":3}}`},
		{"null parent", `{"stream_options":null,"n":1}`, []change{set("true", "stream_options", "include_usage")}, `{"stream_options":{"include_usage":true},"n":1}`},
		{"null root", ` null `, []change{set("1", "a")}, ` {"a":1} `},
		{"a delete makes no parent", `{"a":1}`, []change{del("x", "y"), set("2", "b")}, `{"a":1,"b":2}`},
		{"last set wins", `{"a":1}`, []change{set("2", "a"), set("3", "a")}, `{"a":3}`},
		{"set, then delete", `{"a":1,"b":2}`, []change{set("2", "a"), del("a")}, `{"b":2}`},
		{"add, then delete", `{"a":1}`, []change{set("2", "b"), del("b")}, `{"a":1}`},
		{"delete, then set", `{"a":1,"b":2}`, []change{del("a"), set("3", "a")}, `{"a":3,"b":2}`},
		{"delete, then set inside", `{"a":{"old":1},"b":2}`, []change{del("a"), set("3", "a", "new")}, `{"a":{"new":3},"b":2}`},
		{"set inside, then delete", `{"a":{"old":1},"b":2}`, []change{set("3", "a", "new"), del("a")}, `{"b":2}`},
		{"set, then set inside", `{"a":1}`, []change{set(`{"x":1}`, "a"), set("2", "a", "y")}, `{"a":{"x":1,"y":2}}`},
		{"set, then delete inside", `{"a":1}`, []change{set(`{"x":1,"y":2}`, "a"), del("a", "x")}, `{"a":{"y":2}}`},
		{"set inside, then set", `{"a":{"x":1}}`, []change{set("2", "a", "y"), set("3", "a")}, `{"a":3}`},
		{"set inside a string that was replaced", `{"a":"s"}`, []change{set("{}", "a"), set("1", "a", "b")}, `{"a":{"b":1}}`},
		{"add in a new parent, then delete", `{"b":null}`, []change{set("1", "a", "x"), del("a", "x"), set("1", "b", "x"), del("b", "x")}, `{"b":{},"a":{}}`},
		{"root", ` {"a":1} `, []change{set("[1]")}, ` [1] `},
		{"root, then inside", `[1]`, []change{set(`{"x":1}`), set("2", "y")}, `{"x":1,"y":2}`},
		{"root replaced by another object of other names", `{"a":{"b":1}}`, []change{set(`{"c":{"a":1}}`), set("2", "c", "a"), set("3", "a")}, `{"c":{"a":2},"a":3}`},
		{"brackets in strings", `{"a":"}\",{","b":{"c":"\\"}}`, []change{set("1", "b", "d"), set("2", "e")}, `{"a":"}\",{","b":{"c":"\\","d":1},"e":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := mustCheck(t, c.text)
			out, err := apply(&d, c.changes...)
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != c.want {
				t.Errorf("got  %s\nwant %s", out, c.want)
			}
			if string(d.Bytes()) != c.text {
				t.Errorf("the document became %s", d.Bytes())
			}
			if err := checkError(string(out)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEdits_Refuses(t *testing.T) {
	t.Parallel()
	deep := make([]string, DefaultDepth+1)
	for i := range deep {
		deep[i] = "x"
	}
	for _, c := range []struct {
		name, text string
		changes    []change
		kind       error
		says       string
	}{
		{"set inside a string", `{"metadata":"x"}`, []change{set("1", "metadata", "a")}, ErrNotObject, `the field "metadata" is a string and not an object`},
		{"set inside a number", `{"a":{"b":1}}`, []change{set("1", "a", "b", "c")}, ErrNotObject, `the field "b" is a number`},
		{"set inside an array", `{"a":[{}]}`, []change{set("1", "a", "0")}, ErrNotObject, "an array"},
		{"set inside a boolean", `{"a":false}`, []change{set("1", "a", "b")}, ErrNotObject, "a boolean"},
		{"set in a root array", `[]`, []change{set("1", "a")}, ErrNotObject, "the root is an array"},
		{"set inside what was set", `{"a":{}}`, []change{set("1", "a"), set("1", "a", "b")}, ErrNotObject, "a number"},
		{"set inside a string, then deleted", `{"a":"s"}`, []change{set("1", "a", "b"), del("a", "b")}, ErrNotObject, `"a" is a string`},
		{"two conflicts: the first in the text", `{"a":1,"b":"x"}`, []change{set("1", "b", "c"), set("1", "a", "c")}, ErrNotObject, `"a" is a number`},
		{"no value", `{}`, []change{set(" ", "a")}, ErrSyntax, `the new value of "a"`},
		{"two values", `{}`, []change{set("1,2", "a", "b")}, ErrSyntax, `the new value of "a"."b": invalid JSON at byte 1`},
		{"a trick", `{}`, []change{set(`1,"model":"x"`, "a")}, ErrSyntax, "byte 1"},
		{"duplicate names", `{}`, []change{set(`{"a":1,"a":1}`)}, ErrDuplicate, "the new value of the root"},
		{"not UTF-8", `{}`, []change{set("\"\xff\"", "a")}, ErrSyntax, "not UTF-8"},
		{"a name that is not UTF-8", `{}`, []change{set("1", "\xff")}, ErrSyntax, `the name "\xff"`},
		{"too long a path", `{}`, []change{set("1", deep...)}, ErrDepth, "128 levels"},
		{"too deep a value", `{}`, []change{set(strings.Repeat("[", DefaultDepth)+strings.Repeat("]", DefaultDepth), "a")}, ErrDepth, "127 arrays"},
		{"delete the root", `{}`, []change{del()}, nil, "root cannot be deleted"},
		{"the first mistake is told", `{}`, []change{set("x", "a"), del(), set("y", "b"), set("1", "c")}, ErrSyntax, `"a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := mustCheck(t, c.text)
			out, err := apply(&d, c.changes...)
			if err == nil || out != nil {
				t.Fatalf("%s, %v: want an error and nothing else", out, err)
			}
			if c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q: want kind %q and %q", err, c.kind, c.says)
			}
		})
	}
}

func TestEdits_ReachTheLimitOfDepth(t *testing.T) {
	t.Parallel()
	lim := Limits{Depth: 3}
	d, err := Check([]byte(`{"a":{"b":{}}}`), lim)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change change
		ok     bool
	}{
		{set("1", "a", "b", "c"), true}, {set("[]", "a", "b", "c"), false}, {set("[]", "a", "b"), true}, {set("[[]]", "a", "b"), false},
		{set("[[[]]]"), true}, {set("[[[[]]]]"), false}, {set("1", "x", "y", "z"), true}, {set("1", "x", "y", "z", "w"), false},
	} {
		out, err := apply(&d, c.change)
		if c.ok {
			if err == nil {
				_, err = Check(out, lim)
			}
			if err != nil {
				t.Errorf("%v: %v", c.change, err)
			}
		} else if !errors.Is(err, ErrDepth) {
			t.Errorf("%v: %s, %v; want ErrDepth", c.change, out, err)
		}
	}
}

func TestEdits_ManyFields(t *testing.T) {
	t.Parallel()
	d := mustCheck(t, string(namesObject(100)))
	e := d.Edit()
	for i := range 200 {
		name := strconv.FormatInt(int64(i), 36)
		if i%2 == 0 {
			e.Delete(name)
		} else {
			e.Set([]byte(strconv.Itoa(i)), name)
		}
	}
	out, err := e.Apply()
	if err != nil {
		t.Fatal(err)
	}
	changed := mustCheck(t, string(out))
	for i := range 200 {
		v, ok := changed.Get(strconv.FormatInt(int64(i), 36))
		if n, _ := v.Int(); ok != (i%2 == 1) || ok && n != int64(i) {
			t.Errorf("field %d: %s, %v", i, v.Raw(), ok)
		}
	}
}

// TestEdits_ApplyAgain: Apply changes neither the document nor the edits.
func TestEdits_ApplyAgain(t *testing.T) {
	t.Parallel()
	d := mustCheck(t, `{"a":{"x":1},"b":2}`)
	e := d.Edit()
	for _, step := range []struct {
		change change
		want   string
	}{
		{set("3", "a", "y"), `{"a":{"x":1,"y":3},"b":2}`},
		{del("b"), `{"a":{"x":1,"y":3}}`},
		{set("4", "c"), `{"a":{"x":1,"y":3},"c":4}`},
	} {
		if step.change.raw == "" {
			e.Delete(step.change.path...)
		} else {
			e.Set([]byte(step.change.raw), step.change.path...)
		}
		for range 2 {
			if out, err := e.Apply(); err != nil || string(out) != step.want {
				t.Errorf("%s, %v; want %s", out, err, step.want)
			}
		}
	}
}

func TestEdits_ApplyAllocatesOnce(t *testing.T) {
	d, err := Check(chat(60<<10, codeLine), Default())
	if err != nil {
		t.Fatal(err)
	}
	e := d.Edit()
	e.Set([]byte(`"smollm2:135m"`), "model")
	e.Set([]byte(`true`), "stream_options", "include_usage")
	e.Set([]byte(`1`), "new", "x\ny", "z")
	e.Set(AppendString(nil, strings.Repeat("x", 10_000)), "user")
	e.Delete("metadata", "fairlead_task")
	if n := testing.AllocsPerRun(20, func() {
		if _, err := e.Apply(); err != nil {
			t.Error(err)
		}
	}); n != 1 {
		t.Errorf("Apply allocates %v times, want once", n)
	}
}
