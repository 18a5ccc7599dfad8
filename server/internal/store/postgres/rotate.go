package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// The conditions are those of session.Decide, row by row. Whoever changes the
// account while this waits for the session changes the session's copy of the
// version as well, so that the two differ where the account was read too early.
const rotate = `UPDATE session s SET
		generation = s.generation + 1, mac_key = $1, address = $2,
		rotated_at = greatest(s.rotated_at, $3), token_life = greatest(s.token_life, l.life)
	FROM account a, unnest($4::text[], $5::bigint[]) AS l (audience, life)
	WHERE s.id = $6 AND s.client = $7 AND s.transport = $8
		AND s.ended_at = 0 AND s.rotated_at > $9 AND s.expires_at > $3 AND s.generation < $10
		AND a.id = s.account AND NOT a.disabled AND a.version = s.account_version
		AND s.generation = $11
		AND l.audience = s.audience
	RETURNING ` + sessionColumns + `, ` + accountColumns

// rotateKept is rotate with the entry of a status list in the same statement.
// What the entry needs of the rotated row stands last in it.
const rotateKept = `WITH rotated AS (` + rotate + `, s.account AS told_of, s.audience AS told_for, l.life AS told_life),
	kept AS (INSERT INTO status_entry (list, idx, token, session, subject, issued_at, expires_at)
		SELECT $12, $13, $14, $6, told_of, $15, $15 + told_life + $16 FROM rotated WHERE told_for <> ALL ($17::text[]))
	SELECT * FROM rotated`

// RotateSession makes the plain rotation in one statement, which is its own
// transaction: one round trip, and no row is held longer than the commit takes.
func (s *Store) RotateSession(ctx context.Context, id session.ID, r session.Rotation) (row session.Row, now time.Time, rotated bool, err error) {
	var audiences []string
	var lives []int64
	for audience, life := range r.Lives {
		audiences, lives = append(audiences, audience), append(lives, life.Microseconds())
	}
	if now, err = s.Now(); err != nil {
		return row, now, false, err
	}
	query, fields := rotate, rowFields(&row)
	args := []any{r.MACKey, text(r.Address), micros(now), audiences, lives, string(id), r.Client, r.Transport,
		micros(now.Add(-r.Idle)), int64(math.MaxUint32), int64(r.Generation)}
	if e := r.Status; e != nil {
		// What is told of the row is not read; an array that is NULL equals nothing.
		query, fields = rotateKept, append(fields, nil, nil, nil)
		args = append(args, e.List, e.Index, e.Token, micros(now.Truncate(time.Second)), status.Margin.Microseconds(), append([]string{}, r.Opaque...))
	}
	err = s.read(ctx, func(t *tx) error {
		err := absent(t.row(query, args...).Scan(fields...))
		switch {
		case err == nil:
			rotated = true
			return nil
		case err == fault.ErrNotFound:
			return nil
		case pgconn.SafeToRetry(err):
			return err
		}
		return s.uncertain(err)
	})
	return row, now, rotated, err
}
