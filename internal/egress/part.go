package egress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// meta is what the next process must know about a part, in a file beside it.
type meta struct {
	// SHA256 is the digest that the part is meant to have: another one begins anew.
	SHA256 string `json:"sha256"`
	// Validator is the strong ETag or the date for If-Range.
	Validator string `json:"validator,omitempty"`
	// Total is the whole length, -1 when the server did not say.
	Total int64 `json:"total"`
}

// part is a download under way: its file, its length and its running digest.
type part struct {
	file *os.File
	hash hash.Hash
	size int64
	meta meta
}

// maxMeta bounds the small file, which anyone may have written.
const maxMeta = 4 << 10

// lockPoll is how often a part that another process fills is looked at.
const lockPoll = 100 * time.Millisecond

// openLocked opens a part, or makes it, once no other process is filling it.
func openLocked(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if tryLock(f) {
			// The other process may have renamed it while we waited.
			mine, err := f.Stat()
			there, err2 := os.Stat(path)
			if err == nil && err2 == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		_ = f.Close()
		if err := pause(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("another process is getting the same file: %w", err)
		}
	}
}

// openPart opens the part of a request and digests what is there.
func openPart(ctx context.Context, r Request) (*part, error) {
	f, err := openLocked(ctx, r.Dest+".part")
	if err != nil {
		return nil, fmt.Errorf("download of %s: %w", shown(r.URL), err)
	}
	p := &part{file: f, hash: sha256.New()}
	p.meta = readMeta(p.metaPath())
	info, err := f.Stat()
	if err == nil && (p.meta.SHA256 != r.SHA256 || info.Size() > r.MaxBytes || (p.known() && info.Size() > p.meta.Total)) {
		p.meta = meta{SHA256: r.SHA256, Total: -1}
		err = p.restart()
	}
	if err == nil {
		p.size, err = io.Copy(p.hash, f)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("download of %s: %w", shown(r.URL), err)
	}
	return p, nil
}

func readMeta(path string) meta {
	m := meta{Total: -1}
	f, err := os.Open(path)
	if err != nil {
		return m
	}
	defer f.Close()
	if json.NewDecoder(io.LimitReader(f, maxMeta)).Decode(&m) != nil {
		return meta{Total: -1}
	}
	return m
}

func (p *part) metaPath() string { return p.file.Name() + ".json" }
func (p *part) known() bool      { return p.meta.Total >= 0 }
func (p *part) sum() string      { return hex.EncodeToString(p.hash.Sum(nil)) }
func (p *part) close()           { _ = p.file.Close() }

// note remembers what the server said, for this process and the next.
func (p *part) note(m meta) error {
	m.SHA256 = p.meta.SHA256
	if m == p.meta {
		return nil
	}
	p.meta = m
	b, err := json.Marshal(m)
	if err != nil {
		return &finalError{err}
	}
	if err := os.WriteFile(p.metaPath(), b, 0o644); err != nil {
		return &finalError{err}
	}
	return nil
}

func (p *part) setTotal(n int64) error {
	m := p.meta
	m.Total = n
	return p.note(m)
}

// restart empties the part and forgets what the server said.
func (p *part) restart() error {
	if err := p.file.Truncate(0); err != nil {
		return &finalError{err}
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return &finalError{err}
	}
	p.size = 0
	p.hash.Reset()
	p.meta = meta{SHA256: p.meta.SHA256, Total: -1}
	return nil
}

// discard removes the part.
func (p *part) discard() {
	p.close()
	_ = os.Remove(p.file.Name())
	_ = os.Remove(p.metaPath())
}

// append writes a body to the part. More than was promised is refused, and a
// disk that is full is final; a body that was cut is not.
func (p *part) append(r Request, body io.Reader) error {
	limit := r.MaxBytes
	if p.known() {
		limit = p.meta.Total
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := body.Read(buf)
		if p.size+int64(n) > limit {
			return final("more than %d bytes came", limit)
		}
		if _, err := p.file.Write(buf[:n]); err != nil {
			return &finalError{err}
		}
		p.hash.Write(buf[:n])
		p.size += int64(n)
		if n > 0 && r.Progress != nil {
			r.Progress(p.size, p.meta.Total)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// install makes the part durable and gives it its name.
func (p *part) install(dest string) error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(p.file.Name(), dest); err != nil {
		return err
	}
	_ = os.Remove(p.metaPath())
	// The folder's entry is made durable where the system can do that.
	if dir, err := os.Open(filepath.Dir(dest)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
