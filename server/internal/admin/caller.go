package admin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// The permissions of administration. They are scopes (RFC 6749 §3.3) whose
// prefix no other API may use.
const (
	AccountsRead  = "jotsmith:accounts:read"
	AccountsWrite = "jotsmith:accounts:write"
	APIsRead      = "jotsmith:apis:read"
	APIsWrite     = "jotsmith:apis:write"
	RolesRead     = "jotsmith:roles:read"
	RolesWrite    = "jotsmith:roles:write"
	AppsRead      = "jotsmith:apps:read"
	AppsWrite     = "jotsmith:apps:write"
	SessionsRead  = "jotsmith:sessions:read"
	SessionsWrite = "jotsmith:sessions:write"
	SessionsStart = "jotsmith:sessions:start"
	KeysRead      = "jotsmith:keys:read"
	KeysWrite     = "jotsmith:keys:write"
	AuditRead     = "jotsmith:audit:read"
)

// ErrForbidden says that the caller may not do that.
var ErrForbidden = errors.New("permission is missing")

// A Caller is who acts and what they may do. An actor of audit.KindOperator may
// do everything: who reads and writes the data directory could anyway. Every
// other one may do what Permissions says and nothing else.
type Caller struct {
	audit.Actor
	Permissions []string
}

// Operator is the caller of somebody who has the data directory.
func Operator(name string) Caller {
	return Caller{Actor: audit.Actor{Kind: audit.KindOperator, Name: name}}
}

// May says whether the caller has a permission.
func (c Caller) May(permission string) bool {
	named := c.Kind == audit.KindAccount || c.Kind == audit.KindApp
	return c.Kind == audit.KindOperator || named && permission != "" && slices.Contains(c.Permissions, permission)
}

// allow is the first line of every act.
func allow(c Caller, permission string) error {
	if !c.May(permission) {
		return fmt.Errorf("%w: %s, for an actor of kind %q", ErrForbidden, permission, c.Kind)
	}
	return nil
}
