package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

type sessionCmd struct {
	List sessionListCmd `cmd:"" help:"List an account's sessions."`
	End  sessionEndCmd  `cmd:"" help:"End a session, or all of an account."`
}

func (sessionCmd) Help() string { return offlineHelp }

type sessionListCmd struct {
	dataFlags
	Username string `arg:"" help:"The account's user name."`
	Limit    int    `default:"100" placeholder:"N" help:"At most so many (${default}), 1 to 1000."`
	After    string `placeholder:"ID" help:"Only those after this session."`
	JSON     bool   `help:"Print JSON."`
}

func (cmd *sessionListCmd) Run(ctx context.Context, c *console) error {
	if cmd.Limit < 1 || cmd.Limit > 1000 {
		return usagef("--limit %d is outside 1 to 1000", cmd.Limit)
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := n.admin.FindAccount(ctx, operator(), cmd.Username)
	if err != nil {
		return accountError(err, cmd.Username)
	}
	all, err := n.admin.ListSessions(ctx, operator(), a.ID, session.ID(cmd.After), cmd.Limit)
	if err != nil {
		return err
	}
	list := wire.SessionList{Sessions: []wire.Session{}}
	var rows [][]string
	for _, s := range all {
		list.Sessions = append(list.Sessions, wire.Session{
			ID: string(s.ID), Audience: s.Audience, Device: s.Device, Address: s.Address,
			CreatedAt: s.CreatedAt, LastUsedAt: s.RotatedAt, ExpiresAt: s.ExpiresAt,
		})
		rows = append(rows, []string{string(s.ID), s.Audience, s.Device, s.Address, s.RotatedAt.Format(day), s.ExpiresAt.Format(day)})
	}
	switch {
	case cmd.JSON:
		return c.json(list)
	case len(all) == 0:
		fmt.Fprintln(c.err, "No sessions.")
		return nil
	}
	if err := c.table([]string{"ID", "AUDIENCE", "DEVICE", "ADDRESS", "LAST USED (UTC)", "ENDS (UTC)"}, rows); err != nil {
		return err
	}
	if len(all) == cmd.Limit {
		fmt.Fprintf(c.err, "There may be more: --after %s\n", all[len(all)-1].ID)
	}
	return nil
}

type sessionEndCmd struct {
	dataFlags
	ID      string `arg:"" optional:"" help:"The session's id, as 'session list' shows it."`
	Account string `placeholder:"USERNAME" help:"End all sessions of this account instead."`
	JSON    bool   `help:"Print JSON."`
}

func (sessionEndCmd) Help() string {
	return "Every connected guard refuses the session's access tokens as soon as the server runs again."
}

func (cmd *sessionEndCmd) Run(ctx context.Context, c *console) error {
	if (cmd.ID == "") == (cmd.Account == "") {
		return usagef("a session's id or --account is required, not both")
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	ended := 1
	if cmd.Account != "" {
		a, err := n.admin.FindAccount(ctx, operator(), cmd.Account)
		if err != nil {
			return accountError(err, cmd.Account)
		}
		if ended, err = n.admin.EndSessions(ctx, operator(), a.ID); err != nil {
			return err
		}
	} else if err := n.admin.EndSession(ctx, operator(), session.ID(cmd.ID)); errors.Is(err, fault.ErrNotFound) {
		return hint(fmt.Errorf("there is no session %q", cmd.ID), "'jotsmith session list USERNAME' shows them")
	} else if err != nil {
		return err
	}
	if cmd.JSON {
		return c.json(wire.SessionsEnded{Ended: ended})
	}
	fmt.Fprintf(c.out, "%s: %d ended\n", printable(cmd.ID+cmd.Account), ended)
	return nil
}
