package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Register a role."`
	List   roleListCmd   `cmd:"" help:"List the roles."`
	Set    roleSetCmd    `cmd:"" help:"Change what a role gives."`
	Delete roleDeleteCmd `cmd:"" help:"Delete a role: whoever holds it has nothing of it any more."`
}

func (roleCmd) Help() string { return targetHelp }

// roleFlags are those of every act on one role.
type roleFlags struct {
	targetFlags
	Name string `arg:"" help:"The role's name."`
	JSON bool   `help:"Print JSON."`
}

type roleCreateCmd struct {
	roleFlags
	Description string     `placeholder:"TEXT" help:"For people."`
	Permission  []string   `sep:"none" placeholder:"SCOPE" help:"A permission that it gives, of whichever APIs have it; repeatable."`
	Claims      claimsText `placeholder:"CLAIMS" help:"Custom claims of its holders' tokens: a JSON object, or @FILE."`
}

func (cmd *roleCreateCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	claims, err := cmd.Claims.read()
	if err != nil {
		return err
	}
	return cmd.change(ctx, c, l, "registered", "POST", "/v1/admin/roles", wire.RoleCreate{
		Name: cmd.Name, Description: cmd.Description, Permissions: cmd.Permission, Claims: claims,
	})
}

type roleSetCmd struct {
	roleFlags
	Description *string     `placeholder:"TEXT" help:"For people."`
	Permission  []string    `sep:"none" placeholder:"SCOPE" help:"A permission that it gives: these are all that it gives afterwards; repeatable."`
	Claims      *claimsText `placeholder:"CLAIMS" help:"Custom claims of its holders' tokens: a JSON object, or @FILE; {} is none."`
}

func (roleSetCmd) Help() string {
	return "What is not named stays as it is. Tokens that live keep what they say; the next refresh says what stands."
}

func (cmd *roleSetCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	patch := wire.RolePatch{Description: cmd.Description}
	if cmd.Permission != nil {
		patch.Permissions = &cmd.Permission
	}
	if cmd.Claims != nil {
		claims, err := cmd.Claims.patch()
		if err != nil {
			return err
		}
		patch.Claims = claims
	}
	return cmd.change(ctx, c, l, "changed", "PATCH", rolePath(cmd.Name), patch)
}

func rolePath(name string) string { return "/v1/admin/roles/" + url.PathEscape(name) }

// change asks for an act on the role and tells the outcome.
func (f roleFlags) change(ctx context.Context, c *console, l *commandLine, did, method, path string, in any) error {
	r, err := f.openOrMake(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var role wire.Role
	if err := r.do(ctx, method, path, in, &role); err != nil {
		return roleError(err, f.Name)
	}
	if f.JSON {
		return c.json(role)
	}
	fmt.Fprintf(c.out, "%s: %s (%s)\n", role.Name, did, permissions(role.Permissions))
	return nil
}

func roleError(err error, name string) error {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(fmt.Errorf("role %q: %w", name, fault.ErrNotFound), "'jotsmith role list' shows what is registered")
	case errors.Is(err, fault.ErrExists):
		return hint(fmt.Errorf("role %q: %w", name, fault.ErrExists), "'jotsmith role set' changes it; nothing was changed")
	}
	return err
}

type roleListCmd struct {
	pageFlags
	After string `placeholder:"ROLE" help:"Only those after this role."`
}

func (cmd *roleListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var list wire.RoleList
	if err := r.do(ctx, "GET", "/v1/admin/roles"+cmd.query(map[string]string{"after": cmd.After}), nil, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range list.Roles {
		state := "registered"
		if r.BuiltIn {
			state = "built in"
		}
		rows = append(rows, []string{r.Name, state, r.Description, permissions(r.Permissions)})
	}
	return cmd.show(c, list, listing{
		heading: []string{"ROLE", "STATE", "DESCRIPTION", "PERMISSIONS"}, rows: rows, none: "No roles.", more: next("--after", list.Next),
	})
}

type roleDeleteCmd struct {
	roleFlags
	Yes bool `help:"Really."`
}

func (roleDeleteCmd) Help() string {
	return "Accounts and apps keep the role's name, which gives nothing then; another role of that name would be theirs."
}

func (cmd *roleDeleteCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	if err := really(cmd.Yes, "whoever holds the role "+cmd.Name+" loses what it gives"); err != nil {
		return err
	}
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.do(ctx, "DELETE", rolePath(cmd.Name), nil, nil); err != nil {
		return roleError(err, cmd.Name)
	}
	return c.deleted(cmd.JSON, cmd.Name)
}

func permissions(all []string) string {
	if len(all) == 0 {
		return "no permission"
	}
	return strings.Join(all, " ")
}
