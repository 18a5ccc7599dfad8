package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

type tokenIssueCmd struct {
	dataFlags
	App      string `required:"" xor:"signer" placeholder:"ID" help:"The app that the token is for."`
	Audience string `placeholder:"URI" help:"The API that the token is for; by default the app's first."`
	Scope    string `placeholder:"SCOPES" help:"Permissions, separated by spaces; by default all that the app's roles give."`
	JSON     bool   `help:"Print JSON."`
	mintFlags
}

func (tokenIssueCmd) Help() string {
	return "Works on the data directory of a server that is stopped and has run before, and needs no secret of the app. It is on record."
}

func (cmd *tokenIssueCmd) Run(ctx context.Context, c *console) error {
	if cmd.Key != "" {
		return cmd.mintFlags.run(c, cmd.Audience, cmd.Scope, cmd.JSON)
	}
	if err := cmd.only(); err != nil {
		return err
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	if n.catalog.Issuer() == "" {
		return hint(errors.New("this server has never run, so its name in tokens is not known"), "'jotsmith serve' once")
	}
	t, err := n.admin.IssueToken(ctx, operator(), app.ID(cmd.App), cmd.Audience, cmd.Scope)
	switch {
	case err != nil:
		return appError(err, cmd.App)
	case cmd.JSON:
		return c.json(wire.TokenResponse{AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()), Scope: t.Scope})
	}
	fmt.Fprintln(c.out, t.AccessToken)
	fmt.Fprintf(c.err, "For %s, %s.\n", printable(t.Audience), span(t.ExpiresIn))
	return nil
}

type tokenRevokeCmd struct {
	dataFlags
	tokenFlags
	JSON bool `help:"Print JSON."`
}

func (tokenRevokeCmd) Help() string {
	return "Works on the data directory of a server that is stopped. Every connected guard refuses the token as soon as the server runs again."
}

func (cmd *tokenRevokeCmd) Run(ctx context.Context, c *console) error {
	text, err := cmd.read(c)
	if err != nil {
		return err
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	id, err := n.admin.RevokeToken(ctx, operator(), text)
	switch {
	case errors.Is(err, session.ErrRefused):
		return errors.New("it is no refresh token of this server; nothing was changed")
	case err != nil:
		return fmt.Errorf("nothing was changed: %w", err)
	case cmd.JSON:
		return c.json(struct {
			Ended string `json:"ended"`
		}{id})
	}
	fmt.Fprintf(c.out, "%s has ended.\n", printable(id))
	return nil
}
