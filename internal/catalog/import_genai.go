package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Skipped is a model that an import left out, and why.
type Skipped struct{ Provider, Model, Why string }

// maxImport bounds a file that is imported.
const maxImport = 64 << 20

type genaiProvider struct {
	ID          string       `json:"id"`
	PricingURLs []string     `json:"pricing_urls"`
	APIPattern  string       `json:"api_pattern"`
	Models      []genaiModel `json:"models"`
}

type genaiModel struct {
	ID      string          `json:"id"`
	Match   genaiClause     `json:"match"`
	Context int64           `json:"context_window"`
	Prices  json.RawMessage `json:"prices"`
}

type genaiPrices struct {
	Constraint struct {
		StartDate string `json:"start_date"`
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
	} `json:"constraint"`
	Prices map[string]json.RawMessage `json:"prices"`
}

// genaiFree are models that the file lists without any price and whose use costs
// nothing; ids that end in ":free" say so themselves. Other empty entries are
// billed in units that the file does not have (songs, say): they are skipped,
// because no price is not a price of 0.
var genaiFree = []string{
	"cerebras/qwen-3-coder-480b", // retired; listed at no charge
	"google/gemma-3",
	"google/gemma-3n",
	"openai/moderation",
	"openrouter/gemini-2.5-pro-exp-03-25",
	"openrouter/google/gemini-flash-1.5-8b-exp",
}

// ImportGenAI reads the data file of pydantic/genai-prices (an array of providers,
// https://github.com/pydantic/genai-prices, MIT) into rows dated date. Only facts
// are taken: ids, matches, prices, windows, pages. Models that cannot be carried are
// named with the reason; an error means that the file is not of that form.
func ImportGenAI(r io.Reader, date string) ([]Row, []Skipped, error) {
	var providers []genaiProvider
	if err := json.NewDecoder(io.LimitReader(r, maxImport)).Decode(&providers); err != nil {
		return nil, nil, fmt.Errorf("genai-prices file: %w", err)
	}
	var rows []Row
	var skipped []Skipped
	for _, p := range providers {
		source := p.APIPattern
		if len(p.PricingURLs) > 0 {
			source = p.PricingURLs[0]
		}
		for _, m := range p.Models {
			got, err := m.rows(p.ID)
			for i := range got {
				got[i].Source, got[i].Date = source, date
				if err == nil {
					err = got[i].Check()
				}
			}
			if err != nil {
				skipped = append(skipped, Skipped{p.ID, m.ID, err.Error()})
				continue
			}
			rows = append(rows, got...)
		}
	}
	return rows, skipped, nil
}

func (m genaiModel) rows(provider string) ([]Row, error) {
	match, err := m.Match.text()
	if err != nil {
		return nil, err
	}
	var all []genaiPrices
	if err := json.Unmarshal(m.Prices, &all); err != nil {
		var one genaiPrices
		if err := json.Unmarshal(m.Prices, &one.Prices); err != nil {
			return nil, fmt.Errorf("prices: %w", err)
		}
		all = []genaiPrices{one}
	}
	var rows []Row
	for i, p := range all {
		row := Row{Provider: provider, Model: m.ID, Since: p.Constraint.StartDate}
		if i == 0 {
			row.Context = m.Context
			if match != "="+strings.ToLower(m.ID) {
				row.Match = match
			}
		}
		if row.Hours, err = hours(p.Constraint.StartTime, p.Constraint.EndTime); err != nil {
			return nil, err
		}
		if row.Rates, err = genaiRates(p.Prices); err != nil {
			return nil, err
		}
		if row.Rates == (Rates{}) {
			if !strings.HasSuffix(m.ID, ":free") && !slices.Contains(genaiFree, provider+"/"+m.ID) {
				return nil, fmt.Errorf("no price in a unit that is known")
			}
			row.Rates = Rates{Input: "0", Output: "0"}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// hours turns "00:30:00Z" and "16:30:00Z" into "00:30-16:30".
func hours(from, to string) (string, error) {
	if from == "" && to == "" {
		return "", nil
	}
	short := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "Z"), ":00") }
	window := short(from) + "-" + short(to)
	return window, checkHours(window)
}

