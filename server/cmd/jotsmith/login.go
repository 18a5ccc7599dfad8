package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/wire"
)

type loginCmd struct {
	Server        string `required:"" env:"JOTSMITH_SERVER" placeholder:"URL" help:"The server's URL, its issuer."`
	Username      string `arg:"" help:"The account's user name."`
	PasswordFile  string `xor:"password" placeholder:"PATH" help:"Read the password from a file (its first line)."`
	PasswordStdin bool   `xor:"password" help:"Read the password from standard input (its first line)."`
}

func (loginCmd) Help() string {
	return "Logs in at a running server to administer it: afterwards, commands with --server act on it with the rights of this account. " +
		"What keeps you logged in is written, for you alone, to jotsmith/logins.json in your configuration directory, until 'jotsmith logout'. " +
		"The password is never an argument, which others could read."
}

func (cmd *loginCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	base, err := serverURL(cmd.Server)
	if err != nil {
		return err
	}
	r := &remote{base: base, http: newHTTPClient()}
	// The audience is named after the issuer, which the server may spell
	// otherwise than --server does.
	var about wire.Metadata
	if err := r.do(ctx, "GET", wire.PathMetadata, nil, &about); err != nil {
		return err
	}
	password, err := cmd.password(c)
	if err != nil {
		return err
	}
	file, err := loginFile(base)
	if err != nil {
		return err
	}
	kept := new(client.Memory) // until it is known to be worth keeping
	in, err := newClient(base, catalog.AdminAudience(about.Issuer), kept)
	if err != nil {
		return err
	}
	token, err := in.Login(ctx, cmd.Username, password)
	if err != nil {
		return told(base, err)
	}
	if token.Scope == "" {
		_ = in.Logout(ctx)
		return hint(fmt.Errorf("%s may not administer %s: none of its roles gives a permission to", cmd.Username, base),
			"an administrator can give it one: jotsmith account set-roles %s --role admin", cmd.Username)
	}
	err = kept.Update(ctx, func(s *client.State) error {
		return file.Update(ctx, func(held *client.State) error { *held = *s; return nil })
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Logged in at %s as %s.\n", base, printable(cmd.Username))
	fmt.Fprintf(c.out, "You may: %s\n", strings.ReplaceAll(token.Scope, " ", ", "))
	return nil
}

func (cmd *loginCmd) password(c *console) (string, error) {
	f := passwordFlags{PasswordFile: cmd.PasswordFile, PasswordStdin: cmd.PasswordStdin}
	if f.asks(c) {
		return ask(c, fmt.Sprintf("Password for %s: ", printable(cmd.Username)))
	}
	if f == (passwordFlags{}) {
		return "", hint(errors.New("there is no terminal to ask for a password"), "use --password-stdin or --password-file")
	}
	password, _, err := f.read(c, cmd.Username)
	return password, err
}

type logoutCmd struct {
	Server string `required:"" env:"JOTSMITH_SERVER" placeholder:"URL" help:"The server's URL."`
}

func (logoutCmd) Help() string {
	return "Ends the session at the server and forgets it here, also where the server cannot be reached."
}

func (cmd *logoutCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	base, err := serverURL(cmd.Server)
	if err != nil {
		return err
	}
	file, err := loginFile(base)
	if err != nil {
		return err
	}
	held, err := heldBy(ctx, file)
	if err != nil {
		return err
	}
	if held.AccessToken == "" {
		return fmt.Errorf("not logged in at %s", base)
	}
	in, err := newClient(base, "", file)
	if err != nil {
		return err
	}
	if err := in.Logout(ctx); err != nil {
		return hint(err, "an administrator can end it")
	}
	fmt.Fprintf(c.out, "Logged out at %s.\n", base)
	return nil
}

// loginFile keeps what keeps somebody logged in, by server.
func loginFile(base string) (*client.File, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("finding your configuration directory: %w", err)
	}
	return client.NewFile(filepath.Join(dir, "jotsmith", "logins.json"), base), nil
}

func newClient(base, audience string, store client.Store) (*client.Client, error) {
	return client.New(client.Config{Issuer: base, Audience: audience, Store: store, UserAgent: userAgent})
}

func heldBy(ctx context.Context, file *client.File) (held client.State, err error) {
	err = file.Update(ctx, func(s *client.State) error { held = *s; return nil })
	return held, err
}

// openRemote speaks to a server as whoever has logged in there.
func openRemote(ctx context.Context, server string) (*remote, error) {
	base, err := serverURL(server)
	if err != nil {
		return nil, err
	}
	file, err := loginFile(base)
	if err != nil {
		return nil, err
	}
	held, err := heldBy(ctx, file)
	if err != nil {
		return nil, err
	}
	if held.AccessToken == "" {
		return nil, hint(fmt.Errorf("not logged in at %s", base), "'jotsmith login --server %s USERNAME' logs in", base)
	}
	in, err := newClient(base, "", file)
	if err != nil {
		return nil, err
	}
	r := &remote{base: base, http: newHTTPClient(), login: in}
	if _, err := in.Token(ctx); errors.Is(err, client.ErrSignedOut) {
		return nil, hint(fmt.Errorf("your session at %s has ended", base), "'jotsmith login --server %s %s' logs in again", base, held.Username)
	} else if err != nil {
		return nil, told(base, err)
	}
	return r, nil
}

// told tells what a server has refused as all commands do.
func told(base string, err error) error {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
		return hint(err, "is it running, and is --server right?")
	case e.Title == "":
		return notJotsmith(base, e.Status)
	}
	return explained(base, refusal{Problem: wire.Problem{Title: e.Title, Status: e.Status, Code: e.Code, ID: e.ID, Detail: e.Detail}})
}
