// Package jotsmithtest makes tokens for the tests of a guarded API: an issuer
// in the test's own process, with a key of its own, no server and no network.
//
//	issuer := jotsmithtest.New(t)
//	g, _ := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
//	token := issuer.Token(jwt.Claims{Roles: []string{"editor"}})
//
// [NewIssuer] makes others beside it, of any name and algorithm, and
// [Issuer.Policy] is for verifiers of several issuers or with further demands. Of
// [NewSealedIssuer] come tokens that are encrypted.
//
// Its tokens are real and are verified for real. It refuses to be used outside
// tests: everything hangs on a testing.TB, and every fault ends the test. The
// program under test is built with package guard.
package jotsmithtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// What a token says unless its claims say otherwise.
const (
	IssuerName = "https://issuer.test"
	Audience   = "https://api.test"
	Subject    = "acc_test"
	Life       = 15 * time.Minute
)

// Issuer issues and revokes tokens. It is safe for concurrent use.
type Issuer struct {
	t       testing.TB
	name    string
	key     jwk.Signer
	keys    *jwk.Set
	revoked *revocation.Set
	seal    jwk.Encrypter      // nil: tokens are not encrypted
	sealed  jwt.DecryptionKeys // nil: tokens are not encrypted
}

// New makes the issuer [IssuerName] with a new ES256 key.
func New(t testing.TB) *Issuer {
	t.Helper()
	return NewIssuer(t, IssuerName, jwk.ES256)
}

// NewIssuer makes an issuer of that name with a new key of any algorithm.
func NewIssuer(t testing.TB, name string, alg jwk.Algorithm) *Issuer {
	t.Helper()
	signer, verifier, err := newKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwk.NewSet(verifier)
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{t: t, name: name, key: signer, keys: keys, revoked: revocation.NewSet(0)}
}

// NewSealedIssuer makes the issuer [IssuerName] with a new ES256 key, whose tokens
// are encrypted for a new key of the API, and whose policies take no others.
func NewSealedIssuer(t testing.TB) *Issuer {
	t.Helper()
	i := New(t)
	api, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "")
	if err != nil {
		t.Fatal(err)
	}
	if i.sealed, err = jwk.NewDecryptionSet(api); err != nil {
		t.Fatal(err)
	}
	i.seal = api.Public()
	return i
}

func newKey(alg jwk.Algorithm) (jwk.Signer, jwk.Verifier, error) {
	if alg.Symmetric() {
		key, err := jwk.GenerateSecret(alg)
		return key, key, err
	}
	key, err := jwk.Generate(alg)
	if err != nil {
		return nil, nil, err
	}
	return key, key.Public(), nil
}

// Verifier accepts this issuer's tokens for an audience; empty means [Audience].
// It is meant for guard.Config.Verifier.
func (i *Issuer) Verifier(audience string) *jwt.Verifier {
	i.t.Helper()
	return i.verifier(i.Policy(audience))
}

// Policy is that of [Issuer.Verifier], to be changed and given to
// [jwt.NewVerifier], alone or with those of other issuers.
func (i *Issuer) Policy(audience string) jwt.Policy {
	return jwt.Policy{
		Issuer: i.name, Audiences: []string{cmp.Or(audience, Audience)}, Keys: i.keys, Decryption: i.sealed, Revocations: i.revoked,
	}
}

func (i *Issuer) verifier(p jwt.Policy) *jwt.Verifier {
	i.t.Helper()
	v, err := jwt.NewVerifier(p)
	if err != nil {
		i.t.Fatal(err)
	}
	return v
}

// Token issues a good token. Subject, Audience and Life default to this
// package's constants, and SessionID to a new session.
func (i *Issuer) Token(c jwt.Claims) string {
	i.t.Helper()
	return i.issue(c, time.Now)
}

// Expired issues a token like [Issuer.Token] that expired beyond any leeway.
func (i *Issuer) Expired(c jwt.Claims) string {
	i.t.Helper()
	ago := cmp.Or(c.Life, Life) + 11*time.Minute
	return i.issue(c, func() time.Time { return time.Now().Add(-ago) })
}

// Revoke makes every verifier of this issuer refuse the token from now on.
// Other tokens, also of the same session, stay good.
func (i *Issuer) Revoke(token string) {
	i.t.Helper()
	p := i.Policy("")
	p.Audiences, p.DangerouslyAcceptAnyAudience, p.DangerouslyIgnoreExpiry, p.CacheSize = nil, true, true, -1
	t, err := i.verifier(p).Verify(context.Background(), token)
	if err != nil {
		i.t.Fatalf("revoking: %v", err)
	}
	fact, _ := t.Fact(jwt.TokenFact) // Issue gives every token an ID
	if err := i.revoked.Add(revocation.Entry{Fact: fact}); err != nil {
		i.t.Fatal(err)
	}
}

func (i *Issuer) issue(c jwt.Claims, now func() time.Time) string {
	i.t.Helper()
	c.Subject = cmp.Or(c.Subject, Subject)
	c.Life = cmp.Or(c.Life, Life)
	c.SessionID = cmp.Or(c.SessionID, rand.Text())
	if len(c.Audience) == 0 {
		c.Audience = []string{Audience}
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: i.name, Key: i.key, Seal: i.seal, Now: now})
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := issuer.Issue(c)
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}
