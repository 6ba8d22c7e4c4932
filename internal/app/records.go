package app

import (
	"context"
	"path/filepath"

	"github.com/fairlead/fairlead/internal/store/sqlite"
)

// Records is a data folder's record, for reading while no server runs.
type Records = sqlite.DB

// OpenRecords opens the record of a data folder read-only.
func OpenRecords(ctx context.Context, data string) (*Records, error) {
	return sqlite.OpenReadOnly(ctx, filepath.Join(data, DatabaseFile))
}
