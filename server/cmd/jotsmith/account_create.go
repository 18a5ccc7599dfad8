package main

import (
	"context"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

type accountCreateCmd struct {
	accountFlags
	passwordFlags
	Role []string `sep:"none" placeholder:"ROLE" help:"A role of the account; repeatable. What it gives is said by 'jotsmith serve --role'."`
	Name string   `placeholder:"TEXT" help:"How people see the account; by default the user name."`
}

func (accountCreateCmd) Help() string {
	return "Makes the data directory and the root key where there are none yet. " +
		"The password is asked for, unless a flag says where it comes from; it is never an argument, which others could read."
}

func (cmd *accountCreateCmd) Run(ctx context.Context, c *console) error {
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
	n, err := openOfflineOrMake(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	if cmd.asks(c) {
		if _, err := n.accounts.Find(ctx, cmd.Username); err == nil {
			return accountError(fault.ErrExists, cmd.Username)
		}
		if password, _, err = cmd.read(c, cmd.Username); err != nil {
			return err
		}
	}
	a, err := n.admin.CreateAccount(ctx, operator(), account.NewAccount{
		Username:    cmd.Username,
		DisplayName: cmd.Name,
		Password:    password,
		Roles:       cmd.Role,
	})
	if err != nil {
		return accountError(err, cmd.Username)
	}
	if !generated {
		password = ""
	}
	return cmd.print(c, a, "created", password)
}
