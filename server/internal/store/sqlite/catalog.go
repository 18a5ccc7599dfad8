package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// words are kept in their order and separated by spaces.
type words []string

func (w *words) Scan(src any) error { return (*roles)(w).Scan(src) }

func joinWords(all []string) (string, error) {
	for _, s := range all {
		if s == "" || strings.ContainsAny(s, " \t\r\n") {
			return "", fmt.Errorf("malformed word %q", s)
		}
	}
	return strings.Join(all, " "), nil
}

// claims, and other JSON, are kept as text, ” where there are none.
type claims json.RawMessage

func (c *claims) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("%w: claims are %T", errDamaged, src)
	}
	*c = nil
	if s != "" {
		*c = claims(s)
	}
	return nil
}

// life is a duration in microseconds.
type life time.Duration

func (l *life) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: a life is %T", errDamaged, src)
	}
	*l = life(time.Duration(us) * time.Microsecond)
	return nil
}

// LoadCatalog reads everything as of one moment.
func (s *Store) LoadCatalog(ctx context.Context) (k catalog.Kept, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			if err := c.row(`SELECT version, issuer, longest FROM catalog`).Scan(&k.Version, &k.Issuer, (*life)(&k.Longest)); err != nil {
				return err
			}
			err := c.each(`SELECT audience, name, permissions, life, algorithm, is_default, claims, encryption_key, opaque, version FROM api ORDER BY audience`,
				func(row scanner) error {
					var a catalog.API
					err := row.Scan(&a.Audience, &a.Name, (*words)(&a.Permissions), (*life)(&a.Life), &a.Algorithm, &a.Default, (*claims)(&a.Claims),
						(*claims)(&a.EncryptionKey), &a.Opaque, &a.Version)
					k.APIs = append(k.APIs, a)
					return err
				})
			if err != nil {
				return err
			}
			return c.each(`SELECT name, description, permissions, claims, version FROM role ORDER BY name`,
				func(row scanner) error {
					var r catalog.Role
					err := row.Scan(&r.Name, &r.Description, (*words)(&r.Permissions), (*claims)(&r.Claims), &r.Version)
					k.Roles = append(k.Roles, r)
					return err
				})
		})
	})
	return k, err
}

// SaveAPI inserts or replaces a.
func (s *Store) SaveAPI(ctx context.Context, a catalog.API, e audit.Event) error {
	permissions, err := joinRoles(a.Permissions)
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		if a.Default {
			if _, err := t.exec(`UPDATE api SET is_default = 0, version = version + 1 WHERE is_default = 1 AND audience <> ?`, a.Audience); err != nil {
				return err
			}
		}
		args := []any{a.Audience, a.Name, permissions, a.Life.Microseconds(), string(a.Algorithm), a.Default, string(a.Claims),
			string(a.EncryptionKey), a.Opaque, a.Version}
		if err := t.save(a.Version,
			`INSERT INTO api (audience, name, permissions, life, algorithm, is_default, claims, encryption_key, opaque, version)
				VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 + 1)`,
			`UPDATE api SET name = ?2, permissions = ?3, life = ?4, algorithm = ?5, is_default = ?6, claims = ?7, encryption_key = ?8, opaque = ?9,
				version = ?10 + 1 WHERE audience = ?1 AND version = ?10`,
			args...); err != nil {
			return err
		}
		return t.registered(e)
	})
}

// DeleteAPI deletes by the registered spelling.
func (s *Store) DeleteAPI(ctx context.Context, audience string, e audit.Event) error {
	return s.unregister(ctx, `DELETE FROM api WHERE audience = ?`, audience, e)
}

// SaveRole inserts or replaces r.
func (s *Store) SaveRole(ctx context.Context, r catalog.Role, e audit.Event) error {
	permissions, err := joinRoles(r.Permissions)
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		if err := t.save(r.Version,
			`INSERT INTO role (name, description, permissions, claims, version) VALUES (?1, ?2, ?3, ?4, ?5 + 1)`,
			`UPDATE role SET description = ?2, permissions = ?3, claims = ?4, version = ?5 + 1 WHERE name = ?1 AND version = ?5`,
			r.Name, r.Description, permissions, string(r.Claims), r.Version); err != nil {
			return err
		}
		return t.registered(e)
	})
}

// DeleteRole deletes by name.
func (s *Store) DeleteRole(ctx context.Context, name string, e audit.Event) error {
	return s.unregister(ctx, `DELETE FROM role WHERE name = ?`, name, e)
}

// KeepServer notes the issuer and raises the longest life.
func (s *Store) KeepServer(ctx context.Context, issuer string, d time.Duration) error {
	k, err := s.LoadCatalog(ctx)
	if err != nil || k.Longest >= d && (issuer == "" || issuer == k.Issuer) {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		return t.only(`UPDATE catalog SET longest = max(longest, ?1), issuer = iif(?2 = '', issuer, ?2)`, d.Microseconds(), issuer)
	})
}

// save inserts where version is 0, and else changes what has that version.
func (t *tx) save(version int64, insert, update string, args ...any) error {
	if version == 0 {
		_, err := t.exec(insert, args...)
		if taken(err) {
			return fault.ErrExists
		}
		return err
	}
	n, err := t.exec(update, args...)
	if err == nil && n == 0 {
		err = fault.ErrChanged
	}
	return err
}

// registered ends a change of what is registered.
func (t *tx) registered(e audit.Event) error {
	if _, err := t.exec(`UPDATE catalog SET version = version + 1`); err != nil {
		return err
	}
	return t.record(e)
}

func (s *Store) unregister(ctx context.Context, query, name string, e audit.Event) error {
	return s.do(ctx, func(t *tx) error {
		n, err := t.exec(query, name)
		if err == nil && n == 0 {
			err = fault.ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.registered(e)
	})
}
