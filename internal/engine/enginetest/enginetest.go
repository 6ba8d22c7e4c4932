// Package enginetest is what tests of the local engine share: where the engine
// lies that `make test` set up, and a model small enough to start in no time.
//
// The model has random weights and says nothing; it tokenizes, fills a context,
// streams, obeys a grammar and stops like any other. Start at WriteModel.
package enginetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Dir is the folder that engine.Setup filled for tests. Without it the test is
// skipped; with CI=true it fails.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FAIRLEAD_ENGINE_DIR")
	if dir == "" {
		dir = filepath.Join(root(t), ".cache", "engine")
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		const why = "the local engine is not set up in %s; `make test` does that"
		if os.Getenv("CI") == "true" {
			t.Fatalf(why, dir)
		}
		t.Skipf(why, dir)
	}
	return dir
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above this folder")
		}
		dir = parent
	}
}

// Shape of the model: a llama with two layers, trained (as it says of itself) on
// a context so long that a test can cut an answer before it ends.
const (
	width, hidden, layers, heads = 64, 128, 2, 4
	trained                      = 1 << 17
)

// chatTemplate puts each message on a line of its own.
const chatTemplate = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"

// Kinds of tokens in a GGUF file.
const (
	normalToken, unknownToken, controlToken, byteToken = 1, 2, 3, 6
)

// WriteModel writes a GGUF file of about half a megabyte to path. Its tokens are
// single bytes and printable characters; the same file comes out every time.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
func WriteModel(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, Model(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Model is the content of that file.
func Model() []byte {
	tokens, scores, kinds := vocabulary()
	var f file
	f.str("general.architecture", "llama")
	f.str("general.name", "fairlead test model")
	for _, n := range []struct {
		key   string
		value uint32
	}{
		{"llama.block_count", layers},
		{"llama.context_length", trained},
		{"llama.embedding_length", width},
		{"llama.feed_forward_length", hidden},
		{"llama.attention.head_count", heads},
		{"llama.attention.head_count_kv", heads},
		{"llama.rope.dimension_count", width / heads},
		{"tokenizer.ggml.unknown_token_id", 0},
		{"tokenizer.ggml.bos_token_id", 1},
		{"tokenizer.ggml.eos_token_id", 2},
	} {
		f.number(n.key, 4, n.value)
	}
	f.number("llama.attention.layer_norm_rms_epsilon", 6, math.Float32bits(1e-5))
	f.str("tokenizer.ggml.model", "llama")
	f.str("tokenizer.chat_template", chatTemplate)
	f.array("tokenizer.ggml.tokens", 8, len(tokens), func(i int) []byte { return text(tokens[i]) })
	f.array("tokenizer.ggml.scores", 6, len(scores), func(i int) []byte { return word(math.Float32bits(scores[i])) })
	f.array("tokenizer.ggml.token_type", 5, len(kinds), func(i int) []byte { return word(kinds[i]) })

	f.tensor("token_embd.weight", width, len(tokens))
	f.tensor("output.weight", width, len(tokens))
	f.tensor("output_norm.weight", width)
	for i := range layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s.weight", i, s) }
		f.tensor(name("attn_norm"), width)
		f.tensor(name("ffn_norm"), width)
		for _, s := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			f.tensor(name(s), width, width)
		}
		f.tensor(name("ffn_gate"), width, hidden)
		f.tensor(name("ffn_up"), width, hidden)
		f.tensor(name("ffn_down"), hidden, width)
	}
	return f.bytes()
}

func vocabulary() (tokens []string, scores []float32, kinds []uint32) {
	add := func(s string, score float32, kind uint32) {
		tokens, scores, kinds = append(tokens, s), append(scores, score), append(kinds, kind)
	}
	add("<unk>", 0, unknownToken)
	add("<s>", 0, controlToken)
	add("</s>", 0, controlToken)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 0, byteToken)
	}
	add("\u2581", -1, normalToken) // a space
	for c := '!'; c <= '~'; c++ {
		add(string(c), -1, normalToken)
	}
	return tokens, scores, kinds
}

// file collects the three parts of a GGUF file.
type file struct {
	keys, infos, data  bytes.Buffer
	keyCount, tenCount uint64
	rand               *rand.Rand
}

func word(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func long(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
func text(s string) []byte { return append(long(uint64(len(s))), s...) }

func (f *file) key(name string, kind uint32) {
	f.keyCount++
	f.keys.Write(text(name))
	f.keys.Write(word(kind))
}

func (f *file) str(name, value string) {
	f.key(name, 8)
	f.keys.Write(text(value))
}

func (f *file) number(name string, kind, value uint32) {
	f.key(name, kind)
	f.keys.Write(word(value))
}

func (f *file) array(name string, kind uint32, n int, item func(int) []byte) {
	f.key(name, 9)
	f.keys.Write(word(kind))
	f.keys.Write(long(uint64(n)))
	for i := range n {
		f.keys.Write(item(i))
	}
}

// tensor adds one of random numbers, or of ones if it has one dimension: those
// are the scales of a norm.
func (f *file) tensor(name string, dims ...int) {
	if f.rand == nil {
		f.rand = rand.New(rand.NewPCG(1, 2))
	}
	f.tenCount++
	f.infos.Write(text(name))
	f.infos.Write(word(uint32(len(dims))))
	count := 1
	for _, d := range dims {
		f.infos.Write(long(uint64(d)))
		count *= d
	}
	f.infos.Write(word(0)) // float32
	f.infos.Write(long(uint64(f.data.Len())))
	for range count {
		x := float32(1)
		if len(dims) > 1 {
			x = float32(f.rand.NormFloat64() * 0.3)
		}
		f.data.Write(word(math.Float32bits(x)))
	}
	f.pad(&f.data, f.data.Len())
}

// pad fills up to the alignment of 32 bytes.
func (f *file) pad(b *bytes.Buffer, length int) {
	b.Write(make([]byte, (32-length%32)%32))
}

func (f *file) bytes() []byte {
	var b bytes.Buffer
	b.WriteString("GGUF")
	b.Write(word(3))
	b.Write(long(f.tenCount))
	b.Write(long(f.keyCount))
	b.Write(f.keys.Bytes())
	b.Write(f.infos.Bytes())
	f.pad(&b, b.Len())
	b.Write(f.data.Bytes())
	return b.Bytes()
}
