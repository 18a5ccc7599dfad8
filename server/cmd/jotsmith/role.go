package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/wire"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Register a role."`
	List   roleListCmd   `cmd:"" help:"List the roles."`
	Set    roleSetCmd    `cmd:"" help:"Change what a role gives."`
	Delete roleDeleteCmd `cmd:"" help:"Delete a role: whoever holds it has nothing of it any more."`
}

func (roleCmd) Help() string { return offlineHelp }

// roleFlags are those of every act on one role.
type roleFlags struct {
	dataFlags
	Name string `arg:"" help:"The role's name."`
	JSON bool   `help:"Print JSON."`
}

type roleCreateCmd struct {
	roleFlags
	Description string     `placeholder:"TEXT" help:"For people."`
	Permission  []string   `sep:"none" placeholder:"SCOPE" help:"A permission that it gives, of whichever APIs have it; repeatable."`
	Claims      claimsText `placeholder:"CLAIMS" help:"Custom claims of its holders' tokens: a JSON object, or @FILE."`
}

func (cmd *roleCreateCmd) Run(ctx context.Context, c *console) error {
	claims, err := cmd.Claims.read()
	if err != nil {
		return err
	}
	return cmd.change(ctx, c, "registered", func(n *node) (catalog.Role, error) {
		return n.admin.SaveRole(ctx, operator(), catalog.Role{
			Name: cmd.Name, Description: cmd.Description, Permissions: cmd.Permission, Claims: json.RawMessage(claims),
		})
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

func (cmd *roleSetCmd) Run(ctx context.Context, c *console) error {
	return cmd.change(ctx, c, "changed", func(n *node) (catalog.Role, error) {
		r, err := n.admin.Role(ctx, operator(), cmd.Name)
		if err != nil {
			return catalog.Role{}, err
		}
		if cmd.Description != nil {
			r.Description = *cmd.Description
		}
		if cmd.Permission != nil {
			r.Permissions = cmd.Permission
		}
		if cmd.Claims != nil {
			claims, err := cmd.Claims.read()
			if err != nil {
				return catalog.Role{}, err
			}
			r.Claims = claims
		}
		return n.admin.SaveRole(ctx, operator(), r)
	})
}

func (f roleFlags) change(ctx context.Context, c *console, did string, act func(*node) (catalog.Role, error)) error {
	n, err := openOfflineOrMake(ctx, f.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	r, err := act(n)
	switch {
	case err != nil:
		return roleError(err)
	case f.JSON:
		return c.json(newRoleJSON(r))
	}
	fmt.Fprintf(c.out, "%s: %s (%s)\n", r.Name, did, permissions(r.Permissions))
	return nil
}

func roleError(err error) error {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return hint(err, "'jotsmith role list' shows what is registered")
	case errors.Is(err, fault.ErrExists):
		return hint(err, "'jotsmith role set' changes it; nothing was changed")
	}
	return err
}

type roleListCmd struct {
	dataFlags
	JSON bool `help:"Print JSON."`
}

func (cmd *roleListCmd) Run(ctx context.Context, c *console) error {
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	all, err := n.admin.ListRoles(ctx, operator())
	if err != nil {
		return err
	}
	list := wire.RoleList{Roles: []wire.Role{}}
	var rows [][]string
	for _, r := range all {
		list.Roles = append(list.Roles, newRoleJSON(r))
		state := "registered"
		if r.BuiltIn {
			state = "built in"
		}
		rows = append(rows, []string{r.Name, state, r.Description, permissions(r.Permissions)})
	}
	if cmd.JSON {
		return c.json(list)
	}
	return c.table([]string{"ROLE", "STATE", "DESCRIPTION", "PERMISSIONS"}, rows)
}

type roleDeleteCmd struct {
	roleFlags
	Yes bool `help:"Really."`
}

func (roleDeleteCmd) Help() string {
	return "Accounts and apps keep the role's name, which gives nothing then; another role of that name would be theirs."
}

func (cmd *roleDeleteCmd) Run(ctx context.Context, c *console) error {
	if err := really(cmd.Yes, "whoever holds the role "+cmd.Name+" loses what it gives"); err != nil {
		return err
	}
	n, err := openOffline(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.admin.DeleteRole(ctx, operator(), cmd.Name); err != nil {
		return roleError(err)
	}
	fmt.Fprintf(c.out, "%s: deleted\n", cmd.Name)
	return nil
}

func newRoleJSON(r catalog.Role) wire.Role {
	return wire.Role{Name: r.Name, Description: r.Description, Permissions: append([]string{}, r.Permissions...), Claims: r.Claims, BuiltIn: r.BuiltIn}
}

func permissions(all []string) string {
	if len(all) == 0 {
		return "no permission"
	}
	return strings.Join(all, " ")
}
