package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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

func (cmd *loginCmd) Run(ctx context.Context, c *console) error {
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
	var tokens wire.TokenResponse
	err = r.do(ctx, "POST", "/v1/login", wire.LoginRequest{
		Username: cmd.Username, Password: password, Audience: catalog.AdminAudience(about.Issuer),
	}, &tokens)
	if err != nil {
		return err
	}
	if tokens.Scope == "" {
		r.token = tokens.AccessToken
		_ = r.do(ctx, "POST", "/v1/logout", nil, nil)
		return hint(fmt.Errorf("%s may not administer %s: none of its roles gives a permission to", cmd.Username, base),
			"an administrator can give it one: jotsmith account set-roles %s --role admin", cmd.Username)
	}
	unlock, err := lockLogins()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := readLogins()
	if err != nil {
		return err
	}
	all[base] = newLogin(cmd.Username, tokens)
	if err := all.write(); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Logged in at %s as %s.\n", base, printable(cmd.Username))
	fmt.Fprintf(c.out, "You may: %s\n", strings.ReplaceAll(tokens.Scope, " ", ", "))
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

func (cmd *logoutCmd) Run(ctx context.Context, c *console) error {
	base, err := serverURL(cmd.Server)
	if err != nil {
		return err
	}
	unlock, err := lockLogins()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := readLogins()
	if err != nil {
		return err
	}
	held, ok := all[base]
	if !ok {
		return fmt.Errorf("not logged in at %s", base)
	}
	delete(all, base)
	if err := all.write(); err != nil {
		return err
	}
	r := &remote{base: base, token: held.AccessToken, http: newHTTPClient()}
	if err := r.do(ctx, "POST", "/v1/logout", nil, nil); err != nil {
		return hint(fmt.Errorf("forgotten here, but the session may go on there: %w", err), "an administrator can end it")
	}
	fmt.Fprintf(c.out, "Logged out at %s.\n", base)
	return nil
}

// A savedLogin is what keeps somebody logged in at one server.
type savedLogin struct {
	Username     string    `json:"username"`
	AccessToken  string    `json:"access_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	RefreshToken string    `json:"refresh_token"`
}

func newLogin(username string, t wire.TokenResponse) savedLogin {
	return savedLogin{username, t.AccessToken, time.Now().Add(time.Duration(t.ExpiresIn) * time.Second).UTC(), t.RefreshToken}
}

// logins are kept by server.
type logins map[string]savedLogin

func loginsPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding your configuration directory: %w", err)
	}
	return filepath.Join(dir, "jotsmith", "logins.json"), nil
}

func readLogins() (logins, error) {
	path, err := loginsPath()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return logins{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading your log-ins: %w", err)
	}
	all := logins{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, hint(fmt.Errorf("reading your log-ins: %s: %w", path, err), "remove the file and log in again")
	}
	return all, nil
}

// write replaces the file whole, so that nobody reads half of it.
func (all logins) write() error {
	path, err := loginsPath()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping your log-ins: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "logins-*") // 0600
	if err != nil {
		return fmt.Errorf("keeping your log-ins: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keeping your log-ins: %w", err)
	}
	return wrap(os.Rename(f.Name(), path), "keeping your log-ins")
}

// openRemote speaks to a server with the token that is kept for it, and gets
// the next one where that is about to expire.
func openRemote(ctx context.Context, server string) (*remote, error) {
	base, err := serverURL(server)
	if err != nil {
		return nil, err
	}
	r := &remote{base: base, http: newHTTPClient()}
	unlock, err := lockLogins()
	if err != nil {
		return nil, err
	}
	defer unlock()
	all, err := readLogins()
	if err != nil {
		return nil, err
	}
	held, ok := all[base]
	if !ok {
		return nil, hint(fmt.Errorf("not logged in at %s", base), "'jotsmith login --server %s USERNAME' logs in", base)
	}
	if time.Until(held.ExpiresAt) < remoteTimeout {
		var tokens wire.TokenResponse
		if err := r.do(ctx, "POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: held.RefreshToken}, &tokens); err != nil {
			if refused, ok := errors.AsType[refusal](err); ok && refused.Code == wire.CodeInvalidRefreshToken {
				return nil, hint(fmt.Errorf("your session at %s has ended", base), "'jotsmith login --server %s %s' logs in again", base, held.Username)
			}
			return nil, err
		}
		held = newLogin(held.Username, tokens)
		all[base] = held
		if err := all.write(); err != nil {
			return nil, err
		}
	}
	r.token, r.until = held.AccessToken, held.ExpiresAt
	return r, nil
}

// lockLogins makes commands that run at once refresh one after the other.
func lockLogins() (unlock func(), err error) {
	path, err := loginsPath()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keeping your log-ins: %w", err)
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keeping your log-ins: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("keeping your log-ins: %w", err)
	}
	return func() { f.Close() }, nil
}
