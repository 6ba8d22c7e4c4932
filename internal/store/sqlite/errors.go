package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"

	"github.com/fairlead/fairlead/internal/ledger"
)

// Result codes of SQLite, https://www.sqlite.org/rescode.html. The low byte is the
// code, the rest says more.
const (
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeNotADB     = 26
)

var errReadOnly = errors.New("the database was opened for reading only")

// codeOf is SQLite's primary result code in err, 0 when there is none.
func codeOf(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain says what was being done, on which file, why it failed, and what to do.
func explain(path, doing string, err error) error {
	if err == nil {
		return nil
	}
	wrap := func(kind error, hint string) error {
		return fmt.Errorf("%s the database %s: %w: %s: %w", doing, path, kind, hint, err)
	}
	switch codeOf(err) {
	case codeBusy, codeLocked:
		return wrap(ledger.ErrLocked, "another process holds it: stop that one, or give this one another data folder")
	case codeCorrupt, codeNotADB:
		return wrap(ledger.ErrCorrupt, "stop Fairlead, move the file and those beside it that end in -wal and -shm away, and put a backup in its place or start with a new one")
	case codeFull:
		return wrap(ledger.ErrDiskFull, "make room on its disk; what waits is written then")
	case codeConstraint, codeMismatch, codeTooBig:
		return wrap(ledger.ErrBadRow, "a row does not fit the tables")
	case codeReadOnly, codePerm, codeCantOpen:
		return fmt.Errorf("%s the database %s: check that this user may write the file and its folder: %w", doing, path, err)
	case codeIO:
		return fmt.Errorf("%s the database %s: the disk reports an error, look at the system's log: %w", doing, path, err)
	}
	return fmt.Errorf("%s the database %s: %w", doing, path, err)
}
