// Package sqlite keeps the record and the keys in one SQLite file: it satisfies
// ledger.Store and auth.Store.
//
// It decides nothing: what is worth recording and who may read it is for the rooms
// that call it. One connection writes, a small pool reads beside it (WAL). After a
// kill of the process every batch that was acknowledged is there; after a loss of
// power the last few may be missing, and the file is never damaged by it
// (docs/decisions/0005-sqlite-and-sql.md). Start reading at Open, then append.go for
// the way in and list.go for the way out.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ledger"
)

var (
	_ ledger.Store = (*DB)(nil)
	_ auth.Store   = (*DB)(nil)
)

const (
	readers     = 4    // connections that read at once
	busyMillis  = 2000 // the longest wait for another process's lock
	pageBytes   = 8192
	cacheKiB    = 16 << 10 // of the writing connection
	walPages    = 1000     // 8 MiB: then the writer moves the WAL into the file
	walMaxBytes = 32 << 20 // what a WAL that grew past that is cut back to
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path  string
	read  *sql.DB
	write *sql.DB // nil when opened read-only
	words *words

	mu sync.Mutex // guards w: one transaction at a time
	w  *writer
}

// Open opens the database at path, makes it if there is none, and brings its tables
// up to date. The errors wrap ledger.ErrLocked, ledger.ErrCorrupt or
// ledger.ErrDiskFull where one of these is the cause, and name the file.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	d := &DB{path: path, words: newWords()}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(explain(path, "opening", err), d.Close())
	}
	return d, nil
}

// OpenReadOnly opens a database that is there already, for commands that run beside
// a server or without one. Writing to it is an error.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no record at %s yet: `fairlead up` makes it: %w", path, err)
	}
	d := &DB{path: path, words: newWords()}
	err := d.openReaders()
	if err == nil {
		err = checkVersion(ctx, d.read)
	}
	if err != nil {
		return nil, errors.Join(explain(path, "opening", err), d.Close())
	}
	return d, nil
}

// create makes the folder and an empty file that only its owner can read; SQLite
// gives its side files the same mode.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil { //nolint:gosec // G703: the operator's own path
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G703: the operator's own path
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func (d *DB) open(ctx context.Context) error {
	var err error
	d.write, err = sql.Open("sqlite", dsn(d.path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyMillis), fmt.Sprintf("cache_size(-%d)", cacheKiB),
			"foreign_keys(1)", "synchronous(normal)", "temp_store(memory)",
			fmt.Sprintf("wal_autocheckpoint(%d)", walPages), fmt.Sprintf("journal_size_limit(%d)", walMaxBytes),
		},
	}))
	if err != nil {
		return err
	}
	d.write.SetMaxOpenConns(1)
	// In this order: a file that is in WAL mode keeps its page size.
	for _, pragma := range [...]string{fmt.Sprintf("PRAGMA page_size = %d", pageBytes), "PRAGMA journal_mode = WAL"} {
		if _, err := d.write.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	if err := migrate(ctx, d.write); err != nil {
		return err
	}
	if d.w, err = newWriter(ctx, d.write); err != nil {
		return err
	}
	return d.openReaders()
}

func (d *DB) openReaders() error {
	var err error
	d.read, err = sql.Open("sqlite", dsn(d.path, url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyMillis), "query_only(1)", "temp_store(memory)"},
	}))
	if err != nil {
		return err
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	return nil
}

func dsn(path string, query url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: query.Encode()}).String()
}

// Close waits for a running write and closes the file.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	if d.read != nil {
		errs = append(errs, d.read.Close())
	}
	if d.w != nil {
		errs = append(errs, d.w.close())
		d.w = nil
	}
	if d.write != nil {
		errs = append(errs, d.write.Close())
	}
	return errors.Join(errs...)
}

// Path is the file.
func (d *DB) Path() string { return d.path }
