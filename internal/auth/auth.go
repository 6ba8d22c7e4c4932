// Package auth answers who is calling: it turns a secret into a Caller, and keeps
// the keys that may do so.
//
// It never keeps a secret, only its SHA-256 (docs/decisions/0006-key-hashing.md
// says why that is enough), and it does not know what a caller may spend or where
// a request will run. Start reading at Keyring.Check, then Key and FirstKey.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
)

// ScopeAdmin reads every exchange and may use the console, /metrics and the admin
// API. A key without it sees its own.
const ScopeAdmin = "admin"

// DefaultTenant owns every key until there are more tenants.
const DefaultTenant = "default"

// Where a key comes from.
const (
	SourceConfig = "config"
	SourceStore  = "store"
)

const (
	secretMark  = "fl-"
	secretChars = 43  // base62 digits that hold 256 bits
	prefixLen   = 8   // of a secret of ours, shown in lists: 30 of its 256 bits
	maxSecret   = 512 // bytes of a secret that a client may send or an operator choose
	maxName     = 128 // bytes of a name
)

var (
	// ErrNotFound says that no key has this id or name.
	ErrNotFound = errors.New("auth: no such key")
	// ErrExists says that a key with this id or this secret is already there.
	ErrExists = errors.New("auth: this key already exists")
)

// Hash is the SHA-256 of a secret.
type Hash [sha256.Size]byte

// HashOf hashes a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// Key is one key as it is kept: all of it but the secret.
type Key struct {
	ID      string    `json:"id"`
	Tenant  string    `json:"tenant"`
	Project string    `json:"project"`
	Name    string    `json:"name"`
	Hash    Hash      `json:"-"`
	Prefix  string    `json:"prefix"` // first characters of the secret, "" for secrets that people chose
	Scopes  []string  `json:"scopes"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: not
	Source  string    `json:"source"`           // SourceConfig or SourceStore
}

// Usable reports whether the key opens the door at that moment.
func (k *Key) Usable(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// Caller is who asks, for as long as one request lasts.
type Caller struct {
	exchange.Caller
	Admin bool
}

// Store keeps keys. Implementations are safe for concurrent use.
type Store interface {
	// Keys returns every key, revoked and expired ones too, in the order of their ids.
	Keys(ctx context.Context) ([]Key, error)
	// PutKey adds a key. The same id or hash again is ErrExists.
	PutKey(ctx context.Context, k Key) error
	// RevokeKey marks the key with this id; the first mark stays. An id that is
	// not there is ErrNotFound.
	RevokeKey(ctx context.Context, id string, at time.Time) error
}

// NewSecret makes a secret of 256 random bits: "fl-" and 43 base62 characters.
func NewSecret() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand, since Go 1.24)
	out := make([]byte, secretChars)
	for i := secretChars - 1; i >= 0; i-- { // long division of the 256-bit number by 62
		rest := 0
		for j, b := range raw {
			rest = rest<<8 | int(b)
			raw[j], rest = byte(rest/62), rest%62
		}
		out[i] = digits[rest]
	}
	return secretMark + string(out)
}

// prefixOf is what may be shown of a secret: nothing of one that a person chose,
// for it may be short.
func prefixOf(secret string) string {
	if strings.HasPrefix(secret, secretMark) && len(secret) == len(secretMark)+secretChars {
		return secret[:prefixLen]
	}
	return ""
}

// FromRequest is the secret that a request carries: Authorization: Bearer, else
// x-api-key, else x-goog-api-key. It is "" when there is none.
func FromRequest(r *http.Request) string {
	const bearer = "bearer "
	if a := r.Header["Authorization"]; len(a) > 0 && len(a[0]) > len(bearer) && strings.EqualFold(a[0][:len(bearer)], bearer) {
		return strings.TrimSpace(a[0][len(bearer):])
	}
	for _, name := range [...]string{"X-Api-Key", "X-Goog-Api-Key"} {
		if v := r.Header[name]; len(v) > 0 && v[0] != "" {
			return strings.TrimSpace(v[0])
		}
	}
	if r.URL.RawQuery != "" { // as Gemini's clients may send it
		return strings.TrimSpace(r.URL.Query().Get("key"))
	}
	return ""
}

// CheckName says what is wrong with a key's name, if anything.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || name != strings.TrimSpace(name) || strings.ContainsFunc(name, notPrintable) {
		return fmt.Errorf("key name %.40q: use 1 to %d printable characters, no space at the ends", name, maxName)
	}
	return nil
}

// CheckScopes says what is wrong with a key's scopes, if anything.
func CheckScopes(scopes []string) error {
	for i, s := range scopes {
		if s != ScopeAdmin {
			return fmt.Errorf("key scope %.40q is not known: the only scope is %q", s, ScopeAdmin)
		}
		if slices.Contains(scopes[:i], s) {
			return fmt.Errorf("key scope %q stands there twice: remove one", s)
		}
	}
	return nil
}

// checkSecret says what is wrong with a secret that an operator chose: what no
// header could carry.
func checkSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("the secret is empty: set it, for instance to what `fairlead keys create` prints")
	case len(secret) > maxSecret:
		return fmt.Errorf("the secret is longer than %d bytes: choose a shorter one", maxSecret)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the secret holds a space or a character outside ASCII, which a header cannot carry: choose another")
	}
	return nil
}

func notPrintable(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }
