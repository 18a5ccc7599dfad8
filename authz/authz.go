// Package authz decides what the holder of a verified token may do. A [Rule] is
// built once, beside the route that it guards, and is asked with each token:
//
//	authz.All(authz.Scope("tasks:write"), authz.Any(authz.Role("editor"), authz.Role("admin")))
//
// It never sees an unverified token: a [jwt.Token] comes only from a
// [jwt.Verifier]. It refuses to guess: names are compared byte for byte, there
// are no wildcards and no hierarchy of roles. Whether the thing that is acted on
// belongs to the caller is found out by a function of yours, which [Self] makes a
// rule of. Package guard asks rules and answers a denial.
package authz

import (
	"errors"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
)

// Rule decides over one verified token. Rules are safe for concurrent use.
type Rule interface {
	Check(t *jwt.Token) error // nil, or a *Denied
	String() string           // what the rule demands, for logs and for whom it denied
}

// Denied says which rule refused a token that is otherwise good. Its holder is
// told what was demanded.
type Denied struct {
	Rule  string // what was demanded
	Scope string // space separated scopes that would have been enough, or empty
	// StepUp is the new log-in that would be enough (RFC 9470); nil where none would.
	StepUp *StepUp
}

func (d *Denied) Error() string { return "needs " + d.Rule }

// Scope demands one scope. It panics if name is not a scope-token (RFC 6749
// §3.3): rules are written by the programmer, and such a one would deny everybody.
func Scope(name string) Rule { return inScope("scope", name) }

// Permission demands one permission of this API. Jotsmith writes what the
// holder's roles give at an API, and nothing else, into the "scope" of its
// tokens, and there it is looked for: the rule is [Scope] in the words of who
// gives roles. Of an issuer whose apps may ask for any scope it says no more than
// Scope. It panics as Scope does.
func Permission(name string) Rule { return inScope("permission", name) }

func inScope(word, name string) Rule {
	if !isScopeToken(name) {
		panic("authz: " + strings.ToValidUTF8(name, "?") + " is not one " + word + " (RFC 6749 §3.3)")
	}
	return scope{word, name}
}

type scope struct{ word, name string }

func (s scope) String() string { return s.word + " " + s.name }

func (s scope) Check(t *jwt.Token) error {
	if t.HasScope(s.name) {
		return nil
	}
	return &Denied{Rule: s.String(), Scope: s.name}
}

// Role demands one role. It panics if name is empty.
func Role(name string) Rule {
	if name == "" {
		panic("authz: a role needs a name")
	}
	return role(name)
}

type role string

func (r role) String() string { return "role " + string(r) }

func (r role) Check(t *jwt.Token) error {
	if t.HasRole(string(r)) {
		return nil
	}
	return &Denied{Rule: r.String()}
}

// All demands every rule. It panics without rules, as [Any] does: a list that
// came out empty by mistake must not decide anything.
func All(rules ...Rule) Rule { return all(checked("All", rules)) }

type all []Rule

func (a all) String() string { return join(a, " and ") }

func (a all) Check(t *jwt.Token) error { return a.CheckRequest(nil, t) }

func (a all) CheckRequest(request any, t *jwt.Token) error {
	var denied Denied
	enough := true // would scopes alone have been enough?
	hard := false  // is there what no log-in mends? It is told first
	for _, rule := range a {
		err := Check(rule, request, t)
		if err == nil {
			continue
		}
		d, ok := errors.AsType[*Denied](err)
		if !ok {
			return err
		}
		switch {
		case denied.Rule == "":
			denied.Rule, denied.StepUp, hard = d.Rule, d.StepUp, d.StepUp == nil
		case d.StepUp == nil && !hard:
			denied.Rule, denied.StepUp, hard = d.Rule, nil, true
		default:
			denied.StepUp = denied.StepUp.and(d.StepUp)
		}
		enough = enough && d.Scope != ""
		denied.Scope = strings.TrimPrefix(denied.Scope+" "+d.Scope, " ")
	}
	if denied.Rule == "" {
		return nil
	}
	if !enough {
		denied.Scope = ""
	}
	return &denied
}

// Any demands at least one of the rules.
func Any(rules ...Rule) Rule { return anyOf(checked("Any", rules)) }

type anyOf []Rule

func (a anyOf) String() string { return join(a, " or ") }

func (a anyOf) Check(t *jwt.Token) error { return a.CheckRequest(nil, t) }

func (a anyOf) CheckRequest(request any, t *jwt.Token) error {
	denied := Denied{Rule: a.String()}
	for _, rule := range a {
		err := Check(rule, request, t)
		if err == nil {
			return nil
		}
		d, ok := errors.AsType[*Denied](err)
		if !ok {
			return err
		}
		if denied.Scope == "" {
			denied.Scope = d.Scope
		}
		if denied.StepUp == nil {
			denied.StepUp = d.StepUp
		}
	}
	return &denied
}

func checked(name string, rules []Rule) []Rule {
	if len(rules) == 0 {
		panic("authz: " + name + " needs at least one rule")
	}
	for _, r := range rules {
		if r == nil {
			panic("authz: " + name + " holds a nil rule")
		}
	}
	return append([]Rule(nil), rules...)
}

func join(rules []Rule, word string) string {
	s := make([]string, len(rules))
	for i, r := range rules {
		s[i] = r.String()
		switch r.(type) {
		case all, anyOf:
			s[i] = "(" + s[i] + ")"
		}
	}
	return strings.Join(s, word)
}

// isScopeToken implements scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return s != ""
}
