// Package jwk holds keys of JSON Web Signatures and JSON Web Encryption (RFC 7517,
// RFC 7518, RFC 8037) and all that a single key can do: sign, verify, encrypt,
// decrypt, be read and written as a JWK or as PEM, and say its thumbprint (RFC
// 7638).
//
// A key carries its one algorithm and its key id from the moment it is made.
// Nothing ever chooses an algorithm for it afterwards, and no kind of key can
// stand in for another: [SecretKey] is HMAC, [PublicKey] and [PrivateKey] are
// RSA, ECDSA and Ed25519, and the type of a key is never guessed from its bytes.
//
//	a new key            Generate, GenerateSecret
//	a JWK                ParsePrivate, ParsePublic, ParseSecret
//	PEM, a certificate   ParsePrivatePEM, ParsePublicPEM
//	a key of Go's        NewRSAPrivate, NewECDSAPublic, …, NewHMAC
//	an HSM, a KMS        FromSigner
//	a published set      ParseSet; package jwks fetches one and keeps it
//
// Keys for encryption are types of their own, and none is ever taken for one that
// signs, nor the reverse: [EncryptionKey] is the public half of a pair and
// [DecryptionKey] the private one (RSA-OAEP-256, ECDH-ES); [SharedKey] is symmetric
// (A*KW, A*GCMKW, dir); [Password] is for files. Each carries its one key
// management and the content encryptions that it allows. There is no member of a
// JWK for those: it is for whoever reads the key to say, or they are A256GCM, or
// what the member "enc" says that is written here.
//
//	a new key            GenerateDecryption, GenerateShared
//	a JWK                ParseDecryption, ParseEncryption, ParseShared
//	PEM, a certificate   ParseDecryptionPEM, ParseEncryptionPEM
//	a key of Go's        NewRSADecryption, NewECDHDecryption, NewShared
//	a published set      ParseEncryptionSet; NewDecryptionSet is whoever publishes it
//
// Which algorithm? [ES256] where others must verify: every library knows it, and
// keys and tokens are small. [EdDSA] is faster to sign and to verify. RS256 and
// PS256 are for systems that ask for RSA. HS256 is for a secret that never
// leaves one service, since whoever can verify can sign.
//
// Weak keys are refused when they are made, never later: HMAC secrets shorter
// than their hash or plainly guessable, RSA moduli outside 2048 to 8192 bits or
// with the ROCA fingerprint, RSA exponents that are even or under 65537, points
// off their curve or of small order, halves that do not belong together, keys
// marked for another use.
//
// ECDSA signs with the nonce of RFC 6979, so that no weakness of a random source
// can give a key away. All of this works in Go's FIPS 140-3 mode.
//
// There is no "none", no network and no file in this package. The envelope that
// is signed is package jws, the one that is encrypted package jwe; tokens are
// package jwt.
package jwk

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Algorithm is the "alg" of a key (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
type Algorithm string

// The algorithms that exist here.
const (
	HS256 Algorithm = "HS256" // HMAC with SHA-256, RFC 7518 §3.2
	HS384 Algorithm = "HS384" // HMAC with SHA-384
	HS512 Algorithm = "HS512" // HMAC with SHA-512

	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 §3.3
	RS384 Algorithm = "RS384" // RSASSA-PKCS1-v1_5 with SHA-384
	RS512 Algorithm = "RS512" // RSASSA-PKCS1-v1_5 with SHA-512

	PS256 Algorithm = "PS256" // RSASSA-PSS with SHA-256 and a salt of 32 bytes, RFC 7518 §3.5
	PS384 Algorithm = "PS384" // RSASSA-PSS with SHA-384 and a salt of 48 bytes
	PS512 Algorithm = "PS512" // RSASSA-PSS with SHA-512 and a salt of 64 bytes

	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256, RFC 7518 §3.4
	ES384 Algorithm = "ES384" // ECDSA on P-384 with SHA-384
	ES512 Algorithm = "ES512" // ECDSA on P-521 with SHA-512

	// EdDSA and Ed25519 are two names of one algorithm. A key has one of them
	// and a token must say the same: a verifier that took either for the other
	// would let the token choose.
	EdDSA   Algorithm = "EdDSA"   // on Ed25519 only, RFC 8037 §3.1; the name that most libraries know
	Ed25519 Algorithm = "Ed25519" // the fully-specified name, RFC 9864 §2.2
)

// algorithms is every algorithm, in the order of the constants. A row has what
// is done with secrets or what is done with pairs, never both.
var algorithms = []struct {
	name   Algorithm
	secret *hmacFamily
	pair   family
}{
	{HS256, &hmacFamily{sha256.New, sha256.Size}, nil},
	{HS384, &hmacFamily{sha512.New384, sha512.Size384}, nil},
	{HS512, &hmacFamily{sha512.New, sha512.Size}, nil},
	{RS256, nil, rsaFamily{hash: crypto.SHA256}},
	{RS384, nil, rsaFamily{hash: crypto.SHA384}},
	{RS512, nil, rsaFamily{hash: crypto.SHA512}},
	{PS256, nil, rsaFamily{hash: crypto.SHA256, pss: true}},
	{PS384, nil, rsaFamily{hash: crypto.SHA384, pss: true}},
	{PS512, nil, rsaFamily{hash: crypto.SHA512, pss: true}},
	{ES256, nil, &ecdsaFamily{elliptic.P256(), "P-256", 32, crypto.SHA256}},
	{ES384, nil, &ecdsaFamily{elliptic.P384(), "P-384", 48, crypto.SHA384}},
	{ES512, nil, &ecdsaFamily{elliptic.P521(), "P-521", 66, crypto.SHA512}},
	{EdDSA, nil, ed25519Family{}},
	{Ed25519, nil, ed25519Family{}},
}

// Algorithms returns every algorithm of this package.
func Algorithms() []Algorithm {
	all := make([]Algorithm, len(algorithms))
	for i, a := range algorithms {
		all[i] = a.name
	}
	return all
}

// Known reports whether alg is one of the algorithms of this package.
func (alg Algorithm) Known() bool {
	for i := range algorithms {
		if algorithms[i].name == alg {
			return true
		}
	}
	return false
}

// Symmetric reports whether whoever verifies alg can sign with it: HS256, HS384
// and HS512.
func (alg Algorithm) Symmetric() bool { return alg.hmac() != nil }

// hmac returns what is done with secrets of alg, or nil.
func (alg Algorithm) hmac() *hmacFamily {
	for i := range algorithms {
		if algorithms[i].name == alg {
			return algorithms[i].secret
		}
	}
	return nil
}

// pair returns what is done with key pairs of alg.
func (alg Algorithm) pair() (family, error) {
	for _, a := range algorithms {
		switch {
		case a.name == alg && a.pair != nil:
			return a.pair, nil
		case a.name == alg:
			return nil, fmt.Errorf("%s is a shared secret's algorithm, not a key pair's: use ES256, EdDSA or RS256", alg)
		}
	}
	return nil, fmt.Errorf("unknown algorithm %q: use ES256, EdDSA or RS256", clip(string(alg)))
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

// A family is one algorithm with one kind of key pair. Its functions refuse a
// key that is weak or contradicts the algorithm.
type family interface {
	kind() (kty, crv string)
	// options are what a crypto.Signer is asked with.
	options() crypto.SignerOpts
	generate() (crypto.Signer, error)
	public(crypto.PublicKey) (publicHalf, error)
	private(crypto.PrivateKey) (localHalf, crypto.PublicKey, error)
	// readPublic and readPrivate read the members of a JWK. What they return
	// has yet to pass through public or private.
	readPublic(*document) (crypto.PublicKey, error)
	readPrivate(*document) (crypto.PrivateKey, error)
}

// publicHalf is what one family does with a public key.
type publicHalf interface {
	verify(message, signature []byte) error
	key() crypto.PublicKey
	// describe fills in the members of RFC 7518 §6 that stand for the key.
	describe(*document)
}

// privateHalf is what one family does with a private key, wherever that is.
type privateHalf interface {
	appendSignature(dst, message []byte) ([]byte, error)
}

// localHalf is a privateHalf in this process, which can be written down.
type localHalf interface {
	privateHalf
	key() crypto.PrivateKey
	describe(*document)
}

const maxDigest = 64 // of SHA-512

// appendDigest appends the digest of message. Each of the hashes needs no memory
// of its own, which those of crypto.Hash.New do.
func appendDigest(dst []byte, h crypto.Hash, message []byte) []byte {
	switch h {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		return append(dst, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return append(dst, sum[:]...)
	default:
		sum := sha512.Sum512(message)
		return append(dst, sum[:]...)
	}
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
