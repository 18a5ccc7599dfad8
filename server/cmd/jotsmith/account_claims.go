package main

import (
	"context"

	"github.com/jotsmith/jotsmith/wire"
)

type accountSetClaimsCmd struct {
	accountFlags
	Claims claimsText `arg:"" optional:"" placeholder:"CLAIMS" help:"A JSON object, or @FILE. Without it, the account has no claims of its own afterwards."`
}

func (accountSetClaimsCmd) Help() string {
	return "Custom claims stand in each of the account's access tokens from the next refresh on. " +
		"Strings may hold the variables ${subject}, ${username}, ${display_name}, ${app} and ${audience}. " +
		"Claims that the server or a standard gives a meaning, such as sub, roles or act, are refused."
}

func (cmd *accountSetClaimsCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	template, err := cmd.Claims.read()
	if err != nil {
		return err
	}
	if len(template) == 0 {
		template = []byte("{}")
	}
	return cmd.onAccount(ctx, c, l, "has new claims", "PUT", "/claims", wire.AccountClaims{Claims: template})
}
