package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/llm"
)

// Configured is a key as the configuration file gives it.
type Configured struct {
	Name    string
	Project string
	Secret  string
	Scopes  []string
	Expires time.Time
}

// Wanted is a key that is about to be made.
type Wanted struct {
	Name    string
	Project string
	Scopes  []string
	Expires time.Time // zero: never
}

// Config bounds a Keyring.
type Config struct {
	// MaxKeys bounds the keys, those of the file and those of the store together.
	// A key takes about 500 bytes of memory.
	MaxKeys int
}

// Default is 100,000 keys: 50 MB.
func Default() Config { return Config{MaxKeys: 100_000} }

// Validate says what is wrong with c, if anything.
func (c Config) Validate() error {
	if c.MaxKeys < 1 {
		return fmt.Errorf("max_keys is %d: it must be 1 or more", c.MaxKeys)
	}
	return nil
}

// Keyring knows every key. Check reads an immutable snapshot and waits for nobody;
// the other methods take turns and publish a new one.
type Keyring struct {
	store Store
	cfg   Config
	snap  atomic.Pointer[snapshot]

	mu         sync.Mutex // guards configured, and orders the snapshots
	configured []Key
}

// snapshot is the keys by the hash of their secret. A map look-up on a digest needs
// no constant time: to learn from its timing how much of a digest agrees, one would
// have to choose digests, which SHA-256 does not let anybody do.
type snapshot struct {
	byHash map[Hash]*entry
	keys   []Key
}

type entry struct {
	caller  Caller
	expires int64 // Unix nanoseconds, 0: never
	revoked bool
}

// NewKeyring returns a Keyring that knows no key until Configure or Reload.
func NewKeyring(store Store, cfg Config) *Keyring {
	r := &Keyring{store: store, cfg: cfg}
	r.snap.Store(&snapshot{})
	return r
}

// Check says whose secret this is. The error, an Unauthorized one, tells a missing
// secret, a wrong one, a revoked and an expired one apart. It costs one SHA-256, one
// map look-up and no allocation.
func (r *Keyring) Check(secret string, now time.Time) (Caller, *llm.Error) {
	if secret == "" {
		return Caller{}, refuse("there is no key in this request; send it as `Authorization: Bearer <key>` or `x-api-key: <key>`")
	}
	if len(secret) > maxSecret {
		return Caller{}, refuse("this key is longer than any key can be")
	}
	var buf [maxSecret]byte
	e := r.snap.Load().byHash[sha256.Sum256(buf[:copy(buf[:], secret)])]
	switch {
	case e == nil:
		return Caller{}, refuse("this key is not known here; `fairlead keys list` shows those that are")
	case e.revoked:
		return Caller{}, refuse("this key was revoked; ask for a new one")
	case e.expires != 0 && now.UnixNano() >= e.expires:
		return Caller{}, refuse("this key expired at " + time.Unix(0, e.expires).UTC().Format(time.RFC3339) + "; ask for a new one")
	}
	return e.caller, nil
}

func refuse(message string) *llm.Error {
	return &llm.Error{Kind: llm.Unauthorized, Code: "invalid_api_key", Message: message}
}

// Configure takes the keys of the configuration file in place of those it had, and
// reads the store's. All that is wrong with them is reported at once; then, and when
// the store cannot be read, the old keys stay.
func (r *Keyring) Configure(ctx context.Context, keys []Configured) error {
	configured, err := hashed(keys)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rebuild(ctx, configured)
}

// Reload reads the store's keys again, for when another process changed them.
func (r *Keyring) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rebuild(ctx, r.configured)
}

func (r *Keyring) rebuild(ctx context.Context, configured []Key) error {
	stored, err := r.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	snap, err := r.build(slices.Concat(configured, stored))
	if err != nil {
		return err
	}
	r.configured = configured
	r.snap.Store(snap)
	return nil
}

// build makes a snapshot. Of two keys with one secret the first wins, so that the
// file has the last word on its own secrets.
func (r *Keyring) build(keys []Key) (*snapshot, error) {
	if len(keys) > r.cfg.MaxKeys {
		return nil, fmt.Errorf("there are %d keys and at most %d are allowed: raise max_keys", len(keys), r.cfg.MaxKeys)
	}
	s := &snapshot{byHash: make(map[Hash]*entry, len(keys)), keys: keys}
	for i := range keys {
		k := &keys[i]
		if _, taken := s.byHash[k.Hash]; taken {
			continue
		}
		e := &entry{
			caller: Caller{
				Caller: exchange.Caller{Tenant: k.Tenant, Project: k.Project, KeyID: k.ID, Key: k.Name},
				Admin:  slices.Contains(k.Scopes, ScopeAdmin),
			},
			revoked: !k.Revoked.IsZero(),
		}
		if !k.Expires.IsZero() {
			e.expires = k.Expires.UnixNano()
		}
		s.byHash[k.Hash] = e
	}
	return s, nil
}

