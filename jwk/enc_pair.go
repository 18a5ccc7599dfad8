package jwk

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// EncryptionKey is the public half of a key pair for encryption: everybody may
// have it, and what it encrypts only the private half decrypts. That something
// was encrypted with it says nothing about who did. It is immutable and an
// [Encrypter].
type EncryptionKey struct {
	alg        KeyManagement
	encs       []ContentEncryption
	kid        string
	thumbprint string
	half       encryptionHalf
}

// DecryptionKey is the private half. It is immutable and a [Decrypter], and
// prints as a [PrivateKey] does.
type DecryptionKey struct {
	public *EncryptionKey
	half   decryptionHalf
}

// encFamily is one key management with key pairs. Its functions refuse a key that
// is weak or of another kind.
type encFamily interface {
	kind() (kty string)
	generate(crv string) (crypto.PrivateKey, error)
	public(crypto.PublicKey) (encryptionHalf, error)
	private(crypto.PrivateKey) (decryptionHalf, crypto.PublicKey, error)
	readPublic(*document) (crypto.PublicKey, error)
	readPrivate(*document) (crypto.PrivateKey, error)
}

type encryptionHalf interface {
	// agree makes a content key together with the recipient, or fails with
	// errNoAgreement where one is made and wrapped instead.
	agree(ContentEncryption) (*ContentKey, WrappedKey, error)
	wrap(*ContentKey) (WrappedKey, error)
	key() crypto.PublicKey
	describe(*document)
}

type decryptionHalf interface {
	unwrap(ContentEncryption, WrappedKey) (*ContentKey, error)
	key() crypto.PrivateKey
	describe(*document)
}

var errNoAgreement = errors.New("not a key agreement")

// GenerateDecryption makes a new key pair, whose key id is its thumbprint. crv is
// for ECDH-ES and its variants: P-256, P-384, P-521 or X25519, P-256 where it is
// empty. RSA keys have 2048 bits and no curve. encs are the content encryptions
// that the key allows, A256GCM where there are none; the first is the one that
// others are to encrypt with.
func GenerateDecryption(alg KeyManagement, crv string, encs ...ContentEncryption) (*DecryptionKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	key, err := f.generate(crv)
	if err != nil {
		return nil, fmt.Errorf("generating an %s key: %w", alg, err)
	}
	return newDecryption(alg, f, key, "", encs)
}

// NewRSADecryption makes a private key for RSA-OAEP-256. An empty kid stands for
// the thumbprint, as in all functions for key pairs.
func NewRSADecryption(key *rsa.PrivateKey, kid string, encs ...ContentEncryption) (*DecryptionKey, error) {
	return newDecryption(RSAOAEP256, oaepFamily{sha256Hash}, key, kid, encs)
}

// NewECDHDecryption makes a private key for ECDH-ES or one of its variants.
func NewECDHDecryption(alg KeyManagement, key *ecdh.PrivateKey, kid string, encs ...ContentEncryption) (*DecryptionKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	return newDecryption(alg, f, key, kid, encs)
}

func newEncryption(alg KeyManagement, f encFamily, key crypto.PublicKey, kid string, encs []ContentEncryption) (*EncryptionKey, error) {
	encs, err := allowed(alg, encs)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	half, err := f.public(key)
	if err != nil {
		return nil, fmt.Errorf("%s public key: %w", alg, err)
	}
	var d document
	half.describe(&d)
	sum := sha256.Sum256(d.thumbprintInput())
	k := &EncryptionKey{alg: alg, encs: encs, kid: kid, thumbprint: b64.Encode(sum[:]), half: half}
	if kid == "" {
		k.kid = k.thumbprint
	}
	if err := checkKeyID(k.kid); err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	return k, nil
}

