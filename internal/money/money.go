// Package money answers what something cost: decimal amounts of US dollars,
// disjoint token classes, and whether a figure is known, estimated or unknown.
//
// It knows no provider, no price and no clock; package catalog holds those.
// Nothing here is ever a float. Start reading at Amount, then Tokens (tokens.go),
// then Cost (cost.go).
package money

import (
	"fmt"
	"strings"

	"github.com/quagmt/udecimal"
)

const (
	maxIntegerDigits  = 15 // a quadrillion dollars: anything longer is a mistake
	maxFractionDigits = 19 // what the decimal library carries
)

// Amount is a number of US dollars. The zero value is 0.
//
// Addition, subtraction and Mul are exact. Only MulRatio rounds: it cuts after 19
// digits behind the point. Values that fit 128 bits (38 digits) cost no
// allocation; larger ones grow and stay exact. Compare with Cmp or Equal, not ==.
type Amount struct{ d udecimal.Decimal }

// Parse reads a plain decimal number such as "0.0025" or "-3": no exponent, no
// sign but a minus, no spaces, at most 15 digits before and 19 behind the point.
func Parse(s string) (Amount, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return Amount{}, fmt.Errorf("amount %.40q is not a plain decimal number: write it like 0.25", s)
	}
	if len(whole) > maxIntegerDigits || len(fraction) > maxFractionDigits {
		return Amount{}, fmt.Errorf("amount %.40q is too long: at most %d digits before and %d behind the point",
			s, maxIntegerDigits, maxFractionDigits)
	}
	d, err := udecimal.Parse(s)
	if err != nil {
		return Amount{}, fmt.Errorf("amount %.40q: %w", s, err)
	}
	return Amount{d}, nil
}

// MustParse is Parse for constants in the source; it panics on a bad one.
func MustParse(s string) Amount {
	a, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

// FromInt64 is n × 10^-scale dollars; scale is at most 19.
func FromInt64(n int64, scale uint8) (Amount, error) {
	d, err := udecimal.NewFromInt64(n, scale)
	return Amount{d}, err
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Add is a + b, exact.
func (a Amount) Add(b Amount) Amount { return Amount{a.d.Add(b.d)} }

// Sub is a - b, exact.
func (a Amount) Sub(b Amount) Amount { return Amount{a.d.Sub(b.d)} }

// Mul is a × n, exact.
func (a Amount) Mul(n int64) Amount {
	if n >= 0 {
		return Amount{a.d.Mul64(uint64(n))}
	}
	return Amount{a.d.Mul64(uint64(-n)).Neg()}
}

// MulRatio is a × num / den, cut (towards zero) after 19 digits behind the point.
// A den of zero is an error.
func (a Amount) MulRatio(num, den int64) (Amount, error) {
	if den == 0 {
		return Amount{}, fmt.Errorf("ratio %d/0 of an amount", num)
	}
	size := uint64(den)
	if den < 0 {
		size = -size
	}
	d, err := a.Mul(num).d.Div64(size)
	if den < 0 {
		d = d.Neg()
	}
	return Amount{d}, err
}

// Cmp is -1, 0 or +1 as a is below, equal to or above b.
func (a Amount) Cmp(b Amount) int { return a.d.Cmp(b.d) }

// Equal reports whether a and b are the same number, however they are scaled.
func (a Amount) Equal(b Amount) bool { return a.d.Equal(b.d) }

// IsZero reports whether a is 0.
func (a Amount) IsZero() bool { return a.d.IsZero() }

// Sign is -1, 0 or +1.
func (a Amount) Sign() int { return a.d.Sign() }

// String is the number as a plain decimal: no exponent, no trailing zeros.
func (a Amount) String() string { return a.d.String() }

// AppendText appends String's form to b.
func (a Amount) AppendText(b []byte) ([]byte, error) { return a.d.AppendText(b) }

// MarshalText writes String's form; in JSON it is a string ("0.0025").
func (a Amount) MarshalText() ([]byte, error) { return a.d.AppendText(nil) }

// UnmarshalText reads what Parse reads.
func (a *Amount) UnmarshalText(b []byte) error {
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// Scan reads a text column, so that database/sql can fill an Amount. Stores write
// String. NULL is an error: a column that may be empty has a State beside it.
func (a *Amount) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return a.UnmarshalText([]byte(v))
	case []byte:
		return a.UnmarshalText(v)
	}
	return fmt.Errorf("amount column holds %T: store decimal text", src)
}

// Rate is a price per unit: what a quantity counted in int64 costs. It keeps the
// price as published, so that it prints as its page shows it. The zero value is
// free.
type Rate struct {
	each      udecimal.Decimal // USD per single unit
	published Amount           // USD per million tokens, per thousand requests, …
}

const (
	millionDigits  = 6
	thousandDigits = 3
	maxRateDigits  = maxFractionDigits - millionDigits
)

// PerMillion is the rate of price USD per million tokens. A negative price, or one
// with more than 13 digits behind the point (which could not be kept exactly), is
// an error.
func PerMillion(price Amount) (Rate, error) { return perPower(price, millionDigits) }

// PerThousand is the rate of price USD per thousand requests; errors as PerMillion.
func PerThousand(price Amount) (Rate, error) { return perPower(price, thousandDigits) }

func perPower(price Amount, digits uint8) (Rate, error) {
	if price.Sign() < 0 {
		return Rate{}, fmt.Errorf("price %s is negative: a price is 0 or more", price)
	}
	if price.d.Prec() > maxRateDigits {
		return Rate{}, fmt.Errorf("price %s has more than %d digits behind the point: round it", price, maxRateDigits)
	}
	unit, err := udecimal.NewFromInt64(1, digits)
	if err != nil {
		return Rate{}, err
	}
	return Rate{each: price.d.Mul(unit), published: price}, nil
}

// Of is the price of n units, exact.
func (r Rate) Of(n int64) Amount { return Amount{r.each}.Mul(n) }

// Published is the price as it was given, in its own unit.
func (r Rate) Published() Amount { return r.published }
