package sqlite

import (
	"context"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// Record writes an event that belongs to no change.
func (s *Store) Record(ctx context.Context, e audit.Event) error {
	return s.do(ctx, func(t *tx) error { return t.record(e) })
}

// Records reads the outbox in the order of commits: the events after the given
// number, at most limit, and the number of the last one.
func (s *Store) Records(ctx context.Context, after int64, limit int) (all []audit.Record, last int64, err error) {
	last = after
	err = s.read(ctx, func(c *conn) error {
		return c.each(`SELECT seq, id, at, what, who, what_salt, who_salt FROM audit_outbox WHERE seq > ? ORDER BY seq LIMIT ?`,
			func(row scanner) error {
				var r audit.Record
				if err := row.Scan(&last, &r.ID, (*at)(&r.At), &r.What, &r.Who, &r.WhatSalt, &r.WhoSalt); err != nil {
					return err
				}
				all = append(all, r)
				return nil
			}, after, limit)
	})
	return all, last, err
}
