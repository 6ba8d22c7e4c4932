package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// litellmProviders are LiteLLM's provider names that differ from ours. Names that
// begin with "vertex_ai" all mean vertex.
var litellmProviders = map[string]string{
	"azure_ai": "azure", "bedrock": "aws", "bedrock_converse": "aws", "cohere_chat": "cohere",
	"fireworks_ai": "fireworks", "gemini": "google", "moonshot": "moonshotai", "text-completion-openai": "openai",
	"together_ai": "together", "voyage": "voyageai", "xai": "x-ai",
}

// litellmEntry are the members of an entry that carry over. Prices are USD per
// single token there.
type litellmEntry struct {
	Provider string      `json:"litellm_provider"`
	Source   string      `json:"source"`
	Context  json.Number `json:"max_input_tokens"`

	litellmInput
	litellmOutput
}

type litellmInput struct {
	Input           json.Number `json:"input_cost_per_token"`
	Input128k       json.Number `json:"input_cost_per_token_above_128k_tokens"`
	Input200k       json.Number `json:"input_cost_per_token_above_200k_tokens"`
	CacheRead       json.Number `json:"cache_read_input_token_cost"`
	CacheRead200k   json.Number `json:"cache_read_input_token_cost_above_200k_tokens"`
	CacheWrite      json.Number `json:"cache_creation_input_token_cost"`
	CacheWrite200k  json.Number `json:"cache_creation_input_token_cost_above_200k_tokens"`
	CacheWrite1h    json.Number `json:"cache_creation_input_token_cost_above_1hr"`
	AudioInput      json.Number `json:"input_cost_per_audio_token"`
	AudioCacheInput json.Number `json:"cache_read_input_audio_token_cost"`
	Requests        json.Number `json:"input_cost_per_request"`
}

type litellmOutput struct {
	Output      json.Number `json:"output_cost_per_token"`
	Output128k  json.Number `json:"output_cost_per_token_above_128k_tokens"`
	Output200k  json.Number `json:"output_cost_per_token_above_200k_tokens"`
	Reasoning   json.Number `json:"output_cost_per_reasoning_token"`
	AudioOutput json.Number `json:"output_cost_per_audio_token"`
	ImageOutput json.Number `json:"output_cost_per_image_token"`
}

// litellmURL is named as the source of entries that name none.
const litellmURL = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"

// ImportLiteLLM reads LiteLLM's model_prices_and_context_window.json (an object of
// models, https://github.com/BerriAI/litellm, MIT) into rows dated date, sorted by
// provider and model. Entries without a price per token are skipped with the reason.
// Providers keep LiteLLM's name where ours is not known to differ.
func ImportLiteLLM(r io.Reader, date string) ([]Row, []Skipped, error) {
	var models map[string]json.RawMessage
	if err := json.NewDecoder(io.LimitReader(r, maxImport)).Decode(&models); err != nil {
		return nil, nil, fmt.Errorf("LiteLLM price file: %w", err)
	}
	var rows []Row
	var skipped []Skipped
	for _, name := range slices.Sorted(maps.Keys(models)) {
		if name == "sample_spec" {
			continue
		}
		var e litellmEntry
		err := json.Unmarshal(models[name], &e)
		var row Row
		if err == nil {
			row, err = e.row(name, date)
		}
		if err != nil {
			skipped = append(skipped, Skipped{e.Provider, name, err.Error()})
			continue
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return rows, skipped, nil
}

func (e litellmEntry) row(name, date string) (Row, error) {
	prefix, _, _ := strings.Cut(e.Provider, "-") // vertex_ai-language-models
	provider := cmp.Or(litellmProviders[e.Provider], e.Provider)
	if prefix == "vertex_ai" {
		provider = "vertex"
	} else {
		prefix = e.Provider
	}
	row := Row{
		Provider: provider, Model: strings.TrimPrefix(name, prefix+"/"),
		Source: cmp.Or(e.Source, litellmURL), Date: date,
	}
	if n, err := e.Context.Int64(); err == nil {
		row.Context = n
	}
	var err error
	if row.Rates, err = e.rates(); err != nil {
		return row, err
	}
	if row.Input == "" && row.Output == "" {
		return row, fmt.Errorf("no price per token")
	}
	return row, row.Check()
}

func (e litellmEntry) rates() (Rates, error) {
	var r Rates
	for _, f := range []struct {
		into  *string
		base  json.Number
		steps [2]json.Number // above 128k and above 200k tokens
	}{
		{&r.Input, e.Input, [2]json.Number{e.Input128k, e.Input200k}},
		{&r.CacheRead, e.CacheRead, [2]json.Number{"", e.CacheRead200k}},
		{&r.CacheWrite, e.CacheWrite, [2]json.Number{"", e.CacheWrite200k}},
		{&r.CacheWrite1h, e.CacheWrite1h, [2]json.Number{}},
		{&r.AudioInput, e.AudioInput, [2]json.Number{}},
		{&r.AudioCacheRead, e.AudioCacheInput, [2]json.Number{}},
		{&r.Output, e.Output, [2]json.Number{e.Output128k, e.Output200k}},
		{&r.Reasoning, e.Reasoning, [2]json.Number{}},
		{&r.AudioOutput, e.AudioOutput, [2]json.Number{}},
		{&r.ImageOutput, e.ImageOutput, [2]json.Number{}},
	} {
		text, err := scaled(f.base, 1_000_000)
		if err != nil || text == "" {
			if err != nil {
				return r, err
			}
			continue
		}
		for i, above := range []string{"128000", "200000"} {
			step, err := scaled(f.steps[i], 1_000_000)
			if err != nil {
				return r, err
			}
			if step != "" {
				text += " >" + above + ":" + step
			}
		}
		*f.into = text
	}
	var err error
	r.Requests, err = scaled(e.Requests, 1000)
	return r, err
}

// scaled is n × units as plain text, "" for an absent number.
func scaled(n json.Number, units int64) (string, error) {
	if n == "" {
		return "", nil
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || len(n) > 40 {
		return "", fmt.Errorf("price %.40q is not a number", string(n))
	}
	return plain(json.Number(r.Mul(r, big.NewRat(units, 1)).FloatString(maxScale)))
}
