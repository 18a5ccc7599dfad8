package admin_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// A call is how a route is used.
type call struct {
	status int // where it is allowed
	query  string
	body   func(n *node) any

	// ids is what stands in the path, of or for somebody: a value for each
	// wildcard.
	ids func(n *node, p person) []string
}

func body(v any) func(*node) any { return func(*node) any { return v } }

func anAccount(_ *node, p person) []string { return []string{string(p.id)} }
func aSession(_ *node, p person) []string  { return []string{p.tokens.SessionID} }

// aKey is of the feed: to revoke one of access would end the caller's token.
func aKey(n *node, _ person) []string {
	keys, err := n.admin.ListKeys(context.Background(), operator)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, k := range keys {
		if k.Purpose == keyring.Feed && k.State == keyring.Active {
			return []string{k.ID}
		}
	}
	n.t.Fatal("no active feed key")
	return nil
}

func anAPI(n *node, _ person) []string {
	a, err := n.admin.SaveAPI(context.Background(), operator, catalog.API{Audience: n.name("https://api.example.com/")})
	if err != nil {
		n.t.Fatal(err)
	}
	return []string{url.PathEscape(a.Audience)}
}

func aRole(n *node, _ person) []string {
	r, err := n.admin.SaveRole(context.Background(), operator, catalog.Role{Name: n.name("role")})
	if err != nil {
		n.t.Fatal(err)
	}
	return []string{r.Name}
}

func anApp(n *node, _ person) []string {
	a, _, err := n.admin.CreateApp(context.Background(), operator, app.NewApp{Name: n.name("app")})
	if err != nil {
		n.t.Fatal(err)
	}
	return []string{string(a.ID), a.Secrets[0].ID}
}

// calls is a good call of every route. One that is added to the table and not
// here fails the test.
var calls = map[string]call{
	"GET /v1/admin/accounts": {status: 200, query: "?role=admin&disabled=false&limit=5"},
	"POST /v1/admin/accounts": {status: 201, body: func(n *node) any {
		return wire.AccountCreate{Username: n.name("new"), Password: password, Roles: []string{"viewer"}}
	}},
	"POST /v1/admin/import": {status: 200, query: "?dry_run=false&existing=skip", body: func(n *node) any {
		return lines(`{"username":"` + n.name("imported") + `","roles":["viewer"],"password_hash":"` + bcryptHash + `"}`)
	}},
	"GET /v1/admin/accounts/{id}":             {status: 200, ids: anAccount},
	"PATCH /v1/admin/accounts/{id}":           {status: 200, ids: anAccount, body: body(`{"display_name":"Somebody"}`)},
	"PUT /v1/admin/accounts/{id}/password":    {status: 204, ids: anAccount, body: body(wire.AccountPassword{Password: "fünf Kühe im Schnee"})},
	"PUT /v1/admin/accounts/{id}/roles":       {status: 200, ids: anAccount, body: body(wire.AccountRoles{Roles: []string{"viewer"}})},
	"PUT /v1/admin/accounts/{id}/claims":      {status: 200, ids: anAccount, body: body(`{"claims":{"team":"blue"}}`)},
	"POST /v1/admin/accounts/{id}/disable":    {status: 200, ids: anAccount},
	"POST /v1/admin/accounts/{id}/enable":     {status: 200, ids: anAccount},
	"GET /v1/admin/accounts/{id}/sessions":    {status: 200, ids: anAccount},
	"DELETE /v1/admin/accounts/{id}/sessions": {status: 200, ids: anAccount},
	"POST /v1/admin/sessions": {status: 201, body: func(n *node) any {
		return wire.SessionStart{Subject: n.name("user-"), Roles: []string{"viewer"}, Claims: json.RawMessage(`{"plan":"gold"}`)}
	}},
	"GET /v1/admin/sessions/{id}":    {status: 200, ids: aSession},
	"DELETE /v1/admin/sessions/{id}": {status: 204, ids: aSession},

	"GET /v1/admin/keys":              {status: 200},
	"POST /v1/admin/keys/{id}/revoke": {status: 200, ids: aKey},
	"POST /v1/admin/keys/rotate":      {status: 200, body: body(wire.KeyRotate{Purpose: "access", Now: true})},

	"GET /v1/admin/apis":               {status: 200},
	"POST /v1/admin/apis":              {status: 201, body: func(n *node) any { return wire.APICreate{Audience: n.name("urn:example:"), Life: 60} }},
	"GET /v1/admin/apis/{audience}":    {status: 200, ids: anAPI},
	"PATCH /v1/admin/apis/{audience}":  {status: 200, ids: anAPI, body: body(`{"name":"Tasks","permissions":["tasks:read"],"life":60,"claims":{}}`)},
	"DELETE /v1/admin/apis/{audience}": {status: 204, ids: anAPI},

	"GET /v1/admin/roles": {status: 200},
	"POST /v1/admin/roles": {status: 201, body: func(n *node) any {
		return wire.RoleCreate{Name: n.name("role"), Permissions: []string{"tasks:read"}}
	}},
	"GET /v1/admin/roles/{name}":    {status: 200, ids: aRole},
	"PATCH /v1/admin/roles/{name}":  {status: 200, ids: aRole, body: body(`{"permissions":["tasks:read"]}`)},
	"DELETE /v1/admin/roles/{name}": {status: 204, ids: aRole},

	"GET /v1/admin/apps":                          {status: 200, query: "?limit=2"},
	"POST /v1/admin/apps":                         {status: 201, body: body(wire.AppCreate{Name: "billing", Roles: []string{"viewer"}})},
	"GET /v1/admin/apps/{id}":                     {status: 200, ids: anApp},
	"PATCH /v1/admin/apps/{id}":                   {status: 200, ids: anApp, body: body(`{"name":"billing","roles":["viewer"],"life":60}`)},
	"DELETE /v1/admin/apps/{id}":                  {status: 204, ids: anApp},
	"POST /v1/admin/apps/{id}/disable":            {status: 200, ids: anApp},
	"POST /v1/admin/apps/{id}/enable":             {status: 200, ids: anApp},
	"POST /v1/admin/apps/{id}/secrets":            {status: 201, ids: anApp, body: body(`{"expires_in":3600}`)},
	"DELETE /v1/admin/apps/{id}/secrets/{secret}": {status: 200, ids: anApp},

	"POST /v1/admin/apps/{id}/token": {status: 201, ids: anApp, body: body(wire.AppToken{Audience: tasks})},
	"POST /v1/admin/tokens/revoke":   {status: 200, body: func(n *node) any { return wire.TokenRevoke{Token: n.another.tokens.RefreshToken} }},

	"GET /v1/admin/audit":        {status: 200, query: "?act=account.&outcome=ok&since=2020-01-01T00:00:00Z&limit=3"},
	"GET /v1/admin/audit/export": {status: 200, query: "?after=1&limit=3"},
}

