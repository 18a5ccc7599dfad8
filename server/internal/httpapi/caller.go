package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// AuthConfig is what an Authenticator is made of. All but Now are required.
type AuthConfig struct {
	Issuer      string
	Catalog     *catalog.Live // whose APIs' tokens are judged
	Keys        jwt.Keys
	Opens       jwt.DecryptionKeys // what opaque tokens are encrypted for
	Revocations jwt.Revocations    // this node's own view
	Sessions    *session.Service
	Apps        *app.Service
	Now         func() time.Time // the store's time; nil means time.Now
}

// An Authenticator judges this issuer's own access tokens, for whichever of the
// registered APIs they are. Beyond what a guard can see it asks the store, each
// time, whether session and account, or app, still stand.
type Authenticator struct {
	c         AuthConfig
	verifiers atomic.Pointer[verifiers]
}

// NewAuthenticator checks c and reports every fault at once.
func NewAuthenticator(c AuthConfig) (*Authenticator, error) {
	var faults []error
	if c.Sessions == nil || c.Apps == nil || c.Opens == nil {
		faults = append(faults, errors.New("no sessions, no apps or no keys that open opaque tokens"))
	}
	a := &Authenticator{c: c}
	var now *catalog.Catalog
	if c.Catalog != nil {
		now = c.Catalog.Now()
	}
	v, err := a.verifiersFor(now)
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	a.verifiers.Store(v)
	return a, nil
}

// A Caller is who sent a token that is good: somebody whose session stands, or
// an app. Either is as it is now, which may be less than the token says.
type Caller struct {
	Token   *jwt.Token
	Session session.Session
	Account account.Account
	App     *app.App // nil: it is an account
}

// Subject is the caller's id.
func (c Caller) Subject() string {
	if c.App != nil {
		return string(c.App.ID)
	}
	return string(c.Account.ID)
}

// Roles are those that the caller has now.
func (c Caller) Roles() []string {
	if c.App != nil {
		return c.App.Roles
	}
	return c.Account.Roles
}

// Caller authenticates a request of somebody who is logged in. An app, which
// has no account, is refused.
func (a *Authenticator) Caller(c *Call, r *http.Request) (Caller, error) {
	caller, err := a.Anybody(c, r)
	if err == nil && caller.App != nil {
		return Caller{}, Refuse(wire.CodeForbidden, "an app has no account", nil)
	}
	return caller, err
}

// Anybody authenticates a request of an account or an app.
func (a *Authenticator) Anybody(c *Call, r *http.Request) (Caller, error) {
	v, err := a.forNow()
	if err != nil {
		return Caller{}, err
	}
	t, err := v.check(r)
	if err != nil {
		return Caller{}, err
	}
	caller, err := a.Stands(r.Context(), t)
	if err != nil {
		return Caller{}, err
	}
	c.About(caller.Subject(), string(caller.Session.ID))
	return caller, nil
}

// Judge is Caller for a compact string from elsewhere. An error that wraps
// none of the verdicts of package jwt says nothing about the token. Where it is
// of the session of who asks, that was read since the request came and is not
// read again; nobody is the zero Caller.
func (a *Authenticator) Judge(ctx context.Context, asks Caller, compact string) (Caller, error) {
	v, err := a.forNow()
	if err != nil {
		return Caller{}, err
	}
	t, err := v.verify(ctx, compact)
	if err != nil {
		return Caller{}, err
	}
	if id := t.SessionID(); id != "" && id == string(asks.Session.ID) && t.Subject() == string(asks.Account.ID) {
		asks.Token = t
		return asks, nil
	}
	return a.Stands(ctx, t)
}

// Stands asks the store whether the session and the account of a verified
// token, or its app, still stand; jwt.ErrRevoked where they do not.
func (a *Authenticator) Stands(ctx context.Context, t *jwt.Token) (Caller, error) {
	if t.SessionID() == "" {
		return a.appStands(ctx, t)
	}
	row, err := a.c.Sessions.Standing(ctx, session.ID(t.SessionID()))
	switch {
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrDisabled):
		return Caller{}, fmt.Errorf("%w: %w", jwt.ErrRevoked, err)
	case err != nil:
		return Caller{}, err
	case string(row.Holder.ID) != t.Subject():
		return Caller{}, fmt.Errorf("%w: its session is of another account", jwt.ErrRevoked)
	}
	return Caller{Token: t, Session: row.Session, Account: row.Holder}, nil
}

func (a *Authenticator) appStands(ctx context.Context, t *jwt.Token) (Caller, error) {
	found, err := a.c.Apps.Standing(ctx, app.ID(t.Subject()))
	switch {
	case errors.Is(err, app.ErrCredentials):
		return Caller{}, fmt.Errorf("%w: %w", jwt.ErrRevoked, err)
	case err != nil:
		return Caller{}, err
	case t.IssuedAt().Before(found.ValidFrom):
		return Caller{}, fmt.Errorf("%w: issued before the app's tokens were revoked", jwt.ErrRevoked)
	}
	return Caller{Token: t, App: &found}, nil
}

// Genuine is Caller without asking whether the token has expired or its session
// has ended. It is enough for ending that session and for nothing else.
func (a *Authenticator) Genuine(c *Call, r *http.Request) (*jwt.Token, error) {
	v, err := a.forNow()
	if err != nil {
		return nil, err
	}
	t, err := v.genuine.of(r).Check(r)
	if err != nil {
		return nil, err
	}
	c.About(t.Subject(), t.SessionID())
	return t, nil
}

// AppActor is an app as the audit log names it.
func (c *Call) AppActor(r *http.Request, a app.App) audit.Actor {
	actor := c.Anonymous(r)
	actor.Kind, actor.ID, actor.Name = audit.KindApp, string(a.ID), a.Name
	return actor
}

// Actor is the caller as the audit log names them.
func (c *Call) Actor(r *http.Request, subject account.ID, name string) audit.Actor {
	a := c.Anonymous(r)
	a.Kind, a.ID, a.Name = audit.KindAccount, string(subject), name
	return a
}

// OneToken refuses a form that carries a credential beside the header's
// (RFC 6750 §2.2).
func OneToken(form url.Values) error {
	if form.Has("access_token") {
		return fmt.Errorf("%w: Authorization header and form", guard.ErrManyTokens)
	}
	return nil
}
