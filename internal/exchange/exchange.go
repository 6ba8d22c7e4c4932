// Package exchange holds what happened: one Exchange row per request and one
// Attempt row per call of a target.
//
// These are the rows that many rooms read and only the ledger writes. The package
// knows no store and no wire format but the JSON of GET /v1/exchanges. Start
// reading at Exchange.
package exchange

import (
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

// Status is how an exchange or an attempt ended.
type Status string

// The statuses. A cut stream ended without its stop reason; a canceled one was
// left by its client.
const (
	OK       Status = "ok"
	Failed   Status = "error"
	Canceled Status = "canceled"
	Cut      Status = "cut"
)

// Exchange is one request and its answer.
type Exchange struct {
	ID     string    // sorts by time (ULID, 26 characters)
	Time   time.Time // when the request arrived, UTC
	Caller Caller
	Asked  Asked
	Result Result
	Bill   Bill
	Latency
	Attempts []Attempt
}

// Caller is who asked.
type Caller struct {
	Tenant  string // "default" until there are more
	Project string
	KeyID   string
	Key     string // the key's name
}

// Asked is what was asked for.
type Asked struct {
	Dialect string
	Surface string
	Model   string // as the client named it
	Task    string
	TaskID  string
	Classes []string // data classes of the request
	Stream  bool
	Bytes   int64  // of the request body
	Headers string // "name: value" lines of an allow-list, no secrets
}

// Result is what came of it.
type Result struct {
	Status     Status
	HTTPStatus int
	Kind       string // llm.Kind of the error, "" when ok
	Message    string // the error as the caller saw it
	Target     string // that answered, or was tried last
	Route      string // rule or policy that chose
	AnswerID   string // the id inside the answer
	Cache      string // miss, exact, semantic, shared
	Loss       []string
	Bytes      int64  // of the answer body
	Headers    string // "name: value" lines of the answer, an allow-list
	ConfigHash string
}

// Bill is what it cost.
type Bill struct {
	Usage money.Tokens
	Cost  money.Cost
}

// Latency is where the time went. Zero means it never came so far.
type Latency struct {
	Overhead  time.Duration // spent in Fairlead before the first byte went out
	FirstByte time.Duration // from arrival to the first byte of the answer
	Total     time.Duration // from arrival to the last byte of the answer
}

// Attempt is one call of one target. Seq counts from 0 within its exchange.
type Attempt struct {
	Seq        int
	Target     string
	Provider   string
	Model      string // the target's own model name
	Status     Status
	Kind       string // llm.Kind of the error, "" when ok
	Message    string
	HTTPStatus int
	RequestID  string        // the upstream's own request id
	Start      time.Duration // after the exchange's arrival
	TTFT       time.Duration // to the first event, 0 when none came
	Total      time.Duration
	Bill       Bill
}
