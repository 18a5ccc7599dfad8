package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// LoadCatalog reads everything as of one moment.
func (s *Store) LoadCatalog(ctx context.Context) (k catalog.Kept, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		k = catalog.Kept{}
		if err := t.row(`SELECT version, issuer, longest FROM catalog`).Scan(&k.Version, &k.Issuer, (*span)(&k.Longest)); err != nil {
			return err
		}
		err := t.each(`SELECT audience, name, permissions, life, algorithm, is_default, claims, encryption_key, opaque, version FROM api ORDER BY audience`,
			func(row pgx.Rows) error {
				var a catalog.API
				err := row.Scan(&a.Audience, &a.Name, (*words)(&a.Permissions), (*span)(&a.Life), &a.Algorithm, &a.Default, (*claims)(&a.Claims),
					(*claims)(&a.EncryptionKey), &a.Opaque, &a.Version)
				k.APIs = append(k.APIs, a)
				return err
			})
		if err != nil {
			return err
		}
		return t.each(`SELECT name, description, permissions, claims, version FROM role ORDER BY name`,
			func(row pgx.Rows) error {
				var r catalog.Role
				err := row.Scan(&r.Name, &r.Description, (*words)(&r.Permissions), (*claims)(&r.Claims), &r.Version)
				k.Roles = append(k.Roles, r)
				return err
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
	return s.register(ctx, e, func(t *tx) error {
		if a.Default {
			t.later(`UPDATE api SET is_default = false, version = version + 1 WHERE is_default AND audience <> $1`, a.Audience)
		}
		return t.save(a.Version,
			`INSERT INTO api (audience, name, permissions, life, algorithm, is_default, claims, encryption_key, opaque, version)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint + 1)`,
			`UPDATE api SET name = $2, permissions = $3, life = $4, algorithm = $5, is_default = $6, claims = $7, encryption_key = $8, opaque = $9,
				version = $10::bigint + 1 WHERE audience = $1 AND version = $10`,
			a.Audience, a.Name, permissions, a.Life.Microseconds(), string(a.Algorithm), a.Default, string(a.Claims),
			string(a.EncryptionKey), a.Opaque, a.Version)
	})
}

// DeleteAPI deletes by the registered spelling.
func (s *Store) DeleteAPI(ctx context.Context, audience string, e audit.Event) error {
	return s.unregister(ctx, `DELETE FROM api WHERE audience = $1`, audience, e)
}

// SaveRole inserts or replaces r.
func (s *Store) SaveRole(ctx context.Context, r catalog.Role, e audit.Event) error {
	permissions, err := joinRoles(r.Permissions)
	if err != nil {
		return err
	}
	return s.register(ctx, e, func(t *tx) error {
		return t.save(r.Version,
			`INSERT INTO role (name, description, permissions, claims, version) VALUES ($1, $2, $3, $4, $5::bigint + 1)`,
			`UPDATE role SET description = $2, permissions = $3, claims = $4, version = $5::bigint + 1 WHERE name = $1 AND version = $5`,
			r.Name, r.Description, permissions, string(r.Claims), r.Version)
	})
}

// DeleteRole deletes by name.
func (s *Store) DeleteRole(ctx context.Context, name string, e audit.Event) error {
	return s.unregister(ctx, `DELETE FROM role WHERE name = $1`, name, e)
}

// KeepServer notes the issuer and raises the longest life.
func (s *Store) KeepServer(ctx context.Context, issuer string, d time.Duration) error {
	k, err := s.LoadCatalog(ctx)
	if err != nil || k.Longest >= d && (issuer == "" || issuer == k.Issuer) {
		return err
	}
	return s.do(ctx, func(t *tx) error {
		t.later(`UPDATE catalog SET longest = greatest(longest, $1), issuer = CASE WHEN $2 = '' THEN issuer ELSE $2 END`, d.Microseconds(), issuer)
		return nil
	})
}

// save inserts where version is 0, and else changes what has that version.
func (t *tx) save(version int64, insert, update string, args ...any) error {
	if version == 0 {
		_, err := t.exec(insert, args...)
		if _, ok := taken(err); ok {
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

// register runs a change of what is registered. Such changes come one after the
// other, on whichever nodes.
func (s *Store) register(ctx context.Context, e audit.Event, change func(*tx) error) error {
	return s.do(ctx, func(t *tx) error {
		t.later(`UPDATE catalog SET version = version + 1`)
		if err := change(t); err != nil {
			return err
		}
		return t.record(e)
	})
}

func (s *Store) unregister(ctx context.Context, query, name string, e audit.Event) error {
	return s.register(ctx, e, func(t *tx) error {
		n, err := t.exec(query, name)
		if err == nil && n == 0 {
			err = fault.ErrNotFound
		}
		return err
	})
}
