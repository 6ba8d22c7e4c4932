package rawjson

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestCheck_Accepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `true`, `false`, `""`, `{}`, `[]`, ` { } `, "\t[\n]\r\n", `[[],[[]],{}]`, `{"a":{},"b":[]}`,
		`0`, `-0`, `10`, `-1.5`, `0.0`, `1e9`, `1E+9`, `1e-9`, `0e0`, `123456789012345678901234567890`, `1e999999`,
		`"a"`, `"abcdefg"`, `"abcdefgh"`, `"abcdefghi"`, `"` + strings.Repeat("x", 1000) + `"`,
		`"\"\\\/\b\f\n\r\t\u0000\uABCD\uabcd"`, `"\ud83d\ude00"`, `"\uFFFD\ufffd"`, `"\ud7ff\ue000"`, "\"\x7f\"",
		`"é"`, `"漢字"`, `"😀"`, "\"\u0080\u07ff\u0800\uffff\U00010000\U0010ffff\"", "\"\u2028\ufeff\"", `{"é":1}`,
		`{"a":{"a":1},"b":{"a":2}}`, `[{"a":1},{"a":1}]`, `{"A":1,"a":2}`, `{"":1}`, `{"a":1,"a ":2}`,
		"{\"\u00e9\":1,\"e\u0301\":2}", // equal only after Unicode normalisation, which JSON does not do
		`{"\u0061b":1,"\u0061c":2}`,
	} {
		d, err := Check([]byte(text), Default())
		if err != nil {
			t.Errorf("Check(%q): %v", text, err)
		}
		if got, want := string(d.Root().Raw()), strings.Trim(text, " \t\r\n"); got != want {
			t.Errorf("Check(%q): root %q, want %q", text, got, want)
		}
		if string(d.Bytes()) != text {
			t.Errorf("Check(%q): Bytes %q", text, d.Bytes())
		}
		if !jsontext.Value(text).IsValid() {
			t.Errorf("jsontext refuses %q: a wrong row here", text)
		}
	}
}

