package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
)

// series is a row of the table of that name.
type series struct {
	exchange.Caller
	dialect, surface, model, target, route string
}

// seriesOf is the series of x and, where no target was reached, the model that the
// client asked for.
func seriesOf(x *exchange.Exchange) (s series, asked string) {
	s = series{x.Caller, x.Asked.Dialect, x.Asked.Surface, x.Asked.Model, x.Result.Target, x.Result.Route}
	if s.target == "" {
		s.model, asked = "", x.Asked.Model
	}
	return s, asked
}

// place is a row of the table places.
type place struct{ target, provider, model string }

// vocabulary turns words into the ids that stand for them, and makes ids for new
// words inside the running transaction. Its maps are bounded; what falls out is read
// again from the tables.
type vocabulary struct {
	w      *writer
	err    error // the first of this transaction
	names  map[string]int64
	rows   map[series]int64
	places map[place]int64
	prices map[money.Source]int64
	news   bool // something was added in this transaction

	segmentNow  int64 // see answerKey
	segmentUsed int
}

func newVocabulary(w *writer) *vocabulary {
	return &vocabulary{
		w: w, names: map[string]int64{}, rows: map[series]int64{}, places: map[place]int64{}, prices: map[money.Source]int64{},
	}
}

// keep is called after a commit: the ids are true now.
func (v *vocabulary) keep() {
	v.news = false
	if max(len(v.names), len(v.rows), len(v.places), len(v.prices)) > maxWords {
		v.empty()
	}
}

// forget is called after a rollback: ids that were made in it do not exist.
func (v *vocabulary) forget() {
	if v.news {
		v.empty()
	}
	v.err, v.news = nil, false
}

func (v *vocabulary) empty() {
	clear(v.names)
	clear(v.rows)
	clear(v.places)
	clear(v.prices)
}

// The statements return the id whether the row was there or not; the update that
// does nothing is what makes RETURNING speak in that case.
const (
	nameSQL   query = `INSERT INTO names (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING id`
	seriesSQL query = `INSERT INTO series (tenant, project, key_id, key, dialect, surface, model, target, route)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET key = key RETURNING id`
	placeSQL query = `INSERT INTO places (target, provider, model) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET model = model RETURNING id`
	segmentSQL query = `SELECT coalesce(max(answer), 0) FROM exchanges WHERE answer IS NOT NULL`
)

// query is a statement without parts that vary.
type query string

func (q query) String() string { return string(q) }

// name is the id of s, 0 for "".
func (v *vocabulary) name(s string) int64 {
	if s == "" {
		return 0
	}
	if id, ok := v.names[s]; ok {
		return id
	}
	id := v.make(nameSQL, s)
	v.names[s] = id
	return id
}

func (v *vocabulary) list(words []string) int64 { return v.name(join(words)) }

func (v *vocabulary) series(s series) int64 {
	if id, ok := v.rows[s]; ok {
		return id
	}
	id := v.make(seriesSQL, s.Tenant, s.Project, s.KeyID, s.Key, s.dialect, s.surface, s.model, s.target, s.route)
	v.rows[s] = id
	return id
}

func (v *vocabulary) place(p place) int64 {
	if id, ok := v.places[p]; ok {
		return id
	}
	id := v.make(placeSQL, p.target, p.provider, p.model)
	v.places[p] = id
	return id
}

// startSegment goes on behind the last segment in the table.
func (v *vocabulary) startSegment() error {
	var row [1]driver.Value
	if err := v.w.queryRow(segmentSQL, nil, row[:]); err != nil {
		return err
	}
	last, _ := row[0].(int64)
	v.segmentNow, v.segmentUsed = last>>32+1, 0
	return nil
}

// segment is where the next answer's id goes.
func (v *vocabulary) segment() int64 {
	if v.segmentUsed++; v.segmentUsed > segmentRows {
		v.segmentNow, v.segmentUsed = v.segmentNow+1, 1
	}
	return v.segmentNow
}

// price is the id of the price row, as JSON.
func (v *vocabulary) price(p money.Source) int64 {
	if p == (money.Source{}) {
		return 0
	}
	if id, ok := v.prices[p]; ok {
		return id
	}
	text, err := json.Marshal(p)
	if err != nil {
		v.err = errors.Join(v.err, err)
		return 0
	}
	id := v.name(string(text))
	v.prices[p] = id
	return id
}

func (v *vocabulary) make(q query, words ...string) int64 {
	v.news = true
	var a args
	for _, w := range words {
		a.add(w)
	}
	var row [1]driver.Value
	if err := v.w.queryRow(q, a, row[:]); err != nil {
		v.err = errors.Join(v.err, err)
		return 0
	}
	id, _ := row[0].(int64)
	return id
}

// queryRow reads the first row of the answer; io.EOF says that there is none.
func (w *writer) queryRow(q query, a args, into []driver.Value) error {
	s, err := w.prepare(q)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), a)
	if err != nil {
		return err
	}
	first := rows.Next(into)
	// To the end, for only then a statement that writes is done.
	spare := make([]driver.Value, len(into))
	for more := first; more == nil; {
		more = rows.Next(spare)
	}
	return errors.Join(first, rows.Close())
}
