package guard

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// CheckToken is [Guard.Check] for what is no HTTP request, such as a message of
// a queue or a call of another protocol: it verifies compact and asks the rules.
// request is what rules about the thing that is acted on look at, or nil. It does
// not call Observe.
func (g *Guard) CheckToken(ctx context.Context, compact string, request any, rules ...authz.Rule) (*jwt.Token, error) {
	v, err := g.connected()
	if err != nil {
		return nil, err
	}
	t, err := v.Verify(ctx, compact)
	if err != nil {
		return nil, err
	}
	if err := ask(request, t, rules); err != nil {
		return nil, err
	}
	return t, nil
}

// Recheck tells whether a token that this guard has let through is still good:
// not expired, not revoked, its key still trusted. It is for what outlives a
// request, such as a stream.
func (g *Guard) Recheck(ctx context.Context, t *jwt.Token) error {
	v, err := g.connected()
	if err != nil {
		return err
	}
	return v.Recheck(ctx, t)
}

func (g *Guard) connected() (*jwt.Verifier, error) {
	v := g.verifier.Load()
	if v == nil {
		return nil, fmt.Errorf("%w: not connected to the issuer yet", jwt.ErrKeysUnavailable)
	}
	return v, nil
}

// Bearer returns the token of the values of an Authorization header, or of what
// stands for it in another protocol. The error is [ErrNoToken], [ErrManyTokens]
// or [jwt.ErrMalformed].
func Bearer(authorization []string) (string, error) {
	token, n := bearer(authorization)
	switch {
	case n == 0:
		return "", ErrNoToken
	case n > 1:
		return "", fmt.Errorf("%w: %d of them", ErrManyTokens, n)
	case token == "":
		return "", fmt.Errorf("%w: nothing behind Bearer", jwt.ErrMalformed)
	}
	return token, nil
}

// Code tells what [Guard.Refuse] would answer to err, and the scope that would
// have been enough where one would.
func Code(err error) (code wire.Code, scope string) {
	code, _, denied := classify(err)
	if denied != nil && code == wire.CodeForbidden {
		scope = denied.Scope
	}
	return code, scope
}
