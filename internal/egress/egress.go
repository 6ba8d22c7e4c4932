// Package egress is the one way out to the open network. So far it answers one
// need: get this file, whole and unaltered, in spite of a network that cuts.
//
// A download lands in a ".part" file beside its destination, goes on where it
// stopped (also in the next process), is checked against a SHA-256 that the
// caller must know, and only then takes its name. What it fetches and why is
// not its business. Start at Download.
package egress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Request says what to get and what it must be.
type Request struct {
	// URL is http or https. Its query and password are kept out of errors.
	URL string
	// Dest is the file to make. Its folder must exist.
	Dest string
	// SHA256 is the digest of the whole file, 64 hex digits. It is required.
	SHA256 string
	// Size is the length in bytes where it is known, else 0.
	Size int64
	// MaxBytes bounds the file; 0 means DefaultMaxBytes.
	MaxBytes int64
	// Headers are added to each request.
	Headers http.Header
	// Progress is told the bytes there are and the bytes there will be (-1 while
	// that is unknown), at most once per chunk, from Download's own goroutine.
	Progress func(done, total int64)
}

// DefaultMaxBytes is generous enough for a model of 30 billion parameters.
const DefaultMaxBytes = 64 << 30

// Downloader holds how patient a download is.
type Downloader struct {
	// Client sends the requests; nil means one with the limits of this package.
	Client *http.Client
	// Failures is how many tries in a row may fail without one new byte.
	Failures int
	// Tries bounds all tries of one download, also those that made progress.
	Tries int
	// Wait is the pause after the first failure; it doubles up to MaxWait.
	Wait, MaxWait time.Duration
	// Idle is the longest silence inside a body before the try counts as cut.
	Idle time.Duration
}

// Default is patient with a bad line and gives up within about two minutes on
// one that is dead.
func Default() Downloader {
	return Downloader{Failures: 6, Tries: 200, Wait: 500 * time.Millisecond, MaxWait: 15 * time.Second, Idle: 30 * time.Second}
}

// DigestError says that a file arrived whole and is not the one that was asked.
type DigestError struct{ URL, Want, Got string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has SHA-256 %s, want %s: the file there was changed or is not the one meant; nothing was kept", e.URL, e.Got, e.Want)
}

// Download gets a file with Default patience.
func Download(ctx context.Context, r Request) error { return Default().Download(ctx, r) }

// Download gets a file. When ctx ends, what has arrived stays for the next call.
// A Dest that already has the digest is not fetched again.
func (d Downloader) Download(ctx context.Context, r Request) error {
	if err := r.complete(); err != nil {
		return err
	}
	if there(r) {
		return nil
	}
	if d.Client == nil {
		d.Client = newClient()
		defer d.Client.CloseIdleConnections()
	}
	p, err := openPart(ctx, r)
	if err != nil {
		return err
	}
	defer p.close()
	if p.size == 0 && there(r) {
		// Another process got it while we waited for its lock.
		p.discard()
		return nil
	}
	if err := d.fill(ctx, r, p); err != nil {
		if p.size == 0 {
			p.discard()
		}
		return err
	}
	return p.install(r.Dest)
}

// there tells whether the destination is what was asked.
func there(r Request) bool {
	sum, err := FileSHA256(r.Dest)
	return err == nil && sum == r.SHA256
}

// fill tries until the part is whole and has the digest.
func (d Downloader) fill(ctx context.Context, r Request, p *part) error {
	failures, restarted := 0, false
	for try := 1; ; try++ {
		before := p.size
		resumed := before > 0
		err := d.once(ctx, r, p)
		if err == nil {
			got := p.sum()
			if got == r.SHA256 {
				return nil
			}
			if err := p.restart(); err != nil {
				return err
			}
			if !resumed || restarted {
				p.discard()
				return &DigestError{URL: shown(r.URL), Want: r.SHA256, Got: got}
			}
			// Two halves of two different files: the second one may be right.
			restarted = true
			continue
		}
		var final *finalError
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("download of %s stopped at %d bytes: %w", shown(r.URL), p.size, context.Cause(ctx))
		case errors.As(err, &final):
			return fmt.Errorf("download of %s: %w", shown(r.URL), final.err)
		case p.size > before:
			failures = 0
		}
		failures++
		if failures >= d.Failures || try >= d.Tries {
			return fmt.Errorf("download of %s gave up after %d tries at %d bytes: %w; run it again to go on from there", shown(r.URL), try, p.size, err)
		}
		if err := pause(ctx, d.wait(failures, err)); err != nil {
			return fmt.Errorf("download of %s stopped at %d bytes: %w", shown(r.URL), p.size, err)
		}
	}
}

// wait is the pause before the next try.
func (d Downloader) wait(failures int, err error) time.Duration {
	w := d.Wait << (failures - 1)
	if busy, ok := errors.AsType[*busyError](err); ok {
		w = max(w, busy.after)
	}
	if w <= 0 || w > d.MaxWait {
		w = d.MaxWait
	}
	return w
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// complete fills in defaults and reports what is missing.
func (r *Request) complete() error {
	u, err := url.Parse(r.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("download: %q is not an http or https address", shown(r.URL))
	}
	r.SHA256 = strings.ToLower(r.SHA256)
	if b, err := hex.DecodeString(r.SHA256); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("download of %s: the SHA-256 to expect must be 64 hex digits; the publisher's page shows it", shown(r.URL))
	}
	if r.Dest == "" {
		return fmt.Errorf("download of %s: no destination", shown(r.URL))
	}
	if r.MaxBytes <= 0 {
		r.MaxBytes = DefaultMaxBytes
	}
	if r.Size > r.MaxBytes {
		return fmt.Errorf("download of %s: %d bytes, more than the %d allowed", shown(r.URL), r.Size, r.MaxBytes)
	}
	return nil
}

// shown is an address without what may be secret in it.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(an address that cannot be read)"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u.String()
}

// FileSHA256 is the digest of a file in lower-case hex.
func FileSHA256(path string) (string, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// newClient has limits for everything but the body, whose silence once watches.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("more than 10 redirects")
			}
			if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
				return errors.New("redirected from https to http")
			}
			return nil
		},
	}
}
