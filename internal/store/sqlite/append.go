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
	"strings"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
)

// maxRows is how many rows one INSERT carries. The parameters of 32 rows fill a few
// pages; more made no difference.
const maxRows = 32

// Append writes all rows in one transaction, or none. Rows whose id is there already
// are left as they are.
func (d *DB) Append(ctx context.Context, rows []*exchange.Exchange) error {
	if len(rows) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w == nil {
		return errReadOnly
	}
	batch, err := number(rows)
	if err == nil {
		err = d.w.transact(func() error { return d.w.insert(batch) })
	}
	if codeOf(err) == codeConstraint {
		// A seq was taken: by the same exchange, for the batch came a second time, or
		// by another of its millisecond. To ask before would cost every batch what now
		// only this one pays.
		err = d.w.transact(func() error {
			fresh, err := d.w.place(batch)
			if err != nil {
				return err
			}
			return d.w.insert(fresh)
		})
	}
	return explain(d.path, "writing to", err)
}

// numbered is an exchange and its seq.
type numbered struct {
	*exchange.Exchange
	seq int64
}

// number gives every row its seq and sorts by it, so that the rows fill page after
// page. It drops ids that come twice.
func number(rows []*exchange.Exchange) ([]numbered, error) {
	batch := make([]numbered, 0, len(rows))
	for _, x := range rows {
		seq, ok := seqOf(x.ID)
		if !ok {
			return nil, fmt.Errorf("%w: its id %.40q is not a ULID of our time", ledger.ErrBadRow, x.ID)
		}
		if len(x.Attempts) > maxAttempts {
			return nil, fmt.Errorf("%w: %s has %d attempts, at most %d fit", ledger.ErrBadRow, x.ID, len(x.Attempts), maxAttempts)
		}
		batch = append(batch, numbered{x, seq})
	}
	slices.SortFunc(batch, func(a, b numbered) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), strings.Compare(a.ID, b.ID))
	})
	batch = slices.CompactFunc(batch, func(a, b numbered) bool { return a.ID == b.ID })
	for i := 1; i < len(batch); i++ {
		if batch[i].seq <= batch[i-1].seq {
			batch[i].seq = nextSeq(batch[i-1].seq)
		}
	}
	return batch, nil
}

// place drops the rows that are in the table already and moves those whose seq
// another row has.
func (w *writer) place(batch []numbered) ([]numbered, error) {
	taken := map[int64]bool{}
	for _, x := range batch {
		taken[x.seq] = true
	}
	var fresh []numbered
	for _, x := range batch {
		there, free, err := w.lookUp(x)
		for tries := 0; err == nil && !there && !free; tries++ {
			if tries == 1<<hashBits {
				return nil, fmt.Errorf("%w: no room in the millisecond of %s", ledger.ErrBadRow, x.ID)
			}
			if x.seq = nextSeq(x.seq); taken[x.seq] {
				continue
			}
			there, free, err = w.lookUp(x)
		}
		if err != nil {
			return nil, err
		}
		if !there {
			taken[x.seq] = true
			fresh = append(fresh, x)
		}
	}
	return fresh, nil
}

// lookUp says whether the exchange is in the table, wherever in its millisecond, and
// whether its seq is free.
func (w *writer) lookUp(x numbered) (there, free bool, err error) {
	var a args
	first := firstOf(x.seq)
	a.int(first)
	a.int(first + 1<<milliBits - 1)
	a.add(x.ID)
	var row [1]driver.Value
	switch err := w.queryRow(hasIDSQL, a, row[:]); {
	case err == nil:
		return true, false, nil
	case !errors.Is(err, io.EOF):
		return false, false, err
	}
	a = a[:0]
	a.int(x.seq)
	switch err := w.queryRow(hasSeqSQL, a, row[:]); {
	case err == nil:
		return false, false, nil
	case !errors.Is(err, io.EOF):
		return false, false, err
	}
	return false, true, nil
}

const (
	hasIDSQL  query = `SELECT 1 FROM exchanges WHERE seq BETWEEN ? AND ? AND id = ?`
	hasSeqSQL query = `SELECT 1 FROM exchanges WHERE seq = ?`
)

// writer owns the one connection that writes. Its statements go to the driver
// directly: database/sql would cost as much again as SQLite itself.
type writer struct {
	conn  *sql.Conn
	raw   rawConn
	vocab *vocabulary
	sums  sums
	stmts map[fmt.Stringer]rawStmt
	args  args
}

