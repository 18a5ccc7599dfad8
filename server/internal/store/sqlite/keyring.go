package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// LoadRing reads the ring as of one moment, and the time before it.
func (s *Store) LoadRing(ctx context.Context) (r keyring.Sealed, now time.Time, err error) {
	if now, err = s.Now(); err != nil {
		return r, now, err
	}
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			r, err = c.ring(s.id)
			return err
		})
	})
	return r, now, err
}

func (c *conn) ring(storeID string) (keyring.Sealed, error) {
	r := keyring.Sealed{StoreID: storeID}
	err := c.row(`SELECT version, root_key, wrapped_key FROM ring`).Scan(&r.Version, &r.RootKeyID, &r.WrappedKey)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	err = c.each(`SELECT id, purpose, algorithm, state, created_at, active_at, retired_at, gone_at, version, blob FROM ring_key ORDER BY place`,
		func(row scanner) error {
			var k keyring.SealedKey
			if err := row.Scan(&k.ID, &k.Purpose, &k.Algorithm, &k.State, (*at)(&k.CreatedAt), (*at)(&k.ActiveAt),
				(*at)(&k.RetiredAt), (*at)(&k.GoneAt), &k.Version, &k.Blob); err != nil {
				return err
			}
			r.Keys = append(r.Keys, k)
			return nil
		})
	return r, err
}

// SaveRing replaces the ring where it still is what was read.
func (s *Store) SaveRing(ctx context.Context, r keyring.Sealed, e audit.Event, revoked ...string) error {
	if r.StoreID != s.id {
		return fmt.Errorf("saving key ring: it belongs to the store %q, this is %q", r.StoreID, s.id)
	}
	if r.Version == 0 {
		return errors.New("saving key ring: version 0 is no ring")
	}
	return s.do(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO ring (one, version, root_key, wrapped_key) SELECT 1, ?1, ?2, ?3 WHERE ?1 = 1 ON CONFLICT DO NOTHING`,
			int64(r.Version), r.RootKeyID, r.WrappedKey)
		if err == nil && n == 0 {
			n, err = t.exec(`UPDATE ring SET version = ?1, root_key = ?2, wrapped_key = ?3 WHERE version = ?1 - 1`,
				int64(r.Version), r.RootKeyID, r.WrappedKey)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.ErrChanged
		}
		if _, err := t.exec(`DELETE FROM ring_key`); err != nil {
			return err
		}
		for i, k := range r.Keys {
			if _, err := t.exec(`INSERT INTO ring_key (place, id, purpose, algorithm, state, created_at, active_at, retired_at, gone_at, version, blob)
					VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				i+1, k.ID, k.Purpose, string(k.Algorithm), k.State, micros(k.CreatedAt), micros(k.ActiveAt),
				micros(k.RetiredAt), micros(k.GoneAt), int64(k.Version), k.Blob); err != nil {
				return fmt.Errorf("saving key %q: %w", k.ID, err)
			}
		}
		if err := t.record(e); err != nil {
			return err
		}
		for _, id := range revoked {
			if err := t.publish(jwt.KeyFact, id, time.Time{}, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}
