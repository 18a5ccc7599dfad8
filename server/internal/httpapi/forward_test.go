package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/forward"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	proxyAddress = "10.0.0.7:40000"
	ask          = "/v1/forward-auth?audience=" + tasks
)

func openProxied(t testing.TB) *node {
	return open(t, options{Config: httpapi.Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}, Quiet: true})
}

// allowed wants an answer of 200 about alice's or bob's token.
func allowed(t *testing.T, w *httptest.ResponseRecorder, subject, roles string) {
	t.Helper()
	h := w.Header()
	if w.Code != 200 || w.Body.Len() != 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if h.Get(forward.HeaderSubject) != subject || h.Get(forward.HeaderRoles) != roles || h.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %v", h)
	}
	text, err := base64.RawURLEncoding.DecodeString(h.Get(forward.HeaderClaims))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Sub, Aud, Iss string
		Roles         []string
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.Sub != subject || claims.Aud != tasks || strings.Join(claims.Roles, ",") != roles {
		t.Errorf("claims %s: %v", text, err)
	}
}

// denied wants a refusal that says nothing of whom the token is about, and its
// body in a header too.
func denied(t *testing.T, w *httptest.ResponseRecorder, code wire.Code) wire.Problem {
	t.Helper()
	p := refused(t, w, code)
	h := w.Header()
	if h.Get(forward.HeaderSubject)+h.Get(forward.HeaderRoles)+h.Get(forward.HeaderClaims) != "" {
		t.Errorf("refused and told %v", h)
	}
	if h.Get(httpapi.HeaderProblem) != w.Body.String() {
		t.Errorf("%s: %s is not the body %s", httpapi.HeaderProblem, h.Get(httpapi.HeaderProblem), w.Body)
	}
	return p
}

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	alice, bob := n.login("alice"), n.login("bob")
	aliceID, bobID := string(n.id("alice")), string(n.id("bob"))
	read := url.Values{"audience": {tasks}, "scope": {"tasks:read"}}
	all := url.Values{"audience": {tasks}, "scope": {"tasks:read", "tasks:write"}, "role": {"editor"}}

	allowed(t, n.do("GET", ask, nil, bearer(alice.AccessToken)), aliceID, "editor")
	allowed(t, n.do("GET", "/v1/forward-auth?"+read.Encode(), nil, bearer(bob.AccessToken)), bobID, "viewer")
	allowed(t, n.do("GET", "/v1/forward-auth?"+all.Encode(), nil, bearer(alice.AccessToken)), aliceID, "editor")
	allowed(t, n.do("GET", ask+"/", nil, bearer(alice.AccessToken)), aliceID, "editor") // a final slash makes no difference in asking

	denied(t, n.do("GET", ask, nil), wire.CodeTokenMissing)
	denied(t, n.do("GET", ask, nil, header("Authorization", "Basic YTpi")), wire.CodeTokenMissing)
	denied(t, n.do("GET", ask, nil, bearer("no.such.token")), wire.CodeTokenMalformed)
	denied(t, n.do("GET", ask, nil, bearer(alice.AccessToken), bearer(alice.AccessToken)), wire.CodeInvalidRequest)
	denied(t, n.do("GET", "/v1/forward-auth?audience="+files, nil, bearer(alice.AccessToken)), wire.CodeTokenInvalid)
	denied(t, n.do("GET", "/v1/forward-auth?"+all.Encode(), nil, bearer(bob.AccessToken)), wire.CodeForbidden)
	w := n.do("GET", ask+"&scope=tasks:write", nil, bearer(bob.AccessToken))
	denied(t, w, wire.CodeForbidden)
	if !strings.Contains(w.Header().Get("WWW-Authenticate"), `scope="tasks:write"`) {
		t.Errorf("the challenge does not name what is missing: %v", w.Header())
	}
	refused(t, n.do("POST", ask, nil, bearer(alice.AccessToken)), wire.CodeMethodNotAllowed)
	denied(t, n.do("GET", ask, nil, bearer(alice.AccessToken[:len(alice.AccessToken)-4]+"AAAA")), wire.CodeTokenInvalid)

	n.do("POST", "/v1/logout", nil, bearer(bob.AccessToken))
	denied(t, n.do("GET", ask, nil, bearer(bob.AccessToken)), wire.CodeTokenRevoked)
	if _, err := n.admin.DisableAccount(t.Context(), operator, n.id("alice")); err != nil {
		t.Fatal(err)
	}
	denied(t, n.do("GET", ask, nil, bearer(alice.AccessToken)), wire.CodeTokenRevoked)
}

