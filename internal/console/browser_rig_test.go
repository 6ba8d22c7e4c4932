package console

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	logs "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fairlead/fairlead/internal/exchange"
)

// browserPath finds a Chromium or Chrome as scripts/setup-test.sh does.
func browserPath(tb testing.TB) string {
	tb.Helper()
	names := []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	}
	if named := os.Getenv("FAIRLEAD_CHROMIUM"); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	const line = "no Chromium: `make setup-test` gets one, or install Chrome or Chromium and set FAIRLEAD_CHROMIUM to its path"
	if os.Getenv("CI") == "true" {
		tb.Fatal(line)
	}
	tb.Skip(line)
	return ""
}

// browser is a real one with an empty profile, and what it complained about.
type browser struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // chromedp's context is the tab
	rig    *rig
	origin string

	mu    sync.Mutex
	wrong []string
}

func openBrowser(t *testing.T, r *rig) *browser {
	t.Helper()
	path := browserPath(t)
	server := httptest.NewServer(r.handler)
	t.Cleanup(server.Close)
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	limited, cancel := context.WithTimeout(alloc, 3*time.Minute)
	b := &browser{t: t, rig: r, origin: server.URL}
	var stop context.CancelFunc
	b.ctx, stop = chromedp.NewContext(limited, chromedp.WithListener(b.hear))
	t.Cleanup(func() {
		if err := chromedp.Cancel(b.ctx); err != nil { // waits for the browser, so that its profile can be removed
			t.Logf("closing the browser: %v", err)
		}
		stop()
		cancel()
		stopAlloc()
		server.CloseClientConnections() // an open event stream would keep the server from closing
	})
	b.do("starting", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}))
	return b
}

// hear notes console errors, refused content and requests to other origins.
func (b *browser) hear(ev any) {
	var wrong string
	switch ev := ev.(type) {
	case *logs.EventEntryAdded:
		meant := strings.HasSuffix(ev.Entry.URL, "/nope") // a page that is not there
		if (ev.Entry.Level == logs.EntryLevelError || ev.Entry.Level == logs.EntryLevelWarning) && !meant {
			wrong = fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		wrong = "exception: " + ev.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		wrong = fmt.Sprintf("console.%s was called", ev.Type)
	case *network.EventRequestWillBeSent:
		if u := ev.Request.URL; !strings.HasPrefix(u, b.origin+"/") && !strings.HasPrefix(u, "about:") {
			wrong = "a request to another origin: " + u
		}
	}
	if wrong != "" {
		b.mu.Lock()
		b.wrong = append(b.wrong, wrong)
		b.mu.Unlock()
	}
}

// clean fails the test if the browser complained.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Error(w)
	}
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do("opening "+path, chromedp.Navigate(b.origin+path))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// press sends keys to whatever has the focus.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do("pressing "+keys, chromedp.KeyEvent(keys))
}

// strike sends one key as a keyboard does: the letter follows only where the page
// let the key pass, while press types it whatever the page said.
func (b *browser) strike(key string) {
	b.t.Helper()
	b.do("striking "+key, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key, Text: key}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// signIn goes through the form.
func (b *browser) signIn() {
	b.t.Helper()
	b.open("/console/")
	b.do("signing in",
		chromedp.SendKeys(chromedp.CSS("#key"), adminSecret+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS("nav a[aria-current]")))
}

// eval gives what a script says.
func eval[T any](b *browser, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a page that is loaded and a script that is true on it.
func (b *browser) until(script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("document.readyState === 'complete' && ("+script+")", chromedp.WithPollingInterval(20*time.Millisecond)))
		if err == nil {
			return
		}
		gone := strings.Contains(err.Error(), "Cannot find context") || strings.Contains(err.Error(), "navigated") // the next page comes
		if ctx.Err() != nil || !gone {
			b.t.Fatalf("waiting for %s: %v; %s says: %s", script, err, eval[string](b, "location.href"), eval[string](b, "document.body.innerText"))
		}
	}
}

// screen sets the size and what the system says of its colours.
func (b *browser) screen(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do("screen", chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// shoot writes a picture of the whole page if FAIRLEAD_SHOTS names a folder.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("FAIRLEAD_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("picture: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// first is the id of the newest row that a query finds.
func (r *rig) first(tb testing.TB, query string) string {
	tb.Helper()
	rows := r.list(tb, query)
	if len(rows) == 0 {
		tb.Fatalf("no row for %s", query)
	}
	return rows[0].ID
}

func (r *rig) list(tb testing.TB, query string) []*exchange.Exchange {
	tb.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		tb.Fatal(err)
	}
	q.Set("limit", "1000")
	f, err := (&console{Rooms: Rooms{Now: r.clock.Now}}).filterOf(q)
	if err != nil {
		tb.Fatal(err)
	}
	rows, _, err := r.ledger.List(context.Background(), f)
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// fallback is an exchange that needed two attempts.
func (r *rig) fallback(tb testing.TB) string {
	tb.Helper()
	for _, x := range r.list(tb, "") {
		if len(x.Attempts) > 1 {
			return x.ID
		}
	}
	tb.Fatal("no exchange has two attempts")
	return ""
}
