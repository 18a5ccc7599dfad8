// Package jwt issues and verifies JSON Web Tokens (RFC 7519) that are signed,
// or signed and then encrypted, in the compact serialization, for APIs (RFC
// 9068), following RFC 8725.
//
// [Issuer] makes tokens. [Verifier] turns a compact string into a [*Token] or
// an error, never both, and a Token comes from nowhere else: it is verified by
// definition, immutable, and hands out no map. [Inspect] is for looking at a
// token of which nothing is known.
//
// A Verifier cannot be built without an issuer, an audience, keys and a source
// of revocations, and it cannot be talked out of "exp". Its checks run in one
// order, and the first that fails is the only reason told:
//
//	size and form → decryption → algorithm and key → signature → typ, form of the claims, iss, aud → nbf, iat → exp → revocation → single use
//
// One Verifier may take the tokens of several issuers, each by a [Policy] of its
// own, and tokens that are good once, which it notes in [Replays].
//
// A [Policy] with decryption keys takes encrypted tokens and no others, one
// without takes none: what arrives has no say in it. What is inside must be
// signed all the same, since anybody can encrypt with a public key, and what has
// only been decrypted is handed to nobody.
//
// The package refuses to choose an algorithm by the token, to follow key URLs
// in a header, to verify without a key id among several keys, to decrypt a token
// within an encrypted token, and to reach the network. Remote keys are package jwks, revocations package revocation, HTTP
// package guard, rules over a token package authz.
package jwt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// The reasons for which a token is refused. Errors of [Verifier.Verify] wrap
// exactly one of them and add the numbers, never text out of the token.
var (
	ErrMalformed   = jws.ErrMalformed
	ErrAlgorithm   = jws.ErrAlgorithm
	ErrUnknownKey  = jwk.ErrUnknownKey
	ErrSignature   = jwk.ErrSignature
	ErrDecrypt     = jwk.ErrDecryption
	ErrType        = errors.New("wrong token type")
	ErrIssuer      = errors.New("wrong issuer")
	ErrAudience    = errors.New("wrong audience")
	ErrNotYetValid = errors.New("token not yet valid")
	ErrExpired     = errors.New("token expired")
	ErrRevoked     = errors.New("token revoked")
	ErrReplayed    = errors.New("token used before")
	// ErrKeysUnavailable, ErrRevocationUnavailable and ErrReplaysUnavailable say
	// nothing about the token: what is needed to judge it cannot be had at the
	// moment.
	ErrKeysUnavailable       = errors.New("keys unavailable")
	ErrRevocationUnavailable = errors.New("revocations unavailable")
	ErrReplaysUnavailable    = errors.New("replay cache unavailable")
)

// Keys is where a verifier's keys come from: [*jwk.Set], or jwks.Remote.
// Implementations are safe for concurrent use.
type Keys interface {
	// Key returns the key of that id, or an error that wraps [ErrUnknownKey] or
	// [ErrKeysUnavailable]. kid is empty where the token names no key: then only
	// a set of exactly one key may answer.
	Key(ctx context.Context, kid string) (jwk.Verifier, error)
	// Trusts reports whether this very key is in the present set. It is asked
	// for each token that was verified before: it takes no lock and allocates
	// nothing.
	Trusts(key jwk.Verifier) bool
}

// DecryptionKeys is where the keys come from that decrypt: [*jwk.DecryptionSet].
// Implementations are safe for concurrent use.
type DecryptionKeys interface {
	// Key returns the key of that id, or an error that wraps [ErrUnknownKey] or
	// [ErrKeysUnavailable]. kid is empty where the token names no key: then only
	// a set of exactly one key may answer.
	Key(ctx context.Context, kid string) (jwk.Decrypter, error)
}

// Revocations knows which tokens were revoked: revocation.Follower, or
// revocation.Set.
type Revocations interface {
	// Check returns nil, or an error that wraps [ErrRevoked] or
	// [ErrRevocationUnavailable]; any other error counts as the latter. It is
	// asked at each verification: it takes no lock.
	Check(t *Token, now time.Time) error
}

// DefaultType is the "typ" of access tokens (RFC 9068 §2.1).
const DefaultType = "at+jwt"

// refuse makes an error that wraps reason and tells the numbers.
func refuse(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", reason, fmt.Sprintf(format, args...))
}
