package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// introspect implements RFC 7662 for access tokens. The caller authenticates
// with an access token of its own, or as an app with its secret (§2.1). A token
// that is not active, that is none, or that the caller may not ask about gets
// one and the same answer (§2.2): everybody may ask about their own, and about
// any token where they have catalog.Introspect. A bearer's token must say so too,
// which only one for this server's administration can: whoever runs some other
// API has the tokens of all who call it, and could ask with one of theirs.
func (d Deps) introspect(c *httpapi.Call, r *http.Request) error {
	if err := c.TakeAddress(r, httpapi.Address); err != nil {
		return err
	}
	form, who, anybody, err := d.asking(c, r)
	if err != nil {
		return err
	}
	subject := who.Subject()
	if err := c.Take(r, httpapi.Client, subject); err != nil {
		return err
	}
	token := form.Get("token")
	if token == "" {
		return httpapi.Refuse(wire.CodeInvalidRequest, "the parameter token is required, once", nil)
	}
	about, err := d.Auth.Judge(r.Context(), who, token)
	switch {
	case verdict(err):
		return c.JSON(http.StatusOK, wire.Introspection{})
	case err != nil:
		return err // nothing is known about the token
	case about.Subject() != subject && !anybody:
		return c.JSON(http.StatusOK, wire.Introspection{})
	}
	return c.JSON(http.StatusOK, d.describe(about))
}

// asking says who asks, and whether they may ask about anybody's tokens.
func (d Deps) asking(c *httpapi.Call, r *http.Request) (form url.Values, who httpapi.Caller, anybody bool, err error) {
	if basic(r) || len(r.Header["Authorization"]) == 0 {
		if form, err = readForm(c, r); err != nil {
			return nil, who, false, err
		}
	}
	if basic(r) || form.Has("client_secret") {
		shown, err := d.client(c, r, form)
		if err != nil {
			return nil, who, false, err
		}
		who.App = &shown.app.App
		return form, who, d.Catalog.Now().Gives(who.Roles(), catalog.Introspect), nil
	}
	if who, err = d.Auth.Anybody(c, r); err != nil {
		return nil, who, false, err
	}
	if form, err = readForm(c, r); err == nil && form.Has("client_secret") {
		err = httpapi.Refuse(wire.CodeInvalidRequest, "more than one way to authenticate", nil)
	}
	anybody = who.Token.HasScope(catalog.Introspect) && d.Catalog.Now().Gives(who.Roles(), catalog.Introspect)
	return form, who, anybody, err
}

// verdict says whether err says something about the token.
func verdict(err error) bool {
	return slices.ContainsFunc([]error{
		jwt.ErrMalformed, jwt.ErrAlgorithm, jwt.ErrUnknownKey, jwt.ErrSignature, jwt.ErrDecrypt, jwt.ErrType,
		jwt.ErrIssuer, jwt.ErrAudience, jwt.ErrNotYetValid, jwt.ErrExpired, jwt.ErrRevoked,
	}, func(reason error) bool { return errors.Is(err, reason) })
}

// describe says what the token says, but for rights that its holder has lost
// since, by losing a role or by the role's losing a permission: here, unlike at
// an API that verifies by itself, that can be known.
func (d Deps) describe(about httpapi.Caller) wire.Introspection {
	t := about.Token
	roles := slices.DeleteFunc(slices.Collect(t.Roles()), func(role string) bool { return !slices.Contains(about.Roles(), role) })
	given := d.Catalog.Now().Permissions(roles)
	scopes := slices.DeleteFunc(slices.Collect(t.Scopes()), func(s string) bool { return !slices.Contains(given, s) })
	var loggedIn int64
	if at := t.AuthTime(); !at.IsZero() {
		loggedIn = at.Unix()
	}
	return wire.Introspection{
		Active:    true,
		Scope:     strings.Join(scopes, " "),
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
		AuthTime:  loggedIn,
		Methods:   slices.Collect(t.AuthMethods()),
		ACR:       t.ACR(),
	}
}
