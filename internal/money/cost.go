package money

import "fmt"

// State says how sure a cost is.
type State uint8

// The states, from the worst to the best. Unknown is the zero value: a cost that
// nobody set is not $0.
const (
	Unknown   State = iota // no price or no usage: the amounts mean nothing
	Estimated              // by counting or by time, not by the provider's own usage
	Known                  // the provider's usage times a price row
)

// String is "unknown", "estimated" or "known".
func (s State) String() string {
	switch s {
	case Known:
		return "known"
	case Estimated:
		return "estimated"
	}
	return "unknown"
}

// ParseState reads what String writes.
func ParseState(s string) (State, error) {
	switch s {
	case "known":
		return Known, nil
	case "estimated":
		return Estimated, nil
	case "unknown":
		return Unknown, nil
	}
	return Unknown, fmt.Errorf("cost state %.40q: it is known, estimated or unknown", s)
}

// MarshalText writes String's form.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseState reads.
func (s *State) UnmarshalText(b []byte) error {
	v, err := ParseState(string(b))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// Source is the price row that made a cost.
type Source struct {
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"` // the model's id in the price data
	Row      string `json:"row,omitempty"`   // which of the model's rows: "base", "from 2026-02-01", "00:30-16:30 UTC", "target"
	From     string `json:"from,omitempty"`  // page or file that the figures come from
	Date     string `json:"date,omitempty"`  // when they were taken from it, YYYY-MM-DD or YYYY-MM
}

// Cost is what one or several calls cost. USD is Input + Output + what belongs to
// neither (a price per request). Where State is Unknown the amounts mean nothing.
type Cost struct {
	USD    Amount `json:"usd"`
	Input  Amount `json:"input"`
	Output Amount `json:"output"`
	State  State  `json:"state"`
	Price  Source `json:"price,omitzero"`
}

// Free is a known cost of nothing, the start of a sum.
func Free() Cost { return Cost{State: Known} }

// Add is the sum of two costs. The worse state wins; the price source stays only
// where both have the same or one has none.
func (c Cost) Add(b Cost) Cost {
	sum := Cost{
		USD:    c.USD.Add(b.USD),
		Input:  c.Input.Add(b.Input),
		Output: c.Output.Add(b.Output),
		State:  min(c.State, b.State),
	}
	switch {
	case c.Price == b.Price || b.Price == Source{}:
		sum.Price = c.Price
	case c.Price == Source{}:
		sum.Price = b.Price
	}
	return sum
}

// AtBest lowers the state of c to s where c claims to be better.
func (c Cost) AtBest(s State) Cost {
	c.State = min(c.State, s)
	return c
}
