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
	case in.Mode != "" && in.Mode != wire.ModeCookie:
		return httpapi.Refuse(wire.CodeInvalidRequest, `mode is "cookie", or left out`, nil)
	}
	inCookies := in.Mode == wire.ModeCookie
	if inCookies {
		if in.DeviceToken, err = d.cookieDevice(r, in.DeviceToken); err != nil {
			return err
		}
	}
	if err := c.TakeAddress(r, httpapi.LogIn); err != nil {
		return err
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
	device, err := d.Sessions.NewDeviceToken(holder.ID)
	if err != nil {
		return err
	}
	req := session.StartRequest{Audience: in.Audience, Scope: in.Scope, Client: session.FirstParty, Transport: session.Body}
	if inCookies {
		req.Transport = session.Cookie
	}
	tokens, err := d.start(ctx, actor, holder, req)
	if err != nil {
		return err
	}
	c.About(string(holder.ID), string(tokens.Session))
	if !inCookies {
		answer := response(tokens)
		answer.DeviceToken = device
		return c.JSON(http.StatusOK, answer)
	}
	answer, err := d.cookies.keep(c, tokens)
	if err != nil {
		return err
	}
	d.cookies.set(c, d.cookies.device, device, "/", deviceCookieLife)
	return c.JSON(http.StatusOK, answer)
}

// cookieDevice answers the device token of a browser that logs in with cookies.
func (d Deps) cookieDevice(r *http.Request, inBody string) (string, error) {
	if err := d.cookies.fromPage(r); err != nil {
		return "", err
	}
	token, ok, err := d.cookies.read(r, d.cookies.device)
	switch {
	case err != nil:
		return "", err
	case ok && inBody != "":
		return "", httpapi.ManyTokens("device tokens in cookie and body")
	case ok:
		return token, nil
	}
	return inBody, nil
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

// refresh takes the refresh token out of the body or of its cookie, and answers
// the next one the same way. A refusal leaves the cookie as it is: it may be the
// good one of another tab.
func (d Deps) refresh(c *httpapi.Call, r *http.Request) error {
	if err := c.TakeAddress(r, httpapi.Address); err != nil {
		return err
	}
	var in wire.RefreshRequest
	if err := c.ReadJSON(r, httpapi.Members{"refresh_token": &in.RefreshToken}); err != nil {
		return err
	}
	cookie, inCookie, err := d.cookies.read(r, d.cookies.refresh)
	switch {
	case err != nil:
		return err
	case inCookie && in.RefreshToken != "":
		return httpapi.ManyTokens("refresh tokens in cookie and body")
	case inCookie:
		if err := d.cookies.fromPage(r); err != nil {
			return err
		}
	}
	token, presented := in.RefreshToken, session.Presented{Client: session.FirstParty, Transport: session.Body}
	if inCookie {
		token, presented.Transport = cookie, session.Cookie
	}
	if id, err := d.Sessions.Presented(token); err == nil {
		if err := c.Take(r, httpapi.Session, string(id)); err != nil {
			return err
		}
	}
	tokens, err := d.Sessions.Refresh(r.Context(), c.Anonymous(r), token, presented)
	if err != nil {
		return err
	}
	c.About(string(tokens.Holder.ID), string(tokens.Session))
	answer := response(tokens)
	if inCookie {
		if answer, err = d.cookies.keep(c, tokens); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, answer)
}

// refreshEnd logs a browser out by its cookie, which it clears. Without one it
// is as it was wanted.
func (d Deps) refreshEnd(c *httpapi.Call, r *http.Request) error {
	if err := c.TakeAddress(r, httpapi.Address); err != nil {
		return err
	}
	if err := c.ReadJSON(r, httpapi.Members{}); err != nil {
		return err
	}
	if err := d.cookies.fromPage(r); err != nil {
		return err
	}
	token, ok, err := d.cookies.read(r, d.cookies.refresh)
	if err != nil {
		return err
	}
	if ok {
		presented := session.Presented{Client: session.FirstParty, Transport: session.Cookie}
		if err := d.Sessions.EndPresented(r.Context(), c.Anonymous(r), token, presented, "logout"); err != nil {
			return err
		}
	}
	d.cookies.clear(c)
	return c.NoContent()
}

// logout ends the token's own session, for which it need not be good any more.
func (d Deps) logout(c *httpapi.Call, r *http.Request) error {
	t, err := d.Auth.Genuine(c, r)
	if err != nil {
		return err
	}
	holder, id := account.ID(t.Subject()), session.ID(t.SessionID())
	if err := c.Take(r, httpapi.Account, string(holder)); err != nil {
		return err
	}
	err = d.Sessions.EndOwn(r.Context(), c.Actor(r, holder, ""), holder, id, "logout")
	if err != nil && !errors.Is(err, fault.ErrNotFound) { // swept since
		return err
	}
	if len(r.Header["Cookie"]) > 0 {
		if row, _, err := d.Sessions.Get(r.Context(), id); err == nil && row.Transport == session.Cookie {
			d.cookies.clear(c)
		}
	}
	return c.NoContent()
}

func (d Deps) logoutAll(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err != nil {
		return err
	}
	a := caller.Account
	if err := c.Take(r, httpapi.Account, string(a.ID)); err != nil {
		return err
	}
	if _, err := d.Sessions.EndAll(r.Context(), c.Actor(r, a.ID, a.Username), a.ID, "", "logout_all"); err != nil {
		return err
	}
	if caller.Session.Transport == session.Cookie {
		d.cookies.clear(c)
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
