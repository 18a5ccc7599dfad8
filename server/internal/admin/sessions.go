package admin

import (
	"context"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// ListSessions lists the living sessions of an account by id, those after the
// given one, at most limit. fault.ErrNotFound where there is no such account.
func (s *Service) ListSessions(ctx context.Context, caller Caller, holder account.ID, after session.ID, limit int) ([]session.Session, error) {
	if err := allow(caller, SessionsRead); err != nil {
		return nil, err
	}
	if _, err := s.c.Accounts.Get(ctx, holder); err != nil {
		return nil, err
	}
	return s.c.Sessions.List(ctx, holder, after, limit)
}

// Session reads a session, living or not, and whether it lives.
// fault.ErrNotFound.
func (s *Service) Session(ctx context.Context, caller Caller, id session.ID) (found session.Session, lives bool, err error) {
	if err := allow(caller, SessionsRead); err != nil {
		return session.Session{}, false, err
	}
	row, lives, err := s.c.Sessions.Get(ctx, id)
	return row.Session, lives, err
}

// EndSession ends a session. One that has ended already is as it was wanted;
// fault.ErrNotFound where there never was one.
func (s *Service) EndSession(ctx context.Context, caller Caller, id session.ID) error {
	if err := allow(caller, SessionsWrite); err != nil {
		return err
	}
	if _, _, err := s.c.Sessions.Get(ctx, id); err != nil {
		return err
	}
	return s.c.Sessions.End(ctx, caller.Actor, id, endedByOperator)
}

// EndSessions ends all sessions of an account and answers how many.
func (s *Service) EndSessions(ctx context.Context, caller Caller, holder account.ID) (int, error) {
	if err := allow(caller, SessionsWrite); err != nil {
		return 0, err
	}
	if _, err := s.c.Accounts.Get(ctx, holder); err != nil {
		return 0, err
	}
	return s.c.Sessions.EndAll(ctx, caller.Actor, holder, "", endedByOperator)
}

const endedByOperator = "ended_by_operator"
