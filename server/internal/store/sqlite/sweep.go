package sqlite

import (
	"context"
	"fmt"
	"time"
)

// Sweep deletes, at most limit of each, the facts that have expired and the
// sessions that ended or passed their absolute end longer than deadAfter ago.
// It answers how many rows of each table it deleted; a caller goes on while there
// are any. Small limits keep refreshes from waiting. An ended session is kept for
// deadAfter so that its tokens are told from forged ones.
//
// Where the wall clock has jumped ahead, time is counted as if it had not, until
// the store is opened again: a clock that is set right afterwards must find the
// revocations that stand.
func (s *Store) Sweep(ctx context.Context, deadAfter time.Duration, limit int) (deleted map[string]int, err error) {
	err = s.do(ctx, func(t *tx) error {
		deleted = make(map[string]int)
		now := t.now.Add(-s.clock.doubted())
		dead := micros(now.Add(-deadAfter))
		for _, step := range []struct {
			table, query string
			before       int64
		}{
			{"fact", `DELETE FROM fact WHERE (position, kind, value) IN (SELECT position, kind, value FROM fact WHERE expires_at > 0 AND expires_at <= ? LIMIT ?)`, micros(now)},
			{"status_entry", `DELETE FROM status_entry WHERE (list, idx) IN (SELECT list, idx FROM status_entry WHERE expires_at <= ? LIMIT ?)`, micros(now)},
			{"session", `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ended_at > 0 AND ended_at <= ? LIMIT ?)`, dead},
			{"session", `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= ? LIMIT ?)`, dead},
		} {
			gone, err := t.exec(step.query, step.before, max(limit, 0))
			if err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
			if gone > 0 {
				deleted[step.table] += int(gone)
			}
		}
		if deleted["fact"]+deleted["session"] > 0 { // of the others nothing is remembered
			t.touched.all = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deleted, nil
}

// Sizes answers how many rows the tables that grow have. It counts them, a few
// milliseconds for each hundred thousand, while others read and write.
func (s *Store) Sizes(ctx context.Context) (map[string]int64, error) {
	sizes := make(map[string]int64)
	for table, query := range map[string]string{
		"account":      `SELECT count(*) FROM account`,
		"session":      `SELECT count(*) FROM session`,
		"fact":         `SELECT count(*) FROM fact`,
		"status_entry": `SELECT count(*) FROM status_entry`,
		"audit_outbox": `SELECT count(*) FROM audit_outbox`,
		"audit_log":    `SELECT seq FROM audit_head`, // which has no gaps
	} {
		var n int64
		if err := s.read(ctx, func(c *conn) error { return c.row(query).Scan(&n) }); err != nil {
			return nil, fmt.Errorf("counting rows: %w", err)
		}
		sizes[table] = n
	}
	return sizes, nil
}
