package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// An Examination is what can be said about a store from its database.
type Examination struct {
	Version  int64     // of the tables
	Newest   int64     // version that this program knows; Open brings older tables up to it
	Mark     time.Time // the highest time of the database's clock that was seen
	Ring     keyring.Sealed
	Warnings []string // about settings of the database's server
}

// Examine reads and changes nothing: fs.ErrNotExist where the database has no
// tables, and otherwise what keeps a server from working with it.
func Examine(ctx context.Context, url string) (e Examination, err error) {
	s, err := probe(ctx, url)
	if err != nil {
		return e, err
	}
	defer s.shut()
	return e, explain(e.read(ctx, s))
}

func (e *Examination) read(ctx context.Context, s *Store) (err error) {
	if err := s.inspect(ctx); err != nil {
		return err
	}
	if e.Version, err = s.version(ctx); err != nil {
		return err
	}
	e.Newest = s.newest()
	if e.Version == 0 {
		return fmt.Errorf("it is empty: %w", fs.ErrNotExist)
	}
	if err := s.compatible(ctx, e.Version); err != nil {
		return err
	}
	if err := e.settings(ctx, s); err != nil {
		return err
	}
	var id string
	if err := s.pool.QueryRow(ctx, `SELECT id, mark FROM store`).Scan(&id, (*at)(&e.Mark)); err != nil {
		return err
	}
	s.clock = newClock(time.Now, s.log)
	s.clock.set(0, time.Now(), time.Now().UTC(), time.Time{}) // nothing here depends on it
	return s.snapshot(ctx, func(t *tx) error {
		e.Ring, err = t.ring(id)
		return err
	})
}

// settings looks at what would take from a crash what was answered, and at what
// a node needs room for.
func (e *Examination) settings(ctx context.Context, s *Store) error {
	var fsync, pages string
	var most int
	if err := s.pool.QueryRow(ctx, `SELECT current_setting('fsync', true), current_setting('full_page_writes', true), current_setting('max_connections', true)::int`).
		Scan(&fsync, &pages, &most); err != nil {
		return nil // another engine, which has no such settings
	}
	if fsync != "on" || pages != "on" {
		e.Warnings = append(e.Warnings, "its server runs with fsync or full_page_writes off: a crash may take what was answered, or all; turn both on")
	}
	if most < 2*connections {
		e.Warnings = append(e.Warnings, fmt.Sprintf("its server takes %d connections and each node wants up to %d; raise max_connections, or add pool_max_conns to the URL", most, connections+1))
	}
	return nil
}
