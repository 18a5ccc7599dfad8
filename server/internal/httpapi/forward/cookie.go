package forward

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
)

// mayUseCookie decides whether the request that a proxy asks about was made by
// a page that may act for whoever has the cookie. The sub-request is always a
// GET, so that only the proxy can say what is asked for.
//
// Requests that change nothing need no origin. But one that names another's is
// refused whatever its method: a WebSocket is opened by GET, and no browser asks
// its server first.
func (a answerer) mayUseCookie(c *httpapi.Call, r *http.Request) error {
	if !c.FromProxy(r) {
		return errors.New("a cookie, from a peer that is no trusted proxy")
	}
	method, err := one(r.Header, "X-Forwarded-Method")
	if err != nil {
		return err
	}
	origin, err := one(r.Header, "Origin")
	if err != nil {
		return err
	}
	site, err := one(r.Header, "Sec-Fetch-Site")
	if err != nil {
		return err
	}
	switch {
	case method == "":
		return errors.New("a cookie, and the proxy does not say X-Forwarded-Method")
	case origin == "" && isSafe(method):
		return nil
	case origin == "" && site == "":
		return fmt.Errorf("%.20q by cookie, with neither Origin nor Sec-Fetch-Site", method)
	case site == "same-origin", site == "none": // by the person, not by a page
		return nil
	case slices.Contains(a.Origins, origin):
		return nil
	case site != "":
		return fmt.Errorf("by cookie: Sec-Fetch-Site %.20q, Origin %.100q", site, origin)
	}
	scheme, err := one(r.Header, "X-Forwarded-Proto")
	if err != nil {
		return err
	}
	host, err := one(r.Header, "X-Forwarded-Host")
	if err != nil {
		return err
	}
	if scheme == "" || host == "" || origin != serialize(scheme, host) {
		return fmt.Errorf("by cookie: Origin %.100q, X-Forwarded-Proto %.20q, X-Forwarded-Host %.100q", origin, scheme, host)
	}
	return nil
}

// isSafe implements RFC 9110 §9.2.1 but for TRACE.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// serialize is the origin of a page (RFC 6454 §6.2), as browsers spell it.
func serialize(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// one returns a header that must not come twice; a list is twice.
func one(h http.Header, name string) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || strings.Contains(values[0], ","):
		return "", fmt.Errorf("%s says more than one thing", name)
	}
	return values[0], nil
}
