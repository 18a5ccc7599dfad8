package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

const appOrigin = "https://app.example.com"

func withCookies(t *testing.T) *node {
	return open(t, options{Config: httpapi.Config{Origins: []string{appOrigin}}, AccessCookie: true})
}

func origin(o string) edit { return header("Origin", o) }

func fetched(site string) edit { return header("Sec-Fetch-Site", site) }

func cookie(name, value string) edit { return header("Cookie", name+"="+value) }

var cookieLogin = wire.LoginRequest{Username: "alice", Password: password, Mode: wire.ModeCookie}

// browse logs alice in by cookie and answers what the browser keeps.
func (n *node) browse(edits ...edit) (wire.TokenResponse, map[string]*http.Cookie) {
	n.t.Helper()
	w := n.do("POST", "/v1/login", cookieLogin, append(edits, origin(appOrigin))...)
	return read[wire.TokenResponse](n.t, w, 200), cookiesOf(w)
}

func cookiesOf(w *recorder) map[string]*http.Cookie {
	all := map[string]*http.Cookie{}
	for _, c := range w.Result().Cookies() {
		all[c.Name] = c
	}
	return all
}

func TestWEB05Cookies(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	answer, kept := n.browse()
	if answer.RefreshToken != "" || answer.DeviceToken != "" || answer.AccessToken == "" || answer.SessionID == "" {
		t.Errorf("the body says %+v", answer)
	}
	for name, c := range map[string]struct {
		path string
		age  int
	}{
		wire.CookieRefresh: {"/v1/refresh", 7 * 24 * 3600}, wire.CookieDevice: {"/", 400 * 24 * 3600}, wire.CookieAccess: {"/", 900},
	} {
		got := kept[name]
		switch {
		case got == nil:
			t.Errorf("no cookie %s", name)
		case !got.HttpOnly || !got.Secure || got.SameSite != http.SameSiteStrictMode || got.Path != c.path || got.MaxAge != c.age || got.Domain != "" || got.Partitioned:
			t.Errorf("%s", got.Raw)
		case len(got.Raw) > 4096:
			t.Errorf("%s has %d bytes", name, len(got.Raw))
		}
	}
	// The next one comes the same way, the access token with it.
	w := n.do("POST", "/v1/refresh", `{}`, origin(appOrigin), cookie(wire.CookieRefresh, kept[wire.CookieRefresh].Value))
	next := read[wire.TokenResponse](t, w, 200)
	again := cookiesOf(w)
	if next.RefreshToken != "" || again[wire.CookieRefresh] == nil || again[wire.CookieRefresh].Value == kept[wire.CookieRefresh].Value || again[wire.CookieAccess] == nil || again[wire.CookieAccess].Value != next.AccessToken {
		t.Errorf("refreshed: %+v %v", next, again)
	}
	// What is no good clears nothing.
	for name, e := range map[string]edit{
		"forged":   cookie(wire.CookieRefresh, "jsr_x"),
		"empty":    cookie(wire.CookieRefresh, ""),
		"a body's": cookie(wire.CookieRefresh, n.login("bob").RefreshToken),
	} {
		for _, path := range []string{"/v1/refresh", "/v1/refresh/end"} {
			w := n.do("POST", path, `{}`, origin(appOrigin), e)
			if strings.HasSuffix(path, "end") && name != "a body's" {
				continue // as it was wanted
			}
			refused(t, w, wire.CodeInvalidRefreshToken)
			if len(w.Result().Cookies()) > 0 {
				t.Errorf("%s at %s clears cookies", name, path)
			}
		}
	}
	// A cookie's token is none for a body, nor for an OAuth endpoint.
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: again[wire.CookieRefresh].Value}), wire.CodeInvalidRefreshToken)
	if w := n.do("POST", "/oauth/token", "grant_type=refresh_token&refresh_token="+again[wire.CookieRefresh].Value, form); w.Code != 400 {
		t.Errorf("a cookie's token at /oauth/token: %d", w.Code)
	}

	w = n.do("POST", "/v1/refresh/end", `{}`, origin(appOrigin), cookie(wire.CookieRefresh, again[wire.CookieRefresh].Value))
	gone := cookiesOf(w)
	if w.Code != 204 || gone[wire.CookieRefresh] == nil || gone[wire.CookieRefresh].MaxAge >= 0 || gone[wire.CookieAccess] == nil || gone[wire.CookieAccess].MaxAge >= 0 || gone[wire.CookieDevice] != nil {
		t.Errorf("log-out: %d %v", w.Code, gone)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(next.AccessToken)), wire.CodeTokenRevoked)
	if got := strings.Count(n.records(), `"session.end"`); got != 1 {
		t.Errorf("%d log-outs are on record", got)
	}
}

