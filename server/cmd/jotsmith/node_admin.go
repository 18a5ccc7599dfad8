package main

import (
	"net/http"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// routeAdmin adds the administration API behind the server's own guard.
func (n *node) routeAdmin(mux *http.ServeMux, auth *httpapi.Authenticator) error {
	c := n.config
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer:      c.Issuer,
		Audiences:   []string{catalog.AdminAudience(c.Issuer)},
		Keys:        n.ring.Keys(keyring.Access),
		Revocations: n.feed.Local(),
		Now:         n.now,
	})
	if err != nil {
		return err
	}
	gate, err := adminapi.NewGate(adminapi.GateConfig{Verifier: verifier, Auth: auth, Catalog: n.catalog, Audit: n.store, Log: c.Log})
	if err != nil {
		return err
	}
	adminapi.Routes(mux, n.admin, gate)
	return nil
}
