package guard_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

// TestHTP01 and its neighbours: one request, one credential.
func TestHTP01ManyTokens(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	token, other := issuer.Token(jwt.Claims{}), issuer.Token(jwt.Claims{})
	bearer, cookie := "Bearer "+token, accessCookie+"="+token
	everywhere := guard.Config{Cookie: accessCookie, Header: "X-Access-Token"}
	for _, c := range []struct {
		name   string
		config guard.Config
		target string
		header http.Header
		want   error // nil: it passes
	}{
		{"header and cookie", everywhere, "/", http.Header{"Authorization": {bearer}, "Cookie": {cookie}}, guard.ErrManyTokens},
		{"header and cookie of another token", everywhere, "/", http.Header{"Authorization": {bearer}, "Cookie": {accessCookie + "=" + other}}, guard.ErrManyTokens},
		{"header and an empty cookie", everywhere, "/", http.Header{"Authorization": {bearer}, "Cookie": {accessCookie + "="}}, guard.ErrManyTokens},
		{"two cookies in one line", everywhere, "/", http.Header{"Cookie": {cookie + "; " + cookie}}, guard.ErrManyTokens},
		{"two cookies in two lines", everywhere, "/", http.Header{"Cookie": {cookie, cookie}}, guard.ErrManyTokens},
		{"two cookies, one of them empty", everywhere, "/", http.Header{"Cookie": {accessCookie + "=; " + cookie}}, guard.ErrManyTokens},
		{"custom header twice", everywhere, "/", http.Header{"X-Access-Token": {token, token}}, guard.ErrManyTokens},
		{"custom header and Authorization", everywhere, "/", http.Header{"X-Access-Token": {token}, "Authorization": {bearer}}, guard.ErrManyTokens},
		{"custom header and cookie", everywhere, "/", http.Header{"X-Access-Token": {token}, "Cookie": {cookie}}, guard.ErrManyTokens},
		{"an empty custom header and cookie", everywhere, "/", http.Header{"X-Access-Token": {""}, "Cookie": {cookie}}, guard.ErrManyTokens},
		{"cookie and query", everywhere, "/?access_token=" + token, http.Header{"Cookie": {cookie}}, guard.ErrManyTokens},
		{"custom header and query", everywhere, "/?access_token=" + token, http.Header{"X-Access-Token": {token}}, guard.ErrManyTokens},
		{"cookie and two Authorization headers", everywhere, "/", http.Header{"Cookie": {cookie}, "Authorization": {"Basic eDp5", "Basic eDp5"}}, guard.ErrManyTokens},

		{"HTP-02 query alone", everywhere, "/?access_token=" + token, nil, guard.ErrNoToken},
		{"HTP-02 query by the names of the others", everywhere, "/?" + accessCookie + "=" + token + "&X-Access-Token=" + token, nil, guard.ErrNoToken},
		{"HTP-02 a ticket where no stream is", everywhere, "/?ticket=ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil, guard.ErrNoToken},
		{"an empty cookie", everywhere, "/", http.Header{"Cookie": {accessCookie + "="}}, jwt.ErrMalformed},
		{"an empty custom header", everywhere, "/", http.Header{"X-Access-Token": {""}}, jwt.ErrMalformed},
		{"a scheme in the custom header", everywhere, "/", http.Header{"X-Access-Token": {bearer}}, jwt.ErrMalformed},
		{"a scheme in the cookie", everywhere, "/", http.Header{"Cookie": {accessCookie + "=" + bearer}}, jwt.ErrMalformed},
		{"a cookie in quotes", everywhere, "/", http.Header{"Cookie": {accessCookie + `="` + token + `"`}}, jwt.ErrMalformed},
		{"another guard's scheme beside the cookie", everywhere, "/", http.Header{"Authorization": {"Basic eDp5"}, "Cookie": {cookie}}, nil},

		{"nothing but Authorization unless told: cookie", guard.Config{}, "/", http.Header{"Cookie": {cookie}}, guard.ErrNoToken},
		{"nothing but Authorization unless told: header", guard.Config{}, "/", http.Header{"X-Access-Token": {token}}, guard.ErrNoToken},
		{"a cookie that is not asked for does not count", guard.Config{}, "/", http.Header{"Authorization": {bearer}, "Cookie": {cookie + "; " + cookie}}, nil},

		{"WEB-05 the name in another case", everywhere, "/", http.Header{"Cookie": {"__host-access=" + token}}, guard.ErrNoToken},
		{"WEB-05 the name without its prefix", everywhere, "/", http.Header{"Cookie": {"access=" + token}}, guard.ErrNoToken},
		{"WEB-05 another prefix", everywhere, "/", http.Header{"Cookie": {"__Secure-access=" + token}}, guard.ErrNoToken},
		{"WEB-05 a tab before the name", everywhere, "/", http.Header{"Cookie": {"a=b;\t" + cookie}}, guard.ErrNoToken},
		{"WEB-05 a space of Unicode before the name", everywhere, "/", http.Header{"Cookie": {"a=b; \u2000" + cookie}}, guard.ErrNoToken},
		{"WEB-05 a space behind the name", everywhere, "/", http.Header{"Cookie": {accessCookie + " =" + token}}, guard.ErrNoToken},
		{"WEB-05 the name alone", everywhere, "/", http.Header{"Cookie": {accessCookie}}, guard.ErrNoToken},
		{"WEB-05 the name within a value", everywhere, "/", http.Header{"Cookie": {"a=" + cookie}}, guard.ErrNoToken},
		{"WEB-05 $Version means nothing", everywhere, "/", http.Header{"Cookie": {"$Version=1; " + cookie + "; $Path=/"}}, nil},
		{"WEB-05 a cookie of 20 KB", everywhere, "/", http.Header{"Cookie": {accessCookie + "=" + strings.Repeat("a", 20<<10)}}, jwt.ErrMalformed},
		{"WEB-05 100 cookies", everywhere, "/", http.Header{"Cookie": {strings.Repeat("a=b; ", 100) + cookie}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.config.Verifier, c.config.Log = issuer.Verifier(""), quiet()
			g, err := guard.New(t.Context(), c.config)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", c.target, nil)
			if c.header != nil {
				r.Header = c.header
			}
			if got, err := g.Check(r); !errors.Is(err, c.want) || (got == nil) != (c.want != nil) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// A form that somebody has read is looked at; nobody reads it for that.
func TestHTP01HeaderAndForm(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	token := issuer.Token(jwt.Claims{})
	r := httptest.NewRequest("POST", "/", strings.NewReader("access_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+token)
	if _, err := g.Check(r); err != nil || r.PostForm != nil {
		t.Errorf("%v; the form was read: %v", err, r.PostForm != nil)
	}
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Check(r); !errors.Is(err, guard.ErrManyTokens) {
		t.Error(err)
	}
}

func TestWEB05CookieFlood(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	var logged bytes.Buffer
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Cookie: accessCookie, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string][]string{
		"in one line":   {strings.Repeat("a=b; ", 1000) + accessCookie + "=" + issuer.Token(jwt.Claims{})},
		"in many lines": append(slicesOf("a=b", 1000), accessCookie+"="+issuer.Token(jwt.Claims{})),
		"of nothing":    {strings.Repeat(";", 100_000)},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = lines
		w := httptest.NewRecorder()
		g.HandlerFunc(ok).ServeHTTP(w, r)
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"title":"The request is not valid.","status":400,"code":"invalid_request"`) || logged.Len() > 1000 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		logged.Reset()
	}
}

func slicesOf(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// What a request says of its path, query and cookies never comes to the log:
// people put tokens there.
func TestHTP02NeverLogged(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	var logged bytes.Buffer
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Cookie: accessCookie, Header: "X-Access-Token",
		Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "eyJhbGciOiJFUzI1NiJ9" // of what might be a token
	for _, handler := range []http.Handler{g.HandlerFunc(ok), g.Stream(http.HandlerFunc(ok)), g.Tickets()} {
		for _, target := range []string{"/" + secret, "/?access_token=" + secret, "/?ticket=" + secret, "/?" + secret} {
			for _, header := range []http.Header{{}, {"Authorization": {"Bearer " + secret}}, {"Cookie": {accessCookie + "=" + secret}}, {"X-Access-Token": {secret}}, {"Authorization": {secret}}} {
				r := httptest.NewRequest("POST", target, nil)
				r.Header = header
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code < 400 || strings.Contains(logged.String()+w.Body.String(), secret) {
					t.Errorf("%s %v: %d, %s %s", target, header, w.Code, w.Body, logged.String())
				}
				logged.Reset()
			}
		}
	}
}

func TestConfigOfPlaces(t *testing.T) {
	t.Parallel()
	verifier := jotsmithtest.New(t).Verifier("")
	for _, c := range []struct {
		name   string
		config guard.Config
		want   []string
	}{
		{"a cookie's name", guard.Config{Cookie: "a b"}, []string{"Cookie"}},
		{"a header's name", guard.Config{Header: "X Token"}, []string{"Header"}},
		{"Authorization", guard.Config{Header: "authorization"}, []string{"read in any case"}},
		{"Cookie as a header", guard.Config{Header: "Cookie"}, []string{"meaning of its own"}},
		{"Referer", guard.Config{Header: "Referer"}, []string{"meaning of its own"}},
		{"a pattern of origins", guard.Config{Cookie: "a", TrustedOrigins: []string{"https://*.example.com", "null", app}}, []string{"TrustedOrigins[0]", "TrustedOrigins[1]"}},
		{"a short key", guard.Config{Cookie: "a", CSRFKey: make([]byte, 31)}, []string{"CSRFKey has 31 bytes"}},
		{"CSRF without a cookie", guard.Config{TrustedOrigins: []string{app}}, []string{"CORS"}},
		{"resource of nobody", guard.Config{Resource: &guard.Resource{}}, []string{"Resource.URL", "Resource.Issuers"}},
		{"resource with a query", guard.Config{Resource: &guard.Resource{URL: "https://tasks.example.com/?a", Issuers: []string{issuerName}}}, []string{"Resource.URL"}},
		{"resource with a fragment", guard.Config{Resource: &guard.Resource{URL: "https://tasks.example.com/#a", Issuers: []string{issuerName}}}, []string{"Resource.URL"}},
		{"resource with a pattern", guard.Config{Resource: &guard.Resource{URL: "https://tasks.example.com/{x}", Issuers: []string{issuerName}}}, []string{"Resource.URL"}},
		{"resource by http", guard.Config{Resource: &guard.Resource{URL: "http://tasks.example.com", Issuers: []string{"http://auth.example.com"}}}, []string{"Resource.URL", "Resource.Issuers[0]"}},
		{"scopes of a resource", guard.Config{Resource: &guard.Resource{URL: audience, Issuers: []string{issuerName}, Scopes: []string{"a", "b c"}}}, []string{"Resource.Scopes[1]"}},
		{"all at once", guard.Config{Issuer: "x", Cookie: "=", Header: ":", TrustedOrigins: []string{"*"}, CSRFKey: []byte("x"), Resource: &guard.Resource{}},
			[]string{"Verifier decides", "Cookie", "Header", "TrustedOrigins[0]", "CSRFKey", "Resource.URL"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.config.Verifier = verifier
			g, err := guard.NewLazy(c.config)
			if g != nil || err == nil {
				t.Fatalf("got %v, %v", g, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}
