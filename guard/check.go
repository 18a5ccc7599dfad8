package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

// What is wrong with a request before its token is looked at. The other
// reasons are the sentinels of package jwt, and *authz.Denied.
var (
	ErrNoToken    = errors.New("no bearer token was sent")
	ErrManyTokens = errors.New("more than one token was sent")
)

// Check decides whether a request may pass: it returns the verified token, or
// the reason, which is for [Guard.Refuse] and for logs. It writes nothing.
func (g *Guard) Check(r *http.Request, rules ...authz.Rule) (*jwt.Token, error) {
	if g.c.Observe == nil {
		t, err := g.verify(r)
		if err == nil {
			err = ask(t, rules)
		}
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	o := Observation{}
	if v := g.verifier.Load(); v != nil {
		if compact, err := bearer(r); err == nil {
			o.Warm = v.Cached(compact)
		}
	}
	began := time.Now()
	o.Token, o.Err = g.verify(r)
	if o.Token != nil || !errors.Is(o.Err, ErrNoToken) {
		o.Took = time.Since(began)
	}
	if o.Err == nil {
		o.Err = ask(o.Token, rules)
	}
	g.c.Observe(r, o)
	if o.Err != nil {
		return nil, o.Err
	}
	return o.Token, nil
}

func (g *Guard) verify(r *http.Request) (*jwt.Token, error) {
	compact, err := bearer(r)
	if err != nil {
		return nil, err
	}
	v, err := g.connected()
	if err != nil {
		return nil, err
	}
	return v.Verify(r.Context(), compact)
}

func ask(t *jwt.Token, rules []authz.Rule) error {
	for _, rule := range rules {
		if err := rule.Check(t); err != nil {
			return fmt.Errorf("subject %q, token %q: %w", t.Subject(), t.ID(), err)
		}
	}
	return nil
}

// bearer returns the token of the one Authorization header (RFC 6750 §2.1). The
// form-encoded body (§2.2) is never read, and the query (§2.3) never accepted:
// it is written into logs and histories.
func bearer(r *http.Request) (string, error) {
	values := r.Header["Authorization"]
	switch len(values) {
	case 0:
		return "", ErrNoToken
	case 1:
	default:
		return "", fmt.Errorf("%w: %d Authorization headers", ErrManyTokens, len(values))
	}
	const scheme = "Bearer"
	v := values[0]
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", ErrNoToken // another scheme is another guard's
	}
	// credentials = auth-scheme 1*SP token68 (RFC 9110 §11.4). What follows the
	// spaces is compared or parsed whole, so its alphabet is the parser's.
	token := strings.TrimLeft(v[len(scheme):], " ")
	switch {
	case token == "":
		return "", fmt.Errorf("%w: nothing behind Bearer", jwt.ErrMalformed)
	case len(token) == len(v)-len(scheme):
		return "", ErrNoToken // a scheme that begins with the same letters
	case r.URL != nil && r.URL.RawQuery != "" && hasQueryToken(r.URL.RawQuery):
		// Clients must not use more than one method (RFC 6750 §2).
		return "", fmt.Errorf("%w: Authorization header and query", ErrManyTokens)
	}
	return token, nil
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