func TestWEB05ManyCookies(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	_, kept := n.browse()
	token, device := kept[wire.CookieRefresh].Value, kept[wire.CookieDevice].Value
	for name, c := range map[string]struct {
		path  string
		body  any
		edits []edit
	}{
		"cookie and body":          {"/v1/refresh", wire.RefreshRequest{RefreshToken: token}, []edit{cookie(wire.CookieRefresh, token)}},
		"two of the name":          {"/v1/refresh", `{}`, []edit{header("Cookie", wire.CookieRefresh+"="+token+"; "+wire.CookieRefresh+"=x")}},
		"two of the name, headers": {"/v1/refresh", `{}`, []edit{cookie(wire.CookieRefresh, token), cookie(wire.CookieRefresh, token)}},
		"two at log-out":           {"/v1/refresh/end", `{}`, []edit{cookie(wire.CookieRefresh, token), cookie(wire.CookieRefresh, token)}},
		"a thousand":               {"/v1/refresh", `{}`, []edit{header("Cookie", strings.Repeat("a=b; ", 1000)+wire.CookieRefresh+"="+token)}},
		"device twice":             {"/v1/login", wire.LoginRequest{Username: "alice", Password: password, Mode: "cookie", DeviceToken: device}, []edit{cookie(wire.CookieDevice, device)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := n.do("POST", c.path, c.body, append(c.edits, origin(appOrigin))...)
			refused(t, w, wire.CodeInvalidRequest)
			if len(w.Result().Cookies()) > 0 {
				t.Error("cookies are set")
			}
		})
	}
	// None of that consumed it.
	read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", `{}`, origin(appOrigin), cookie(wire.CookieRefresh, token)), 200)
}

// Every route that uses or sets a cookie asks which page sends the request.
func TestWEB01Origins(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	_, kept := n.browse()
	held := cookie(wire.CookieRefresh, kept[wire.CookieRefresh].Value)
	for name, c := range map[string]struct {
		edits []edit
		pass  bool
	}{
		"listed":                         {[]edit{origin(appOrigin)}, true},
		"listed, same site":              {[]edit{origin(appOrigin), fetched("same-site")}, true},
		"the issuer's own":               {[]edit{origin(issuer), fetched("same-origin")}, true},
		"same origin, Origin taken out":  {[]edit{fetched("same-origin")}, true},
		"nothing":                        {nil, false},
		"Referer alone":                  {[]edit{header("Referer", appOrigin+"/")}, false},
		"null":                           {[]edit{origin("null"), fetched("same-origin")}, false},
		"empty":                          {[]edit{origin("")}, false},
		"http":                           {[]edit{origin("http://app.example.com")}, false},
		"sub-domain":                     {[]edit{origin("https://x.app.example.com")}, false},
		"super-domain":                   {[]edit{origin("https://example.com")}, false},
		"suffix":                         {[]edit{origin("https://evil-app.example.com")}, false},
		"prefix":                         {[]edit{origin("https://app.example.com.evil.net")}, false},
		"port":                           {[]edit{origin("https://app.example.com:8443")}, false},
		"upper case":                     {[]edit{origin("https://APP.example.com")}, false},
		"with a path":                    {[]edit{origin(appOrigin + "/")}, false},
		"two":                            {[]edit{origin(appOrigin), origin(appOrigin)}, false},
		"listed, of another site":        {[]edit{origin(appOrigin), fetched("cross-site")}, false},
		"listed, by hand":                {[]edit{origin(appOrigin), fetched("none")}, false},
		"another, that says same origin": {[]edit{origin("https://evil.net"), fetched("same-origin")}, false},
		"same site without Origin":       {[]edit{fetched("same-site")}, false},
		"by hand":                        {[]edit{fetched("none")}, false},
		"same origin, said twice":        {[]edit{fetched("same-origin"), fetched("same-origin")}, false},
		"forwarded host of another":      {[]edit{header("X-Forwarded-Host", "app.example.com")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for path, body := range map[string]any{"/v1/login": cookieLogin, "/v1/refresh": `{}`} {
				w := n.do("POST", path, body, append(c.edits, held)...)
				if c.pass {
					read[wire.TokenResponse](t, w, 200)
					held = cookie(wire.CookieRefresh, cookiesOf(w)[wire.CookieRefresh].Value)
					continue
				}
				refused(t, w, wire.CodeCrossOrigin)
				if len(w.Result().Cookies()) > 0 {
					t.Errorf("%s sets cookies", path)
				}
			}
			if !c.pass {
				refused(t, n.do("POST", "/v1/refresh/end", `{}`, append(c.edits, held)...), wire.CodeCrossOrigin)
			}
		})
	}
	for _, path := range []string{"/v1/refresh", "/v1/refresh/end"} {
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
			refused(t, n.do("POST", path, `{}`, origin(appOrigin), held, func(r *request) { r.Header.Set("Content-Type", media) }), wire.CodeUnsupportedMediaType)
		}
	}
	read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", `{}`, origin(appOrigin), held), 200)
}

