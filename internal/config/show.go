package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/config/strict"
)

// Redacted is the whole effective configuration as YAML, defaults included. A
// secret stands as the reference that it was written as (${NAME}, file:PATH), or
// as dots.
func (c *Config) Redacted() []byte {
	text, err := strict.Show(c.shown())
	if err != nil {
		panic(err) // the types hold nothing that YAML cannot; the tests would have failed
	}
	return text
}

// Hash identifies the effective configuration: 12 hexadecimal digits of a SHA-256.
// It does not depend on comments, or on the order of names. The references of
// secrets are in it and their values are not, so that nothing can be guessed from
// it: a key that was rotated behind the same name is the same configuration.
func (c *Config) Hash() string {
	shown := c.shown()
	slices.SortStableFunc(shown.Keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	text, err := strict.Canonical(shown)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:12]
}

// shown is a copy without what may be secret outside of Secret.
func (c *Config) shown() *Config {
	next := *c
	next.Keys = slices.Clone(c.Keys)
	next.Targets = slices.Clone(c.Targets)
	for i := range next.Targets {
		next.Targets[i].BaseURL = next.Targets[i].ShownURL()
	}
	return &next
}

// ShownURL is the target's address as people may see it.
func (t *Target) ShownURL() string { return withoutSecrets(t.BaseURL) }

// withoutSecrets puts dots in the place of query values that look like a secret.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.RawQuery == "" {
		return address
	}
	parts := strings.Split(u.RawQuery, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		for _, word := range []string{"key", "token", "secret", "sig", "password", "auth", "code"} {
			if strings.Contains(strings.ToLower(name), word) {
				parts[i] = name + "=" + redacted
			}
		}
	}
	u.RawQuery = strings.Join(parts, "&")
	return u.String()
}

// NeedsRestart names the settings that differ between two configurations and that
// a running process cannot change.
func NeedsRestart(old, next *Config) []string {
	var names []string
	for _, setting := range []struct {
		name    string
		changed bool
	}{
		{"listen", old.Listen != next.Listen},
		{"data", old.Data != next.Data},
		{"engine", old.Engine != next.Engine},
		{"limits", old.Limits != next.Limits},
		{"record", old.Record != next.Record},
		{"cors", !reflect.DeepEqual(old.CORS, next.CORS)},
		{"log", old.Log != next.Log},
	} {
		if setting.changed {
			names = append(names, setting.name)
		}
	}
	return names
}