// TestCheck_Refuses: each row gives the offset of the first byte that cannot stand where it does.
func TestCheck_Refuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		at   int
		says string
	}{
		{"", 0, "ends where a value"}, {"  ", 2, "ends where a value"}, {"\ufeff{}", 0, "0xef"},
		{`{`, 1, "ends where a name"}, {`[`, 1, "ends where a value"}, {`{"a"`, 4, "ends where a colon"}, {`{"a":`, 5, "ends where a value"},
		{`{"a":1`, 6, "comma or a closing brace"}, {`[1`, 2, "comma or a closing bracket"}, {`{"a":1,`, 7, "ends where a name"}, {`[1,`, 3, "a value"},
		{`{"a":1,}`, 7, "'}'"}, {`[1,]`, 3, "']'"}, {`[,1]`, 1, "','"}, {`{,"a":1}`, 1, "','"}, {`{"a":1 "b":2}`, 7, `'"'`}, {`[1 2]`, 3, "'2'"},
		{`{a:1}`, 1, "name in double quotes"}, {`{'a':1}`, 1, "name in double quotes"}, {`{1:1}`, 1, "'1'"}, {`{"a",1}`, 4, "a colon"},
		{`{"a":1]`, 6, "']'"}, {`[1}`, 2, "'}'"}, {`]`, 0, "']'"}, {`}`, 0, "'}'"}, {`{}{}`, 2, "the end of the text"}, {`{} x`, 3, "the end of the text"},
		{`nul`, 0, "true, false or null"}, {`nulL`, 0, "true, false or null"}, {`fals`, 0, "true, false or null"}, {`falsE`, 0, "true, false"},
		{`True`, 0, "'T'"}, {`truex`, 4, "'x'"}, {`NaN`, 0, "'N'"}, {`Infinity`, 0, "'I'"}, {`undefined`, 0, "'u'"}, {`/*c*/1`, 0, "'/'"},
		{`01`, 1, "'1'"}, {`-`, 1, "a digit"}, {`-a`, 1, "a digit"}, {`-01`, 2, "'1'"}, {`1.`, 2, "a digit"}, {`1.e1`, 2, "a digit"}, {`.5`, 0, "'.'"},
		{`+1`, 0, "'+'"}, {`1e`, 2, "a digit"}, {`1e+`, 3, "a digit"}, {`1ee`, 2, "a digit"}, {`0x10`, 1, "'x'"}, {`1_000`, 1, "'_'"}, {`--1`, 1, "a digit"},
		{`"`, 1, "ends inside a string"}, {`"abc`, 4, "ends inside"}, {`"abcdefghijklmnop`, 17, "ends inside"}, {`"a\"`, 4, "ends inside"},
		{`"\`, 2, "rest of an escape"}, {`"\x"`, 2, "after a backslash"}, {`"\'"`, 2, "after a backslash"}, {`"\U0041"`, 2, "after a backslash"},
		{`"\u12`, 1, "four hexadecimal"}, {`"\u12g4"`, 1, "four hexadecimal"}, {`"\u 123"`, 1, "four hex"}, {`"\u+123"`, 1, "four hex"},
		{`"\ud800"`, 1, "half a surrogate"}, {`"\udc00"`, 1, "half a surrogate"}, {`"\ud800\ud800"`, 1, "half a"}, {`"\ud800x\udc00"`, 1, "half a"},
		{`"\uD83D\n"`, 1, "half a"}, {`"ok \uDFFF"`, 4, "half a"}, {`"\ud800\u12"`, 1, "half a"}, {`{"\ud800":1}`, 2, "half a"},
		{"\"a\nb\"", 2, "0x0a inside a string"}, {"\"\x00\"", 1, "0x00"}, {"\"\t\"", 1, "0x09"}, {"\"abcdefgh\x1f\"", 9, "0x1f"}, {"{\"\n\":1}", 2, "0x0a"},
		{"\"\x80\"", 1, "not UTF-8"}, {"\"\xc3\"", 1, "not UTF-8"}, {"\"\xc0\xaf\"", 1, "not UTF-8"}, {"\"\xc1\xbf\"", 1, "not UTF-8"}, {"\"\xe0\x9f\xbf\"", 1, "UTF-8"},
		{"\"\xed\xa0\x80\"", 1, "not UTF-8"}, {"\"\xf0\x8f\xbf\xbf\"", 1, "UTF-8"}, {"\"\xf4\x90\x80\x80\"", 1, "UTF-8"}, {"\"\xf5\x80\x80\x80\"", 1, "UTF-8"},
		{"\"\xff\"", 1, "UTF-8"}, {"\"é\xe2\x82\"", 3, "UTF-8"}, {"\"\xe1\x80\"", 1, "UTF-8"}, {"\"\xe1\x80", 1, "UTF-8"}, {"\"漢\xc3(\"", 4, "UTF-8"},
		{"{\x00}", 1, "0x00"}, {"\v1", 0, "0x0b"}, {"\u00a01", 0, "0xc2"}, {"1\x00", 1, "0x00"},
	} {
		d, err := Check([]byte(c.text), Default())
		wantError(t, c.text, err, ErrSyntax, c.at, c.says)
		if d.Root().Kind() != Invalid || d.Bytes() != nil {
			t.Errorf("Check(%q): a refused text left a document", c.text)
		}
		if jsontext.Value(c.text).IsValid() {
			t.Errorf("jsontext accepts %q: a wrong row here", c.text)
		}
	}
}

func wantError(t *testing.T, text string, err, kind error, at int, says string) {
	t.Helper()
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	var got *SyntaxError
	if !errors.As(err, &got) {
		t.Errorf("Check(%q): error %v, want a *SyntaxError", text, err)
		return
	}
	for _, k := range []error{ErrSyntax, ErrDuplicate, ErrDepth} {
		if errors.Is(err, k) != (k == kind) {
			t.Errorf("Check(%q): errors.Is(%q, %q) is %v", text, err, k, k != kind)
		}
	}
	if got.Offset != at {
		t.Errorf("Check(%q): offset %d (%s), want %d", text, got.Offset, got.Msg, at)
	}
	if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "byte "+strconv.Itoa(at)) {
		t.Errorf("Check(%q): %q does not say %q and byte %d", text, err, says, at)
	}
}

