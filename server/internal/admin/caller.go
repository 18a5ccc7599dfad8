package admin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

// The permissions that acts ask for.
const (
	AccountsRead  = catalog.AccountsRead
	AccountsWrite = catalog.AccountsWrite
	APIsRead      = catalog.APIsRead
	APIsWrite     = catalog.APIsWrite
	RolesRead     = catalog.RolesRead
	RolesWrite    = catalog.RolesWrite
	AppsRead      = catalog.AppsRead
	AppsWrite     = catalog.AppsWrite
	SessionsRead  = catalog.SessionsRead
	SessionsWrite = catalog.SessionsWrite
	SessionsStart = catalog.SessionsStart
	KeysRead      = catalog.KeysRead
	KeysWrite     = catalog.KeysWrite
	AuditRead     = catalog.AuditRead
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
