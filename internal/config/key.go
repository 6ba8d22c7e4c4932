package config

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config/strict"
	"github.com/fairlead/fairlead/internal/money"
)

// Key is one key of the configuration file.
type Key struct {
	Name    string    `yaml:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$" required:"name it, such as name: app" doc:"What the key is called in records and reports."`
	Secret  Secret    `yaml:"secret" required:"give the secret that clients send, such as secret: ${FAIRLEAD_KEY}" doc:"What clients send: ${NAME} of an environment variable, or file:PATH."`
	Scopes  []string  `yaml:"scopes" enum:"admin" doc:"What the key may do beside asking models. admin reads every exchange and may use the console, /metrics and the admin API."`
	Budget  *Budget   `yaml:"budget" doc:"The most that the key may spend."`
	Expires time.Time `yaml:"expires" doc:"When the key stops working: a day, or a moment in RFC 3339 form."`
	Classes []string  `yaml:"classes" doc:"Data classes that every request of this key carries, such as wallet."`
}

// Budget is an amount per window.
type Budget struct {
	USD      money.Amount `yaml:"usd" required:"say how much, such as usd: 20" doc:"The amount in USD."`
	Per      Period       `yaml:"per" required:"say in what time, such as per: month" doc:"The window: month or day by the calendar in UTC, or a rolling one such as 30d or 12h."`
	Unpriced string       `yaml:"unpriced" enum:"refuse,allow" doc:"What happens with targets whose price is not known: they leave the plan (refuse), or go uncounted (allow)."`
}

// Period is the window of a budget: month and day of the calendar in UTC, or a
// rolling time.
type Period struct {
	Calendar string        // "month", "day", or "" for a rolling window
	Rolling  time.Duration // 0 for a calendar window
}

const maxRolling = 366 * 24 * time.Hour

// String is the form that ParsePeriod reads.
func (p Period) String() string {
	const day = 24 * time.Hour
	switch {
	case p.Calendar != "":
		return p.Calendar
	case p.Rolling == 0:
		return ""
	case p.Rolling%day == 0:
		return strconv.Itoa(int(p.Rolling/day)) + "d"
	}
	return strconv.Itoa(int(p.Rolling/time.Hour)) + "h"
}

// ParsePeriod reads "month", "day", days such as "30d" or hours such as "12h".
func ParsePeriod(s string) (Period, error) {
	if s == "month" || s == "day" {
		return Period{Calendar: s}, nil
	}
	unit := time.Hour
	digits, hours := strings.CutSuffix(s, "h")
	if !hours {
		unit = 24 * time.Hour
		digits = strings.TrimSuffix(s, "d")
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if digits == s || err != nil || n == 0 || time.Duration(n) > maxRolling/unit {
		return Period{}, errors.New("is not a window: write month, day, days such as 30d or hours such as 12h, at most 366 days")
	}
	return Period{Rolling: time.Duration(n) * unit}, nil
}

// UnmarshalText reads what ParsePeriod reads.
func (p *Period) UnmarshalText(b []byte) error {
	v, err := ParsePeriod(string(b))
	if err == nil {
		*p = v
	}
	return err
}

// MarshalText writes String's form.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Form implements strict.Scalar.
func (Period) Form() strict.Form {
	return strict.Form{
		Wants:  "a window such as month, day or 30d",
		Schema: map[string]any{"type": "string", "pattern": `^(month|day|[1-9][0-9]*[dh])$`},
	}
}

// Bytes is a size.
type Bytes int64

var byteUnits = []struct {
	suffix string
	size   int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// String is the size in the largest unit of 1024 that divides it, "32MiB".
func (b Bytes) String() string {
	for _, u := range []int{2, 1, 0} {
		if size := byteUnits[u].size; b != 0 && int64(b)%size == 0 {
			return strconv.FormatInt(int64(b)/size, 10) + byteUnits[u].suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText reads a whole number of bytes, or one with a unit: "32MiB", "10 MB".
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, size := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, size = strings.TrimSuffix(rest, " "), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/size {
		return errors.New("is not a size: write one such as 32MiB or 1048576")
	}
	*b = Bytes(n * size)
	return nil
}

// MarshalText writes String's form.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Form implements strict.Scalar.
func (Bytes) Form() strict.Form {
	return strict.Form{
		Wants:   "a size such as 32MiB or 1048576",
		Numbers: true,
		Schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "integer", "minimum": 0},
			map[string]any{"type": "string", "pattern": `^[0-9]+( ?(KiB|MiB|GiB|KB|MB|GB|B))?$`},
		}},
	}
}

// Rate is a price as it was written: a decimal number, perhaps with steps by the
// size of the input as in catalog.Rates ("3 >200000:6"). Empty: no price of its own.
type Rate string

// UnmarshalText takes what the catalog can read as a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	if _, err := catalog.Override(catalog.Rates{Input: string(text)}, "", ""); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "input: "))
	}
	*r = Rate(text)
	return nil
}

// MarshalText gives the text back.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r), nil }

// Form implements strict.Scalar.
func (Rate) Form() strict.Form {
	return strict.Form{
		Wants:   "an amount such as 0.15",
		Numbers: true,
		Schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "number", "minimum": 0},
			map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?( >[0-9]+:[0-9]+(\.[0-9]+)?)*$`},
		}},
	}
}
