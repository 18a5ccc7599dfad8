package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type apiCmd struct {
	Create apiCreateCmd `cmd:"" help:"Register an API that tokens are made for."`
	List   apiListCmd   `cmd:"" help:"List the APIs."`
	Show   apiShowCmd   `cmd:"" help:"Show one API."`
	Set    apiSetCmd    `cmd:"" help:"Change an API."`
	Delete apiDeleteCmd `cmd:"" help:"Withdraw an API: no token is made for it any more."`
}

func (apiCmd) Help() string { return offlineHelp }

const offlineHelp = "These commands work on the data directory of a server that is stopped, or that has not run yet."

// apiFlags are those of every act on one API.
type apiFlags struct {
	dataFlags
	Audience string `arg:"" help:"The API's name in tokens: an absolute URI such as https://tasks.example.com."`
	JSON     bool   `help:"Print JSON."`
}

type apiCreateCmd struct {
	apiFlags
	Name       string     `placeholder:"TEXT" help:"For people."`
	Permission []string   `sep:"none" placeholder:"SCOPE" help:"What a token for it may allow; repeatable. Roles give it: 'jotsmith role create'."`
	Life       span       `placeholder:"TIME" help:"Life of its access tokens, such as 90s or 15m; by default what 'serve --access-life' says."`
	Alg        string     `placeholder:"ALG" help:"What its tokens are signed with: ES256 (default), EdDSA or RS256."`
	Default    bool       `help:"A log-in that names no API gets tokens for this one. The first API is the default anyway."`
	Claims     claimsText `placeholder:"CLAIMS" help:"Custom claims of its tokens: a JSON object, or @FILE."`
}

func (cmd *apiCreateCmd) Run(ctx context.Context, c *console) error {
	claims, err := cmd.Claims.read()
	if err != nil {
		return err
	}
	return cmd.change(ctx, c, "registered", func(n *node) (catalog.API, error) {
		return n.admin.SaveAPI(ctx, operator(), catalog.API{
			Audience: cmd.Audience, Name: cmd.Name, Permissions: cmd.Permission, Life: time.Duration(cmd.Life),
			Algorithm: jwk.Algorithm(cmd.Alg), Default: cmd.Default, Claims: json.RawMessage(claims),
		})
	})
}

type apiSetCmd struct {
	apiFlags
	Name       *string     `placeholder:"TEXT" help:"For people."`
	Permission []string    `sep:"none" placeholder:"SCOPE" help:"What a token for it may allow: all that it has afterwards; repeatable."`
	Life       *span       `placeholder:"TIME" help:"Life of its access tokens; 0 is what 'serve --access-life' says."`
	Alg        *string     `placeholder:"ALG" help:"What its tokens are signed with."`
	Default    bool        `help:"Make it the default API."`
	Claims     *claimsText `placeholder:"CLAIMS" help:"Custom claims of its tokens: a JSON object, or @FILE; {} is none."`
}

func (apiSetCmd) Help() string {
	return "What is not named stays as it is. Tokens that live keep what they say; those made from now on say what stands."
}

func (cmd *apiSetCmd) Run(ctx context.Context, c *console) error {
	return cmd.change(ctx, c, "changed", func(n *node) (catalog.API, error) {
		a, err := n.admin.API(ctx, operator(), cmd.Audience)
		if err != nil {
			return catalog.API{}, err
		}
		if cmd.Name != nil {
			a.Name = *cmd.Name
		}
		if cmd.Permission != nil {
			a.Permissions = cmd.Permission
		}
		if cmd.Life != nil {
			a.Life = time.Duration(*cmd.Life)
		}
		if cmd.Alg != nil {
			a.Algorithm = jwk.Algorithm(*cmd.Alg)
		}
		if cmd.Claims != nil {
			claims, err := cmd.Claims.read()
			if err != nil {
				return catalog.API{}, err
			}
			a.Claims = claims
		}
		a.Default = a.Default || cmd.Default
		return n.admin.SaveAPI(ctx, operator(), a)
	})
}

