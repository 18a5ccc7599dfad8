package admin_test

import (
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/wire"
)

// Nobody gives themselves anything: not by members that a route does not have,
// and not by a permission that is meant for others.
func TestADM03NobodyRaisesThemselves(t *testing.T) {
	t.Parallel()
	n := open(t)
	plain, clerk, boss := n.person("", "viewer"), n.person("", only(admin.AccountsWrite)), n.person("", "admin")
	roleClerk, appClerk, starter := n.person("", only(admin.RolesWrite)), n.person("", only(admin.AppsWrite)), n.person("", only(admin.SessionsStart))
	mighty, _, err := n.admin.CreateApp(t.Context(), operator, app.NewApp{Name: "mighty", Roles: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	accounts := "/v1/admin/accounts/"
	for _, c := range []struct {
		name   string
		by     person
		method string
		path   string
		body   string
		code   wire.Code
	}{
		{"one's own roles by the account's own route", plain, "PATCH", "/v1/me", `{"roles":["admin"]}`, wire.CodeInvalidRequest},
		{"one's own id", plain, "PATCH", "/v1/me", `{"display_name":"x","id":"acc_x"}`, wire.CodeInvalidRequest},
		{"verified", plain, "PATCH", "/v1/me", `{"verified":true}`, wire.CodeInvalidRequest},
		{"roles at log-in", plain, "POST", "/v1/login", `{"username":"x","password":"y","roles":["admin"]}`, wire.CodeInvalidRequest},
		{"more than the roles give", plain, "POST", "/v1/login", `{"username":"` + plain.username + `","password":"` + password + `","audience":"` + audience + `","scope":"jotsmith:keys:write"}`, wire.CodeInvalidScope},
		{"one's own roles without the permission", plain, "PUT", accounts + string(plain.id) + "/roles", `{"roles":["admin"]}`, wire.CodeForbidden},

		{"a clerk's own roles", clerk, "PUT", accounts + string(clerk.id) + "/roles", `{"roles":["admin"]}`, wire.CodeForbidden},
		{"another's roles", clerk, "PUT", accounts + string(plain.id) + "/roles", `{"roles":["viewer","admin"]}`, wire.CodeForbidden},
		{"a role of one permission more", clerk, "PUT", accounts + string(plain.id) + "/roles", `{"roles":["` + only(admin.KeysRead) + `"]}`, wire.CodeForbidden},
		{"a role that nobody has registered yet", clerk, "PUT", accounts + string(clerk.id) + "/roles", `{"roles":["` + only(admin.AccountsWrite) + `","security-lead"]}`, wire.CodeForbidden},
		{"a new account with one", clerk, "POST", "/v1/admin/accounts", `{"username":"eve","password":"` + password + `","roles":["security-lead"]}`, wire.CodeForbidden},
		{"an app with one", appClerk, "POST", "/v1/admin/apps", `{"name":"x","roles":["security-lead"]}`, wire.CodeForbidden},
		{"a new admin", clerk, "POST", "/v1/admin/accounts", `{"username":"eve","password":"` + password + `","roles":["admin"]}`, wire.CodeForbidden},
		{"an admin's password", clerk, "PUT", accounts + string(boss.id) + "/password", `{"password":"fünf Kühe im Schnee"}`, wire.CodeForbidden},
		{"an admin's roles taken away", clerk, "PUT", accounts + string(boss.id) + "/roles", `{"roles":[]}`, wire.CodeForbidden},
		{"an admin disabled", clerk, "POST", accounts + string(boss.id) + "/disable", ``, wire.CodeForbidden},
		{"an admin's claims", clerk, "PUT", accounts + string(boss.id) + "/claims", `{"claims":{"x":"y"}}`, wire.CodeForbidden},
		{"a claim that is the standard's", clerk, "PUT", accounts + string(plain.id) + "/claims", `{"claims":{"roles":["admin"]}}`, wire.CodeInvalidRequest},
		{"roles by the display name's route", clerk, "PATCH", accounts + string(clerk.id), `{"display_name":"x","roles":["admin"]}`, wire.CodeInvalidRequest},
		{"disabled by the display name's route", clerk, "PATCH", accounts + string(clerk.id), `{"disabled":false}`, wire.CodeInvalidRequest},
		{"an id of one's choice", clerk, "POST", "/v1/admin/accounts", `{"id":"acc_x","username":"eve","password":"` + password + `"}`, wire.CodeInvalidRequest},

		{"a role that one holds", roleClerk, "PATCH", "/v1/admin/roles/" + only(admin.RolesWrite), `{"permissions":["jotsmith:roles:write","jotsmith:keys:write"]}`, wire.CodeForbidden},
		{"a new role", roleClerk, "POST", "/v1/admin/roles", `{"name":"mine","permissions":["jotsmith:accounts:write"]}`, wire.CodeForbidden},
		{"a role of others emptied", roleClerk, "PATCH", "/v1/admin/roles/" + only(admin.KeysWrite), `{"permissions":[]}`, wire.CodeForbidden},
		{"a role of others deleted", roleClerk, "DELETE", "/v1/admin/roles/" + only(admin.KeysWrite), ``, wire.CodeForbidden},
		{"the built-in role", boss, "PATCH", "/v1/admin/roles/admin", `{"permissions":["tasks:read"]}`, wire.CodeConflict},
		{"the built-in role deleted", boss, "DELETE", "/v1/admin/roles/admin", ``, wire.CodeConflict},
		{"a permission of administration at another API", boss, "POST", "/v1/admin/apis", `{"audience":"https://x.example","permissions":["jotsmith:keys:write"]}`, wire.CodeInvalidRequest},
		{"the built-in API", boss, "PATCH", "/v1/admin/apis/https:%2F%2Fauth.example.com%2Fv1%2Fadmin", `{"permissions":[]}`, wire.CodeConflict},

		{"a new app that may more", appClerk, "POST", "/v1/admin/apps", `{"name":"x","roles":["admin"]}`, wire.CodeForbidden},
		{"another secret of such an app", appClerk, "POST", "/v1/admin/apps/" + string(mighty.ID) + "/secrets", `{}`, wire.CodeForbidden},
		{"such an app disabled", appClerk, "POST", "/v1/admin/apps/" + string(mighty.ID) + "/disable", ``, wire.CodeForbidden},

		{"a session of an admin", starter, "POST", "/v1/admin/sessions", `{"subject":"eve","roles":["admin"]}`, wire.CodeForbidden},
		{"a session for administration", boss, "POST", "/v1/admin/sessions", `{"subject":"eve","roles":["admin"],"audience":"` + audience + `"}`, wire.CodeForbidden},
		{"a session of an account of this server", starter, "POST", "/v1/admin/sessions", `{"subject":"` + string(boss.id) + `","roles":["viewer"]}`, wire.CodeInvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent any
			if c.body != "" {
				sent = c.body
			}
			refused(t, n.do(c.method, c.path, sent, c.by.tokens.AccessToken), c.code)
		})
	}
	for _, p := range []person{plain, clerk, roleClerk, appClerk, starter} {
		if a, err := n.accounts.Get(t.Context(), p.id); err != nil || len(a.Roles) != 1 || strings.Contains(a.Roles[0], "admin") {
			t.Errorf("%s has become %+v, %v", p.username, a, err)
		}
	}
	if w := n.do("GET", "/v1/admin/keys", nil, boss.tokens.AccessToken); w.Code != 200 {
		t.Errorf("the admin is none any more: %d", w.Code)
	}
}

// A role that is taken away while a token lives has no effect at the
// administration API and at introspection from the next request on, and none
// in the next token.
func TestADM07RoleTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*node, person) error{
		"from the account": func(n *node, p person) error {
			_, err := n.admin.SetRoles(t.Context(), operator, p.id, []string{"viewer"}, false)
			return err
		},
		"what it gives": func(n *node, p person) error {
			r, err := n.admin.Role(t.Context(), operator, only(admin.KeysRead))
			if err != nil {
				return err
			}
			r.Permissions = nil
			_, err = n.admin.SaveRole(t.Context(), operator, r)
			return err
		},
		"the role itself": func(n *node, p person) error { return n.admin.DeleteRole(t.Context(), operator, only(admin.KeysRead)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t)
			p := n.person("", only(admin.KeysRead))
			if w := n.do("GET", "/v1/admin/keys", nil, p.tokens.AccessToken); w.Code != 200 {
				t.Fatalf("with the role: %d", w.Code)
			}
			if err := take(n, p); err != nil {
				t.Fatal(err)
			}
			refused(t, n.do("GET", "/v1/admin/keys", nil, p.tokens.AccessToken), wire.CodeForbidden)
			told := read[wire.Introspection](t, n.do("POST", "/oauth/introspect", "token="+p.tokens.AccessToken, p.tokens.AccessToken), 200)
			if !told.Active || strings.Contains(told.Scope, admin.KeysRead) {
				t.Errorf("introspection tells %+v", told)
			}
			next := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: p.tokens.RefreshToken}, ""), 200)
			if next.Scope != "" {
				t.Errorf("the next token may %q", next.Scope)
			}
			refused(t, n.do("GET", "/v1/admin/keys", nil, next.AccessToken), wire.CodeForbidden)
		})
	}
}

