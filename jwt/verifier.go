package jwt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jws"
)

// Verifier verifies tokens, each by the [Policy] of its issuer. It is safe for
// concurrent use.
//
// It keeps tokens that it has verified, and shares them with no other Verifier.
// One that is found there by its whole text is spared the signature and nothing
// else: its key must still be in the key set, and time and revocation are checked
// as at first. A token that was once found expired stays so, even if the clock is
// set back.
type Verifier struct {
	only     *policy            // nil among several
	byIssuer map[string]*policy // nil where there is one
	sealed   DecryptionKeys     // nil where no policy has any
	envelope jws.Verifier
	cache    *cache // nil without a cache
}

// NewVerifier builds a verifier of one policy, or of several, each of another
// issuer. Among several, a token is held to the policy whose Issuer its "iss" is,
// byte for byte: nobody's key can sign for another, whatever its key id. A token
// of no such issuer is [ErrIssuer], and no key is asked for. Whose an encrypted
// token is shows when it has been decrypted, so that all policies with Decryption
// must have the same: the keys are the API's, not an issuer's. The error holds
// every fault of every policy.
func NewVerifier(policies ...Policy) (*Verifier, error) {
	var faults []error
	v := &Verifier{byIssuer: make(map[string]*policy, len(policies))}
	cacheSize := 0
	for i, p := range policies {
		faulty := p.faults()
		if v.byIssuer[p.Issuer] != nil {
			faulty = append(faulty, errors.New("a policy before it has this Issuer too"))
		}
		if p.Decryption != nil && v.sealed != nil && !sameKeys(p.Decryption, v.sealed) {
			faulty = append(faulty, errors.New("another Decryption than a policy before it has: encrypted tokens do not say whose they are, so one set of keys must be for all"))
		}
		if len(policies) > 1 {
			for j, fault := range faulty {
				faulty[j] = fmt.Errorf("policy %d, issuer %q: %w", i+1, p.Issuer, fault)
			}
		}
		faults = append(faults, faulty...)
		if p.Decryption != nil {
			v.sealed = p.Decryption
		}
		v.only = newPolicy(p)
		v.byIssuer[p.Issuer] = v.only
		v.envelope.MaxSize = max(v.envelope.MaxSize, v.only.MaxSize)
		cacheSize = max(cacheSize, v.only.CacheSize)
	}
	if len(policies) == 0 {
		faults = append(faults, errors.New("none was given"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("jwt policy: %w", errors.Join(faults...))
	}
	if len(policies) > 1 {
		v.only = nil
	} else {
		v.byIssuer = nil
	}
	if cacheSize > 0 {
		v.cache = newCache(cacheSize, v.envelope.MaxSize)
	}
	return v, nil
}

// Verify verifies compact and returns its token. The error wraps one of the
// reasons of this package, or is ctx's where Keys or SingleUse gave up because of
// it.
func (v *Verifier) Verify(ctx context.Context, compact string) (*Token, error) {
	if v.cache != nil {
		if e := v.cache.find(compact); e != nil {
			if e.policy.Keys.Trusts(e.token.key) {
				return e.policy.admit(&e.token, e.policy.Now())
			}
			v.cache.remove(e)
		}
	}
	p, text, outer, err := v.open(ctx, compact)
	if err != nil {
		return nil, err
	}
	signed, err := v.envelope.Verify(ctx, text, p.Keys)
	if err != nil {
		return nil, keyError(ctx, err)
	}
	e := &entry{policy: p}
	t := &e.token
	t.policy = p
	t.key, t.typ, t.payload = signed.Key, signed.Header.Type, signed.Payload
	if t.typ != p.Type && mediaType(t.typ) != p.Type {
		return nil, refuse(ErrType, "its \"typ\" is not %q", p.Type)
	}
	if outer != nil {
		if err := p.checkOuter(outer); err != nil {
			return nil, err
		}
	}
	t.claims.audiences, t.claims.roles = t.audienceRoom[:0], t.roleRoom[:0]
	if err := t.claims.parse(t.payload, p.RequiredClaims); err != nil {
		return nil, err
	}
	if outer != nil && !t.claims.repeatedBy(outer) {
		return nil, refuse(ErrMalformed, "the header of the encryption repeats a claim with another value")
	}
	if p.MaxAge > 0 {
		t.claims.expires = min(t.claims.expires, t.claims.issuedAt+int64(p.MaxAge.Seconds()))
	}
	if err := p.standing(t); err != nil {
		return nil, err
	}
	if p.Revocations != nil {
		t.keepFacts(p.keyFact(t.key.KeyID()))
	}
	now := p.Now()
	if _, err := p.admit(t, now); err != nil {
		return nil, err
	}
	if p.SingleUse != nil {
		if err := p.use(ctx, t, now); err != nil {
			return nil, err
		}
	}
	if p.CacheSize > 0 {
		// The caller's text may be part of a larger one, or of a buffer that it
		// uses again.
		e.compact = strings.Clone(compact)
		v.cache.add(e, now)
	}
	return t, nil
}

// Cached reports whether compact is in the cache of verified tokens. It says
// nothing about whether the token is still good.
func (v *Verifier) Cached(compact string) bool {
	return v.cache != nil && v.cache.find(compact) != nil
}

// keyError leaves the reasons as they are. Anything else that a key source says
// means that it could not answer.
func keyError(ctx context.Context, err error) error {
	for _, reason := range []error{ErrMalformed, ErrAlgorithm, ErrSignature, ErrUnknownKey, ErrKeysUnavailable} {
		if errors.Is(err, reason) {
			return err
		}
	}
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
}
