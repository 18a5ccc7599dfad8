package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/status"
)

// SaveStatus keeps e.
func (s *Store) SaveStatus(ctx context.Context, e status.Entry) error {
	return s.do(ctx, func(t *tx) error {
		t.keepStatus(&e)
		return nil
	})
}

// keepStatus keeps e, where it is not nil.
func (t *tx) keepStatus(e *status.Entry) {
	if e == nil {
		return
	}
	t.later(`INSERT INTO status_entry (list, idx, token, session, subject, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.List, e.Index, e.Token, e.Session, e.Subject, micros(e.IssuedAt), micros(e.Expires))
}

// Each reads the facts by position and then the entries that they concern, by an
// index of their own.
const (
	revokedSessions = `SELECT e.list, e.idx FROM fact f JOIN status_entry e ON e.session = f.value AND e.session <> ''
		WHERE f.position > $1 AND f.kind = 1`
	revokedApps = `SELECT e.list, e.idx FROM fact f JOIN status_entry e ON e.subject = f.value AND e.session = ''
		WHERE f.position > $1 AND f.kind = 4 AND (f.before_at = 0 OR e.issued_at < f.before_at)`
	revokedTokens = `SELECT value FROM fact WHERE position > $1 AND kind = 2`
)

// byIndex keeps PostgreSQL, for one transaction, from reading all entries where its
// statistics know nothing of them yet. Other engines have no such settings, and
// nothing is set.
const byIndex = `SELECT set_config(name, 'off', true) FROM pg_settings WHERE name IN ('enable_hashjoin', 'enable_mergejoin', 'enable_seqscan')`

// StatusSince finds the slots of sessions and apps by their entries, and those of
// tokens in their ids.
func (s *Store) StatusSince(ctx context.Context, sessions, apps uint64, revoked func(status.Slot)) (epoch string, position uint64, err error) {
	slot := func(row pgx.Rows) error {
		var of status.Slot
		if err := row.Scan(&of.List, &of.Index); err != nil {
			return err
		}
		revoked(of)
		return nil
	}
	err = s.snapshot(ctx, func(t *tx) error {
		if err := t.row(`SELECT epoch, n FROM feed_head`).Scan(&epoch, &position); err != nil {
			return err
		}
		t.later(byIndex)
		if position > sessions {
			if err := t.each(revokedSessions, slot, int64(sessions)); err != nil {
				return err
			}
			if err := t.each(revokedTokens, func(row pgx.Rows) error {
				var id string
				if err := row.Scan(&id); err != nil {
					return err
				}
				if of, ok := status.SlotOf(id); ok {
					revoked(of)
				}
				return nil
			}, int64(sessions)); err != nil {
				return err
			}
		}
		if position > apps {
			return t.each(revokedApps, slot, int64(apps))
		}
		return nil
	})
	return epoch, position, err
}

// StatusNamed reports whether an entry of a list is kept.
func (s *Store) StatusNamed(ctx context.Context, list string) (named bool, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT EXISTS (SELECT 1 FROM status_entry WHERE list = $1)`, list).Scan(&named)
	})
	return named, err
}
