package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/money"
)

// mark is a state: never colour alone.
type mark struct{ Symbol, Word, Class string }

var (
	markOK      = mark{"●", "ok", "ok"}
	markUnknown = mark{"○", "unknown", "none"}
)

// markOf is how an exchange or an attempt ended.
func markOf(s exchange.Status) mark {
	switch s {
	case exchange.OK:
		return markOK
	case exchange.Failed:
		return mark{"■", "failed", "bad"}
	case exchange.Cut:
		return mark{"▲", "cut", "warn"}
	case exchange.Canceled:
		return mark{"○", "canceled", "none"}
	}
	return markUnknown
}

// markOfState is how a target is. A word that is not known here is shown as it is.
func markOfState(word string) mark {
	switch word {
	case "ready", "up", "ok":
		return mark{"●", word, "ok"}
	case "starting", "restarting", "slow", "degraded":
		return mark{"▲", word, "warn"}
	case "failed", "stopped", "down":
		return mark{"■", word, "bad"}
	case "":
		return markUnknown
	}
	return mark{"○", word, "none"}
}

// none stands for a figure that there is not.
const none = "–"

// count writes n with a comma between thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(s, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// someRequests is "1 request", "2 requests".
func someRequests(n int64) string {
	if n == 1 {
		return "1 request"
	}
	return count(n) + " requests"
}

// msec writes d as milliseconds without the unit: as many digits as tell something.
// Zero and less never came.
func msec(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return none
	case ms < 9.995:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 99.95:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return count(int64(ms + 0.5))
}

// quantile is a percentile in milliseconds, to the two digits that a histogram knows.
func quantile(h *ledger.Histogram, q float64) string {
	d, ok := h.Quantile(q)
	if !ok || d <= 0 {
		return none
	}
	unit := math.Pow(10, math.Floor(math.Log10(float64(d)))-1)
	return msec(time.Duration(math.Round(float64(d)/unit) * unit))
}

// share is part of whole in percent. It is 100 or 0 only where that is exact.
func share(part, whole int64) string {
	if whole <= 0 {
		return none
	}
	tenths := part * 1000 / whole
	switch {
	case tenths == 0 && part > 0:
		return "< 0.1"
	case tenths%10 == 0:
		return strconv.FormatInt(tenths/10, 10)
	}
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

// usd writes an amount short: cents from a dollar up, else three digits that count.
// A small amount never becomes $0.00.
func usd(a money.Amount) string {
	sign, text := "", a.String()
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "0" {
		lead := len(fraction) - len(strings.TrimLeft(fraction, "0"))
		whole, fraction = rounded(whole, fraction, lead+3)
		if fraction == "" {
			return sign + "$" + whole
		}
		return sign + "$" + whole + "." + fraction
	}
	whole, fraction = rounded(whole, fraction+"00", 2)
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		whole = count(n)
	}
	return sign + "$" + whole + "." + fraction
}

// rounded keeps so many digits behind the point, the last one rounded half up.
func rounded(whole, fraction string, keep int) (string, string) {
	if len(fraction) <= keep {
		return whole, fraction
	}
	digits := []byte("0" + whole + fraction[:keep])
	if fraction[keep] >= '5' {
		i := len(digits) - 1
		for ; digits[i] == '9'; i-- {
			digits[i] = '0'
		}
		digits[i]++
	}
	at := len(digits) - keep
	if whole = strings.TrimLeft(string(digits[:at]), "0"); whole == "" {
		whole = "0"
	}
	return whole, string(digits[at:])
}

// price is an amount that says how sure it is.
type price struct {
	Text  string
	Title string // the exact amount and its state
}

// priceOf is what one exchange or attempt cost. exact keeps every digit.
func priceOf(c money.Cost, exact bool) price {
	text := usd(c.USD)
	if exact {
		text = "$" + c.USD.String()
	}
	switch c.State {
	case money.Unknown:
		return price{"unknown", "no price row matches, or no usage came"}
	case money.Estimated:
		return price{"≈ " + text, "$" + c.USD.String() + " estimated"}
	}
	return price{text, "$" + c.USD.String() + " known"}
}

// priceOfAll is what many exchanges cost together.
func priceOfAll(t *ledger.Totals) price {
	if t.Requests > 0 && t.Unknown == t.Requests {
		return price{"unknown", "the cost of all " + someRequests(t.Requests) + " is unknown"}
	}
	p := price{usd(t.Cost), "$" + t.Cost.String()}
	if t.Estimated > 0 {
		p.Text, p.Title = "≈ "+p.Text, p.Title+"; "+count(t.Estimated)+" estimated"
	}
	if t.Unknown > 0 {
		p.Text, p.Title = p.Text+" + "+count(t.Unknown)+" unknown", p.Title+"; not in it: "+someRequests(t.Unknown)+" whose cost is unknown"
	}
	return p
}

// clock is a moment: how long ago, and exactly.
type clock struct{ Ago, Exact, Stamp string }

func clockOf(t, now time.Time) clock {
	t = t.UTC()
	return clock{ago(now.Sub(t)), t.Format("2006-01-02 15:04:05.000") + " UTC", t.Format(time.RFC3339Nano)}
}

// ago says how long d is in one unit; app.js does the same as time goes on.
func ago(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 1:
		return "now"
	case s < 60:
		return count(s) + " s ago"
	case s < 3600:
		return count(s/60) + " min ago"
	case s < 2*86400:
		return count(s/3600) + " h ago"
	}
	return count(s/86400) + " d ago"
}
