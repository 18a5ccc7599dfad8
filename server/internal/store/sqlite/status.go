package sqlite

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/status"
)

// SaveStatus keeps e.
func (s *Store) SaveStatus(ctx context.Context, e status.Entry) error {
	return s.do(ctx, func(t *tx) error { return t.keepStatus(&e) })
}

// keepStatus keeps e, where it is not nil.
func (t *tx) keepStatus(e *status.Entry) error {
	if e == nil {
		return nil
	}
	if _, err := t.exec(`INSERT INTO status_entry (list, idx, token, session, subject, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		e.List, e.Index, e.Token, e.Session, e.Subject, micros(e.IssuedAt), micros(e.Expires)); err != nil {
		return fmt.Errorf("keeping the status of token %s: %w", e.Token, err)
	}
	return nil
}

// Each reads the facts by position and then the entries that they concern, by an
// index of their own.
const (
	revokedSessions = `SELECT e.list, e.idx FROM fact f CROSS JOIN status_entry e ON e.session = f.value AND e.session <> ''
		WHERE f.position > ? AND f.kind = 1`
	revokedApps = `SELECT e.list, e.idx FROM fact f CROSS JOIN status_entry e ON e.subject = f.value AND e.session = ''
		WHERE f.position > ? AND f.kind = 4 AND (f.before_at = 0 OR e.issued_at < f.before_at)`
	revokedTokens = `SELECT value FROM fact WHERE position > ? AND kind = 2`
)

// StatusSince finds the slots of sessions and apps by their entries, and those of
// tokens in their ids.
func (s *Store) StatusSince(ctx context.Context, sessions, apps uint64, revoked func(status.Slot)) (epoch string, position uint64, err error) {
	slot := func(row scanner) error {
		var of status.Slot
		if err := row.Scan(&of.List, &of.Index); err != nil {
			return err
		}
		revoked(of)
		return nil
	}
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			h, err := c.head()
			if err != nil {
				return err
			}
			epoch, position = h.Epoch, h.Position
			if position > sessions {
				if err := c.each(revokedSessions, slot, int64(sessions)); err != nil {
					return err
				}
				if err := c.each(revokedTokens, func(row scanner) error {
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
				return c.each(revokedApps, slot, int64(apps))
			}
			return nil
		})
	})
	return epoch, position, err
}

// StatusNamed reports whether an entry of a list is kept.
func (s *Store) StatusNamed(ctx context.Context, list string) (named bool, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.row(`SELECT EXISTS (SELECT 1 FROM status_entry WHERE list = ?)`, list).Scan(&named)
	})
	return named, err
}
