package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// memory is a Store that can be told to fail.
type memory struct {
	mu   sync.Mutex
	keys []Key
	err  error
}

func (m *memory) Keys(context.Context) ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys), m.err
}

func (m *memory) PutKey(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.keys = append(m.keys, k)
	}
	return m.err
}

func (m *memory) RevokeKey(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.keys {
		if m.keys[i].ID == id && m.err == nil {
			m.keys[i].Revoked = at
			return nil
		}
	}
	return errors.Join(m.err, ErrNotFound)
}

func ring(t *testing.T, m *memory, keys ...Configured) *Keyring {
	t.Helper()
	r := NewKeyring(m, Default())
	if err := r.Configure(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r := ring(t, &memory{},
		Configured{Name: "app", Secret: "s3cret", Project: "shop"},
		Configured{Name: "boss", Secret: strings.Repeat("x", maxSecret), Scopes: []string{ScopeAdmin}},
		Configured{Name: "old", Secret: "old-one", Expires: now},
		Configured{Name: "fresh", Secret: "fresh-one", Expires: now.Add(time.Nanosecond)},
	)
	_, secret, err := r.Create(t.Context(), Wanted{Name: "made"}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, gone, err := r.Create(t.Context(), Wanted{Name: "gone"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Revoke(t.Context(), "gone", now); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		secret string
		key    string // "" is refused
		admin  bool
		says   string
	}{
		"configured":         {"s3cret", "app", false, ""},
		"admin":              {strings.Repeat("x", maxSecret), "boss", true, ""},
		"made":               {secret, "made", false, ""},
		"expires a bit late": {"fresh-one", "fresh", false, ""},
		"none":               {"", "", false, "no key"},
		"wrong":              {"S3cret", "", false, "not known"},
		"prefix":             {"s3cre", "", false, "not known"},
		"with a space":       {"s3cret ", "", false, "not known"},
		"expired":            {"old-one", "", false, "expired at 2026-11-23T10:00:00Z"},
		"revoked":            {gone, "", false, "revoked"},
		"endless":            {strings.Repeat("x", 1<<20), "", false, "longer"},
		"NUL":                {"s3cret\x00", "", false, "not known"},
	}
	for name, test := range tests {
		c, err := r.Check(test.secret, now)
		if test.key != "" {
			if err != nil || c.Key != test.key || c.Admin != test.admin || c.Tenant != DefaultTenant || c.KeyID == "" {
				t.Errorf("%s: %+v, %v, want key %s", name, c, err, test.key)
			}
			continue
		}
		if err == nil || err.Kind != llm.Unauthorized || !strings.Contains(err.Message, test.says) || c != (Caller{}) {
			t.Errorf("%s: %+v, %v, want a refusal that says %q", name, c, err, test.says)
		}
		if test.secret != "" && err != nil && strings.Contains(err.Error(), test.secret) {
			t.Errorf("%s: the error repeats the secret: %v", name, err)
		}
	}
}

func TestCheck_AllocatesNothing(t *testing.T) {
	r := ring(t, &memory{}, Configured{Name: "app", Secret: "fl-" + strings.Repeat("x", 43)})
	secret := "fl-" + strings.Repeat("x", 43)
	n := testing.AllocsPerRun(100, func() {
		if _, err := r.Check(secret, now); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

func TestConfigure_ReportsAllMistakesAndKeepsTheOldKeys(t *testing.T) {
	t.Parallel()
	m := &memory{}
	r := ring(t, m, Configured{Name: "app", Secret: "s3cret"})
	err := r.Configure(t.Context(), []Configured{
		{Name: "", Secret: "a"}, {Name: "b", Secret: ""}, {Name: "c", Secret: "has space"}, {Name: "d", Secret: "ünicode"},
		{Name: "e", Secret: "e", Scopes: []string{"root"}}, {Name: "f", Secret: "same"}, {Name: "g", Secret: "same"},
		{Name: "f", Secret: "other"}, {Name: "h", Secret: strings.Repeat("x", maxSecret+1)}, {Name: "i", Secret: "i", Scopes: []string{"admin", "admin"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"keys[0]", "keys[1]", "secret is empty", "keys[2]", "keys[3]", "keys[4]", `"admin"`, "same secret as \"f\"", "two keys named \"f\"", "longer than", "stands there twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	for _, secret := range []string{"has space", "ünicode", "same\n"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
	m.err = errors.New("disk on fire")
	if err := r.Configure(t.Context(), []Configured{{Name: "new", Secret: "new"}}); !errors.Is(err, m.err) {
		t.Errorf("with a broken store: %v", err)
	}
	if _, err := r.Check("s3cret", now); err != nil {
		t.Errorf("after two bad configurations the old key: %v", err)
	}
	m.err = nil
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check("new", now); err == nil {
		t.Error("a reload took up keys of a configuration that had failed")
	}
	if err := r.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check("s3cret", now); err == nil {
		t.Error("a key that left the configuration still opens")
	}
}

func TestCreateAndRevoke(t *testing.T) {
	t.Parallel()
	m := &memory{}
	r := ring(t, m, Configured{Name: "app", Secret: "s3cret"})
	k, secret, err := r.Create(t.Context(), Wanted{Name: "ci", Scopes: []string{ScopeAdmin}, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	if k.Hash != HashOf(secret) || !strings.HasPrefix(secret, k.Prefix) || len(k.Prefix) != prefixLen || len(secret) != 46 {
		t.Errorf("key %+v of secret of %d characters", k, len(secret))
	}
	for name, w := range map[string]Wanted{
		"no name": {}, "name in use": {Name: "ci"}, "name of the file": {Name: "app"}, "scope": {Name: "a", Scopes: []string{"root"}},
		"past": {Name: "b", Expires: now}, "control": {Name: "a\nb"},
	} {
		if _, _, err := r.Create(t.Context(), w, now); llm.AsError(err).Kind != llm.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	for name, test := range map[string]struct {
		which string
		kind  llm.Kind
	}{"of the file": {"app", llm.Invalid}, "unknown": {"nobody", llm.NotFound}, "empty": {"", llm.NotFound}} {
		if _, err := r.Revoke(t.Context(), test.which, now); llm.AsError(err).Kind != test.kind {
			t.Errorf("revoking a key %s: %v, want %s", name, err, test.kind)
		}
	}
	m.err = errors.New("disk on fire")
	if _, err := r.Revoke(t.Context(), "ci", now); err == nil {
		t.Error("a revocation that was not stored succeeded")
	}
	if _, _, err := r.Create(t.Context(), Wanted{Name: "lost"}, now); err == nil || len(r.Keys()) != 2 {
		t.Errorf("a key that was not stored is there: %v", err)
	}
	m.err = nil
	if _, err := r.Revoke(t.Context(), k.ID, now); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(secret, now); err == nil {
		t.Error("a revoked key opens")
	}
	again, _, err := r.Create(t.Context(), Wanted{Name: "ci"}, now)
	if err != nil || again.ID == k.ID {
		t.Errorf("the name of a revoked key: %+v, %v", again, err)
	}
	small := NewKeyring(m, Config{MaxKeys: 1})
	if err := small.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "max_keys") {
		t.Errorf("two keys where one is allowed: %v", err)
	}
}

func TestNewSecret_IsLongAndNeverTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[rune]bool{}
	for range 1000 {
		s := NewSecret()
		if len(s) != 46 || !strings.HasPrefix(s, "fl-") || seen[s] || checkSecret(s) != nil {
			t.Fatalf("secret %d characters, %v", len(s), seen[s])
		}
		seen[s] = true
		for _, c := range s[4:] { // the first digit holds less than six bits
			letters[c] = true
		}
	}
	if len(letters) != 62 {
		t.Errorf("secrets use %d characters, want 62", len(letters))
	}
}

func TestFromRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string // name, value, …
		want    string
	}{
		"gemini's query":      {[]string{"?", "alt=sse&key=abc"}, "abc"},
		"header before query": {[]string{"?", "key=two", "x-goog-api-key", "one"}, "one"},
		"bearer":              {[]string{"Authorization", "Bearer abc"}, "abc"},
		"case and spaces":     {[]string{"authorization", "bEARER  abc "}, "abc"},
		"anthropic":           {[]string{"x-api-key", "abc"}, "abc"},
		"gemini":              {[]string{"x-goog-api-key", "abc"}, "abc"},
		"bearer before x-api": {[]string{"x-api-key", "two", "Authorization", "Bearer one"}, "one"},
		"basic is not ours":   {[]string{"Authorization", "Basic YTpi", "x-api-key", "abc"}, "abc"},
		"no scheme":           {[]string{"Authorization", "abc"}, ""},
		"empty bearer":        {[]string{"Authorization", "Bearer "}, ""},
		"nothing":             {nil, ""},
	} {
		r := &http.Request{Header: http.Header{}, URL: &url.URL{}}
		for i := 0; i < len(test.headers); i += 2 {
			if test.headers[i] == "?" {
				r.URL.RawQuery = test.headers[i+1]
				continue
			}
			r.Header.Set(test.headers[i], test.headers[i+1])
		}
		if got := FromRequest(r); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFirstKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &memory{}
	r := ring(t, m)
	secret, made, err := r.FirstKey(t.Context(), dir, now)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	info, err := os.Stat(filepath.Join(dir, FirstKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v, want mode 0600", info, err)
	}
	if c, err := r.Check(secret, now); err != nil || !c.Admin || c.Key != "first" {
		t.Errorf("the first key: %+v, %v", c, err)
	}
	if err := os.Chmod(filepath.Join(dir, FirstKeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	again, made, err := ring(t, m).FirstKey(t.Context(), dir, now)
	if err != nil || made || again != secret {
		t.Errorf("the second start: %v, %v, the same secret: %v", made, err, again == secret)
	}
	if info, err := os.Stat(filepath.Join(dir, FirstKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the second start left mode %v, %v", info.Mode(), err)
	}
	if _, err := r.Revoke(t.Context(), "first", now); err != nil {
		t.Fatal(err)
	}
	if s, made, err := ring(t, m).FirstKey(t.Context(), dir, now); s != "" || made || err != nil {
		t.Errorf("after the first key was revoked: a key %v, %v", made, err)
	}
	// A new database beside an old file: what the file holds opens nothing any more.
	fresh := ring(t, &memory{})
	s, made, err := fresh.FirstKey(t.Context(), dir, now)
	if err != nil || !made || s == secret {
		t.Errorf("with a stale file: made %v, %v, the old secret: %v", made, err, s == secret)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("files beside the key: %v, %v", left, err)
	}
}

func TestFirstKey_FollowsNoLinkAndLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	path, target := filepath.Join(dir, FirstKeyFile), filepath.Join(elsewhere, "victim")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	m := &memory{}
	if _, _, err := ring(t, m).FirstKey(t.Context(), dir, now); err == nil || !strings.Contains(err.Error(), "plain file") {
		t.Errorf("a link in its place: %v", err)
	}
	if b, err := os.ReadFile(target); string(b) != "precious" || err != nil || len(m.keys) != 0 {
		t.Errorf("what the link led to: %q, %v; keys: %d", b, err, len(m.keys))
	}
	if _, _, err := ring(t, m).FirstKey(t.Context(), filepath.Join(dir, "missing"), now); err == nil || len(m.keys) != 0 {
		t.Errorf("a folder that is not there: %v; keys: %d", err, len(m.keys))
	}
	r := ring(t, m)
	m.err = errors.New("disk on fire")
	if _, _, err := r.FirstKey(t.Context(), elsewhere, now); err == nil {
		t.Error("a first key that was not stored")
	}
	if _, err := os.Stat(filepath.Join(elsewhere, FirstKeyFile)); err == nil {
		t.Error("the file of a key that was not stored stays")
	}
}

// TestKeyring_RevokesWhileRequestsCheck is for the race detector.
func TestKeyring_RevokesWhileRequestsCheck(t *testing.T) {
	t.Parallel()
	r := ring(t, &memory{}, Configured{Name: "app", Secret: "s3cret"})
	_, secret, err := r.Create(t.Context(), Wanted{Name: "x"}, now)
	if err != nil {
		t.Fatal(err)
	}
	revoked := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			<-revoked
			if _, err := r.Check(secret, now); err == nil {
				t.Error("opens after it was revoked")
			}
		})
		wg.Go(func() {
			for range 1000 {
				if _, err := r.Check("s3cret", now); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	if _, err := r.Revoke(t.Context(), "x", now); err != nil {
		t.Error(err)
	}
	close(revoked)
	wg.Wait()
}

func BenchmarkCheck(b *testing.B) {
	r := NewKeyring(&memory{}, Default())
	secret := NewSecret()
	if err := r.Configure(b.Context(), []Configured{{Name: "app", Secret: secret}}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Check(secret, now); err != nil {
			b.Fatal(err)
		}
	}
}
