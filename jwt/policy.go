package jwt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

const (
	defaultLeeway    = 30 * time.Second
	maxLeeway        = 10 * time.Minute
	maxMaxSize       = 64 << 20 // for documents that are tokens, such as a large revocation feed
	defaultCacheSize = 8 << 20
)

// Policy says which tokens of one issuer a [Verifier] accepts. The zero value of
// a field is its safe default.
type Policy struct {
	// Issuer is what "iss" must be, byte for byte. Required.
	Issuer string
	// Audiences are the names this API goes by. "aud" must hold one of them,
	// byte for byte. Required unless DangerouslyAcceptAnyAudience.
	Audiences []string
	// Keys is where keys come from. Required.
	Keys Keys
	// Decryption, if given, are the keys of this API, and its tokens must be
	// encrypted for one of them (RFC 7519 §5.2): a token that is only signed is
	// then [ErrMalformed], as an encrypted one is without it. Policies of one
	// verifier that have it must have the same. What the cache holds is not
	// decrypted again: a key that is taken away is asked for no new token, and
	// with a negative CacheSize for none at all.
	Decryption DecryptionKeys
	// Revocations is asked about every token. Required unless
	// DangerouslyIgnoreRevocation.
	Revocations Revocations
	// Type is what "typ" must be (RFC 8725 §3.11), compared as RFC 7515 §4.1.9
	// says: "application/" and case do not count. Default "at+jwt".
	Type string
	// Algorithms, if given, are the only ones of the issuer's keys that count.
	// The algorithm is the key's in any case: this is for key sets that another
	// party fills.
	Algorithms []jwk.Algorithm
	// RequiredClaims are the names of claims that must be there, besides "exp",
	// "iss" and "aud" (RFC 9068 §2.2 has "sub", "client_id", "iat" and "jti").
	RequiredClaims []string
	// MaxAge, if given, ends a token that long after its "iat", which must then
	// be there, however late its "exp" is, with the same leeway. Whole seconds.
	MaxAge time.Duration
	// SingleUse, if given, makes each token good for one call: its "jti", which
	// must then be there, is noted in SingleUse once all other checks have
	// passed. Tokens that are checked by rules afterwards are used up whatever
	// the rules say. See [Replays].
	SingleUse Replays
	// Leeway is how far the clocks of issuer and verifier may lie apart, in
	// "exp", "nbf" and "iat". Default 30 s, at most 10 min, negative for none.
	Leeway time.Duration
	// MaxSize bounds the compact string, in bytes. Default 16 KiB, at
	// most 64 MiB; what comes with requests needs no more than the default.
	MaxSize int
	// CacheSize bounds the cache of verified tokens, in bytes. Default 8 MiB,
	// negative for keeping none of this policy's. Several policies share one
	// cache, of the largest size among them.
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

// faults returns everything that is wrong with p.
func (p *Policy) faults() (faults []error) {
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	fault(p.Issuer == "", "Issuer is empty: name who issues the tokens")
	fault(absent(p.Keys), "Keys is nil: give a key set, such as a *jwk.Set")
	fault(p.Decryption != nil && absent(p.Decryption), "Decryption holds a nil pointer")
	fault(len(p.Audiences) == 0 && !p.DangerouslyAcceptAnyAudience,
		"Audiences is empty: name this API as its tokens do, or any API's tokens would open it")
	fault(len(p.Audiences) != 0 && p.DangerouslyAcceptAnyAudience,
		"Audiences and DangerouslyAcceptAnyAudience contradict each other")
	fault(slices.Contains(p.Audiences, ""), "Audiences holds an empty name")
	fault(absent(p.Revocations) && !p.DangerouslyIgnoreRevocation,
		"Revocations is nil: revoked tokens would be accepted until they expire")
	fault(p.Revocations != nil && p.DangerouslyIgnoreRevocation,
		"Revocations and DangerouslyIgnoreRevocation contradict each other")
	for _, alg := range p.Algorithms {
		fault(!alg.Known(), fmt.Sprintf("Algorithms holds %q, which does not exist", alg))
	}
	fault(p.SingleUse != nil && absent(p.SingleUse), "SingleUse holds a nil pointer")
	fault(slices.Contains(p.RequiredClaims, ""), "RequiredClaims holds an empty name")
	fault(p.MaxAge != 0 && (p.MaxAge < time.Second || p.MaxAge%time.Second != 0), "MaxAge is not a whole number of seconds")
	fault(p.MaxAge != 0 && p.DangerouslyIgnoreExpiry, "MaxAge and DangerouslyIgnoreExpiry contradict each other")
	fault(p.SingleUse != nil && p.DangerouslyIgnoreExpiry,
		"SingleUse and DangerouslyIgnoreExpiry contradict each other: what was used is remembered until it expires")
	fault(p.Leeway > maxLeeway, "Leeway is over 10 minutes: set the clocks instead")
	fault(p.MaxSize < 0 || p.MaxSize > maxMaxSize, "MaxSize is not between 0 and 64 MiB")
	return faults
}

// absent reports whether v, an interface, holds nothing or a nil pointer, such as
// what a function returns beside an error that nobody looked at.
func absent(v any) bool {
	value := reflect.ValueOf(v)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// policy is a Policy without faults, filled in, and what it has seen.
type policy struct {
	Policy
	expired expiredMark
	lastKey atomic.Pointer[keyFact]
}

func newPolicy(p Policy) *policy {
	p.Audiences, p.RequiredClaims = slices.Clone(p.Audiences), slices.Clone(p.RequiredClaims)
	if len(p.Algorithms) > 0 {
		p.Keys = &keysOf{p.Keys, slices.Clone(p.Algorithms)}
	}
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
	if p.MaxAge > 0 {
		p.RequiredClaims = append(p.RequiredClaims, "iat")
	}
	if p.SingleUse != nil {
		p.RequiredClaims = append(p.RequiredClaims, "jti")
		p.CacheSize = -1 // what is good once is not found again
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
	return &policy{Policy: p}
}

// keysOf are the keys of certain algorithms among others.
type keysOf struct {
	Keys
	algorithms []jwk.Algorithm
}

func (k *keysOf) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	key, err := k.Keys.Key(ctx, kid)
	if err != nil || key == nil {
		return nil, err
	}
	if !slices.Contains(k.algorithms, key.Algorithm()) {
		return nil, refuse(ErrAlgorithm, "the policy takes no %s", key.Algorithm())
	}
	return key, nil
}

// standing checks what never changes about a token: who issued it, and for whom.
func (p *policy) standing(t *Token) error {
	if t.claims.issuer != p.Issuer {
		return refuse(ErrIssuer, "\"iss\" is not %q", p.Issuer)
	}
	if !p.DangerouslyAcceptAnyAudience && !slices.ContainsFunc(p.Audiences, t.HasAudience) {
		return refuse(ErrAudience, "none of its %d audiences is this API's", len(t.claims.audiences))
	}
	return nil
}

// admit checks what changes as time goes by: at each use of a token, verified
// just now or found in the cache.
func (p *policy) admit(t *Token, now time.Time) (*Token, error) {
	if err := p.inTime(&t.claims, now); err != nil {
		return nil, err
	}
	if p.Revocations != nil {
		if err := p.Revocations.Check(t, now); err != nil {
			if errors.Is(err, ErrRevoked) || errors.Is(err, ErrRevocationUnavailable) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", ErrRevocationUnavailable, err)
		}
	}
	return t, nil
}

func (p *policy) inTime(c *claims, now time.Time) error {
	leeway, seconds := p.Leeway, now.Unix()
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
	if p.DangerouslyIgnoreExpiry {
		return nil
	}
	if c.expires <= seconds {
		if late := now.Sub(time.Unix(c.expires, 0)); late >= leeway {
			p.expired.mark(c)
			return refuse(ErrExpired, "%s ago, leeway %s", round(late), leeway)
		}
	}
	if p.expired.covers(c) {
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
