package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
)

// Get returns one exchange by its id or, failing that, by the id of its answer.
func (d *DB) Get(ctx context.Context, id string, in ledger.Scope) (*exchange.Exchange, error) {
	x, err := d.get(ctx, id, in)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, err
	}
	return x, explain(d.path, "reading", err)
}

func (d *DB) get(ctx context.Context, id string, in ledger.Scope) (*exchange.Exchange, error) {
	for _, find := range [...]func(context.Context, string, ledger.Scope) (int64, error){d.findID, d.findAnswer} {
		seq, err := find(ctx, id, in)
		if err != nil {
			return nil, err
		}
		rows, err := d.load(ctx, []int64{seq})
		if err != nil {
			return nil, err
		}
		if len(rows) == 1 && in.Sees(rows[0]) {
			return rows[0], nil
		}
	}
	return nil, ledger.ErrNotFound
}

// findID is the seq of the exchange with this id, whosever it is, 0 when there is
// none.
func (d *DB) findID(ctx context.Context, id string, _ ledger.Scope) (int64, error) {
	seq, ok := seqOf(id)
	if !ok {
		return 0, nil
	}
	first := firstOf(seq)
	err := d.read.QueryRowContext(ctx, "SELECT seq FROM exchanges WHERE seq BETWEEN ? AND ? AND id = ?",
		first, first+1<<milliBits-1, id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

// A look-up of an answer's id asks a few segments first, for it is mostly the newest
// answers that are asked for, then many in one statement, and gives up after as many
// as 50 million rows fill.
const (
	firstProbes = 16
	maxProbes   = 1024
	maxSegments = 100_000
)

// findAnswer is the seq of the newest exchange in scope whose answer carried answerID,
// 0 when there is none. See answerKey.
func (d *DB) findAnswer(ctx context.Context, answerID string, in ledger.Scope) (int64, error) {
	some, all, err := d.seriesIn(ctx, ledger.Filter{Scope: in})
	if err != nil || !all && len(some) == 0 {
		return 0, err
	}
	var oldest, newest sql.NullInt64
	err = d.read.QueryRowContext(ctx, `SELECT (SELECT min(answer) FROM exchanges WHERE answer IS NOT NULL),
		(SELECT max(answer) FROM exchanges WHERE answer IS NOT NULL)`).Scan(&oldest, &newest)
	if err != nil || !newest.Valid {
		return 0, err
	}
	where := ""
	if !all {
		where = " AND series IN " + numbers(some)
	}
	segment := newest.Int64 >> 32
	last := max(oldest.Int64>>32, segment-maxSegments)
	for probes := firstProbes; segment >= last; probes = maxProbes {
		var keys []int64
		for ; segment >= last && len(keys) < probes; segment-- {
			keys = append(keys, answerKey(segment, answerID))
		}
		var seq int64
		err := d.read.QueryRowContext(ctx, "SELECT seq FROM exchanges INDEXED BY exchanges_answer WHERE answer IN "+numbers(keys)+
			" AND answer IS NOT NULL AND answer_id = ?"+where+" ORDER BY seq DESC LIMIT 1", answerID).Scan(&seq)
		if !errors.Is(err, sql.ErrNoRows) {
			return seq, err
		}
	}
	return 0, nil
}

// seriesIn lists the series that the filter's scope, key, model and target let
// through. all says that none of these is set.
func (d *DB) seriesIn(ctx context.Context, f ledger.Filter) (ids []int64, all bool, err error) {
	id, everyone := f.Scope.Key()
	if !everyone && id == "" {
		return nil, false, nil
	}
	where, args := []string{"1"}, []any(nil)
	add := func(cond string, v ...any) { where, args = append(where, cond), append(args, v...) }
	if !everyone {
		add("key_id = ?", id)
	}
	if f.Key != "" {
		add("(key_id = ? OR key = ?)", f.Key, f.Key)
	}
	if f.Model != "" {
		add("model = ?", f.Model)
	}
	if f.Target != "" {
		add("target = ?", f.Target)
	}
	if len(args) == 0 {
		return nil, true, nil
	}
	rows, err := d.read.QueryContext(ctx, "SELECT id FROM series WHERE "+strings.Join(where, " AND "), args...)
	if err != nil {
		return nil, false, err
	}
	err = drain(rows, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, false, err
}

// List returns a page of exchanges, newest first.
func (d *DB) List(ctx context.Context, f ledger.Filter) ([]*exchange.Exchange, string, error) {
	rows, next, err := d.list(ctx, f)
	return rows, next, explain(d.path, "reading", err)
}

func (d *DB) list(ctx context.Context, f ledger.Filter) ([]*exchange.Exchange, string, error) {
	c, possible, err := d.conditions(ctx, f)
	if err != nil || !possible {
		return nil, "", err
	}
	parts, err := d.parts(ctx, f)
	if err != nil {
		return nil, "", err
	}
	var found []row
	for _, p := range parts {
		// One more than asked for tells whether there is a next page.
		some, err := d.find(ctx, c.and(p), f.Limit+1)
		if err != nil {
			return nil, "", err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b row) int { return strings.Compare(b.id, a.id) })
	next := ""
	if len(found) > f.Limit {
		found = found[:f.Limit]
		next = found[f.Limit-1].id
	}
	seqs := make([]int64, len(found))
	for i, r := range found {
		seqs[i] = r.seq
	}
	rows, err := d.load(ctx, seqs)
	return rows, next, err
}

// row is where an exchange is.
type row struct {
	seq int64
	id  string
}

// conds is conditions of SQL, joined by AND, and their parameters.
type conds struct {
	where []string
	args  []any
}

func (c *conds) add(cond string, args ...any) {
	c.where, c.args = append(c.where, cond), append(c.args, args...)
}

func (c *conds) and(d conds) conds {
	return conds{slices.Concat(c.where, d.where), slices.Concat(c.args, d.args)}
}

// find returns the newest rows, limit of them and the others of the last one's
// millisecond: seq is in the order of time, but within a millisecond not in that of
// ids.
func (d *DB) find(ctx context.Context, c conds, limit int) ([]row, error) {
	found, err := d.query(ctx, c, fmt.Sprint(" LIMIT ", limit))
	if err != nil || len(found) < limit {
		return found, err
	}
	last := found[len(found)-1].seq
	c = c.and(conds{where: []string{"seq BETWEEN ? AND ?"}, args: []any{firstOf(last), last - 1}})
	more, err := d.query(ctx, c, "")
	return append(found, more...), err
}

func (d *DB) query(ctx context.Context, c conds, limit string) ([]row, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT seq, id FROM exchanges WHERE "+strings.Join(c.where, " AND ")+" ORDER BY seq DESC"+limit, c.args...)
	if err != nil {
		return nil, err
	}
	var found []row
	err = drain(rows, func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.seq, &r.id)
		found = append(found, r)
		return err
	})
	return found, err
}

// maxParts is how many series are asked one by one. More of them are so large a part
// of all rows that walking these in the order of time finds a page soon.
const maxParts = 64

// parts splits a filter over series into conditions that an index serves in the order
// of time: one for each series and, since a client that names a model which no target
// serves is in a series without one, one for these.
func (d *DB) parts(ctx context.Context, f ledger.Filter) ([]conds, error) {
	some, all, err := d.seriesIn(ctx, f)
	if err != nil {
		return nil, err
	}
	if all {
		return []conds{{}}, nil
	}
	var parts []conds
	if len(some) > maxParts {
		parts = append(parts, conds{where: []string{"+series IN " + numbers(some)}})
	} else {
		for _, id := range some {
			parts = append(parts, conds{where: []string{fmt.Sprintf("series = %d", id)}})
		}
	}
	if f.Model == "" || f.Target != "" {
		return parts, nil
	}
	asked := conds{where: []string{"asked IS NOT NULL AND asked = ?"}, args: []any{f.Model}}
	f.Model = ""
	if some, all, err = d.seriesIn(ctx, f); err == nil && !all {
		asked.add("+series IN " + numbers(some))
	}
	return append(parts, asked), err
}

// conditions is the rest of the filter; possible says that something can match. Where
// a partial index serves, its own condition is repeated, for SQLite asks to see it.
func (d *DB) conditions(ctx context.Context, f ledger.Filter) (c conds, possible bool, err error) {
	c.add("1")
	if f.After != "" {
		seq, ok := seqOf(f.After)
		if !ok {
			return c, false, nil
		}
		first := firstOf(seq)
		c.add("seq < ? AND (seq < ? OR id < ?)", first+1<<milliBits, first, f.After)
	}
	if !f.From.IsZero() {
		c.add("seq >= ?", seqAt(f.From))
	}
	if !f.To.IsZero() {
		c.add("seq < ?", seqAt(f.To))
	}
	if f.TaskID != "" {
		c.add("task_id IS NOT NULL AND task_id = ?", f.TaskID)
	}
	if f.Status != "" {
		code := statusCode(f.Status)
		c.add(fmt.Sprintf("status = %d", code))
		if code != 1 {
			c.add("status <> 1")
		}
	}
	if f.Task != "" {
		var id int64
		err := d.read.QueryRowContext(ctx, "SELECT id FROM names WHERE name = ?", f.Task).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return c, false, nil // a word that no row holds
		}
		if err != nil {
			return c, false, err
		}
		c.add("task <> 0 AND task = ?", id)
	}
	return c, true, nil
}

// seqAt is the smallest seq that an exchange of this moment or a later one can have.
func seqAt(t time.Time) int64 {
	return max(0, min(t.UnixMilli(), maxMillis)) << milliBits
}
