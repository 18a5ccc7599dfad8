package user

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// Where the cookies are sent to.
const (
	pathRefresh    = "/v1/refresh"
	pathRefreshEnd = pathRefresh + "/end"
)

// deviceCookieLife is as long as browsers keep any cookie. Each log-in sets
// another.
const deviceCookieLife = 400 * 24 * time.Hour

// maxCookie bounds name and value of a cookie: browsers drop longer ones without
// a word (RFC 6265bis §5.6).
const maxCookie = 4096

// maxCookies is more than any browser keeps for one host.
const maxCookies = 200

// cookies keep tokens in a browser where no script of a page can read them. A
// browser sends them with every request, so the routes that use them ask which
// page sent it.
type cookies struct {
	origins                 []string // of pages that may use them, the issuer's first
	secure                  bool
	refresh, device, access string // names
	setsAccess              bool
}

func newCookies(issuer string, origins []string, setsAccess bool) cookies {
	k := cookies{
		origins: append([]string{originOf(issuer)}, origins...),
		secure:  !strings.HasPrefix(issuer, "http:"),
		refresh: wire.CookieRefresh, device: wire.CookieDevice, access: wire.CookieAccess,
		setsAccess: setsAccess,
	}
	if !k.secure {
		k.refresh, k.device, k.access = wire.LoopbackCookie(k.refresh), wire.LoopbackCookie(k.device), wire.LoopbackCookie(k.access)
	}
	return k
}

// originOf is a URL's origin as browsers spell it (HTML, "ASCII serialization of
// an origin").
func originOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// fromPage refuses a request unless a page of the issuer's or of a listed origin
// sent it. Every browser says so: Origin stands in each POST (Fetch §3.1), and
// Sec-Fetch-Site where that was taken out. A request that says neither comes
// from no page, and its sender can use tokens in bodies.
func (k cookies) fromPage(r *http.Request) error {
	origin, site := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	listed := len(origin) == 1 && slices.Contains(k.origins, origin[0])
	switch {
	case len(origin) > 1 || len(site) > 1:
	case listed && len(site) == 0:
		return nil
	case listed && (site[0] == "same-origin" || site[0] == "same-site"):
		return nil
	case listed:
		return httpapi.Refuse(wire.CodeCrossOrigin, "the app and the issuer must be of one site, or browsers keep no cookies",
			fmt.Errorf("origin %.100q is listed, and of another site than the issuer (Sec-Fetch-Site %.20q)", origin, site))
	case len(origin) == 0 && len(site) == 1 && site[0] == "same-origin":
		return nil
	}
	return httpapi.Refuse(wire.CodeCrossOrigin, "", fmt.Errorf("origin %.100q, Sec-Fetch-Site %.20q", origin, site))
}

// read answers the cookie of a name, and whether there is one. Two of them are
// refused: nobody can say which of them the browser's owner has from here.
func (k cookies) read(r *http.Request, name string) (value string, ok bool, err error) {
	sent := 0
	for _, line := range r.Header["Cookie"] {
		sent += 1 + strings.Count(line, ";")
	}
	if sent > maxCookies {
		return "", false, httpapi.Refuse(wire.CodeInvalidRequest, "too many cookies", fmt.Errorf("%d cookies", sent))
	}
	switch found := r.CookiesNamed(name); len(found) {
	case 0:
		return "", false, nil
	case 1:
		return found[0].Value, true, nil
	default:
		return "", false, httpapi.ManyTokens(fmt.Sprintf("%d cookies of the name %s", len(found), name))
	}
}

// keep answers t without what a script could read and need not have, and sets
// that as cookies.
func (k cookies) keep(c *httpapi.Call, t session.Tokens) (wire.TokenResponse, error) {
	answer := response(t)
	answer.RefreshToken = ""
	k.set(c, k.refresh, t.RefreshToken, pathRefresh, t.RefreshLife)
	if k.setsAccess {
		if n := len(k.access) + 1 + len(t.AccessToken); n > maxCookie {
			return wire.TokenResponse{}, fmt.Errorf("an access token and its name are %d bytes: a browser keeps no cookie above %d", n, maxCookie)
		}
		k.set(c, k.access, t.AccessToken, "/", t.ExpiresIn)
	}
	return answer, nil
}

// clear ends the cookies of a session that has ended. The device's stays.
func (k cookies) clear(c *httpapi.Call) {
	k.set(c, k.refresh, "", pathRefresh, 0)
	if k.setsAccess {
		k.set(c, k.access, "", "/", 0)
	}
}

// set sets a cookie for so long; 0 takes it away.
func (k cookies) set(c *httpapi.Call, name, value, path string, life time.Duration) {
	age := int(life / time.Second)
	if age <= 0 {
		age = -1
	}
	http.SetCookie(c, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age,
		Secure: k.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
