package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		appendForever(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "data", "fairlead.db"))
}

func openAt(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestLedgerStore(t *testing.T) {
	t.Parallel()
	storetest.Ledger(t, func(t *testing.T) ledger.Store {
		t.Helper()
		return open(t)
	})
}

func TestAuthStore(t *testing.T) {
	t.Parallel()
	storetest.Auth(t, func(t *testing.T) auth.Store {
		t.Helper()
		return open(t)
	})
}

func TestOpen_KeepsTheRecordAndItsModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%20", "fairlead.db")
	ctx := context.Background()
	rows := storetest.Rows(200, 1)
	for i := range 2 {
		d, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Append(ctx, rows[100*i:100*i+100]); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v, want mode 0600", info.Mode(), err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ro, err := OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	for _, x := range rows {
		// By the answer's id too: the second opening must not use the first's segment again.
		if got, err := ro.Get(ctx, x.ID, ledger.All()); err != nil || got.ID != x.ID {
			t.Fatalf("Get(%s): %v", x.ID, err)
		}
		if id := x.Result.AnswerID; id != "" {
			if got, err := ro.Get(ctx, id, ledger.All()); err != nil || got.ID != x.ID {
				t.Fatalf("Get(%s): %v", id, err)
			}
		}
	}
	if err := ro.Append(ctx, rows); err == nil {
		t.Error("a database that was opened for reading takes rows")
	}
}