// On loopback http the cookies have no prefix and are not Secure.
func TestCookiesOnLoopback(t *testing.T) {
	t.Parallel()
	n := open(t, options{Issuer: "http://localhost:8080", Config: httpapi.Config{Origins: []string{"http://localhost:3000"}}})
	w := n.do("POST", "/v1/login", cookieLogin, origin("http://localhost:3000"))
	read[wire.TokenResponse](t, w, 200)
	kept := cookiesOf(w)
	if c := kept["jotsmith_refresh"]; c == nil || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("%v", kept)
	}
	if len(kept) != 2 || kept["jotsmith_device"] == nil {
		t.Errorf("kept %v", kept)
	}
	if h := w.Header().Get("Strict-Transport-Security"); h != "" {
		t.Errorf("HSTS on loopback: %s", h)
	}
	read[wire.TokenResponse](t, n.do("POST", "/v1/login", cookieLogin, origin("http://localhost:8080")), 200)
	if w := n.do("POST", "/v1/login", cookieLogin, origin("http://127.0.0.1:3000")); w.Code != 403 || len(w.Result().Cookies()) > 0 {
		t.Errorf("another name of loopback: %d %s", w.Code, w.Body)
	}
}

// A browser that logged in before is not locked out by strangers.
func TestBRT06DeviceCookie(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	_, kept := n.browse()
	wrong := cookieLogin
	wrong.Password = "wrong password"
	for range 20 {
		n.do("POST", "/v1/login", wrong, origin(appOrigin))
	}
	refused(t, n.do("POST", "/v1/login", cookieLogin, origin(appOrigin)), wire.CodeRateLimited)
	n.browse(cookie(wire.CookieDevice, kept[wire.CookieDevice].Value))
}

// Listed origins may call what people do for themselves and the token endpoint;
// administration and machines' routes are for no page.
func TestWEB04CORS(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	preflight := func(path, method, from string) *recorder {
		return n.do("OPTIONS", path, nil, origin(from), header("Access-Control-Request-Method", method), header("Access-Control-Request-Headers", "authorization,content-type"))
	}
	for path, methods := range map[string]string{
		"/v1/login": "POST", "/v1/refresh": "POST", "/v1/refresh/end": "POST", "/v1/logout": "POST", "/v1/logout-all": "POST", "/v1/me": "GET PATCH",
		"/v1/me/password": "POST", "/v1/sessions": "GET", "/v1/sessions/ses_x": "DELETE", "/oauth/token": "POST",
	} {
		for method := range strings.FieldsSeq(methods) {
			w := preflight(path, method, appOrigin)
			h := w.Header()
			if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != appOrigin || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(h.Get("Vary"), "Origin") {
				t.Errorf("%s %s: %d %v", method, path, w.Code, h)
			}
			w = preflight(path, method, "https://evil.example.com")
			if w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s for a stranger: %d %v", method, path, w.Code, w.Header())
			}
			// What is refused can be read, too.
			w = n.do(method, path, nil, origin(appOrigin))
			if w.Header().Get("Access-Control-Allow-Origin") != appOrigin || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%s %s answers %v", method, path, w.Header())
			}
		}
	}
	for _, path := range []string{"/oauth/authorize", "/oauth/introspect", "/oauth/revoke", "/v1/revocations", "/v1/forward-auth", "/v1/admin/accounts", "/livez", "/nothing"} {
		w := preflight(path, "POST", appOrigin)
		if w.Code < 400 || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	// A server without origins answers no preflight.
	w := open(t, options{}).do("OPTIONS", "/v1/login", nil, origin(appOrigin), header("Access-Control-Request-Method", "POST"))
	if w.Code != 405 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without origins: %d %v", w.Code, w.Header())
	}
}

// A page that is sent elsewhere after a log-in would send its password along: no
// answer of a log-in is a redirect.
func TestWEB06NoRedirect(t *testing.T) {
	t.Parallel()
	n := withCookies(t)
	for _, path := range []string{"/v1/login", "/v1/login/", "//v1/login", "/v1/./login", "/V1/login"} {
		w := n.do("POST", path, cookieLogin, origin(appOrigin))
		if w.Code >= 300 && w.Code < 400 || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}

// Each rate says how much of it is left, and refuses with the time to come back.
func TestRates(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	w := n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password})
	if h := w.Header(); h.Get("RateLimit-Policy") != `"login";q=1000;w=20` || h.Get("RateLimit") != `"login";r=999;t=1` {
		t.Errorf("log-in: %q %q", h.Get("RateLimit-Policy"), h.Get("RateLimit"))
	}
	alice := read[wire.TokenResponse](t, w, 200)
	change := wire.PasswordChange{CurrentPassword: "wrong password", NewPassword: password + "!"}
	for i := range 31 {
		w = n.do("POST", "/v1/me/password", change, bearer(alice.AccessToken), from(fmt.Sprintf("192.0.%d.1:1", i)))
	}
	refused(t, w, wire.CodeRateLimited)
	h := w.Header()
	if h.Get("RateLimit") != `"password";r=0;t=10` || h.Get("Retry-After") != "10" || h.Get("RateLimit-Policy") != `"password";q=30;w=300` {
		t.Errorf("password: %q %q, Retry-After %q", h.Get("RateLimit-Policy"), h.Get("RateLimit"), h.Get("Retry-After"))
	}
	w = n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken})
	if got := w.Header()["Ratelimit"]; len(got) != 1 || got[0] != `"address";r=99999;t=1, "session";r=9999;t=1` {
		t.Errorf("refresh: %q", got)
	}
}
