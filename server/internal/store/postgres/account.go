package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

const accountColumns = `a.id, a.username, a.display_name, a.roles, a.disabled, a.version, a.created_at, a.updated_at, a.password_changed_at, a.external, a.claims`

// accountFields are where accountColumns go.
func accountFields(a *account.Account) []any {
	return []any{&a.ID, &a.Username, &a.DisplayName, (*words)(&a.Roles), &a.Disabled, &a.Version,
		(*at)(&a.CreatedAt), (*at)(&a.UpdatedAt), (*at)(&a.PasswordChangedAt), &a.External, (*claims)(&a.Claims)}
}

// words are separated by spaces.
type words []string

func (w *words) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("%w: words are %T", errDamaged, src)
	}
	*w = strings.Fields(s)
	return nil
}

// joinWords keeps their order.
func joinWords(all []string) (string, error) {
	for _, s := range all {
		if s == "" || strings.ContainsAny(s, " \t\r\n\x00") {
			return "", fmt.Errorf("malformed word %q", s)
		}
	}
	return strings.Join(all, " "), nil
}

// joinRoles sorts them and leaves out what is there twice.
func joinRoles(all []string) (string, error) {
	return joinWords(slices.Compact(slices.Sorted(slices.Values(all))))
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
		if err := t.record(e); err != nil {
			return err
		}
		a, err = t.account(a.ID, "")
		return err
	})
	if err != nil {
		return account.Account{}, err
	}
	return a, nil
}

// insertAccount inserts a with the time of the transaction. ErrExists.
func (t *tx) insertAccount(a account.Account, held, passwordHash string) error {
	us := micros(t.now)
	n, err := t.exec(`INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at, external, claims)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $7, $8, $9) ON CONFLICT DO NOTHING`,
		string(a.ID), a.Username, a.DisplayName, held, passwordHash, a.Disabled, us, a.External, string(a.Claims))
	if err == nil && n == 0 {
		err = fault.ErrExists
	}
	return err
}

// account reads one account; lock is ” or a locking clause. Whoever starts a
// session shares the row with others who do, and keeps out those who change it:
// a version that is copied to a session is that of the account.
func (t *tx) account(id account.ID, lock string) (a account.Account, err error) {
	err = t.row(`SELECT `+accountColumns+` FROM account a WHERE a.id = $1`+lock, string(id)).Scan(accountFields(&a)...)
	return a, absent(err)
}

// Locking clauses.
const (
	forShare  = ` FOR SHARE`
	forUpdate = ` FOR UPDATE`
)

// Account reads one account.
func (s *Store) Account(ctx context.Context, id account.ID) (a account.Account, err error) {
	err = s.read(ctx, func(t *tx) error {
		a, err = t.account(id, "")
		return err
	})
	return a, err
}

// AccountByUsername reads an account with its password hash.
func (s *Store) AccountByUsername(ctx context.Context, username string) (a account.Account, passwordHash string, err error) {
	if strings.ContainsRune(username, 0) {
		return a, "", fault.ErrNotFound // no text of the database holds it
	}
	err = s.read(ctx, func(t *tx) error {
		return absent(t.row(`SELECT `+accountColumns+`, a.password_hash FROM account a WHERE a.username = $1`, username).
			Scan(append(accountFields(&a), &passwordHash)...))
	})
	return a, passwordHash, err
}

// Accounts lists by user name.
func (s *Store) Accounts(ctx context.Context, after string, limit int) (all []account.Account, err error) {
	err = s.read(ctx, func(t *tx) error {
		all = nil
		return t.each(`SELECT `+accountColumns+` FROM account a WHERE a.username > $1 ORDER BY a.username LIMIT $2`,
			func(row pgx.Rows) error {
				var a account.Account
				err := row.Scan(accountFields(&a)...)
				all = append(all, a)
				return err
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
		if _, err := t.account(id, forUpdate); err != nil {
			return err
		}
		if err := t.locked(); err != nil {
			return err
		}
		err := t.row(`UPDATE account a SET
				display_name        = coalesce($1, display_name),
				roles               = coalesce($2, roles),
				disabled            = coalesce($3, disabled),
				password_hash       = coalesce($4, password_hash),
				password_changed_at = CASE WHEN $4::text IS NULL THEN password_changed_at ELSE greatest($5, password_changed_at + 1) END,
				claims              = coalesce($8, claims),
				updated_at          = $5,
				version             = version + 1
			WHERE id = $6 AND password_hash = coalesce($7, password_hash) RETURNING `+accountColumns,
			ch.DisplayName, held, ch.Disabled, ch.PasswordHash, micros(t.now), string(id), ch.IfPasswordHash, custom).Scan(accountFields(&a)...)
		if absent(err) == fault.ErrNotFound {
			return fault.ErrChanged
		}
		if err != nil {
			return err
		}
		if err := t.record(e); err != nil {
			return err
		}
		t.copyVersion(a)
		if ch.EndSessions {
			_, err = t.end(session.Selection{Account: id, Except: session.ID(ch.KeepSession)}, ch.EndReason)
		}
		return err
	})
	if err != nil {
		return account.Account{}, err
	}
	return a, nil
}

// copyVersion brings the account's version to its sessions, in an order that
// everybody keeps.
func (t *tx) copyVersion(a account.Account) {
	t.later(`UPDATE session SET account_version = $1 WHERE id IN (SELECT id FROM session WHERE account = $2 AND ended_at = 0 ORDER BY id FOR UPDATE)`, a.Version, string(a.ID))
}

// Rehash replaces old by hash where it is still there.
func (s *Store) Rehash(ctx context.Context, id account.ID, old, hash string) error {
	return s.do(ctx, func(t *tx) error {
		t.later(`UPDATE account SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, hash, string(id), old)
		return nil
	})
}

// ImportAccounts inserts all accounts in one transaction.
func (s *Store) ImportAccounts(ctx context.Context, all []account.Imported, event func(account.ID) audit.Event, progress func(done int)) error {
	held := make([]string, len(all))
	for i, a := range all {
		var err error
		if held[i], err = joinRoles(a.Roles); err != nil {
			return err
		}
	}
	return s.do(ctx, func(t *tx) error {
		for i, a := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.insertAccount(a.Account, held[i], a.PasswordHash); err != nil {
				return fmt.Errorf("account %q: %w", a.Username, err)
			}
			if err := t.record(event(a.ID)); err != nil {
				return err
			}
			progress(i + 1)
		}
		return nil
	})
}
