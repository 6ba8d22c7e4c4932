// Package console answers an operator's questions in a browser: what was asked, what
// it cost, how it went, and why one exchange went as it did.
//
// It reads the ledger and is told everything else by functions (Rooms): it knows no
// configuration, no store and no key. Pages come ready from the server; the scripts
// add the live list, keys and the switch of colours. Start reading at routes, then one
// file per page: login.go, overview.go, targets.go, requests.go, exchange.go, each with a template
// of its name. docs/decisions/0010-console.md says why it is built so.
package console

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
)

// Rooms are what the console reaches. All of them are required.
type Rooms struct {
	Ledger *ledger.Ledger
	// SignIn says whose secret this is. Its error's message is shown.
	SignIn func(secret string) (auth.Caller, error)
	// StillAdmin is asked on every request of a session: may the key with which it
	// began still use the console? A revoked key ends its sessions so.
	StillAdmin func(c auth.Caller) bool
	Targets    func() []Target // in the order in which they are shown
	ConfigHash func() string
	Version    string
	Health     func() error // why the record is in trouble, nil when it is not
	Log        *slog.Logger
	Now        func() time.Time
}

// Target is what the overview shows of a configured target.
type Target struct {
	Name     string
	Provider string
	Model    string
	State    string // one word: ready, configured, starting, restarting, stopped, failed, …
	Price    string // as text, e.g. "$0.15 in, $0.60 out per million tokens"; "" when unknown
	Reach
}

// Reach is what a target can do, and for which clients, as words.
type Reach struct {
	Forwarded  []string // dialects of clients whose requests go on as they came
	Translated []string // of those that are written anew, as "gemini → openai-chat"
	Can        []string // abilities; by what means they are had may stand behind one
	Assumed    []string // abilities of the provider whose model is not known
	Lacks      []string
}

// console is the handler's state: nothing but who is signed in.
type console struct {
	Rooms
	sessions *sessions
	tries    tries
	pages    pages
}

// New serves everything below /console/.
func New(rooms Rooms) http.Handler {
	c := &console{Rooms: rooms, sessions: newSessions(), pages: parsePages()}
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(c.serve(func(http.ResponseWriter, *http.Request) error {
		return &llm.Error{Kind: llm.Forbidden, Message: "this form was sent from another site; open the console itself and try again there"}
	}))
	return secured(origin.Handler(c.routes()))
}

// routes is every address on one page.
func (c *console) routes() http.Handler {
	mux := http.NewServeMux()
	open := func(pattern string, h handler) { mux.Handle(pattern, c.serve(h)) }
	signed := func(pattern string, h visited) { open(pattern, c.signedIn(h)) }

	open("GET /console/login", c.showLogin)
	open("POST /console/login", c.signIn)
	open("POST /console/logout", c.signOut)
	open("GET /console/assets/{file}", serveAsset)

	signed("GET /console/{$}", c.overview)
	signed("GET /console/plots/{file}", c.plotFile)
	signed("GET /console/targets.csv", c.targetsFile)
	signed("GET /console/targets.json", c.targetsFile)
	signed("GET /console/series.csv", c.seriesFile)
	signed("GET /console/series.json", c.seriesFile)

	signed("GET /console/targets", c.targets)
	signed("GET /console/abilities.csv", c.abilitiesFile)
	signed("GET /console/abilities.json", c.abilitiesFile)

	signed("GET /console/requests", c.requests)
	signed("GET /console/requests.csv", c.requestsFile)
	signed("GET /console/requests.json", c.requestsFile)
	signed("GET /console/live", c.live)

	signed("GET /console/requests/{id}", c.exchange)
	signed("GET /console/requests/{id}/json", c.exchangeFile)
	signed("GET /console/search", c.search)

	signed("/console/", c.unknown)
	return mux
}

func (c *console) unknown(_ http.ResponseWriter, r *http.Request, _ visit) error {
	return &llm.Error{Kind: llm.NotFound, Message: "there is no " + r.Method + " " + r.URL.Path + " in the console; the pages are in the list beside this"}
}

// policy lets a page load its own files and nothing else; no script or style stands
// in a page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets the headers that every answer carries. The referrer stays within the
// site and is not left out: without it a browser sends `Origin: null` with our own
// forms, and over plain http that is all there is to tell them from another site's.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
