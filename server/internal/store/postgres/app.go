package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

const appColumns = `id, name, roles, audiences, life, claims, disabled, version, valid_from, created_at, updated_at`

// appFields are where appColumns go.
func appFields(a *app.App) []any {
	return []any{&a.ID, &a.Name, (*words)(&a.Roles), (*words)(&a.Audiences), (*span)(&a.Life), (*claims)(&a.Claims), &a.Disabled, &a.Version,
		(*at)(&a.ValidFrom), (*at)(&a.CreatedAt), (*at)(&a.UpdatedAt)}
}

// app reads an app with its secrets; lock is ” or a locking clause.
func (t *tx) app(id app.ID, lock string) (a app.App, err error) {
	if err := t.row(`SELECT `+appColumns+` FROM app WHERE id = $1`+lock, string(id)).Scan(appFields(&a)...); err != nil {
		return app.App{}, absent(err)
	}
	a.Secrets, err = t.secrets(id)
	return a, err
}

func (t *tx) secrets(id app.ID) (all []app.Secret, err error) {
	err = t.each(`SELECT id, hash, created_at, expires_at, last_used_at FROM app_secret WHERE app = $1 ORDER BY created_at, id`,
		func(row pgx.Rows) error {
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
		_, err = t.exec(`INSERT INTO app (`+appColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $9)`,
			string(n.ID), n.Name, held, audiences, n.Life.Microseconds(), string(n.Claims), n.Disabled, micros(n.ValidFrom), micros(t.now))
		if _, ok := taken(err); ok {
			return fault.ErrExists
		}
		if err != nil {
			return fmt.Errorf("inserting app: %w", err)
		}
		t.keepSecrets(n)
		if err := t.record(e); err != nil {
			return err
		}
		a, err = t.app(n.ID, "")
		return err
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

// keepSecrets replaces the kept secrets of a by those that it has.
func (t *tx) keepSecrets(a app.App) {
	t.later(`DELETE FROM app_secret WHERE app = $1`, string(a.ID))
	for _, s := range a.Secrets {
		t.later(`INSERT INTO app_secret (app, id, hash, created_at, expires_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(a.ID), s.ID, s.Hash[:], micros(s.CreatedAt), micros(s.ExpiresAt), micros(s.LastUsedAt))
	}
}

// App reads one app, and the time before that.
func (s *Store) App(ctx context.Context, id app.ID) (a app.App, now time.Time, err error) {
	if now, err = s.Now(); err != nil {
		return a, now, err
	}
	err = s.snapshot(ctx, func(t *tx) error {
		a, err = t.app(id, "")
		return err
	})
	return a, now, err
}

// Apps lists by id.
func (s *Store) Apps(ctx context.Context, after app.ID, limit int) (all []app.App, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		all = nil
		err := t.each(`SELECT `+appColumns+` FROM app WHERE id > $1 ORDER BY id LIMIT $2`, func(row pgx.Rows) error {
			var a app.App
			err := row.Scan(appFields(&a)...)
			all = append(all, a)
			return err
		}, string(after), max(limit, 0))
		for i := 0; err == nil && i < len(all); i++ {
			all[i].Secrets, err = t.secrets(all[i].ID)
		}
		return err
	})
	return all, err
}

// ChangeApp commits the step that act answers.
func (s *Store) ChangeApp(ctx context.Context, id app.ID, act func(app.App, time.Time) (app.Step, error)) (a app.App, err error) {
	err = s.do(ctx, func(t *tx) error {
		if a, err = t.app(id, forUpdate); err != nil {
			return err
		}
		if err := t.locked(); err != nil {
			return err
		}
		step, err := act(a, t.now)
		if err != nil {
			return err
		}
		if err := t.change(id, step); err != nil {
			return err
		}
		if err := t.record(step.Event); err != nil {
			return err
		}
		a = step.App
		if !step.Delete {
			if a, err = t.app(id, ""); err != nil {
				return err
			}
		}
		if !step.RevokeBefore.IsZero() {
			t.publish(jwt.SubjectFact, string(id), step.RevokeBefore, t.now.Add(step.FactLife))
		}
		return nil
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
		t.later(`DELETE FROM app_secret WHERE app = $1`, string(id))
		t.later(`DELETE FROM app WHERE id = $1`, string(id))
		return nil
	}
	held, audiences, err := appLists(n)
	if err != nil {
		return err
	}
	t.later(`UPDATE app SET name = $1, roles = $2, audiences = $3, life = $4, claims = $5, disabled = $6, version = version + 1, valid_from = $7, updated_at = $8 WHERE id = $9`,
		n.Name, held, audiences, n.Life.Microseconds(), string(n.Claims), n.Disabled, micros(n.ValidFrom), micros(t.now), string(id))
	t.keepSecrets(n)
	return nil
}

// UseSecret notes that a secret was used now.
func (s *Store) UseSecret(ctx context.Context, id app.ID, secret string) error {
	return s.do(ctx, func(t *tx) error {
		t.later(`UPDATE app_secret SET last_used_at = $1 WHERE app = $2 AND id = $3`, micros(t.now), string(id), secret)
		return nil
	})
}
