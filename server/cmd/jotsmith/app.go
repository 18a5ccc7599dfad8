package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type appCmd struct {
	Create  appCreateCmd  `cmd:"" help:"Make an app, with a secret that is shown once."`
	List    appListCmd    `cmd:"" help:"List apps by id."`
	Set     appSetCmd     `cmd:"" help:"Change an app."`
	Disable appDisableCmd `cmd:"" help:"Forbid an app to have tokens, and revoke those that it has."`
	Enable  appEnableCmd  `cmd:"" help:"Let a disabled app have tokens again."`
	Delete  appDeleteCmd  `cmd:"" help:"Delete an app, and revoke its tokens."`
	Secret  appSecretCmd  `cmd:"" help:"Add and revoke the secrets of an app."`
}

func (appCmd) Help() string { return targetHelp }

// appFlags are those of every act on one app.
type appFlags struct {
	targetFlags
	ID   string `arg:"" help:"The app's id, as 'app list' shows it."`
	JSON bool   `help:"Print JSON."`
}

type appCreateCmd struct {
	targetFlags
	Name          string   `arg:"" help:"For people."`
	Role          []string `sep:"none" placeholder:"ROLE" help:"A role of the app; repeatable."`
	Audience      []string `sep:"none" placeholder:"URI" help:"An API that it may have tokens for; repeatable. The first is what it gets when it names none; by default the default API."`
	Life          span     `placeholder:"TIME" help:"Life of its access tokens, such as 90s or 1h; by default that of the API."`
	SecretExpires span     `placeholder:"TIME" help:"When the secret expires, such as 90d; by default never."`
	JSON          bool     `help:"Print JSON."`
}

func (cmd *appCreateCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.openOrMake(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var made wire.AppWithSecret
	err = r.do(ctx, "POST", "/v1/admin/apps", wire.AppCreate{
		Name: cmd.Name, Roles: cmd.Role, Audiences: cmd.Audience, Life: cmd.Life.seconds(), SecretExpiresIn: cmd.SecretExpires.seconds(),
	}, &made)
	if err != nil {
		return appError(err, cmd.Name)
	}
	return showSecret(c, cmd.JSON, made, "created")
}

// showSecret tells a secret, this once.
func showSecret(c *console, asJSON bool, made wire.AppWithSecret, did string) error {
	if asJSON {
		return c.json(made)
	}
	a := made.App
	fmt.Fprintf(c.out, "%s (%s): %s\nclient_id: %s\nclient_secret: %s\n", printable(a.Name), a.ID, did, a.ID, made.Secret)
	fmt.Fprintln(c.err, "The secret is not shown again.")
	return nil
}

func (f appFlags) path() string { return "/v1/admin/apps/" + url.PathEscape(f.ID) }

// on asks for an act on the app and tells the outcome.
func (f appFlags) on(ctx context.Context, c *console, l *commandLine, did, method, act string, in any) error {
	r, err := f.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var a wire.App
	if err := r.do(ctx, method, f.path()+act, in, &a); err != nil {
		return appError(err, f.ID)
	}
	return f.tell(c, a, did)
}

func (f appFlags) tell(c *console, a wire.App, did string) error {
	if f.JSON {
		return c.json(a)
	}
	fmt.Fprintf(c.out, "%s (%s): %s\n", printable(a.Name), a.ID, did)
	return nil
}

// appError adds what to do about the faults that an operator can mend.
func appError(err error, what string) error {
	refused, _ := errors.AsType[refusal](err)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(fmt.Errorf("%s: %w", what, fault.ErrNotFound), "'jotsmith app list' shows apps and their secrets")
	case strings.Contains(err.Error(), catalog.ErrUnknownAPI.Error()):
		return hint(err, "'jotsmith api list' shows what is registered, 'jotsmith app list' what an app may ask for")
	case refused.Code == wire.CodeConflict:
		return hint(err, "'jotsmith app secret revoke' does that; 'jotsmith app list' shows which one is in use")
	}
	return err
}

type appSetCmd struct {
	appFlags
	Name     *string     `placeholder:"TEXT" help:"For people."`
	Role     []string    `xor:"roles" sep:"none" placeholder:"ROLE" help:"A role of the app: these are all that it has afterwards; repeatable."`
	NoRole   bool        `xor:"roles" help:"Take all roles away."`
	Audience []string    `sep:"none" placeholder:"URI" help:"An API that it may have tokens for: these are all; repeatable."`
	Life     *span       `placeholder:"TIME" help:"Life of its access tokens; 0 is that of the API."`
	Claims   *claimsText `placeholder:"CLAIMS" help:"Custom claims of its tokens: a JSON object, or @FILE; {} is none."`
}

