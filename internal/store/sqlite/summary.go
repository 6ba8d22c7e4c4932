package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
)

// sumKey is the primary key of the table hours.
type sumKey struct{ hour, series int64 }

// sums is what one batch adds to the table hours.
type sums map[sumKey]*ledger.Totals

func (s sums) count(x *exchange.Exchange, v *vocabulary) {
	row, _ := seriesOf(x)
	k := sumKey{hour: x.Time.Unix() / 3600, series: v.series(row)}
	have, ok := s[k]
	if !ok {
		have = &ledger.Totals{}
		s[k] = have
	}
	have.Count(x)
}

const sumColumns = `requests, ok, failed, canceled, cut, input, cache_read, output,
	cost, estimated, unknown, overhead_us, first_byte, total`

const (
	readSumSQL query = `SELECT ` + sumColumns + ` FROM hours WHERE hour = ? AND series = ?`

	writeSumSQL query = `INSERT OR REPLACE INTO hours (hour, series, ` + sumColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// addSums adds w.sums to the table. Amounts are decimal text: SQL cannot add them
// without making floats of them, so the rows are read, added and written here.
func (w *writer) addSums() error {
	var row [14]driver.Value
	for k, s := range w.sums {
		var a args
		a.int(k.hour)
		a.int(k.series)
		err := w.queryRow(readSumSQL, a, row[:])
		if err == nil {
			var old ledger.Totals
			if old, err = totalsOf(row[:]); err == nil {
				s.Add(&old)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		a.totals(s)
		stmt, err := w.prepare(writeSumSQL)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(context.Background(), a); err != nil {
			return err
		}
	}
	return w.vocab.err
}

// totals writes sumColumns.
func (a *args) totals(t *ledger.Totals) {
	for _, n := range [...]int64{t.Requests, t.OK, t.Failed, t.Canceled, t.Cut, t.Input, t.CacheRead, t.Output} {
		a.int(n)
	}
	a.add(t.Cost.String())
	a.int(t.Estimated)
	a.int(t.Unknown)
	a.duration(t.Overhead)
	first, _ := t.FirstByte.AppendBinary([]byte{}) // never fails
	total, _ := t.Total.AppendBinary([]byte{})
	a.add(first)
	a.add(total)
}

// totalsOf reads sumColumns.
func totalsOf(row []driver.Value) (ledger.Totals, error) {
	var t ledger.Totals
	var overhead int64
	for i, n := range [...]*int64{
		&t.Requests, &t.OK, &t.Failed, &t.Canceled, &t.Cut, &t.Input, &t.CacheRead, &t.Output,
		nil, &t.Estimated, &t.Unknown, &overhead,
	} {
		if n == nil {
			continue
		}
		v, ok := row[i].(int64)
		if !ok {
			return t, fmt.Errorf("table hours: column %d holds a %T", i, row[i])
		}
		*n = v
	}
	t.Overhead = time.Duration(overhead) * time.Microsecond
	first, _ := row[12].([]byte)
	total, _ := row[13].([]byte)
	return t, errors.Join(t.Cost.Scan(row[8]), t.FirstByte.UnmarshalBinary(first), t.Total.UnmarshalBinary(total))
}

// Summary adds up the hours of r that are in scope.
func (d *DB) Summary(ctx context.Context, r ledger.Range, in ledger.Scope) (ledger.Summary, error) {
	s, err := d.summary(ctx, r, in)
	return s, explain(d.path, "reading", err)
}

func (d *DB) summary(ctx context.Context, r ledger.Range, in ledger.Scope) (ledger.Summary, error) {
	out := ledger.Summary{Range: r, Step: r.Step()}
	some, all, err := d.seriesIn(ctx, ledger.Filter{Scope: in})
	if err != nil || !all && len(some) == 0 {
		return out, err
	}
	where := ""
	if !all {
		where = " AND series IN " + numbers(some)
	}
	rows, err := d.read.QueryContext(ctx, "SELECT hour, series, "+sumColumns+
		" FROM hours WHERE hour >= ? AND hour < ?"+where, r.From.Unix()/3600, r.To.Unix()/3600)
	if err != nil {
		return out, err
	}
	g := groups{step: int64(r.Step() / time.Second), points: map[int64]*ledger.Totals{}, series: map[int64]*ledger.Totals{}}
	if err := drain(rows, g.add); err != nil {
		return out, err
	}
	out.Total = g.total
	for start, t := range g.points {
		out.Points = append(out.Points, ledger.Point{Start: time.Unix(start, 0).UTC(), Totals: *t})
	}
	slices.SortFunc(out.Points, func(a, b ledger.Point) int { return a.Start.Compare(b.Start) })
	return out, d.nameGroups(ctx, g.series, &out)
}

// groups sums rows of the table hours in three ways at once.
type groups struct {
	step   int64 // seconds
	total  ledger.Totals
	points map[int64]*ledger.Totals
	series map[int64]*ledger.Totals
}

func (g *groups) add(rows *sql.Rows) error {
	var k sumKey
	var row [14]any
	into := []any{&k.hour, &k.series}
	for i := range row {
		into = append(into, &row[i])
	}
	if err := rows.Scan(into...); err != nil {
		return err
	}
	var values [14]driver.Value
	for i, v := range row {
		values[i] = v
	}
	t, err := totalsOf(values[:])
	if err != nil {
		return err
	}
	g.total.Add(&t)
	start := k.hour * 3600
	addTo(g.points, start-start%g.step, &t) // whole hours or UTC days
	addTo(g.series, k.series, &t)
	return nil
}

func addTo[K comparable](m map[K]*ledger.Totals, k K, t *ledger.Totals) {
	if have, ok := m[k]; ok {
		have.Add(t)
		return
	}
	fresh := *t
	m[k] = &fresh
}

func (d *DB) nameGroups(ctx context.Context, sums map[int64]*ledger.Totals, out *ledger.Summary) error {
	ids := make(map[int64]struct{}, len(sums))
	for id := range sums {
		ids[id] = struct{}{}
	}
	words, err := d.words.load(ctx, d.read, needs{series: ids})
	if err != nil {
		return err
	}
	models, targets, keys := map[string]*ledger.Totals{}, map[string]*ledger.Totals{}, map[string]*ledger.Totals{}
	for id, t := range sums {
		s := words.series[id]
		addTo(models, s.model, t)
		addTo(targets, s.target, t)
		addTo(keys, s.Key, t)
	}
	out.Models, out.Targets, out.Keys = named(models), named(targets), named(keys)
	return nil
}

// named sorts by requests.
func named(m map[string]*ledger.Totals) []ledger.Named {
	out := make([]ledger.Named, 0, len(m))
	for name, t := range m {
		out = append(out, ledger.Named{Name: name, Totals: *t})
	}
	slices.SortFunc(out, func(a, b ledger.Named) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
	})
	return out
}
