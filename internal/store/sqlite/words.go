package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"strconv"
	"strings"
	"sync"
)

// maxWords bounds each in-memory map of words; a full one is emptied, and fills again
// from the tables.
const maxWords = 1 << 15

// dictionary is what ids stand for.
type dictionary struct {
	names  map[int64]string
	series map[int64]series
	places map[int64]place
}

func newDictionary() dictionary {
	return dictionary{names: map[int64]string{}, series: map[int64]series{}, places: map[int64]place{}}
}

// needs is the ids that some rows name.
type needs struct {
	names, series, places map[int64]struct{}
}

// words is what readers remember of the tables names, series and places. A row of
// these is never changed, so what was read once stays true.
type words struct {
	mu   sync.Mutex
	have dictionary
}

func newWords() *words { return &words{have: newDictionary()} }

// load returns what the ids stand for; those that are not remembered are read.
func (w *words) load(ctx context.Context, db *sql.DB, n needs) (dictionary, error) {
	delete(n.names, 0)
	d := newDictionary()
	w.mu.Lock()
	names := known(w.have.names, d.names, n.names)
	rows := known(w.have.series, d.series, n.series)
	places := known(w.have.places, d.places, n.places)
	w.mu.Unlock()

	err := each(ctx, db, "SELECT id, name FROM names WHERE id IN ", names, func(rows *sql.Rows) error {
		var id int64
		var name string
		err := rows.Scan(&id, &name)
		d.names[id] = name
		return err
	})
	if err != nil {
		return d, err
	}
	err = each(ctx, db, "SELECT id, tenant, project, key_id, key, dialect, surface, model, target, route FROM series WHERE id IN ", rows, func(rows *sql.Rows) error {
		var id int64
		var s series
		err := rows.Scan(&id, &s.Tenant, &s.Project, &s.KeyID, &s.Key, &s.dialect, &s.surface, &s.model, &s.target, &s.route)
		d.series[id] = s
		return err
	})
	if err != nil {
		return d, err
	}
	err = each(ctx, db, "SELECT id, target, provider, model FROM places WHERE id IN ", places, func(rows *sql.Rows) error {
		var id int64
		var p place
		err := rows.Scan(&id, &p.target, &p.provider, &p.model)
		d.places[id] = p
		return err
	})
	if err != nil {
		return d, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	remember(w.have.names, d.names)
	remember(w.have.series, d.series)
	remember(w.have.places, d.places)
	return d, nil
}

// known copies what have holds of the wanted ids, and returns the others.
func known[V any](have, into map[int64]V, want map[int64]struct{}) (missing []int64) {
	for id := range want {
		if v, ok := have[id]; ok {
			into[id] = v
		} else {
			missing = append(missing, id)
		}
	}
	return missing
}

func remember[V any](have, more map[int64]V) {
	if len(have)+len(more) > maxWords {
		clear(have)
	}
	maps.Copy(have, more)
}

// each runs query with the list of ids behind it, a thousand at a time.
func each(ctx context.Context, db *sql.DB, query string, ids []int64, scan func(*sql.Rows) error) error {
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		rows, err := db.QueryContext(ctx, query+numbers(ids[:n]))
		if err != nil {
			return err
		}
		if err := drain(rows, scan); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// drain scans every row and closes rows.
func drain(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// numbers is ids as a list in SQL.
func numbers(ids []int64) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(')')
	return b.String()
}
