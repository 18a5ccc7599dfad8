package main

import (
	"context"

	"github.com/jotsmith/jotsmith/wire"
)

type accountDisableCmd struct{ accountFlags }

func (cmd *accountDisableCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	return cmd.onAccount(ctx, c, l, "disabled; its sessions have ended", "POST", "/disable", nil)
}

type accountEnableCmd struct{ accountFlags }

func (cmd *accountEnableCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	return cmd.onAccount(ctx, c, l, "may log in", "POST", "/enable", nil)
}

type accountSetRolesCmd struct {
	accountFlags
	Role []string `sep:"none" placeholder:"ROLE" help:"A role of the account; repeatable. Without any, it has none afterwards."`

	EndSessions bool `help:"End its sessions too, so that every guard refuses the tokens with the old roles within a second."`
}

func (accountSetRolesCmd) Help() string {
	return "The roles given are all that the account has afterwards. Its sessions go on: the next refresh carries the new roles, and a token from before passes at an API until it expires, unless --end-sessions is given."
}

func (cmd *accountSetRolesCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	roles := wire.AccountRoles{Roles: append([]string{}, cmd.Role...), EndSessions: cmd.EndSessions}
	did := "has new roles"
	if cmd.EndSessions {
		did += "; its sessions have ended"
	}
	return cmd.onAccount(ctx, c, l, did, "PUT", "/roles", roles)
}

type accountSetPasswordCmd struct {
	accountFlags
	passwordFlags
}

func (cmd *accountSetPasswordCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	a, err := r.findAccount(ctx, cmd.Username)
	if err != nil {
		return err
	}
	password, generated, err := cmd.read(c, cmd.Username)
	if err != nil {
		return err
	}
	if err := r.do(ctx, "PUT", accountPath(a)+"/password", wire.AccountPassword{Password: password}, nil); err != nil {
		return accountError(err, cmd.Username)
	}
	if a, err = r.findAccount(ctx, cmd.Username); err != nil {
		return err
	}
	if !generated {
		password = ""
	}
	return cmd.print(c, a, "has a new password; its sessions have ended", password)
}
