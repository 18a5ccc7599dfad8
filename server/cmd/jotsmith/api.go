package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
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

func (apiCmd) Help() string { return targetHelp }

// apiFlags are those of every act on one API.
type apiFlags struct {
	targetFlags
	Audience string `arg:"" help:"The API's name in tokens: an absolute URI such as https://tasks.example.com."`
	JSON     bool   `help:"Print JSON."`
}

type apiCreateCmd struct {
	apiFlags
	Name       string     `placeholder:"TEXT" help:"For people."`
	Permission []string   `sep:"none" placeholder:"SCOPE" help:"What a token for it may allow; repeatable. Roles give it: 'jotsmith role create'."`
	Life       span       `placeholder:"TIME" help:"Life of its access tokens, such as 90s or 15m; by default what 'serve --access-life' says."`
	Alg        string     `placeholder:"ALG" help:"What its tokens are signed with: ES256 (default), ES384, ES512, EdDSA, Ed25519, RS256 to RS512 or PS256 to PS512."`
	Default    bool       `help:"A log-in that names no API gets tokens for this one. The first API is the default anyway."`
	Claims     claimsText `placeholder:"CLAIMS" help:"Custom claims of its tokens: a JSON object, or @FILE."`

	EncryptionKey keyPath `xor:"encryption" placeholder:"FILE" help:"Encrypt its tokens for this public key, a JWK or PEM; '-' is standard input. Only who has the private one reads them."`
	Opaque        bool    `xor:"encryption" help:"Encrypt its tokens for this server, which the API asks about each: introspection or forward-auth."`
}

