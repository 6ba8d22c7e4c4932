package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"hash/fnv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
)

// The columns in the order in which they are written and read.
const (
	exchangeColumns = `seq, id, time_us, series, status, http_status, kind, stream, task, classes, cache, loss, config,
		request_bytes, answer_bytes, overhead_us, first_byte_us, total_us, input, output, cost_state, price,
		answer, answer_id, asked, task_id, message, request_lines, answer_lines, tokens, cost, cost_split`
	attemptColumns = `seq, place, status, kind, http_status, start_us, ttft_us, total_us,
		input, output, cost_state, price, request_id, message, tokens, cost, cost_split`
)

// args are the parameters of one statement, reused from one to the next.
type args []driver.NamedValue

func (a *args) add(v driver.Value) {
	*a = append(*a, driver.NamedValue{Ordinal: len(*a) + 1, Value: v})
}

func (a *args) int(n int64) { a.add(n) }

// text writes "" as NULL, which takes no room.
func (a *args) text(s string) {
	if s == "" {
		a.add(nil)
		return
	}
	a.add(s)
}

func (a *args) duration(d time.Duration) { a.add(d.Microseconds()) }

// bill writes the columns tokens, cost and cost_split.
func (a *args) bill(b *exchange.Bill) {
	u := &b.Usage
	if *u == (money.Tokens{Input: u.Input, Output: u.Output}) {
		a.add(nil)
	} else {
		text, _ := json.Marshal(u) //nolint:errchkjson // integers: never fails
		a.add(string(text))
	}
	c := &b.Cost
	if c.State == money.Unknown {
		a.add(nil)
		a.add(nil)
		return
	}
	a.add(c.USD.String())
	if c.Input.IsZero() && c.Output.IsZero() {
		a.add(nil)
		return
	}
	var buf [96]byte
	split, _ := c.Input.AppendText(buf[:0]) // its only error is of a buffer too short to marshal into
	split = append(split, ' ')
	split, _ = c.Output.AppendText(split)
	a.add(string(split))
}

// exchange writes exchangeColumns.
func (a *args) exchange(x *exchange.Exchange, seq int64, v *vocabulary) {
	series, asked := seriesOf(x)
	a.int(seq)
	a.add(x.ID)
	a.int(x.Time.UnixMicro())
	a.int(v.series(series))
	a.int(statusCode(x.Result.Status))
	a.int(int64(x.Result.HTTPStatus))
	a.int(v.name(x.Result.Kind))
	a.int(bit(x.Asked.Stream))
	a.int(v.name(x.Asked.Task))
	a.int(v.list(x.Asked.Classes))
	a.int(v.name(x.Result.Cache))
	a.int(v.list(x.Result.Loss))
	a.int(v.name(x.Result.ConfigHash))
	a.int(x.Asked.Bytes)
	a.int(x.Result.Bytes)
	a.duration(x.Latency.Overhead)
	a.duration(x.Latency.FirstByte)
	a.duration(x.Latency.Total)
	a.int(x.Bill.Usage.TotalInput())
	a.int(x.Bill.Usage.TotalOutput())
	a.int(int64(x.Bill.Cost.State))
	a.int(v.price(x.Bill.Cost.Price))
	if x.Result.AnswerID == "" {
		a.add(nil)
	} else {
		a.int(answerKey(v.segment(), x.Result.AnswerID))
	}
	a.text(x.Result.AnswerID)
	a.text(asked)
	a.text(x.Asked.TaskID)
	a.text(x.Result.Message)
	a.text(x.Asked.Headers)
	a.text(x.Result.Headers)
	a.bill(&x.Bill)
}

// attempt writes attemptColumns; seq is the attempt's own.
func (a *args) attempt(seq int64, t *exchange.Attempt, v *vocabulary) {
	a.int(seq)
	a.int(v.place(place{t.Target, t.Provider, t.Model}))
	a.int(statusCode(t.Status))
	a.int(v.name(t.Kind))
	a.int(int64(t.HTTPStatus))
	a.duration(t.Start)
	a.duration(t.TTFT)
	a.duration(t.Total)
	a.int(t.Bill.Usage.TotalInput())
	a.int(t.Bill.Usage.TotalOutput())
	a.int(int64(t.Bill.Cost.State))
	a.int(v.price(t.Bill.Cost.Price))
	a.text(t.RequestID)
	a.text(t.Message)
	a.bill(&t.Bill)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var statuses = [...]exchange.Status{1: exchange.OK, 2: exchange.Failed, 3: exchange.Canceled, 4: exchange.Cut}

func statusCode(s exchange.Status) int64 {
	for i, have := range statuses {
		if have == s {
			return int64(i)
		}
	}
	return 2
}

func statusOf(code int64) exchange.Status {
	if code > 0 && code < int64(len(statuses)) {
		return statuses[code]
	}
	return exchange.Failed
}

const listMark = "," // data classes and field names hold none

func join(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return strings.Join(list, listMark)
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, listMark)
}

// Answers carry ids that their providers made at random. An index over these would
// touch a page of its own for every row, and cost more than the row. Here the index is
// over a number: a segment, which rises by one every segmentRows rows, and behind it a
// hash of the id. New rows all fall into one small corner of that index, and a look-up
// asks each segment in turn, the newest first: 2,000 questions at a million rows.
const segmentRows = 512

func answerKey(segment int64, answerID string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(answerID))
	return segment<<32 | int64(h.Sum32())
}

// seq, the primary key of an exchange, is made of its id: 42 bits of milliseconds,
// which last until 2109, 15 bits of hash, and 6 bits that its attempts count in. Rows
// of one millisecond may fall on the same hash: then the later takes the next free one,
// so the rows of a millisecond are told apart by their ids.
const (
	attemptBits = 6
	hashBits    = 15
	milliBits   = attemptBits + hashBits
	maxMillis   = 1<<(63-milliBits) - 1
	maxAttempts = 1 << attemptBits
)

// seqOf is the seq that an exchange with this id has if it is free; ok is false when
// the id is none of ours.
func seqOf(id string) (seq int64, ok bool) {
	u, err := ulid.ParseStrict(id)
	if err != nil || u.Time() > maxMillis {
		return 0, false
	}
	h := fnv.New32a()
	_, _ = h.Write(u[6:])
	sum := h.Sum32()
	return int64(u.Time())<<milliBits | int64((sum^sum>>hashBits)&(1<<hashBits-1))<<attemptBits, true
}

// nextSeq is where to look when seq is taken: the next hash of the same millisecond.
func nextSeq(seq int64) int64 {
	return firstOf(seq) | (seq+maxAttempts)&(1<<milliBits-1)
}

// firstOf is the smallest seq of the same millisecond.
func firstOf(seq int64) int64 { return seq &^ (1<<milliBits - 1) }
