package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const versionTable = "goose_db_version"

// migrate brings the tables up to date. A database that a newer Fairlead made is
// refused: this one would not know what it must keep true.
func migrate(ctx context.Context, db *sql.DB) error {
	if err := refuseNewer(ctx, db); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// checkVersion is for readers, which change nothing.
func checkVersion(ctx context.Context, db *sql.DB) error {
	if err := refuseNewer(ctx, db); err != nil {
		return err
	}
	have, err := version(ctx, db)
	if err != nil {
		return err
	}
	if want, err := latest(); err != nil || have < want {
		return fmt.Errorf("its tables are of version %d and this Fairlead reads version %d: run `fairlead up` once, it brings them up to date (%w)", have, want, err)
	}
	return nil
}

func refuseNewer(ctx context.Context, db *sql.DB) error {
	have, err := version(ctx, db)
	if err != nil {
		return err
	}
	know, err := latest()
	if err != nil {
		return err
	}
	if have > know {
		return fmt.Errorf("its tables are of version %d, made by a newer Fairlead, and this one knows version %d: install the newer Fairlead again, or use another data folder", have, know)
	}
	return nil
}

// version is the highest migration that was applied, 0 in a new file.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var there int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", versionTable).Scan(&there)
	if err != nil || there == 0 {
		return 0, err
	}
	var v sql.NullInt64
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM "+versionTable+" WHERE is_applied").Scan(&v)
	return v.Int64, err
}

// latest is the highest migration in this binary.
func latest() (int64, error) {
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	var top int64
	for _, e := range entries {
		var n int64
		number, _, _ := strings.Cut(e.Name(), "_")
		if _, err := fmt.Sscanf(number, "%d", &n); err != nil {
			return 0, fmt.Errorf("migration %s has no number: %w", e.Name(), err)
		}
		top = max(top, n)
	}
	return top, nil
}
