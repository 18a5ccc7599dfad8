package admin

import (
	"errors"
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) tokens() []act {
	return []act{
		on("POST /apps/{id}/token", admin.AppsWrite, s.issueToken),
		on("POST /tokens/revoke", admin.SessionsWrite, s.revokeToken),
	}
}

// issueToken makes an access token for an app, without its secret.
func (s server) issueToken(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AppToken
	if err := c.ReadJSON(r, httpapi.Members{"audience": &in.Audience, "scope": &in.Scope}); err != nil {
		return err
	}
	id, err := id(r)
	if err != nil {
		return err
	}
	t, err := s.admin.IssueToken(r.Context(), by, app.ID(id), in.Audience, in.Scope)
	switch {
	case errors.Is(err, catalog.ErrUnknownAPI):
		return httpapi.Refuse(wire.CodeInvalidTarget, err.Error(), err)
	case errors.Is(err, catalog.ErrScope):
		return httpapi.Refuse(wire.CodeInvalidScope, err.Error(), err)
	case err != nil:
		return err
	}
	return c.JSON(http.StatusCreated, wire.TokenResponse{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()), Scope: t.Scope,
	})
}

// revokeToken ends an access token alone, a refresh token with its session.
func (s server) revokeToken(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.TokenRevoke
	if err := c.ReadJSON(r, httpapi.Members{"token": &in.Token}); err != nil {
		return err
	}
	if in.Token == "" {
		return httpapi.Refuse(wire.CodeInvalidRequest, "token is required", nil)
	}
	ended, err := s.admin.RevokeToken(r.Context(), by, in.Token)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.TokenEnded{Ended: ended})
}
