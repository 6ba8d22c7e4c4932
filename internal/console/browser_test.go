package console

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowser_PagesFit opens every page in both colours and two widths, full and empty.
func TestBrowser_PagesFit(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*rig{"full": fullRig(t, 3000, 6*24*time.Hour), "empty": emptyRig(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, r)
			b.open("/console/login")
			b.shoot(name + "-login")
			b.signIn()
			paths := map[string]string{"overview": "/console/?range=7d", "requests": "/console/requests", "targets": "/console/targets"}
			if name == "full" {
				paths["overview-1h"] = "/console/?range=1h"
				paths["exchange"] = "/console/requests/" + r.fallback(t)
				paths["failed"] = "/console/requests/" + r.first(t, "status=error")
				paths["filtered"] = "/console/requests?status=cut&target=cheap&range=7d"
				paths["wrong"] = "/console/requests/nope"
			}
			for _, width := range []int64{1440, 390} {
				for _, dark := range []bool{false, true} {
					for page, path := range paths {
						b.screen(width, 900, dark)
						b.open(path)
						if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
							t.Errorf("%s is %d pixels wide on a screen of %d", path, wide, width)
						}
						background := eval[string](b, "getComputedStyle(document.body).backgroundColor")
						if want := map[bool]string{false: "rgb(255, 255, 255)", true: "rgb(14, 21, 28)"}[dark]; background != want {
							t.Errorf("%s: background %s, want %s", path, background, want)
						}
						b.shoot(fmt.Sprintf("%s-%s-%d-%v", name, page, width, map[bool]string{false: "light", true: "dark"}[dark]))
					}
				}
			}
			b.clean()
		})
	}
}

func TestBrowser_LiveRowsArriveWithoutReload(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	b := openBrowser(t, r)
	b.signIn()
	b.do("to the requests", chromedp.Click(chromedp.CSS(`nav a[href="/console/requests"]`)), chromedp.WaitVisible(chromedp.CSS("#empty")))
	b.until(`document.querySelector('#live [role=status]').textContent === '● live'`)
	eval[bool](b, `window.same = true`) // a reload would lose it

	r.ledger.Record(row(1, nil))
	b.until(`document.querySelectorAll('#list tbody tr').length === 1`)
	if eval[bool](b, `!!document.querySelector('#empty') || document.querySelector('#list').hidden`) {
		t.Error("the list still says that it is empty")
	}
	r.ledger.Record(row(2, nil))
	b.until(`document.querySelectorAll('#list tbody tr').length === 2`)
	if first := eval[string](b, `document.querySelector('#list tbody tr').id`); first != "r-"+row(2, nil).ID {
		t.Errorf("the newest row is not at the top: %s", first)
	}

	b.click("#live button")
	r.ledger.Record(row(3, nil))
	b.until(`document.querySelector('#live [role=status]').textContent === '○ paused, 1 new'`)
	if n := eval[int](b, `document.querySelectorAll('#list tbody tr').length`); n != 2 {
		t.Errorf("%d rows while paused", n)
	}
	b.click("#live button")
	b.until(`document.querySelectorAll('#list tbody tr').length === 3`)
	if !eval[bool](b, `window.same === true`) {
		t.Error("the page was loaded again")
	}
	b.clean()
}

func TestBrowser_FilterOpenAndReturn(t *testing.T) {
	t.Parallel()
	r := fullRig(t, 400, 20*time.Hour)
	b := openBrowser(t, r)
	b.signIn()
	b.until(`document.querySelector('.answer').textContent.includes('400 requests')`)

	b.click(`nav a[href="/console/requests"]`)
	b.until(`document.querySelectorAll('#list tbody tr').length === 50`)
	b.click(`#list a.state.bad, #list a.state.none, #list a.state.warn`)
	b.until(`location.search.includes('status=')`)
	status := eval[string](b, `new URLSearchParams(location.search).get('status')`)
	if want, got := len(r.list(t, "status="+status)), eval[int](b, `document.querySelectorAll('#list tbody tr').length`); got != want {
		t.Errorf("%d rows are %s, want %d", got, status, want)
	}
	b.do("filling the form", chromedp.SendKeys(chromedp.CSS(`input[name=target]`), "cheap"), chromedp.Click(chromedp.CSS(".filter button")))
	b.until(`location.search === '?status=` + status + `&target=cheap'`)
	if words := eval[string](b, `document.querySelector('.words').innerText`); !strings.Contains(words, "target: cheap") {
		t.Errorf("the words are %q", words)
	}
	b.click(".words a") // takes the status away
	b.until(`location.search === '?target=cheap'`)

	b.press("jjk" + kb.Enter)
	b.until(`location.pathname.length > '/console/requests/'.length`)
	if id, want := eval[string](b, `location.pathname.split('/').pop()`), r.list(t, "target=cheap")[0].ID; id != want {
		t.Errorf("down twice, up once and enter opened %s, want the first row %s", id, want)
	}
	b.until(`document.querySelectorAll('.fall rect').length > 0`)
	b.do("back", chromedp.NavigateBack())
	b.until(`location.search === '?target=cheap' && document.querySelectorAll('#list tbody tr').length === 50`)

	answer := r.list(t, "status=ok")[3]
	b.strike("/")
	b.do("searching", chromedp.KeyEvent(answer.Result.AnswerID+kb.Enter))
	b.until(`location.pathname.endsWith('` + answer.ID + `')`)

	b.click(".out button")
	b.until(`location.pathname === '/console/login'`)
	b.open("/console/requests")
	b.until(`location.pathname === '/console/login'`)
	b.clean()
}