// change opens the data directory for an act on the API and tells the outcome.
func (f apiFlags) change(ctx context.Context, c *console, did string, act func(*node) (catalog.API, error)) error {
	n, err := openOfflineOrMake(ctx, f.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := act(n)
	switch {
	case err != nil:
		return apiError(err)
	case f.JSON:
		return c.json(newAPIJSON(a))
	}
	fmt.Fprintf(c.out, "%s: %s\n", printable(a.Audience), did)
	return nil
}

// apiError adds what to do about the faults that an operator can mend.
func apiError(err error) error {
	switch {
	case errors.Is(err, catalog.ErrUnknownAPI):
		return hint(err, "'jotsmith api list' shows what is registered")
	case errors.Is(err, fault.ErrExists):
		return hint(err, "'jotsmith api set' changes it; nothing was changed")
	case errors.Is(err, catalog.ErrDefault):
		return hint(err, "'jotsmith api set OTHER --default' does that")
	}
	return err
}

type apiShowCmd struct{ apiFlags }

func (cmd *apiShowCmd) Run(ctx context.Context, c *console) error {
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := n.admin.API(ctx, operator(), cmd.Audience)
	if err != nil {
		return apiError(err)
	}
	if cmd.JSON {
		return c.json(newAPIJSON(a))
	}
	claims := string(a.Claims)
	if claims == "" {
		claims = "none"
	}
	return c.table([]string{"AUDIENCE", a.Audience}, [][]string{
		{"name", a.Name}, {"state", apiState(a)}, {"token life", lifeOf(a.Life)}, {"signed with", algorithmOf(a)},
		{"permissions", strings.Join(a.Permissions, " ")}, {"custom claims", claims},
	})
}

type apiListCmd struct {
	dataFlags
	JSON bool `help:"Print JSON."`
}

func (cmd *apiListCmd) Run(ctx context.Context, c *console) error {
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	all, err := n.admin.ListAPIs(ctx, operator())
	if err != nil {
		return err
	}
	list := wire.APIList{APIs: []wire.API{}}
	var rows [][]string
	for _, a := range all {
		list.APIs = append(list.APIs, newAPIJSON(a))
		rows = append(rows, []string{a.Audience, a.Name, apiState(a), lifeOf(a.Life), algorithmOf(a), strings.Join(a.Permissions, " ")})
	}
	switch {
	case cmd.JSON:
		return c.json(list)
	case len(all) == 0:
		fmt.Fprintln(c.err, "No APIs.")
		return nil
	}
	return c.table([]string{"AUDIENCE", "NAME", "STATE", "LIFE", "ALGORITHM", "PERMISSIONS"}, rows)
}

type apiDeleteCmd struct {
	apiFlags
	Yes bool `help:"Really."`
}

func (apiDeleteCmd) Help() string {
	return "Tokens that live stay good until they expire; sessions for the API cannot be refreshed any more."
}

func (cmd *apiDeleteCmd) Run(ctx context.Context, c *console) error {
	if err := really(cmd.Yes, "sessions for "+cmd.Audience+" cannot be refreshed afterwards"); err != nil {
		return err
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.admin.DeleteAPI(ctx, operator(), cmd.Audience); err != nil {
		return apiError(err)
	}
	fmt.Fprintf(c.out, "%s: deleted\n", printable(cmd.Audience))
	return nil
}

// really refuses what cannot be undone where nobody has said so.
func really(yes bool, what string) error {
	if yes {
		return nil
	}
	return hint(fmt.Errorf("nothing was changed: %s", what), "--yes does it")
}

func newAPIJSON(a catalog.API) wire.API {
	return wire.API{
		Audience: a.Audience, Name: a.Name, Permissions: append([]string{}, a.Permissions...), Life: int64(a.Life.Seconds()),
		Algorithm: string(a.Algorithm), Default: a.Default, Claims: a.Claims, BuiltIn: a.BuiltIn,
	}
}

func apiState(a catalog.API) string {
	switch {
	case a.BuiltIn:
		return "built in"
	case a.Default:
		return "default"
	}
	return "registered"
}

func lifeOf(d time.Duration) string {
	if d == 0 {
		return "server's"
	}
	return span(d).String()
}

func algorithmOf(a catalog.API) string {
	if a.Algorithm == "" {
		return string(jwk.ES256)
	}
	return string(a.Algorithm)
}
