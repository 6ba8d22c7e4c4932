package embed

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// maxWeights and maxHeader bound what is read from a weights file.
const (
	maxWeights = 512 << 20
	maxHeader  = 1 << 20
)

// tensor is one array of a safetensors file, its bytes little-endian.
type tensor struct {
	dtype string
	shape []int
	data  []byte
}

// readTensor reads one tensor of a safetensors file: eight bytes with the length
// of a JSON header, the header (name → type, shape, offsets), then the bytes.
// Format: https://github.com/huggingface/safetensors#format
func readTensor(path, name string) (tensor, error) {
	b, err := readFile(path, maxWeights)
	if err != nil {
		return tensor{}, err
	}
	return parseTensor(b, name)
}

func parseTensor(b []byte, name string) (tensor, error) {
	if len(b) < 8 {
		return tensor{}, errors.New("not a safetensors file: shorter than its length field")
	}
	n, body := binary.LittleEndian.Uint64(b), b[8:]
	if n > maxHeader || n > uint64(len(body)) {
		return tensor{}, fmt.Errorf("not a safetensors file: a header of %d bytes in a file of %d", n, len(b))
	}
	header, body := body[:n], body[n:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return tensor{}, fmt.Errorf("safetensors header: %w", err)
	}
	raw, ok := entries[name]
	if !ok {
		return tensor{}, fmt.Errorf("no tensor %q in it", name)
	}
	var e struct {
		DType   string    `json:"dtype"`
		Shape   []int     `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return tensor{}, fmt.Errorf("safetensors header of %q: %w", name, err)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin > end || end > uint64(len(body)) {
		return tensor{}, fmt.Errorf("tensor %q lies at %d–%d of %d bytes: the file was cut short", name, begin, end, len(body))
	}
	if want, err := byteSize(e.DType, e.Shape); err != nil || want != end-begin {
		return tensor{}, fmt.Errorf("tensor %q: %s %v does not fill its %d bytes", name, e.DType, e.Shape, end-begin)
	}
	return tensor{dtype: e.DType, shape: e.Shape, data: body[begin:end]}, nil
}

// byteSize is the size of a tensor of a type that we can read.
func byteSize(dtype string, shape []int) (uint64, error) {
	if dtype != "F16" {
		return 0, fmt.Errorf("type %s", dtype)
	}
	size := uint64(2)
	for _, d := range shape {
		if d <= 0 || uint64(d) > maxWeights/size {
			return 0, fmt.Errorf("shape %v", shape)
		}
		size *= uint64(d)
	}
	return size, nil
}
