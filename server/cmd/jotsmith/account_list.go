package main

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/admin"
)

type accountListCmd struct {
	dataFlags
	Limit int    `default:"100" placeholder:"N" help:"At most so many (${default}), 1 to 1000."`
	After string `placeholder:"USERNAME" help:"Only those after this user name."`
	JSON  bool   `help:"Print JSON."`
}

// accountList is what --json prints. Next is what --after takes to go on; it
// is absent at the end.
type accountList struct {
	Accounts []accountJSON `json:"accounts"`
	Next     string        `json:"next,omitempty"`
}

func (cmd *accountListCmd) Run(ctx context.Context, c *console) error {
	if cmd.Limit < 1 || cmd.Limit > 1000 {
		return usagef("--limit %d is outside 1 to 1000", cmd.Limit)
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	all, next, err := n.admin.ListAccounts(ctx, operator(), admin.AccountFilter{}, cmd.After, cmd.Limit)
	if err != nil {
		return err
	}
	list := accountList{Accounts: []accountJSON{}, Next: next}
	var rows [][]string
	for _, a := range all {
		list.Accounts = append(list.Accounts, newAccountJSON(a))
		rows = append(rows, []string{a.Username, a.DisplayName, roles(a), state(a), a.CreatedAt.Format("2006-01-02"), string(a.ID)})
	}
	switch {
	case cmd.JSON:
		return c.json(list)
	case len(all) == 0:
		fmt.Fprintln(c.err, "No accounts.")
		return nil
	}
	if err := c.table([]string{"USERNAME", "NAME", "ROLES", "STATE", "CREATED", "ID"}, rows); err != nil {
		return err
	}
	if list.Next != "" {
		fmt.Fprintf(c.err, "There may be more: --after %s\n", list.Next)
	}
	return nil
}
