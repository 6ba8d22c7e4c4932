package embed

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// tinyTokenizer is a tokenizer file with the 256 bytes, three special tokens,
// the letters a, b, c, the mark, and merges a+b, mark+ab, ab+c (in that order).
func tinyTokenizer(change func(map[string]any)) []byte {
	vocab := map[string]any{"<unk>": 0, "<s>": 1, "</s>": 2}
	for i := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", i)] = 3 + i
	}
	for i, text := range []string{space, "a", "b", "c", "ab", space + "ab", "abc", space + "a"} {
		vocab[text] = 259 + i
	}
	f := map[string]any{
		"added_tokens": []any{
			map[string]any{"id": 1, "content": "<s>"},
			map[string]any{"id": 2, "content": "</s>"},
		},
		"normalizer": map[string]any{"normalizers": []any{
			map[string]any{"type": "Prepend", "prepend": space},
			map[string]any{"type": "Replace", "content": space},
		}},
		"model": map[string]any{
			"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "vocab": vocab,
			"merges": []any{"a b", space + " ab", "ab c", space + " a"},
		},
	}
	if change != nil {
		change(f)
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return b
}

// tinyStatic is an embedding of dimension 2 in which every token is (3, 4).
func tinyStatic(t testing.TB) *Static {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, TokenizerFile), tinyTokenizer(nil))
	body := make([]byte, 267*4)
	for i := range 267 {
		binary.LittleEndian.PutUint16(body[4*i:], 0x4200)
		binary.LittleEndian.PutUint16(body[4*i+2:], 0x4400)
	}
	write(t, filepath.Join(dir, WeightsFile), safetensors(`{"embedding.weight":{"dtype":"F16","shape":[267,2],"data_offsets":[0,1068]}}`, body))
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func safetensors(header string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), body...)
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTokenizer_MergesByRankThenFromTheLeft(t *testing.T) {
	t.Parallel()
	k, err := ParseTokenizer(tinyTokenizer(nil))
	if err != nil {
		t.Fatal(err)
	}
	const mark, a, b, c, ab, markAB, abc, markA = 259, 260, 261, 262, 263, 264, 265, 266
	for text, want := range map[string][]int32{
		"":           nil,
		" ":          {mark, mark},
		"a":          {markA},
		"abc":        {markAB, c},
		"cabc":       {mark, c, abc},
		"aab b":      {markA, ab, mark, b},
		"é":          {mark, 3 + 0xc3, 3 + 0xa9},
		"\xff":       {mark, 3 + 0xef, 3 + 0xbf, 3 + 0xbd},
		"a</s>ab<s>": {markA, 2, markAB, 1},
		"<s><s>":     {1, 1},
		"<s":         {mark, 3 + '<', 3 + 's'},
	} {
		got := k.Append(nil, text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if n := k.Count(text); n != len(want) {
			t.Errorf("%q: Count says %d, want %d", text, n, len(want))
		}
	}
}

func TestParseTokenizer_RefusesWhatItWouldGetWrong(t *testing.T) {
	t.Parallel()
	model := func(f map[string]any) map[string]any { return f["model"].(map[string]any) }
	for name, c := range map[string]struct {
		change func(map[string]any)
		says   string
	}{
		"another algorithm":  {func(f map[string]any) { model(f)["type"] = "WordPiece" }, "byte-pair"},
		"a pre-tokenizer":    {func(f map[string]any) { f["pre_tokenizer"] = map[string]any{"type": "ByteLevel"} }, "byte-pair"},
		"no normalizer":      {func(f map[string]any) { delete(f, "normalizer") }, "normalizer"},
		"stripping tokens":   {func(f map[string]any) { f["added_tokens"].([]any)[0].(map[string]any)["lstrip"] = true }, "lstrip"},
		"empty added token":  {func(f map[string]any) { f["added_tokens"].([]any)[0].(map[string]any)["content"] = "" }, "added token"},
		"a byte is missing":  {func(f map[string]any) { delete(model(f)["vocab"].(map[string]any), "<0x41>") }, "0x41"},
		"merge of strangers": {func(f map[string]any) { model(f)["merges"] = []any{"x y"} }, "merge 0"},
		"half a merge":       {func(f map[string]any) { model(f)["merges"] = []any{"ab"} }, "not a pair"},
		"a huge id":          {func(f map[string]any) { model(f)["vocab"].(map[string]any)["a"] = 1 << 30 }, "outside"},
		"merge across words": {func(f map[string]any) {
			model(f)["vocab"].(map[string]any)["a"+space] = 300
			model(f)["merges"] = []any{"a " + space}
		}, "joins words"},
	} {
		_, err := ParseTokenizer(tinyTokenizer(c.change))
		says := c.says
		if name == "stripping tokens" {
			says = "property"
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error with %q", name, err, says)
		}
	}
}

func TestParseTensor_RefusesBrokenFiles(t *testing.T) {
	t.Parallel()
	good := `{"w":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}`
	if got, err := parseTensor(safetensors(good, []byte{1, 2, 3, 4}), "w"); err != nil || len(got.data) != 4 {
		t.Fatalf("a good file: %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty":           {nil, "length field"},
		"huge header":     {[]byte{255, 255, 255, 255, 255, 255, 255, 255, 1}, "header of"},
		"no JSON":         {safetensors("nope", nil), "header"},
		"other tensor":    {safetensors(`{"x":{}}`, nil), "no tensor"},
		"cut short":       {safetensors(good, []byte{1, 2}), "cut short"},
		"begin after end": {safetensors(`{"w":{"dtype":"F16","shape":[1],"data_offsets":[4,2]}}`, make([]byte, 4)), "cut short"},
		"other type":      {safetensors(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "F32"},
		"shape overflows": {safetensors(`{"w":{"dtype":"F16","shape":[4611686018427387904,4],"data_offsets":[0,4]}}`, make([]byte, 4)), "does not fill"},
		"negative shape":  {safetensors(`{"w":{"dtype":"F16","shape":[-2,-1],"data_offsets":[0,4]}}`, make([]byte, 4)), "does not fill"},
	} {
		if _, err := parseTensor(c.file, "w"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.says)
		}
	}
}

func TestOpen_NamesTheFileThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := Open(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), TokenizerFile) {
		t.Errorf("got %v, want an error that names %s", err, TokenizerFile)
	}
}

func FuzzTokenizer(f *testing.F) {
	for _, s := range []string{"", "ab abc", "<s>a</s>", "\xff\xfe", "  \u2581\u2581ab"} {
		f.Add(s)
	}
	k, err := ParseTokenizer(tinyTokenizer(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := k.Append(nil, text)
		if (len(ids) == 0) != (text == "") {
			t.Errorf("%q gave %d tokens", text, len(ids))
		}
		if limit := 3*len(text) + utf8.RuneCountInString(text) + 1; len(ids) > limit {
			t.Errorf("%q gave %d tokens, more than %d", text, len(ids), limit)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= k.Size() {
				t.Errorf("%q gave token %d of %d", text, id, k.Size())
			}
		}
	})
}

func FuzzParseTensor(f *testing.F) {
	f.Add(safetensors(`{"w":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}`, []byte{1, 2, 3, 4}))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := parseTensor(b, "w"); err == nil && got.shape != nil && len(got.data) == 0 {
			t.Errorf("an empty tensor of shape %v", got.shape)
		}
	})
}
