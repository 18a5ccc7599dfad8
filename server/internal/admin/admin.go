// Package admin holds every act of administration. Each takes the [Caller]
// first, asks whether they may, performs the act and records it; what it does to
// accounts, sessions and keys is those packages' business. What people do to
// their own account is not here, and neither is where a caller's permissions
// come from (see httpapi/admin).
package admin

import (
	"errors"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// Config is what a Service is made of. All are required.
type Config struct {
	Accounts *account.Service
	Sessions *session.Service
	Ring     *keyring.Ring
	Audit    audit.Log
	Catalog  *catalog.Live
	Apps     *app.Service
	Feed     *feed.Feed
	Issuer   string // of the tokens that are revoked
}

// A Service may be used by many goroutines.
type Service struct{ c Config }

// New checks c.
func New(c Config) (*Service, error) {
	if c.Accounts == nil || c.Sessions == nil || c.Ring == nil || c.Audit == nil || c.Catalog == nil || c.Apps == nil || c.Feed == nil || c.Issuer == "" {
		return nil, errors.New("administration: accounts, sessions, key ring, audit log, catalog, apps, feed and issuer are required")
	}
	return &Service{c}, nil
}
