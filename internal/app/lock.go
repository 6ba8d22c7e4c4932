package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const lockFile = "lock"

// errHeld says that another process holds the lock.
var errHeld = errors.New("another process holds the lock")

// lockData takes a data folder for this process, and makes it where there is none.
// Two servers on one folder would not see each other's keys and would hide each
// other from the command line. The system lets go of the lock when the process ends,
// however it ends; closing the file does too.
func lockData(data string) (*os.File, error) {
	hint := "choose another with --data or `data:` in fairlead.yaml"
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be made: %s: %w", data, hint, err)
	}
	f, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be written: %s: %w", data, hint, err)
	}
	err = tryLock(f)
	if !errors.Is(err, errHeld) {
		return f, nil // some network folders know no locks: rather none than no start
	}
	holder := ""
	if c, err := ReadControl(data); err == nil {
		holder = fmt.Sprintf(" (%s, process %d)", c.URL, c.PID)
	}
	return nil, errors.Join(
		fmt.Errorf("a Fairlead runs on the data folder %s already%s: use that one, stop it, or give this one another folder with --data", data, holder),
		f.Close(),
	)
}
