package jwk

import (
	"errors"
	"fmt"
	"slices"
)

// KeyManagement is the "alg" of a key for encryption (RFC 7518 §4.1, RFC 8037
// §3.2): how the key that encrypts one message reaches its recipient.
type KeyManagement string

// The ways that exist here. RSA1_5 does not, nor do those with keys of 192 bits,
// which nobody asks for.
const (
	RSAOAEP256 KeyManagement = "RSA-OAEP-256" // RSAES OAEP with SHA-256, RFC 7518 §4.3

	ECDHES       KeyManagement = "ECDH-ES"        // agreement on the content key itself, RFC 7518 §4.6
	ECDHESA128KW KeyManagement = "ECDH-ES+A128KW" // agreement on a key that wraps it
	ECDHESA256KW KeyManagement = "ECDH-ES+A256KW"

	A128KW    KeyManagement = "A128KW" // AES key wrap, RFC 7518 §4.4
	A256KW    KeyManagement = "A256KW"
	A128GCMKW KeyManagement = "A128GCMKW" // AES GCM as a key wrap, RFC 7518 §4.7
	A256GCMKW KeyManagement = "A256GCMKW"
	Direct    KeyManagement = "dir" // the shared key encrypts the content, RFC 7518 §4.5

	PBES2HS256A128KW KeyManagement = "PBES2-HS256+A128KW" // a password, RFC 7518 §4.8; see [Password]
	PBES2HS512A256KW KeyManagement = "PBES2-HS512+A256KW"

	rsaOAEP KeyManagement = "RSA-OAEP" // with SHA-1; see DangerouslyParseRSAOAEP
)

// Encrypter is a key that encrypts: [*EncryptionKey] or [*SharedKey]. Both are
// safe for concurrent use.
type Encrypter interface {
	KeyID() string
	Algorithm() KeyManagement
	// Encryptions are the content encryptions that the key allows. The first
	// is the one that it encrypts with.
	Encryptions() []ContentEncryption
	// NewContentKey makes a key for one message, and what a recipient needs to
	// have it too.
	NewContentKey() (*ContentKey, WrappedKey, error)
	// WrapContentKey does so for a key that other recipients get as well. It
	// fails for ECDH-ES and dir, which leave no choice of a key, and for a
	// content encryption that the key does not allow.
	WrapContentKey(*ContentKey) (WrappedKey, error)
	sealed()
}

// Decrypter is a key that decrypts: [*DecryptionKey] or [*SharedKey]. Both are
// safe for concurrent use.
type Decrypter interface {
	KeyID() string
	Algorithm() KeyManagement
	Encryptions() []ContentEncryption
	// UnwrapContentKey returns the content key that w stands for. Where w is
	// not what a sender made for this key, and that shows only after secrets
	// have had their part, the answer is a random key, under which nothing
	// decrypts (RFC 7516 §11.5): so whoever watches learns nothing from the time
	// that it took or from what was said. The error is [ErrDecryption] for what
	// shows by itself: sizes, missing parameters, points off the curve.
	UnwrapContentKey(enc ContentEncryption, w WrappedKey) (*ContentKey, error)
	sealed()
}

// WrappedKey is what of one recipient stands in a message beside "alg" and
// "kid". Only the members of the key's own algorithm are set.
type WrappedKey struct {
	EncryptedKey []byte // empty for ECDH-ES and dir
	EphemeralKey string // "epk": the JSON text of a public JWK, RFC 7518 §4.6.1.1
	PartyU       []byte // "apu", which goes into the derivation; never written here
	PartyV       []byte // "apv"
	IV           []byte // "iv", RFC 7518 §4.7.1.1
	Tag          []byte // "tag"
	Salt         []byte // "p2s", RFC 7518 §4.8.1.1
	Iterations   int    // "p2c"; 0 where there is none
}

// ErrDecryption means that a message is not what the key decrypts. There is no
// second error that would say more.
var ErrDecryption = errors.New("decryption failed")

// keyManagements is every algorithm that tokens can have, with what is done with
// its pairs or with its secrets, never both.
var keyManagements = []struct {
	name   KeyManagement
	pair   encFamily
	shared sharedFamily
}{
	{RSAOAEP256, oaepFamily{sha256Hash}, nil},
	{ECDHES, &ecdhFamily{ECDHES, 0}, nil},
	{ECDHESA128KW, &ecdhFamily{ECDHESA128KW, 16}, nil},
	{ECDHESA256KW, &ecdhFamily{ECDHESA256KW, 32}, nil},
	{A128KW, nil, aesKWFamily(16)},
	{A256KW, nil, aesKWFamily(32)},
	{A128GCMKW, nil, gcmKWFamily(16)},
	{A256GCMKW, nil, gcmKWFamily(32)},
	{Direct, nil, directFamily{}},
}

// KeyManagements returns every algorithm of [EncryptionKey], [DecryptionKey] and
// [SharedKey].
func KeyManagements() []KeyManagement {
	all := make([]KeyManagement, len(keyManagements))
	for i, a := range keyManagements {
		all[i] = a.name
	}
	return all
}

// Known reports whether alg is one of [KeyManagements].
func (alg KeyManagement) Known() bool { return slices.Contains(KeyManagements(), alg) }

// Symmetric reports whether whoever encrypts with alg can decrypt: A*KW,
// A*GCMKW and dir.
func (alg KeyManagement) Symmetric() bool {
	_, err := alg.shared()
	return err == nil
}

func (alg KeyManagement) pair() (encFamily, error) {
	for _, a := range keyManagements {
		switch {
		case a.name == alg && a.pair != nil:
			return a.pair, nil
		case a.name == alg:
			return nil, fmt.Errorf("%s is a shared key's algorithm, not a key pair's: use ECDH-ES+A128KW or RSA-OAEP-256", alg)
		}
	}
	if alg == rsaOAEP {
		return nil, errors.New("RSA-OAEP rests on SHA-1: use RSA-OAEP-256, or DangerouslyParseRSAOAEP to read what was sent already")
	}
	return nil, fmt.Errorf("%w: unknown key management %q: use ECDH-ES+A128KW or RSA-OAEP-256", errUnsupported, clip(string(alg)))
}

func (alg KeyManagement) shared() (sharedFamily, error) {
	for _, a := range keyManagements {
		if a.name == alg && a.shared != nil {
			return a.shared, nil
		}
	}
	return nil, fmt.Errorf("%w: %q is not a shared key's algorithm: use A256KW, A256GCMKW or dir", errUnsupported, clip(string(alg)))
}

// allowed returns the content encryptions of a key: A256GCM where none was asked
// for.
func allowed(alg KeyManagement, encs []ContentEncryption) ([]ContentEncryption, error) {
	if len(encs) == 0 && alg != Direct {
		return []ContentEncryption{A256GCM}, nil
	}
	if alg == Direct && len(encs) != 1 {
		return nil, errors.New("a key for \"dir\" is the key of one content encryption: say which")
	}
	for i, enc := range encs {
		if !enc.Known() {
			return nil, fmt.Errorf("unknown content encryption %q: use A256GCM", clip(string(enc)))
		}
		if slices.Contains(encs[:i], enc) {
			return nil, fmt.Errorf("content encryption %s twice", enc)
		}
	}
	return slices.Clone(encs), nil
}