// TestCheck_EveryPrefixIsRefused: cutting a sound text anywhere breaks it, and never panics.
func TestCheck_EveryPrefixIsRefused(t *testing.T) {
	t.Parallel()
	text := `{"model":"é\u00e9😀\ud83d\ude00","n":[-1.5e+10,true,false,null,{"a":{}}],"long":"` + strings.Repeat("x", 40) + `"}`
	if _, err := Check([]byte(text), Default()); err != nil {
		t.Fatal(err)
	}
	for n := range len(text) {
		if _, err := Check([]byte(text[:n]), Default()); !errors.Is(err, ErrSyntax) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
}

// TestSpecial_MarksEachByteRightly tries every byte in every lane, between bytes that are plain.
func TestSpecial_MarksEachByteRightly(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := c < ' ' || c == '"' || c == '\\' || c >= 0x80
		for lane := range 8 {
			for _, other := range []byte{' ', '!', '#', '[', ']', 0x7f} {
				w := uint64(other)*lanes&^(0xff<<(8*lane)) | uint64(c)<<(8*lane)
				if m := special(w); want != (m != 0) || want && bits.TrailingZeros64(m)>>3 != lane {
					t.Errorf("byte 0x%02x in lane %d among %q: mark %016x", c, lane, other, m)
				}
			}
		}
	}
}

// TestCheck_FindsBadByteAnywhereInString slides every kind of bad byte through the lanes of the bulk search, with the
// string ending at every distance behind it.
func TestCheck_FindsBadByteAnywhereInString(t *testing.T) {
	t.Parallel()
	for before := range 70 {
		for after := range 40 {
			for _, bad := range []string{"\x00", "\x1f", "\n", "\x80", "\xff", `\x`, `\ud800`} {
				text := `"` + strings.Repeat("#", before) + bad + strings.Repeat("!", after) + `"`
				at := 1 + before
				if bad == `\x` {
					at++
				}
				wantError(t, text, checkError(text), ErrSyntax, at, "")
			}
			for _, good := range []string{"é", "漢", "😀", `\"`, `\\`, `\n`, `\u0000`, `\ud83d\ude00`, "\x7f"} {
				text := `"` + strings.Repeat("#", before) + good + strings.Repeat("!", after) + `"`
				if err := checkError(text); err != nil {
					t.Fatalf("%d bytes before, %d after %q: %v", before, after, good, err)
				}
			}
		}
	}
}

func checkError(text string) error {
	_, err := Check([]byte(text), Default())
	return err
}

func TestCheck_RefusesDuplicateNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 50)
	for _, c := range []struct {
		text string
		at   int
		says string
	}{
		{`{"model":1,"model":2}`, 11, `"model"`},
		{`{"model":1,"mod\u0065l":2}`, 11, `"model"`},
		{`{"mod\u0065l":1,"model":2}`, 16, `"model"`},
		{`{"\u006dodel":1,"mod\u0065l":2}`, 16, `"model"`},
		{`{"\/":1,"/":2}`, 8, `"/"`},
		{`{"\ud83d\ude00":1,"😀":2}`, 18, `"😀"`},
		{`{"":1,"":2}`, 6, `""`},
		{`{"a":{"b":[{"c":1,"d":2,"c":3}]}}`, 24, `"c"`},
		{`{"a":{"x":1},"b":{"x":1},"a":0}`, 25, `"a"`},
		{`{"\n":1,"\u000a":2}`, 8, `"\n"`},
		{`{"` + long + `":1,"` + long + `":1}`, 106, strings.Repeat("é", 32) + `" (100 bytes, cut)`},
		{`{"x` + long + `":1,"x` + long + `":1}`, 107, `"x` + strings.Repeat("é", 31) + `" (101 bytes, cut)`},
	} {
		wantError(t, c.text, checkError(c.text), ErrDuplicate, c.at, c.says)
		if jsontext.Value(c.text).IsValid() || !jsontext.Value(c.text).IsValid(jsontext.AllowDuplicateNames(true)) {
			t.Errorf("jsontext disagrees that %q has nothing wrong but a duplicate", c.text)
		}
	}
}

