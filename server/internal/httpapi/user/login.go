package user

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

func (d Deps) login(c *httpapi.Call, r *http.Request) error {
	var in wire.LoginRequest
	err := c.ReadJSON(r, httpapi.Members{
		"username": &in.Username, "password": &in.Password,
		"audience": &in.Audience, "scope": &in.Scope,
		"device_token": &in.DeviceToken, "mode": &in.Mode,
	})
	switch {
	case err != nil:
		return err
	case in.Username == "" || in.Password == "":
		return httpapi.Refuse(wire.CodeInvalidRequest, "username and password are required", nil)
	case in.Mode != "":
		// Never answered as if it had been understood: the refresh token would
		// stand in a body that a script of the page can read.
		return httpapi.Refuse(wire.CodeInvalidRequest, `this server has no "mode"; leave it out`, nil)
	}
	ctx := r.Context()
	attempt := account.Attempt{Username: in.Username, Password: in.Password, Address: c.Address}
	if holder, device, ok := d.Sessions.CheckDeviceToken(in.DeviceToken); ok {
		attempt.Device = &account.KnownDevice{Holder: holder, Device: device}
	}
	holder, err := d.Accounts.Authenticate(ctx, c.Anonymous(r), attempt)
	if err != nil {
		return err
	}
	c.About(string(holder.ID), "")
	actor := c.Actor(r, holder.ID, holder.Username)
	tokens, err := d.start(ctx, actor, holder, session.StartRequest{
		Audience: in.Audience, Scope: in.Scope, Client: session.FirstParty, Transport: session.Body,
	})
	if err != nil {
		return err
	}
	answer := response(tokens)
	answer.DeviceToken, err = d.Sessions.NewDeviceToken(holder.ID)
	if err != nil {
		return err
	}
	c.About(string(holder.ID), answer.SessionID)
	return c.JSON(http.StatusOK, answer)
}

// start starts a session of holder, whose password was right a moment ago.
func (d Deps) start(ctx context.Context, actor audit.Actor, holder account.Account, req session.StartRequest) (session.Tokens, error) {
	tokens, err := d.Sessions.Start(ctx, actor, holder.ID, req)
	switch {
	case errors.Is(err, catalog.ErrUnknownAPI):
		return session.Tokens{}, httpapi.Refuse(wire.CodeInvalidTarget, "", err)
	case errors.Is(err, catalog.ErrScope):
		return session.Tokens{}, httpapi.Refuse(wire.CodeInvalidScope, "", err)
	case errors.Is(err, session.ErrDisabled), errors.Is(err, fault.ErrNotFound):
		// In that moment the account was disabled or deleted.
		return session.Tokens{}, fmt.Errorf("%w: %w", account.ErrCredentials, err)
	case err != nil:
		return session.Tokens{}, err
	}
	if !tokens.Holder.PasswordChangedAt.Equal(holder.PasswordChangedAt) {
		// In that moment the password was changed, which ended every session
		// but could not end this one. Its tokens have not left this function.
		if err := d.Sessions.End(context.WithoutCancel(ctx), actor, tokens.Session, "password_changed"); err != nil {
			return session.Tokens{}, err
		}
		return session.Tokens{}, fmt.Errorf("%w: changed while it was checked", account.ErrCredentials)
	}
	return tokens, nil
}

func (d Deps) refresh(c *httpapi.Call, r *http.Request) error {
	var in wire.RefreshRequest
	if err := c.ReadJSON(r, httpapi.Members{"refresh_token": &in.RefreshToken}); err != nil {
		return err
	}
	presented := session.Presented{Client: session.FirstParty, Transport: session.Body}
	tokens, err := d.Sessions.Refresh(r.Context(), c.Anonymous(r), in.RefreshToken, presented)
	if err != nil {
		return err
	}
	c.About(string(tokens.Holder.ID), string(tokens.Session))
	return c.JSON(http.StatusOK, response(tokens))
}

// logout ends the token's own session, for which it need not be good any more.
func (d Deps) logout(c *httpapi.Call, r *http.Request) error {
	t, err := d.Auth.Genuine(c, r)
	if err != nil {
		return err
	}
	holder := account.ID(t.Subject())
	err = d.Sessions.EndOwn(r.Context(), c.Actor(r, holder, ""), holder, session.ID(t.SessionID()), "logout")
	if err != nil && !errors.Is(err, fault.ErrNotFound) { // swept since
		return err
	}
	return c.NoContent()
}

func (d Deps) logoutAll(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err != nil {
		return err
	}
	a := caller.Account
	if _, err := d.Sessions.EndAll(r.Context(), c.Actor(r, a.ID, a.Username), a.ID, "", "logout_all"); err != nil {
		return err
	}
	return c.NoContent()
}

func response(t session.Tokens) wire.TokenResponse {
	return wire.TokenResponse{
		AccessToken:  t.AccessToken,
		TokenType:    "Bearer",
		ExpiresIn:    int64(t.ExpiresIn.Seconds()),
		RefreshToken: t.RefreshToken,
		SessionID:    string(t.Session),
		Scope:        t.Scope,
	}
}
