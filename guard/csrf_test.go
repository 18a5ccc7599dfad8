package guard_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

const accessCookie = "__Host-access"

// TestWEB01 is a table of what browsers, and others, say of where a request
// comes from: nothing but our own pages and trusted ones may change something
// with the cookie.
func TestWEB01(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	key := []byte("0123456789-abcdefghij-KLMNOPQRSTUVW")
	with := func(c guard.Config) *guard.Guard {
		c.Verifier, c.Log, c.Cookie = issuer.Verifier(""), quiet(), accessCookie
		g, err := guard.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	strict := with(guard.Config{})
	trusting := with(guard.Config{TrustedOrigins: []string{app}})
	keyed := with(guard.Config{CSRFKey: key})
	sameKey := with(guard.Config{CSRFKey: key})
	otherKey := with(guard.Config{CSRFKey: []byte("another-0123456789-abcdefghij-KLMNOPQ")})

	verified := func(c jwt.Claims) (string, *jwt.Token) {
		compact := issuer.Token(c)
		token, err := issuer.Verifier("").Verify(t.Context(), compact)
		if err != nil {
			t.Fatal(err)
		}
		return compact, token
	}
	token, own := verified(jwt.Claims{SessionID: "s1", ID: "j1"})
	refreshed, _ := verified(jwt.Claims{SessionID: "s1", ID: "j2"})
	_, others := verified(jwt.Claims{SessionID: "s2"})
	_, named := verified(jwt.Claims{ID: "s1"}) // a token's id that is a session's
	sessionless, sessionlessToken := verified(jwt.Claims{ID: "j3"})
	good := keyed.CSRFToken(own)

	h := func(pairs ...string) http.Header {
		header := make(http.Header)
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	const site, self = "Sec-Fetch-Site", "https://tasks.example.com"
	for _, c := range []struct {
		name   string
		guard  *guard.Guard
		method string
		header http.Header
		allow  bool
	}{
		{"same-origin", strict, "POST", h(site, "same-origin", "Origin", self), true},
		{"same-origin behind a proxy that gives another Host", strict, "POST", h(site, "same-origin", "Origin", "https://public.example.com"), true},
		{"asked for by the user", strict, "POST", h(site, "none"), true},
		{"cross-site", strict, "POST", h(site, "cross-site", "Origin", "https://evil.example"), false},
		{"cross-site that sounds like us", strict, "POST", h(site, "cross-site", "Origin", self), false},
		{"same-site: a sub-domain", strict, "POST", h(site, "same-site", "Origin", "https://x.tasks.example.com"), false},
		{"same-site: http on our host", strict, "POST", h(site, "cross-site", "Origin", "http://tasks.example.com"), false},
		{"a site that nobody knows", strict, "POST", h(site, "nearby", "Origin", self), false},
		{"in another case", strict, "POST", h(site, "Same-Origin", "Origin", self), false},
		{"two sites", strict, "POST", h(site, "same-origin", site, "cross-site", "Origin", self), false},

		{"an older browser, own origin", strict, "POST", h("Origin", self), true},
		{"an older browser, http for https", strict, "POST", h("Origin", "http://tasks.example.com"), false},
		{"an older browser, another port", strict, "POST", h("Origin", self+":8443"), false},
		{"an older browser, default port", strict, "POST", h("Origin", self+":443"), false},
		{"an older browser, a sub-domain", strict, "POST", h("Origin", "https://x.tasks.example.com"), false},
		{"an older browser, our name in front", strict, "POST", h("Origin", self+".evil.example"), false},
		{"an older browser, our name behind", strict, "POST", h("Origin", "https://eviltasks.example.com"), false},
		{"an older browser, our name as a user", strict, "POST", h("Origin", "https://tasks.example.com@evil.example"), false},
		{"an older browser, with a path", strict, "POST", h("Origin", self+"/"), false},
		{"an older browser, no scheme", strict, "POST", h("Origin", "tasks.example.com"), false},
		{"an older browser, another scheme", strict, "POST", h("Origin", "ftp://tasks.example.com"), false},
		{"null", strict, "POST", h("Origin", "null"), false},
		{"null, cross-site", strict, "POST", h(site, "cross-site", "Origin", "null"), false},
		{"two origins", strict, "POST", h("Origin", self, "Origin", "https://evil.example"), false},
		{"a long origin", strict, "POST", h("Origin", "https://"+strings.Repeat("a", 100_000)), false},

		{"nothing said", strict, "POST", nil, false},
		{"Referer alone", strict, "POST", h("Referer", self+"/page"), false},
		{"empty headers", strict, "POST", h(site, "", "Origin", ""), false},
		{"a token where there is no key", strict, "POST", h(guard.CSRFHeader, good), false},

		{"a trusted origin", trusting, "POST", h(site, "same-site", "Origin", app), true},
		{"a trusted origin, older browser", trusting, "POST", h("Origin", app), true},
		{"a trusted origin by http", trusting, "POST", h(site, "cross-site", "Origin", "http://app.example.com"), false},
		{"a trusted origin with a port", trusting, "POST", h("Origin", app+":8443"), false},
		{"beside a trusted origin", trusting, "POST", h(site, "cross-site", "Origin", "https://evil.example"), false},
		{"our own, where others are trusted", trusting, "POST", h(site, "same-origin", "Origin", self), true},
		{"a trusted Referer", trusting, "POST", h("Referer", app+"/"), false},

		{"a token of the session", keyed, "POST", h(guard.CSRFHeader, good), true},
		{"a token of the session, from another process", sameKey, "POST", h(guard.CSRFHeader, good), true},
		{"a token of another key", otherKey, "POST", h(guard.CSRFHeader, good), false},
		{"a token of another session", keyed, "POST", h(guard.CSRFHeader, keyed.CSRFToken(others)), false},
		{"a token of a token's id", keyed, "POST", h(guard.CSRFHeader, keyed.CSRFToken(named)), false},
		{"no token", keyed, "POST", nil, false},
		{"an empty token", keyed, "POST", h(guard.CSRFHeader, ""), false},
		{"two tokens", keyed, "POST", h(guard.CSRFHeader, good, guard.CSRFHeader, good), false},
		{"half a token", keyed, "POST", h(guard.CSRFHeader, good[:32]), false},
		{"a token with a byte more", keyed, "POST", h(guard.CSRFHeader, good+"A"), false},
		{"a token with another first byte", keyed, "POST", h(guard.CSRFHeader, string(good[0]^1)+good[1:]), false},
		{"a token, padded", keyed, "POST", h(guard.CSRFHeader, good+"="), false},
		{"a token does not excuse another origin", keyed, "POST", h(guard.CSRFHeader, good, "Origin", "https://evil.example"), false},
		{"a token does not excuse another site", keyed, "POST", h(guard.CSRFHeader, good, site, "cross-site"), false},

		{"PUT", strict, "PUT", h(site, "cross-site"), false},
		{"PATCH", strict, "PATCH", h(site, "cross-site"), false},
		{"DELETE", strict, "DELETE", h(site, "cross-site"), false},
		{"a method that nobody knows", strict, "BREW", h(site, "cross-site"), false},
		{"get is not GET", strict, "get", h(site, "cross-site"), false},
		{"CONNECT", strict, "CONNECT", h(site, "cross-site"), false},
		{"GET changes nothing", strict, "GET", h(site, "cross-site", "Origin", "https://evil.example"), true},
		{"HEAD changes nothing", strict, "HEAD", h(site, "cross-site"), true},
		{"OPTIONS changes nothing", strict, "OPTIONS", h(site, "cross-site"), true},
		{"GET, but a socket", strict, "GET", h(site, "cross-site", "Origin", "https://evil.example", "Upgrade", "websocket"), false},
		{"GET, a socket of an older browser", strict, "GET", h("Origin", "https://evil.example", "Upgrade", "websocket"), false},
		{"GET, our own socket", strict, "GET", h("Origin", self, "Upgrade", "websocket"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, compact := range []string{token, refreshed} {
				called := false
				api := c.guard.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })
				r := httptest.NewRequest("POST", self+"/tasks", nil)
				r.Method, r.TLS = c.method, &tls.ConnectionState{}
				if c.header != nil {
					r.Header = c.header.Clone()
				}
				r.Header.Set("Cookie", accessCookie+"="+compact)
				w := httptest.NewRecorder()
				api.ServeHTTP(w, r)
				if called != c.allow {
					t.Fatalf("passed: %v, want %v", called, c.allow)
				}
				if !c.allow {
					mustTell(t, w, "cross_origin", "")
				}

				// What no browser sends by itself needs no such proof.
				r.Header.Del("Cookie")
				r.Header.Set("Authorization", "Bearer "+compact)
				called = false
				if api.ServeHTTP(httptest.NewRecorder(), r); !called {
					t.Error("a bearer token was refused")
				}
				called = false
				open := c.guard.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })
				r.Header.Del("Authorization")
				if open.ServeHTTP(httptest.NewRecorder(), r); called {
					t.Error("passed without a token")
				}
			}
		})
	}

	t.Run("in development", func(t *testing.T) {
		t.Parallel()
		for origin, allow := range map[string]bool{"http://localhost:8080": true, "http://localhost:5173": false, "http://localhost": false, "https://localhost:8080": true} {
			r := httptest.NewRequest("POST", "http://localhost:8080/", nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("Cookie", accessCookie+"="+token)
			if _, err := strict.Check(r); (err == nil) != allow {
				t.Errorf("%s: %v", origin, err)
			}
		}
	})
	t.Run("without a session", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Cookie", accessCookie+"="+sessionless)
		r.Header.Set(guard.CSRFHeader, keyed.CSRFToken(sessionlessToken))
		if _, err := keyed.Check(r); err != nil {
			t.Error(err)
		}
		r.Header.Set("Cookie", accessCookie+"="+token)
		if _, err := keyed.Check(r); err == nil {
			t.Error("the token of another token was accepted")
		}
	})
	t.Run("mangled", func(t *testing.T) {
		t.Parallel()
		refused := func(sent string) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set("Cookie", accessCookie+"="+token)
			r.Header.Set(guard.CSRFHeader, sent)
			if _, err := keyed.Check(r); !errors.Is(err, guard.ErrCrossOrigin) || strings.Contains(err.Error(), good[:8]) {
				t.Errorf("%q: %v", sent, err)
			}
		}
		for i := range good {
			refused(good[:i])
			for _, c := range []byte{'A', 'B', '-', '=', ' '} {
				if c != good[i] {
					refused(good[:i] + string(c) + good[i+1:])
				}
			}
		}
	})
	t.Run("no two tokens are alike", func(t *testing.T) {
		t.Parallel()
		if a, b := keyed.CSRFToken(own), keyed.CSRFToken(own); a == b || len(a) != 64 {
			t.Errorf("%q, %q", a, b)
		}
	})
	t.Run("a token needs a key", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		strict.CSRFToken(own)
	})
}

// A token that names neither session nor itself nor anybody leaves nothing that
// a CSRF token could be bound to: one would be good for all of them.
func TestWEB01NothingToBindTo(t *testing.T) {
	t.Parallel()
	key, err := jwk.GenerateSecret(jwk.HS256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwk.NewSet(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: "https://other.example", Audiences: []string{"https://tasks.example"}, Keys: keys, DangerouslyIgnoreRevocation: true})
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.Sign(key, "at+jwt", fmt.Appendf(nil, `{"iss":"https://other.example","aud":"https://tasks.example","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := v.Verify(t.Context(), compact)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), guard.Config{Verifier: v, Log: quiet(), Cookie: accessCookie, CSRFKey: []byte("0123456789-abcdefghij-KLMNOPQRSTUVW")})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "https://tasks.example/tasks", nil)
	r.AddCookie(&http.Cookie{Name: accessCookie, Value: compact})
	r.Header.Set(guard.CSRFHeader, g.CSRFToken(token))
	if _, err := g.Check(r); !errors.Is(err, guard.ErrCrossOrigin) {
		t.Errorf("%v", err)
	}
}
