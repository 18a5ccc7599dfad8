package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// CreateAccount makes an account: see [account.Service.Create].
func (s *Service) CreateAccount(ctx context.Context, caller Caller, n account.NewAccount) (account.Account, error) {
	if err := allow(caller, AccountsWrite); err != nil {
		return account.Account{}, err
	}
	if err := s.mayGive(caller, nil, n.Roles); err != nil {
		return account.Account{}, err
	}
	if err := validRoles(n.Roles); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.Create(ctx, caller.Actor, n)
}

// An AccountFilter says which accounts are meant. The zero one means all.
type AccountFilter struct {
	Role     string // "" is any
	Disabled *bool
}

func (f AccountFilter) matches(a account.Account) bool {
	return (f.Role == "" || slices.Contains(a.Roles, f.Role)) && (f.Disabled == nil || *f.Disabled == a.Disabled)
}

// A search reads at most searchPages times searchPage accounts for one answer,
// so that a filter which fits nobody does not hold the store for long.
const (
	searchPage  = 500
	searchPages = 20
)

// ListAccounts lists those that f selects by user name, after the given one, at
// most limit. next is what to go on after; it is empty at the end. An answer of
// fewer than limit need not be the last.
func (s *Service) ListAccounts(ctx context.Context, caller Caller, f AccountFilter, after string, limit int) (found []account.Account, next string, err error) {
	if err := allow(caller, AccountsRead); err != nil {
		return nil, "", err
	}
	size := searchPage
	if f == (AccountFilter{}) {
		size = min(limit+1, searchPage) // all of them count
	}
	for range searchPages {
		page, err := s.c.Accounts.List(ctx, after, size)
		if err != nil {
			return nil, "", err
		}
		for _, a := range page {
			if len(found) == limit {
				return found, after, nil
			}
			after = a.Username
			if f.matches(a) {
				found = append(found, a)
			}
		}
		if len(page) < size {
			return found, "", nil
		}
	}
	return found, after, nil
}

// Account reads one account. fault.ErrNotFound.
func (s *Service) Account(ctx context.Context, caller Caller, id account.ID) (account.Account, error) {
	if err := allow(caller, AccountsRead); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.Get(ctx, id)
}

// FindAccount reads the account of a user name in any spelling.
// fault.ErrNotFound.
func (s *Service) FindAccount(ctx context.Context, caller Caller, username string) (account.Account, error) {
	if err := allow(caller, AccountsRead); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.Find(ctx, username)
}

// SetDisplayName changes how people see an account.
func (s *Service) SetDisplayName(ctx context.Context, caller Caller, id account.ID, name string) (account.Account, error) {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetDisplayName(ctx, caller.Actor, id, name)
}

// DisableAccount ends all sessions of an account and lets it log in no more.
func (s *Service) DisableAccount(ctx context.Context, caller Caller, id account.ID) (account.Account, error) {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetDisabled(ctx, caller.Actor, id, true)
}

// EnableAccount lets an account log in again.
func (s *Service) EnableAccount(ctx context.Context, caller Caller, id account.ID) (account.Account, error) {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetDisabled(ctx, caller.Actor, id, false)
}

// SetPassword sets an account's password and ends all of its sessions.
func (s *Service) SetPassword(ctx context.Context, caller Caller, id account.ID, password string) error {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return err
	}
	return s.c.Accounts.SetPassword(ctx, caller.Actor, id, password)
}

// SetRoles replaces an account's roles: see [account.Service.SetRoles].
func (s *Service) SetRoles(ctx context.Context, caller Caller, id account.ID, roles []string, endSessions bool) (account.Account, error) {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return account.Account{}, err
	}
	was, err := s.c.Accounts.Get(ctx, id)
	if err != nil {
		return account.Account{}, err
	}
	if err := s.mayGive(caller, was.Roles, roles); err != nil {
		return account.Account{}, err
	}
	if err := validRoles(roles); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetRoles(ctx, caller.Actor, id, roles, endSessions)
}

// mayChange asks whether the caller may before it says whether the account
// exists.
func (s *Service) mayChange(ctx context.Context, caller Caller, id account.ID) error {
	if err := allow(caller, AccountsWrite); err != nil {
		return err
	}
	a, err := s.c.Accounts.Get(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return fmt.Errorf("account %s: %w", id, err)
	case err != nil:
		return err
	}
	return s.reachesRoles(caller, a.Roles)
}

// maxRoles keeps tokens, which carry all of an account's roles, small.
const maxRoles = 32

// ErrRoles says what is wrong with a list of roles.
var ErrRoles = errors.New("malformed roles")

func validRoles(roles []string) error {
	var faults []error
	if len(roles) > maxRoles {
		faults = append(faults, fmt.Errorf("%w: %d roles, at most %d", ErrRoles, len(roles), maxRoles))
	}
	for _, r := range roles {
		if err := catalog.ValidRole(r); err != nil {
			faults = append(faults, fmt.Errorf("%w: %w", ErrRoles, err))
		}
	}
	return errors.Join(faults...)
}
