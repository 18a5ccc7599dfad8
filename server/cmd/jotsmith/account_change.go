package main

import (
	"context"

	"github.com/jotsmith/jotsmith/server/internal/account"
)

type accountDisableCmd struct{ accountFlags }

func (cmd *accountDisableCmd) Run(ctx context.Context, c *console) error {
	return cmd.onAccount(ctx, c, "disabled; its sessions have ended", func(n *node, id account.ID) error {
		_, err := n.admin.DisableAccount(ctx, operator(), id)
		return err
	})
}

type accountEnableCmd struct{ accountFlags }

func (cmd *accountEnableCmd) Run(ctx context.Context, c *console) error {
	return cmd.onAccount(ctx, c, "may log in", func(n *node, id account.ID) error {
		_, err := n.admin.EnableAccount(ctx, operator(), id)
		return err
	})
}

type accountSetRolesCmd struct {
	accountFlags
	Role []string `sep:"none" placeholder:"ROLE" help:"A role of the account; repeatable. Without any, it has none afterwards."`
}

func (accountSetRolesCmd) Help() string {
	return "The roles given are all that the account has afterwards. Its sessions go on: the next refresh carries the new roles."
}

func (cmd *accountSetRolesCmd) Run(ctx context.Context, c *console) error {
	return cmd.onAccount(ctx, c, "has new roles", func(n *node, id account.ID) error {
		_, err := n.admin.SetRoles(ctx, operator(), id, cmd.Role)
		return err
	})
}

type accountSetPasswordCmd struct {
	accountFlags
	passwordFlags
}

func (cmd *accountSetPasswordCmd) Run(ctx context.Context, c *console) error {
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := n.admin.FindAccount(ctx, operator(), cmd.Username)
	if err != nil {
		return accountError(err, cmd.Username)
	}
	password, generated, err := cmd.read(c, cmd.Username)
	if err != nil {
		return err
	}
	if err := n.admin.SetPassword(ctx, operator(), a.ID, password); err != nil {
		return accountError(err, cmd.Username)
	}
	if a, err = n.accounts.Get(ctx, a.ID); err != nil {
		return err
	}
	if !generated {
		password = ""
	}
	return cmd.print(c, a, "has a new password; its sessions have ended", password)
}
