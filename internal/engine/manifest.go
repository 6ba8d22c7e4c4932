package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/egress"
)

// manifest remembers what was checked, so that a later start need not digest a
// hundred megabytes again. An entry holds while size and time of the file do;
// losing the manifest costs that time and nothing else.
type manifest struct {
	dir string

	mu      sync.Mutex
	Entries map[string]entry `json:"files"`
}

// entry is one checked file, or a folder with the digest of its wheel.
type entry struct {
	SHA256   string    `json:"sha256"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Source   string    `json:"source"`
}

const manifestFile = "manifest.json"

// openManifest reads the manifest of dir; one that cannot be read is empty.
func openManifest(dir string) *manifest {
	m := &manifest{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil || json.Unmarshal(b, m) != nil || m.Entries == nil {
		m.Entries = map[string]entry{}
	}
	return m
}

// has tells whether the file at name (slashes, below dir) has the digest.
func (m *manifest) has(name, sha256 string) bool {
	path := filepath.Join(m.dir, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	m.mu.Lock()
	e, ok := m.Entries[name]
	m.mu.Unlock()
	same := ok && e.SHA256 == sha256
	if info.IsDir() {
		// A folder gets its name when it is whole; its own time says nothing.
		return same
	}
	if same && e.Size == info.Size() && e.Modified.Equal(info.ModTime()) {
		return true
	}
	sum, err := egress.FileSHA256(path)
	if err != nil || sum != sha256 {
		return false
	}
	// That it could not be noted means another look next time, no more.
	_ = m.add(name, sha256, "found")
	return true
}

// hasFolder tells whether a folder was put there whole, whatever its digest.
func (m *manifest) hasFolder(name string) bool {
	m.mu.Lock()
	e, ok := m.Entries[name]
	m.mu.Unlock()
	return ok && m.has(name, e.SHA256)
}

// add notes a checked file or folder, and writes the manifest.
func (m *manifest) add(name, sha256, source string) error {
	info, err := os.Stat(filepath.Join(m.dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Entries[name] = entry{SHA256: sha256, Size: info.Size(), Modified: info.ModTime(), Source: source}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(filepath.Join(m.dir, manifestFile), append(b, '\n'))
}

// writeAtomic writes a file so that it is the old one or the new one.
func writeAtomic(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
