package forward

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// A demand is what the proxy's configuration wants of a token: that it is for
// one API, and all of some scopes, roles and ways to have logged in.
type demand struct {
	audience string
	rules    []authz.Rule
}

const (
	maxQuery = 2048
	maxName  = 512 // of an audience, a scope or a role
)

// parameters are in the order in which what they ask for is checked, whatever
// order they come in: who lacks a right need not log in again.
var parameters = []string{"audience", "scope", "role", "max_age", "acr_values", "amr"}

// readDemand reads audience=, once, scope=, role= and amr=, each as often as need
// be, and max_age= and acr_values=, each once at most (RFC 9470 §3). Anything
// else, a name that is empty or one that no token can have is an error.
func readDemand(query string) (demand, error) {
	if len(query) > maxQuery {
		return demand{}, misconfigured("its query is longer than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return demand{}, misconfigured("malformed query")
	}
	var d demand
	names := slices.Concat(parameters, slices.Sorted(maps.Keys(values))) // those of others come last, to be refused
	for _, name := range names {
		all := values[name]
		delete(values, name)
		for _, value := range all {
			switch {
			case name == "acr_values" && len(all) == 1 && areValues(value):
				d.rules = append(d.rules, authz.ACR(strings.Split(value, " ")...))
			case value == "" || len(value) > maxName || !isValue(value):
				return demand{}, misconfigured("%.40q is not one name of visible ASCII", name+"="+value)
			case name == "audience" && len(all) == 1:
				d.audience = value
			case name == "scope" && isScope(value):
				d.rules = append(d.rules, authz.Scope(value))
			case name == "role":
				d.rules = append(d.rules, authz.Role(value))
			case name == "amr" && isScope(value): // which stands in a challenge
				d.rules = append(d.rules, authz.AMR(value))
			case name == "max_age" && len(all) == 1:
				seconds, err := strconv.ParseUint(value, 10, 31)
				if err != nil || seconds == 0 || value != strconv.FormatUint(seconds, 10) {
					return demand{}, misconfigured("%.40q is no number of seconds", name+"="+value)
				}
				d.rules = append(d.rules, authz.LoggedInWithin(time.Duration(seconds)*time.Second))
			default:
				return demand{}, misconfigured("%.40q is none of: one audience, scope, role, amr, one max_age and one acr_values", name+"="+value)
			}
		}
	}
	if d.audience == "" {
		return demand{}, misconfigured("the parameter audience is required")
	}
	return d, nil
}

func (d demand) check(t *jwt.Token) error {
	if len(d.rules) == 0 {
		return nil
	}
	return authz.All(d.rules...).Check(t)
}

// areValues reports whether s is a list of values of "acr", with one space
// between them.
func areValues(s string) bool {
	for value := range strings.SplitSeq(s, " ") {
		if !isValue(value) || !isScope(value) {
			return false
		}
	}
	return len(s) <= maxName
}

func isScope(s string) bool { // among what isValue admits (RFC 6749 §3.3)
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

func misconfigured(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return httpapi.Refuse(wire.CodeInvalidRequest, "the proxy's configuration: "+err.Error(), err)
}
