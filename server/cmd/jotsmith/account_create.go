package main

import (
	"context"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type accountCreateCmd struct {
	accountFlags
	passwordFlags
	Role []string `sep:"none" placeholder:"ROLE" help:"A role of the account; repeatable. 'jotsmith role list' says what it gives."`
	Name string   `placeholder:"TEXT" help:"How people see the account; by default the user name."`
}

func (accountCreateCmd) Help() string {
	return "Makes the data directory and the root key where there are none yet. " +
		"The password is asked for, unless a flag says where it comes from; it is never an argument, which others could read."
}

func (cmd *accountCreateCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	var password string
	var generated bool
	var err error
	// Whoever has to type is asked last, when nothing else can be in the way;
	// otherwise nothing is made before there is a password.
	if !cmd.asks(c) {
		if password, generated, err = cmd.read(c, cmd.Username); err != nil {
			return err
		}
	}
	r, err := cmd.openOrMake(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	if cmd.asks(c) {
		if _, err := r.findAccount(ctx, cmd.Username); err == nil {
			return accountError(fault.ErrExists, cmd.Username)
		}
		if password, _, err = cmd.read(c, cmd.Username); err != nil {
			return err
		}
	}
	var a wire.Account
	err = r.do(ctx, "POST", "/v1/admin/accounts", wire.AccountCreate{
		Username: cmd.Username, DisplayName: cmd.Name, Password: password, Roles: cmd.Role,
	}, &a)
	if err != nil {
		return accountError(err, cmd.Username)
	}
	if !generated {
		password = ""
	}
	return cmd.print(c, a, "created", password)
}
