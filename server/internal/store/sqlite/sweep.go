package sqlite

import (
	"context"
	"fmt"
	"time"
)

// Sweep deletes, at most limit of each, the facts that have expired and the
// sessions that ended or passed their absolute end longer than deadAfter ago.
// It answers how many it deleted; a caller goes on while that is not zero.
// Small limits keep refreshes from waiting. An ended session is kept for
// deadAfter so that its tokens are told from forged ones.
//
// Where the wall clock has jumped ahead, time is counted as if it had not, until
// the store is opened again: a clock that is set right afterwards must find the
// revocations that stand.
func (s *Store) Sweep(ctx context.Context, deadAfter time.Duration, limit int) (n int, err error) {
	err = s.do(ctx, func(t *tx) error {
		n = 0
		now := t.now.Add(-s.clock.doubted())
		dead := micros(now.Add(-deadAfter))
		for _, step := range []struct {
			query  string
			before int64
		}{
			{`DELETE FROM fact WHERE (position, kind, value) IN (SELECT position, kind, value FROM fact WHERE expires_at > 0 AND expires_at <= ? LIMIT ?)`, micros(now)},
			{`DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ended_at > 0 AND ended_at <= ? LIMIT ?)`, dead},
			{`DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= ? LIMIT ?)`, dead},
		} {
			gone, err := t.exec(step.query, step.before, max(limit, 0))
			if err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
			n += int(gone)
		}
		if n > 0 {
			t.touched.all = true
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
