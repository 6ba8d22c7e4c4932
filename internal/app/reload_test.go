package app

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
)

// reloaded parses a configuration over the gateway's data folder and loads it.
func (g *gateway) reloaded(t testing.TB, up *testkit.Upstream, yaml string) error {
	t.Helper()
	cfg, err := parse(t, up, g.current().Data, yaml)
	if err != nil {
		t.Fatal(err)
	}
	return g.Reload(t.Context(), cfg)
}

const changed = `
targets:
  three: { provider: openai-compatible, base_url: UPSTREAM, model: "fake:say=third" }
models:
  both: { plan: [three] }
keys:
  - { name: app, secret: app-secret }
  - { name: boss, secret: admin-secret }
  - { name: late, secret: late-secret, scopes: [admin] }
`

func TestReload_CountsForTheNextRequest(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	old := g.current().Hash()
	res, lines := g.begin(t, asking("both", streamed, behaving("hold-event=3")))
	if got := g.chat(t, asking("one"), "Authorization", "Bearer "+otherKey); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	if err := g.reloaded(t, up, changed); err != nil {
		t.Fatal(err)
	}
	late := []string{"Authorization", "Bearer late-secret"}
	got := g.chat(t, asking("both"))
	x := g.exchange(t, got.header.Get("X-Fairlead-Id"), late...)
	if got.status != 200 || !strings.Contains(got.body, "third") || x.Result.ConfigHash == old || x.Result.ConfigHash == "" {
		t.Errorf("%d %s, hash %q", got.status, got.body, x.Result.ConfigHash)
	}
	for name, tc := range map[string]struct {
		got    reply
		status int
	}{
		"a target that is gone":  {g.chat(t, asking("one")), 404},
		"a key that is gone":     {g.chat(t, asking("both"), "Authorization", "Bearer "+otherKey), 401},
		"a scope that is gone":   {g.do(t, "GET", "/api/keys", "", "Authorization", "Bearer "+adminKey), 403},
		"a key that is new":      {g.do(t, "GET", "/api/keys", "", late...), 200},
		"a model in the list":    {g.do(t, "GET", "/v1/models/three", ""), 200},
		"one not in it any more": {g.do(t, "GET", "/v1/models/one", ""), 404},
	} {
		if tc.got.status != tc.status {
			t.Errorf("%s: %d %s", name, tc.got.status, tc.got.body)
		}
	}
	up.Release()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "[DONE]\n\n") {
		t.Errorf("the stream under way: %v %s", err, rest)
	}
	if x := g.exchange(t, res.Header.Get("X-Fairlead-Id"), late...); x.Result.ConfigHash != old || x.Result.Target != "one" {
		t.Errorf("the stream under way is of the old configuration: %+v", x.Result)
	}
}

func TestReload_ABadOneKeepsTheOld(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	old := g.current()
	gone := &config.Sources{Env: func(string) (string, bool) { return "", false }}
	for name, spoil := range map[string]func(*config.Config){
		"a secret not there": func(c *config.Config) { c.Keys[1].Secret = config.NewSecret("${GONE}", "", gone) },
		"a twin of a key":    func(c *config.Config) { c.Keys[2].Name = c.Keys[0].Name },
		"prices not there":   func(c *config.Config) { c.Prices.File = "/nowhere/prices.jsonl" },
		"a dialect nobody has, found when the keys were taken": func(c *config.Config) { c.Targets[0].Dialect = "none" },
	} {
		cfg, err := parse(t, up, old.Data, changed)
		if err != nil {
			t.Fatal(err)
		}
		spoil(cfg)
		if err := g.Reload(t.Context(), cfg); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if g.current() != old {
			t.Errorf("%s: the old one is gone", name)
		}
		if got := g.chat(t, asking("one"), "Authorization", "Bearer "+otherKey); got.status != 200 || g.of(t, got).Result.ConfigHash != old.Hash() {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if got := g.do(t, "GET", "/v1/models", "", "Authorization", "Bearer late-secret"); got.status != 401 {
			t.Errorf("%s: a key of it opens the door", name)
		}
	}
}

func TestKeys_AreMadeAndRevokedAtOnce(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	boss := []string{"Authorization", "Bearer " + adminKey}
	got := g.do(t, "POST", "/api/keys", `{"name":"new"}`, boss...)
	_, rest, _ := strings.Cut(got.body, `"secret":"`)
	secret, _, ok := strings.Cut(rest, `"`)
	if got.status != http.StatusCreated || !ok || !strings.HasPrefix(secret, "fl-") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	bearer := []string{"Authorization", "Bearer " + secret}
	if got := g.chat(t, asking("one"), bearer...); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := g.do(t, "GET", "/api/keys", "", boss...); strings.Contains(got.body, secret) || !strings.Contains(got.body, `"name":"new"`) {
		t.Errorf("%s", got.body)
	}
	if got := g.do(t, "DELETE", "/api/keys/new", "", boss...); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := g.chat(t, asking("one"), bearer...); got.status != 401 || !strings.Contains(got.body, "revoked") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
	}{
		"of the file":  {"DELETE", "/api/keys/app", "", 400},
		"not there":    {"DELETE", "/api/keys/nobody", "", 404},
		"no name":      {"POST", "/api/keys", `{}`, 400},
		"not JSON":     {"POST", "/api/keys", `name`, 400},
		"a used name":  {"POST", "/api/keys", `{"name":"app"}`, 400},
		"a bad scope":  {"POST", "/api/keys", `{"name":"x","scopes":["root"]}`, 400},
		"expired":      {"POST", "/api/keys", `{"name":"x","expires":"2020-01-01T00:00:00Z"}`, 400},
		"unknown word": {"POST", "/api/keys", `{"name":"x","scope":["admin"]}`, 400},
	} {
		if got := g.do(t, tc.method, tc.path, tc.body, boss...); got.status != tc.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		} else {
			failure(t, got.body)
		}
	}
}
