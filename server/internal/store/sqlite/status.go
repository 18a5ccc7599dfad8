package sqlite

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/fault"
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

// revokedOf reads the facts once, however many entries the list has.
const revokedOf = `SELECT idx FROM status_entry WHERE list = ?1 AND session IN (SELECT value FROM fact WHERE kind = 1)
	UNION SELECT idx FROM status_entry WHERE list = ?1 AND token IN (SELECT value FROM fact WHERE kind = 2)
	UNION SELECT e.idx FROM status_entry e
		JOIN (SELECT value, min(before_at) AS least, max(before_at) AS most FROM fact WHERE kind = 4 GROUP BY value) app ON app.value = e.subject
		WHERE e.list = ?1 AND e.session = '' AND (app.least = 0 OR e.issued_at < app.most)`

// StatusList joins the entries of a list with the facts about their sessions
// and tokens and, for tokens without a session, subjects.
func (s *Store) StatusList(ctx context.Context, list string) (revoked []int, err error) {
	var known bool
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			revoked, known = nil, false
			if err := c.row(`SELECT EXISTS (SELECT 1 FROM status_entry WHERE list = ?1)`, list).Scan(&known); err != nil || !known {
				return err
			}
			return c.each(revokedOf,
				func(row scanner) error {
					var i int
					if err := row.Scan(&i); err != nil {
						return err
					}
					revoked = append(revoked, i)
					return nil
				}, list)
		})
	})
	if err == nil && !known {
		err = fmt.Errorf("status list: %w", fault.ErrNotFound)
	}
	return revoked, err
}
