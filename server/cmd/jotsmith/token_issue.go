package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

type tokenIssueCmd struct {
	targetFlags
	App      string `required:"" xor:"signer" placeholder:"ID" help:"The app that the token is for."`
	Audience string `placeholder:"URI" help:"The API that the token is for; by default the app's first."`
	Scope    string `placeholder:"SCOPES" help:"Permissions, separated by spaces; by default all that the app's roles give."`
	JSON     bool   `help:"Print JSON."`
	mintFlags
}

func (tokenIssueCmd) Help() string {
	return "Needs no secret of the app, and is on record. " +
		"Works on a running server (--server), or on the data directory of one that is stopped and has run before."
}

func (cmd *tokenIssueCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if cmd.Key != "" {
		return cmd.mintFlags.run(c, cmd.Audience, cmd.Scope, cmd.JSON)
	}
	if err := cmd.only(); err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.node != nil && r.node.catalog.Issuer() == "" {
		return hint(errors.New("this server has never run, so its name in tokens is not known"), "'jotsmith serve' once")
	}
	var t wire.TokenResponse
	err = r.do(ctx, "POST", "/v1/admin/apps/"+url.PathEscape(cmd.App)+"/token", wire.AppToken{Audience: cmd.Audience, Scope: cmd.Scope}, &t)
	switch {
	case err != nil:
		return appError(err, cmd.App)
	case cmd.JSON:
		return c.json(t)
	}
	fmt.Fprintln(c.out, t.AccessToken)
	fmt.Fprintf(c.err, "It is good for %s and gives %s.\n", span(time.Duration(t.ExpiresIn)*time.Second), permissions(strings.Fields(t.Scope)))
	return nil
}

type tokenRevokeCmd struct {
	targetFlags
	tokenFlags
	JSON bool `help:"Print JSON."`
}

func (tokenRevokeCmd) Help() string {
	return "Every connected guard refuses the token within a second, or as soon as a stopped server runs again. " + targetHelp
}

func (cmd *tokenRevokeCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	text, err := cmd.read(c)
	if err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var ended wire.TokenEnded
	err = r.do(ctx, "POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: text}, &ended)
	switch {
	case err != nil:
		return fmt.Errorf("nothing was changed: %w", err)
	case cmd.JSON:
		return c.json(ended)
	}
	fmt.Fprintf(c.out, "%s has ended.\n", printable(ended.Ended))
	return nil
}
