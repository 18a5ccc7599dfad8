package forward

import (
	"fmt"
	"net/url"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// A demand is what the proxy's configuration wants of a token: that it is for
// one API, and all of some scopes and roles.
type demand struct {
	audience string
	rules    []authz.Rule
}

const (
	maxQuery = 2048
	maxName  = 512 // of an audience, a scope or a role
)

// readDemand reads audience=, once, and scope= and role=, each as often as need
// be. Anything else, a name that is empty or one that no token can have is an
// error.
func readDemand(query string) (demand, error) {
	if len(query) > maxQuery {
		return demand{}, misconfigured("its query is longer than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return demand{}, misconfigured("malformed query")
	}
	var d demand
	for name, all := range values {
		for _, value := range all {
			switch {
			case value == "" || len(value) > maxName || !isValue(value):
				return demand{}, misconfigured("%.40q is not one name of visible ASCII", name+"="+value)
			case name == "audience" && len(all) == 1:
				d.audience = value
			case name == "scope" && isScope(value):
				d.rules = append(d.rules, authz.Scope(value))
			case name == "role":
				d.rules = append(d.rules, authz.Role(value))
			default:
				return demand{}, misconfigured("%.40q is none of: one audience, scope and role", name+"="+value)
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
