package admin_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/wire"
)

// A call is how a route is used: what stands for {id} in its path, and a body.
type call struct {
	status int // where it is allowed
	id     func(p person) string
	query  string
	body   any
}

func anAccount(p person) string { return string(p.id) }
func aSession(p person) string  { return p.tokens.SessionID }

// calls is a good call of every route. One that is added to the table and not
// here fails the test.
var calls = map[string]call{
	"GET /v1/admin/accounts":                  {status: 200, query: "?role=admin&disabled=false&limit=5"},
	"POST /v1/admin/accounts":                 {status: 201, body: wire.AccountCreate{Password: password}},
	"GET /v1/admin/accounts/{id}":             {status: 200, id: anAccount},
	"PATCH /v1/admin/accounts/{id}":           {status: 200, id: anAccount, body: `{"display_name":"Somebody"}`},
	"PUT /v1/admin/accounts/{id}/password":    {status: 204, id: anAccount, body: wire.AccountPassword{Password: "fünf Kühe im Schnee"}},
	"PUT /v1/admin/accounts/{id}/roles":       {status: 200, id: anAccount, body: wire.AccountRoles{Roles: []string{"viewer"}}},
	"POST /v1/admin/accounts/{id}/disable":    {status: 200, id: anAccount},
	"POST /v1/admin/accounts/{id}/enable":     {status: 200, id: anAccount},
	"GET /v1/admin/accounts/{id}/sessions":    {status: 200, id: anAccount},
	"DELETE /v1/admin/accounts/{id}/sessions": {status: 200, id: anAccount},
	"GET /v1/admin/sessions/{id}":             {status: 200, id: aSession},
	"DELETE /v1/admin/sessions/{id}":          {status: 204, id: aSession},
	"GET /v1/admin/keys":                      {status: 200},
	"GET /v1/admin/audit":                     {status: 200, query: "?act=account.&outcome=ok&since=2020-01-01T00:00:00Z&limit=3"},
	"POST /v1/admin/keys/rotate":              {status: 200, body: wire.KeyRotate{Purpose: "access", Now: true}},
}

func (c call) send(n *node, r adminapi.Route, id, token string) *httptest.ResponseRecorder {
	n.t.Helper()
	body := c.body
	if create, ok := body.(wire.AccountCreate); ok {
		create.Username = fmt.Sprintf("new%d", n.made.Add(1))
		body = create
	}
	return n.do(r.Method, strings.Replace(r.Path, "{id}", id, 1)+c.query, body, token)
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
	another := n.person("")
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
					own := by()
					ids := map[string]int{"": use.status}
					if use.id != nil {
						ids = map[string]int{use.id(own): use.status, use.id(n.person("")): use.status, "acc_nobody": 404, strings.Repeat("x", 500): 404}
					}
					for id, want := range ids {
						token := own.tokens.AccessToken
						if use.id == nil || id != use.id(own) {
							token = by().tokens.AccessToken
						}
						if w := use.send(n, r, id, token); w.Code != want {
							t.Errorf("%q: status %d, want %d: %s", id, w.Code, want, w.Body)
						}
					}
					return
				}
				before := n.recorded()
				ids := []string{""}
				if use.id != nil {
					ids = []string{use.id(standing), use.id(another), "acc_nobody", strings.Repeat("x", 500)}
				}
				var first wire.Problem
				for i, id := range ids {
					w := use.send(n, r, id, standing.tokens.AccessToken)
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
		target := strings.Replace(path, "{id}", string(boss.id), 1)
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
		use, id := calls["GET "+r.Path], ""
		if use.id != nil {
			id = use.id(boss)
		}
		target := strings.Replace(r.Path, "{id}", id, 1) + use.query
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
