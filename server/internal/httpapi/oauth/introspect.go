package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// Roles whose holders may ask about anybody's token; everybody may ask about
// their own.
var introspectors = []string{"introspector", "admin"}

// introspect implements RFC 7662 for access tokens. The caller authenticates
// with an access token of its own. A token that is not active, that is none,
// or that the caller may not ask about gets one and the same answer (§2.2).
func (d Deps) introspect(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err != nil {
		return err
	}
	form, err := c.ReadForm(r)
	if err != nil {
		return err
	}
	if err := httpapi.OneToken(form); err != nil {
		return err
	}
	if len(form["token"]) != 1 || form["token"][0] == "" {
		return httpapi.Refuse(wire.CodeInvalidRequest, "the parameter token is required, once", nil)
	}
	about, err := d.Auth.Judge(r.Context(), form["token"][0])
	switch {
	case verdict(err):
		return c.JSON(http.StatusOK, wire.Introspection{})
	case err != nil:
		return err // nothing is known about the token
	case about.Account.ID != caller.Account.ID && !mayAskAboutAny(caller.Account):
		return c.JSON(http.StatusOK, wire.Introspection{})
	}
	return c.JSON(http.StatusOK, describe(about))
}

func mayAskAboutAny(a account.Account) bool {
	return slices.ContainsFunc(introspectors, func(role string) bool { return slices.Contains(a.Roles, role) })
}

// verdict says whether err says something about the token.
func verdict(err error) bool {
	return slices.ContainsFunc([]error{
		jwt.ErrMalformed, jwt.ErrAlgorithm, jwt.ErrUnknownKey, jwt.ErrSignature, jwt.ErrType, jwt.ErrIssuer,
		jwt.ErrAudience, jwt.ErrNotYetValid, jwt.ErrExpired, jwt.ErrRevoked,
	}, func(reason error) bool { return errors.Is(err, reason) })
}

// describe says what the token says, but for rights that its account has lost
// since: here, unlike at an API that verifies by itself, that can be known.
// Which scopes a lost role gave is not, so none are told until the next refresh
// has made a token that says.
func describe(about httpapi.Caller) wire.Introspection {
	t := about.Token
	had := slices.Collect(t.Roles())
	roles := slices.DeleteFunc(slices.Clone(had), func(role string) bool { return !slices.Contains(about.Account.Roles, role) })
	scope := ""
	if len(roles) == len(had) {
		scope = strings.Join(slices.Collect(t.Scopes()), " ")
	}
	return wire.Introspection{
		Active:    true,
		Scope:     scope,
		ClientID:  t.ClientID(),
		TokenType: "Bearer",
		Expires:   t.ExpiresAt().Unix(),
		IssuedAt:  t.IssuedAt().Unix(),
		NotBefore: t.NotBefore().Unix(),
		Subject:   t.Subject(),
		Audience:  slices.Collect(t.Audiences()),
		Issuer:    t.Issuer(),
		ID:        t.ID(),
		SessionID: t.SessionID(),
		Roles:     roles,
	}
}
