package exchange

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

// timeLayout is RFC 3339 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// view is the JSON of GET /v1/exchanges/{id}. Its shape is stable: fields are
// added, never renamed. Lists are never null; a cost that is not known, a price
// that there was none of and a moment that never came are.
type view struct {
	ID           string        `json:"id"`
	Time         string        `json:"time"`
	Tenant       string        `json:"tenant"`
	Project      string        `json:"project"`
	Task         string        `json:"task"`
	TaskID       string        `json:"task_id"`
	Key          string        `json:"key"`
	KeyID        string        `json:"key_id"`
	Model        string        `json:"model"`
	Dialect      string        `json:"dialect"`
	Surface      string        `json:"surface"`
	Stream       bool          `json:"stream"`
	Status       Status        `json:"status"`
	HTTPStatus   int           `json:"http_status"`
	Kind         string        `json:"kind"`
	Message      string        `json:"message"`
	Target       string        `json:"target"`
	Route        string        `json:"route"`
	Attempts     []attemptView `json:"attempts"`
	Usage        usageView     `json:"usage"`
	CostUSD      *money.Amount `json:"cost_usd"`
	CostState    money.State   `json:"cost_state"`
	Cost         *splitView    `json:"cost"`
	Price        *money.Source `json:"price"`
	Cache        string        `json:"cache"`
	Loss         []string      `json:"loss"`
	Latency      latencyView   `json:"latency"`
	Classes      []string      `json:"classes"`
	ConfigHash   string        `json:"config_hash"`
	AnswerID     string        `json:"answer_id"`
	RequestBytes int64         `json:"request_bytes"`
	AnswerBytes  int64         `json:"answer_bytes"`
	Headers      headersView   `json:"headers"`
}

type attemptView struct {
	Seq        int           `json:"seq"`
	Target     string        `json:"target"`
	Provider   string        `json:"provider"`
	Model      string        `json:"model"`
	Status     Status        `json:"status"`
	Kind       string        `json:"kind"`
	Message    string        `json:"message"`
	HTTPStatus int           `json:"http_status"`
	RequestID  string        `json:"request_id"`
	Start      millis        `json:"start_ms"`
	TTFT       *millis       `json:"ttft_ms"`
	Total      *millis       `json:"total_ms"`
	Usage      usageView     `json:"usage"`
	CostUSD    *money.Amount `json:"cost_usd"`
	CostState  money.State   `json:"cost_state"`
	Cost       *splitView    `json:"cost"`
	Price      *money.Source `json:"price"`
}

// usageView is the token classes and, for reading, their totals.
type usageView struct {
	money.Tokens
	TotalInput  int64 `json:"input_tokens"`
	TotalOutput int64 `json:"output_tokens"`
	Total       int64 `json:"total_tokens"`
}

// splitView is the part of the cost that input and output made.
type splitView struct {
	Input  money.Amount `json:"input_usd"`
	Output money.Amount `json:"output_usd"`
}

type latencyView struct {
	Overhead  *millis `json:"overhead_ms"`
	FirstByte *millis `json:"first_byte_ms"`
	Total     *millis `json:"total_ms"`
}

type headersView struct {
	Request []string `json:"request"`
	Answer  []string `json:"answer"`
}

// millis is a duration as a JSON number of milliseconds, to the microsecond.
type millis time.Duration

func (m millis) MarshalJSON() ([]byte, error) {
	us := time.Duration(m).Microseconds()
	return strconv.AppendFloat(nil, float64(us)/1000, 'f', -1, 64), nil
}

func (m *millis) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(f) > math.MaxInt64/1e6 {
		return fmt.Errorf("duration %.40s: it is a number of milliseconds", b)
	}
	*m = millis(time.Duration(math.Round(f*1000)) * time.Microsecond)
	return nil
}

