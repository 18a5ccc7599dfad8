package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// Record writes an event that belongs to no change.
func (s *Store) Record(ctx context.Context, e audit.Event) error {
	return s.do(ctx, func(t *tx) error { return t.record(e) })
}

// Records reads the outbox: the events after the given number, at most limit,
// and the number of the last one.
func (s *Store) Records(ctx context.Context, after int64, limit int) (all []audit.Record, last int64, err error) {
	err = s.read(ctx, func(t *tx) error {
		all, last, err = t.outbox(after, limit)
		return err
	})
	return all, last, err
}

func (t *tx) outbox(after int64, limit int) (all []audit.Record, last int64, err error) {
	last = after
	err = t.each(`SELECT seq, id, at, what, who, what_salt, who_salt FROM audit_outbox WHERE seq > $1 ORDER BY seq, id LIMIT $2`,
		func(row pgx.Rows) error {
			var r audit.Record
			err := row.Scan(&last, &r.ID, (*at)(&r.At), &r.What, &r.Who, &r.WhatSalt, &r.WhoSalt)
			all = append(all, r)
			return err
		}, after, max(limit, 0))
	return all, last, err
}

// ChainAudit moves events from the outbox to the chain. Whoever does it holds
// the head, and takes out of the outbox what it has read and nothing else: an
// event that is committed late finds its place later.
func (s *Store) ChainAudit(ctx context.Context, limit int) (n int, err error) {
	// Mostly there is nothing, for which nobody need be kept waiting.
	if waiting, _, err := s.Records(ctx, 0, 1); err != nil || len(waiting) == 0 {
		return 0, err
	}
	err = s.do(ctx, func(t *tx) error {
		head, err := t.auditHead(forUpdate)
		if err != nil {
			return err
		}
		records, last, err := t.outbox(0, limit)
		if n = len(records); err != nil || n == 0 {
			return err
		}
		ids := make([]string, n)
		for i, r := range records {
			e := head.Append(r)
			t.later(`INSERT INTO audit_log (seq, id, at, what, what_salt, who, who_salt, link) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				int64(e.Seq), e.ID, micros(e.At), bytes(e.What), e.WhatSalt, bytes(e.Who), e.WhoSalt, e.Link[:])
			head, ids[i] = e.Head(), r.ID
		}
		t.later(`DELETE FROM audit_outbox WHERE seq <= $1 AND id = ANY($2)`, last, ids)
		t.later(`UPDATE audit_head SET seq = $1, link = $2`, int64(head.Seq), head.Link[:])
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// AuditHead reads the head.
func (s *Store) AuditHead(ctx context.Context) (h audit.Head, err error) {
	err = s.read(ctx, func(t *tx) error {
		h, err = t.auditHead("")
		return err
	})
	return h, err
}

func (t *tx) auditHead(lock string) (h audit.Head, err error) {
	err = t.row(`SELECT seq, link FROM audit_head`+lock).Scan(&h.Seq, (*hash)(&h.Link))
	return h, err
}

// AuditAfter reads entries in their order.
func (s *Store) AuditAfter(ctx context.Context, seq uint64, limit int) ([]audit.Entry, error) {
	return s.entries(ctx, `seq > $1 ORDER BY seq`, seq, limit)
}

// AuditBefore reads entries, the newest first.
func (s *Store) AuditBefore(ctx context.Context, seq uint64, limit int) ([]audit.Entry, error) {
	if seq == 0 {
		seq = math.MaxInt64
	}
	return s.entries(ctx, `seq < $1 ORDER BY seq DESC`, seq, limit)
}

func (s *Store) entries(ctx context.Context, which string, seq uint64, limit int) (all []audit.Entry, err error) {
	err = s.read(ctx, func(t *tx) error {
		all = nil
		return t.each(`SELECT seq, id, at, what, what_salt, who, who_salt, who_commit, link FROM audit_log WHERE `+which+` LIMIT $2`,
			func(row pgx.Rows) error {
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