func genaiRates(prices map[string]json.RawMessage) (Rates, error) {
	var r Rates
	for name, raw := range prices {
		text, err := genaiRate(raw)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		switch name {
		case "input_mtok":
			r.Input = text
		case "cache_read_mtok":
			r.CacheRead = text
		case "cache_write_mtok":
			r.CacheWrite = text
		case "cache_write_1h_mtok":
			r.CacheWrite1h = text
		case "input_audio_mtok":
			r.AudioInput = text
		case "cache_audio_read_mtok":
			r.AudioCacheRead = text
		case "input_image_mtok":
			r.ImageInput = text
		case "output_mtok":
			r.Output = text
		case "output_reasoning_mtok":
			r.Reasoning = text
		case "output_audio_mtok":
			r.AudioOutput = text
		case "output_image_mtok":
			r.ImageOutput = text
		case "requests_kcount":
			r.Requests = text
		case "web_searches_kcount":
			r.Searches = text
		default:
			return r, fmt.Errorf("a price per %s is not known", name)
		}
	}
	return r, nil
}

// genaiTier is a price above Start tokens of input.
type genaiTier struct {
	Start int64       `json:"start"`
	Price json.Number `json:"price"`
}

func genaiRate(raw json.RawMessage) (string, error) {
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return plain(n)
	}
	var t struct {
		Base  json.Number `json:"base"`
		Tiers []genaiTier `json:"tiers"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", err
	}
	text, err := plain(t.Base)
	if err != nil {
		return "", err
	}
	slices.SortFunc(t.Tiers, func(a, b genaiTier) int { return cmp.Compare(a.Start, b.Start) })
	for _, s := range t.Tiers {
		price, err := plain(s.Price)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" >%d:%s", s.Start, price)
	}
	return text, nil
}

// genaiClause is one condition on a name, or several.
type genaiClause struct {
	Equals     string        `json:"equals"`
	StartsWith string        `json:"starts_with"`
	EndsWith   string        `json:"ends_with"`
	Contains   string        `json:"contains"`
	Regex      string        `json:"regex"`
	Or         []genaiClause `json:"or"`
	And        []genaiClause `json:"and"`
}

// text writes the clause in the form of ParseMatch.
func (c genaiClause) text() (string, error) {
	ways, err := c.alternatives(0)
	if err != nil {
		return "", err
	}
	return strings.Join(ways, " | "), nil
}

const maxAlternatives = 64

// alternatives multiplies out: and over or becomes or over and.
func (c genaiClause) alternatives(depth int) ([]string, error) {
	if depth > 8 {
		return nil, fmt.Errorf("match is nested too deep")
	}
	switch {
	case len(c.Or) > 0:
		var ways []string
		for _, sub := range c.Or {
			more, err := sub.alternatives(depth + 1)
			if err != nil {
				return nil, err
			}
			ways = append(ways, more...)
		}
		return ways, tooMany(ways)
	case len(c.And) > 0:
		all := []string{""}
		for _, sub := range c.And {
			more, err := sub.alternatives(depth + 1)
			if err != nil {
				return nil, err
			}
			var next []string
			for _, a := range all {
				for _, b := range more {
					next = append(next, strings.TrimPrefix(a+" & "+b, " & "))
				}
			}
			if err := tooMany(next); err != nil {
				return nil, err
			}
			all = next
		}
		return all, nil
	}
	return c.leaf()
}

func tooMany(ways []string) error {
	if len(ways) > maxAlternatives {
		return fmt.Errorf("match has more than %d alternatives", maxAlternatives)
	}
	return nil
}

func (c genaiClause) leaf() ([]string, error) {
	for _, f := range []struct{ mark, text string }{
		{"=", c.Equals}, {"^", c.StartsWith}, {"$", c.EndsWith}, {"~", c.Contains},
	} {
		if f.text != "" {
			return []string{f.mark + strings.ToLower(f.text)}, nil
		}
	}
	if c.Regex != "" {
		return []string{"/" + c.Regex}, nil
	}
	return nil, fmt.Errorf("match has no condition that is known")
}
