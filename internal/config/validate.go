package config

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config/strict"
	"github.com/fairlead/fairlead/internal/money"
)

// checker goes over a decoded Config, fills in what depends on other settings, and
// notes every mistake with its place. What the decoder already found wrong was left
// empty, so each check passes over settings that the text names but that are empty.
type checker struct {
	cfg      *Config
	from     *Sources
	places   *strict.Places
	dir      string // where relative paths start
	problems Problems
	warnings Problems
}

func (c *checker) problem(message string, path ...string) {
	c.problems = append(c.problems, c.places.Problem(message, path...))
}

func (c *checker) keyProblem(message string, path ...string) {
	c.problems = append(c.problems, c.places.KeyProblem(message, path...))
}

func (c *checker) warn(message string, path ...string) {
	c.warnings = append(c.warnings, c.places.Problem(message, path...))
}

func (c *checker) config() {
	c.listen()
	c.cfg.Data = c.absolute(c.cfg.Data)
	c.engine()
	for i := range c.cfg.Targets {
		c.target(&c.cfg.Targets[i])
	}
	c.models()
	c.keys()
	c.cors()
	c.limits()
	c.prices()
	if len(c.cfg.Targets) == 0 {
		c.warn("no targets: nothing can be asked yet; add one, such as targets: { small: { provider: ollama, model: \"smollm2:135m\" } }", "targets")
	}
}

func (c *checker) listen() {
	host, port, err := net.SplitHostPort(c.cfg.Listen)
	if err != nil || strings.ContainsAny(host, " /") {
		c.problem(fmt.Sprintf("%q is not an address: write host:port, such as 127.0.0.1:8080 or :8080", c.cfg.Listen), "listen")
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		c.problem(fmt.Sprintf("%q is not a port: write a number from 0 to 65535", port), "listen")
	}
}

