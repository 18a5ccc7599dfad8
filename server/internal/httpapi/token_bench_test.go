package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// BenchmarkClientCredentials measures the token endpoint over HTTP on one
// connection, beside the floor: a handler that does nothing but sign such a
// token.
func BenchmarkClientCredentials(b *testing.B) {
	n := open(b, options{Quiet: true})
	a, secret := n.app("editor")
	body := url.Values{"grant_type": {"client_credentials"}}.Encode()
	serve := func(b *testing.B, h http.Handler) {
		s := httptest.NewServer(h)
		defer s.Close()
		b.ReportAllocs()
		for b.Loop() {
			r, err := http.NewRequest("POST", s.URL+"/oauth/token", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(string(a.ID), secret)
			w, err := s.Client().Do(r)
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, w.Body)
			w.Body.Close()
			if w.StatusCode != 200 {
				b.Fatal(w.Status)
			}
		}
	}
	b.Run("floor", func(b *testing.B) {
		key, err := jwk.Generate(jwk.ES256)
		if err != nil {
			b.Fatal(err)
		}
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuer, Key: key})
		if err != nil {
			b.Fatal(err)
		}
		serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, err := issuer.Issue(jwt.Claims{
				Subject: string(a.ID), Audience: []string{tasks}, Life: 15 * time.Minute, ClientID: string(a.ID),
				Scope: []string{"tasks:read", "tasks:write"}, Roles: a.Roles,
			})
			if err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(wire.TokenResponse{AccessToken: token, TokenType: "Bearer", ExpiresIn: 900})
		}))
	})
	b.Run("server", func(b *testing.B) { serve(b, n.handler) })
}
