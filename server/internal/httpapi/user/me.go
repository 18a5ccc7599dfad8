package user

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

func (d Deps) me(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, me(caller.Account))
}

// changeMe takes what people may change of themselves, which is their display
// name; anything else in the body is refused.
func (d Deps) changeMe(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err == nil {
		err = c.Take(r, httpapi.Account, caller.Subject())
	}
	if err != nil {
		return err
	}
	var in wire.MePatch
	if err := c.ReadJSON(r, httpapi.Members{"display_name": &in.DisplayName}); err != nil {
		return err
	}
	a := caller.Account
	if in.DisplayName != nil {
		a, err = d.Accounts.SetDisplayName(r.Context(), c.Actor(r, a.ID, a.Username), a.ID, *in.DisplayName)
		if err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, me(a))
}

func (d Deps) changePassword(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err == nil {
		err = c.Take(r, httpapi.Password, caller.Subject())
	}
	if err != nil {
		return err
	}
	var in wire.PasswordChange
	err = c.ReadJSON(r, httpapi.Members{"current_password": &in.CurrentPassword, "new_password": &in.NewPassword})
	switch {
	case err != nil:
		return err
	case in.CurrentPassword == "" || in.NewPassword == "":
		return httpapi.Refuse(wire.CodeInvalidRequest, "current_password and new_password are required", nil)
	}
	a := caller.Account
	err = d.Accounts.ChangePassword(r.Context(), c.Actor(r, a.ID, a.Username), a.ID, in.CurrentPassword, in.NewPassword,
		string(caller.Session.ID), c.Address)
	if err != nil {
		return err
	}
	return c.NoContent()
}

// Sessions in one answer.
const (
	usualSessions = 50
	mostSessions  = 100
)

// list answers the caller's living sessions by id. The query's after is the
// last id of the answer before; an answer of fewer than limit is the last.
func (d Deps) list(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err == nil {
		err = c.Take(r, httpapi.Account, caller.Subject())
	}
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return httpapi.Refuse(wire.CodeInvalidRequest, "malformed query", nil)
	}
	limit, after := usualSessions, query.Get("after")
	if s := query.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > mostSessions {
			return httpapi.Refuse(wire.CodeInvalidRequest, "limit is a number from 1 to "+strconv.Itoa(mostSessions), nil)
		}
	}
	if len(after) > maxID {
		return httpapi.Refuse(wire.CodeInvalidRequest, "after is the id of a session", nil)
	}
	found, err := d.Sessions.List(r.Context(), caller.Account.ID, session.ID(after), limit)
	if err != nil {
		return err
	}
	answer := wire.SessionList{Sessions: make([]wire.Session, 0, len(found))}
	for _, s := range found {
		answer.Sessions = append(answer.Sessions, wire.Session{
			ID: string(s.ID), Audience: s.Audience, Device: s.Device, Address: s.Address,
			CreatedAt: s.CreatedAt, LastUsedAt: s.RotatedAt, ExpiresAt: s.ExpiresAt,
			Current: s.ID == caller.Session.ID,
		})
	}
	return c.JSON(http.StatusOK, answer)
}

// maxID is longer than any id.
const maxID = 64

// end ends one of the caller's sessions. One that has ended already is as it
// was wanted; somebody else's does not exist.
func (d Deps) end(c *httpapi.Call, r *http.Request) error {
	caller, err := d.Auth.Caller(c, r)
	if err == nil {
		err = c.Take(r, httpapi.Account, caller.Subject())
	}
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if len(id) > maxID {
		return httpapi.Refuse(wire.CodeNotFound, "", nil)
	}
	a := caller.Account
	if err := d.Sessions.EndOwn(r.Context(), c.Actor(r, a.ID, a.Username), a.ID, session.ID(id), "ended_by_holder"); err != nil {
		return err
	}
	return c.NoContent()
}

func me(a account.Account) wire.Me {
	roles := a.Roles
	if roles == nil {
		roles = []string{}
	}
	return wire.Me{ID: string(a.ID), Username: a.Username, DisplayName: a.DisplayName, Roles: roles, CreatedAt: a.CreatedAt}
}
