package authz_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

// TestRFR13StepUp: what a log-in must be, by the three claims that tell it, and
// which new log-in would be enough.
func TestRFR13StepUp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	issuer := jotsmithtest.New(t)
	policy := issuer.Policy("")
	policy.Now = func() time.Time { return now }
	verifier, err := jwt.NewVerifier(policy)
	if err != nil {
		t.Fatal(err)
	}
	type login struct {
		age     time.Duration // of auth_time; negative: to come
		unknown bool          // no auth_time
		acr     string
		amr     []string
	}
	five, hour := authz.LoggedInWithin(5*time.Minute), authz.LoggedInWithin(time.Hour)
	gold, silver, any := authz.ACR("gold"), authz.ACR("silver", "gold"), authz.ACR("bronze", "silver")
	otp := authz.AMR("otp")
	editor, admin, write := authz.Role("editor"), authz.Role("admin"), authz.Scope("tasks:write")
	up := func(maxAge time.Duration, acr string) *authz.StepUp { return &authz.StepUp{MaxAge: maxAge, ACR: acr} }
	const min5 = 5 * time.Minute
	old := login{age: 10 * time.Minute}
	for _, c := range []struct {
		name   string
		login  login
		rule   authz.Rule
		denied string // empty: it passes
		scope  string
		stepUp *authz.StepUp
	}{
		{"fresh", login{age: time.Second}, five, "", "", nil},
		{"exactly as old as may be", login{age: min5}, five, "", "", nil},
		{"a second older", login{age: min5 + time.Second}, five, "log-in within 300 s", "", up(min5, "")},
		{"unknown", login{unknown: true}, five, "log-in within 300 s", "", up(min5, "")},
		{"to come, within the leeway", login{age: -30 * time.Second}, five, "", "", nil},
		{"to come", login{age: -31 * time.Second}, five, "log-in within 300 s", "", up(min5, "")},
		{"of the first second of all time", login{age: now.Sub(time.Unix(0, 0))}, hour, "log-in within 3600 s", "", up(time.Hour, "")},

		{"the class", login{acr: "gold"}, gold, "", "", nil},
		{"the second of the classes", login{acr: "gold"}, silver, "", "", nil},
		{"a weaker class", login{acr: "bronze"}, silver, "acr silver gold", "", up(0, "silver gold")},
		{"no class", login{}, gold, "acr gold", "", up(0, "gold")},
		{"a class in another case", login{acr: "Gold"}, gold, "acr gold", "", up(0, "gold")},
		{"two classes in one", login{acr: "silver gold"}, silver, "acr silver gold", "", up(0, "silver gold")},
		{"a method that is no class", login{amr: []string{"gold"}}, gold, "acr gold", "", up(0, "gold")},

		{"the method", login{amr: []string{"pwd", "otp"}}, otp, "", "", nil},
		{"a weaker method", login{amr: []string{"pwd"}}, otp, "amr otp", "", up(0, "")},
		{"no method", login{}, otp, "amr otp", "", up(0, "")},
		{"a class that is no method", login{acr: "otp"}, otp, "amr otp", "", up(0, "")},

		{"all, passed", login{acr: "gold", amr: []string{"otp"}}, authz.All(five, gold, otp, editor), "", "", nil},
		{"all: the shortest time and the class", old, authz.All(hour, gold, five), "acr gold", "", up(min5, "gold")},
		{"all: the class that both take", old, authz.All(silver, any), "acr silver gold", "", up(0, "silver")},
		{"all: no class is enough for both", old, authz.All(gold, any), "acr gold", "", nil},
		{"all: a method tells no time", old, authz.All(otp, five), "amr otp", "", up(min5, "")},
		{"all: no log-in gives a role, which is told first", old, authz.All(five, admin), "role admin", "", nil},
		{"all: no log-in gives a role", old, authz.All(admin, five), "role admin", "", nil},
		{"all: nor a scope", old, authz.All(five, write), "scope tasks:write", "", nil},
		{"all: the role is there", old, authz.All(editor, five), "log-in within 300 s", "", up(min5, "")},
		{"any: the role is enough", old, authz.Any(five, editor), "", "", nil},
		{"any: a log-in would be enough", old, authz.Any(admin, five), "role admin or log-in within 300 s", "", up(min5, "")},
		{"any: the first log-in that would be", old, authz.Any(gold, five), "acr gold or log-in within 300 s", "", up(0, "gold")},
		{"any within all: scopes would be enough", old, authz.All(authz.Scope("extra"), authz.Any(write, five)), "scope extra", "extra tasks:write", nil},
		{"any within all: a log-in would be", old, authz.All(editor, authz.Any(admin, authz.All(five, gold))), "role admin or (log-in within 300 s and acr gold)", "", up(min5, "gold")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			claims := jwt.Claims{IssuedAt: now, Life: time.Minute, Roles: []string{"editor"}, ACR: c.login.acr, AuthMethods: c.login.amr}
			if !c.login.unknown {
				claims.AuthTime = now.Add(-c.login.age)
			}
			token, err := verifier.Verify(t.Context(), issuer.Token(claims))
			if err != nil {
				t.Fatal(err)
			}
			err = c.rule.Check(token)
			if c.denied == "" {
				if err != nil {
					t.Errorf("denied: %v", err)
				}
				return
			}
			d, ok := errors.AsType[*authz.Denied](err)
			if !ok || d.Rule != c.denied || d.Scope != c.scope {
				t.Fatalf("got %#v, want %q, scope %q", err, c.denied, c.scope)
			}
			if (d.StepUp == nil) != (c.stepUp == nil) || d.StepUp != nil && *d.StepUp != *c.stepUp {
				t.Errorf("a log-in of %+v would be enough, want %+v", d.StepUp, c.stepUp)
			}
		})
	}
}

func TestStepUpRulesThatNobodyMeets(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]func() authz.Rule{
		"no time":          func() authz.Rule { return authz.LoggedInWithin(0) },
		"a time to come":   func() authz.Rule { return authz.LoggedInWithin(-time.Second) },
		"part of a second": func() authz.Rule { return authz.LoggedInWithin(1500 * time.Millisecond) },
		"no class":         func() authz.Rule { return authz.ACR() },
		"an empty class":   func() authz.Rule { return authz.ACR("gold", "") },
		"a class of two":   func() authz.Rule { return authz.ACR("silver gold") },
		"a quote":          func() authz.Rule { return authz.ACR(`"`) },
		"no method":        func() authz.Rule { return authz.AMR("") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: taken", name)
				}
			}()
			rule()
		}()
	}
}
