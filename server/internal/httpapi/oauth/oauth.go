// Package oauth serves what apps, verifiers and other machines ask for: the
// token endpoint (RFC 6749), revocation (RFC 7009), introspection (RFC 7662),
// key sets, metadata (RFC 8414), the revocation feed, and whether the server is
// alive and ready. It has no authorization endpoint. The routes of people are
// in httpapi/user.
package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/wire"
)

// Deps is what the routes work with. All but Status and Draining are required.
type Deps struct {
	Issuer   string
	Ring     *keyring.Ring
	Feed     *feed.Feed
	Auth     *httpapi.Authenticator
	Catalog  *catalog.Live
	Sessions *session.Service
	Apps     *app.Service

	Status *status.Lists // nil: no token names a status list

	// Ready says why the server cannot work now.
	Ready func(ctx context.Context) error

	// Draining ends when the server begins to stop: whoever waits for news of
	// the feed is answered then, and the server is not ready any more.
	Draining context.Context
}

// MaxAge is how long anybody may cache a key set. Keys must be announced for
// longer before they sign, and stay for longer after they did.
const MaxAge = 5 * time.Minute

// The paths that the metadata names.
const (
	pathJWKS        = "/.well-known/jwks.json"
	pathFeedJWKS    = "/.well-known/jotsmith-revocations-jwks.json"
	pathSealingJWKS = "/.well-known/jotsmith-sealing-jwks.json"
	pathToken       = "/oauth/token"
	pathRevoke      = "/oauth/revoke"
	pathIntrospect  = "/oauth/introspect"
	pathRevocations = "/v1/revocations"
)

// PathStatus is where status lists stand, each under its name.
const PathStatus = "/v1/status/"

// Routes registers:
//
//	GET  /.well-known/jwks.json                        200 304
//	GET  /.well-known/jotsmith-revocations-jwks.json   200 304
//	GET  /.well-known/jotsmith-sealing-jwks.json       200 304
//	GET  /.well-known/oauth-authorization-server       200
//	GET  /.well-known/openid-configuration             200
//	POST /oauth/token                                  200
//	POST /oauth/revoke                                 200
//	POST /oauth/introspect                             200
//	GET  /v1/revocations                               200
//	GET  /v1/status/{list}                             200 304
//	GET  /livez                                        200
//	GET  /readyz                                       200 503
//
// The issuer is an absolute URL. Where it has a path, its metadata of RFC 8414
// stands at the path that §3.1 makes of that too.
func Routes(mux httpapi.Router, d Deps) {
	if d.Draining == nil {
		d.Draining = context.Background()
	}
	httpapi.Handle(mux, "GET "+pathJWKS, 0, d.keys(keyring.Access))
	httpapi.Handle(mux, "GET "+pathFeedJWKS, 0, d.keys(keyring.Feed))
	httpapi.Handle(mux, "GET "+pathSealingJWKS, 0, d.keys(keyring.Sealing))
	metadata := metadata(d.Issuer)
	httpapi.Handle(mux, "GET "+wire.PathMetadata, 0, metadata)
	httpapi.Handle(mux, "GET "+wire.PathOpenIDMetadata, 0, metadata)
	if path := issuerPath(d.Issuer); path != "" {
		httpapi.Handle(mux, "GET "+wire.PathMetadata+"/"+path, 0, metadata)
	}
	httpapi.HandleOAuth(mux, "POST "+pathToken, httpapi.Quick, d.token)
	httpapi.HandleOAuth(mux, "POST "+pathRevoke, httpapi.Quick, d.revoke)
	httpapi.HandleOAuth(mux, "POST "+pathIntrospect, httpapi.Quick, d.introspect)
	httpapi.Handle(mux, "GET "+pathRevocations, feed.MaxStream+httpapi.Quick, d.revocations)
	httpapi.Handle(mux, "GET "+PathStatus+"{list}", httpapi.Quick, d.status)
	httpapi.Handle(mux, "GET /livez", 0, live)
	httpapi.Handle(mux, "GET /readyz", httpapi.Quick, d.ready)
}

// issuerPath is the issuer's path without slashes around it, where it has one
// that can be a pattern.
func issuerPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || strings.ContainsAny(u.Path, "{} \t") {
		return ""
	}
	return strings.Trim(u.Path, "/")
}

var (
	cacheControl = []string{fmt.Sprintf("public, max-age=%d", int(MaxAge.Seconds()))}
	anyOrigin    = []string{"*"}
)

// public marks an answer that anybody may have and keep for a while, also a
// script of another origin's page.
func public(c *httpapi.Call) {
	h := c.Header()
	h["Cache-Control"] = cacheControl
	h["Access-Control-Allow-Origin"] = anyOrigin
}

// keys answers the key set of a purpose (RFC 7517 §5).
func (d Deps) keys(purpose string) httpapi.Handler {
	return func(c *httpapi.Call, r *http.Request) error {
		body, etag := d.Ring.JWKS(purpose)
		public(c)
		c.Header()["Etag"] = []string{etag}
		if matches(r.Header["If-None-Match"], etag) {
			c.WriteHeader(http.StatusNotModified)
			return nil
		}
		c.Bytes(http.StatusOK, "application/jwk-set+json", body)
		return nil
	}
}

// matches implements If-None-Match, which compares weakly (RFC 9110 §13.1.2).
func matches(header []string, etag string) bool {
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// metadata answers what exists, and nothing that does not.
func metadata(issuer string) httpapi.Handler {
	base := strings.TrimSuffix(issuer, "/")
	body, _ := json.Marshal(wire.Metadata{ // strings
		Issuer:                            issuer,
		JWKSURI:                           base + pathJWKS,
		TokenEndpoint:                     base + pathToken,
		TokenEndpointAuthMethodsSupported: publicAuthMethods,
		GrantTypesSupported:               grants,
		ResponseTypesSupported:            []string{},
		RevocationEndpoint:                base + pathRevoke,
		RevocationAuthMethodsSupported:    publicAuthMethods,
		IntrospectionEndpoint:             base + pathIntrospect,
		IntrospectionAuthMethodsSupported: append(authMethods[:2:2], "Bearer"), // RFC 8414 §2: or an access token type
		RevocationsURI:                    base + pathRevocations,
		RevocationsJWKSURI:                base + pathFeedJWKS,
		SealingJWKSURI:                    base + pathSealingJWKS,
	})
	return func(c *httpapi.Call, _ *http.Request) error {
		public(c)
		c.Bytes(http.StatusOK, "application/json", body)
		return nil
	}
}

var alive = []byte(`{"status":"ok"}`)

func live(c *httpapi.Call, _ *http.Request) error {
	c.Bytes(http.StatusOK, "application/json", alive)
	return nil
}

// ready tells the reason to the log only.
func (d Deps) ready(c *httpapi.Call, r *http.Request) error {
	err := d.Draining.Err()
	if err != nil {
		return httpapi.Refuse(wire.CodeServerBusy, "the server is stopping", nil)
	}
	if err := d.Ready(r.Context()); err != nil {
		return doubt(err)
	}
	return live(c, r)
}
