package main

import (
	"context"

	"github.com/jotsmith/jotsmith/wire"
)

type accountListCmd struct {
	pageFlags
	Role     string `placeholder:"ROLE" help:"Only those that hold this role."`
	Disabled string `enum:",true,false" default:"" placeholder:"BOOL" help:"Only those that may not log in (true), or only those that may (false)."`
	After    string `placeholder:"USERNAME" help:"Only those after this user name."`
}

// accountList is what --json prints. Next is what --after takes to go on; it
// is absent at the end.
type accountList struct {
	Accounts []accountJSON `json:"accounts"`
	Next     string        `json:"next,omitempty"`
}

func (cmd *accountListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var found wire.AccountList
	query := cmd.query(map[string]string{"after": cmd.After, "role": cmd.Role, "disabled": cmd.Disabled})
	if err := r.do(ctx, "GET", "/v1/admin/accounts"+query, nil, &found); err != nil {
		return err
	}
	list := accountList{Accounts: []accountJSON{}, Next: found.Next}
	var rows [][]string
	for _, a := range found.Accounts {
		list.Accounts = append(list.Accounts, newAccountJSON(a))
		rows = append(rows, []string{a.Username, a.DisplayName, roles(a), state(a), a.CreatedAt.Format("2006-01-02"), a.ID})
	}
	return cmd.show(c, list, listing{
		heading: []string{"USERNAME", "NAME", "ROLES", "STATE", "CREATED", "ID"},
		rows:    rows, none: "No accounts.", more: next("--after", found.Next),
	})
}