func TestOpenReadOnly_SeesWhatTheServerWrites(t *testing.T) {
	t.Parallel()
	d := open(t)
	ro, err := OpenReadOnly(context.Background(), d.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	rows := storetest.Rows(10, 1)
	if err := d.Append(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
	list, _, err := ro.List(context.Background(), ledger.Filter{Scope: ledger.All(), Limit: 50})
	if err != nil || len(list) != 10 {
		t.Errorf("a reader beside the server sees %d rows, %v, want 10", len(list), err)
	}
}

// TestOpen_SaysWhatIsWrong feeds files and neighbours that a real disk may hold.
func TestOpen_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	whole := func(t *testing.T, path string) { // a sound file with rows
		t.Helper()
		d, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Append(ctx, storetest.Rows(400, 1)); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	exec := func(t *testing.T, path, query string) *sql.DB {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
		return db
	}
	tests := map[string]struct {
		spoil func(t *testing.T, path string)
		is    error
		says  []string
	}{
		"text file": {func(t *testing.T, path string) {
			t.Helper()
			write(t, path, 0, strings.Repeat("not a database. ", 1000))
		}, ledger.ErrCorrupt, []string{"move the file", "backup"}},
		"overwritten header": {func(t *testing.T, path string) {
			t.Helper()
			whole(t, path)
			write(t, path, 0, strings.Repeat("\xff", 64))
		}, ledger.ErrCorrupt, []string{"move the file"}},
		"overwritten schema page": {func(t *testing.T, path string) {
			t.Helper()
			whole(t, path)
			write(t, path, 100, strings.Repeat("\xfe", pageBytes-100))
		}, ledger.ErrCorrupt, []string{"move the file"}},
		"cut in the middle": {func(t *testing.T, path string) {
			t.Helper()
			whole(t, path)
			if err := os.Truncate(path, 3*pageBytes); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrCorrupt, []string{"move the file"}},
		"locked by another process": {func(t *testing.T, path string) {
			t.Helper()
			whole(t, path)
			db := exec(t, path, "PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE")
			t.Cleanup(func() { db.Close() })
		}, ledger.ErrLocked, []string{"another process", "data folder"}},
		"made by a newer Fairlead": {func(t *testing.T, path string) {
			t.Helper()
			whole(t, path)
			exec(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)").Close()
		}, nil, []string{"version 999", "newer Fairlead"}},
		"folder in its place": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"check that"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "fairlead.db")
			test.spoil(t, path)
			d, err := Open(ctx, path)
			if err == nil { // what the start did not touch must show when it is read
				_, _, err = d.List(ctx, ledger.Filter{Scope: ledger.All(), Limit: 1000})
				d.Close()
			}
			if err == nil {
				t.Fatal("no error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			for _, want := range append(test.says, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
	t.Run("no file to read", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "none.db")
		if _, err := OpenReadOnly(ctx, path); err == nil || !strings.Contains(err.Error(), "fairlead up") {
			t.Errorf("OpenReadOnly without a file: %v", err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("OpenReadOnly made a file")
		}
	})
}

func write(t *testing.T, path string, at int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

func TestAppend_SurvivesAFullDisk(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := context.Background()
	limit := func(pages string) {
		if _, err := d.exec(ctx, "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("40") // 320 KiB: the empty tables take half of it
	rows := storetest.Rows(1000, 1)
	written := 0
	var err error
	for ; written < len(rows) && err == nil; written += 100 {
		err = d.Append(ctx, rows[written:written+100])
	}
	if !errors.Is(err, ledger.ErrDiskFull) || !strings.Contains(err.Error(), d.Path()) {
		t.Fatalf("after %d rows: %v, want ErrDiskFull", written, err)
	}
	written -= 100
	if n := rowCount(t, d); n != written {
		t.Errorf("%d rows are there, want the %d of the batches before", n, written)
	}
	if err := d.Append(ctx, rows[written:written+100]); !errors.Is(err, ledger.ErrDiskFull) {
		t.Errorf("a second try: %v, want ErrDiskFull again", err)
	}
	limit("100000")
	if err := d.Append(ctx, rows[written:]); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if n := rowCount(t, d); n != len(rows) {
		t.Errorf("%d rows are there, want %d", n, len(rows))
	}
	// Words whose rows were rolled back must have been made anew.
	for _, x := range rows {
		if got, err := d.Get(ctx, x.ID, ledger.All()); err != nil || got.Asked.Model != x.Asked.Model || got.Result.Target != x.Result.Target {
			t.Fatalf("Get(%s): %+v, %v", x.ID, got, err)
		}
	}
}

func TestAppend_SaysWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := context.Background()
	if _, err := d.exec(ctx, "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", dsn(d.Path(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	rows := storetest.Rows(10, 1)
	if err := d.Append(ctx, rows); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("Append beside a writing process: %v, want ErrLocked", err)
	}
	if _, err := other.ExecContext(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := d.Append(ctx, rows); err != nil {
		t.Errorf("after it let go: %v", err)
	}
}

func TestAppend_KeepsTheWALSmall(t *testing.T) {
	t.Parallel()
	d := open(t)
	// Small batches write the same pages over and over: many times the limit in all.
	tr := storetest.NewTraffic(1, time.Millisecond)
	for range 600 {
		if err := d.Append(context.Background(), storetest.Take(tr, 2)); err != nil {
			t.Fatal(err)
		}
	}
	const most = 9 << 20 // eight, and the transaction that passes the mark
	info, err := os.Stat(d.Path() + "-wal")
	if err != nil || info.Size() > most || info.Size() < most/2 {
		t.Errorf("the WAL: %v bytes, %v, want up to %d", info.Size(), err, most)
	}
}

func TestList_EveryFilterHasItsIndex(t *testing.T) {
	t.Parallel()
	d := open(t)
	storetest.Fill(t, d, 300, time.Hour)
	for _, f := range []ledger.Filter{
		{Status: "error"}, {Task: "explain-transfer"}, {TaskID: "task-1"}, {Model: "assistant"}, {Target: "own"}, {Key: "app1"},
	} {
		f.Scope = ledger.All()
		c, _, err := d.conditions(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := d.parts(context.Background(), f)
		if err != nil || len(parts) == 0 {
			t.Fatal(parts, err)
		}
		both := c.and(parts[0])
		var plan, detail string
		rows, err := d.read.Query("EXPLAIN QUERY PLAN SELECT seq, id FROM exchanges WHERE "+strings.Join(both.where, " AND ")+" ORDER BY seq DESC LIMIT 50", both.args...)
		if err != nil {
			t.Fatal(err)
		}
		if err := drain(rows, func(rows *sql.Rows) error {
			var id, parent, unused int
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan += detail + "; "
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "USING INDEX") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("filter %+v is not served by an index in the order of time: %s", f, plan)
		}
	}
}

func rowCount(t *testing.T, d *DB) int {
	t.Helper()
	var n int
	if err := d.read.QueryRow("SELECT count(*) FROM exchanges").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
