// Package forward serves GET /v1/forward-auth: a proxy asks there, for each
// request, whether it may go on to a program that knows nothing of tokens, and
// who sends it. Package httpapi judges the token; this package reads what the
// proxy demands and says of the request, and decides whether a cookie may speak
// for it.
//
// It refuses to guess. What is demanded stands in the query, which the proxy's
// configuration writes and no client: an API must be named there, and a name
// that it does not know is an error, so that a slip of the pen never opens. What
// X-Forwarded-* headers say is believed of trusted proxies alone, and what they
// leave out counts against the request. No body is read.
package forward

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// Headers of an answer of 200. A proxy must overwrite each of them in the
// request that it passes on.
const (
	HeaderSubject = "X-Auth-Subject" // the token's "sub"
	HeaderRoles   = "X-Auth-Roles"   // its roles, joined by commas; absent where it has none
	HeaderClaims  = "X-Auth-Claims"  // all of its claims: base64url of JSON, no longer than the token
)

// Deps is what the route works with. All but Origins are required.
type Deps struct {
	Issuer  string
	Catalog *catalog.Live
	Auth    *httpapi.Authenticator
	Origins []string // of pages that may act by cookie beside the issuer's own and the request's own
}

// Routes registers GET /v1/forward-auth, answered by 200 without a body.
func Routes(mux httpapi.Router, d Deps) {
	a := answerer{d, wire.CookieAccess}
	if strings.HasPrefix(d.Issuer, "http://") {
		a.cookie = wire.LoopbackCookie(a.cookie)
	}
	a.Origins = slices.Clone(d.Origins)
	if u, err := url.Parse(d.Issuer); err == nil {
		a.Origins = append(a.Origins, serialize(u.Scheme, u.Host))
	}
	httpapi.HandleProxy(mux, "GET /v1/forward-auth", httpapi.Quick, a.answer)
}

type answerer struct {
	Deps
	cookie string
}

func (a answerer) answer(c *httpapi.Call, r *http.Request) error {
	demand, err := readDemand(r.URL.RawQuery)
	if err != nil {
		return err
	}
	api, err := a.Catalog.Now().Registered(demand.audience)
	if err != nil {
		return httpapi.Refuse(wire.CodeInvalidTarget, "", fmt.Errorf("audience %.100q: %w", demand.audience, err))
	}
	compact, err := a.credential(c, r)
	if err != nil {
		return err
	}
	caller, err := a.Auth.Judge(r.Context(), httpapi.Caller{}, compact)
	if err != nil {
		return err
	}
	t := caller.Token
	c.About(t.Subject(), t.SessionID())
	if !t.HasAudience(api.Audience) {
		return fmt.Errorf("%w: %q was demanded", jwt.ErrAudience, api.Audience)
	}
	if err := demand.check(t); err != nil {
		return err
	}
	h := c.Header()
	roles := slices.Collect(t.Roles())
	if !isValue(t.Subject()) || slices.ContainsFunc(roles, func(role string) bool { return !isValue(role) || strings.Contains(role, ",") }) {
		return errors.New("the subject or a role of a good token cannot stand in a header")
	}
	h[HeaderSubject] = []string{t.Subject()}
	if len(roles) > 0 {
		h[HeaderRoles] = []string{strings.Join(roles, ",")}
	}
	claims, err := jwt.Decode[json.RawMessage](t) // as they were signed
	if err != nil {
		return err
	}
	h[HeaderClaims] = []string{base64.RawURLEncoding.EncodeToString(claims)}
	c.WriteHeader(http.StatusOK)
	return nil
}

// credential finds the one token that r carries: in its Authorization header or,
// where the request that the proxy asks about may be spoken for by a cookie, in
// that.
func (a answerer) credential(c *httpapi.Call, r *http.Request) (string, error) {
	cookies := r.CookiesNamed(a.cookie)
	compact, err := guard.Bearer(r.Header["Authorization"])
	switch {
	case len(cookies) == 0:
		return compact, err
	case !errors.Is(err, guard.ErrNoToken):
		return "", fmt.Errorf("%w: Authorization header and cookie", guard.ErrManyTokens)
	case len(cookies) > 1:
		return "", fmt.Errorf("%w: %d cookies", guard.ErrManyTokens, len(cookies))
	}
	if err := a.mayUseCookie(c, r); err != nil {
		return "", httpapi.Refuse(wire.CodeCrossOrigin, "", err)
	}
	return cookies[0].Value, nil
}

// isValue: visible ASCII (RFC 9110 §5.5), so that every program reads it alike.
func isValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
