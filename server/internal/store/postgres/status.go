package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/fault"
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

// revokedOf reads the facts once, however many entries the list has.
const revokedOf = `SELECT idx FROM status_entry WHERE list = $1 AND session IN (SELECT value FROM fact WHERE kind = 1)
	UNION SELECT idx FROM status_entry WHERE list = $1 AND token IN (SELECT value FROM fact WHERE kind = 2)
	UNION SELECT e.idx FROM status_entry e
		JOIN (SELECT value, min(before_at) AS least, max(before_at) AS most FROM fact WHERE kind = 4 GROUP BY value) app ON app.value = e.subject
		WHERE e.list = $1 AND e.session = '' AND (app.least = 0 OR e.issued_at < app.most)`

// noLoops keeps PostgreSQL, for one transaction, from reading all facts for each
// entry of a list that its statistics do not know yet. Other engines have no
// such setting, and nothing is set.
const noLoops = `SELECT set_config(name, 'off', true) FROM pg_settings WHERE name = 'enable_nestloop'`

// StatusList joins the entries of a list with the facts about their sessions
// and tokens and, for tokens without a session, subjects.
func (s *Store) StatusList(ctx context.Context, list string) (revoked []int, err error) {
	var known bool
	err = s.snapshot(ctx, func(t *tx) error {
		revoked, known = nil, false
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM status_entry WHERE list = $1)`, list).Scan(&known); err != nil || !known {
			return err
		}
		t.later(noLoops)
		return t.each(revokedOf,
			func(row pgx.Rows) error {
				var i int
				if err := row.Scan(&i); err != nil {
					return err
				}
				revoked = append(revoked, i)
				return nil
			}, list)
	})
	if err == nil && !known {
		err = fmt.Errorf("status list: %w", fault.ErrNotFound)
	}
	return revoked, err
}
