// Package embed turns texts into vectors inside this process: a table with one
// vector per token, a look-up, a mean. That costs microseconds, so it may stand
// in a request's path; a sentence encoder is better and a thousand times dearer.
//
// The weights are wordllama's l2_supercat (32,000 tokens × 256, trained so that
// the first 64 or 128 numbers are an embedding by themselves), the tokenizer is
// the byte-pair encoder of Llama 2 that they were trained with.
//
// It must not know where the files came from (engine fetches them) nor what the
// vectors are for. Start at Static.Embed; Tokenizer is the other half.
package embed

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/fairlead/fairlead/internal/llm"
)

// Names of the two files that Open reads.
const (
	WeightsFile   = "l2_supercat_256.safetensors"
	TokenizerFile = "l2_supercat_tokenizer.json"
)

// Model is the name under which requests ask for this embedding.
const Model = "wordllama-l2-supercat-256"

// Bounds on one call. The slowest text of MaxTextBytes takes about 0.2 s; between
// texts Embed looks at its context. The sum is bounded by the request's body.
const (
	// MaxTexts is what the OpenAI embeddings API allows in one request.
	MaxTexts = 2048
	// MaxTextBytes is for one text. A mean over more than this many words says
	// nothing about any of them; split it first.
	MaxTextBytes = 256 << 10
)

// weightsTensor is the one tensor in the weights file.
const weightsTensor = "embedding.weight"

// supported are the lengths that the training gave a meaning of their own.
var supported = []int{64, 128, 256}

// Static is a loaded embedding table. It is safe for concurrent use and holds
// about 16 MB of weights and 10 MB of tokenizer.
type Static struct {
	tokens *Tokenizer
	// rows holds the weights as IEEE half floats, row after row. Widened to
	// float32 they would take twice the memory.
	rows []uint16
	dim  int
}

// Options choose the form of the vectors.
type Options struct {
	// Dimensions is 64, 128 or 256; 0 means 256.
	Dimensions int
	// Raw leaves the mean as it is. Otherwise vectors have length 1, as callers
	// of the OpenAI API expect; a text without tokens has the zero vector in both.
	Raw bool
}

// Open reads WeightsFile and TokenizerFile from dir.
func Open(dir string) (*Static, error) {
	tokens, err := OpenTokenizer(filepath.Join(dir, TokenizerFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, WeightsFile)
	t, err := readTensor(path, weightsTensor)
	if err != nil {
		return nil, fmt.Errorf("static embedding %s: %w", path, err)
	}
	if t.dtype != "F16" || len(t.shape) != 2 || t.shape[0] < tokens.Size() {
		return nil, fmt.Errorf("static embedding %s: tensor is %s %v, want F16 with %d rows or more", path, t.dtype, t.shape, tokens.Size())
	}
	rows := make([]uint16, len(t.data)/2)
	for i := range rows {
		rows[i] = binary.LittleEndian.Uint16(t.data[2*i:])
	}
	return &Static{tokens: tokens, rows: rows, dim: t.shape[1]}, nil
}

// Dim is the full length of a vector.
func (s *Static) Dim() int { return s.dim }

// Tokenizer is the one that Embed uses.
func (s *Static) Tokenizer() *Tokenizer { return s.tokens }

// Embed gives one vector per text, in their order, and the number of tokens in
// all of them. Its errors are *llm.Error (invalid, too_long, canceled) and name
// the text that was at fault.
func (s *Static) Embed(ctx context.Context, texts []string, o Options) ([][]float32, int, error) {
	dim, err := s.check(texts, o)
	if err != nil {
		return nil, 0, err
	}
	vectors := make([][]float32, len(texts))
	flat := make([]float32, len(texts)*dim)
	total := 0
	var ids []int32
	for i, text := range texts {
		if ctx.Err() != nil {
			return nil, 0, &llm.Error{Kind: llm.Canceled, Message: "the embedding was canceled", Err: context.Cause(ctx)}
		}
		ids = s.tokens.Append(ids[:0], text)
		total += len(ids)
		v := flat[i*dim : (i+1)*dim : (i+1)*dim]
		s.mean(v, ids)
		if !o.Raw {
			normalize(v)
		}
		vectors[i] = v
	}
	return vectors, total, nil
}

func (s *Static) check(texts []string, o Options) (dim int, err error) {
	dim = o.Dimensions
	if dim == 0 {
		dim = s.dim
	}
	if dim > s.dim || (dim != s.dim && !slices.Contains(supported, dim)) {
		return 0, &llm.Error{
			Kind: llm.Invalid, Param: "dimensions",
			Message: fmt.Sprintf("dimensions is %d; this embedding gives 64, 128 or %d", o.Dimensions, s.dim),
		}
	}
	if len(texts) > MaxTexts {
		return 0, &llm.Error{
			Kind: llm.Invalid, Param: "input",
			Message: fmt.Sprintf("input has %d texts, at most %d go into one request; split it", len(texts), MaxTexts),
		}
	}
	for i, t := range texts {
		if len(t) > MaxTextBytes {
			return 0, &llm.Error{
				Kind: llm.TooLong, Param: "input",
				Message: fmt.Sprintf("text %d of input has %d bytes, at most %d can be embedded; split it", i, len(t), MaxTextBytes),
			}
		}
	}
	return dim, nil
}

// mean fills v with the mean of the first len(v) numbers of each token's row.
func (s *Static) mean(v []float32, ids []int32) {
	if len(ids) == 0 {
		return
	}
	for _, id := range ids {
		row := s.rows[int(id)*s.dim:][:len(v)]
		for i := range v {
			v[i] += half(row[i])
		}
	}
	n := float32(len(ids))
	for i := range v {
		v[i] /= n
	}
}

// half widens an IEEE 754 half float. Shifted into place, exponent and fraction
// read as a number 2^112 too small (the biases are 15 and 127), subnormals
// included; infinities are not in the weights, readTensor's caller checked digests.
func half(h uint16) float32 {
	f := math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}

func normalize(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
}

// readFile is os.ReadFile with an upper bound.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that such a file may have", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
