package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
)

// GateConfig is what the network's gate is made of. All but Log are required.
type GateConfig struct {
	Verifier *jwt.Verifier // of tokens for the administration API and no other
	Auth     *httpapi.Authenticator
	Catalog  *catalog.Live
	Audit    audit.Log    // who is refused for want of a permission stands there
	Log      *slog.Logger // nil means none
}

// NewGate makes the gate for requests from the network. Our own guard judges
// the token and asks for the permission, as at any API; then session and
// account, or the app, must stand, and their roles must give the permission still:
// what was taken away a moment ago is not in anybody's hands any more, whatever
// their token says.
func NewGate(c GateConfig) (Gate, error) {
	if c.Verifier == nil || c.Auth == nil || c.Catalog == nil || c.Audit == nil {
		return Gate{}, errors.New("administration: verifier, authenticator, catalog and audit log are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	g, err := guard.NewLazy(guard.Config{Verifier: c.Verifier, Log: c.Log})
	if err != nil {
		return Gate{}, fmt.Errorf("administration: %w", err)
	}
	refused := &refusals{log: c.Audit}
	check := func(call *httpapi.Call, r *http.Request, permission string) (admin.Caller, error) {
		t, err := g.Check(r)
		if err != nil {
			return admin.Caller{}, err
		}
		call.About(t.Subject(), t.SessionID())
		who, err := c.Auth.Stands(r.Context(), t)
		if err != nil {
			return admin.Caller{}, err
		}
		if err := call.Take(r, httpapi.Admin, who.Subject()); err != nil {
			return admin.Caller{}, err
		}
		actor := call.Actor(r, who.Account.ID, who.Account.Username)
		if who.App != nil {
			actor.Kind, actor.ID, actor.Name = audit.KindApp, string(who.App.ID), who.App.Name
		}
		given := c.Catalog.Now().Permissions(who.Roles())
		denied := authz.Scope(permission).Check(t)
		if denied == nil && !slices.Contains(given, permission) {
			denied = &authz.Denied{Rule: fmt.Sprintf("scope %q, which no role of %s gives any more", permission, t.Subject()), Scope: permission}
		}
		if denied != nil {
			if err := refused.record(r.Context(), actor, permission); err != nil {
				return admin.Caller{}, err
			}
			return admin.Caller{}, denied
		}
		still := slices.DeleteFunc(slices.Collect(t.Scopes()), func(s string) bool { return !slices.Contains(given, s) })
		return admin.Caller{Actor: actor, Permissions: still}, nil
	}
	return Gate{check, refused}, nil
}

// DangerouslyTrustEverybody is the gate of a process that talks to itself:
// whoever reaches it acts as caller. It must never stand behind a listener.
func DangerouslyTrustEverybody(caller admin.Caller) Gate {
	return Gate{check: func(*httpapi.Call, *http.Request, string) (admin.Caller, error) { return caller, nil }}
}