func TestBrowser_ColoursAreRememberedAndDoNotFlash(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, emptyRig(t))
	b.screen(1440, 900, false)
	b.signIn()
	background := func() string { return eval[string](b, `getComputedStyle(document.body).backgroundColor`) }
	const light, dark = "rgb(255, 255, 255)", "rgb(14, 21, 28)"
	if got := background(); got != light {
		t.Errorf("auto on a light system: %s", got)
	}
	b.click(`#theme [data-theme=dark]`)
	if got := background(); got != dark {
		t.Errorf("dark chosen: %s", got)
	}
	// The choice stands before the page has a body, so nothing can flash.
	b.do("watching", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: `
			new MutationObserver((_, o) => { if (document.body) { window.early = document.documentElement.dataset.theme; o.disconnect(); } })
				.observe(document, {childList: true, subtree: true});`})
		return err
	}))
	b.open("/console/requests")
	if got := eval[string](b, `window.early`); got != "dark" {
		t.Errorf("when the body came the theme was %q", got)
	}
	if got := background(); got != dark {
		t.Errorf("on the next page: %s", got)
	}
	b.click(`#theme [data-theme=""]`)
	if got := background(); got != light {
		t.Errorf("auto again: %s", got)
	}
	b.clean()
}

func TestBrowser_AWrongKeyStaysOutside(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, emptyRig(t))
	b.open("/console/requests?status=ok")
	b.do("a key without the scope", chromedp.SendKeys(chromedp.CSS("#key"), plainSecret+kb.Enter), chromedp.WaitVisible(chromedp.CSS(".alert")))
	if said := eval[string](b, `document.querySelector('.alert').innerText`); !strings.Contains(said, "scope admin") {
		t.Errorf("it says %q", said)
	}
	b.do("the right one", chromedp.SendKeys(chromedp.CSS("#key"), adminSecret+kb.Enter), chromedp.WaitVisible(chromedp.CSS("nav")))
	if got := eval[string](b, `location.pathname + location.search`); got != "/console/requests?status=ok" {
		t.Errorf("sent to %s", got)
	}
	if got := eval[string](b, `document.cookie`); got != "" {
		t.Errorf("scripts can read the cookie: %q", got)
	}
}

func TestBrowser_HostileTextsStayTexts(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	r.put(t, hostile())
	b := openBrowser(t, r)
	b.signIn()
	for _, path := range []string{"/console/?range=1h", "/console/requests", "/console/requests/" + hostile().ID} {
		b.open(path)
		if n := eval[int](b, `document.querySelectorAll('main img, main script').length`); n != 0 {
			t.Errorf("%s holds %d elements that a client made", path, n)
		}
	}
	b.open("/console/requests")
	b.until(`document.querySelector('#live [role=status]').textContent === '● live'`)
	x := hostile()
	x.ID = row(9, nil).ID
	r.ledger.Record(x)
	b.until(`document.querySelectorAll('#list tbody tr').length === 2`)
	if n := eval[int](b, `document.querySelectorAll('main img, main script').length`); n != 0 {
		t.Errorf("a live row holds %d elements that a client made", n)
	}
	b.clean()
}

func TestBrowser_WorksWithoutScript(t *testing.T) {
	t.Parallel()
	r := fullRig(t, 60, time.Hour)
	b := openBrowser(t, r)
	b.do("no scripts", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	b.signIn()
	b.do("going through the pages",
		chromedp.WaitVisible(chromedp.CSS(".answer")),
		chromedp.Click(chromedp.CSS(`nav a[href="/console/requests"]`)), chromedp.WaitVisible(chromedp.CSS("#list tbody tr")),
		chromedp.WaitNotVisible(chromedp.CSS("#live")),
		chromedp.Click(chromedp.CSS(`a[rel=next]`)), chromedp.WaitVisible(chromedp.CSS("a[href='/console/requests']")),
		chromedp.Click(chromedp.CSS("#list a.open")), chromedp.WaitVisible(chromedp.CSS(".fall")),
		chromedp.Click(chromedp.CSS(".out button")), chromedp.WaitVisible(chromedp.CSS("#key")))
}

func TestBrowser_TargetsSayWhatTheyCan(t *testing.T) {
	t.Parallel()
	r := fullRig(t, 200, 20*time.Hour)
	b := openBrowser(t, r)
	b.signIn()
	b.click(`nav a[href="/console/targets"]`)
	b.until(`document.querySelector('nav a[aria-current]').textContent === 'Targets'`)
	if got := eval[string](b, `document.querySelector('.answer').innerText`); got != "4 targets; what 2 of them can do is assumed, since the catalog does not know the model." {
		t.Errorf("the answer is %q", got)
	}
	row := eval[string](b, `document.querySelector('.reach tbody tr').innerText`)
	for _, want := range []string{"cheap", "● ready", "gemini → openai-chat", "tools (by grammar)", "○ assumed: json_schema, vision", "logprobs, rerank"} {
		if !strings.Contains(row, want) {
			t.Errorf("%q is not in the row:\n%s", want, row)
		}
	}
	b.screen(390, 900, true)
	if got := eval[string](b, `getComputedStyle(document.querySelector('.reach td[data-head=can]'), '::before').content`); !strings.Contains(got, "data-head") && !strings.Contains(got, "can") {
		t.Errorf("on a phone the columns have no names: %s", got)
	}
	b.screen(1440, 900, false)
	b.click(`.reach th a`)
	b.until(`location.search === '?target=cheap'`)
	b.clean()
}
