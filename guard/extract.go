package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
)

// What is wrong with a request before its token is looked at. The other
// reasons are [ErrCrossOrigin], the sentinels of package jwt, and *authz.Denied.
var (
	ErrNoToken    = errors.New("no token was sent")
	ErrManyTokens = errors.New("more than one token was sent")

	errManyCookies = errors.New("too many cookies were sent")
)

// credential is the one that a request carries.
type credential struct {
	compact string
	ticket  string // in place of compact
	cookie  bool   // a browser sends it along, whoever made it send the request
}

// places counts credentials by where they were found.
type places struct{ authorization, header, cookie, ticket int }

func (n places) total() int { return n.authorization + n.header + n.cookie + n.ticket }

func (n places) String() string {
	var found []string
	for _, p := range []struct {
		n    int
		name string
	}{{n.authorization, "Authorization"}, {n.header, "custom header"}, {n.cookie, "cookie"}, {n.ticket, "ticket"}} {
		if p.n > 0 {
			found = append(found, fmt.Sprintf("%d in %s", p.n, p.name))
		}
	}
	return strings.Join(found, ", ")
}

// extract finds the credential in the places that are configured, and in no
// other. The form-encoded body (RFC 6750 §2.2) is never read, and the query
// (§2.3) never accepted: it is written into logs and histories. A stream also
// takes a ticket.
func (g *Guard) extract(r *http.Request, stream bool) (c credential, err error) {
	var n places
	c.compact, n.authorization = bearer(r.Header["Authorization"])
	if g.header != "" {
		if values := r.Header[g.header]; len(values) > 0 {
			c.compact, n.header = values[0], len(values)
		}
	}
	if g.c.Cookie != "" {
		var value string
		if value, n.cookie, err = cookie(r.Header["Cookie"], g.c.Cookie); err != nil {
			return credential{}, err
		}
		if n.cookie > 0 {
			c.compact, c.cookie = value, true
		}
	}
	if stream && r.URL != nil {
		if values := r.URL.Query()["ticket"]; len(values) > 0 {
			c.ticket, n.ticket = values[0], len(values)
		}
	}
	switch total := n.total(); {
	case total == 0:
		return credential{}, ErrNoToken
	// Clients must not use more than one method (RFC 6750 §2).
	case total > 1:
		return credential{}, fmt.Errorf("%w: %v", ErrManyTokens, n)
	case r.URL != nil && r.URL.RawQuery != "" && hasQueryToken(r.URL.RawQuery):
		return credential{}, fmt.Errorf("%w: %v, and one in the query", ErrManyTokens, n)
	case r.PostForm.Has("access_token"): // somebody has read the body already
		return credential{}, fmt.Errorf("%w: %v, and one in the form", ErrManyTokens, n)
	case c.compact == "" && c.ticket == "":
		return credential{}, fmt.Errorf("%w: nothing behind the name, %v", jwt.ErrMalformed, n)
	}
	return c, nil
}

// bearer returns the token of the one Authorization header (RFC 6750 §2.1), and
// how many credentials there are.
func bearer(values []string) (token string, n int) {
	if len(values) != 1 {
		return "", len(values)
	}
	const scheme = "Bearer"
	v := values[0]
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", 0 // another scheme is another guard's
	}
	// credentials = auth-scheme 1*SP token68 (RFC 9110 §11.4). What follows the
	// spaces is compared or parsed whole, so its alphabet is the parser's.
	v = v[len(scheme):]
	if token = strings.TrimLeft(v, " "); token != "" && len(token) == len(v) {
		return "", 0 // a scheme that begins with the same letters
	}
	return token, 1
}

// maxCookies is more than browsers keep for one site.
const maxCookies = 500

// cookie returns the value of the cookie of that name, as it was sent, and how
// many there are. Nothing but the spaces between two cookies (RFC 6265 §4.2.1) is
// trimmed: to browsers, a name with anything before it is another name, which
// anybody may set, whatever its prefix would promise.
func cookie(lines []string, name string) (value string, n int, err error) {
	seen := 0
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if seen++; seen > maxCookies {
				return "", 0, fmt.Errorf("%w: over %d", errManyCookies, maxCookies)
			}
			if k, v, ok := strings.Cut(strings.TrimLeft(pair, " "), "="); ok && k == name {
				value, n = v, n+1
			}
		}
	}
	return value, n, nil
}

// hasQueryToken also finds the name where it is written with escapes.
func hasQueryToken(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == "access_token" {
			return true
		}
	}
	return false
}

// checkExtraction reports faults of the fields that say where tokens are.
func (c *Config) checkExtraction() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Cookie != "" && !isToken(c.Cookie) {
		fault("Cookie %q is no name of a cookie (RFC 6265 §4.1.1)", c.Cookie)
	}
	if c.Header != "" {
		switch lower := strings.ToLower(c.Header); {
		case !isToken(c.Header):
			fault("Header %q is no name of a header", c.Header)
		case lower == "authorization":
			fault("Header %q is read in any case", c.Header)
		case isForbiddenHeader(lower) || lower == "referer" || lower == "user-agent":
			fault("Header %q has a meaning of its own; take one that has none, such as X-Access-Token", c.Header)
		}
	}
	return faults
}
