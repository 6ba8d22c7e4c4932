package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/internal/config/strict"
)

// settle is how long a file must be quiet before it is read: editors write in
// several steps.
const settle = 100 * time.Millisecond

// Result is what came of reading the file again: a Config, or why there is none.
type Result struct {
	Config *Config
	Err    error
}

// Watcher reads a configuration file again when it changes, or when it is told to.
// Whoever gets a Result with an error keeps the configuration that it has.
type Watcher struct {
	path     string
	from     *Sources
	onChange func(Result)
	seen     [sha256.Size]byte // of the bytes that the last Result was made from
	reload   chan struct{}
	watching chan struct{}
}

// NewWatcher watches the file that current was loaded from. onChange is called by
// Run, one call at a time; it gets changes only: a file that was touched, or
// written again as it was, is none.
func NewWatcher(current *Config, from *Sources, onChange func(Result)) *Watcher {
	return &Watcher{
		path: current.Origin.Path, from: from, onChange: onChange, seen: current.Origin.digest,
		reload: make(chan struct{}, 1), watching: make(chan struct{}),
	}
}

// Reload reads the file again, changed or not, since what its secrets refer to may
// have changed; it answers SIGHUP. It does not wait: Run calls onChange.
func (w *Watcher) Reload() {
	select {
	case w.reload <- struct{}{}:
	default: // one is due already
	}
}

// Watching is closed when changes are noticed from then on.
func (w *Watcher) Watching() <-chan struct{} { return w.watching }

// Run watches until the context ends and then gives nil. Where the system cannot
// watch files, onChange is told so once, and Reload works all the same.
func (w *Watcher) Run(ctx context.Context) error {
	// The folder is watched, not the file: editors and cluster volumes put a new
	// file in the place of the old one.
	notify, err := fsnotify.NewWatcher()
	if err == nil {
		defer notify.Close()
		err = notify.Add(filepath.Dir(w.path))
	}
	if err != nil {
		w.onChange(Result{Err: fmt.Errorf("changes of %s are not noticed by themselves: %w; send SIGHUP after a change", w.path, err)})
		return w.onDemand(ctx)
	}
	close(w.watching)
	quiet := time.NewTimer(settle) // at once: it may have changed since it was loaded
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.reload:
			w.check(true)
		case e, open := <-notify.Events:
			if open && w.concerns(e.Name) {
				quiet.Reset(settle)
			}
		case _ = <-notify.Errors: // an overflow: events were lost
			quiet.Reset(settle)
		case <-quiet.C:
			w.check(false)
		}
	}
}

func (w *Watcher) onDemand(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.reload:
			w.check(true)
		}
	}
}

// concerns reports whether an event may be about the file: its own name, or the
// hidden link that a Kubernetes volume swaps.
func (w *Watcher) concerns(name string) bool {
	base := filepath.Base(name)
	return base == filepath.Base(w.path) || strings.HasPrefix(base, "..")
}

// check reads the file and passes on what is new.
func (w *Watcher) check(force bool) {
	text, err := w.from.ReadFile(w.path, strict.MaxSize)
	if err != nil {
		// Between two steps of an editor there may be no file; a lasting gap is told once.
		gone := sha256.Sum256([]byte(err.Error()))
		if force || gone != w.seen {
			w.seen = gone
			w.onChange(Result{Err: fmt.Errorf("read the configuration: %w", err)})
		}
		return
	}
	digest := sha256.Sum256(text)
	if !force && bytes.Equal(digest[:], w.seen[:]) {
		return
	}
	w.seen = digest
	if len(bytes.TrimSpace(text)) == 0 {
		// An empty file is a valid configuration, but here it is one that is being
		// written, or was emptied by mistake: it would lock everyone out.
		w.onChange(Result{Err: fmt.Errorf("%s is empty now: write {} into it if that is meant", w.path)})
		return
	}
	cfg, err := Parse(w.path, text, w.from)
	w.onChange(Result{Config: cfg, Err: err})
}
