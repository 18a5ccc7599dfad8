package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) accounts() []act {
	return []act{
		on("GET /accounts", admin.AccountsRead, s.listAccounts),
		on("POST /accounts", admin.AccountsWrite, s.createAccount),
		on("POST /import", admin.AccountsWrite, s.importAccounts),
		on("GET /accounts/{id}", admin.AccountsRead, s.account),
		on("PATCH /accounts/{id}", admin.AccountsWrite, s.changeAccount),
		on("PUT /accounts/{id}/password", admin.AccountsWrite, s.setPassword),
		on("PUT /accounts/{id}/roles", admin.AccountsWrite, s.setRoles),
		on("PUT /accounts/{id}/claims", admin.AccountsWrite, s.setClaims),
		on("POST /accounts/{id}/disable", admin.AccountsWrite, s.onAccount(s.admin.DisableAccount)),
		on("POST /accounts/{id}/enable", admin.AccountsWrite, s.onAccount(s.admin.EnableAccount)),
	}
}

// listAccounts lists by user name. With the parameter username it answers that
// one, in whatever spelling, or none.
func (s server) listAccounts(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var username, role, disabled, after, size string
	err := httpapi.ReadQuery(r, map[string]*string{"username": &username, "role": &role, "disabled": &disabled, "after": &after, "limit": &size})
	if err != nil {
		return err
	}
	limit, err := httpapi.Limit(size, usualLimit, mostLimit)
	if err != nil {
		return err
	}
	answer := wire.AccountList{Accounts: []wire.Account{}}
	if username != "" {
		if role != "" || disabled != "" || after != "" {
			return httpapi.Refuse(wire.CodeInvalidRequest, "username stands alone", nil)
		}
		a, err := s.admin.FindAccount(r.Context(), by, username)
		switch {
		case errors.Is(err, fault.ErrNotFound):
		case err != nil:
			return err
		default:
			answer.Accounts = append(answer.Accounts, accountOf(a))
		}
		return c.JSON(http.StatusOK, answer)
	}
	filter := admin.AccountFilter{Role: role}
	switch disabled {
	case "":
	case "true", "false":
		is := disabled == "true"
		filter.Disabled = &is
	default:
		return httpapi.Refuse(wire.CodeInvalidRequest, "disabled is true or false", nil)
	}
	found, next, err := s.admin.ListAccounts(r.Context(), by, filter, after, limit)
	if err != nil {
		return err
	}
	for _, a := range found {
		answer.Accounts = append(answer.Accounts, accountOf(a))
	}
	answer.Next = next
	return c.JSON(http.StatusOK, answer)
}

func (s server) createAccount(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AccountCreate
	err := c.ReadJSON(r, httpapi.Members{
		"username": &in.Username, "display_name": &in.DisplayName, "password": &in.Password, "roles": &in.Roles,
	})
	switch {
	case err != nil:
		return err
	case in.Username == "" || in.Password == "":
		return httpapi.Refuse(wire.CodeInvalidRequest, "username and password are required", nil)
	}
	a, err := s.admin.CreateAccount(r.Context(), by, account.NewAccount{
		Username: in.Username, DisplayName: in.DisplayName, Password: in.Password, Roles: in.Roles,
	})
	if err != nil {
		return err
	}
	c.Header().Set("Location", wire.PathAdmin+"/accounts/"+string(a.ID))
	return c.JSON(http.StatusCreated, accountOf(a))
}

func (s server) account(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	a, err := s.admin.Account(r.Context(), by, account.ID(id))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, accountOf(a))
}

func (s server) changeAccount(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AccountPatch
	if err := c.ReadJSON(r, httpapi.Members{"display_name": &in.DisplayName}); err != nil {
		return err
	}
	if in.DisplayName == nil {
		return httpapi.Refuse(wire.CodeInvalidRequest, "nothing to change: display_name is absent", nil)
	}
	return s.onAccount(func(ctx context.Context, by admin.Caller, id account.ID) (account.Account, error) {
		return s.admin.SetDisplayName(ctx, by, id, *in.DisplayName)
	})(c, r, by)
}

func (s server) setRoles(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var roles *[]string
	var end bool
	if err := c.ReadJSON(r, httpapi.Members{"roles": &roles, "end_sessions": &end}); err != nil {
		return err
	}
	if roles == nil {
		// Not taken for none: somebody would lose everything by a slip.
		return httpapi.Refuse(wire.CodeInvalidRequest, "roles is required; [] takes all away", nil)
	}
	return s.onAccount(func(ctx context.Context, by admin.Caller, id account.ID) (account.Account, error) {
		return s.admin.SetRoles(ctx, by, id, *roles, end)
	})(c, r, by)
}

func (s server) setClaims(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var claims *json.RawMessage
	if err := c.ReadJSON(r, httpapi.Members{"claims": &claims}); err != nil {
		return err
	}
	if claims == nil {
		return httpapi.Refuse(wire.CodeInvalidRequest, "claims is required; {} takes the template away", nil)
	}
	return s.onAccount(func(ctx context.Context, by admin.Caller, id account.ID) (account.Account, error) {
		return s.admin.SetAccountClaims(ctx, by, id, template(*claims))
	})(c, r, by)
}

func (s server) setPassword(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AccountPassword
	if err := c.ReadJSON(r, httpapi.Members{"password": &in.Password}); err != nil {
		return err
	}
	if in.Password == "" {
		return httpapi.Refuse(wire.CodeInvalidRequest, "password is required", nil)
	}
	id, err := id(r)
	if err != nil {
		return err
	}
	if err := s.admin.SetPassword(r.Context(), by, account.ID(id), in.Password); err != nil {
		return err
	}
	return c.NoContent()
}

// onAccount serves an act that answers what the account has become.
func (s server) onAccount(do func(context.Context, admin.Caller, account.ID) (account.Account, error)) handler {
	return func(c *httpapi.Call, r *http.Request, by admin.Caller) error {
		id, err := id(r)
		if err != nil {
			return err
		}
		a, err := do(r.Context(), by, account.ID(id))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, accountOf(a))
	}
}

func accountOf(a account.Account) wire.Account {
	return wire.Account{
		ID: string(a.ID), Username: a.Username, DisplayName: a.DisplayName, Roles: append([]string{}, a.Roles...),
		Disabled: a.Disabled, External: a.External, Claims: a.Claims, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, PasswordChangedAt: optional(a.PasswordChangedAt),
	}
}
