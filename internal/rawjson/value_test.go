package rawjson

import (
	"encoding/json"
	"iter"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustCheck(t *testing.T, text string) Doc {
	t.Helper()
	d, err := Check([]byte(text), Default())
	if err != nil {
		t.Fatalf("Check(%q): %v", text, err)
	}
	return d
}

// fieldsOf lists fields as name, raw, name, raw and so on.
func fieldsOf(fields iter.Seq2[string, Value]) []string {
	var list []string
	for name, v := range fields {
		list = append(list, name, string(v.Raw()))
	}
	return list
}

func TestDoc_GetAndFields(t *testing.T) {
	t.Parallel()
	d := mustCheck(t, ` { "model" : "gpt" , "n":1,"n\u006f":[1, {"model":2}],"o" :{"p":{"q":true}} , "":null,"a\\b":3} `)
	want := []string{"model", `"gpt"`, "n", "1", "no", `[1, {"model":2}]`, "o", `{"p":{"q":true}}`, "", "null", `a\b`, "3"}
	if diff := cmp.Diff(want, fieldsOf(d.Fields())); diff != "" {
		t.Errorf("Doc.Fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, fieldsOf(d.Root().Fields())); diff != "" {
		t.Errorf("Value.Fields (-want +got):\n%s", diff)
	}
	for i := 0; i < len(want); i += 2 {
		for which, get := range map[string]func(string) (Value, bool){"Doc": d.Get, "Value": d.Root().Get} {
			v, ok := get(want[i])
			if !ok || string(v.Raw()) != want[i+1] {
				t.Errorf("%s.Get(%q): %q, %v; want %q", which, want[i], v.Raw(), ok, want[i+1])
			}
			if start, end := v.Pos(); string(d.Bytes()[start:end]) != want[i+1] {
				t.Errorf("%s.Get(%q): Pos %d, %d is not where it stands", which, want[i], start, end)
			}
		}
	}
	for _, name := range []string{"Model", "mode", "modell", "q", "p", `n\u006f`, `a\\b`, "\x00"} {
		if v, ok := d.Get(name); ok || v.Kind() != Invalid {
			t.Errorf("Get(%q) finds %q", name, v.Raw())
		}
		if v, ok := d.Root().Get(name); ok || v.Kind() != Invalid {
			t.Errorf("Root().Get(%q) finds %q", name, v.Raw())
		}
	}
}

func TestDoc_FieldsStops(t *testing.T) {
	t.Parallel()
	d := mustCheck(t, `{"a":1,"b":2,"c":[1,2,3]}`)
	c, _ := d.Get("c")
	seen := 0
	for range d.Fields() {
		seen++
		break
	}
	for range d.Root().Fields() {
		seen++
		break
	}
	for range c.Items() {
		seen++
		break
	}
	if seen != 3 {
		t.Errorf("%d turns after three breaks", seen)
	}
}

func TestValue_Path(t *testing.T) {
	t.Parallel()
	text := `{"a":{"b":{"c":"x"},"n":null},"l":[{"a":1}]}`
	root := mustCheck(t, text)
	for _, c := range []struct {
		path []string
		want string // "": not there
	}{
		{nil, text}, {[]string{"a", "b", "c"}, `"x"`}, {[]string{"a", "n"}, "null"}, {[]string{"a", "n", "x"}, ""},
		{[]string{"a", "c"}, ""}, {[]string{"a", "b", "c", "d"}, ""}, {[]string{"l", "a"}, ""}, {[]string{"l", "0"}, ""}, {[]string{""}, ""},
	} {
		v, ok := root.Root().Path(c.path...)
		if string(v.Raw()) != c.want || ok != (c.want != "") {
			t.Errorf("Path(%q): %q, %v; want %q", c.path, v.Raw(), ok, c.want)
		}
		w, ok := Lookup([]byte(text), c.path...)
		if string(w.Raw()) != c.want || ok != (c.want != "") {
			t.Errorf("Lookup(%q): %q, %v; want %q", c.path, w.Raw(), ok, c.want)
		}
		if v.pos != w.pos {
			t.Errorf("%q: Path is at %d, Lookup at %d", c.path, v.pos, w.pos)
		}
	}
}

func TestValue_ZeroAnswersNothing(t *testing.T) {
	t.Parallel()
	var v Value
	_, str := v.Str()
	_, appended := v.AppendStr(nil)
	_, boolean := v.Bool()
	_, integer := v.Int()
	_, float := v.Float()
	_, get := v.Get("")
	_, path := v.Path()
	if str || appended || boolean || integer || float || get || path || v.Is("") || v.Kind() != Invalid || v.Raw() != nil {
		t.Error("the zero Value claims to hold something")
	}
	for range v.Fields() {
		t.Error("the zero Value has a field")
	}
	for range v.Items() {
		t.Error("the zero Value has an item")
	}
	var d Doc
	if _, ok := d.Get(""); ok || d.Root().Kind() != Invalid {
		t.Error("the zero Doc claims to hold something")
	}
}

// TestValue_AccessorsKeepToTheirKind: every accessor refuses every other kind.
func TestValue_AccessorsKeepToTheirKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		kind Kind
		says string
	}{
		{`null`, Null, "null"}, {`true`, Bool, "a boolean"}, {`false`, Bool, "a boolean"}, {`0`, Number, "a number"}, {`-1`, Number, "a number"},
		{`"1"`, String, "a string"}, {`[1]`, Array, "an array"}, {`{"1":1}`, Object, "an object"},
	} {
		d := mustCheck(t, c.text)
		v := d.Root()
		if v.Kind() != c.kind || v.Kind().String() != c.says {
			t.Errorf("%s: kind %v (%d)", c.text, v.Kind(), v.Kind())
		}
		_, str := v.Str()
		_, appended := v.AppendStr(nil)
		_, boolean := v.Bool()
		_, integer := v.Int()
		_, float := v.Float()
		_, get := v.Get("1")
		items := 0
		for range v.Items() {
			items++
		}
		got := []bool{str, appended, v.Is("1"), boolean, integer, float, get, len(fieldsOf(v.Fields())) > 0, items > 0}
		is := func(k Kind) bool { return c.kind == k }
		want := []bool{is(String), is(String), is(String), is(Bool), is(Number), is(Number), is(Object), is(Object), is(Array)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
	if got := Kind(99).String(); got != "Kind(99)" {
		t.Errorf("unknown kind prints as %q", got)
	}
}

func TestValue_Str(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`""`: "", `"abc"`: "abc", `"a\nb"`: "a\nb", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u00e9\u6f22"`: "é漢", `"\ud83d\ude00!"`: "😀!",
		`"\u0000"`: "\x00", `"\uFFFD"`: "\ufffd", `"é😀"`: "é😀", `"\\n"`: `\n`, `"\\\\"`: `\\`, `"x\u0041"`: "xA", `"\\u0041"`: `\u0041`,
	} {
		d := mustCheck(t, text)
		if got, ok := d.Root().Str(); got != want || !ok {
			t.Errorf("%s: Str %q, %v; want %q", text, got, ok, want)
		}
		if got, ok := d.Root().AppendStr([]byte("> ")); string(got) != "> "+want || !ok {
			t.Errorf("%s: AppendStr %q, %v; want %q", text, got, ok, want)
		}
		if !d.Root().Is(want) || d.Root().Is(want+"x") || d.Root().Is(text) {
			t.Errorf("%s: Is disagrees with Str", text)
		}
	}
	// What Check refuses but an upstream may send: nothing is lost, nothing panics.
	for text, want := range map[string]string{
		`"\ud83d"`: "\ufffd", `"\ud83dx"`: "\ufffdx", `"\ude00\ud83d"`: "\ufffd\ufffd", `"\q\u12"`: `\q\u12`, "\"a\nb\xff\"": "a\nb\xff",
	} {
		v, _ := Lookup([]byte(text))
		if got, ok := v.Str(); got != want || !ok {
			t.Errorf("unchecked %s: Str %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestValue_Bool(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"true": true, "false": false} {
		d := mustCheck(t, text)
		if got, ok := d.Root().Bool(); got != want || !ok {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

func TestValue_Int(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-7": -7, "1.0": 1, "1e3": 1000, "1E+3": 1000, "1.5e1": 15, "-2.50e2": -250, "1000e-3": 1, "120e-1": 12,
		"0.000": 0, "0e999999999999999999999": 0, "0.0e-5": 0, "10.0": 10, "100.00e-2": 1, "1.000e2": 100, "1e18": 1e18, "0.0001e4": 1,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "922337203685477580.7e1": math.MaxInt64,
		"9007199254740993":                     9007199254740993, // 2^53 + 1, which a float64 cannot hold
		"1" + strings.Repeat("0", 30) + "e-30": 1, "0." + strings.Repeat("0", 30) + "1e31": 1,
	} {
		d := mustCheck(t, text)
		if got, ok := d.Root().Int(); got != want || !ok {
			t.Errorf("%s: Int %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"0.5", "1.5", "1e-1", "15e-1", "1e19", "1e20", "9223372036854775808", "-9223372036854775809", "18446744073709551615",
		"18446744073709551616", "99999999999999999999", "1e999999999999999999999", "1e-999999999999999999999", "1e9223372036854775807", "10e9223372036854775807",
		"1.5e-9223372036854775808", "0.1e-9223372036854775808", "-1e400", "1.0000000000000000000001"} {
		d := mustCheck(t, text)
		if got, ok := d.Root().Int(); ok {
			t.Errorf("%s: Int %d, but it is no int64", text, got)
		}
	}
}

func TestValue_Float(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"0": 0, "-1.5": -1.5, "1e3": 1000, "0.1": 0.1, "1e-400": 0, "1.7976931348623157e308": math.MaxFloat64} {
		d := mustCheck(t, text)
		if got, ok := d.Root().Float(); got != want || !ok {
			t.Errorf("%s: Float %v, %v; want %v", text, got, ok, want)
		}
	}
	d := mustCheck(t, "1e309")
	if got, ok := d.Root().Float(); ok {
		t.Errorf("1e309: Float %v, but it is beyond a float64", got)
	}
}

func TestValue_Items(t *testing.T) {
	t.Parallel()
	d := mustCheck(t, `[ 1 ,"a,]",[2,[3]], {"x":[4]},null,true , "\\" ]`)
	var got []string
	for v := range d.Root().Items() {
		start, end := v.Pos()
		if string(d.Bytes()[start:end]) != string(v.Raw()) {
			t.Errorf("Pos of %s is %d, %d", v.Raw(), start, end)
		}
		got = append(got, string(v.Raw()))
	}
	want := []string{"1", `"a,]"`, "[2,[3]]", `{"x":[4]}`, "null", "true", `"\\"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Items (-want +got):\n%s", diff)
	}
}

// TestLookup_OnBrokenText: the answer stops where sense does, without a panic.
func TestLookup_OnBrokenText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, want string // "": not found
		path       []string
	}{
		{"", "", nil}, {"", "", []string{"a"}}, {"{", "", []string{"a"}}, {`{"a`, "", []string{"a"}}, {`{"a"`, "", []string{"a"}},
		{`{"a":`, "", []string{"a"}}, {`{"a":"x`, "", []string{"a"}}, {`{"a":tru`, "", []string{"a"}}, {`{"a":[1`, "", []string{"a"}},
		{`{"a":-`, "", []string{"a"}}, {`{"a" 1}`, "", []string{"a"}}, {`{a:1,"b":2}`, "", []string{"b"}}, {`["a",1]`, "", []string{"a"}},
		{`{"a":1,"b":2,`, "2", []string{"b"}}, {`{"a":1 "b":2}`, "", []string{"b"}}, {`{"a":1,"a":2}`, "1", []string{"a"}},
		{`{"a":{"b":1`, "", []string{"a", "b"}}, {`{"a":1,}`, "", []string{"b"}}, {`{"a":x}`, "", []string{"a"}}, {`{"a":"\`, "", []string{"a"}},
		{`  {"a":1}`, "1", []string{"a"}}, {`{"a":"\\"}`, `"\\"`, []string{"a"}}, {`{"a":"\\\""}`, `"\\\""`, []string{"a"}},
		{strings.Repeat("[", 1<<20), "", nil}, {`{"a":1}trailing`, "1", []string{"a"}},
	} {
		v, ok := Lookup([]byte(c.text), c.path...)
		if string(v.Raw()) != c.want || ok != (c.want != "") {
			t.Errorf("Lookup(%.40q, %q): %q, %v; want %q", c.text, c.path, v.Raw(), ok, c.want)
		}
	}
}

func TestLookup_DoesNotAllocate(t *testing.T) {
	b := []byte(`{"id":"x","choices":[{"delta":{"content":"the \n"}}],"usage":{"prompt_tokens":3,"completion_tokens":17}}`)
	if n := testing.AllocsPerRun(100, func() {
		v, _ := Lookup(b, "usage", "completion_tokens")
		if n, ok := v.Int(); n != 17 || !ok {
			t.Error("wrong value")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": `""`, "abc": `"abc"`, `a"b\c`: `"a\"b\\c"`, "\n\r\t": `"\n\r\t"`, "\x00\x1f\b\f": `"\u0000\u001f\u0008\u000c"`, "<&>/\x7f": "\"<&>/\x7f\"",
		"é漢😀\u2028": "\"é漢😀\u2028\"", "\xff": "\"\ufffd\"", "a\xc3(b": "\"a\ufffd(b\"", "\xed\xa0\x80": "\"\ufffd\ufffd\ufffd\"", "\ufffd": "\"\ufffd\"",
	} {
		if got := string(AppendString([]byte("> "), s)); got != "> "+want {
			t.Errorf("AppendString(%q): %s, want %s", s, got, want)
		}
		var back string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(s, "\xed") {
			t.Errorf("AppendString(%q) reads back as %q, %v", s, back, err)
		}
	}
}

// What is long is looked up, what is short is read, and beyond maxSpans all is read: nobody can tell.
func TestValue_LongValuesReadAsShortOnes(t *testing.T) {
	t.Parallel()
	for _, long := range []string{
		`"` + strings.Repeat(`a\"`, longValue) + `"`,
		strings.Repeat("[", 200) + strings.Repeat("1,", 200) + "2" + strings.Repeat("]", 200),
		`[` + strings.Repeat(`["`+strings.Repeat("x", longValue)+`",3],`, maxSpans) + `{"a":[]}]`,
	} {
		text := `{"short":1,"long":` + long + `,"b":[` + long + `,{"c":` + long + `,"d":[ ]}]}`
		doc, err := Check([]byte(text), Limits{Depth: 300})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := generic(t, doc.Root()), decoded(t, []byte(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%.40s reads as something else", long)
		}
	}
}

func TestValue_Empty(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{`[]`: true, `{ }`: true, "[\n]": true, `[0]`: false, `{"":0}`: false, `""`: false, `null`: false, ``: false, `[`: false} {
		if got := (Value{raw: []byte(text)}).Empty(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
