package admin

import (
	"context"
	"errors"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// StartSession starts a session for somebody whom the caller's own system has
// checked: see [session.Service.StartExternal]. ErrRoles besides.
func (s *Service) StartSession(ctx context.Context, caller Caller, req session.ExternalRequest) (session.Tokens, error) {
	if err := allow(caller, SessionsStart); err != nil {
		return session.Tokens{}, err
	}
	if err := s.reachesRoles(caller, req.Roles); err != nil {
		return session.Tokens{}, err
	}
	if err := validRoles(req.Roles); err != nil {
		return session.Tokens{}, err
	}
	return s.c.Sessions.StartExternal(ctx, caller.Actor, req)
}

// SetAccountClaims replaces an account's template of custom claims: see
// [account.Service.SetClaims].
func (s *Service) SetAccountClaims(ctx context.Context, caller Caller, id account.ID, template []byte) (account.Account, error) {
	if err := s.mayChange(ctx, caller, id); err != nil {
		return account.Account{}, err
	}
	return s.c.Accounts.SetClaims(ctx, caller.Actor, id, template)
}

// ImportAccounts makes accounts as another system knows them, all of them or,
// where a line is bad, none: see [account.Service.Import].
func (s *Service) ImportAccounts(ctx context.Context, caller Caller, lines []account.ImportLine, mode account.ImportMode, progress func(inserting bool, done int)) (account.ImportResult, error) {
	if err := allow(caller, AccountsWrite); err != nil {
		return account.ImportResult{}, err
	}
	mayHave := func(roles []string) error {
		return errors.Join(s.mayGive(caller, nil, roles), validRoles(roles))
	}
	return s.c.Accounts.Import(ctx, caller.Actor, lines, mayHave, mode, progress)
}