var nobodys = [][]string{{"acc_nobody", "nothing"}, {strings.Repeat("x", 500), "nothing"}}

func (c call) send(n *node, r adminapi.Route, ids []string, token string) *httptest.ResponseRecorder {
	n.t.Helper()
	var sent any
	if c.body != nil {
		sent = c.body(n)
	}
	return n.do(r.Method, fill(r.Path, ids)+c.query, sent, token)
}

var wildcard = regexp.MustCompile(`\{\w+\}`)

// fill puts ids in the place of a path's wildcards.
func fill(path string, ids []string) string {
	return wildcard.ReplaceAllStringFunc(path, func(string) string {
		id := ids[0]
		ids = ids[1:]
		return id
	})
}

// Every route × every role × whose id it is: one's own, another's, nobody's.
// Who lacks the one permission is refused alike whatever the id, and nothing
// has happened; who has it and nothing else is served.
func TestADM01RouteByRoleByID(t *testing.T) {
	t.Parallel()
	n := open(t)
	type caller struct{ name, scope, role string }
	callers := []caller{{name: "no role", role: ""}, {name: "a role of another API", role: "viewer"}, {name: "admin", role: "admin"}}
	for _, p := range permissions() {
		callers = append(callers, caller{name: "only " + p, role: only(p)}, caller{name: "admin with a token for " + p, role: "admin", scope: p})
	}
	has := func(c caller, permission string) bool {
		return c.name == "admin" || strings.HasSuffix(c.name, " "+permission)
	}
	n.another = n.person("")
	for _, c := range callers {
		var roles []string
		if c.role != "" {
			roles = []string{c.role}
		}
		standing := n.person(c.scope, roles...) // refused calls leave them standing
		for _, r := range adminapi.Table() {
			t.Run(c.name+"/"+r.Method+" "+r.Path, func(t *testing.T) {
				use, known := calls[r.Method+" "+r.Path]
				if !known {
					t.Fatal("the matrix has no call for this route: add one")
				}
				if has(c, r.Permission) {
					// What is done to oneself may end one's session: each time anew.
					by := func() person { return n.person(c.scope, roles...) }
					if use.ids == nil {
						if w := use.send(n, r, nil, by().tokens.AccessToken); w.Code != use.status {
							t.Errorf("status %d, want %d: %s", w.Code, use.status, w.Body)
						}
						return
					}
					own := by()
					want := use.status
					if c.scope != "" && strings.HasPrefix(r.Path, "/v1/admin/accounts/") && r.Permission == admin.AccountsWrite {
						want = 403 // one's own account may more than this token
					}
					if w := use.send(n, r, use.ids(n, own), own.tokens.AccessToken); w.Code != want {
						t.Errorf("one's own: status %d, want %d: %s", w.Code, want, w.Body)
					}
					if w := use.send(n, r, use.ids(n, n.person("")), by().tokens.AccessToken); w.Code != use.status {
						t.Errorf("another's: status %d, want %d: %s", w.Code, use.status, w.Body)
					}
					for _, ids := range nobodys {
						refused(t, use.send(n, r, ids, by().tokens.AccessToken), wire.CodeNotFound)
					}
					return
				}
				whose := [][]string{nil}
				if use.ids != nil {
					whose = append([][]string{use.ids(n, standing), use.ids(n, n.another)}, nobodys...)
				}
				before := n.recorded()
				var first wire.Problem
				for i, ids := range whose {
					w := use.send(n, r, ids, standing.tokens.AccessToken)
					p := refused(t, w, wire.CodeForbidden)
					if challenge := w.Header().Get("WWW-Authenticate"); !strings.Contains(challenge, `error="insufficient_scope", scope="`+r.Permission+`"`) {
						t.Errorf("challenge %q", challenge)
					}
					p.ID = ""
					if i == 0 {
						first = p
					} else if p != first {
						t.Errorf("another id, another answer: %+v, %+v", first, p)
					}
				}
				if after := n.recorded(); after != before {
					t.Errorf("%d events more", after-before)
				}
			})
		}
	}
}

