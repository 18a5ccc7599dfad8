package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

type keyRevokeCmd struct {
	targetFlags
	ID   string `arg:"" help:"The key's id, as 'key list' shows it."`
	Yes  bool   `help:"Really."`
	JSON bool   `help:"Print JSON."`
}

func (keyRevokeCmd) Help() string {
	return "Every connected guard refuses what the key has signed within a second, or as soon as a stopped server runs again, and for ever. A successor signs at once. " +
		"After a revoked refresh key, everybody whose refresh token it made logs in again. For a key that is merely old, use 'key rotate'."
}

func (cmd *keyRevokeCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if err := really(cmd.Yes, "whatever the key has signed is refused afterwards"); err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var answered wire.Key // empty where no successor was needed
	err = r.do(ctx, "POST", "/v1/admin/keys/"+url.PathEscape(cmd.ID)+"/revoke", nil, &answered)
	next := keyFrom(answered)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(fmt.Errorf("there is no key %q that could be revoked", cmd.ID), "'jotsmith key list' shows them")
	case err != nil:
		return err
	case cmd.JSON:
		out := struct {
			Revoked   string   `json:"revoked"`
			Successor *keyJSON `json:"successor,omitempty"`
		}{Revoked: cmd.ID}
		if next.ID != "" {
			out.Successor = new(newKeyJSON(next))
		}
		return c.json(out)
	}
	fmt.Fprintf(c.out, "%s is revoked.\n", printable(cmd.ID))
	if next.ID != "" {
		fmt.Fprintf(c.out, "%s stands in its place from now on.\n", next.ID)
	}
	switch next.Purpose {
	case keyring.Refresh:
		fmt.Fprintln(c.out, "Refresh tokens that it made are worth nothing; their holders log in again.")
	case keyring.Sealing:
		fmt.Fprintln(c.out, "Opaque tokens that were encrypted for it are worth nothing; their holders refresh.")
	}
	return nil
}
