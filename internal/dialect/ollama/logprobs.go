package ollama

import (
	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// tokenLogprob is how likely a token was. OpenAI has the same words, and demands bytes
// and top_logprobs where Ollama leaves empty ones out.
type tokenLogprob struct {
	Token   string         `json:"token"`
	Logprob float64        `json:"logprob"`
	Bytes   rawJSON        `json:"bytes"` // an array of numbers, or null
	Top     []tokenLogprob `json:"top_logprobs,omitzero"`
}

// readLogprobs gives the list of a line in OpenAI's form, nil for none.
func readLogprobs(list rawjson.Value) []byte {
	if wire.NoItems(list) {
		return nil
	}
	var items []tokenLogprob
	if json.Unmarshal(list.Raw(), &items) != nil {
		return nil
	}
	for i := range items {
		if items[i].Top == nil {
			items[i].Top = []tokenLogprob{} // demanded, also where there are none
		}
	}
	raw, err := json.Marshal(struct {
		Content []tokenLogprob `json:"content"`
		Refusal *string        `json:"refusal"`
	}{Content: items})
	if err != nil {
		return nil
	}
	return raw
}

// writeLogprobs gives an object in OpenAI's form as the list of this dialect, nil for
// none.
func writeLogprobs(object []byte) []byte {
	content, _ := rawjson.Lookup(object, "content")
	if wire.NoItems(content) {
		return nil
	}
	return content.Raw()
}
