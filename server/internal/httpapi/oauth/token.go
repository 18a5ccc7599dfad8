package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// The grants of the token endpoint.
const (
	grantClient  = "client_credentials" // RFC 6749 §4.4
	grantRefresh = "refresh_token"      // RFC 6749 §6
)

var grants = []string{grantClient, grantRefresh}

// token implements the token endpoint (RFC 6749 §3.2).
func (d Deps) token(c *httpapi.Call, r *http.Request) error {
	form, who, err := d.asked(c, r)
	if err != nil {
		return err
	}
	var answer wire.TokenResponse
	switch grant := form.Get("grant_type"); grant {
	case grantClient:
		answer, err = d.grantClient(r.Context(), who, form)
	case grantRefresh:
		answer, err = d.grantRefresh(c, r, who, form)
	case "":
		err = httpapi.Refuse(wire.CodeInvalidRequest, "the parameter grant_type is required", nil)
	default:
		err = httpapi.Refuse(wire.CodeUnsupportedGrantType, "", nil)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// grantClient makes a token for the app itself.
func (d Deps) grantClient(ctx context.Context, who client, form url.Values) (wire.TokenResponse, error) {
	if who.app == nil { // §4.4: confidential clients alone
		return wire.TokenResponse{}, app.ErrCredentials
	}
	target, err := target(form)
	if err != nil {
		return wire.TokenResponse{}, err
	}
	t, err := d.Apps.Grant(ctx, *who.app, target, form.Get("scope"))
	if err != nil {
		return wire.TokenResponse{}, refusal(err)
	}
	return wire.TokenResponse{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()), Scope: t.Scope,
	}, nil
}

// grantRefresh refreshes a session that the client began. Another client's
// token is refused and not consumed.
func (d Deps) grantRefresh(c *httpapi.Call, r *http.Request, who client, form url.Values) (wire.TokenResponse, error) {
	token := form.Get("refresh_token")
	if token == "" {
		return wire.TokenResponse{}, httpapi.Refuse(wire.CodeInvalidRequest, "the parameter refresh_token is required", nil)
	}
	target, err := target(form)
	if err != nil {
		return wire.TokenResponse{}, err
	}
	if id, err := d.Sessions.Presented(token); err == nil {
		if err := c.Take(r, httpapi.Session, string(id)); err != nil {
			return wire.TokenResponse{}, err
		}
	}
	t, err := d.Sessions.Refresh(r.Context(), who.actor, token, session.Presented{
		Client: who.id, Transport: session.Body, Audience: target, Scope: form.Get("scope"),
	})
	if err != nil {
		return wire.TokenResponse{}, refusal(err)
	}
	c.About(string(t.Holder.ID), string(t.Session))
	return wire.TokenResponse{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()),
		RefreshToken: t.RefreshToken, SessionID: string(t.Session), Scope: t.Scope,
	}, nil
}

// target is the API that a token is asked for: resource (RFC 8707 §2), which
// others call audience.
func target(form url.Values) (string, error) {
	resource, audience := form.Get("resource"), form.Get("audience")
	if resource != "" && audience != "" && resource != audience {
		return "", httpapi.Refuse(wire.CodeInvalidRequest, "resource and audience differ", nil)
	}
	if resource == "" {
		resource = audience
	}
	return resource, nil
}

// refusal says err in the words of RFC 6749 §5.2.
func refusal(err error) error {
	switch {
	case errors.Is(err, session.ErrRefused):
		return httpapi.Refuse(wire.CodeInvalidGrant, "", err)
	case errors.Is(err, catalog.ErrUnknownAPI):
		return httpapi.Refuse(wire.CodeInvalidTarget, "", err)
	case errors.Is(err, catalog.ErrScope):
		return httpapi.Refuse(wire.CodeInvalidScope, "", err)
	}
	return err
}
