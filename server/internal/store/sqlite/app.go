package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

const appColumns = `id, name, roles, audiences, life, claims, disabled, version, valid_from, created_at, updated_at`

// appFields are where appColumns go.
func appFields(a *app.App) []any {
	return []any{&a.ID, &a.Name, (*roles)(&a.Roles), (*words)(&a.Audiences), (*life)(&a.Life), (*claims)(&a.Claims), &a.Disabled, &a.Version,
		(*at)(&a.ValidFrom), (*at)(&a.CreatedAt), (*at)(&a.UpdatedAt)}
}

// app reads an app with its secrets, within a transaction.
func (c *conn) app(id app.ID) (a app.App, err error) {
	if err := c.row(`SELECT `+appColumns+` FROM app WHERE id = ?`, string(id)).Scan(appFields(&a)...); err != nil {
		return app.App{}, absent(err)
	}
	a.Secrets, err = c.secrets(id)
	return a, err
}

func (c *conn) secrets(id app.ID) (all []app.Secret, err error) {
	err = c.each(`SELECT id, hash, created_at, expires_at, last_used_at FROM app_secret WHERE app = ? ORDER BY created_at, id`,
		func(row scanner) error {
			var s app.Secret
			var hash []byte
			if err := row.Scan(&s.ID, &hash, (*at)(&s.CreatedAt), (*at)(&s.ExpiresAt), (*at)(&s.LastUsedAt)); err != nil {
				return err
			}
			copy(s.Hash[:], hash)
			all = append(all, s)
			return nil
		}, string(id))
	return all, err
}

// CreateApp inserts the app that make answers.
func (s *Store) CreateApp(ctx context.Context, make func(now time.Time) (app.App, audit.Event, error)) (a app.App, err error) {
	err = s.do(ctx, func(t *tx) error {
		n, e, err := make(t.now)
		if err != nil {
			return err
		}
		held, audiences, err := appLists(n)
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO app (`+appColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)`,
			string(n.ID), n.Name, held, audiences, n.Life.Microseconds(), string(n.Claims), n.Disabled, micros(n.ValidFrom), micros(t.now), micros(t.now))
		if taken(err) {
			return fault.ErrExists
		}
		if err != nil {
			return fmt.Errorf("inserting app: %w", err)
		}
		if err := t.secrets(n); err != nil {
			return err
		}
		if a, err = t.c.app(n.ID); err != nil {
			return err
		}
		return t.record(e)
	})
	if err != nil {
		return app.App{}, err
	}
	return a, nil
}

func appLists(a app.App) (held, audiences string, err error) {
	if held, err = joinRoles(a.Roles); err == nil {
		audiences, err = joinWords(a.Audiences)
	}
	return held, audiences, err
}

// secrets replaces the kept secrets of a by those that it has.
func (t *tx) secrets(a app.App) error {
	if _, err := t.exec(`DELETE FROM app_secret WHERE app = ?`, string(a.ID)); err != nil {
		return err
	}
	for _, s := range a.Secrets {
		if _, err := t.exec(`INSERT INTO app_secret (app, id, hash, created_at, expires_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?)`,
			string(a.ID), s.ID, s.Hash[:], micros(s.CreatedAt), micros(s.ExpiresAt), micros(s.LastUsedAt)); err != nil {
			return fmt.Errorf("inserting secret: %w", err)
		}
	}
	return nil
}

// App reads one app, and the time before that.
func (s *Store) App(ctx context.Context, id app.ID) (a app.App, now time.Time, err error) {
	if now, err = s.Now(); err != nil {
		return a, now, err
	}
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			a, err = c.app(id)
			return err
		})
	})
	return a, now, err
}

// Apps lists by id.
func (s *Store) Apps(ctx context.Context, after app.ID, limit int) (all []app.App, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			err := c.each(`SELECT `+appColumns+` FROM app WHERE id > ? ORDER BY id LIMIT ?`, func(row scanner) error {
				var a app.App
				err := row.Scan(appFields(&a)...)
				all = append(all, a)
				return err
			}, string(after), max(limit, 0))
			for i := 0; err == nil && i < len(all); i++ {
				all[i].Secrets, err = c.secrets(all[i].ID)
			}
			return err
		})
	})
	return all, err
}

// ChangeApp commits the step that act answers.
func (s *Store) ChangeApp(ctx context.Context, id app.ID, act func(app.App, time.Time) (app.Step, error)) (a app.App, err error) {
	err = s.do(ctx, func(t *tx) error {
		if a, err = t.c.app(id); err != nil {
			return err
		}
		step, err := act(a, t.now)
		if err != nil {
			return err
		}
		if err := t.change(id, step); err != nil {
			return err
		}
		a = step.App
		if !step.Delete {
			if a, err = t.c.app(id); err != nil {
				return err
			}
		}
		if err := t.record(step.Event); err != nil || step.RevokeBefore.IsZero() {
			return err
		}
		return t.publish(jwt.SubjectFact, string(id), step.RevokeBefore, t.now.Add(step.FactLife))
	})
	if err != nil {
		return app.App{}, err
	}
	return a, nil
}

// change writes what step says of the app itself.
func (t *tx) change(id app.ID, step app.Step) error {
	n := step.App
	if step.Delete {
		if _, err := t.exec(`DELETE FROM app_secret WHERE app = ?`, string(id)); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM app WHERE id = ?`, string(id))
		return err
	}
	held, audiences, err := appLists(n)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE app SET name = ?, roles = ?, audiences = ?, life = ?, claims = ?, disabled = ?, version = version + 1, valid_from = ?, updated_at = ? WHERE id = ?`,
		n.Name, held, audiences, n.Life.Microseconds(), string(n.Claims), n.Disabled, micros(n.ValidFrom), micros(t.now), string(id)); err != nil {
		return fmt.Errorf("changing app: %w", err)
	}
	return t.secrets(n)
}

// publish writes one fact in a position of its own, which is taken by the last
// statement. A zero before is always, a zero expires never.
func (t *tx) publish(kind jwt.FactKind, value string, before, expires time.Time) error {
	if err := t.startFeed(); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO fact (position, kind, value, before_at, expires_at) SELECT n + 1, ?, ?, ?, ? FROM feed_head`,
		int64(kind), value, micros(before), micros(expires)); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE feed_head SET n = n + 1`); err != nil {
		return err
	}
	t.published = true
	return nil
}

// UseSecret notes that a secret was used now.
func (s *Store) UseSecret(ctx context.Context, id app.ID, secret string) error {
	return s.do(ctx, func(t *tx) error {
		return t.only(`UPDATE app_secret SET last_used_at = ? WHERE app = ? AND id = ?`, micros(t.now), string(id), secret)
	})
}
