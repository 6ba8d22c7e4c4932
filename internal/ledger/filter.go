package ledger

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
)

// Scope is whose exchanges a reader may see. The zero Scope sees none: a reader that
// forgot to say who it is gets nothing.
type Scope struct {
	all   bool
	keyID string
}

// All sees every exchange: for scope admin and for the command line.
func All() Scope { return Scope{all: true} }

// OfKey sees what the key with this id asked.
func OfKey(id string) Scope { return Scope{keyID: id} }

// Key is the key id that bounds the scope; all says that nothing does. When all is
// false and id is "", nothing is in scope.
func (s Scope) Key() (id string, all bool) { return s.keyID, s.all }

// Sees reports whether x is in scope.
func (s Scope) Sees(x *exchange.Exchange) bool {
	return s.all || s.keyID != "" && s.keyID == x.Caller.KeyID
}

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Filter says which exchanges a list holds. Empty fields let everything through.
type Filter struct {
	Scope  Scope
	Limit  int    // 0 is DefaultLimit
	After  string // the cursor: the id before which to go on
	Task   string
	TaskID string
	Status exchange.Status
	Key    string // a key's id or name
	Model  string // as the client named it
	Target string
	From   time.Time // of arrival, inclusive
	To     time.Time // exclusive
}

// Validate fills in the defaults. What cannot be met is an Invalid error that names
// the field.
func (f Filter) Validate() (Filter, error) {
	switch {
	case f.Limit < 0 || f.Limit > MaxLimit:
		return f, invalid("limit", fmt.Sprintf("must lie between 1 and %d", MaxLimit))
	case f.Limit == 0:
		f.Limit = DefaultLimit
	}
	if f.After != "" {
		if _, err := ulid.ParseStrict(f.After); err != nil {
			return f, invalid("after", "must be the id of an exchange, as `next` gave it")
		}
	}
	switch f.Status {
	case "", exchange.OK, exchange.Failed, exchange.Canceled, exchange.Cut:
	default:
		return f, invalid("status", "must be ok, error, canceled or cut")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return f, invalid("from", "must be before `to`")
	}
	return f, nil
}

// ParseFilter reads the query of GET /v1/exchanges and checks it. Names that it does
// not know are passed over.
func ParseFilter(q url.Values, in Scope) (Filter, error) {
	f := Filter{
		Scope: in, After: q.Get("after"), Task: q.Get("task"), TaskID: q.Get("task_id"),
		Status: exchange.Status(q.Get("status")), Key: q.Get("key"), Model: q.Get("model"), Target: q.Get("target"),
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return f, invalid("limit", fmt.Sprintf("must be a number from 1 to %d", MaxLimit))
		}
		f.Limit = n
	}
	var err error
	if f.From, err = parseTime("from", q.Get("from")); err != nil {
		return f, err
	}
	if f.To, err = parseTime("to", q.Get("to")); err != nil {
		return f, err
	}
	return f.Validate()
}

func parseTime(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid(name, "must be a time like 2026-11-23T10:00:00Z or a day like 2026-11-23")
}

func invalid(param, why string) error {
	return &llm.Error{Kind: llm.Invalid, Param: param, Message: "`" + param + "` " + why}
}

// What a row may hold of texts that come from outside, in bytes.
const (
	maxWord    = 256  // names and ids
	maxMessage = 2048 // errors
	maxHeaders = 8192
	maxTries   = 64 // attempts of one exchange
)

// clip bounds what came from clients and upstreams.
func clip(x *exchange.Exchange) {
	for _, s := range [...]*string{
		&x.Asked.Model, &x.Asked.Task, &x.Asked.TaskID, &x.Result.AnswerID, &x.Result.Target, &x.Result.Route,
	} {
		cut(s, maxWord)
	}
	cut(&x.Result.Message, maxMessage)
	cut(&x.Asked.Headers, maxHeaders)
	cut(&x.Result.Headers, maxHeaders)
	if len(x.Attempts) > maxTries {
		x.Attempts = x.Attempts[:maxTries]
	}
	for i := range x.Attempts {
		cut(&x.Attempts[i].RequestID, maxWord)
		cut(&x.Attempts[i].Message, maxMessage)
	}
}

// cut shortens s to at most n bytes, never inside a rune.
func cut(s *string, n int) {
	if len(*s) <= n {
		return
	}
	for n > 0 && (*s)[n]&0xC0 == 0x80 {
		n--
	}
	*s = (*s)[:n]
}

// sizeOf is about the memory that x takes while it waits.
func sizeOf(x *exchange.Exchange) int64 {
	n := 1024 + len(x.Asked.Headers) + len(x.Result.Headers) + len(x.Result.Message) + 512*len(x.Attempts)
	for i := range x.Attempts {
		n += len(x.Attempts[i].Message)
	}
	return int64(n)
}
