// Package jwk holds keys of JSON Web Signatures (RFC 7517, RFC 7518, RFC 8037)
// and all that a single key can do: sign, verify, be read and written as a JWK
// or as PEM, and say its thumbprint (RFC 7638).
//
// A key carries its one algorithm and its key id from the moment it is made.
// Nothing ever chooses an algorithm for it afterwards, and no kind of key can
// stand in for another: [SecretKey] is HMAC, [PublicKey] and [PrivateKey] are
// RSA, ECDSA and Ed25519, and the type of a key is never guessed from its bytes.
//
// Weak keys are refused when they are made, never later: HMAC secrets shorter
// than their hash or plainly guessable, RSA moduli outside 2048 to 8192 bits or
// with the ROCA fingerprint, RSA exponents that are even or under 65537, points
// off their curve or of small order, halves that do not belong together, keys
// marked for encryption.
//
// There is no "none", no network and no file in this package. Remote key sets
// are package jwks; the envelope that is signed is package jws.
package jwk

import (
	"crypto"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Algorithm is the "alg" of a key (RFC 7518 §3.1, RFC 8037 §3.1).
type Algorithm string

// The algorithms that exist here.
const (
	HS256 Algorithm = "HS256" // HMAC with SHA-256, RFC 7518 §3.2
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 §3.3
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256, RFC 7518 §3.4
	EdDSA Algorithm = "EdDSA" // Ed25519, RFC 8037 §3.1
)

// algorithms is every algorithm with the family that performs it.
var algorithms = map[Algorithm]family{
	HS256: {kty: "oct"},
	RS256: rsaFamily,
	ES256: ecdsaFamily,
	EdDSA: ed25519Family,
}

// Known reports whether alg is one of the algorithms of this package.
func (alg Algorithm) Known() bool {
	_, ok := algorithms[alg]
	return ok
}

var (
	// ErrSignature means that a signature is not the key's over the message.
	ErrSignature = errors.New("signature does not verify")
	// ErrUnknownKey means that a key set holds no key of the id asked for.
	ErrUnknownKey = errors.New("unknown key")
)

// Signer is a key that signs: [*PrivateKey] or [*SecretKey]. Both are safe for
// concurrent use.
type Signer interface {
	KeyID() string
	Algorithm() Algorithm
	// AppendSignature appends the signature of message, in the form that
	// RFC 7518 §3 gives it, to dst.
	AppendSignature(dst, message []byte) ([]byte, error)
	sealed()
}

// Verifier is a key that verifies: [*PublicKey] or [*SecretKey]. Both are safe
// for concurrent use.
type Verifier interface {
	KeyID() string
	Algorithm() Algorithm
	// Verify returns nil or [ErrSignature].
	Verify(message, signature []byte) error
	sealed()
}

// A family performs one or more algorithms with one kind of key pair. The
// functions refuse a key that is weak or contradicts the algorithm.
type family struct {
	kty, crv string
	generate func(Algorithm) (crypto.Signer, error)
	public   func(Algorithm, crypto.PublicKey) (publicHalf, error)
	private  func(Algorithm, crypto.PrivateKey) (privateHalf, crypto.PublicKey, error)
	// readPublic and readPrivate read the members of a JWK. What they return
	// has yet to pass through public or private.
	readPublic  func(Algorithm, *document) (crypto.PublicKey, error)
	readPrivate func(Algorithm, *document) (crypto.PrivateKey, error)
}

// publicHalf is what one family does with a public key.
type publicHalf interface {
	verify(message, signature []byte) error
	key() crypto.PublicKey
	// describe fills in the members of RFC 7518 §6 that stand for the key.
	describe(*document)
}

// privateHalf is what one family does with a private key.
type privateHalf interface {
	appendSignature(dst, message []byte) ([]byte, error)
	key() crypto.PrivateKey
	describe(*document)
}

func asymmetric(alg Algorithm) (family, error) {
	f, ok := algorithms[alg]
	switch {
	case !ok:
		return f, fmt.Errorf("unknown algorithm %q: use RS256, ES256 or EdDSA", clip(string(alg)))
	case f.public == nil:
		return f, fmt.Errorf("%s is a shared secret's algorithm, not a key pair's: use RS256, ES256 or EdDSA", alg)
	}
	return f, nil
}

const maxKeyID = 200

func checkKeyID(kid string) error {
	switch {
	case kid == "":
		return errors.New("empty key id")
	case len(kid) > maxKeyID:
		return fmt.Errorf("key id of %d bytes: at most %d", len(kid), maxKeyID)
	case !utf8.ValidString(kid):
		return errors.New("key id is not UTF-8")
	}
	for _, r := range kid {
		if r < ' ' || r == 0x7f {
			return errors.New("control character in the key id")
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
