package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// IssueToken makes an access token for an app, without its secret: see
// [app.Service.Issue].
func (s *Service) IssueToken(ctx context.Context, caller Caller, id app.ID, audience, scope string) (app.Token, error) {
	if err := s.mayChangeApp(ctx, caller, id); err != nil {
		return app.Token{}, err
	}
	return s.c.Apps.Issue(ctx, caller.Actor, id, audience, scope)
}

// ErrToken says that text is no good token of this server.
var ErrToken = errors.New("not a token that could be revoked")

// RevokeToken revokes a token: a refresh token with its session, an access
// token alone. It answers the id of what has ended. ErrToken, which says why.
func (s *Service) RevokeToken(ctx context.Context, caller Caller, text string) (string, error) {
	if err := allow(caller, SessionsWrite); err != nil {
		return "", err
	}
	if strings.HasPrefix(text, session.RefreshPrefix) {
		id, err := s.c.Sessions.Presented(text)
		if errors.Is(err, session.ErrRefused) {
			return "", fmt.Errorf("%w: it is no refresh token of this server", ErrToken)
		}
		if err != nil {
			return "", err
		}
		return string(id), s.EndSession(ctx, caller, id)
	}
	p := jwt.Policy{
		Issuer: s.c.Issuer, Keys: s.c.Ring.Keys(keyring.Access), CacheSize: -1,
		DangerouslyAcceptAnyAudience: true, DangerouslyIgnoreRevocation: true,
	}
	if strings.Count(text, ".") == 4 { // a JWE (RFC 7516 §7.1); whatever may be revoked may be opened first
		p.Decryption = s.c.Ring.Opens()
	}
	v, err := jwt.NewVerifier(p)
	if err != nil {
		return "", fmt.Errorf("revoking a token: %w", err)
	}
	t, err := v.Verify(ctx, text)
	switch {
	case errors.Is(err, jwt.ErrKeysUnavailable):
		return "", err
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	return t.ID(), s.c.Feed.EndToken(ctx, caller.Actor, t)
}
