package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/pipeline"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// pages are the parsed templates by name; each stands on the layout.
type pages map[string]*template.Template

var pageNames = [...]string{"login", "overview", "targets", "requests", "exchange", "error"}

func parsePages() pages {
	funcs := template.FuncMap{"count": count, "asset": assetURL}
	base := template.Must(template.New("layout.html").Funcs(funcs).
		ParseFS(templateFiles, "templates/layout.html", "templates/plot.html", "templates/row.html"))
	p := pages{}
	for _, name := range pageNames {
		p[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return p
}

// page is what the layout shows around a page's own body.
type page struct {
	Title      string
	Nav        string // the entry of the navigation that is lit
	Key        string // the key that is signed in, "" when none is
	Trouble    string // why the record is in trouble
	Ranges     []choice
	Version    string
	ConfigHash string
	Body       any
}

// choice is one of several links of which one is chosen.
type choice struct {
	Text, Title, Href string
	Chosen            bool
}

// show writes a page of someone who is signed in.
func (c *console) show(w http.ResponseWriter, v visit, name string, p page) error {
	p.Key = v.caller.Key
	p.Version, p.ConfigHash = c.Version, c.ConfigHash()
	if err := c.Health(); err != nil {
		p.Trouble = err.Error()
	}
	return c.render(w, http.StatusOK, name, p)
}

// render writes a page whole or not at all.
func (c *console) render(w http.ResponseWriter, status int, name string, p page) error {
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, "layout.html", p); err != nil {
		return fmt.Errorf("rendering the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // nobody is left to tell
	return nil
}

// handler answers a request, or says why not before it wrote anything.
type handler func(http.ResponseWriter, *http.Request) error

// serve is the one place that turns errors into pages.
func (c *console) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			c.fail(w, r, err)
		}
	})
}

type errorBody struct {
	Outside bool // nobody is signed in, so the page has no head that says it
	Title   string
	Message string
}

func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := explained(err)
	status := pipeline.HTTPStatus(e)
	if status >= http.StatusInternalServerError {
		c.Log.ErrorContext(r.Context(), "a page of the console could not be shown", "path", r.URL.Path, "err", err)
	}
	v, inside := c.visitor(r)
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	p := page{Title: title, Key: v.caller.Key, Version: c.Version, Body: errorBody{!inside, title, e.Message}}
	if err := c.render(w, status, "error", p); err != nil {
		c.Log.ErrorContext(r.Context(), "the console's error page could not be shown", "err", err)
		http.Error(w, e.Message, status)
	}
}

// explained gives the ledger's errors words for a page.
func explained(err error) *llm.Error {
	say := func(kind llm.Kind, message string) *llm.Error {
		return &llm.Error{Kind: kind, Message: message, Err: err}
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return say(llm.NotFound, "no exchange has this id; it is recorded once its answer has ended, and old ones may have been removed")
	case errors.Is(err, ledger.ErrLocked):
		return say(llm.Overloaded, "another process holds the database; wait until it is done, then reload this page")
	case errors.Is(err, ledger.ErrCorrupt):
		return say(llm.Internal, "the database is damaged; the log names the file: stop Fairlead, put a copy in its place or move it away, and start again")
	}
	return llm.AsError(err)
}

// hashed names the embedded files by their content, so that browsers may keep them
// for ever. Filled once, when the program starts.
var hashed, byHash = hashAssets()

func hashAssets() (names, files map[string]string) {
	names, files = map[string]string{}, map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // they are part of the program
	}
	for _, e := range entries {
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		names[e.Name()], files[name] = name, e.Name()
	}
	return names, files
}

func assetURL(name string) string { return "/console/assets/" + hashed[name] }

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func serveAsset(w http.ResponseWriter, r *http.Request) error {
	name, ok := byHash[r.PathValue("file")]
	if !ok {
		return &llm.Error{Kind: llm.NotFound, Message: "this file belongs to another version of the console; reload the page that asked for it"}
	}
	body, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(body)
	return nil
}

// What may stand in a line that a reader pastes into a shell.
var (
	plainHost = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,255}$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,128}$`)
)

// curl is the one command that fills an empty page: a request to this very server.
func (c *console) curl(r *http.Request) string {
	host, scheme, model := r.Host, "http", "MODEL"
	if !plainHost.MatchString(host) {
		host = "127.0.0.1:8080"
	}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	for _, t := range c.Targets() {
		if plainName.MatchString(t.Name) {
			model = t.Name
			break
		}
	}
	return "curl " + scheme + "://" + host + "/v1/chat/completions \\\n" +
		"  -H \"Authorization: Bearer $FAIRLEAD_KEY\" \\\n" +
		"  -H 'Content-Type: application/json' \\\n" +
		"  -d '{\"model\": \"" + model + "\", \"messages\": [{\"role\": \"user\", \"content\": \"Say ahoy.\"}], \"max_tokens\": 100}'"
}
