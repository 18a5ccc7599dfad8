package jotsmithtest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestIssuer(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	elsewhere := jotsmithtest.New(t)
	revoked := issuer.Token(jwt.Claims{SessionID: "s1"})
	issuer.Revoke(revoked)
	expired := issuer.Expired(jwt.Claims{})
	issuer.Revoke(expired)
	for _, c := range []struct {
		name  string
		token string
		want  error
	}{
		{"a token", issuer.Token(jwt.Claims{}), nil},
		{"a token with claims", issuer.Token(jwt.Claims{Subject: "acc_anna", Roles: []string{"editor"}, Life: time.Hour}), nil},
		{"for another API", issuer.Token(jwt.Claims{Audience: []string{"https://other.test"}}), jwt.ErrAudience},
		{"expired", issuer.Expired(jwt.Claims{}), jwt.ErrExpired},
		{"expired after a day", issuer.Expired(jwt.Claims{Life: 24 * time.Hour}), jwt.ErrExpired},
		{"revoked", revoked, jwt.ErrRevoked},
		{"of the same session as a revoked one", issuer.Token(jwt.Claims{SessionID: "s1"}), nil},
		{"expired and revoked: the earlier check speaks", expired, jwt.ErrExpired},
		{"of another issuer's key", elsewhere.Token(jwt.Claims{}), jwt.ErrUnknownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token, err := issuer.Verifier("").Verify(context.Background(), c.token)
			if !errors.Is(err, c.want) || (token == nil) == (err == nil) {
				t.Errorf("got %v, %v; want %v", token, err, c.want)
			}
		})
	}
}

func TestVerifierForAnAudience(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	v := issuer.Verifier("https://tasks.example.com")
	if _, err := v.Verify(context.Background(), issuer.Token(jwt.Claims{Audience: []string{"https://tasks.example.com"}})); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(context.Background(), issuer.Token(jwt.Claims{})); !errors.Is(err, jwt.ErrAudience) {
		t.Errorf("got %v", err)
	}
}

func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range jwk.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			issuer := jotsmithtest.NewIssuer(t, "https://partner.test", alg)
			v := issuer.Verifier("")
			good := issuer.Token(jwt.Claims{Roles: []string{"editor"}})
			token, err := v.Verify(t.Context(), good)
			if err != nil {
				t.Fatal(err)
			}
			if token.Algorithm() != alg || token.Issuer() != "https://partner.test" || token.Subject() != jotsmithtest.Subject {
				t.Errorf("%v of %s", token, token.Issuer())
			}
			issuer.Revoke(good)
			if _, err := v.Verify(t.Context(), good); !errors.Is(err, jwt.ErrRevoked) {
				t.Errorf("revoked: %v", err)
			}
		})
	}
}

func TestSeveralIssuers(t *testing.T) {
	t.Parallel()
	own, partner := jotsmithtest.New(t), jotsmithtest.NewIssuer(t, "https://partner.test", jwk.EdDSA)
	p := partner.Policy("partners")
	p.RequiredClaims = []string{"client_id"}
	v, err := jwt.NewVerifier(own.Policy(""), p)
	if err != nil {
		t.Fatal(err)
	}
	// The guard of an API with several issuers is the guard of one.
	g, err := guard.New(t.Context(), guard.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	partners := jwt.Claims{Audience: []string{"partners"}, ClientID: "app_x"}
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"own", own.Token(jwt.Claims{}), nil},
		{"the partner's", partner.Token(partners), nil},
		{"own, for the partner's audience", own.Token(partners), jwt.ErrAudience},
		{"the partner's, for our audience", partner.Token(jwt.Claims{ClientID: "app_x"}), jwt.ErrAudience},
		{"the partner's, without client_id", partner.Token(jwt.Claims{Audience: []string{"partners"}}), jwt.ErrMalformed},
		{"a stranger's", jotsmithtest.NewIssuer(t, "https://stranger.test", jwk.ES256).Token(jwt.Claims{}), jwt.ErrIssuer},
		{"a stranger's in our name", jotsmithtest.New(t).Token(jwt.Claims{}), jwt.ErrUnknownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+c.token)
			token, err := g.Check(r)
			if !errors.Is(err, c.want) || (token == nil) == (err == nil) {
				t.Errorf("got %v, %v; want %v", token, err, c.want)
			}
		})
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	i, plain := jotsmithtest.NewSealedIssuer(t), jotsmithtest.New(t)
	v := i.Verifier("")
	token := i.Token(jwt.Claims{})
	if strings.Count(token, ".") != 4 {
		t.Fatalf("%s is not encrypted", token)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), plain.Token(jwt.Claims{})); !errors.Is(err, jwt.ErrMalformed) {
		t.Errorf("a token in clear: %v", err)
	}
	if _, err := v.Verify(t.Context(), i.Expired(jwt.Claims{})); !errors.Is(err, jwt.ErrExpired) {
		t.Errorf("an expired token: %v", err)
	}
	i.Revoke(token)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("a revoked token: %v", err)
	}
}
