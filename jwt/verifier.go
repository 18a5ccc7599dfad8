package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jws"
)

const (
	defaultLeeway    = 30 * time.Second
	maxLeeway        = 10 * time.Minute
	maxMaxSize       = 64 << 20 // for documents that are tokens, such as a large revocation feed
	defaultCacheSize = 8 << 20
)

// Policy says what a [Verifier] accepts. The zero value of a field is its safe
// default.
type Policy struct {
	// Issuer is what "iss" must be, byte for byte. Required.
	Issuer string
	// Audiences are the names this API goes by. "aud" must hold one of them,
	// byte for byte. Required unless DangerouslyAcceptAnyAudience.
	Audiences []string
	// Keys is where keys come from. Required.
	Keys Keys
	// Revocations is asked about every token. Required unless
	// DangerouslyIgnoreRevocation.
	Revocations Revocations
	// Type is what "typ" must be (RFC 8725 §3.11), compared as RFC 7515 §4.1.9
	// says: "application/" and case do not count. Default "at+jwt".
	Type string
	// Leeway is how far the clocks of issuer and verifier may lie apart, in
	// "exp", "nbf" and "iat". Default 30 s, at most 10 min, negative for none.
	Leeway time.Duration
	// MaxSize bounds the compact string, in bytes. Default 16 KiB, at
	// most 64 MiB; what comes with requests needs no more than the default.
	MaxSize int
	// CacheSize bounds the cache of verified tokens, in bytes. Default 8 MiB,
	// negative for no cache.
	CacheSize int
	// Now is the clock. Default time.Now.
	Now func() time.Time

	// DangerouslyAcceptAnyAudience accepts tokens that were issued for another
	// API, which may then replay its callers' tokens here.
	DangerouslyAcceptAnyAudience bool
	// DangerouslyIgnoreRevocation accepts revoked tokens until they expire.
	DangerouslyIgnoreRevocation bool
	// DangerouslyIgnoreExpiry accepts expired tokens ("exp" must still be
	// there). All other checks remain. It is for acts that an expired but
	// genuine token is enough for, such as ending its own session.
	DangerouslyIgnoreExpiry bool
}

// Verifier verifies tokens by one [Policy]. It is safe for concurrent use.
//
// It keeps tokens that it has verified, and shares them with no other Verifier.
// One that is found there by its whole text is spared the signature and nothing
// else: its key must still be in the key set, and time and revocation are checked
// as at first. A token that was once found expired stays so, even if the clock is
// set back.
type Verifier struct {
	policy   Policy
	envelope jws.Verifier
	cache    *cache // nil without a cache
	expired  expiredMark
}

