package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// PublicKey verifies the signatures of one key pair with one algorithm. It is
// immutable and a [Verifier].
type PublicKey struct {
	alg        Algorithm
	kid        string
	thumbprint string
	half       publicHalf
}

// PrivateKey signs with one algorithm. It is immutable and a [Signer]. It
// prints as its algorithm and key id only, and json.Marshal of it fails: see
// [PrivateKey.MarshalPrivateJWK]. Its private half may live elsewhere: see
// [FromSigner].
type PrivateKey struct {
	public *PublicKey
	half   privateHalf
}

// Generate makes a new key pair: RSA of 2048 bits for RS* and PS*. Its key id is its
// thumbprint. HMAC secrets are made by [GenerateSecret].
func Generate(alg Algorithm) (*PrivateKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	key, err := f.generate()
	if err != nil {
		return nil, fmt.Errorf("generating an %s key: %w", alg, err)
	}
	return newPrivate(alg, key, "")
}

// NewRSAPublic makes a public key of an RSA algorithm. An empty kid stands for
// the thumbprint, as in all functions for key pairs.
func NewRSAPublic(alg Algorithm, key *rsa.PublicKey, kid string) (*PublicKey, error) {
	return newPublic(alg, key, kid)
}

// NewRSAPrivate makes a private key of an RSA algorithm.
func NewRSAPrivate(alg Algorithm, key *rsa.PrivateKey, kid string) (*PrivateKey, error) {
	return newPrivate(alg, key, kid)
}

// NewECDSAPublic makes a public key of an ECDSA algorithm, on its curve.
func NewECDSAPublic(alg Algorithm, key *ecdsa.PublicKey, kid string) (*PublicKey, error) {
	return newPublic(alg, key, kid)
}

// NewECDSAPrivate makes a private key of an ECDSA algorithm, on its curve.
func NewECDSAPrivate(alg Algorithm, key *ecdsa.PrivateKey, kid string) (*PrivateKey, error) {
	return newPrivate(alg, key, kid)
}

// NewEd25519Public makes a public key of [EdDSA] or [Ed25519].
func NewEd25519Public(alg Algorithm, key ed25519.PublicKey, kid string) (*PublicKey, error) {
	return newPublic(alg, key, kid)
}

// NewEd25519Private makes a private key of [EdDSA] or [Ed25519].
func NewEd25519Private(alg Algorithm, key ed25519.PrivateKey, kid string) (*PrivateKey, error) {
	return newPrivate(alg, key, kid)
}

func newPublic(alg Algorithm, key crypto.PublicKey, kid string) (*PublicKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	half, err := f.public(key)
	if err != nil {
		return nil, fmt.Errorf("%s public key: %w", alg, err)
	}
	var d document
	half.describe(&d)
	sum := sha256.Sum256(d.thumbprintInput())
	k := &PublicKey{alg: alg, kid: kid, thumbprint: b64.Encode(sum[:]), half: half}
	if kid == "" {
		k.kid = k.thumbprint
	}
	if err := checkKeyID(k.kid); err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	return k, nil
}

func newPrivate(alg Algorithm, key crypto.PrivateKey, kid string) (*PrivateKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	half, pub, err := f.private(key)
	if err != nil {
		return nil, fmt.Errorf("%s private key: %w", alg, err)
	}
	public, err := newPublic(alg, pub, kid)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{public: public, half: half}, nil
}

// KeyID returns the key id, never empty.
func (k *PublicKey) KeyID() string { return k.kid }

// Algorithm returns the one algorithm of the key.
func (k *PublicKey) Algorithm() Algorithm { return k.alg }

// Verify returns nil or [ErrSignature].
func (k *PublicKey) Verify(message, signature []byte) error {
	return k.half.verify(message, signature)
}

// Thumbprint returns the base64url of the key's SHA-256 thumbprint (RFC 7638).
func (k *PublicKey) Thumbprint() string { return k.thumbprint }

// Equal reports whether o is the same key with the same algorithm and key id.
func (k *PublicKey) Equal(o *PublicKey) bool {
	return k != nil && o != nil && k.alg == o.alg && k.kid == o.kid && k.thumbprint == o.thumbprint
}

// String returns the algorithm and the key id.
func (k *PublicKey) String() string { return fmt.Sprintf("jwk.PublicKey(%s %s)", k.alg, k.kid) }

func (k *PublicKey) sealed() {}

// KeyID returns the key id, never empty.
func (k *PrivateKey) KeyID() string { return k.public.kid }

// Algorithm returns the one algorithm of the key.
func (k *PrivateKey) Algorithm() Algorithm { return k.public.alg }

// AppendSignature appends the signature of message to dst. ECDSA signatures
// have a deterministic nonce (RFC 6979).
func (k *PrivateKey) AppendSignature(dst, message []byte) ([]byte, error) {
	return k.half.appendSignature(dst, message)
}

// local returns the private half if it is in this process.
func (k *PrivateKey) local() (localHalf, error) {
	half, ok := k.half.(localHalf)
	if !ok {
		return nil, errors.New("the private half is not in this process and cannot be written down")
	}
	return half, nil
}

// Public returns the public half, which has the same key id.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// String returns the algorithm and the key id, never the key.
func (k PrivateKey) String() string {
	return fmt.Sprintf("jwk.PrivateKey(%s %s)", k.public.alg, k.public.kid)
}

// Format prints String under every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue returns String.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON fails, so that no private key is written by accident.
func (k PrivateKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("private keys are not marshalled in passing: call MarshalPrivateJWK")
}

func (k *PrivateKey) sealed() {}

// SecretKey is an HMAC secret: whoever verifies with it can sign with it. It is
// immutable, a [Signer] and a [Verifier], and prints as a [PrivateKey] does.
type SecretKey struct {
	alg  Algorithm
	kid  string
	hmac *hmacKey
}

// KeyID returns the key id, never empty.
func (k *SecretKey) KeyID() string { return k.kid }

// Algorithm returns the one algorithm of the secret.
func (k *SecretKey) Algorithm() Algorithm { return k.alg }

// AppendSignature appends the MAC of message to dst.
func (k *SecretKey) AppendSignature(dst, message []byte) ([]byte, error) {
	return k.hmac.append(dst, message), nil
}

// Verify returns nil or [ErrSignature], in time that does not depend on where
// the MACs differ.
func (k *SecretKey) Verify(message, mac []byte) error { return k.hmac.verify(message, mac) }

// Equal reports whether o is the same secret with the same algorithm and key
// id, in constant time for secrets of one length.
func (k *SecretKey) Equal(o *SecretKey) bool {
	return k != nil && o != nil && k.alg == o.alg && k.kid == o.kid &&
		subtle.ConstantTimeCompare(k.hmac.secret, o.hmac.secret) == 1
}

// String returns the algorithm and the key id, never the secret.
func (k SecretKey) String() string { return fmt.Sprintf("jwk.SecretKey(%s %s)", k.alg, k.kid) }

// Format prints String under every verb.
func (k SecretKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue returns String.
func (k SecretKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON fails, so that no secret is written by accident.
func (k SecretKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("secrets are not marshalled in passing: call MarshalSecretJWK")
}

func (k *SecretKey) sealed() {}
