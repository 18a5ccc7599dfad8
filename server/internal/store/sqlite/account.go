package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

const accountColumns = `a.id, a.username, a.display_name, a.roles, a.disabled, a.version, a.created_at, a.updated_at, a.password_changed_at, a.external, a.claims`

// accountFields are where accountColumns go.
func accountFields(a *account.Account) []any {
	return []any{&a.ID, &a.Username, &a.DisplayName, (*roles)(&a.Roles), &a.Disabled, &a.Version,
		(*at)(&a.CreatedAt), (*at)(&a.UpdatedAt), (*at)(&a.PasswordChangedAt), &a.External, (*claims)(&a.Claims)}
}

// roles are kept sorted and separated by spaces.
type roles []string

func (r *roles) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("%w: roles are %T", errDamaged, src)
	}
	*r = strings.Fields(s)
	return nil
}

func joinRoles(all []string) (string, error) {
	for _, r := range all {
		if r == "" || strings.ContainsAny(r, " \t\r\n") {
			return "", fmt.Errorf("malformed role %q", r)
		}
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(all))), " "), nil
}

// CreateAccount inserts a with the store's time.
func (s *Store) CreateAccount(ctx context.Context, a account.Account, passwordHash string, e audit.Event) (account.Account, error) {
	held, err := joinRoles(a.Roles)
	if err != nil {
		return account.Account{}, err
	}
	err = s.do(ctx, func(t *tx) error {
		if err := t.insertAccount(a, held, passwordHash); err != nil {
			return err
		}
		if a, err = t.c.account(a.ID); err != nil {
			return err
		}
		return t.record(e)
	})
	if err != nil {
		return account.Account{}, err
	}
	return a, nil
}

// insertAccount inserts a with the time of the transaction. ErrExists.
func (t *tx) insertAccount(a account.Account, held, passwordHash string) error {
	us := micros(t.now)
	_, err := t.exec(`INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at, external, claims)
		VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)`,
		string(a.ID), a.Username, a.DisplayName, held, passwordHash, a.Disabled, us, us, us, a.External, string(a.Claims))
	if taken(err) {
		return fault.ErrExists
	}
	return err
}

func (c *conn) account(id account.ID) (a account.Account, err error) {
	err = c.row(`SELECT `+accountColumns+` FROM account a WHERE a.id = ?`, string(id)).Scan(accountFields(&a)...)
	return a, absent(err)
}

// absent names the error of a row that is not there.
func absent(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.ErrNotFound
	}
	return err
}

// Account reads one account.
func (s *Store) Account(ctx context.Context, id account.ID) (a account.Account, err error) {
	err = s.read(ctx, func(c *conn) error {
		a, err = c.account(id)
		return err
	})
	return a, err
}

// AccountByUsername reads an account with its password hash.
func (s *Store) AccountByUsername(ctx context.Context, username string) (a account.Account, passwordHash string, err error) {
	err = s.read(ctx, func(c *conn) error {
		return absent(c.row(`SELECT `+accountColumns+`, a.password_hash FROM account a WHERE a.username = ?`, username).
			Scan(append(accountFields(&a), &passwordHash)...))
	})
	return a, passwordHash, err
}

// Accounts lists by user name.
func (s *Store) Accounts(ctx context.Context, after string, limit int) (all []account.Account, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(`SELECT `+accountColumns+` FROM account a WHERE a.username > ? ORDER BY a.username LIMIT ?`,
			func(row scanner) error {
				var a account.Account
				if err := row.Scan(accountFields(&a)...); err != nil {
					return err
				}
				all = append(all, a)
				return nil
			}, after, max(limit, 0))
	})
	return all, err
}

// ChangeAccount applies ch with everything that follows from it.
func (s *Store) ChangeAccount(ctx context.Context, id account.ID, ch account.Change, e audit.Event) (a account.Account, err error) {
	var held *string
	if ch.Roles != nil {
		joined, err := joinRoles(*ch.Roles)
		if err != nil {
			return account.Account{}, err
		}
		held = &joined
	}
	var custom *string
	if ch.Claims != nil {
		text := string(*ch.Claims)
		custom = &text
	}
	err = s.do(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE account SET
				display_name        = coalesce(?1, display_name),
				roles               = coalesce(?2, roles),
				disabled            = coalesce(?3, disabled),
				password_hash       = coalesce(?4, password_hash),
				password_changed_at = iif(?4 IS NULL, password_changed_at, max(?5, password_changed_at + 1)),
				claims              = coalesce(?8, claims),
				updated_at          = ?5,
				version             = version + 1
			WHERE id = ?6 AND password_hash = coalesce(?7, password_hash)`,
			ch.DisplayName, held, ch.Disabled, ch.PasswordHash, micros(t.now), string(id), ch.IfPasswordHash, custom)
		if err != nil {
			return err
		}
		if a, err = t.c.account(id); err != nil {
			return err
		}
		if n == 0 {
			return fault.ErrChanged
		}
		if ch.EndSessions {
			if _, err := t.end(session.Selection{Account: id, Except: session.ID(ch.KeepSession)}, ch.EndReason); err != nil {
				return err
			}
		}
		if err := t.copyVersion(a); err != nil {
			return err
		}
		t.touched.accounts = append(t.touched.accounts, id)
		return t.record(e)
	})
	if err != nil {
		return account.Account{}, err
	}
	return a, nil
}

// copyVersion brings the account's version to its sessions.
func (t *tx) copyVersion(a account.Account) error {
	_, err := t.exec(`UPDATE session SET account_version = ? WHERE account = ? AND ended_at = 0`, a.Version, string(a.ID))
	return err
}

// Rehash replaces old by hash where it is still there.
func (s *Store) Rehash(ctx context.Context, id account.ID, old, hash string) error {
	return s.do(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE account SET password_hash = ? WHERE id = ? AND password_hash = ?`, hash, string(id), old)
		return err
	})
}