// A slip in the proxy's configuration never opens.
func TestForwardAuthDemandsAreExact(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	token := bearer(n.login("alice").AccessToken)
	for name, query := range map[string]string{
		"nothing":                   "",
		"no audience":               "scope=tasks:read",
		"an empty audience":         "audience=",
		"two audiences":             "audience=" + tasks + "&audience=" + files,
		"an audience twice":         "audience=" + tasks + "&audience=" + tasks,
		"a misspelled name":         "audience=" + tasks + "&rol=admin",
		"a name in another case":    "audience=" + tasks + "&Role=admin",
		"a name without a value":    "audience=" + tasks + "&role",
		"an empty scope":            "audience=" + tasks + "&scope=",
		"two scopes in one":         "audience=" + tasks + "&scope=tasks:read%20tasks:write",
		"a scope that cannot be":    "audience=" + tasks + "&scope=%22",
		"a role of two lines":       "audience=" + tasks + "&role=a%0db",
		"a token":                   "audience=" + tasks + "&access_token=a",
		"a semicolon":               "audience=" + tasks + ";role=admin",
		"a broken escape":           "audience=" + tasks + "&role=%zz",
		"more than is ever written": "audience=" + tasks + strings.Repeat("&scope=tasks:read", 200),
	} {
		if p := denied(t, n.do("GET", "/v1/forward-auth?"+query, nil, token), wire.CodeInvalidRequest); !strings.Contains(p.Detail, "proxy") {
			t.Errorf("%s: %q does not say whose fault it is", name, p.Detail)
		}
	}
	denied(t, n.do("GET", "/v1/forward-auth?audience=https://unknown.example.com", nil, token), wire.CodeInvalidTarget)
}

