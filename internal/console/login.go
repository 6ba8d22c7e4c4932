package console

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/llm"
)

const (
	home         = "/console/"
	loginPath    = "/console/login"
	maxLoginForm = 8 << 10 // bytes
)

// visit is a request of someone who is signed in.
type visit struct {
	caller auth.Caller
	token  string
}

// visited is a handler that knows who asks.
type visited func(http.ResponseWriter, *http.Request, visit) error

// visitor finds the session of a request, if it has one that still counts.
func (c *console) visitor(r *http.Request) (visit, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return visit{}, false
	}
	s, ok := c.sessions.find(cookie.Value, c.Now())
	if !ok {
		return visit{}, false
	}
	if !c.StillAdmin(s.caller) {
		c.sessions.end(cookie.Value)
		return visit{}, false
	}
	return visit{caller: s.caller, token: cookie.Value}, true
}

// signedIn lets in who is signed in and sends everyone else to the form. A page's own
// event stream is told instead: it could do nothing with a form.
func (c *console) signedIn(next visited) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, ok := c.visitor(r)
		switch {
		case ok:
			return next(w, r, v)
		case r.URL.Path == livePath:
			return &llm.Error{Kind: llm.Unauthorized, Message: "you are signed out; reload the page to sign in"}
		case r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site":
			return again(w, r)
		}
		target := loginPath
		if r.Method == http.MethodGet && r.URL.RequestURI() != home {
			target += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, target, http.StatusSeeOther)
		return nil
	}
}

// again asks a browser to open the same page once more. It came over a link on another
// site, with which it does not send a strict cookie; from our own page it does.
func again(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Refresh", "0; url="+(&url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}).RequestURI())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Opening the console …\n")) // nobody is left to tell
	return nil
}

type loginBody struct {
	Next  string
	Error string
}

func (c *console) showLogin(w http.ResponseWriter, r *http.Request) error {
	next := safeNext(r.URL.Query().Get("next"))
	if _, ok := c.visitor(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // G710: safeNext keeps it on this site
		return nil
	}
	return c.loginPage(w, http.StatusOK, loginBody{Next: next})
}

func (c *console) loginPage(w http.ResponseWriter, status int, b loginBody) error {
	return c.render(w, status, "login", page{Title: "Sign in", Version: c.Version, Body: b})
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	if err := r.ParseForm(); err != nil {
		return &llm.Error{Kind: llm.Invalid, Message: "this is not the sign-in form, or it is too long; reload the page and paste the key alone", Err: err}
	}
	next, now := safeNext(r.PostForm.Get("next")), c.Now()
	if !c.tries.allowed(now) {
		w.Header().Set("Retry-After", "60")
		return c.loginPage(w, http.StatusTooManyRequests, loginBody{next, "Too many wrong keys were tried. Wait a minute, then try again."})
	}
	caller, err := c.SignIn(strings.TrimSpace(r.PostForm.Get("key")))
	switch {
	case err != nil:
		c.tries.failed()
		return c.loginPage(w, http.StatusUnauthorized, loginBody{next, "That did not work: " + llm.AsError(err).Message + "."})
	case !caller.Admin:
		return c.loginPage(w, http.StatusForbidden, loginBody{next, "This key is right, but it lacks the scope admin that the console needs. " +
			"`fairlead keys create --scope admin` makes one that has it."})
	}
	if old, err := r.Cookie(sessionCookie); err == nil {
		c.sessions.end(old.Value)
	}
	http.SetCookie(w, cookie(r, c.sessions.begin(caller, now), sessionLife))
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // G710: safeNext keeps it on this site
	return nil
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) error {
	if old, err := r.Cookie(sessionCookie); err == nil {
		c.sessions.end(old.Value)
	}
	http.SetCookie(w, cookie(r, "", -time.Second))
	http.Redirect(w, r, loginPath, http.StatusSeeOther)
	return nil
}

// cookie carries a session's token. Scripts cannot read it and other sites cannot
// make a browser send it. Where TLS ends before us the proxy says so; to claim it
// falsely only keeps one's own cookie from plain http.
func cookie(r *http.Request, token string, life time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: Secure where there is TLS; most installations begin without
		Name: sessionCookie, Value: token, Path: home, MaxAge: int(life / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// safeNext is the page to go to after signing in: one of ours, else the overview.
func safeNext(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || strings.ContainsAny(s, "\\\r\n\t") {
		return home
	}
	if !strings.HasPrefix(path.Clean(u.Path)+"/", home) || !strings.HasPrefix(u.Path, home) {
		return home
	}
	switch u.Path {
	case loginPath, livePath, "/console/logout":
		return home
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).RequestURI()
}
