package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FirstKeyFile is the name, in the data folder, of the file that holds the secret
// of the first key.
const FirstKeyFile = "first-key"

// FirstKey gives a fresh installation its first key: while there is no key at all,
// it makes one named "first" with scope admin and writes the secret, readable by its
// owner alone, to the file first-key in dir. Later starts find the secret there for
// as long as that key is open.
//
// The secret is "" when there are keys and none of them is that of the file: then
// there is nothing to make and nothing to show. made says that it is new.
func (r *Keyring) FirstKey(ctx context.Context, dir string, now time.Time) (secret string, made bool, err error) {
	path := filepath.Join(dir, FirstKeyFile)
	secret, err = readSecret(path)
	if err != nil {
		return "", false, err
	}
	if len(r.snap.Load().keys) > 0 {
		if _, refused := r.Check(secret, now); refused != nil {
			return "", false, nil //nolint:nilerr // there are keys, and none to show
		}
		return secret, false, nil
	}
	// The file comes first: a stop between the two steps leaves a file that opens
	// nothing, which the next start replaces, and never an admin key that nobody has.
	secret = NewSecret()
	if err := writeSecret(path, secret); err != nil {
		return "", false, err
	}
	if _, err := r.put(ctx, Wanted{Name: "first", Scopes: []string{ScopeAdmin}}, secret, now); err != nil {
		return "", false, errors.Join(err, os.Remove(path))
	}
	return secret, true, nil
}

// readSecret reads the file, "" when there is none. What is not a plain file is
// refused: a link could lead anywhere.
func readSecret(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the first key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a plain file: move it away, Fairlead keeps its first key there", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the first key: %w", err)
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		return "", fmt.Errorf("%s changed while it was read: move it away, Fairlead keeps its first key there", path)
	}
	if info.Mode().Perm()&0o077 != 0 { // a copied folder may have lost its modes
		if err := f.Chmod(0o600); err != nil {
			return "", fmt.Errorf("%s can be read by others: %w", path, err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", fmt.Errorf("reading the first key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// writeSecret puts the file in place in one step; whatever stood there is replaced,
// never followed.
func writeSecret(path, secret string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+FirstKeyFile+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the first key: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(secret + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the first key: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing the first key: %w", err)
	}
	return nil
}