// Every path × every method, those that nobody routes too: without a good
// token for this API and this moment there is no answer.
func TestADM02EveryMethod(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin")
	elsewhere := read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: boss.username, Password: password, Audience: tasks}, ""), 200)
	ended := n.person("", "admin")
	n.do("POST", "/v1/logout", nil, ended.tokens.AccessToken)
	disabled := n.person("", "admin")
	if _, err := n.admin.DisableAccount(t.Context(), operator, disabled.id); err != nil {
		t.Fatal(err)
	}
	routed := map[string]bool{}
	paths := map[string]bool{}
	for _, r := range adminapi.Table() {
		routed[r.Method+" "+r.Path] = true
		if r.Method == "GET" {
			routed["HEAD "+r.Path] = true
		}
		paths[r.Path] = true
	}
	for path := range paths {
		target := fill(path, []string{string(boss.id), "x"})
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"} {
			if !routed[method+" "+path] {
				for _, token := range []string{"", boss.tokens.AccessToken} {
					refused(t, n.do(method, target, nil, token), wire.CodeMethodNotAllowed)
				}
				continue
			}
			for name, c := range map[string]struct {
				token string
				code  wire.Code
			}{
				"no token":                    {"", wire.CodeTokenMissing},
				"no token of ours":            {"abc", wire.CodeTokenMalformed},
				"a refresh token":             {boss.tokens.RefreshToken, wire.CodeTokenMalformed},
				"a token for another API":     {elsewhere.AccessToken, wire.CodeTokenInvalid},
				"a session that has ended":    {ended.tokens.AccessToken, wire.CodeTokenRevoked},
				"an account that is disabled": {disabled.tokens.AccessToken, wire.CodeTokenRevoked},
			} {
				t.Run(name+"/"+method+" "+path, func(t *testing.T) {
					refused(t, n.do(method, target, nil, c.token), c.code)
				})
			}
		}
	}
	for _, target := range []string{"/v1/admin", "/v1/admin/", "/v1/admin/nothing", "/v1/admin/accounts/", "/v1/admin/accounts//roles", "/v1/admin/../admin/keys", "/v1/admin/keys/", "/V1/admin/keys"} {
		refused(t, n.do("GET", target, nil, boss.tokens.AccessToken), wire.CodeNotFound)
	}
}

// A token may be read with HEAD as with GET, and with no more.
func TestADM02Head(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss, nobody := n.person("", "admin"), n.person("", "viewer")
	for _, r := range adminapi.Table() {
		if r.Method != "GET" {
			continue
		}
		use := calls["GET "+r.Path]
		var ids []string
		if use.ids != nil {
			ids = use.ids(n, boss)
		}
		target := fill(r.Path, ids) + use.query
		if w := n.do("HEAD", target, nil, boss.tokens.AccessToken); w.Code != use.status {
			t.Errorf("HEAD %s: %d", r.Path, w.Code)
		}
		if w := n.do("HEAD", target, nil, nobody.tokens.AccessToken); w.Code != 403 {
			t.Errorf("HEAD %s without the permission: %d", r.Path, w.Code)
		}
	}
}

// Each route demands a permission, of those that are reserved for
// administration; what only reads demands one to read.
func TestADM02EveryRouteDemandsAPermission(t *testing.T) {
	t.Parallel()
	for _, r := range adminapi.Table() {
		switch {
		case !strings.HasPrefix(r.Permission, "jotsmith:"):
			t.Errorf("%s %s demands %q", r.Method, r.Path, r.Permission)
		case (r.Method == "GET") != strings.HasSuffix(r.Permission, ":read"):
			t.Errorf("%s %s demands %q", r.Method, r.Path, r.Permission)
		case !strings.HasPrefix(r.Path, wire.PathAdmin+"/"):
			t.Errorf("%s is not below %s", r.Path, wire.PathAdmin)
		}
	}
}