// What a cookie may do is decided by the request that the proxy asks about.
func TestWEB01ForwardAuthByCookie(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	token := n.login("alice").AccessToken
	id := string(n.id("alice"))
	const own = "https://shop.example.com"
	cookie := header("Cookie", "theme=dark; "+wire.CookieAccess+"="+token)
	says := func(pairs ...string) []edit {
		edits := []edit{from(proxyAddress), cookie}
		for pair := range slices.Chunk(pairs, 2) {
			edits = append(edits, header(pair[0], pair[1]))
		}
		return edits
	}
	of := func(method string, more ...string) []edit {
		return says(append([]string{"X-Forwarded-Method", method, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example.com"}, more...)...)
	}
	for name, edits := range map[string][]edit{
		"GET":                                   of("GET"),
		"HEAD":                                  of("HEAD"),
		"GET of which only the method is known": says("X-Forwarded-Method", "GET"),
		"GET of an image from anywhere":         of("GET", "Sec-Fetch-Site", "cross-site"),
		"GET that names its own origin":         of("GET", "Origin", own),
		"POST from its own origin":              of("POST", "Origin", own),
		"POST that the browser calls its own":   of("POST", "Origin", own, "Sec-Fetch-Site", "same-origin"),
		"POST from the issuer's":                of("POST", "Origin", issuer, "Sec-Fetch-Site", "same-site"),
		"POST from a listed one":                of("POST", "Origin", "https://app.example.com", "Sec-Fetch-Site", "same-site"),
		"DELETE from its own origin":            of("DELETE", "Origin", own),
		"POST at a port of its own": says("X-Forwarded-Method", "POST", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example.com:8443",
			"Origin", own+":8443"),
		"POST at the port that goes without saying": says("X-Forwarded-Method", "POST", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "Shop.example.com:443",
			"Origin", own),
	} {
		t.Run(name, func(t *testing.T) { allowed(t, n.do("GET", ask, nil, edits...), id, "editor") })
	}
	for name, edits := range map[string][]edit{
		"the method is not known":          says("X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example.com", "Origin", own),
		"two methods":                      of("GET", "X-Forwarded-Method", "POST"),
		"a list of methods":                of("GET, POST"),
		"a method in small letters":        of("get"),
		"no origin":                        of("POST"),
		"Referer only":                     of("POST", "Referer", own+"/"),
		"null":                             of("POST", "Origin", "null"),
		"another origin":                   of("POST", "Origin", "https://evil.example"),
		"http instead of https":            of("POST", "Origin", "http://shop.example.com"),
		"a sub-domain":                     of("POST", "Origin", "https://a.shop.example.com"),
		"another port":                     of("POST", "Origin", own+":8443"),
		"two origins":                      of("POST", "Origin", own, "Origin", "https://evil.example"),
		"a path behind it":                 of("POST", "Origin", own+"/"),
		"same-site":                        of("POST", "Origin", "https://other.example.com", "Sec-Fetch-Site", "same-site"),
		"cross-site":                       of("POST", "Origin", own, "Sec-Fetch-Site", "cross-site"),
		"cross-site without an origin":     of("POST", "Sec-Fetch-Site", "cross-site"),
		"two sites":                        of("POST", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"),
		"a socket opened by another page":  of("GET", "Origin", "https://evil.example"),
		"a preflight of another page":      of("OPTIONS", "Origin", "https://evil.example"),
		"host unknown":                     says("X-Forwarded-Method", "POST", "X-Forwarded-Proto", "https", "Origin", own),
		"scheme unknown":                   says("X-Forwarded-Method", "POST", "X-Forwarded-Host", "shop.example.com", "Origin", own),
		"two hosts":                        of("POST", "X-Forwarded-Host", "evil.example", "Origin", "https://evil.example"),
		"an override":                      of("POST", "X-Http-Method-Override", "GET"),
		"TRACE":                            of("TRACE"),
		"a peer that is no trusted proxy":  append(of("GET"), from("192.0.2.1:1234")),
		"a peer that forwards for a proxy": append(of("GET"), from("192.0.2.1:1234"), header("X-Forwarded-For", "10.0.0.7")),
	} {
		t.Run(name, func(t *testing.T) { denied(t, n.do("GET", ask, nil, edits...), wire.CodeCrossOrigin) })
	}
	// A bearer token is sent by no browser on its own, so nobody else's word matters.
	allowed(t, n.do("GET", ask, nil, bearer(token), header("Origin", "https://evil.example"), header("X-Forwarded-Method", "POST")), id, "editor")
	// The name without a prefix, which any page of the site could set, is nobody's.
	denied(t, n.do("GET", ask, nil, from(proxyAddress), header("X-Forwarded-Method", "GET"),
		header("Cookie", wire.LoopbackCookie(wire.CookieAccess)+"="+token)), wire.CodeTokenMissing)
	denied(t, n.do("GET", ask, nil, from(proxyAddress), header("X-Forwarded-Method", "GET"), header("Cookie", wire.CookieAccess+"=")), wire.CodeTokenMalformed)
}

func TestHTP01ForwardAuthTwoCredentials(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	token := n.login("alice").AccessToken
	cookie := header("Cookie", wire.CookieAccess+"="+token)
	get := header("X-Forwarded-Method", "GET")
	for name, edits := range map[string][]edit{
		"two headers":                 {bearer(token), bearer(token)},
		"cookie and header":           {from(proxyAddress), get, cookie, bearer(token)},
		"cookie and nothing in it":    {from(proxyAddress), get, cookie, bearer("")},
		"cookie and header, no proxy": {cookie, bearer(token)},
		"two cookies":                 {from(proxyAddress), get, cookie, cookie},
		"two cookies in one header":   {from(proxyAddress), get, header("Cookie", wire.CookieAccess+"="+token+"; "+wire.CookieAccess+"=x")},
	} {
		t.Run(name, func(t *testing.T) { denied(t, n.do("GET", ask, nil, edits...), wire.CodeInvalidRequest) })
	}
}

// A token is judged as it stands at this moment.
func TestForwardAuthExpires(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	token := bearer(n.login("alice").AccessToken)
	allowed(t, n.do("GET", ask, nil, token), string(n.id("alice")), "editor")
	n.advance(20 * time.Minute)
	denied(t, n.do("GET", ask, nil, token), wire.CodeTokenExpired)
	n.store.Close()
	n.advance(-20 * time.Minute)
	denied(t, n.do("GET", ask, nil, token), wire.CodeTokenExpired) // once seen expired
}

// HTP-04: what a client says of a proxy, or of itself, decides nothing.
func TestHTP04ForwardAuthSpoofed(t *testing.T) {
	t.Parallel()
	n := openProxied(t)
	token := n.login("bob").AccessToken
	spoofed := []edit{bearer(token), header("X-Auth-Subject", "acc_admin"), header("X-Auth-Roles", "admin"), header("X-User", "root"),
		header("X-Forwarded-Uri", "/v1/forward-auth?audience="+tasks), header("X-Original-URL", ask), header("X-Forwarded-Host", "evil.example")}
	allowed(t, n.do("GET", ask, nil, spoofed...), string(n.id("bob")), "viewer")
	denied(t, n.do("GET", ask+"&role=admin", nil, spoofed...), wire.CodeForbidden)
	denied(t, n.do("GET", ask, nil, append(spoofed[1:], from(proxyAddress))...), wire.CodeTokenMissing)
}

func BenchmarkForwardAuth(b *testing.B) {
	n := openProxied(b)
	token := bearer(n.login("alice").AccessToken)
	const target = ask + "&scope=tasks:read"
	if w := n.do("GET", target, nil, token); w.Code != 200 {
		b.Fatal(w.Body)
	}
	r := httptest.NewRequest("GET", target, nil)
	token(r)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		n.handler.ServeHTTP(w, r)
	}
}