func (appSetCmd) Help() string {
	return "What is not named stays as it is. Tokens that live keep what they say; those made from now on say what stands."
}

func (cmd *appSetCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	patch := wire.AppPatch{Name: cmd.Name}
	if cmd.Role != nil || cmd.NoRole {
		patch.Roles = new(append([]string{}, cmd.Role...))
	}
	if cmd.Audience != nil {
		patch.Audiences = &cmd.Audience
	}
	if cmd.Life != nil {
		patch.Life = new(cmd.Life.seconds())
	}
	if cmd.Claims != nil {
		claims, err := cmd.Claims.patch()
		if err != nil {
			return err
		}
		patch.Claims = claims
	}
	return cmd.on(ctx, c, l, "changed", "PATCH", "", patch)
}

type appDisableCmd struct{ appFlags }

func (cmd *appDisableCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	return cmd.on(ctx, c, l, "disabled; its tokens are revoked", "POST", "/disable", nil)
}

type appEnableCmd struct{ appFlags }

func (cmd *appEnableCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	return cmd.on(ctx, c, l, "may have tokens", "POST", "/enable", nil)
}

type appDeleteCmd struct {
	appFlags
	Yes bool `help:"Really."`
}

func (cmd *appDeleteCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if err := really(cmd.Yes, "the app and its secrets cannot be had back"); err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var a wire.App
	if err := r.do(ctx, "GET", cmd.path(), nil, &a); err != nil {
		return appError(err, cmd.ID)
	}
	if err := r.do(ctx, "DELETE", cmd.path(), nil, nil); err != nil {
		return appError(err, cmd.ID)
	}
	return cmd.tell(c, a, "deleted; its tokens are revoked")
}

type appSecretCmd struct {
	Add    appSecretAddCmd    `cmd:"" help:"Make another secret, which is shown once; an app has at most two."`
	Revoke appSecretRevokeCmd `cmd:"" help:"End a secret, and all tokens that its app has."`
}

type appSecretAddCmd struct {
	appFlags
	Expires span `placeholder:"TIME" help:"When it expires, such as 90d; by default never."`
}

func (cmd *appSecretAddCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var made wire.AppWithSecret
	if err := r.do(ctx, "POST", cmd.path()+"/secrets", wire.AppSecretCreate{ExpiresIn: cmd.Expires.seconds()}, &made); err != nil {
		return appError(err, cmd.ID)
	}
	return showSecret(c, cmd.JSON, made, "has another secret")
}

type appSecretRevokeCmd struct {
	appFlags
	Secret string `arg:"" help:"The secret's id, sec_…, as 'app list' shows it."`
	Yes    bool   `help:"Really."`
}

func (appSecretRevokeCmd) Help() string {
	return "Nobody can tell which tokens a secret was used for, so all of the app's are revoked; whoever holds its other secret asks for new ones."
}

func (cmd *appSecretRevokeCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if err := really(cmd.Yes, "all tokens of the app are refused afterwards, and the secret cannot be had back"); err != nil {
		return err
	}
	return cmd.on(ctx, c, l, "the secret is revoked, and so are all tokens of the app", "DELETE", "/secrets/"+url.PathEscape(cmd.Secret), nil)
}

type appListCmd struct {
	pageFlags
	After string `placeholder:"ID" help:"Only those after this app."`
}

func (cmd *appListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var list wire.AppList
	if err := r.do(ctx, "GET", "/v1/admin/apps"+cmd.query(map[string]string{"after": cmd.After}), nil, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, a := range list.Apps {
		state := "enabled"
		if a.Disabled {
			state = "disabled"
		}
		row := []string{a.ID, a.Name, strings.Join(a.Roles, ", "), strings.Join(a.Audiences, " "), state}
		for i, s := range a.Secrets {
			if i > 0 {
				row = []string{"", "", "", "", ""}
			}
			rows = append(rows, append(row, s.ID, secretState(s, time.Now())))
		}
		if len(a.Secrets) == 0 {
			rows = append(rows, append(row, "none", ""))
		}
	}
	return cmd.show(c, list, listing{
		heading: []string{"ID", "NAME", "ROLES", "AUDIENCES", "STATE", "SECRET", "LAST USED"},
		rows:    rows, none: "No apps.", more: next("--after", list.Next),
	})
}

// secretState says when a secret was used, and when it expires.
func secretState(s wire.AppSecret, now time.Time) string {
	text := "never"
	if s.LastUsedAt != nil {
		text = relative(*s.LastUsedAt, now)
	}
	switch {
	case s.ExpiresAt == nil:
	case !now.Before(*s.ExpiresAt):
		text += ", expired"
	default:
		text += ", expires " + relative(*s.ExpiresAt, now)
	}
	return text
}