// absolute makes a relative path start at the folder of the file.
func (c *checker) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// engine makes paths absolute; a bare name of a program is looked up on PATH, a
// bare name of a model in the data folder.
func (c *checker) engine() {
	for _, p := range []*string{&c.cfg.Engine.Server, &c.cfg.Engine.Python, &c.cfg.Engine.Model} {
		if strings.ContainsAny(*p, `/\`) {
			*p = c.absolute(*p)
		}
	}
}

func (c *checker) models() {
	// Where the targets themselves could not be read, each name would be missing.
	lost := len(c.cfg.Targets) == 0 && slices.ContainsFunc(c.problems, func(p Problem) bool { return p.Path == "" || p.Path == "targets" })
	for i := range c.cfg.Models {
		m := &c.cfg.Models[i]
		if _, twice := c.cfg.Target(m.Name); twice {
			c.keyProblem("this is the name of a target too, and clients may ask for both: rename one of them", "models", m.Name)
		}
		plan := []string{"models", m.Name, "plan"}
		if len(m.Plan) == 0 && c.places.Has(plan...) && !c.failedAt(plan) {
			c.problem("the plan is empty: list at least one target", plan...)
		}
		for j, name := range m.Plan {
			at := append(slices.Clip(plan), entry(j))
			switch _, known := c.cfg.Target(name); {
			case name == "", !known && lost:
			case !known && len(c.cfg.Targets) == 0:
				c.problem(fmt.Sprintf("there is no target %q: add it under targets", name), at...)
			case !known:
				c.problem(fmt.Sprintf("there is no target %q: %s", name, strict.DidYouMean(name, c.targetNames())), at...)
			case slices.Contains(m.Plan[:j], name):
				c.problem(fmt.Sprintf("%q stands in this plan twice: for more tries set retry: { attempts: … } on the target", name), at...)
			}
		}
	}
}

func (c *checker) targetNames() []string {
	names := make([]string, len(c.cfg.Targets))
	for i := range c.cfg.Targets {
		names[i] = c.cfg.Targets[i].Name
	}
	return names
}

func (c *checker) keys() {
	names, secrets := map[string]int{}, map[string]int{}
	for i := range c.cfg.Keys {
		k := &c.cfg.Keys[i]
		at := entry(i)
		if first, twice := names[k.Name]; twice && k.Name != "" {
			c.problem(fmt.Sprintf("keys[%d] has the same name: rename one of them", first), "keys", at, "name")
		} else {
			names[k.Name] = i
		}
		if value, ok := c.secret(&k.Secret, "keys", at, "secret"); ok {
			first, twice := secrets[value]
			switch {
			case twice:
				c.problem(fmt.Sprintf("keys[%d] has the same secret, so they could not be told apart: give each its own", first), "keys", at, "secret")
			case len(value) > maxKeySecret:
				c.problem(fmt.Sprintf("the secret is longer than %d characters: shorten it", maxKeySecret), "keys", at, "secret")
			default:
				secrets[value] = i
			}
		}
		c.classes(k.Classes, "keys", at, "classes")
		c.budget(k.Budget, "keys", at, "budget")
	}
	if len(c.cfg.Keys) > c.cfg.Limits.Keys {
		c.problem(fmt.Sprintf("there are %d keys and limits.keys is %d: raise it", len(c.cfg.Keys), c.cfg.Limits.Keys), "keys")
	}
}

// maxKeySecret is what the door takes of a client's secret.
const maxKeySecret = 512

func (c *checker) budget(b *Budget, path ...string) {
	if b == nil {
		return
	}
	if b.Unpriced == "" {
		b.Unpriced = "refuse"
	}
	c.positive(b.USD, append(path, "usd")...)
}

// positive holds an amount above 0, where the text names it.
func (c *checker) positive(a money.Amount, path ...string) {
	if c.places.Has(path...) && a.Sign() <= 0 && !c.failedAt(path) {
		c.problem("must be more than 0", path...)
	}
}

// failedAt reports whether the decoder already found the value wrong.
func (c *checker) failedAt(path []string) bool {
	dotted := strict.Dotted(path)
	return slices.ContainsFunc(c.problems, func(p Problem) bool { return p.Path == dotted })
}

// secret binds a secret to its sources and tries it once; ok is false where there
// is none or it does not resolve, which is then noted.
func (c *checker) secret(s *Secret, path ...string) (value string, ok bool) {
	if s.IsZero() {
		return "", false
	}
	*s = NewSecret(s.text(), c.dir, c.from)
	value, err := s.Reveal()
	switch {
	case err != nil:
		c.problem(err.Error(), path...)
	case strings.ContainsFunc(value, notVisible):
		c.problem("the secret holds a control character or one outside ASCII, and could not travel in a header: check its source", path...)
	case strings.TrimSpace(value) != value:
		c.problem("the secret begins or ends with a space: check its source", path...)
	default:
		return value, true
	}
	return "", false
}

func notVisible(r rune) bool { return r < 0x20 || r > 0x7e }

func (c *checker) classes(classes []string, path ...string) {
	for i, class := range classes {
		at := append(slices.Clip(path), entry(i))
		switch {
		case class == "":
		case strings.ContainsFunc(class, notClass):
			c.problem(fmt.Sprintf("%q is not a data class: write lower-case letters, digits, - and _, such as wallet", class), at...)
		case slices.Contains(classes[:i], class):
			c.problem(fmt.Sprintf("%q stands in this list twice: keep one", class), at...)
		}
	}
}

func notClass(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func (c *checker) cors() {
	for i, origin := range c.cfg.CORS.Origins {
		if origin == "*" || origin == "" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			c.problem(fmt.Sprintf("%q is not an origin: write scheme and host without a path, such as https://app.example.com, or \"*\"", origin), "cors", "origins", entry(i))
		}
	}
	for i, name := range c.cfg.CORS.Headers {
		switch {
		case name == "*":
			c.problem("browsers do not take \"*\" for authorization: leave the list out to allow every header", "cors", "headers", entry(i))
		case name != "" && !isToken(name):
			c.problem(fmt.Sprintf("%q is not the name of a header", name), "cors", "headers", entry(i))
		}
	}
}

func (c *checker) limits() {
	l := c.cfg.Limits
	if l.Streams > l.Requests {
		path := []string{"limits", "streams"}
		if !c.places.Has(path...) {
			path[1] = "requests"
			c.cfg.Limits.Streams = l.Requests // only the bound around it was set
			return
		}
		c.problem(fmt.Sprintf("is above limits.requests (%d), which counts streams too: lower it, or raise that", l.Requests), path...)
	}
}

const maxPriceFile = 16 << 20

func (c *checker) prices() {
	p := &c.cfg.Prices
	if p.File == "" {
		return
	}
	p.File = c.absolute(p.File)
	text, err := c.from.ReadFile(p.File, maxPriceFile)
	if err != nil {
		c.problem(fmt.Sprintf("the price file cannot be read: %v", err), "prices", "file")
		return
	}
	rows, err := catalog.ReadRows(strings.NewReader(string(text)), "")
	if err == nil {
		_, err = c.from.Providers.Overlay(rows)
	}
	if err != nil {
		c.problem(fmt.Sprintf("%s: %v", p.File, err), "prices", "file")
	}
}

func entry(i int) string { return "[" + strconv.Itoa(i) + "]" }

func isToken(name string) bool {
	return name != "" && http.CanonicalHeaderKey(name) != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= 0x20 || r > 0x7e || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
