// Package user serves the routes that people and their apps use for their own
// account: log in, refresh, log out, one's own account and sessions. Who may do
// what is decided by packages account and session; this package reads bodies,
// names the actor and writes answers. What apps and verifiers ask for is in
// httpapi/oauth.
package user

import (
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// Deps is what the routes work with. The services and the issuer are required.
type Deps struct {
	Accounts *account.Service
	Sessions *session.Service
	Auth     *httpapi.Authenticator
	Issuer   string

	// Origins are those of pages that may use cookies, beside the issuer's own.
	Origins []string

	// AccessCookie sets the access token as a cookie too, where a log-in asked
	// for cookies: for a proxy in front of apps on the issuer's own host.
	AccessCookie bool

	cookies cookies
}

// Routes registers:
//
//	POST   /v1/login          200
//	POST   /v1/refresh        200
//	POST   /v1/refresh/end    204
//	POST   /v1/logout         204
//	POST   /v1/logout-all     204
//	GET    /v1/me             200
//	PATCH  /v1/me             200
//	POST   /v1/me/password    204
//	GET    /v1/sessions       200
//	DELETE /v1/sessions/{id}  204
func Routes(mux httpapi.Router, d Deps) {
	d.cookies = newCookies(d.Issuer, d.Origins, d.AccessCookie)
	httpapi.Handle(mux, "POST /v1/login", httpapi.Quick, d.login)
	httpapi.Handle(mux, "POST "+pathRefresh, httpapi.Quick, d.refresh)
	httpapi.Handle(mux, "POST "+pathRefreshEnd, httpapi.Quick, d.refreshEnd)
	httpapi.Handle(mux, "POST /v1/logout", httpapi.Quick, d.logout)
	httpapi.Handle(mux, "POST /v1/logout-all", httpapi.Quick, d.logoutAll)
	httpapi.Handle(mux, "GET /v1/me", httpapi.Quick, d.me)
	httpapi.Handle(mux, "PATCH /v1/me", httpapi.Quick, d.changeMe)
	httpapi.Handle(mux, "POST /v1/me/password", httpapi.Quick, d.changePassword)
	httpapi.Handle(mux, "GET /v1/sessions", httpapi.Quick, d.list)
	httpapi.Handle(mux, "DELETE /v1/sessions/{id}", httpapi.Quick, d.end)
}
