package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// EmbeddingsQuery is what an embedder needs of a request.
type EmbeddingsQuery struct {
	Model      string
	Texts      []string
	Dimensions int  // 0: the model's own
	Base64     bool // little-endian float32, as the SDKs ask for by default
}

// DecodeEmbeddings reads an embeddings request for an embedder of our own. Texts
// only: token ids belong to one provider's tokenizer.
func DecodeEmbeddings(body []byte, limits rawjson.Limits) (EmbeddingsQuery, error) {
	req, err := Decode(llm.Incoming{Surface: llm.Embeddings, Body: body, Limits: limits})
	if err != nil {
		return EmbeddingsQuery{}, err
	}
	q := EmbeddingsQuery{Model: req.Model}
	input, _ := req.Doc.Get("input")
	if text, ok := input.Str(); ok {
		q.Texts = []string{text}
	}
	for item := range input.Items() {
		text, ok := item.Str()
		if !ok {
			return q, wire.Invalid("input", "input must be text or an array of texts here; token ids mean nothing to this model")
		}
		q.Texts = append(q.Texts, text)
	}
	if v, ok := req.Doc.Get("dimensions"); ok && v.Kind() == rawjson.Number {
		n, isInt := v.Int()
		if !isInt || n < 1 || n > 1<<16 {
			return q, wire.Invalid("dimensions", "dimensions must be a whole number above 0")
		}
		q.Dimensions = int(n)
	}
	if v, ok := req.Doc.Get("encoding_format"); ok {
		q.Base64 = equals(v, "base64")
	}
	return q, nil
}

// EncodeEmbeddings writes the answer to a query.
func EncodeEmbeddings(q EmbeddingsQuery, vectors [][]float32, tokens int) []byte {
	out := []byte(`{"object":"list","data":[`)
	for i, v := range vectors {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"object":"embedding","index":`...)
		out = strconv.AppendInt(out, int64(i), 10)
		out = append(out, `,"embedding":`...)
		if q.Base64 {
			out = appendBase64(out, v)
		} else {
			out = wire.AppendVector(out, v)
		}
		out = append(out, '}')
	}
	out = append(out, `],"model":`...)
	out = rawjson.AppendString(out, q.Model)
	out = append(out, `,"usage":{"prompt_tokens":`...)
	out = strconv.AppendInt(out, int64(tokens), 10)
	out = append(out, `,"total_tokens":`...)
	out = strconv.AppendInt(out, int64(tokens), 10)
	return append(out, "}}"...)
}

func appendBase64(out []byte, v []float32) []byte {
	raw := make([]byte, 0, 4*len(v))
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, raw)
	return append(out, '"')
}
