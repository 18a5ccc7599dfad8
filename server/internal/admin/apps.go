package admin

import (
	"context"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/app"
)

// CreateApp makes an app with one secret, which is answered this once.
func (s *Service) CreateApp(ctx context.Context, caller Caller, n app.NewApp) (app.App, string, error) {
	if err := allow(caller, AppsWrite); err != nil {
		return app.App{}, "", err
	}
	if err := s.mayGive(caller, nil, n.Roles); err != nil {
		return app.App{}, "", err
	}
	return s.c.Apps.Create(ctx, caller.Actor, n)
}

// ListApps lists apps by id, those after the given one, at most limit.
func (s *Service) ListApps(ctx context.Context, caller Caller, after app.ID, limit int) ([]app.App, error) {
	if err := allow(caller, AppsRead); err != nil {
		return nil, err
	}
	return s.c.Apps.List(ctx, after, limit)
}

// App reads an app. fault.ErrNotFound.
func (s *Service) App(ctx context.Context, caller Caller, id app.ID) (app.App, error) {
	if err := allow(caller, AppsRead); err != nil {
		return app.App{}, err
	}
	return s.c.Apps.Get(ctx, id)
}

// SetApp changes an app: see [app.Service.Set].
func (s *Service) SetApp(ctx context.Context, caller Caller, id app.ID, e app.Edit) (app.App, error) {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return app.App{}, err
	}
	if e.Roles != nil {
		was, err := s.c.Apps.Get(ctx, id)
		if err != nil {
			return app.App{}, err
		}
		if err := s.mayGive(caller, was.Roles, *e.Roles); err != nil {
			return app.App{}, err
		}
	}
	return s.c.Apps.Set(ctx, caller.Actor, id, e)
}

// DisableApp forbids an app to have tokens and revokes those that it has.
func (s *Service) DisableApp(ctx context.Context, caller Caller, id app.ID) (app.App, error) {
	return s.setAppDisabled(ctx, caller, id, true)
}

// EnableApp lets an app have tokens again.
func (s *Service) EnableApp(ctx context.Context, caller Caller, id app.ID) (app.App, error) {
	return s.setAppDisabled(ctx, caller, id, false)
}

func (s *Service) setAppDisabled(ctx context.Context, caller Caller, id app.ID, disabled bool) (app.App, error) {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return app.App{}, err
	}
	return s.c.Apps.SetDisabled(ctx, caller.Actor, id, disabled)
}

// DeleteApp deletes an app and revokes its tokens.
func (s *Service) DeleteApp(ctx context.Context, caller Caller, id app.ID) error {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return err
	}
	return s.c.Apps.Delete(ctx, caller.Actor, id)
}

// AddAppSecret makes another secret of an app, which is answered this once. It
// expires after the given time, where that is not 0.
func (s *Service) AddAppSecret(ctx context.Context, caller Caller, id app.ID, expires time.Duration) (app.App, string, error) {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return app.App{}, "", err
	}
	return s.c.Apps.AddSecret(ctx, caller.Actor, id, expires)
}

// RevokeAppSecret ends a secret and all tokens that its app has.
func (s *Service) RevokeAppSecret(ctx context.Context, caller Caller, id app.ID, secret string) (app.App, error) {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return app.App{}, err
	}
	return s.c.Apps.RevokeSecret(ctx, caller.Actor, id, secret)
}
