package jotsmithtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jotsmithtest"
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
