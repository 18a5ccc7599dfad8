package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// AuthConfig is what an Authenticator is made of. All but Now are required.
type AuthConfig struct {
	Issuer      string
	Audiences   []string // every registered one
	Keys        jwt.Keys
	Revocations jwt.Revocations // this node's own view
	Sessions    *session.Service
	Now         func() time.Time // the store's time; nil means time.Now
}

// An Authenticator judges this issuer's own access tokens, for whichever of the
// registered APIs they are. Beyond what a guard can see it asks the store, each
// time, whether session and account still stand.
type Authenticator struct {
	live     *jwt.Verifier
	genuine  *jwt.Verifier
	sessions *session.Service
}

// NewAuthenticator checks c and reports every fault at once.
func NewAuthenticator(c AuthConfig) (*Authenticator, error) {
	p := jwt.Policy{Issuer: c.Issuer, Audiences: c.Audiences, Keys: c.Keys, Revocations: c.Revocations, Now: c.Now}
	live, err1 := jwt.NewVerifier(p)
	p.Revocations = nil
	p.DangerouslyIgnoreRevocation = true
	p.DangerouslyIgnoreExpiry = true
	p.CacheSize = -1
	genuine, err2 := jwt.NewVerifier(p)
	if c.Sessions == nil {
		err2 = errors.Join(err2, errors.New("no sessions"))
	}
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return &Authenticator{live, genuine, c.Sessions}, nil
}

// A Caller is who sent a token that is good and whose session stands.
type Caller struct {
	Token   *jwt.Token
	Session session.Session
	Account account.Account // as it is now, which may be less than the token says
}

// Caller authenticates a request.
func (a *Authenticator) Caller(c *Call, r *http.Request) (Caller, error) {
	compact, err := bearer(r)
	if err != nil {
		return Caller{}, err
	}
	caller, err := a.Judge(r.Context(), compact)
	if err != nil {
		return Caller{}, err
	}
	c.About(string(caller.Account.ID), string(caller.Session.ID))
	return caller, nil
}

// Judge is Caller for a compact string from elsewhere. An error that wraps
// none of the verdicts of package jwt says nothing about the token.
func (a *Authenticator) Judge(ctx context.Context, compact string) (Caller, error) {
	t, err := a.live.Verify(ctx, compact)
	if err != nil {
		return Caller{}, err
	}
	return a.Stands(ctx, t)
}

// Stands asks the store whether the session and the account of a verified token
// still stand; jwt.ErrRevoked where they do not.
func (a *Authenticator) Stands(ctx context.Context, t *jwt.Token) (Caller, error) {
	row, err := a.sessions.Standing(ctx, session.ID(t.SessionID()))
	switch {
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrDisabled):
		return Caller{}, fmt.Errorf("%w: %w", jwt.ErrRevoked, err)
	case err != nil:
		return Caller{}, err
	case string(row.Holder.ID) != t.Subject():
		return Caller{}, fmt.Errorf("%w: its session is of another account", jwt.ErrRevoked)
	}
	return Caller{t, row.Session, row.Holder}, nil
}

// Genuine is Caller without asking whether the token has expired or its session
// has ended. It is enough for ending that session and for nothing else.
func (a *Authenticator) Genuine(c *Call, r *http.Request) (*jwt.Token, error) {
	compact, err := bearer(r)
	if err != nil {
		return nil, err
	}
	t, err := a.genuine.Verify(r.Context(), compact)
	if err != nil {
		return nil, err
	}
	c.About(t.Subject(), t.SessionID())
	return t, nil
}

// Actor is the caller as the audit log names them.
func (c *Call) Actor(r *http.Request, subject account.ID, name string) audit.Actor {
	a := c.Anonymous(r)
	a.Kind, a.ID, a.Name = audit.KindAccount, string(subject), name
	return a
}

// bearer finds the one token of a request, in its Authorization header
// (RFC 6750 §2.1). One in the query (§2.3) is never taken, and beside another
// it makes two, which is refused (§2).
func bearer(r *http.Request) (string, error) {
	values := r.Header["Authorization"]
	switch len(values) {
	case 0:
		return "", guard.ErrNoToken
	case 1:
	default:
		return "", fmt.Errorf("%w: %d Authorization headers", guard.ErrManyTokens, len(values))
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", guard.ErrNoToken
	case token == "":
		return "", fmt.Errorf("%w: nothing behind Bearer", jwt.ErrMalformed)
	case r.URL.RawQuery != "" && queryToken(r.URL.RawQuery):
		return "", fmt.Errorf("%w: Authorization header and query", guard.ErrManyTokens)
	}
	return token, nil
}

func queryToken(query string) bool {
	values, _ := url.ParseQuery(query)
	return values.Has("access_token")
}

// OneToken refuses a form that carries a credential beside the header's
// (RFC 6750 §2.2).
func OneToken(form url.Values) error {
	if form.Has("access_token") {
		return fmt.Errorf("%w: Authorization header and form", guard.ErrManyTokens)
	}
	return nil
}