// An app's token serves like a person's, and ends with the app.
func TestADM07AppDisabled(t *testing.T) {
	t.Parallel()
	n := open(t)
	made, secret, err := n.admin.CreateApp(t.Context(), operator, app.NewApp{Name: "robot", Roles: []string{only(admin.KeysRead)}, Audiences: []string{audience}})
	if err != nil {
		t.Fatal(err)
	}
	form := "grant_type=client_credentials&client_id=" + string(made.ID) + "&client_secret=" + secret
	token := read[wire.TokenResponse](t, n.do("POST", "/oauth/token", form, ""), 200).AccessToken
	if w := n.do("GET", "/v1/admin/keys", nil, token); w.Code != 200 {
		t.Fatalf("an app with the permission: %d %s", w.Code, w.Body)
	}
	refused(t, n.do("GET", "/v1/admin/accounts", nil, token), wire.CodeForbidden)
	if _, err := n.admin.DisableApp(t.Context(), operator, made.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/admin/keys", nil, token), wire.CodeTokenRevoked)
}

// A role that is not registered gives nothing, until somebody registers it. Who
// may do that may give it, and what one has of it stays.
func TestRoleThatIsNotRegistered(t *testing.T) {
	t.Parallel()
	n := open(t)
	both, clerk, app := n.person("", only(admin.AccountsWrite), only(admin.RolesWrite)), n.person("", only(admin.AccountsWrite)), n.person("", only(admin.AppsWrite))
	holder := n.person("", "legacy")
	path := "/v1/admin/accounts/" + string(holder.id) + "/roles"
	read[wire.Account](t, n.do("PUT", path, `{"roles":["legacy","another"]}`, both.tokens.AccessToken), 200)
	read[wire.Account](t, n.do("PUT", path, `{"roles":["legacy","another","viewer"]}`, clerk.tokens.AccessToken), 200)
	read[wire.Account](t, n.do("PUT", path, `{"roles":["legacy","viewer"]}`, clerk.tokens.AccessToken), 200)
	refused(t, n.do("PUT", path, `{"roles":["legacy","another"]}`, clerk.tokens.AccessToken), wire.CodeForbidden)

	made := read[wire.AppWithSecret](t, n.do("POST", "/v1/admin/apps", `{"name":"x","roles":["viewer"]}`, app.tokens.AccessToken), 201)
	path = "/v1/admin/apps/" + made.App.ID
	refused(t, n.do("PATCH", path, `{"roles":["legacy"]}`, app.tokens.AccessToken), wire.CodeForbidden)
	read[wire.App](t, n.do("PATCH", path, `{"roles":[]}`, app.tokens.AccessToken), 200)
}
