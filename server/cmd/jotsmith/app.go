package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/app"
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

func (appCmd) Help() string {
	return "These commands work on the data directory of a server that is stopped, or that has not run yet."
}

// appFlags are those of every act on one app.
type appFlags struct {
	dataFlags
	ID   string `arg:"" help:"The app's id, as 'app list' shows it."`
	JSON bool   `help:"Print JSON."`
}

type appCreateCmd struct {
	dataFlags
	Name          string   `arg:"" help:"For people."`
	Role          []string `sep:"none" placeholder:"ROLE" help:"A role of the app; repeatable."`
	Audience      []string `sep:"none" placeholder:"URI" help:"An API that it may have tokens for; repeatable. The first is what it gets when it names none; by default the default API."`
	Life          span     `placeholder:"TIME" help:"Life of its access tokens, such as 90s or 1h; by default that of the API."`
	SecretExpires span     `placeholder:"TIME" help:"When the secret expires, such as 90d; by default never."`
	JSON          bool     `help:"Print JSON."`
}

func (cmd *appCreateCmd) Run(ctx context.Context, c *console) error {
	n, err := openOfflineOrMake(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, secret, err := n.admin.CreateApp(ctx, operator(), app.NewApp{
		Name: cmd.Name, Roles: cmd.Role, Audiences: cmd.Audience,
		Life: time.Duration(cmd.Life), SecretExpires: time.Duration(cmd.SecretExpires),
	})
	if err != nil {
		return appError(err)
	}
	return showSecret(c, cmd.JSON, a, secret, "created")
}

// showSecret tells a secret, this once.
func showSecret(c *console, asJSON bool, a app.App, secret, did string) error {
	if asJSON {
		return c.json(wire.AppWithSecret{App: newAppJSON(a), Secret: secret})
	}
	fmt.Fprintf(c.out, "%s (%s): %s\nclient_id: %s\nclient_secret: %s\n", printable(a.Name), a.ID, did, a.ID, secret)
	fmt.Fprintln(c.err, "The secret is not shown again.")
	return nil
}

// on opens the data directory for an act on the app and tells the outcome.
func (f appFlags) on(ctx context.Context, c *console, did string, act func(*node, app.ID) (app.App, error)) error {
	n, err := openOffline(ctx, f.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := act(n, app.ID(f.ID))
	switch {
	case err != nil:
		return appError(err)
	case f.JSON:
		return c.json(newAppJSON(a))
	}
	fmt.Fprintf(c.out, "%s (%s): %s\n", printable(a.Name), a.ID, did)
	return nil
}

// appError adds what to do about the faults that an operator can mend.
func appError(err error) error {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(err, "'jotsmith app list' shows apps and their secrets")
	case errors.Is(err, catalog.ErrUnknownAPI):
		return hint(err, "'jotsmith api list' shows what is registered, 'jotsmith app list' what an app may ask for")
	case errors.Is(err, app.ErrSecrets):
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

func (cmd *appSetCmd) Run(ctx context.Context, c *console) error {
	e := app.Edit{Name: cmd.Name, Life: (*time.Duration)(cmd.Life)}
	if cmd.Role != nil || cmd.NoRole {
		e.Roles = &cmd.Role
	}
	if cmd.Audience != nil {
		e.Audiences = &cmd.Audience
	}
	if cmd.Claims != nil {
		claims, err := cmd.Claims.read()
		if err != nil {
			return err
		}
		e.Claims = (*json.RawMessage)(&claims)
	}
	return cmd.on(ctx, c, "changed", func(n *node, id app.ID) (app.App, error) {
		return n.admin.SetApp(ctx, operator(), id, e)
	})
}

type appDisableCmd struct{ appFlags }

func (cmd *appDisableCmd) Run(ctx context.Context, c *console) error {
	return cmd.on(ctx, c, "disabled; its tokens are revoked", func(n *node, id app.ID) (app.App, error) {
		return n.admin.DisableApp(ctx, operator(), id)
	})
}

type appEnableCmd struct{ appFlags }

func (cmd *appEnableCmd) Run(ctx context.Context, c *console) error {
	return cmd.on(ctx, c, "may have tokens", func(n *node, id app.ID) (app.App, error) {
		return n.admin.EnableApp(ctx, operator(), id)
	})
}

type appDeleteCmd struct {
	appFlags
	Yes bool `help:"Really."`
}

func (cmd *appDeleteCmd) Run(ctx context.Context, c *console) error {
	if err := really(cmd.Yes, "the app and its secrets cannot be had back"); err != nil {
		return err
	}
	return cmd.on(ctx, c, "deleted; its tokens are revoked", func(n *node, id app.ID) (app.App, error) {
		a, err := n.admin.App(ctx, operator(), id)
		if err != nil {
			return app.App{}, err
		}
		return a, n.admin.DeleteApp(ctx, operator(), id)
	})
}

type appSecretCmd struct {
	Add    appSecretAddCmd    `cmd:"" help:"Make another secret, which is shown once; an app has at most two."`
	Revoke appSecretRevokeCmd `cmd:"" help:"End a secret, and all tokens that its app has."`
}

type appSecretAddCmd struct {
	appFlags
	Expires span `placeholder:"TIME" help:"When it expires, such as 90d; by default never."`
}

func (cmd *appSecretAddCmd) Run(ctx context.Context, c *console) error {
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, secret, err := n.admin.AddAppSecret(ctx, operator(), app.ID(cmd.ID), time.Duration(cmd.Expires))
	if err != nil {
		return appError(err)
	}
	return showSecret(c, cmd.JSON, a, secret, "has another secret")
}

type appSecretRevokeCmd struct {
	appFlags
	Secret string `arg:"" help:"The secret's id, sec_…, as 'app list' shows it."`
}

func (appSecretRevokeCmd) Help() string {
	return "Nobody can tell which tokens a secret was used for, so all of the app's are revoked; whoever holds its other secret asks for new ones."
}

func (cmd *appSecretRevokeCmd) Run(ctx context.Context, c *console) error {
	return cmd.on(ctx, c, "the secret is revoked, and so are all tokens of the app", func(n *node, id app.ID) (app.App, error) {
		return n.admin.RevokeAppSecret(ctx, operator(), id, cmd.Secret)
	})
}

type appListCmd struct {
	dataFlags
	Limit int    `default:"100" placeholder:"N" help:"At most so many (${default}), 1 to 1000."`
	After string `placeholder:"ID" help:"Only those after this app."`
	JSON  bool   `help:"Print JSON."`
}

func (cmd *appListCmd) Run(ctx context.Context, c *console) error {
	if cmd.Limit < 1 || cmd.Limit > 1000 {
		return usagef("--limit %d is outside 1 to 1000", cmd.Limit)
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	all, err := n.admin.ListApps(ctx, operator(), app.ID(cmd.After), cmd.Limit)
	if err != nil {
		return err
	}
	list := wire.AppList{Apps: []wire.App{}}
	if len(all) == cmd.Limit {
		list.Next = string(all[len(all)-1].ID)
	}
	var rows [][]string
	for _, a := range all {
		list.Apps = append(list.Apps, newAppJSON(a))
		state := "enabled"
		if a.Disabled {
			state = "disabled"
		}
		row := []string{string(a.ID), a.Name, strings.Join(a.Roles, ", "), strings.Join(a.Audiences, " "), state}
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
	switch {
	case cmd.JSON:
		return c.json(list)
	case len(all) == 0:
		fmt.Fprintln(c.err, "No apps.")
		return nil
	}
	if err := c.table([]string{"ID", "NAME", "ROLES", "AUDIENCES", "STATE", "SECRET", "LAST USED"}, rows); err != nil {
		return err
	}
	if list.Next != "" {
		fmt.Fprintf(c.err, "There may be more: --after %s\n", list.Next)
	}
	return nil
}

// secretState says when a secret was used, and when it expires.
func secretState(s app.Secret, now time.Time) string {
	text := "never"
	if !s.LastUsedAt.IsZero() {
		text = relative(s.LastUsedAt, now)
	}
	switch {
	case !s.Living(now):
		text += ", expired"
	case !s.ExpiresAt.IsZero():
		text += ", expires " + relative(s.ExpiresAt, now)
	}
	return text
}

func newAppJSON(a app.App) wire.App {
	w := wire.App{
		ID: string(a.ID), Name: a.Name, Roles: append([]string{}, a.Roles...), Audiences: append([]string{}, a.Audiences...),
		Life: int64(a.Life.Seconds()), Claims: a.Claims, Disabled: a.Disabled, Secrets: []wire.AppSecret{},
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}
	for _, s := range a.Secrets {
		shown := wire.AppSecret{ID: s.ID, CreatedAt: s.CreatedAt}
		if !s.ExpiresAt.IsZero() {
			shown.ExpiresAt = &s.ExpiresAt
		}
		if !s.LastUsedAt.IsZero() {
			shown.LastUsedAt = &s.LastUsedAt
		}
		w.Secrets = append(w.Secrets, shown)
	}
	return w
}
