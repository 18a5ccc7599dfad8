package jotsmithtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

func Example() {
	test := func(t *testing.T) {
		issuer := jotsmithtest.New(t)
		g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
		if err != nil {
			t.Fatal(err)
		}
		api := g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "written by", guard.Token(r).Subject())
		}, authz.Role("editor"))

		for _, role := range []string{"viewer", "editor"} {
			r := httptest.NewRequest("POST", "/tasks", nil)
			r.Header.Set("Authorization", "Bearer "+issuer.Token(jwt.Claims{Roles: []string{role}}))
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			fmt.Println(role, w.Code)
		}
	}
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "TestAPI", F: test}})
	// Output:
	// viewer 403
	// editor 200
}
