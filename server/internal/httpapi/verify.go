package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

// verifiers are made for the APIs of one catalog.
type verifiers struct {
	catalog *catalog.Catalog
	live    forms
	genuine forms // whether expired, revoked or of another form than now
}

// forms are the guards of the two forms that a token of this server's can have
// when it comes back.
type forms struct {
	signed, sealed         *guard.Guard
	signedText, sealedText *jwt.Verifier // the same, for text
}

func (a *Authenticator) verifiersFor(c *catalog.Catalog) (*verifiers, error) {
	p := jwt.Policy{Issuer: a.c.Issuer, Keys: a.c.Keys, Revocations: a.c.Revocations, Now: a.c.Now}
	if c != nil {
		p.Audiences = c.Audiences()
	}
	live, err1 := newForms(p, a.c.Opens)
	p.Revocations = nil
	p.DangerouslyIgnoreRevocation = true
	p.DangerouslyIgnoreExpiry = true
	p.CacheSize = -1
	genuine, err2 := newForms(p, a.c.Opens)
	return &verifiers{c, live, genuine}, errors.Join(err1, err2)
}

// newForms makes guards that have nothing to fetch, and so nothing to close.
func newForms(p jwt.Policy, opens jwt.DecryptionKeys) (f forms, err error) {
	if f.signedText, err = jwt.NewVerifier(p); err != nil {
		return f, err
	}
	p.Decryption = opens
	p.CacheSize = -1 // once its key is revoked, what was encrypted for it is good no more
	if f.sealedText, err = jwt.NewVerifier(p); err != nil {
		return f, err
	}
	if f.signed, err = guard.NewLazy(guard.Config{Verifier: f.signedText}); err != nil {
		return f, err
	}
	f.sealed, err = guard.NewLazy(guard.Config{Verifier: f.sealedText})
	return f, err
}

// sealed says whether text looks like a JWE or what carries one: five parts
// between dots (RFC 7516 §7.1).
func sealed(text string) bool { return strings.Count(text, ".") == 4 }

// of answers the guard for the form of r's token.
func (f forms) of(r *http.Request) *guard.Guard {
	if sealed(r.Header.Get("Authorization")) {
		return f.sealed
	}
	return f.signed
}

// check verifies the token of r.
func (v *verifiers) check(r *http.Request) (*jwt.Token, error) {
	t, err := v.live.of(r).Check(r)
	if err != nil {
		return nil, err
	}
	return v.asRegistered(t, sealed(r.Header.Get("Authorization")))
}

// verify verifies a compact string.
func (v *verifiers) verify(ctx context.Context, compact string) (*jwt.Token, error) {
	verifier := v.live.signedText
	if sealed(compact) {
		verifier = v.live.sealedText
	}
	t, err := verifier.Verify(ctx, compact)
	if err != nil {
		return nil, err
	}
	return v.asRegistered(t, sealed(compact))
}

// asRegistered refuses a token whose form is not its API's: how an API is
// registered decides, not what arrives. What this server signs for an API that
// has a key of its own comes back signed alone, from the API, which has opened
// it: nobody else can.
func (v *verifiers) asRegistered(t *jwt.Token, sealed bool) (*jwt.Token, error) {
	for audience := range t.Audiences() {
		if api, err := v.catalog.Registered(audience); err == nil && api.Opaque == sealed {
			return t, nil
		}
	}
	if sealed {
		return nil, fmt.Errorf("%w: it is encrypted for this server, and its API's tokens are not", jwt.ErrMalformed)
	}
	return nil, fmt.Errorf("%w: it is only signed, and its API's tokens are opaque", jwt.ErrMalformed)
}

// forNow answers the verifiers for the APIs that are registered now.
func (a *Authenticator) forNow() (*verifiers, error) {
	now, v := a.c.Catalog.Now(), a.verifiers.Load()
	if v.catalog == now {
		return v, nil
	}
	v, err := a.verifiersFor(now)
	if err != nil {
		return nil, fmt.Errorf("verifying for the APIs that are registered now: %w", err)
	}
	a.verifiers.Store(v)
	return v, nil
}
