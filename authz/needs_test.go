package authz_test

import (
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestNeedsRequest(t *testing.T) {
	t.Parallel()
	role := authz.Role("admin")
	own := authz.Self(func(string, *jwt.Token) (bool, error) { return true, nil })
	for _, c := range []struct {
		rule  authz.Rule
		needs bool
	}{
		{role, false},
		{authz.All(role, authz.Any(role, authz.Scope("x"))), false},
		{own, true},
		{authz.Any(role, own), true},
		{authz.All(role, authz.Any(role, own)), true},
	} {
		if authz.NeedsRequest(c.rule) != c.needs {
			t.Errorf("%v: %v", c.rule, !c.needs)
		}
	}
}