func newDecryption(alg KeyManagement, f encFamily, key crypto.PrivateKey, kid string, encs []ContentEncryption) (*DecryptionKey, error) {
	half, pub, err := f.private(key)
	if err != nil {
		return nil, fmt.Errorf("%s private key: %w", alg, err)
	}
	public, err := newEncryption(alg, f, pub, kid, encs)
	if err != nil {
		return nil, err
	}
	return &DecryptionKey{public: public, half: half}, nil
}

// KeyID returns the key id, never empty.
func (k *EncryptionKey) KeyID() string { return k.kid }

// Algorithm returns the one algorithm of the key.
func (k *EncryptionKey) Algorithm() KeyManagement { return k.alg }

// Encryptions returns the content encryptions that the key allows.
func (k *EncryptionKey) Encryptions() []ContentEncryption { return slices.Clone(k.encs) }

// NewContentKey makes a key for one message.
func (k *EncryptionKey) NewContentKey() (*ContentKey, WrappedKey, error) {
	content, w, err := k.half.agree(k.encs[0])
	if !errors.Is(err, errNoAgreement) {
		return content, w, err
	}
	if content, err = NewContentKey(k.encs[0]); err != nil {
		return nil, WrappedKey{}, err
	}
	w, err = k.half.wrap(content)
	return content, w, err
}

// WrapContentKey wraps a key that other recipients get as well.
func (k *EncryptionKey) WrapContentKey(content *ContentKey) (WrappedKey, error) {
	if err := mayWrap(k.encs, content); err != nil {
		return WrappedKey{}, err
	}
	return k.half.wrap(content)
}

// Thumbprint returns the base64url of the key's SHA-256 thumbprint (RFC 7638).
func (k *EncryptionKey) Thumbprint() string { return k.thumbprint }

// Equal reports whether o is the same key with the same algorithm, content
// encryptions and key id.
func (k *EncryptionKey) Equal(o *EncryptionKey) bool {
	return k != nil && o != nil && k.alg == o.alg && k.kid == o.kid && k.thumbprint == o.thumbprint && slices.Equal(k.encs, o.encs)
}

// String returns the algorithm and the key id.
func (k *EncryptionKey) String() string { return fmt.Sprintf("jwk.EncryptionKey(%s %s)", k.alg, k.kid) }

func (k *EncryptionKey) sealed() {}

// KeyID returns the key id, never empty.
func (k *DecryptionKey) KeyID() string { return k.public.kid }

// Algorithm returns the one algorithm of the key.
func (k *DecryptionKey) Algorithm() KeyManagement { return k.public.alg }

// Encryptions returns the content encryptions that the key allows.
func (k *DecryptionKey) Encryptions() []ContentEncryption { return k.public.Encryptions() }

// UnwrapContentKey returns the content key that w stands for: see [Decrypter].
func (k *DecryptionKey) UnwrapContentKey(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	if !slices.Contains(k.public.encs, enc) {
		return nil, ErrDecryption
	}
	return k.half.unwrap(enc, w)
}

// Public returns the public half, which has the same key id.
func (k *DecryptionKey) Public() *EncryptionKey { return k.public }

// String returns the algorithm and the key id, never the key.
func (k DecryptionKey) String() string {
	return fmt.Sprintf("jwk.DecryptionKey(%s %s)", k.public.alg, k.public.kid)
}

