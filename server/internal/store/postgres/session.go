package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

const sessionColumns = `s.id, s.account, s.account_version, s.client, s.transport, s.audience, s.scope, s.device, s.address,
	s.generation, s.mac_key, s.forgiven, s.token_life, s.created_at, s.rotated_at, s.expires_at, s.ended_at, s.end_reason, s.claims`

// sessionFields are where sessionColumns go.
func sessionFields(s *session.Session) []any {
	return []any{&s.ID, &s.Account, &s.AccountVersion, &s.Client, &s.Transport, &s.Audience, &s.Scope, &s.Device, &s.Address,
		&s.Generation, &s.MACKey, &s.Forgiven, (*span)(&s.TokenLife), (*at)(&s.CreatedAt), (*at)(&s.RotatedAt), (*at)(&s.ExpiresAt), (*at)(&s.EndedAt), &s.EndReason, (*claims)(&s.Claims)}
}

func rowFields(r *session.Row) []any {
	return append(sessionFields(&r.Session), accountFields(&r.Holder)...)
}

// session reads a session with its account by one statement.
func (t *tx) session(id session.ID) (r session.Row, err error) {
	err = t.row(`SELECT `+sessionColumns+`, `+accountColumns+` FROM session s JOIN account a ON a.id = s.account WHERE s.id = $1`, string(id)).
		Scan(rowFields(&r)...)
	return r, absent(err)
}

// StartSession inserts the session that begin answers.
func (s *Store) StartSession(ctx context.Context, holder account.ID, begin func(account.Account, time.Time) (session.Session, audit.Event, error)) error {
	return s.do(ctx, func(t *tx) error {
		a, err := t.account(holder, forShare)
		if err != nil {
			return err
		}
		if err := t.locked(); err != nil {
			return err
		}
		n, e, err := begin(a, t.now)
		if err != nil {
			return err
		}
		t.insertSession(n)
		return t.record(e)
	})
}

