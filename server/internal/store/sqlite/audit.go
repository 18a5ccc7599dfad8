package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// Record writes an event that belongs to no change.
func (s *Store) Record(ctx context.Context, e audit.Event) error {
	return s.do(ctx, func(t *tx) error { return t.record(e) })
}

// Records reads the outbox in the order of commits: the events after the given
// number, at most limit, and the number of the last one.
func (s *Store) Records(ctx context.Context, after int64, limit int) (all []audit.Record, last int64, err error) {
	err = s.read(ctx, func(c *conn) error {
		all, last, err = c.outbox(after, limit)
		return err
	})
	return all, last, err
}

func (c *conn) outbox(after int64, limit int) (all []audit.Record, last int64, err error) {
	last = after
	err = c.each(`SELECT seq, id, at, what, who, what_salt, who_salt FROM audit_outbox WHERE seq > ? ORDER BY seq LIMIT ?`,
		func(row scanner) error {
			var r audit.Record
			if err := row.Scan(&last, &r.ID, (*at)(&r.At), &r.What, &r.Who, &r.WhatSalt, &r.WhoSalt); err != nil {
				return err
			}
			all = append(all, r)
			return nil
		}, after, max(limit, 0))
	return all, last, err
}

// ChainAudit moves events from the outbox to the chain. There is one writer,
// so no two do it at once.
func (s *Store) ChainAudit(ctx context.Context, limit int) (n int, err error) {
	// Mostly there is nothing, which the writer need not be asked for.
	if waiting, _, err := s.Records(ctx, 0, 1); err != nil || len(waiting) == 0 {
		return 0, err
	}
	err = s.do(ctx, func(t *tx) error {
		records, last, err := t.c.outbox(0, limit)
		if n = len(records); err != nil || n == 0 {
			return err
		}
		head, err := t.c.auditHead()
		if err != nil {
			return err
		}
		for _, r := range records {
			e := head.Append(r)
			if _, err := t.exec(`INSERT INTO audit_log (seq, id, at, what, what_salt, who, who_salt, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
				int64(e.Seq), e.ID, micros(e.At), e.What, e.WhatSalt, e.Who, e.WhoSalt, e.Link[:]); err != nil {
				return fmt.Errorf("chaining record %d: %w", e.Seq, err)
			}
			head = e.Head()
		}
		if _, err := t.exec(`DELETE FROM audit_outbox WHERE seq <= ?`, last); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE audit_head SET seq = ?, link = ?`, int64(head.Seq), head.Link[:])
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// AuditHead reads the head.
func (s *Store) AuditHead(ctx context.Context) (h audit.Head, err error) {
	err = s.read(ctx, func(c *conn) error {
		h, err = c.auditHead()
		return err
	})
	return h, err
}

func (c *conn) auditHead() (h audit.Head, err error) {
	err = c.row(`SELECT seq, link FROM audit_head`).Scan(&h.Seq, (*hash)(&h.Link))
	return h, err
}

// AuditAfter reads entries in their order.
func (s *Store) AuditAfter(ctx context.Context, seq uint64, limit int) ([]audit.Entry, error) {
	return s.entries(ctx, `seq > ? ORDER BY seq`, seq, limit)
}

// AuditBefore reads entries, the newest first.
func (s *Store) AuditBefore(ctx context.Context, seq uint64, limit int) ([]audit.Entry, error) {
	if seq == 0 {
		seq = math.MaxInt64
	}
	return s.entries(ctx, `seq < ? ORDER BY seq DESC`, seq, limit)
}

func (s *Store) entries(ctx context.Context, which string, seq uint64, limit int) (all []audit.Entry, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(`SELECT seq, id, at, what, what_salt, who, who_salt, who_commit, link FROM audit_log WHERE `+which+` LIMIT ?`,
			func(row scanner) error {
				var e audit.Entry
				if err := row.Scan(&e.Seq, &e.ID, (*at)(&e.At), &e.What, &e.WhatSalt, &e.Who, &e.WhoSalt, (*hash)(&e.WhoCommit), (*hash)(&e.Link)); err != nil {
					return err
				}
				all = append(all, e)
				return nil
			}, int64(min(seq, math.MaxInt64)), max(limit, 0))
	})
	return all, err
}

// hash scans a hash; NULL is the zero one.
type hash audit.Hash

func (h *hash) Scan(src any) error {
	switch b, ok := src.([]byte); {
	case src == nil:
		*h = hash{}
	case !ok || len(b) != len(h):
		return fmt.Errorf("%w: a hash is %T of %d bytes", errDamaged, src, len(b))
	default:
		copy(h[:], b)
	}
	return nil
}
