package openaifake

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Dimensions is the length of a vector when the request does not say.
const Dimensions = 64

// maxDimensions is that of the largest model that the publisher sells.
const maxDimensions = 3072

// Vector is the embedding that this server gives a text: component i is ((s + 31·i) mod 257 − 128) / 128, where s is
// the sum of the text's bytes. Every value is exact in float32, so all encodings and languages must agree bit for bit.
func Vector(text string, dimensions int) []float32 {
	sum := 0
	for i := range len(text) {
		sum += int(text[i])
	}
	out := make([]float32, dimensions)
	for i := range out {
		out[i] = float32((sum+31*i)%257-128) / 128
	}
	return out
}

// Embed answers POST /embeddings.
func Embed(body []byte, knobs Knobs) Answer {
	var request struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"`
		Format     string          `json:"encoding_format"`
		Dimensions *int            `json:"dimensions"`
	}
	if wrong := decode(body, &request); wrong != nil {
		return *wrong
	}
	dimensions := Dimensions
	if request.Dimensions != nil {
		dimensions = *request.Dimensions
	}
	inputs := prompts(request.Input)
	if wrong := checkEmbed(request.Model, inputs, request.Format, dimensions); wrong != nil {
		return *wrong
	}
	type row struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	rows := make([]row, len(inputs))
	for i, input := range inputs {
		var value any = Vector(input, dimensions)
		if request.Format == "base64" {
			value = packed(Vector(input, dimensions))
		}
		rows[i] = row{"embedding", i, value}
	}
	type counted struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
	tokens := countTokens(inputs...)
	usage := &counted{tokens, tokens}
	if knobs.NoUsage {
		usage = nil
	}
	return Answer{Status: 200, Body: encode(struct {
		Object string   `json:"object"`
		Data   []row    `json:"data"`
		Model  string   `json:"model"`
		Usage  *counted `json:"usage,omitempty"`
	}{"list", rows, request.Model, usage})}
}

func checkEmbed(model string, inputs []string, format string, dimensions int) *Answer {
	switch {
	case model == "":
		return badRequest("model", "missing_required_parameter", "Missing required parameter: 'model'.")
	case len(inputs) == 0 || len(inputs) > 2048:
		return badRequest("input", "", "'input' must be a text, or 1 to 2048 texts or lists of tokens.")
	case format != "" && format != "float" && format != "base64":
		return badRequest("encoding_format", "invalid_value", "'encoding_format' must be 'float' or 'base64'.")
	case dimensions < 1 || dimensions > maxDimensions:
		return badRequest("dimensions", "integer_out_of_range", fmt.Sprintf("'dimensions' must be 1 to %d.", maxDimensions))
	}
	if slices.Contains(inputs, "") {
		return badRequest("input", "", "'input' must not hold an empty text.")
	}
	return nil
}

// packed is OpenAI's base64 form: little-endian float32.
func packed(vector []float32) string {
	raw := make([]byte, 0, 4*len(vector))
	for _, value := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(value))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// Models answers GET /models.
func Models(names []string, created int64) Answer {
	list := make([]model, len(names))
	for i, name := range names {
		list[i] = model{name, "model", created, "fake"}
	}
	return Answer{Status: 200, Body: encode(struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", list})}
}

// Model answers GET /models/{model}.
func Model(name string, created int64) Answer {
	return Answer{Status: 200, Body: encode(model{name, "model", created, "fake"})}
}
