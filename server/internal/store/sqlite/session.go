package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

const sessionColumns = `s.id, s.account, s.account_version, s.client, s.transport, s.audience, s.scope, s.device, s.address,
	s.generation, s.mac_key, s.forgiven, s.token_life, s.created_at, s.rotated_at, s.expires_at, s.ended_at, s.end_reason, s.claims`

// sessionFields are where sessionColumns go.
func sessionFields(s *session.Session) []any {
	return []any{&s.ID, &s.Account, &s.AccountVersion, &s.Client, &s.Transport, &s.Audience, &s.Scope, &s.Device, &s.Address,
		&s.Generation, &s.MACKey, &s.Forgiven, (*span)(&s.TokenLife), (*at)(&s.CreatedAt), (*at)(&s.RotatedAt), (*at)(&s.ExpiresAt), (*at)(&s.EndedAt), &s.EndReason, (*claims)(&s.Claims)}
}

// session reads a session with its account by one statement. place is where
// the row is stored, which finds it faster than its id within a transaction.
func (c *conn) session(id session.ID) (r session.Row, place int64, err error) {
	fields := append(sessionFields(&r.Session), accountFields(&r.Holder)...)
	err = c.row(`SELECT `+sessionColumns+`, `+accountColumns+`, s.rowid FROM session s JOIN account a ON a.id = s.account WHERE s.id = ?`, string(id)).
		Scan(append(fields, &place)...)
	return r, place, absent(err)
}

// StartSession inserts the session that begin answers.
func (s *Store) StartSession(ctx context.Context, holder account.ID, begin func(account.Account, time.Time) (session.Session, audit.Event, error)) error {
	return s.do(ctx, func(t *tx) error {
		a, err := t.c.account(holder)
		if err != nil {
			return err
		}
		n, e, err := begin(a, t.now)
		if err != nil {
			return err
		}
		if err := t.insertSession(n); err != nil {
			return err
		}
		return t.record(e)
	})
}

