package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
)

// Keys returns every key in the order of their ids.
func (d *DB) Keys(ctx context.Context) ([]auth.Key, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, tenant, project, name, hash, prefix, scopes, created_ms, expires_ms, revoked_ms FROM keys ORDER BY id`)
	if err != nil {
		return nil, explain(d.path, "reading keys from", err)
	}
	var keys []auth.Key
	err = drain(rows, func(rows *sql.Rows) error {
		k := auth.Key{Source: auth.SourceStore}
		var hash []byte
		var scopes string
		var created int64
		var expires, revoked sql.NullInt64
		if err := rows.Scan(&k.ID, &k.Tenant, &k.Project, &k.Name, &hash, &k.Prefix, &scopes, &created, &expires, &revoked); err != nil {
			return err
		}
		if copy(k.Hash[:], hash) != len(k.Hash) || len(hash) != len(k.Hash) {
			return fmt.Errorf("key %q has a hash of %d bytes: delete its row", k.ID, len(hash))
		}
		if scopes != "" {
			k.Scopes = strings.Split(scopes, ",")
		}
		k.Created, k.Expires, k.Revoked = time.UnixMilli(created).UTC(), fromMillis(expires), fromMillis(revoked)
		keys = append(keys, k)
		return nil
	})
	return keys, explain(d.path, "reading keys from", err)
}

// PutKey adds a key; auth.ErrExists when its id or its hash is there already.
func (d *DB) PutKey(ctx context.Context, k auth.Key) error {
	n, err := d.exec(ctx, `INSERT INTO keys (id, tenant, project, name, hash, prefix, scopes, created_ms, expires_ms, revoked_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		k.ID, k.Tenant, k.Project, k.Name, k.Hash[:], k.Prefix, strings.Join(k.Scopes, ","),
		k.Created.UnixMilli(), toMillis(k.Expires), toMillis(k.Revoked))
	if err == nil && n == 0 {
		return auth.ErrExists
	}
	return explain(d.path, "writing a key to", err)
}

// RevokeKey marks the key with this id; auth.ErrNotFound when there is none.
func (d *DB) RevokeKey(ctx context.Context, id string, at time.Time) error {
	n, err := d.exec(ctx, `UPDATE keys SET revoked_ms = coalesce(revoked_ms, ?) WHERE id = ?`, at.UnixMilli(), id)
	if err == nil && n == 0 {
		return auth.ErrNotFound
	}
	return explain(d.path, "writing a key to", err)
}

// exec runs one statement on the writing connection and says how many rows it
// changed.
func (d *DB) exec(ctx context.Context, query string, args ...any) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w == nil {
		return 0, errReadOnly
	}
	res, err := d.w.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func toMillis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func fromMillis(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return time.UnixMilli(v.Int64).UTC()
}
