package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

const (
	issuerName = "https://auth.example.com"
	audience   = "https://tasks.example.com"
)

var algorithms = []jwk.Algorithm{jwk.HS256, jwk.RS256, jwk.ES256, jwk.EdDSA}

// start is the time of all tests that set the clock.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// newKey makes a key that signs.
func newKey(tb testing.TB, alg jwk.Algorithm) jwk.Signer {
	tb.Helper()
	if alg == jwk.HS256 {
		key, err := jwk.GenerateSecret(alg)
		if err != nil {
			tb.Fatal(err)
		}
		return key
	}
	key, err := jwk.Generate(alg)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func verifierOf(key jwk.Signer) jwk.Verifier {
	switch k := key.(type) {
	case *jwk.PrivateKey:
		return k.Public()
	case *jwk.SecretKey:
		return k
	}
	panic("no such key")
}

func newSet(tb testing.TB, keys ...jwk.Verifier) *jwk.Set {
	tb.Helper()
	set, err := jwk.NewSet(keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func newVerifier(tb testing.TB, key jwk.Signer, change ...func(*jwt.Policy)) *jwt.Verifier {
	tb.Helper()
	p := jwt.Policy{
		Issuer: issuerName, Audiences: []string{audience}, Keys: newSet(tb, verifierOf(key)),
		DangerouslyIgnoreRevocation: true,
	}
	for _, c := range change {
		c(&p)
	}
	v, err := jwt.NewVerifier(p)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func withRevocations(r jwt.Revocations) func(*jwt.Policy) {
	return func(p *jwt.Policy) { p.Revocations, p.DangerouslyIgnoreRevocation = r, false }
}

func issue(tb testing.TB, key jwk.Signer, c jwt.Claims) string {
	tb.Helper()
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
	if err != nil {
		tb.Fatal(err)
	}
	compact, err := issuer.Issue(c)
	if err != nil {
		tb.Fatal(err)
	}
	return compact
}

// object is the claims of a token that no Issuer would write.
type object map[string]any

// with returns a copy of o with one claim set, or left out where value is the
// leave constant.
func (o object) with(name string, value any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	c[name] = value
	if value == leave {
		delete(c, name)
	}
	return c
}

type left struct{}

var leave = left{}

// goodClaims pass newVerifier at the time of start.
func goodClaims() object {
	return object{
		"iss": issuerName, "sub": "acc_anna", "aud": audience,
		"exp": start.Add(10 * time.Minute).Unix(), "iat": start.Unix(), "nbf": start.Unix(), "jti": "t1",
	}
}

func sign(tb testing.TB, key jwk.Signer, payload any) string {
	tb.Helper()
	var text []byte
	switch p := payload.(type) {
	case string:
		text = []byte(p)
	default:
		var err error
		if text, err = json.Marshal(p); err != nil {
			tb.Fatal(err)
		}
	}
	compact, err := jws.Sign(key, "at+jwt", text)
	if err != nil {
		tb.Fatal(err)
	}
	return compact
}

type nothingRevoked struct{}

func (nothingRevoked) Check(*jwt.Token, time.Time) error { return nil }

// check verifies compact and fails the test unless the outcome is want, nil for
// a token.
func check(t *testing.T, v *jwt.Verifier, compact string, want error) {
	t.Helper()
	token, err := v.Verify(context.Background(), compact)
	if (token == nil) != (err != nil) {
		t.Fatalf("token %v and error %v: exactly one is due", token, err)
	}
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// revoked answers every question with err and counts them.
type revoked struct {
	err   error
	asked int
}

func (r *revoked) Check(*jwt.Token, time.Time) error {
	r.asked++
	return r.err
}
