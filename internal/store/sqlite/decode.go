package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
)

// load reads the exchanges with these seqs and their attempts, in the order given.
// Those that are not there are passed over.
func (d *DB) load(ctx context.Context, seqs []int64) ([]*exchange.Exchange, error) {
	if len(seqs) == 0 || len(seqs) == 1 && seqs[0] == 0 { // 0 stands for none
		return nil, nil
	}
	l := loader{
		bySeq: make(map[int64]*exchange.Exchange, len(seqs)),
		need:  needs{names: map[int64]struct{}{}, series: map[int64]struct{}{}, places: map[int64]struct{}{}},
	}
	in := numbers(seqs)
	rows, err := d.read.QueryContext(ctx, "SELECT "+exchangeColumns+" FROM exchanges WHERE seq IN "+in)
	if err != nil {
		return nil, err
	}
	if err := drain(rows, l.exchange); err != nil {
		return nil, err
	}
	rows, err = d.read.QueryContext(ctx, "SELECT "+attemptColumns+" FROM (SELECT seq AS first FROM exchanges WHERE seq IN "+in+
		") CROSS JOIN attempts ON seq BETWEEN first AND first + "+strconv.Itoa(maxAttempts-1)+" ORDER BY seq")
	if err != nil {
		return nil, err
	}
	if err := drain(rows, l.attempt); err != nil {
		return nil, err
	}
	words, err := d.words.load(ctx, d.read, l.need)
	if err != nil {
		return nil, err
	}
	for _, fill := range l.fills {
		if err := fill(words); err != nil {
			return nil, err
		}
	}
	list := make([]*exchange.Exchange, 0, len(seqs))
	for _, seq := range seqs {
		if x := l.bySeq[seq]; x != nil {
			list = append(list, x)
		}
	}
	return list, nil
}

// loader collects rows, and the ids of the words in them, to fill these in at the end.
type loader struct {
	bySeq map[int64]*exchange.Exchange
	need  needs
	fills []func(dictionary) error
}

func (l *loader) names(ids ...int64) {
	for _, id := range ids {
		l.need.names[id] = struct{}{}
	}
}

// bill is the columns of a bill.
type bill struct {
	input, output, state, price int64
	tokens, cost, split         sql.NullString
}

func (b *bill) decode(names map[int64]string) (exchange.Bill, error) {
	out := exchange.Bill{Usage: money.Tokens{Input: b.input, Output: b.output}}
	if b.tokens.Valid {
		out.Usage = money.Tokens{}
		if err := json.Unmarshal([]byte(b.tokens.String), &out.Usage); err != nil {
			return out, fmt.Errorf("column tokens: %w", err)
		}
	}
	c := &out.Cost
	c.State = money.State(min(max(b.state, 0), int64(money.Known)))
	if b.cost.Valid {
		if err := c.USD.Scan(b.cost.String); err != nil {
			return out, err
		}
	}
	if in, outPart, ok := strings.Cut(b.split.String, " "); ok {
		if err := c.Input.Scan(in); err != nil {
			return out, err
		}
		if err := c.Output.Scan(outPart); err != nil {
			return out, err
		}
	}
	if b.price != 0 {
		if err := json.Unmarshal([]byte(names[b.price]), &c.Price); err != nil {
			return out, fmt.Errorf("column price: %w", err)
		}
	}
	return out, nil
}

// exchange scans exchangeColumns.
func (l *loader) exchange(rows *sql.Rows) error {
	x := &exchange.Exchange{}
	var (
		seq, at, row, status, stream, overhead, first, total int64
		kind, task, classes, cache, loss, config             int64
		answer                                               sql.NullInt64
		answerID, asked, taskID, message, request, answers   sql.NullString
		b                                                    bill
	)
	err := rows.Scan(&seq, &x.ID, &at, &row, &status, &x.Result.HTTPStatus, &kind, &stream, &task, &classes, &cache, &loss, &config,
		&x.Asked.Bytes, &x.Result.Bytes, &overhead, &first, &total, &b.input, &b.output, &b.state, &b.price,
		&answer, &answerID, &asked, &taskID, &message, &request, &answers, &b.tokens, &b.cost, &b.split)
	if err != nil {
		return err
	}
	x.Time = time.UnixMicro(at).UTC()
	x.Asked.Stream, x.Asked.TaskID, x.Asked.Headers = stream != 0, taskID.String, request.String
	x.Result.Status, x.Result.AnswerID, x.Result.Message, x.Result.Headers = statusOf(status), answerID.String, message.String, answers.String
	x.Latency = exchange.Latency{Overhead: micros(overhead), FirstByte: micros(first), Total: micros(total)}
	l.bySeq[seq] = x
	l.need.series[row] = struct{}{}
	l.names(kind, task, classes, cache, loss, config, b.price)
	l.fills = append(l.fills, func(words dictionary) error {
		s := words.series[row]
		x.Caller = s.Caller
		x.Asked.Dialect, x.Asked.Surface, x.Asked.Model = s.dialect, s.surface, s.model
		if asked.Valid {
			x.Asked.Model = asked.String
		}
		x.Asked.Task, x.Asked.Classes = words.names[task], split(words.names[classes])
		r := &x.Result
		r.Target, r.Route, r.Kind, r.Cache = s.target, s.route, words.names[kind], words.names[cache]
		r.Loss, r.ConfigHash = split(words.names[loss]), words.names[config]
		var err error
		x.Bill, err = b.decode(words.names)
		return err
	})
	return nil
}

// attempt scans attemptColumns.
func (l *loader) attempt(rows *sql.Rows) error {
	var (
		a                                         exchange.Attempt
		seq, at, status, kind, start, ttft, total int64
		requestID, message                        sql.NullString
		b                                         bill
	)
	err := rows.Scan(&seq, &at, &status, &kind, &a.HTTPStatus, &start, &ttft, &total,
		&b.input, &b.output, &b.state, &b.price, &requestID, &message, &b.tokens, &b.cost, &b.split)
	if err != nil {
		return err
	}
	x := l.bySeq[seq&^(maxAttempts-1)]
	if x == nil { // written between the two reads
		return nil
	}
	a.Seq = int(seq & (maxAttempts - 1))
	a.Status, a.RequestID, a.Message = statusOf(status), requestID.String, message.String
	a.Start, a.TTFT, a.Total = micros(start), micros(ttft), micros(total)
	x.Attempts = append(x.Attempts, a)
	i := len(x.Attempts) - 1
	l.need.places[at] = struct{}{}
	l.names(kind, b.price)
	l.fills = append(l.fills, func(words dictionary) error {
		a, p := &x.Attempts[i], words.places[at]
		a.Target, a.Provider, a.Model, a.Kind = p.target, p.provider, p.model, words.names[kind]
		var err error
		a.Bill, err = b.decode(words.names)
		return err
	})
	return nil
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
