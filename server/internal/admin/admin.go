// Package admin holds every act of an operator. Each takes the actor first,
// asks whether they may, performs the act and records it; what it does to
// accounts, sessions and keys is those packages' business. What people do to
// their own account is not here.
package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// ErrForbidden says that the actor may not do that.
var ErrForbidden = errors.New("only an operator may do that")

// Config is what a Service is made of. All are required.
type Config struct {
	Accounts *account.Service
	Sessions *session.Service
	Ring     *keyring.Ring
}

// A Service may be used by many goroutines.
type Service struct{ c Config }

// New checks c.
func New(c Config) (*Service, error) {
	if c.Accounts == nil || c.Sessions == nil || c.Ring == nil {
		return nil, errors.New("administration: accounts, sessions and key ring are required")
	}
	return &Service{c}, nil
}

// allow is the one rule: an operator is whoever may read and write the data
// directory, who could do anything to it anyway.
func allow(actor audit.Actor, act string) error {
	if actor.Kind != audit.KindOperator {
		return fmt.Errorf("%s: %w, not an actor of kind %q", act, ErrForbidden, actor.Kind)
	}
	return nil
}

// CreateAccount makes an account: see [account.Service.Create].
func (s *Service) CreateAccount(ctx context.Context, actor audit.Actor, n account.NewAccount) (account.Account, error) {
	if err := allow(actor, "creating an account"); err != nil {
		return account.Account{}, err
	}
	if err := validRoles(n.Roles); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.Create(ctx, actor, n)
}

// ListAccounts lists by user name, those after the given one, at most limit.
func (s *Service) ListAccounts(ctx context.Context, actor audit.Actor, after string, limit int) ([]account.Account, error) {
	if err := allow(actor, "listing accounts"); err != nil {
		return nil, err
	}
	return s.c.Accounts.List(ctx, after, limit)
}

// DisableAccount ends all sessions of an account and lets it log in no more.
func (s *Service) DisableAccount(ctx context.Context, actor audit.Actor, username string) (account.Account, error) {
	return s.setDisabled(ctx, actor, username, true)
}

// EnableAccount lets an account log in again.
func (s *Service) EnableAccount(ctx context.Context, actor audit.Actor, username string) (account.Account, error) {
	return s.setDisabled(ctx, actor, username, false)
}

func (s *Service) setDisabled(ctx context.Context, actor audit.Actor, username string, disabled bool) (account.Account, error) {
	a, err := s.find(ctx, actor, "disabling or enabling an account", username)
	if err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetDisabled(ctx, actor, a.ID, disabled)
}

// SetPassword sets an account's password and ends all of its sessions.
func (s *Service) SetPassword(ctx context.Context, actor audit.Actor, username, password string) error {
	a, err := s.find(ctx, actor, "setting a password", username)
	if err != nil {
		return err
	}
	return s.c.Accounts.SetPassword(ctx, actor, a.ID, password)
}

// SetRoles replaces an account's roles: see [account.Service.SetRoles].
func (s *Service) SetRoles(ctx context.Context, actor audit.Actor, username string, roles []string) (account.Account, error) {
	a, err := s.find(ctx, actor, "setting roles", username)
	if err != nil {
		return account.Account{}, err
	}
	if err := validRoles(roles); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetRoles(ctx, actor, a.ID, roles)
}

// ListKeys lists the ring's keys.
func (s *Service) ListKeys(_ context.Context, actor audit.Actor) ([]keyring.Key, error) {
	if err := allow(actor, "listing keys"); err != nil {
		return nil, err
	}
	return s.c.Ring.List(), nil
}

// RotateKey announces a successor: see [keyring.Ring.Rotate].
func (s *Service) RotateKey(ctx context.Context, actor audit.Actor, purpose string, alg jwk.Algorithm, now bool) (keyring.Key, error) {
	if err := allow(actor, "rotating a key"); err != nil {
		return keyring.Key{}, err
	}
	return s.c.Ring.Rotate(ctx, purpose, alg, now, actor)
}

// find asks whether the actor may before it says whether the account exists.
func (s *Service) find(ctx context.Context, actor audit.Actor, act, username string) (account.Account, error) {
	if err := allow(actor, act); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.Find(ctx, username)
}

// maxRoles keeps tokens, which carry all of an account's roles, small.
const maxRoles = 32

func validRoles(roles []string) error {
	var faults []error
	if len(roles) > maxRoles {
		faults = append(faults, fmt.Errorf("%d roles, at most %d", len(roles), maxRoles))
	}
	for _, r := range roles {
		if err := catalog.ValidRole(r); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
