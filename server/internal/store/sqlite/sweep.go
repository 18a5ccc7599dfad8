package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/session"
)

// A step of sweeping holds everybody up who writes. It therefore deletes a few
// rows at a time and ends when it has taken so long, as where the pages must
// come from a slow disk.
const (
	sweepRows = 20
	sweepTime = 10 * time.Millisecond
)

// Sweep deletes, at most limit of each, the facts that have expired and the
// sessions that ended or passed their absolute end longer than deadAfter ago.
// It answers how many rows of each table it deleted, which is fewer where they
// take long; a caller goes on while there are any. An ended session is kept for
// deadAfter so that its tokens are told from forged ones.
//
// Where the wall clock has jumped ahead, time is counted as if it had not, until
// the store is opened again: a clock that is set right afterwards must find the
// revocations that stand.
func (s *Store) Sweep(ctx context.Context, deadAfter time.Duration, limit int) (deleted map[string]int, err error) {
	err = s.do(ctx, func(t *tx) error {
		deleted = make(map[string]int)
		start := time.Now()
		now := t.now.Add(-s.clock.doubted())
		dead := micros(now.Add(-deadAfter))
		for _, step := range []struct {
			table, query string
			before       int64
		}{
			{"fact", `DELETE FROM fact WHERE (position, kind, value) IN (SELECT position, kind, value FROM fact WHERE expires_at > 0 AND expires_at <= ? LIMIT ?) RETURNING ''`, micros(now)},
			{"status_entry", `DELETE FROM status_entry WHERE (list, idx) IN (SELECT list, idx FROM status_entry WHERE expires_at <= ? LIMIT ?) RETURNING ''`, micros(now)},
			{"session", `DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE ended_at > 0 AND ended_at <= ? LIMIT ?) RETURNING id`, dead},
			{"session", `DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE expires_at <= ? LIMIT ?) RETURNING id`, dead},
		} {
			for left := limit; left > 0; left -= sweepRows {
				gone := 0
				if err := t.each(step.query, func(row scanner) error {
					gone++
					var id session.ID
					if err := row.Scan(&id); err != nil || step.table != "session" {
						return err
					}
					t.touched.sessions = append(t.touched.sessions, id)
					return nil
				}, step.before, min(left, sweepRows)); err != nil {
					return fmt.Errorf("sweeping: %w", err)
				}
				if gone > 0 {
					deleted[step.table] += gone
				}
				if gone < min(left, sweepRows) || time.Since(start) > sweepTime {
					break
				}
			}
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
