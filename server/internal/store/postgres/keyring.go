package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
	err = s.snapshot(ctx, func(t *tx) error {
		r, err = t.ring(s.id)
		return err
	})
	return r, now, err
}

func (t *tx) ring(storeID string) (keyring.Sealed, error) {
	r := keyring.Sealed{StoreID: storeID}
	err := t.row(`SELECT version, root_key, wrapped_key FROM ring`).Scan(&r.Version, &r.RootKeyID, &r.WrappedKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	err = t.each(`SELECT id, purpose, algorithm, state, created_at, active_at, retired_at, gone_at, version, blob FROM ring_key ORDER BY place`,
		func(row pgx.Rows) error {
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
		query := `UPDATE ring SET version = $1::bigint, root_key = $2, wrapped_key = $3 WHERE version = $1::bigint - 1`
		if r.Version == 1 {
			query = `INSERT INTO ring (one, version, root_key, wrapped_key) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING`
		}
		n, err := t.exec(query, int64(r.Version), r.RootKeyID, bytes(r.WrappedKey))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.ErrChanged
		}
		t.later(`DELETE FROM ring_key`)
		for i, k := range r.Keys {
			t.later(`INSERT INTO ring_key (place, id, purpose, algorithm, state, created_at, active_at, retired_at, gone_at, version, blob)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
				i+1, k.ID, k.Purpose, string(k.Algorithm), k.State, micros(k.CreatedAt), micros(k.ActiveAt),
				micros(k.RetiredAt), micros(k.GoneAt), int64(k.Version), bytes(k.Blob))
		}
		if err := t.record(e); err != nil {
			return err
		}
		for _, id := range revoked {
			t.publish(jwt.KeyFact, id, time.Time{}, time.Time{})
		}
		return nil
	})
}
