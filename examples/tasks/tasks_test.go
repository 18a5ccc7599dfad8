package tasks

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

// TestTasks tells one story, in order.
func TestTasks(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	api := Handler(g)
	person := func(name string, roles ...string) string {
		return "Bearer " + issuer.Token(jwt.Claims{Subject: "acc_" + name, Roles: roles})
	}
	anna, ben, vera := person("anna", "admin"), person("ben", "editor"), person("vera", "viewer")
	gone := issuer.Token(jwt.Claims{Roles: []string{"admin"}})
	issuer.Revoke(gone)

	for _, c := range []struct {
		name               string
		who                string
		method, path, body string
		status             int
		answer             string // is in the body
	}{
		{"nobody", "", "GET", "/tasks", "", 401, "token_missing"},
		{"a revoked token", "Bearer " + gone, "GET", "/tasks", "", 401, "token_revoked"},
		{"an expired token", "Bearer " + issuer.Expired(jwt.Claims{}), "GET", "/tasks", "", 401, "token_expired"},
		{"a viewer reads", vera, "GET", "/tasks", "", 200, "[]"},
		{"a viewer may not write", vera, "POST", "/tasks", `{"title":"x"}`, 403, "forbidden"},
		{"an editor writes", ben, "POST", "/tasks", `{"title":"water the plants"}`, 201, `{"id":1,"owner":"acc_ben","title":"water the plants"}`},
		{"no title", ben, "POST", "/tasks", `{}`, 400, "title"},
		{"not JSON", ben, "POST", "/tasks", `hello`, 400, "title"},
		{"a large body", ben, "POST", "/tasks", `{"title":"` + strings.Repeat("x", 5000) + `"}`, 400, "title"},
		{"an admin writes", anna, "POST", "/tasks", `{"title":"pay the rent"}`, 201, `"id":2`},
		{"each sees their own", ben, "GET", "/tasks", "", 200, `[{"id":1,"owner":"acc_ben","title":"water the plants"}]`},
		{"an editor may not see all", ben, "GET", "/tasks?all=true", "", 403, "forbidden"},
		{"an admin may", anna, "GET", "/tasks?all=true", "", 200, `"pay the rent"`},
		{"an admin without asking sees their own", anna, "GET", "/tasks", "", 200, `[{"id":2,`},
		{"a viewer may not delete", vera, "DELETE", "/tasks/1", "", 403, "forbidden"},
		{"another person's task", anna, "DELETE", "/tasks/1", "", 404, "no such task"},
		{"not a number", ben, "DELETE", "/tasks/x", "", 404, "no such task"},
		{"one's own task", ben, "DELETE", "/tasks/1", "", 204, ""},
		{"it is gone", ben, "GET", "/tasks", "", 200, "[]"},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		if c.who != "" {
			r.Header.Set("Authorization", c.who)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.answer)
		}
		if (w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden) && w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no challenge", c.name)
		}
	}
}