func (t *tx) insertSession(n session.Session) error {
	_, err := t.exec(`INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address,
			generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason, claims)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		string(n.ID), string(n.Account), n.AccountVersion, n.Client, n.Transport, n.Audience, n.Scope, n.Device, n.Address,
		int64(n.Generation), n.MACKey, int64(n.Forgiven), n.TokenLife.Microseconds(),
		micros(n.CreatedAt), micros(n.RotatedAt), micros(n.ExpiresAt), micros(n.EndedAt), n.EndReason, string(n.Claims))
	if err != nil {
		return fmt.Errorf("inserting session: %w", err)
	}
	return t.keepStatus(n.Status)
}

// StartExternal makes or changes the account and inserts the session that begin
// answers.
func (s *Store) StartExternal(ctx context.Context, holder account.Account, begin func(was, is account.Account, now time.Time) (session.Session, []audit.Event, error)) error {
	held, err := joinRoles(holder.Roles)
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		was, err := t.c.account(holder.ID)
		switch {
		case errors.Is(err, fault.ErrNotFound):
			if err := t.insertAccount(holder, held, ""); err != nil {
				return err
			}
		case err != nil:
			return err
		case !was.External:
			return fault.ErrExists
		case strings.Join(was.Roles, " ") != held:
			if _, err := t.exec(`UPDATE account SET roles = ?, updated_at = ?, version = version + 1 WHERE id = ?`,
				held, micros(t.now), string(holder.ID)); err != nil {
				return err
			}
			t.touched.accounts = append(t.touched.accounts, holder.ID)
		}
		is, err := t.c.account(holder.ID)
		if err != nil {
			return err
		}
		if was.ID != "" && is.Version != was.Version {
			if err := t.copyVersion(is); err != nil {
				return err
			}
		}
		n, events, err := begin(was, is, t.now)
		if err != nil {
			return err
		}
		if err := t.insertSession(n); err != nil {
			return err
		}
		for _, e := range events {
			if err := t.record(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// RefreshSession commits the step that decide answers, and then answers
// decide's error.
func (s *Store) RefreshSession(ctx context.Context, id session.ID, decide func(session.Row, time.Time) (session.Step, error)) error {
	var refusal error
	err := s.do(ctx, func(t *tx) error {
		row, place, err := t.c.session(id)
		if err != nil {
			return err
		}
		var step session.Step
		step, refusal = decide(row, t.now)
		return t.step(row.Session, place, step)
	})
	if err != nil {
		return err
	}
	return refusal
}

// step changes the row old, stored at place, as step says.
func (t *tx) step(old session.Session, place int64, step session.Step) error {
	if step.Rotate || step.Forgive {
		t.touched.sessions = append(t.touched.sessions, old.ID)
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
		const update = `UPDATE session SET generation = ?, mac_key = ?, address = ?, rotated_at = ?, forgiven = ?, token_life = ? WHERE rowid = ?`
		args := []any{int64(n.Generation), n.MACKey, n.Address, micros(n.RotatedAt), int64(n.Forgiven), n.TokenLife.Microseconds(), place}
		if step.End == "" && step.Event == nil && step.Status == nil {
			return t.only(update, args...)
		}
		if _, err := t.exec(update, args...); err != nil {
			return err
		}
	}
	if err := t.keepStatus(step.Status); err != nil {
		return err
	}
	if step.End != "" {
		if _, err := t.end(session.Selection{ID: old.ID}, step.End); err != nil {
			return err
		}
	}
	if step.Event != nil {
		return t.record(*step.Event)
	}
	return nil
}

// EndSessions ends the living sessions that sel selects. Where sel has both an
// ID and an Account, the session must be that account's.
func (s *Store) EndSessions(ctx context.Context, sel session.Selection, reason string, e audit.Event) (n int, err error) {
	err = s.do(ctx, func(t *tx) error {
		if n, err = t.end(sel, reason); err != nil || n == 0 {
			return err
		}
		return t.record(e)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// which selects the living sessions that are meant. Unlike one condition with
// alternatives, two let the planner use an index for each.
const (
	byID      = ` FROM session s WHERE s.id = ?1 AND (?2 = '' OR s.account = ?2) AND s.id <> ?3 AND s.ended_at = 0`
	byAccount = ` FROM session s WHERE s.account = ?2 AND ?1 = '' AND s.id <> ?3 AND s.ended_at = 0`
)

// end ends sessions and publishes their ends in one position of the feed. There
// is one writer, so positions follow the order of commits.
func (t *tx) end(sel session.Selection, reason string) (int, error) {
	which := byAccount
	switch {
	case sel.ID != "":
		which = byID
	case sel.Account == "":
		return 0, errors.New("no session is selected")
	}
	id, holder, except := string(sel.ID), string(sel.Account), string(sel.Except)
	var living bool
	if err := t.c.row(`SELECT EXISTS (SELECT 1`+which+`)`, id, holder, except).Scan(&living); err != nil || !living {
		return 0, err
	}
	if err := t.startFeed(); err != nil {
		return 0, err
	}
	if _, err := t.exec(`INSERT INTO fact (position, kind, value, before_at, expires_at)
			SELECT (SELECT n + 1 FROM feed_head), ?4, s.id, 0, ?5 + s.token_life`+which,
		id, holder, except, int64(jwt.SessionFact), micros(t.now.Add(session.FactMargin))); err != nil {
		return 0, err
	}
	n, err := t.exec(`UPDATE session SET ended_at = ?4, end_reason = ?5 WHERE id IN (SELECT s.id`+which+`)`,
		id, holder, except, micros(t.now), reason)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE feed_head SET n = n + 1`); err != nil {
		return 0, err
	}
	t.published = true
	if sel.ID != "" {
		t.touched.sessions = append(t.touched.sessions, sel.ID)
	} else {
		t.touched.accounts = append(t.touched.accounts, sel.Account)
	}
	return int(n), nil
}

// Session answers one row, read now or at any time since it was changed last,
// and the time after that.
func (s *Store) Session(ctx context.Context, id session.ID) (r session.Row, now time.Time, err error) {
	r, kept, ticket := s.cache.get(id)
	if !kept || s.isClosed() {
		err = s.read(ctx, func(c *conn) error {
			r, _, err = c.session(id)
			return err
		})
		if err != nil {
			return session.Row{}, time.Time{}, err
		}
		s.cache.put(r, ticket)
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
	err = s.read(ctx, func(c *conn) error {
		return c.each(`SELECT `+sessionColumns+` FROM session s
			WHERE s.account = ? AND s.ended_at = 0 AND s.id > ? AND s.rotated_at > ? AND s.expires_at > ? ORDER BY s.id LIMIT ?`,
			func(row scanner) error {
				var r session.Session
				if err := row.Scan(sessionFields(&r)...); err != nil {
					return err
				}
				all = append(all, r)
				return nil
			}, string(holder), string(after), micros(now.Add(-idle)), micros(now), max(limit, 0))
	})
	return all, err
}