// NewVerifier builds a verifier. The error holds every fault of p.
func NewVerifier(p Policy) (*Verifier, error) {
	var faults []error
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	fault(p.Issuer == "", "Issuer is empty: name who issues the tokens")
	fault(p.Keys == nil, "Keys is nil: give a key set, such as a *jwk.Set")
	fault(len(p.Audiences) == 0 && !p.DangerouslyAcceptAnyAudience,
		"Audiences is empty: name this API as its tokens do, or any API's tokens would open it")
	fault(len(p.Audiences) != 0 && p.DangerouslyAcceptAnyAudience,
		"Audiences and DangerouslyAcceptAnyAudience contradict each other")
	fault(slices.Contains(p.Audiences, ""), "Audiences holds an empty name")
	fault(p.Revocations == nil && !p.DangerouslyIgnoreRevocation,
		"Revocations is nil: revoked tokens would be accepted until they expire")
	fault(p.Revocations != nil && p.DangerouslyIgnoreRevocation,
		"Revocations and DangerouslyIgnoreRevocation contradict each other")
	fault(p.Leeway > maxLeeway, "Leeway is over 10 minutes: set the clocks instead")
	fault(p.MaxSize < 0 || p.MaxSize > maxMaxSize, "MaxSize is not between 0 and 64 MiB")
	if len(faults) > 0 {
		return nil, fmt.Errorf("jwt policy: %w", errors.Join(faults...))
	}
	p.Audiences = slices.Clone(p.Audiences)
	if p.Type == "" {
		p.Type = DefaultType
	}
	p.Type = mediaType(p.Type)
	switch {
	case p.Leeway == 0:
		p.Leeway = defaultLeeway
	case p.Leeway < 0:
		p.Leeway = 0
	}
	if p.MaxSize == 0 {
		p.MaxSize = jws.DefaultMaxSize
	}
	if p.CacheSize == 0 {
		p.CacheSize = defaultCacheSize
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	v := &Verifier{policy: p}
	v.envelope.MaxSize = p.MaxSize
	if p.CacheSize > 0 {
		v.cache = newCache(p.CacheSize, p.MaxSize)
	}
	return v, nil
}

// Verify verifies compact and returns its token. The error wraps one of the
// reasons of this package, or is ctx's where Keys gave up because of it.
func (v *Verifier) Verify(ctx context.Context, compact string) (*Token, error) {
	if v.cache != nil {
		if e := v.cache.find(compact); e != nil {
			if v.policy.Keys.Trusts(e.token.key) {
				return v.admit(&e.token, v.policy.Now())
			}
			v.cache.remove(e)
		}
	}
	signed, err := v.envelope.Verify(ctx, compact, v.policy.Keys)
	if err != nil {
		return nil, keyError(ctx, err)
	}
	e := &entry{compact: signed.Compact}
	t := &e.token
	t.key, t.typ, t.payload = signed.Key, signed.Header.Type, signed.Payload
	if t.typ != v.policy.Type && mediaType(t.typ) != v.policy.Type {
		return nil, refuse(ErrType, "its \"typ\" is not %q", v.policy.Type)
	}
	t.claims.audiences, t.claims.roles = t.audienceRoom[:0], t.roleRoom[:0]
	if err := t.claims.parse(t.payload); err != nil {
		return nil, err
	}
	if err := v.standing(t); err != nil {
		return nil, err
	}
	if v.policy.Revocations != nil {
		t.keepFacts()
	}
	now := v.policy.Now()
	admitted, err := v.admit(t, now)
	if err == nil && v.cache != nil {
		v.cache.add(e, now)
	}
	return admitted, err
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

// standing checks what never changes about a token: who issued it, and for whom.
func (v *Verifier) standing(t *Token) error {
	if t.claims.issuer != v.policy.Issuer {
		return refuse(ErrIssuer, "\"iss\" is not %q", v.policy.Issuer)
	}
	if !v.policy.DangerouslyAcceptAnyAudience && !slices.ContainsFunc(v.policy.Audiences, t.HasAudience) {
		return refuse(ErrAudience, "none of its %d audiences is this API's", len(t.claims.audiences))
	}
	return nil
}

// admit checks what changes as time goes by: at each use of a token, verified
// just now or found in the cache.
func (v *Verifier) admit(t *Token, now time.Time) (*Token, error) {
	if err := v.inTime(&t.claims, now); err != nil {
		return nil, err
	}
	if v.policy.Revocations != nil {
		if err := v.policy.Revocations.Check(t, now); err != nil {
			if errors.Is(err, ErrRevoked) || errors.Is(err, ErrRevocationUnavailable) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", ErrRevocationUnavailable, err)
		}
	}
	return t, nil
}

func (v *Verifier) inTime(c *claims, now time.Time) error {
	leeway, seconds := v.policy.Leeway, now.Unix()
	// Without leeway the comparison of whole seconds decides; only a token that
	// needs leeway, or fails, is looked at more closely.
	if c.notBefore > seconds {
		if early := time.Unix(c.notBefore, 0).Sub(now); early > leeway {
			return refuse(ErrNotYetValid, "\"nbf\" is %s ahead, leeway %s", round(early), leeway)
		}
	}
	if c.issuedAt > seconds {
		if early := time.Unix(c.issuedAt, 0).Sub(now); early > leeway {
			return refuse(ErrNotYetValid, "\"iat\" is %s ahead, leeway %s", round(early), leeway)
		}
	}
	if v.policy.DangerouslyIgnoreExpiry {
		return nil
	}
	if c.expires <= seconds {
		if late := now.Sub(time.Unix(c.expires, 0)); late >= leeway {
			v.expired.mark(c)
			return refuse(ErrExpired, "%s ago, leeway %s", round(late), leeway)
		}
	}
	if v.expired.covers(c) {
		return refuse(ErrExpired, "it was expired before the clock was set back")
	}
	return nil
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// expiredMark remembers the tokens that were seen expired, so that none of them
// revives when the clock is set back. A mark of the latest time seen would do
// so too, but after a clock that ran ahead it would refuse every good token
// until time has caught up. This one keeps the latest "exp" and the latest "iat"
// of genuine tokens found expired: a token is covered where neither of its times
// is later. Each token seen expired is covered for good, and one that is issued
// after them is not.
type expiredMark struct{ expires, issued atomic.Int64 }

func (m *expiredMark) mark(c *claims) {
	raise(&m.issued, c.issuedAt)
	raise(&m.expires, c.expires)
}

func (m *expiredMark) covers(c *claims) bool {
	return c.expires <= m.expires.Load() && c.issuedAt <= m.issued.Load()
}

func raise(mark *atomic.Int64, to int64) {
	for {
		at := mark.Load()
		if at >= to || mark.CompareAndSwap(at, to) {
			return
		}
	}
}

// mediaType is the short, lower-case form of a "typ": RFC 7515 §4.1.9 lets
// "application/" be left out where no other slash follows.
func mediaType(typ string) string {
	typ = strings.ToLower(typ)
	if short, ok := strings.CutPrefix(typ, "application/"); ok && !strings.Contains(short, "/") {
		return short
	}
	return typ
}
