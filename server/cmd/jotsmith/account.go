package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type accountCmd struct {
	Create      accountCreateCmd      `cmd:"" help:"Make an account."`
	List        accountListCmd        `cmd:"" help:"List accounts by user name."`
	Disable     accountDisableCmd     `cmd:"" help:"Forbid an account to log in, and end its sessions."`
	Enable      accountEnableCmd      `cmd:"" help:"Let a disabled account log in again."`
	SetPassword accountSetPasswordCmd `cmd:"" help:"Give an account another password, and end its sessions."`
	SetRoles    accountSetRolesCmd    `cmd:"" help:"Replace an account's roles."`
	SetClaims   accountSetClaimsCmd   `cmd:"" help:"Replace an account's custom claims."`
	Import      accountImportCmd      `cmd:"" help:"Make the accounts of another system, with their password hashes."`
}

func (accountCmd) Help() string {
	return targetHelp
}

// operator is whoever may read and write the data directory.
func operator() admin.Caller {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return admin.Operator(name)
}

// accountJSON is an account as --json prints it.
type accountJSON struct {
	ID                string          `json:"id"`
	Username          string          `json:"username"`
	DisplayName       string          `json:"display_name"`
	Roles             []string        `json:"roles"`
	Disabled          bool            `json:"disabled"`
	External          bool            `json:"external,omitempty"`
	Claims            json.RawMessage `json:"claims,omitempty"`
	CreatedAt         time.Time       `json:"created_at"`
	PasswordChangedAt *time.Time      `json:"password_changed_at,omitempty"`
	Password          string          `json:"password,omitempty"` // where it was generated
}

func newAccountJSON(a wire.Account) accountJSON {
	return accountJSON{
		ID: a.ID, Username: a.Username, DisplayName: a.DisplayName, Roles: a.Roles,
		Disabled: a.Disabled, External: a.External, Claims: a.Claims, CreatedAt: a.CreatedAt, PasswordChangedAt: a.PasswordChangedAt,
	}
}

// state says whether an account may log in.
func state(a wire.Account) string {
	if a.Disabled {
		return "disabled"
	}
	return "enabled"
}

func roles(a wire.Account) string {
	if len(a.Roles) == 0 {
		return "no role"
	}
	return strings.Join(a.Roles, ", ")
}

// accountError adds what to do about the faults that an operator can mend.
func accountError(err error, username string) error {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(fmt.Errorf("there is no account %q", username), "'jotsmith account list' shows them")
	case errors.Is(err, fault.ErrExists):
		return hint(fmt.Errorf("an account %q exists already; nothing was changed", username),
			"'jotsmith account set-password' and 'set-roles' change it")
	}
	return err
}

// findAccount reads the account of a user name in any spelling.
func (r *remote) findAccount(ctx context.Context, username string) (wire.Account, error) {
	var found wire.AccountList
	err := r.do(ctx, "GET", "/v1/admin/accounts?username="+url.QueryEscape(username), nil, &found)
	if err == nil && len(found.Accounts) != 1 {
		err = fault.ErrNotFound
	}
	if err != nil {
		return wire.Account{}, accountError(err, username)
	}
	return found.Accounts[0], nil
}

// onAccount asks for one act on one account, which the server names by id.
func (f accountFlags) onAccount(ctx context.Context, c *console, l *commandLine, did, method, act string, in any) error {
	r, err := f.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	a, err := r.findAccount(ctx, f.Username)
	if err != nil {
		return err
	}
	if err := r.do(ctx, method, accountPath(a)+act, in, &a); err != nil {
		return accountError(err, f.Username)
	}
	return f.print(c, a, did, "")
}

func accountPath(a wire.Account) string { return "/v1/admin/accounts/" + url.PathEscape(a.ID) }

// print says what an account has become. A password is one that was generated.
func (f accountFlags) print(c *console, a wire.Account, did, password string) error {
	if f.JSON {
		shown := newAccountJSON(a)
		shown.Password = password
		return c.json(shown)
	}
	fmt.Fprintf(c.out, "%s: %s (%s, %s)\n", a.Username, did, state(a), roles(a))
	if password != "" {
		fmt.Fprintf(c.out, "password: %s\n", password)
		fmt.Fprintln(c.err, "The password is not shown again.")
	}
	return nil
}

// accountFlags are those of every act on one account.
type accountFlags struct {
	targetFlags
	Username string `arg:"" help:"The account's user name."`
	JSON     bool   `help:"Print JSON."`
}
