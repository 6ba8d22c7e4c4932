// Package limit bounds what a caller may spend: it reserves the expected cost of a
// request before the call and settles the true one after it.
//
// It knows amounts, windows and time, and neither prices nor targets. A budget is
// checked against settled spend plus open reservations; what those who are already
// admitted cost above their reservation is the most by which it can be overshot.
// Start reading at Budgets.Reserve.
package limit

import (
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// Window is the time that a budget is for: one day or month of the calendar in
// UTC, or the last so many hours.
type Window struct {
	Calendar string        // "day" or "month", "" for a rolling window
	Rolling  time.Duration // whole hours
}

// Start is when the window that holds now began. Rolling windows move by whole
// hours, and count the hour that they begin in.
func (w Window) Start(now time.Time) time.Time {
	now = now.UTC()
	switch w.Calendar {
	case "day":
		return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	case "month":
		return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return now.Add(-w.Rolling).Truncate(time.Hour)
}

// next is when room comes back at the earliest, for the message.
func (w Window) next(now time.Time) string {
	now = now.UTC()
	switch w.Calendar {
	case "day":
		return "a new day begins at " + w.Start(now).AddDate(0, 0, 1).Format(time.RFC3339)
	case "month":
		return "a new month begins at " + w.Start(now).AddDate(0, 1, 0).Format(time.RFC3339)
	}
	return "spend leaves the window hour by hour"
}

func (w Window) String() string {
	if w.Calendar != "" {
		return w.Calendar
	}
	return w.Rolling.String()
}

// Budget is an amount per window.
type Budget struct {
	Limit  money.Amount // USD
	Window Window
}

// Spend is what was spent since a moment, for the start: the record knows.
type Spend struct {
	Since time.Time
	USD   money.Amount
}

// Budgets holds the accounts of all budgeted keys. It is safe for concurrent use;
// its size is bounded by the configuration's number of keys.
type Budgets struct {
	mu       sync.Mutex
	accounts map[string]*account
}

// account is one key's money.
type account struct {
	budget   Budget
	hours    map[int64]money.Amount // settled, by the hour's Unix time; at most a window's worth
	oldest   int64                  // no hour before this one is in hours
	settled  money.Amount           // sum of hours
	reserved money.Amount
}

// New returns Budgets without accounts.
func New() *Budgets { return &Budgets{accounts: map[string]*account{}} }

// Has reports whether a key has an account already.
func (b *Budgets) Has(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accounts[key] != nil
}

// Set gives a key its budget. A new account begins with what the record says was
// spent; one that is there keeps its own count.
func (b *Budgets) Set(key string, budget Budget, spent []Spend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[key]; a != nil {
		a.budget = budget
		return
	}
	a := &account{budget: budget, hours: map[int64]money.Amount{}}
	for _, s := range spent {
		a.add(s.Since, s.USD)
	}
	b.accounts[key] = a
}

// Keep drops the accounts of keys that no longer have a budget.
func (b *Budgets) Keep(keys map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.accounts {
		if !keys[key] {
			delete(b.accounts, key)
		}
	}
}

// Reservation is money that one request is expected to need. It must be settled,
// once.
type Reservation struct {
	budgets *Budgets
	key     string
	usd     money.Amount
}

// Reserve sets the expected cost aside. It refuses, with an *llm.Error of kind
// Budget, when settled spend and open reservations have reached the limit; a key
// without a budget is never refused.
func (b *Budgets) Reserve(key string, expected money.Amount, now time.Time) (*Reservation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[key]
	if a == nil {
		return nil, nil //nolint:nilnil // nothing to reserve, and nothing wrong
	}
	a.expire(now)
	if a.settled.Add(a.reserved).Cmp(a.budget.Limit) >= 0 {
		return nil, a.refuse(now)
	}
	a.reserved = a.reserved.Add(expected)
	return &Reservation{b, key, expected}, nil
}

func (a *account) refuse(now time.Time) error {
	open := ""
	if !a.reserved.IsZero() {
		open = fmt.Sprintf(" and %s more are reserved by requests under way", a.reserved)
	}
	return &llm.Error{Kind: llm.Budget, Code: "insufficient_quota",
		Message: fmt.Sprintf("the budget of this key is used up: %s of %s USD per %s are spent%s; %s, or raise `budget` in fairlead.yaml",
			a.settled, a.budget.Limit, a.budget.Window, open, a.budget.Window.next(now))}
}

// Settle puts the true cost in the place of the reservation. A nil Reservation has
// nothing to settle.
func (r *Reservation) Settle(actual money.Amount, now time.Time) {
	if r == nil {
		return
	}
	r.budgets.mu.Lock()
	defer r.budgets.mu.Unlock()
	a := r.budgets.accounts[r.key]
	if a == nil {
		return // the budget was taken away meanwhile
	}
	a.reserved = a.reserved.Sub(r.usd)
	if a.reserved.Sign() < 0 { // the account was made anew since
		a.reserved = money.Amount{}
	}
	a.expire(now)
	a.add(now, actual)
}

func (a *account) add(at time.Time, usd money.Amount) {
	hour := at.UTC().Truncate(time.Hour).Unix()
	a.hours[hour] = a.hours[hour].Add(usd)
	a.settled = a.settled.Add(usd)
}

// expire takes out what lies before the window.
func (a *account) expire(now time.Time) {
	start := a.budget.Window.Start(now).Unix()
	if start == a.oldest {
		return
	}
	a.oldest = start
	for hour, usd := range a.hours {
		if hour < start {
			a.settled = a.settled.Sub(usd)
			delete(a.hours, hour)
		}
	}
}