func (t *tx) insertSession(n session.Session) {
	t.later(`INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address,
			generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason, claims)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		string(n.ID), string(n.Account), n.AccountVersion, n.Client, n.Transport, n.Audience, n.Scope, text(n.Device), text(n.Address),
		int64(n.Generation), n.MACKey, int64(n.Forgiven), n.TokenLife.Microseconds(),
		micros(n.CreatedAt), micros(n.RotatedAt), micros(n.ExpiresAt), micros(n.EndedAt), n.EndReason, string(n.Claims))
	t.keepStatus(n.Status)
}

// text is what a caller says about itself, without the one character that
// PostgreSQL's text cannot hold.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "�") }

// StartExternal makes or changes the account and inserts the session that begin
// answers.
func (s *Store) StartExternal(ctx context.Context, holder account.Account, begin func(was, is account.Account, now time.Time) (session.Session, []audit.Event, error)) error {
	held, err := joinRoles(holder.Roles)
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		was, is, err := t.external(holder, held)
		if err != nil {
			return err
		}
		n, events, err := begin(was, is, t.now)
		if err != nil {
			return err
		}
		t.insertSession(n)
		for _, e := range events {
			if err := t.record(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// external makes the account of holder, or gives it the roles that are held now.
func (t *tx) external(holder account.Account, held string) (was, is account.Account, err error) {
	was, err = t.account(holder.ID, forUpdate)
	if err := t.locked(); err != nil {
		return was, is, err
	}
	switch {
	case errors.Is(err, fault.ErrNotFound):
		err := t.insertAccount(holder, held, "")
		if errors.Is(err, fault.ErrExists) {
			if _, err := t.account(holder.ID, ""); err == nil {
				return was, is, errAgain
			}
		}
		if err != nil {
			return was, is, err
		}
	case err != nil:
		return was, is, err
	case !was.External:
		return was, is, fault.ErrExists
	case strings.Join(was.Roles, " ") == held:
		return was, was, nil
	default:
		t.later(`UPDATE account SET roles = $1, updated_at = $2, version = version + 1 WHERE id = $3`, held, micros(t.now), string(holder.ID))
	}
	if is, err = t.account(holder.ID, ""); err == nil && was.ID != "" {
		t.copyVersion(is)
	}
	return was, is, err
}

// RefreshSession commits the step that decide answers, and then answers
// decide's error.
func (s *Store) RefreshSession(ctx context.Context, id session.ID, decide func(session.Row, time.Time) (session.Step, error)) error {
	var refusal error
	err := s.do(ctx, func(t *tx) error {
		// The row is locked by a statement of its own: what waits for a lock goes
		// on to see the row as it has become, but the account as it was.
		t.later(`SELECT 1 FROM session WHERE id = $1 FOR UPDATE`, string(id))
		row, err := t.session(id)
		if err != nil {
			return err
		}
		if err := t.locked(); err != nil {
			return err
		}
		var step session.Step
		step, refusal = decide(row, t.now)
		return t.step(row.Session, step)
	})
	if err != nil {
		return err
	}
	return refusal
}

// step changes the row old as step says.
func (t *tx) step(old session.Session, step session.Step) error {
	if step.Rotate || step.Forgive {
		n := old
		if step.Rotate {
			if old.Generation == math.MaxUint32 {
				return errors.New("session has no generations left")
			}
			n.Generation, n.MACKey, n.Address, n.RotatedAt = old.Generation+1, step.MACKey, step.Address, t.now
			n.TokenLife = step.TokenLife
		}
		if step.Forgive {
			n.Forgiven = old.Generation
		}
		t.later(`UPDATE session SET generation = $1, mac_key = $2, address = $3, rotated_at = $4, forgiven = $5, token_life = $6 WHERE id = $7`,
			int64(n.Generation), n.MACKey, text(n.Address), micros(n.RotatedAt), int64(n.Forgiven), n.TokenLife.Microseconds(), string(old.ID))
	}
	t.keepStatus(step.Status)
	if step.Event != nil {
		if err := t.record(*step.Event); err != nil {
			return err
		}
	}
	if step.End != "" {
		_, err := t.end(session.Selection{ID: old.ID}, step.End)
		return err
	}
	return nil
}

// EndSessions ends the living sessions that sel selects. Where sel has both an
// ID and an Account, the session must be that account's.
func (s *Store) EndSessions(ctx context.Context, sel session.Selection, reason string, e audit.Event) (n int, err error) {
	err = s.do(ctx, func(t *tx) error {
		if sel.ID == "" && sel.Account != "" {
			// Keeps out log-ins and whoever else changes many of its sessions.
			t.later(`SELECT 1 FROM account WHERE id = $1 FOR UPDATE`, string(sel.Account))
		}
		n, err = t.end(sel, reason, e)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// end ends sessions, records events where there are any to end, and publishes
// their ends in one position of the feed.
func (t *tx) end(sel session.Selection, reason string, events ...audit.Event) (int, error) {
	which := `s.account = $2 AND $1 = '' AND s.id <> $3`
	switch {
	case sel.ID != "":
		which = `s.id = $1 AND ($2 = '' OR s.account = $2) AND s.id <> $3`
	case sel.Account == "":
		return 0, errors.New("no session is selected")
	}
	var living []string
	err := t.each(`SELECT s.id FROM session s WHERE `+which+` AND s.ended_at = 0 ORDER BY s.id FOR UPDATE`, func(row pgx.Rows) error {
		var id string
		err := row.Scan(&id)
		living = append(living, id)
		return err
	}, string(sel.ID), string(sel.Account), string(sel.Except))
	if err != nil || len(living) == 0 {
		return 0, err
	}
	if err := t.locked(); err != nil {
		return 0, err
	}
	for _, e := range events {
		if err := t.record(e); err != nil {
			return 0, err
		}
	}
	t.later(`UPDATE session SET ended_at = $1, end_reason = $2 WHERE id = ANY($3)`, micros(t.now), reason, living)
	t.startFeed()
	t.later(`WITH head AS (UPDATE feed_head SET n = n + 1 RETURNING n)
		INSERT INTO fact (position, kind, value, before_at, expires_at)
		SELECT head.n, $1, s.id, 0, $2 + s.token_life FROM head, session s WHERE s.id = ANY($3)`,
		int64(jwt.SessionFact), micros(t.now.Add(session.FactMargin)), living)
	t.published = true
	return len(living), nil
}

// Session reads one row and, after it, the time.
func (s *Store) Session(ctx context.Context, id session.ID) (r session.Row, now time.Time, err error) {
	defer timing.Start(ctx, timing.Store).End()
	if r, err = s.shared(ctx, id); err != nil {
		return session.Row{}, time.Time{}, err
	}
	now, err = s.Now()
	return r, now, err
}

// Sessions lists the living sessions of an account by id.
func (s *Store) Sessions(ctx context.Context, holder account.ID, idle time.Duration, after session.ID, limit int) (all []session.Session, err error) {
	now, err := s.Now()
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(t *tx) error {
		all = nil
		return t.each(`SELECT `+sessionColumns+` FROM session s
			WHERE s.account = $1 AND s.ended_at = 0 AND s.id > $2 AND s.rotated_at > $3 AND s.expires_at > $4 ORDER BY s.id LIMIT $5`,
			func(row pgx.Rows) error {
				var r session.Session
				if err := row.Scan(sessionFields(&r)...); err != nil {
					return fmt.Errorf("reading session: %w", err)
				}
				all = append(all, r)
				return nil
			}, string(holder), string(after), micros(now.Add(-idle)), micros(now), max(limit, 0))
	})
	return all, err
}

// Sweep deletes, at most limit of each, the facts that have expired and the
// sessions that ended or passed their absolute end longer than deadAfter ago.
// It answers how many rows of each table it deleted; a caller goes on while there
// are any. What anybody holds is left to the next time, so that it waits for
// nobody, and several nodes share the work.
func (s *Store) Sweep(ctx context.Context, deadAfter time.Duration, limit int) (deleted map[string]int, err error) {
	err = s.do(ctx, func(t *tx) error {
		deleted = make(map[string]int)
		dead := micros(t.now.Add(-deadAfter))
		for _, step := range []struct {
			table, query string
			before       int64
		}{
			{"fact", `DELETE FROM fact WHERE (position, kind, value) IN (SELECT position, kind, value FROM fact WHERE expires_at > 0 AND expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, micros(t.now)},
			{"status_entry", `DELETE FROM status_entry WHERE (list, idx) IN (SELECT list, idx FROM status_entry WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, micros(t.now)},
			{"session", `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ended_at > 0 AND ended_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, dead},
			{"session", `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, dead},
		} {
			gone, err := t.exec(step.query, step.before, max(limit, 0))
			if err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
			if gone > 0 {
				deleted[step.table] += int(gone)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deleted, nil
}
