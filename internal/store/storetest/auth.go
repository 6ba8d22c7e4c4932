package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/auth"
)

// Auth runs the suite for the keys. open returns an empty store.
func Auth(t *testing.T, open func(t *testing.T) auth.Store) {
	t.Run("KeepsKeys", func(t *testing.T) {
		t.Parallel()
		keepsKeys(t, open(t))
	})
	t.Run("RevokesOnce", func(t *testing.T) {
		t.Parallel()
		revokesOnce(t, open(t))
	})
}

func aKey(id, secret string) auth.Key {
	return auth.Key{
		ID: id, Tenant: auth.DefaultTenant, Project: "shop", Name: "app " + id, Hash: auth.HashOf(secret), Prefix: "fl-12345",
		Scopes: []string{auth.ScopeAdmin}, Created: Start, Expires: Start.Add(time.Hour), Source: auth.SourceStore,
	}
}

func keepsKeys(t *testing.T, s auth.Store) {
	ctx := context.Background()
	if keys, err := s.Keys(ctx); err != nil || len(keys) != 0 {
		t.Fatalf("a new store holds %v, %v", keys, err)
	}
	b, a := aKey("b", "secret b"), aKey("a", "secret a")
	b.Scopes, b.Expires, b.Prefix, b.Project = nil, time.Time{}, "", ""
	for _, k := range []auth.Key{b, a} {
		if err := s.PutKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]auth.Key{"id": aKey("a", "other"), "hash": aKey("c", "secret a")} {
		if err := s.PutKey(ctx, k); !errors.Is(err, auth.ErrExists) {
			t.Errorf("a second key with the same %s: %v, want ErrExists", name, err)
		}
	}
	got, err := s.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]auth.Key{a, b}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func revokesOnce(t *testing.T, s auth.Store) {
	ctx := context.Background()
	if err := s.PutKey(ctx, aKey("a", "secret")); err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeKey(ctx, "b", Start); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("revoking a key that is not there: %v, want ErrNotFound", err)
	}
	for _, at := range []time.Time{Start.Add(time.Minute), Start.Add(time.Hour)} {
		if err := s.RevokeKey(ctx, "a", at); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.Keys(ctx)
	if err != nil || len(keys) != 1 || !keys[0].Revoked.Equal(Start.Add(time.Minute)) {
		t.Errorf("after two revocations: %+v, %v, want the time of the first", keys, err)
	}
}
