package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type sessionCmd struct {
	List sessionListCmd `cmd:"" help:"List an account's sessions."`
	End  sessionEndCmd  `cmd:"" help:"End a session, or all of an account."`
}

func (sessionCmd) Help() string { return targetHelp }

type sessionListCmd struct {
	targetFlags
	Username string `arg:"" help:"The account's user name."`
	Limit    int    `default:"100" placeholder:"N" help:"At most so many (${default}), 1 to 1000."`
	After    string `placeholder:"ID" help:"Only those after this session."`
	JSON     bool   `help:"Print JSON."`
}

func (cmd *sessionListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if cmd.Limit < 1 || cmd.Limit > 1000 {
		return usagef("--limit %d is outside 1 to 1000", cmd.Limit)
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	a, err := r.findAccount(ctx, cmd.Username)
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(cmd.Limit)}}
	if cmd.After != "" {
		query.Set("after", cmd.After)
	}
	var list wire.AccountSessionList
	if err := r.do(ctx, "GET", accountPath(a)+"/sessions?"+query.Encode(), nil, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, s := range list.Sessions {
		rows = append(rows, []string{s.ID, s.Audience, s.Device, s.Address, s.LastUsedAt.Format(day), s.ExpiresAt.Format(day)})
	}
	switch {
	case cmd.JSON:
		return c.json(list)
	case len(rows) == 0:
		fmt.Fprintln(c.err, "No sessions.")
		return nil
	}
	if err := c.table([]string{"ID", "AUDIENCE", "DEVICE", "ADDRESS", "LAST USED (UTC)", "ENDS (UTC)"}, rows); err != nil {
		return err
	}
	if list.Next != "" {
		fmt.Fprintf(c.err, "There may be more: --after %s\n", list.Next)
	}
	return nil
}

type sessionEndCmd struct {
	targetFlags
	ID      string `arg:"" optional:"" help:"The session's id, as 'session list' shows it."`
	Account string `placeholder:"USERNAME" help:"End all sessions of this account instead."`
	JSON    bool   `help:"Print JSON."`
}

func (sessionEndCmd) Help() string {
	return "Every connected guard refuses the session's access tokens within a second, or as soon as a stopped server runs again."
}

func (cmd *sessionEndCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if (cmd.ID == "") == (cmd.Account == "") {
		return usagef("a session's id or --account is required, not both")
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	ended := wire.SessionsEnded{Ended: 1}
	if cmd.Account != "" {
		a, err := r.findAccount(ctx, cmd.Account)
		if err != nil {
			return err
		}
		if err := r.do(ctx, "DELETE", accountPath(a)+"/sessions", nil, &ended); err != nil {
			return err
		}
	} else if err := r.do(ctx, "DELETE", "/v1/admin/sessions/"+url.PathEscape(cmd.ID), nil, nil); errors.Is(err, fault.ErrNotFound) {
		return hint(fmt.Errorf("there is no session %q", cmd.ID), "'jotsmith session list USERNAME' shows them")
	} else if err != nil {
		return err
	}
	if cmd.JSON {
		return c.json(ended)
	}
	fmt.Fprintf(c.out, "%s: %d ended\n", printable(cmd.ID+cmd.Account), ended.Ended)
	return nil
}