// TestCheck_FindsDuplicateInObjectsOfAnySize crosses the step from comparing by hand to the hash table and each of its
// growths, with the duplicate of the first, a middle and the last name, plain and escaped.
func TestCheck_FindsDuplicateInObjectsOfAnySize(t *testing.T) {
	t.Parallel()
	for n := 1; n < 300 && !t.Failed(); n++ {
		body := string(namesObject(n))
		if err := checkError(body); err != nil {
			t.Fatalf("%d different names: %v", n, err)
		}
		for _, which := range []int{0, n / 2, n - 1} {
			name := strconv.FormatInt(int64(which), 36)
			for _, again := range []string{name, `\u00` + strconv.FormatInt(int64(name[0]), 16) + name[1:]} {
				text := body[:len(body)-1] + `,"` + again + `":0}`
				wantError(t, text, checkError(text), ErrDuplicate, len(body), `"`+name+`"`)
				inner := `{"a":[` + body + `,{"k":` + text + `}]}`
				wantError(t, inner, checkError(inner), ErrDuplicate, strings.LastIndex(inner, `,"`)+1, `"`+name+`"`)
			}
		}
	}
}

// TestCheck_LargeObjectsInsideLargeObjects: tables of open objects stand on one stack and must not touch each other.
func TestCheck_LargeObjectsInsideLargeObjects(t *testing.T) {
	t.Parallel()
	inner := string(namesObject(100))
	for range 3 {
		var b strings.Builder
		for i := range 60 {
			b.WriteString(`,"` + strconv.FormatInt(int64(i), 36) + `":`)
			if i%25 == 20 {
				b.WriteString(inner)
			} else {
				b.WriteString("0")
			}
		}
		inner = "{" + b.String()[1:] + "}"
	}
	if err := checkError(inner); err != nil {
		t.Fatal(err)
	}
	twice := inner[:len(inner)-1] + `,"\u0033":0}`
	wantError(t, twice, checkError(twice), ErrDuplicate, len(inner), `"3"`)
}

// TestCheck_ManyNamesIsNotQuadratic: comparing 200,000 names with each other would take about half a minute.
func TestCheck_ManyNamesIsNotQuadratic(t *testing.T) {
	t.Parallel()
	body := namesObject(200_000)
	start := time.Now()
	d, err := Check(body, Default())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second { // 40 ms without -race; the bound leaves room for a busy machine
		t.Errorf("200,000 names took %v", took)
	}
	if _, ok := d.Get("4aa7"); !ok {
		t.Error("a field is lost")
	}
	text := string(body[:len(body)-1]) + `,"4aa7":0}`
	wantError(t, text, checkError(text), ErrDuplicate, len(body), `"4aa7"`)
}

// namesObject returns an object with n names: the numbers below n to the base 36.
func namesObject(n int) []byte {
	b := []byte{'{'}
	for i := range n {
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(i), 36)
		b = append(b, `":0,`...)
	}
	b[len(b)-1] = '}'
	return b
}

// TestProbe_EqualHashesAreToldApart: the table compares names and not just hashes.
func TestProbe_EqualHashesAreToldApart(t *testing.T) {
	t.Parallel()
	text := []byte("abcdefgh")
	s := scanner{b: text}
	set := s.openNames()
	for i := range uint32(8) {
		s.names = append(s.names, name{start: i, end: i + 1, hash: 7})
	}
	s.growTable(&set, 16)
	for i := range text {
		slot := s.probe(s.slots, s.names, 7, text[i:i+1])
		if got := s.slots[slot]; got != uint32(i+1) {
			t.Errorf("name %q is found at place %d, want %d", text[i:i+1], got, i+1)
		}
	}
	if slot := s.probe(s.slots, s.names, 7, []byte("x")); s.slots[slot] != 0 {
		t.Errorf("a new name with the same hash is taken for place %d", s.slots[slot])
	}
}

