package revocation

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

const (
	issuerName = "https://auth.example.com"
	feedURL    = "https://auth.example.com/v1/revocations"
)

func session(name string) jwt.Fact { return jwt.NewFact(jwt.SessionFact, issuerName, name) }

// entries makes session facts that never expire.
func entries(names ...string) []Entry {
	var list []Entry
	for _, name := range names {
		list = append(list, Entry{Fact: session(name)})
	}
	return list
}

func newKey(t testing.TB) *jwk.PrivateKey {
	t.Helper()
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keySet(t testing.TB, keys ...*jwk.PrivateKey) *jwk.Set {
	t.Helper()
	var public []jwk.Verifier
	for _, k := range keys {
		public = append(public, k.Public())
	}
	set, err := jwk.NewSet(public...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// token makes a verified access token of this issuer.
func token(t testing.TB, c jwt.Claims) *jwt.Token {
	t.Helper()
	return verified(t, jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t)}, c)
}

func verified(t testing.TB, ic jwt.IssuerConfig, c jwt.Claims) *jwt.Token {
	t.Helper()
	if c.Audience == nil {
		c.Audience = []string{"https://api.example.com"}
	}
	if c.Life == 0 {
		c.Life = time.Minute
	}
	if c.Subject == "" {
		c.Subject = "acc_anna"
	}
	issuer, err := jwt.NewIssuer(ic)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := issuer.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{
		Issuer: ic.Issuer, Audiences: c.Audience, Keys: keySet(t, ic.Key.(*jwk.PrivateKey)), Type: ic.Type, Revocations: NewSet(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := v.Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, contentType, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}
}