func hashed(keys []Configured) ([]Key, error) {
	var out []Key
	var wrong []error
	secrets := map[Hash]string{}
	for i, c := range keys {
		name := c.Name
		if err := errors.Join(CheckName(name), CheckScopes(c.Scopes), checkSecret(c.Secret)); err != nil {
			wrong = append(wrong, fmt.Errorf("keys[%d] (%.40q): %w", i, name, err))
			continue
		}
		h := HashOf(c.Secret)
		if other, taken := secrets[h]; taken {
			wrong = append(wrong, fmt.Errorf("keys[%d] (%q) has the same secret as %q: give each key its own", i, name, other))
			continue
		}
		if slices.ContainsFunc(out, func(k Key) bool { return k.Name == name }) {
			wrong = append(wrong, fmt.Errorf("keys[%d]: there are two keys named %q: rename one", i, name))
			continue
		}
		secrets[h] = name
		out = append(out, Key{
			ID: SourceConfig + ":" + name, Tenant: DefaultTenant, Project: c.Project, Name: name,
			Hash: h, Prefix: prefixOf(c.Secret), Scopes: slices.Clone(c.Scopes), Expires: c.Expires, Source: SourceConfig,
		})
	}
	return out, errors.Join(wrong...)
}

// Keys lists every key, those of the file first, then the store's by age.
func (r *Keyring) Keys() []Key { return slices.Clone(r.snap.Load().keys) }

// Create makes a key, stores its hash, and returns the secret: the only time that
// anybody sees it. The key works at once.
func (r *Keyring) Create(ctx context.Context, w Wanted, now time.Time) (Key, string, error) {
	secret := NewSecret()
	k, err := r.put(ctx, w, secret, now)
	if err != nil {
		return Key{}, "", err
	}
	return k, secret, nil
}

func (r *Keyring) put(ctx context.Context, w Wanted, secret string, now time.Time) (Key, error) {
	if err := errors.Join(CheckName(w.Name), CheckScopes(w.Scopes)); err != nil {
		return Key{}, &llm.Error{Kind: llm.Invalid, Message: err.Error()}
	}
	if !w.Expires.IsZero() && !w.Expires.After(now) {
		return Key{}, &llm.Error{Kind: llm.Invalid, Param: "expires", Message: "the key would already be expired: choose a time to come"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.snap.Load().keys
	if slices.ContainsFunc(old, func(k Key) bool { return k.Name == w.Name && k.Usable(now) }) {
		return Key{}, &llm.Error{Kind: llm.Invalid, Param: "name", Message: fmt.Sprintf("a key named %q is in use: revoke it or choose another name", w.Name)}
	}
	k := Key{
		ID: "key_" + strings.ToLower(ulid.Make().String()), Tenant: DefaultTenant, Project: w.Project, Name: w.Name,
		Hash: HashOf(secret), Prefix: prefixOf(secret), Scopes: slices.Clone(w.Scopes),
		Created: now.UTC().Truncate(time.Millisecond), Expires: w.Expires.UTC(), Source: SourceStore,
	}
	snap, err := r.build(append(slices.Clip(old), k))
	if err != nil {
		return Key{}, &llm.Error{Kind: llm.Invalid, Message: err.Error()}
	}
	if err := r.store.PutKey(ctx, k); err != nil {
		return Key{}, fmt.Errorf("storing key %q: %w", w.Name, err)
	}
	r.snap.Store(snap)
	return k, nil
}

// Revoke closes the key with this id, or the only open one with this name, from the
// next request on. A key of the configuration file is revoked there.
func (r *Keyring) Revoke(ctx context.Context, idOrName string, now time.Time) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.Clone(r.snap.Load().keys)
	i, err := find(keys, idOrName)
	if err != nil {
		return Key{}, err
	}
	if keys[i].Source == SourceConfig {
		return Key{}, &llm.Error{Kind: llm.Invalid, Message: fmt.Sprintf("key %q stands in the configuration file: remove it there", keys[i].Name)}
	}
	if err := r.store.RevokeKey(ctx, keys[i].ID, now); err != nil {
		return Key{}, fmt.Errorf("revoking key %q: %w", keys[i].Name, err)
	}
	if keys[i].Revoked.IsZero() {
		keys[i].Revoked = now.UTC().Truncate(time.Millisecond)
	}
	snap, err := r.build(keys)
	if err != nil {
		return Key{}, err
	}
	r.snap.Store(snap)
	return keys[i], nil
}

func find(keys []Key, idOrName string) (int, error) {
	if i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == idOrName }); i >= 0 {
		return i, nil
	}
	found := -1
	for i, k := range keys {
		if k.Name != idOrName || !k.Revoked.IsZero() {
			continue
		}
		if found >= 0 {
			return 0, &llm.Error{Kind: llm.Invalid, Message: fmt.Sprintf("several keys are named %q: give the id of one, as `fairlead keys list` shows it", idOrName)}
		}
		found = i
	}
	if found < 0 {
		return 0, &llm.Error{Kind: llm.NotFound, Message: fmt.Sprintf("no open key has the id or name %.60q: `fairlead keys list` shows them", idOrName), Err: ErrNotFound}
	}
	return found, nil
}
