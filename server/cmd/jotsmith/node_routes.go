package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/forward"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/user"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func (n *node) openRoutes(ready func(context.Context) error) error {
	c := n.config
	auth, err := httpapi.NewAuthenticator(httpapi.AuthConfig{
		Issuer:      c.Issuer,
		Catalog:     n.catalog,
		Keys:        n.ring.Keys(keyring.Access),
		Opens:       n.ring.Opens(),
		Revocations: n.feed.Local(),
		Sessions:    n.sessions,
		Apps:        n.apps,
		Now:         n.now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	user.Routes(mux, user.Deps{
		Accounts:     n.accounts,
		Sessions:     n.sessions,
		Auth:         auth,
		Issuer:       c.Issuer,
		Origins:      n.live.Origins,
		AccessCookie: n.live.AccessCookie,
	})
	oauth.Routes(mux, oauth.Deps{
		Issuer:   c.Issuer,
		Ring:     n.ring,
		Feed:     n.feed,
		Status:   n.status,
		Auth:     auth,
		Catalog:  n.catalog,
		Sessions: n.sessions,
		Apps:     n.apps,
		Ready:    ready,
		Draining: n.draining,
	})
	forward.Routes(mux, forward.Deps{Issuer: c.Issuer, Catalog: n.catalog, Auth: auth, Origins: n.live.Origins})
	if err := n.routeAdmin(mux, auth); err != nil {
		return err
	}
	n.handler, err = httpapi.New(mux, httpapi.Config{
		Realm:   c.Issuer,
		Hosts:   n.hosts(),
		Proxies: n.live.TrustedProxies,
		Origins: n.live.Origins,
		Limiter: n.rates,
		Exempt:  n.live.RateExempt,
		Log:     c.Log,
		Slow:    n.live.Slow,

		Observer: observer{n.traffic, c.Tracer},
	})
	return err
}

// hosts are the names that a loopback server answers to.
func (n *node) hosts() []string {
	if !n.config.Loopback {
		return nil
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(n.config.Issuer); err == nil {
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}

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
