package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a running Watcher over a real file, and what it reported.
type watched struct {
	t       *testing.T
	path    string
	results chan config.Result
	watcher *config.Watcher
}

func watch(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{t: t, path: filepath.Join(t.TempDir(), "fairlead.yaml"), results: make(chan config.Result, 16)}
	w.write(w.path, text)
	c, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	from := config.System(c)
	cfg, err := config.Load(w.path, from)
	if err != nil {
		t.Fatal(err)
	}
	w.watcher = config.NewWatcher(cfg, from, func(r config.Result) { w.results <- r })
	return w
}

// run starts the watcher and stops it when the test ends.
func (w *watched) run() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-w.watcher.Watching():
	case r := <-w.results:
		w.t.Fatalf("not watching: %v", r.Err)
	}
}

func (w *watched) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// next waits for what is reported next.
func (w *watched) next() config.Result {
	w.t.Helper()
	select {
	case r := <-w.results:
		return r
	case <-time.After(30 * time.Second):
		w.t.Fatal("nothing was reported")
		return config.Result{}
	}
}

func (w *watched) wantLevel(want string) {
	w.t.Helper()
	r := w.next()
	if r.Err != nil {
		w.t.Fatalf("reported %v, want level %s", r.Err, want)
	}
	if r.Config.Log.Level != want {
		w.t.Errorf("level = %s, want %s", r.Config.Log.Level, want)
	}
}

func TestWatcher_ReportsChanges(t *testing.T) {
	t.Parallel()
	w := watch(t, "log: { level: info }")
	w.run()

	w.write(w.path, "log: { level: debug }") // written in place
	w.wantLevel("debug")

	next := filepath.Join(filepath.Dir(w.path), "fairlead.yaml.new") // as editors do
	w.write(next, "log: { level: warn }")
	if err := os.Rename(next, w.path); err != nil {
		t.Fatal(err)
	}
	w.wantLevel("warn")

	w.write(w.path, "log: { level: loud }")
	if r := w.next(); r.Config != nil || r.Err == nil || !strings.Contains(r.Err.Error(), `"loud" is not known`) {
		t.Errorf("a bad file gave %+v", r)
	}

	w.write(w.path, "log: { level: error }")
	w.wantLevel("error")
}

func TestWatcher_TakesNoEmptyFile(t *testing.T) {
	t.Parallel()
	w := watch(t, "log: { level: warn }")
	w.run()
	w.write(w.path, " \n")
	if r := w.next(); r.Config != nil || r.Err == nil || !strings.Contains(r.Err.Error(), "is empty now") {
		t.Errorf("an empty file gave %+v", r)
	}
}

func TestWatcher_ToldToReloadReadsAgain(t *testing.T) {
	t.Parallel()
	w := watch(t, "log: { level: info }")
	w.run()
	w.watcher.Reload()
	w.wantLevel("info")
}

func TestWatcher_SeesWhatChangedBeforeItRan(t *testing.T) {
	t.Parallel()
	w := watch(t, "log: { level: info }")
	w.write(w.path, "log: { level: debug }")
	w.run()
	w.wantLevel("debug")
}

func TestWatcher_TouchIsNoChange(t *testing.T) {
	t.Parallel()
	w := watch(t, "log: { level: info }")
	w.run()
	w.write(w.path, "log: { level: info }")
	w.write(filepath.Join(filepath.Dir(w.path), "other.yaml"), "x")
	w.write(w.path, "log: { level: warn }")
	w.wantLevel("warn") // and nothing before it
}

func TestWatcher_FollowsAVolumeLink(t *testing.T) {
	t.Parallel()
	w := watch(t, "{}")
	dir := filepath.Dir(w.path)
	swap := func(version, text string) {
		t.Helper()
		folder := filepath.Join(dir, "..v"+version)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(filepath.Join(folder, "fairlead.yaml"), text)
		link := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(folder, link); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("1", "{}")
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..data", "fairlead.yaml"), w.path); err != nil {
		t.Fatal(err)
	}
	w.run()
	swap("2", "log: { level: warn }")
	w.wantLevel("warn")
}

func TestWatcher_SaysWhenItCannotWatch(t *testing.T) {
	t.Parallel()
	w := watch(t, "{}")
	cfg, err := config.Load(w.path, config.System(must(t)))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Origin.Path = filepath.Join(t.TempDir(), "gone", "fairlead.yaml")
	w.watcher = config.NewWatcher(cfg, config.System(must(t)), func(r config.Result) { w.results <- r })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher.Run(ctx) }()
	if r := w.next(); r.Err == nil || !strings.Contains(r.Err.Error(), "SIGHUP") {
		t.Errorf("reported %+v", r)
	}
	w.watcher.Reload()
	if r := w.next(); r.Err == nil || !strings.Contains(r.Err.Error(), "read the configuration") {
		t.Errorf("reported %+v", r)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
