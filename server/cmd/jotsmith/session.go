package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type sessionCmd struct {
	List sessionListCmd `cmd:"" help:"List an account's sessions."`
	End  sessionEndCmd  `cmd:"" help:"End a session, or all of an account."`
}

func (sessionCmd) Help() string { return targetHelp }

type sessionListCmd struct {
	pageFlags
	Username string `arg:"" help:"The account's user name."`
	After    string `placeholder:"ID" help:"Only those after this session."`
}

func (cmd *sessionListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	a, err := r.findAccount(ctx, cmd.Username)
	if err != nil {
		return err
	}
	var list wire.AccountSessionList
	if err := r.do(ctx, "GET", accountPath(a)+"/sessions"+cmd.query(map[string]string{"after": cmd.After}), nil, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, s := range list.Sessions {
		rows = append(rows, []string{s.ID, s.Audience, s.Device, s.Address, s.LastUsedAt.Format(day), s.ExpiresAt.Format(day)})
	}
	return cmd.show(c, list, listing{
		heading: []string{"ID", "AUDIENCE", "DEVICE", "ADDRESS", "LAST USED (UTC)", "ENDS (UTC)"},
		rows:    rows, none: "No sessions.", more: next("--after", list.Next),
	})
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
