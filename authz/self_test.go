package authz_test

import (
	"errors"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

type listTasks struct{ account string }

func TestSelf(t *testing.T) {
	t.Parallel()
	token := verified(t, jwt.Claims{Subject: "acc_anna", Roles: []string{"editor"}, Scope: []string{"tasks:read"}})
	own := authz.Self(func(r *listTasks, t *jwt.Token) (bool, error) { return r.account == t.Subject(), nil })
	broken := authz.Self(func(*listTasks, *jwt.Token) (bool, error) { return true, errBroken })
	anything := authz.Self(func(any, *jwt.Token) (bool, error) { return true, nil })
	refusing := authz.Self(func(*listTasks, *jwt.Token) (bool, error) { return false, &authz.Denied{Rule: "an open list"} })
	editor, admin, read, write := authz.Role("editor"), authz.Role("admin"), authz.Scope("tasks:read"), authz.Scope("tasks:write")
	mine, others := &listTasks{"acc_anna"}, &listTasks{"acc_bob"}
	for _, c := range []struct {
		name    string
		rule    authz.Rule
		request any
		denied  string // Denied.Rule
		scope   string
		err     error
	}{
		{"one's own", own, mine, "", "", nil},
		{"another's", own, others, "ownership", "", nil},
		{"no request", own, nil, "ownership", "", nil},
		{"a request of another type", own, *mine, "ownership", "", nil},
		{"a request of another type again", own, "acc_anna", "ownership", "", nil},
		{"no request, of a rule that takes anything", anything, nil, "ownership", "", nil},
		{"an error beside a yes", broken, mine, "", "", errBroken},
		{"a denial in its own words", refusing, mine, "an open list", "", nil},
		{"a rule about the token alone", editor, mine, "", "", nil},
		{"a rule about the token alone, denied", admin, mine, "role admin", "", nil},

		{"all", authz.All(editor, own), mine, "", "", nil},
		{"all, another's", authz.All(editor, own), others, "ownership", "", nil},
		{"all, no request", authz.All(editor, own), nil, "ownership", "", nil},
		{"all, a scope and another's: no scope would do", authz.All(write, own), others, "scope tasks:write", "", nil},
		{"all, broken", authz.All(editor, broken), mine, "", "", errBroken},
		{"any", authz.Any(admin, own), mine, "", "", nil},
		{"any, another's", authz.Any(admin, own), others, "role admin or ownership", "", nil},
		{"any, another's for an admin", authz.Any(editor, own), others, "", "", nil},
		{"any, no request", authz.Any(admin, own), nil, "role admin or ownership", "", nil},
		{"any, broken", authz.Any(admin, broken), mine, "", "", errBroken},
		{"nested", authz.All(read, authz.Any(admin, authz.All(editor, own))), mine, "", "", nil},
		{"nested, another's", authz.All(read, authz.Any(admin, authz.All(editor, own))), others, "role admin or (role editor and ownership)", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := authz.Check(c.rule, c.request, token)
			if c.err != nil || c.denied == "" {
				if !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
				if _, denied := errors.AsType[*authz.Denied](err); denied {
					t.Errorf("denied: %v", err)
				}
				return
			}
			if d, ok := errors.AsType[*authz.Denied](err); !ok || d.Rule != c.denied || d.Scope != c.scope {
				t.Errorf("got %#v, want %q, scope %q", err, c.denied, c.scope)
			}
		})
	}
	for _, rule := range []authz.Rule{own, anything, authz.All(editor, own), authz.Any(admin, own)} {
		if _, denied := errors.AsType[*authz.Denied](rule.Check(token)); !denied {
			t.Errorf("%v without a request: %v", rule, rule.Check(token))
		}
	}
}