func (cmd *apiCreateCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	claims, err := cmd.Claims.read()
	if err != nil {
		return err
	}
	key, err := cmd.EncryptionKey.read(c)
	if err != nil {
		return err
	}
	return cmd.change(ctx, c, l, "registered", "POST", "/v1/admin/apis", wire.APICreate{
		Audience: cmd.Audience, Name: cmd.Name, Permissions: cmd.Permission, Life: cmd.Life.seconds(),
		Algorithm: cmd.Alg, Default: cmd.Default, Claims: claims,
		EncryptionKey: key, Opaque: cmd.Opaque,
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

	EncryptionKey keyPath `xor:"encryption" placeholder:"FILE" help:"Encrypt its tokens for this public key, a JWK or PEM, instead of any other; '-' is standard input."`
	Opaque        bool    `xor:"encryption" help:"Encrypt its tokens for this server, which the API asks about each."`
	SignedOnly    bool    `xor:"encryption" help:"Encrypt its tokens no more."`
}

func (apiSetCmd) Help() string {
	return "What is not named stays as it is. Tokens that live keep what they say; those made from now on say what stands."
}

func (cmd *apiSetCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	patch := wire.APIPatch{Name: cmd.Name, Algorithm: cmd.Alg}
	if cmd.Permission != nil {
		patch.Permissions = &cmd.Permission
	}
	if cmd.Life != nil {
		patch.Life = new(cmd.Life.seconds())
	}
	if cmd.Default {
		patch.Default = &cmd.Default
	}
	if cmd.Claims != nil {
		claims, err := cmd.Claims.patch()
		if err != nil {
			return err
		}
		patch.Claims = claims
	}
	if err := cmd.encryption(c, &patch); err != nil {
		return err
	}
	return cmd.change(ctx, c, l, "changed", "PATCH", cmd.path(), patch)
}

// encryption says all of it where anything of it is said.
func (cmd *apiSetCmd) encryption(c *console, patch *wire.APIPatch) error {
	if cmd.EncryptionKey == "" && !cmd.Opaque && !cmd.SignedOnly {
		return nil
	}
	key, err := cmd.EncryptionKey.read(c)
	if err != nil {
		return err
	}
	if key == nil {
		key = json.RawMessage("{}")
	}
	patch.EncryptionKey, patch.Opaque = &key, &cmd.Opaque
	return nil
}

func (f apiFlags) path() string { return "/v1/admin/apis/" + url.PathEscape(f.Audience) }

// change asks for an act on the API and tells the outcome.
func (f apiFlags) change(ctx context.Context, c *console, l *commandLine, did, method, path string, in any) error {
	r, err := f.openOrMake(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var a wire.API
	if err := r.do(ctx, method, path, in, &a); err != nil {
		return f.explain(err)
	}
	if f.JSON {
		return c.json(a)
	}
	fmt.Fprintf(c.out, "%s: %s\n", printable(a.Audience), did)
	return nil
}

// explain adds what to do about the faults that an operator can mend.
func (f apiFlags) explain(err error) error {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(fmt.Errorf("API %q: %w", f.Audience, catalog.ErrUnknownAPI), "'jotsmith api list' shows what is registered")
	case errors.Is(err, fault.ErrExists):
		return hint(fmt.Errorf("API %q: %w", f.Audience, fault.ErrExists), "'jotsmith api set' changes it; nothing was changed")
	}
	return err
}

type apiShowCmd struct{ apiFlags }

func (cmd *apiShowCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var a wire.API
	if err := r.do(ctx, "GET", cmd.path(), nil, &a); err != nil {
		return cmd.explain(err)
	}
	if cmd.JSON {
		return c.json(a)
	}
	claims := string(a.Claims)
	if claims == "" {
		claims = "none"
	}
	return c.table([]string{"AUDIENCE", a.Audience}, [][]string{
		{"name", a.Name}, {"state", apiState(a)}, {"token life", lifeOf(a.Life)}, {"signed with", algorithmOf(a)}, {"encrypted", encryptionOf(a)},
		{"permissions", strings.Join(a.Permissions, " ")}, {"custom claims", claims},
	})
}

type apiListCmd struct {
	pageFlags
	After string `placeholder:"URI" help:"Only those after this API."`
}

func (cmd *apiListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var list wire.APIList
	if err := r.do(ctx, "GET", "/v1/admin/apis"+cmd.query(map[string]string{"after": cmd.After}), nil, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, a := range list.APIs {
		rows = append(rows, []string{a.Audience, a.Name, apiState(a), lifeOf(a.Life), algorithmOf(a), strings.Join(a.Permissions, " ")})
	}
	return cmd.show(c, list, listing{
		heading: []string{"AUDIENCE", "NAME", "STATE", "LIFE", "ALGORITHM", "PERMISSIONS"}, rows: rows, none: "No APIs.", more: next("--after", list.Next),
	})
}

type apiDeleteCmd struct {
	apiFlags
	Yes bool `help:"Really."`
}

func (apiDeleteCmd) Help() string {
	return "Tokens that live stay good until they expire; sessions for the API cannot be refreshed any more."
}

func (cmd *apiDeleteCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if err := really(cmd.Yes, "sessions for "+cmd.Audience+" cannot be refreshed afterwards"); err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.do(ctx, "DELETE", cmd.path(), nil, nil); err != nil {
		return cmd.explain(err)
	}
	return c.deleted(cmd.JSON, cmd.Audience)
}

// deleted tells that what had that name is gone.
func (c *console) deleted(asJSON bool, name string) error {
	if asJSON {
		return c.json(struct {
			Deleted string `json:"deleted"`
		}{name})
	}
	fmt.Fprintf(c.out, "%s: deleted\n", printable(name))
	return nil
}

// really refuses what cannot be undone where nobody has said so.
func really(yes bool, what string) error {
	if yes {
		return nil
	}
	return hint(fmt.Errorf("nothing was changed: %s", what), "--yes does it")
}

func apiState(a wire.API) string {
	switch {
	case a.BuiltIn:
		return "built in"
	case a.Default:
		return "default"
	}
	return "registered"
}

func lifeOf(seconds int64) string {
	if seconds == 0 {
		return "server's"
	}
	return span(time.Duration(seconds) * time.Second).String()
}

func algorithmOf(a wire.API) string {
	if a.Algorithm == "" {
		return string(jwk.ES256)
	}
	return a.Algorithm
}
