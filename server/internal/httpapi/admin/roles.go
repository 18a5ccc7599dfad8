package admin

import (
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) roles() []act {
	return []act{
		on("GET /roles", admin.RolesRead, s.listRoles),
		on("POST /roles", admin.RolesWrite, s.createRole),
		on("GET /roles/{name}", admin.RolesRead, s.role),
		on("PATCH /roles/{name}", admin.RolesWrite, s.changeRole),
		on("DELETE /roles/{name}", admin.RolesWrite, s.deleteRole),
	}
}

// listRoles lists by name.
func (s server) listRoles(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	all, err := s.admin.ListRoles(r.Context(), by)
	if err != nil {
		return err
	}
	page, next, err := pageOf(r, all, func(r catalog.Role) string { return r.Name })
	if err != nil {
		return err
	}
	answer := wire.RoleList{Roles: []wire.Role{}, Next: next}
	for _, role := range page {
		answer.Roles = append(answer.Roles, roleOf(role))
	}
	return c.JSON(http.StatusOK, answer)
}

func (s server) createRole(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.RoleCreate
	err := c.ReadJSON(r, httpapi.Members{
		"name": &in.Name, "description": &in.Description, "permissions": &in.Permissions, "claims": &in.Claims,
	})
	if err != nil {
		return err
	}
	role, err := s.admin.SaveRole(r.Context(), by, catalog.Role{
		Name: in.Name, Description: in.Description, Permissions: in.Permissions, Claims: template(in.Claims),
	})
	if err != nil {
		return err
	}
	c.Header().Set("Location", wire.PathAdmin+"/roles/"+role.Name)
	return c.JSON(http.StatusCreated, roleOf(role))
}

func (s server) role(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	role, err := s.admin.Role(r.Context(), by, r.PathValue("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, roleOf(role))
}

// changeRole changes what it has read; where somebody else was faster it fails.
func (s server) changeRole(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.RolePatch
	err := c.ReadJSON(r, httpapi.Members{"description": &in.Description, "permissions": &in.Permissions, "claims": &in.Claims})
	if err != nil {
		return err
	}
	role, err := s.admin.ChangeRole(r.Context(), by, r.PathValue("name"), func(role *catalog.Role) {
		set(&role.Description, in.Description)
		set(&role.Permissions, in.Permissions)
		if in.Claims != nil {
			role.Claims = template(*in.Claims)
		}
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, roleOf(role))
}

func (s server) deleteRole(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	if err := s.admin.DeleteRole(r.Context(), by, r.PathValue("name")); err != nil {
		return err
	}
	return c.NoContent()
}

func roleOf(r catalog.Role) wire.Role {
	return wire.Role{
		Name: r.Name, Description: r.Description, Permissions: append([]string{}, r.Permissions...), Claims: r.Claims, BuiltIn: r.BuiltIn,
	}
}
