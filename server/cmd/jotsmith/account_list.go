package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/jotsmith/jotsmith/wire"
)

type accountListCmd struct {
	targetFlags
	Role  string `placeholder:"ROLE" help:"Only those that hold this role."`
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

func (cmd *accountListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if cmd.Limit < 1 || cmd.Limit > 1000 {
		return usagef("--limit %d is outside 1 to 1000", cmd.Limit)
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	query := url.Values{"limit": {strconv.Itoa(cmd.Limit)}}
	for name, value := range map[string]string{"after": cmd.After, "role": cmd.Role} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var found wire.AccountList
	if err := r.do(ctx, "GET", "/v1/admin/accounts?"+query.Encode(), nil, &found); err != nil {
		return err
	}
	all := found.Accounts
	list := accountList{Accounts: []accountJSON{}, Next: found.Next}
	var rows [][]string
	for _, a := range all {
		list.Accounts = append(list.Accounts, newAccountJSON(a))
		rows = append(rows, []string{a.Username, a.DisplayName, roles(a), state(a), a.CreatedAt.Format("2006-01-02"), a.ID})
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