func TestCheck_BoundsDepth(t *testing.T) {
	t.Parallel()
	nest := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	for _, c := range []struct {
		name string
		text string
		lim  Limits
		at   int // -1: accepted
	}{
		{"scalar", `1`, Limits{Depth: 1}, -1},
		{"one", `{"a":1}`, Limits{Depth: 1}, -1},
		{"array in object", `{"a":[]}`, Limits{Depth: 1}, 5},
		{"object in array", `[0,{}]`, Limits{Depth: 1}, 3},
		{"siblings do not add up", `[[],[],{},{}]`, Limits{Depth: 2}, -1},
		{"default", nest("[", "", "]", DefaultDepth), Default(), -1},
		{"past the default", nest("[", "", "]", DefaultDepth+1), Default(), DefaultDepth},
		{"zero is the default", nest("[", "", "]", DefaultDepth+1), Limits{}, DefaultDepth},
		{"negative is the default", nest("[", "1", "]", DefaultDepth), Limits{Depth: -5}, -1},
		{"objects", nest(`{"a":`, "1", "}", DefaultDepth+1), Default(), 5 * DefaultDepth},
		{"the most", nest("[", "", "]", MaxDepth), Limits{Depth: 1 << 30}, -1},
		{"past the most", nest("[", "", "]", MaxDepth+1), Limits{Depth: 1 << 30}, MaxDepth},
		{"a bomb without ends", strings.Repeat("[", 50<<20), Default(), DefaultDepth},
		{"a bomb of objects", strings.Repeat(`{"a":`, 1<<20), Limits{Depth: MaxDepth}, 5 * MaxDepth},
	} {
		_, err := Check([]byte(c.text), c.lim)
		if c.at < 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		wantError(t, c.text, err, ErrDepth, c.at, strconv.Itoa(c.lim.depth()))
	}
}

func TestDoc_ResetReusesMemory(t *testing.T) {
	body := chat(2<<10, codeLine)
	var d Doc
	if err := d.Reset(body, Default()); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = d.Reset(body, Default()) }); n != 0 {
		t.Errorf("%v allocations for a second document, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Check(body, Default()) }); n > 2 {
		t.Errorf("%v allocations for a first document, want 2 at most", n)
	}
}

func TestDoc_ResetForgetsWhatWasBefore(t *testing.T) {
	t.Parallel()
	var d Doc
	for _, text := range []string{`{"a":1,"b":2}`, string(namesObject(5000)), `{"\u0061":1,"b":{"a":1}}`, `{}`, `7`, `{"a":`, `{"a":1,"a":1}`, `{"c":3}`} {
		err := d.Reset([]byte(text), Default())
		fresh, want := Check([]byte(text), Default())
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Errorf("%.20s: error %v, want %v", text, err, want)
		}
		if diff := cmp.Diff(fieldsOf(fresh.Fields()), fieldsOf(d.Fields())); diff != "" {
			t.Errorf("%.20s: fields (-fresh +reused):\n%s", text, diff)
		}
		if string(d.Bytes()) != string(fresh.Bytes()) || string(d.Root().Raw()) != string(fresh.Root().Raw()) {
			t.Errorf("%.20s: bytes differ", text)
		}
		if _, had := d.Get("b"); had != strings.Contains(text, `"b"`) && len(text) < 100 {
			t.Errorf("%.20s: Get(b) is %v", text, had)
		}
	}
	if cap(d.scan.names) > keepNames || cap(d.scan.slots) > keepSlots {
		t.Errorf("scratch of a giant is kept: %d names, %d slots", cap(d.scan.names), cap(d.scan.slots))
	}
}