// Format prints String under every verb.
func (k DecryptionKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue returns String.
func (k DecryptionKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON fails, so that no private key is written by accident.
func (k DecryptionKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("private keys are not marshalled in passing: call MarshalDecryptionJWK")
}

func (k *DecryptionKey) sealed() {}

// document returns the public JWK.
func (k *EncryptionKey) document() *document {
	d := &document{Use: "enc", Kid: k.kid, Alg: string(k.alg), Enc: k.encs}
	k.half.describe(d)
	return d
}

// MarshalJSON returns the public JWK with "kid", "alg", "use" and "enc". That last
// member is no registered one; RFC 7517 §4 has others ignore it.
func (k *EncryptionKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.document()) }

// MarshalDecryptionJWK returns the private JWK. Whoever has it can decrypt.
func (k *DecryptionKey) MarshalDecryptionJWK() ([]byte, error) {
	d := k.public.document()
	k.half.describe(d)
	return json.Marshal(d)
}

// ParseEncryption reads one public JWK for encryption, which must say its "alg".
// A text with private members is refused. encs are as in [ParseDecryption].
func ParseEncryption(jwk []byte, encs ...ContentEncryption) (*EncryptionKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	return d.encryption(encs)
}

func (d *document) encryption(encs []ContentEncryption) (*EncryptionKey, error) {
	if d.private || d.Kty == "oct" {
		return nil, errors.New("JWK with private or secret members where a public key is expected: it must not be handed around")
	}
	if len(d.keyOps) == 0 && d.Kty != "RSA" {
		d.hasOps = false // Web Cryptography's export says [] of public keys for ECDH
	}
	if err := d.encPurpose("encrypt", "wrapKey", "deriveKey", "deriveBits"); err != nil {
		return nil, err
	}
	alg := KeyManagement(d.Alg)
	f, err := d.encFamily(alg)
	if err != nil {
		return nil, err
	}
	key, err := f.readPublic(d)
	if err != nil {
		return nil, fmt.Errorf("%s JWK: %w", alg, err)
	}
	return newEncryption(alg, f, key, d.Kid, d.encryptions(encs))
}

// ParseDecryption reads one private JWK for encryption, which must say its "alg",
// and checks that its halves belong together. encs are the content encryptions
// that it allows: what is given here decides, else the member "enc" that
// MarshalDecryptionJWK writes, else it is A256GCM alone. No message decides.
func ParseDecryption(jwk []byte, encs ...ContentEncryption) (*DecryptionKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if d.Kty == "oct" {
		return nil, errors.New("JWK of a shared key where a key pair is expected: use ParseShared")
	}
	alg := KeyManagement(d.Alg)
	f, err := d.encFamily(alg)
	if err != nil {
		return nil, err
	}
	return d.decryption(alg, f, encs)
}

func (d *document) decryption(alg KeyManagement, f encFamily, encs []ContentEncryption) (*DecryptionKey, error) {
	if d.D == "" {
		return nil, errors.New("JWK without its private member \"d\": it is a public key")
	}
	if err := d.encPurpose("decrypt", "unwrapKey", "deriveKey", "deriveBits"); err != nil {
		return nil, err
	}
	key, err := f.readPrivate(d)
	if err != nil {
		return nil, fmt.Errorf("%s private JWK: %w", alg, err)
	}
	return newDecryption(alg, f, key, d.Kid, d.encryptions(encs))
}

// encFamily decides which key management the key is for: "alg", which must fit
// the type. Nothing is guessed, since an EC key without it could sign as well.
func (d *document) encFamily(alg KeyManagement) (encFamily, error) {
	if alg == "" {
		return nil, fmt.Errorf("JWK of type %s without \"alg\": say which key management it is for", clip(d.Kty))
	}
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	if kty := d.Kty; kty != f.kind() && !(kty == "OKP" && f.kind() == "EC") {
		return nil, fmt.Errorf("JWK whose \"alg\" %s contradicts its type %q", alg, clip(kty))
	}
	return f, nil
}

// encPurpose refuses a key that is not for encryption, or for none of the
// operations (RFC 7517 §4.2, §4.3).
func (d *document) encPurpose(ops ...string) error {
	if d.Use != "" && d.Use != "enc" {
		return fmt.Errorf("%w: its \"use\" is %q, not \"enc\"", errUnsupported, clip(d.Use))
	}
	if d.hasOps && !slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(d.keyOps, op) }) {
		return fmt.Errorf("%w: its \"key_ops\" leave out %q", errUnsupported, ops)
	}
	return nil
}

// encryptions are those that were asked for, or else those of the JWK.
func (d *document) encryptions(asked []ContentEncryption) []ContentEncryption {
	if len(asked) != 0 {
		return asked
	}
	return d.Enc
}
