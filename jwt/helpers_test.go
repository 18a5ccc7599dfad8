package jwt_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"sync"
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

var algorithms = jwk.Algorithms()

// start is the time of all tests that set the clock.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// newKey makes a key that signs.
func newKey(tb testing.TB, alg jwk.Algorithm) jwk.Signer {
	tb.Helper()
	var key jwk.Signer
	var err error
	switch {
	case alg.Symmetric():
		key, err = jwk.GenerateSecret(alg)
	case alg != jwk.RS256 && strings.HasSuffix(string(alg[:2]), "S") && alg[0] != 'E':
		key, err = jwk.NewRSAPrivate(alg, oneRSAKey(), "")
	default:
		key, err = jwk.Generate(alg)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// oneRSAKey is the key of all RSA algorithms but RS256: making one is slow.
var oneRSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

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

// policyOf takes issuer's tokens under key at the time of start.
func policyOf(tb testing.TB, issuer string, key jwk.Signer) jwt.Policy {
	tb.Helper()
	return jwt.Policy{
		Issuer: issuer, Audiences: []string{audience}, Keys: newSet(tb, verifierOf(key)), Now: at(start),
		DangerouslyIgnoreRevocation: true,
	}
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