// MarshalJSON writes the JSON of GET /v1/exchanges/{id}: times in RFC 3339 UTC,
// amounts as decimal strings, durations in milliseconds.
func (x Exchange) MarshalJSON() ([]byte, error) {
	v := view{
		ID: x.ID, Time: x.Time.UTC().Format(timeLayout),
		Tenant: x.Caller.Tenant, Project: x.Caller.Project, Key: x.Caller.Key, KeyID: x.Caller.KeyID,
		Task: x.Asked.Task, TaskID: x.Asked.TaskID, Model: x.Asked.Model,
		Dialect: x.Asked.Dialect, Surface: x.Asked.Surface, Stream: x.Asked.Stream,
		Status: x.Result.Status, HTTPStatus: x.Result.HTTPStatus, Kind: x.Result.Kind, Message: x.Result.Message,
		Target: x.Result.Target, Route: x.Result.Route, Cache: x.Result.Cache,
		Usage: viewUsage(x.Bill.Usage), CostState: x.Bill.Cost.State, Price: viewPrice(x.Bill.Cost.Price),
		Loss: list(x.Result.Loss), Classes: list(x.Asked.Classes),
		Latency:    latencyView{ms(x.Latency.Overhead), ms(x.Latency.FirstByte), ms(x.Latency.Total)},
		ConfigHash: x.Result.ConfigHash, AnswerID: x.Result.AnswerID,
		RequestBytes: x.Asked.Bytes, AnswerBytes: x.Result.Bytes,
		Headers:  headersView{lines(x.Asked.Headers), lines(x.Result.Headers)},
		Attempts: make([]attemptView, len(x.Attempts)),
	}
	v.CostUSD, v.Cost = viewCost(x.Bill.Cost)
	for i := range x.Attempts {
		v.Attempts[i] = viewAttempt(&x.Attempts[i])
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON writes. Fields that it does not know are
// passed over, so that an older command can read a newer server.
func (x *Exchange) UnmarshalJSON(b []byte) error {
	var v view
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, v.Time)
	if err != nil {
		return fmt.Errorf("exchange %.40q: time: %w", v.ID, err)
	}
	*x = Exchange{
		ID: v.ID, Time: at.UTC(),
		Caller: Caller{Tenant: v.Tenant, Project: v.Project, KeyID: v.KeyID, Key: v.Key},
		Asked: Asked{
			Dialect: v.Dialect, Surface: v.Surface, Model: v.Model, Task: v.Task, TaskID: v.TaskID,
			Classes: unlist(v.Classes), Stream: v.Stream, Bytes: v.RequestBytes, Headers: strings.Join(v.Headers.Request, "\n"),
		},
		Result: Result{
			Status: v.Status, HTTPStatus: v.HTTPStatus, Kind: v.Kind, Message: v.Message,
			Target: v.Target, Route: v.Route, AnswerID: v.AnswerID, Cache: v.Cache, Loss: unlist(v.Loss),
			Bytes: v.AnswerBytes, Headers: strings.Join(v.Headers.Answer, "\n"), ConfigHash: v.ConfigHash,
		},
		Bill:    Bill{Usage: v.Usage.Tokens, Cost: unviewCost(v.CostUSD, v.Cost, v.CostState, v.Price)},
		Latency: Latency{Overhead: duration(v.Latency.Overhead), FirstByte: duration(v.Latency.FirstByte), Total: duration(v.Latency.Total)},
	}
	for i := range v.Attempts {
		x.Attempts = append(x.Attempts, v.Attempts[i].attempt())
	}
	return nil
}

func viewAttempt(a *Attempt) attemptView {
	v := attemptView{
		Seq: a.Seq, Target: a.Target, Provider: a.Provider, Model: a.Model,
		Status: a.Status, Kind: a.Kind, Message: a.Message, HTTPStatus: a.HTTPStatus, RequestID: a.RequestID,
		Start: millis(a.Start), TTFT: ms(a.TTFT), Total: ms(a.Total),
		Usage: viewUsage(a.Bill.Usage), CostState: a.Bill.Cost.State, Price: viewPrice(a.Bill.Cost.Price),
	}
	v.CostUSD, v.Cost = viewCost(a.Bill.Cost)
	return v
}

func (v *attemptView) attempt() Attempt {
	return Attempt{
		Seq: v.Seq, Target: v.Target, Provider: v.Provider, Model: v.Model,
		Status: v.Status, Kind: v.Kind, Message: v.Message, HTTPStatus: v.HTTPStatus, RequestID: v.RequestID,
		Start: time.Duration(v.Start), TTFT: duration(v.TTFT), Total: duration(v.Total),
		Bill: Bill{Usage: v.Usage.Tokens, Cost: unviewCost(v.CostUSD, v.Cost, v.CostState, v.Price)},
	}
}

func viewUsage(t money.Tokens) usageView {
	return usageView{Tokens: t, TotalInput: t.TotalInput(), TotalOutput: t.TotalOutput(), Total: t.Total()}
}

// viewCost gives no amount for a cost that is not known: null is not 0.
func viewCost(c money.Cost) (*money.Amount, *splitView) {
	if c.State == money.Unknown {
		return nil, nil
	}
	return &c.USD, &splitView{Input: c.Input, Output: c.Output}
}

func unviewCost(usd *money.Amount, split *splitView, state money.State, price *money.Source) money.Cost {
	c := money.Cost{State: state}
	if usd != nil {
		c.USD = *usd
	}
	if split != nil {
		c.Input, c.Output = split.Input, split.Output
	}
	if price != nil {
		c.Price = *price
	}
	return c
}

func viewPrice(p money.Source) *money.Source {
	if p == (money.Source{}) {
		return nil
	}
	return &p
}

// ms is null for a moment that never came.
func ms(d time.Duration) *millis {
	if d == 0 {
		return nil
	}
	return (*millis)(&d)
}

func duration(m *millis) time.Duration {
	if m == nil {
		return 0
	}
	return time.Duration(*m)
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func unlist(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func lines(s string) []string {
	if s = strings.TrimRight(s, "\r\n"); s == "" {
		return []string{}
	}
	return strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}
