package authz_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

func verified(t *testing.T, c jwt.Claims) *jwt.Token {
	t.Helper()
	issuer := jotsmithtest.New(t)
	token, err := issuer.Verifier("").Verify(t.Context(), issuer.Token(c))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRules(t *testing.T) {
	t.Parallel()
	token := verified(t, jwt.Claims{Scope: []string{"tasks:read", "profile"}, Roles: []string{"editor"}})
	read, write, extra := authz.Scope("tasks:read"), authz.Scope("tasks:write"), authz.Scope("extra")
	editor, admin := authz.Role("editor"), authz.Role("admin")
	for _, c := range []struct {
		name  string
		rule  authz.Rule
		is    string // what the rule says it demands
		rules string // Denied.Rule; empty: allowed
		scope string // Denied.Scope
	}{
		{"a scope", read, "scope tasks:read", "", ""},
		{"a scope it lacks", write, "scope tasks:write", "scope tasks:write", "tasks:write"},
		{"the beginning of a scope", authz.Scope("tasks:"), "scope tasks:", "scope tasks:", "tasks:"},
		{"a scope in another case", authz.Scope("Tasks:read"), "scope Tasks:read", "scope Tasks:read", "Tasks:read"},
		{"a wildcard is a name like any other", authz.Scope("*"), "scope *", "scope *", "*"},
		{"a role", editor, "role editor", "", ""},
		{"a role it lacks", admin, "role admin", "role admin", ""},
		{"a role that is a scope", authz.Role("profile"), "role profile", "role profile", ""},
		{"a scope that is a role", authz.Scope("editor"), "scope editor", "scope editor", "editor"},
		{"a permission", authz.Permission("tasks:read"), "permission tasks:read", "", ""},
		{"a permission it lacks", authz.Permission("tasks:write"), "permission tasks:write", "permission tasks:write", "tasks:write"},
		{"a permission that is a role", authz.Permission("editor"), "permission editor", "permission editor", "editor"},
		{"all of one", authz.All(read), "scope tasks:read", "", ""},
		{"all", authz.All(read, editor), "scope tasks:read and role editor", "", ""},
		{"all but one", authz.All(read, write, editor), "scope tasks:read and scope tasks:write and role editor", "scope tasks:write", "tasks:write"},
		{"all but two scopes: both would be needed", authz.All(write, extra), "scope tasks:write and scope extra", "scope tasks:write", "tasks:write extra"},
		{"all but a scope and a role: no scope would do", authz.All(write, admin), "scope tasks:write and role admin", "scope tasks:write", ""},
		{"any", authz.Any(admin, editor), "role admin or role editor", "", ""},
		{"any, none fits", authz.Any(admin, authz.Role("owner")), "role admin or role owner", "role admin or role owner", ""},
		{"any, a scope would do", authz.Any(admin, write, extra), "role admin or scope tasks:write or scope extra", "role admin or scope tasks:write or scope extra", "tasks:write"},
		{"nested", authz.All(read, authz.Any(editor, admin)), "scope tasks:read and (role editor or role admin)", "", ""},
		{"nested, denied within", authz.All(write, authz.Any(admin, extra)), "scope tasks:write and (role admin or scope extra)", "scope tasks:write", "tasks:write extra"},
		{"nested any, denied", authz.Any(authz.All(read, admin), extra), "(scope tasks:read and role admin) or scope extra", "(scope tasks:read and role admin) or scope extra", "extra"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.rule.String() != c.is {
				t.Errorf("the rule is %q, want %q", c.rule, c.is)
			}
			err := c.rule.Check(token)
			if c.rules == "" {
				if err != nil {
					t.Errorf("denied: %v", err)
				}
				return
			}
			d, ok := errors.AsType[*authz.Denied](err)
			if !ok || d.Rule != c.rules || d.Scope != c.scope || err.Error() != "needs "+c.rules {
				t.Errorf("got %#v, want rule %q, scope %q", err, c.rules, c.scope)
			}
		})
	}
}

// A token without roles and scopes satisfies no rule.
func TestNothingIsGiven(t *testing.T) {
	t.Parallel()
	token := verified(t, jwt.Claims{})
	for _, rule := range []authz.Rule{authz.Scope("x"), authz.Permission("x"), authz.Role("x"), authz.All(authz.Role("x")), authz.Any(authz.Role("x"), authz.Scope("y"))} {
		if rule.Check(token) == nil {
			t.Errorf("%v allowed it", rule)
		}
	}
}

var errBroken = errors.New("database is down")

type broken struct{}

func (broken) Check(*jwt.Token) error { return errBroken }
func (broken) String() string         { return "broken" }

// An error that is no denial is not made one, nor an admission.
func TestBrokenRule(t *testing.T) {
	t.Parallel()
	token := verified(t, jwt.Claims{Roles: []string{"admin"}})
	for _, rule := range []authz.Rule{authz.All(authz.Role("admin"), broken{}), authz.Any(authz.Role("other"), broken{})} {
		if err := rule.Check(token); !errors.Is(err, errBroken) {
			t.Errorf("%v: %v", rule, err)
		}
	}
}

func TestRulesThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(){
		"two scopes in one":             func() { authz.Scope("a b") },
		"a scope that is empty":         func() { authz.Scope("") },
		"a quote in a scope":            func() { authz.Scope(`a"b`) },
		"a line break in a scope":       func() { authz.Scope("a\r\nSet-Cookie: x") },
		"a scope beyond ASCII":          func() { authz.Scope("é") },
		"two permissions in one":        func() { authz.Permission("a b") },
		"an empty permission":           func() { authz.Permission("") },
		"a role without a name":         func() { authz.Role("") },
		"all of nothing":                func() { authz.All() },
		"any of nothing":                func() { authz.Any() },
		"ownership that nobody decides": func() { authz.Self[any](nil) },
		"a nil rule":                    func() { authz.All(authz.Role("x"), nil) },
		"an empty list of choices":      func() { authz.Any([]authz.Rule{}...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "authz: ") {
					t.Errorf("no panic that explains: %v", text)
				}
			}()
			build()
		})
	}
}

// The list that a rule was made from may change; the rule does not.
func TestRuleKeepsItsOwnList(t *testing.T) {
	t.Parallel()
	list := []authz.Rule{authz.Role("admin")}
	rule := authz.All(list...)
	list[0] = authz.Role("viewer")
	if rule.Check(verified(t, jwt.Claims{Roles: []string{"viewer"}})) == nil {
		t.Error("the rule changed")
	}
}
