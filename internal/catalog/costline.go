package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

// CostOptions say how bodies are read and priced.
type CostOptions struct {
	Provider string
	Flavor   string    // of the API; empty is "default"
	Model    string    // instead of the one that the body names
	At       time.Time // the moment whose prices count
}

// CostLine is the answer to one body. Amounts are absent (null) where the state is
// unknown, and Reason says why.
type CostLine struct {
	Provider     string        `json:"provider"`
	Flavor       string        `json:"flavor"`
	Model        string        `json:"model"`
	Tokens       money.Tokens  `json:"tokens"` // disjoint classes, those that are not 0
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	CostUSD      *money.Amount `json:"cost_usd"`
	InputUSD     *money.Amount `json:"input_usd"`
	OutputUSD    *money.Amount `json:"output_usd"`
	State        money.State   `json:"state"`
	Price        *money.Source `json:"price,omitempty"`
	Reason       string        `json:"reason,omitempty"`
}

// CostOf reads and prices one body: an answer, or a bare usage object. Errors are
// those of Usage. No matching price is not an error but an unknown cost.
func (c *Catalog) CostOf(body []byte, opt CostOptions) (CostLine, error) {
	if opt.Flavor == "" {
		opt.Flavor = "default"
	}
	model, tokens, err := c.Usage(opt.Provider, opt.Flavor, body)
	if err != nil {
		return CostLine{}, err
	}
	if opt.Model != "" {
		model = opt.Model
	}
	line := CostLine{
		Provider: opt.Provider, Flavor: opt.Flavor, Model: model, Tokens: tokens,
		InputTokens: tokens.TotalInput(), OutputTokens: tokens.TotalOutput(),
	}
	price, why := c.priceOrWhy(opt.Provider, model, opt.At)
	cost := price.Cost(tokens)
	line.State = cost.State
	if price != nil {
		line.Price = &cost.Price
	}
	if cost.State == money.Unknown {
		line.Reason = why
		return line, nil
	}
	line.CostUSD, line.InputUSD, line.OutputUSD = &cost.USD, &cost.Input, &cost.Output
	return line, nil
}

func (c *Catalog) priceOrWhy(provider, model string, at time.Time) (*Price, string) {
	if p, ok := c.Provider(provider); ok && !p.Kind.Bills() {
		return Free(p.ID, model), ""
	}
	if price, ok := c.Price(provider, model, at); ok {
		return price, "the price row has no price for a class of these tokens"
	}
	if _, ok := c.billedBy(provider); !ok {
		return nil, fmt.Sprintf("provider %.40q is not in the catalog: one of %s", provider, c.names())
	}
	if model == "" {
		return nil, "the body names no model: name it with --model"
	}
	return nil, fmt.Sprintf("no price row of %s matches model %.100q: add a row to the price overlay, or price: {input: …, output: …} to the target",
		provider, model)
}

// costError stands for a body that could not be read.
type costError struct {
	Error string `json:"error"`
	Line  int    `json:"line"` // that the body begins on, from 1
}

// CostLines reads bodies (JSON lines, or pretty-printed values behind each other)
// and writes one line of JSON for each, in their order: a CostLine, or
// {"error": …, "line": n} for one that cannot be read, after which it goes on.
// failed counts those; err is a flavour that is not known, a failure to read or
// write at all, or input without any value.
func (c *Catalog) CostLines(r io.Reader, w io.Writer, opt CostOptions) (failed int, err error) {
	if opt.Flavor == "" {
		opt.Flavor = "default"
	}
	if _, err := c.flavor(opt.Provider, opt.Flavor); err != nil {
		return 0, err
	}
	in := newValues(r)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for n := 0; ; n++ {
		body, at, err := in.next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return failed, errors.New("no input: give an answer or a usage body as JSON on stdin")
			}
			return failed, nil
		}
		if err != nil && !errors.Is(err, errBroken) {
			return failed, fmt.Errorf("line %d: %w", at, err)
		}
		var line CostLine
		if err == nil {
			line, err = c.CostOf(body, opt)
		}
		var answer any = line
		if err != nil {
			failed++
			answer = costError{Error: err.Error(), Line: at}
		}
		if err := out.Encode(answer); err != nil {
			return failed, err
		}
	}
}
