package guard_test

import (
	"errors"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

func TestCheckToken(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	unconnected, err := guard.NewLazy(guard.Config{Issuer: "http://127.0.0.1:1", Audience: audience, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unconnected.Close)
	good := issuer.Token(jwt.Claims{Roles: []string{"editor"}})
	revoked := issuer.Token(jwt.Claims{})
	for _, c := range []struct {
		name    string
		guard   *guard.Guard
		compact string
		rule    authz.Rule
		code    wire.Code
		scope   string
	}{
		{"good", g, good, authz.Role("editor"), "", ""},
		{"scope missing", g, good, authz.Scope("tasks:write"), wire.CodeForbidden, "tasks:write"},
		{"expired", g, issuer.Expired(jwt.Claims{}), authz.Role("editor"), wire.CodeTokenExpired, ""},
		{"no token", g, "", authz.Role("editor"), wire.CodeTokenMalformed, ""},
		{"not connected", unconnected, good, authz.Role("editor"), wire.CodeKeysUnavailable, ""},
	} {
		token, err := c.guard.CheckToken(t.Context(), c.compact, nil, c.rule)
		if (token == nil) == (err == nil) || (err == nil) != (c.code == "") {
			t.Fatalf("%s: %v, %v", c.name, token, err)
		}
		if err == nil {
			continue
		}
		if code, scope := guard.Code(err); code != c.code || scope != c.scope {
			t.Errorf("%s: %s, scope %q; want %s, %q", c.name, code, scope, c.code, c.scope)
		}
	}

	token, err := g.CheckToken(t.Context(), revoked, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Recheck(t.Context(), token); err != nil {
		t.Errorf("still good: %v", err)
	}
	if err := unconnected.Recheck(t.Context(), token); !errors.Is(err, jwt.ErrKeysUnavailable) {
		t.Errorf("not connected: %v", err)
	}
	issuer.Revoke(revoked)
	if err := g.Recheck(t.Context(), token); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("revoked meanwhile: %v", err)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []string
		token  string
		err    error
	}{
		{[]string{"Bearer a.b.c"}, "a.b.c", nil},
		{nil, "", guard.ErrNoToken},
		{[]string{"Basic eDp5"}, "", guard.ErrNoToken},
		{[]string{"Bearer "}, "", jwt.ErrMalformed},
		{[]string{"Bearer a", "Bearer a"}, "", guard.ErrManyTokens},
	} {
		if token, err := guard.Bearer(c.values); token != c.token || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %v", c.values, token, err)
		}
	}
}