// rawConn and rawStmt are what the writer asks of the driver.
type rawConn interface {
	driver.ConnPrepareContext
	driver.ExecerContext
}

type rawStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, stmts: map[fmt.Stringer]rawStmt{}, sums: sums{}}
	w.vocab = newVocabulary(w)
	return w, w.transact(w.vocab.startSegment)
}

func (w *writer) close() error {
	errs := make([]error, 0, len(w.stmts)+1)
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// transact runs do in a transaction. What do prepared stays prepared.
func (w *writer) transact(do func() error) error {
	return w.conn.Raw(func(c any) error {
		raw, ok := c.(rawConn)
		if !ok {
			return fmt.Errorf("the SQLite driver's connection is a %T, which cannot prepare and execute", c)
		}
		w.raw = raw
		// Not the caller's context: a statement is over in milliseconds, and one that
		// is broken off would only be written again.
		ctx := context.Background()
		if _, err := raw.ExecContext(ctx, "BEGIN IMMEDIATE", nil); err != nil {
			return err
		}
		err := do()
		if err == nil {
			_, err = raw.ExecContext(ctx, "COMMIT", nil)
		}
		if err != nil {
			w.vocab.forget()
			// After a full disk SQLite may have rolled back already; then this fails,
			// and there is nothing left to undo.
			_, _ = raw.ExecContext(ctx, "ROLLBACK", nil)
			return err
		}
		w.vocab.keep()
		return nil
	})
}

// insert writes the batch, its attempts and what it adds to the sums.
func (w *writer) insert(batch []numbered) error {
	clear(w.sums)
	for rest := batch; len(rest) > 0; {
		n := chunk(len(rest))
		w.args = w.args[:0]
		for _, x := range rest[:n] {
			w.args.exchange(x.Exchange, x.seq, w.vocab)
			w.sums.count(x.Exchange, w.vocab)
		}
		if err := w.insertRows("exchanges", exchangeColumns, n); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := w.insertAttempts(batch); err != nil {
		return err
	}
	return w.addSums()
}

func (w *writer) insertAttempts(rows []numbered) error {
	left := 0
	for _, x := range rows {
		left += len(x.Attempts)
	}
	w.args = w.args[:0]
	n, filled := chunk(left), 0
	for _, x := range rows {
		for i := range x.Attempts {
			w.args.attempt(x.seq+int64(i), &x.Attempts[i], w.vocab)
			if filled++; filled < n {
				continue
			}
			if err := w.insertRows("attempts", attemptColumns, n); err != nil {
				return err
			}
			left -= n
			w.args, n, filled = w.args[:0], chunk(left), 0
		}
	}
	return nil
}

// chunk is how many of n rows the next INSERT carries: a power of two, so that a
// handful of prepared statements serves every batch.
func chunk(n int) int {
	size := maxRows
	for size > n && size > 1 {
		size /= 2
	}
	return size
}

// insertRows inserts the n rows that w.args holds.
func (w *writer) insertRows(table, columns string, n int) error {
	if w.vocab.err != nil {
		return w.vocab.err
	}
	s, err := w.prepare(insertSQL{table, columns, n})
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), w.args)
	return err
}

// insertSQL is a multi-row INSERT.
type insertSQL struct {
	table, columns string
	rows           int
}

func (q insertSQL) String() string {
	row := "(" + strings.Repeat("?, ", strings.Count(q.columns, ",")) + "?)"
	// OR ROLLBACK, for we roll back after any error: told so, SQLite keeps no journal
	// of the single statement, which was a tenth of the cost.
	return "INSERT OR ROLLBACK INTO " + q.table + " (" + q.columns + ") VALUES " + strings.Repeat(row+", ", q.rows-1) + row
}

// prepare returns the statement, prepared the first time it is asked for.
func (w *writer) prepare(q fmt.Stringer) (rawStmt, error) {
	if s, ok := w.stmts[q]; ok {
		return s, nil
	}
	s, err := w.raw.PrepareContext(context.Background(), q.String())
	if err != nil {
		return nil, err
	}
	full, ok := s.(rawStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver's statement is a %T, which cannot execute", s), s.Close())
	}
	w.stmts[q] = full
	return full, nil
}
