package jwk

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// SharedKey is a symmetric key for encryption: whoever encrypts with it can
// decrypt with it. It is immutable, an [Encrypter] and a [Decrypter], and prints
// as a [PrivateKey] does.
type SharedKey struct {
	alg  KeyManagement
	encs []ContentEncryption
	kid  string
	key  []byte
	half sharedHalf
}

// sharedFamily is one algorithm of shared keys.
type sharedFamily interface {
	// size is of the key, in bytes.
	size(ContentEncryption) int
	half(key []byte, encs []ContentEncryption) (sharedHalf, error)
}

type sharedHalf interface {
	wrap(*ContentKey) (WrappedKey, error)
	unwrap(ContentEncryption, WrappedKey) (*ContentKey, error)
}

// GenerateShared makes a shared key with a random key id, which allows encs: a
// key for dir exactly one, any other A256GCM where none is given.
func GenerateShared(alg KeyManagement, encs ...ContentEncryption) (*SharedKey, error) {
	f, encs, err := sharedAlgorithm(alg, encs)
	if err != nil {
		return nil, err
	}
	size := f.size(encs[0])
	random := make([]byte, size+8)
	rand.Read(random)
	return NewShared(alg, random[:size], hex.EncodeToString(random[size:]), encs...)
}

func sharedAlgorithm(alg KeyManagement, encs []ContentEncryption) (sharedFamily, []ContentEncryption, error) {
	f, err := alg.shared()
	if err != nil {
		return nil, nil, err
	}
	encs, err = allowed(alg, encs)
	if err != nil {
		return nil, nil, fmt.Errorf("%s key: %w", alg, err)
	}
	return f, encs, nil
}

// NewShared makes a shared key out of key, which is copied and must have exactly
// the size of its algorithm, for dir that of its content encryption. kid is
// required. A key that repeats itself or has fewer than 8 different bytes is
// refused: it is a password that was taken for a key.
func NewShared(alg KeyManagement, key []byte, kid string, encs ...ContentEncryption) (*SharedKey, error) {
	f, encs, err := sharedAlgorithm(alg, encs)
	if err != nil {
		return nil, err
	}
	if size := f.size(encs[0]); len(key) != size {
		return nil, fmt.Errorf("%s key of %d bytes instead of %d: make one with GenerateShared", alg, len(key), size)
	}
	if err := checkGuessable(key); err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	if err := checkKeyID(kid); err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	key = bytes.Clone(key)
	half, err := f.half(key, encs)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", alg, err)
	}
	return &SharedKey{alg, encs, kid, key, half}, nil
}

// KeyID returns the key id, never empty.
func (k *SharedKey) KeyID() string { return k.kid }

// Algorithm returns the one algorithm of the key.
func (k *SharedKey) Algorithm() KeyManagement { return k.alg }

// Encryptions returns the content encryptions that the key allows.
func (k *SharedKey) Encryptions() []ContentEncryption { return slices.Clone(k.encs) }

// NewContentKey makes a key for one message; that of dir is the key itself.
func (k *SharedKey) NewContentKey() (*ContentKey, WrappedKey, error) {
	if d, ok := k.half.(direct); ok {
		return d.content, WrappedKey{}, nil
	}
	content, err := NewContentKey(k.encs[0])
	if err != nil {
		return nil, WrappedKey{}, err
	}
	w, err := k.half.wrap(content)
	return content, w, err
}

// WrapContentKey wraps a key that other recipients get as well.
func (k *SharedKey) WrapContentKey(content *ContentKey) (WrappedKey, error) {
	if err := mayWrap(k.encs, content); err != nil {
		return WrappedKey{}, err
	}
	return k.half.wrap(content)
}

func mayWrap(encs []ContentEncryption, content *ContentKey) error {
	if content == nil || content.direct {
		return errors.New("no key that was made to be wrapped: use NewContentKey")
	}
	if !slices.Contains(encs, content.enc) {
		return fmt.Errorf("the key allows %s only", encs)
	}
	return nil
}

// UnwrapContentKey returns the content key that w stands for: see [Decrypter].
func (k *SharedKey) UnwrapContentKey(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	if !slices.Contains(k.encs, enc) {
		return nil, ErrDecryption
	}
	return k.half.unwrap(enc, w)
}

// Equal reports whether o is the same key with the same algorithm, content
// encryptions and key id, in constant time for keys of one length.
func (k *SharedKey) Equal(o *SharedKey) bool {
	return k != nil && o != nil && k.alg == o.alg && k.kid == o.kid && slices.Equal(k.encs, o.encs) &&
		subtle.ConstantTimeCompare(k.key, o.key) == 1
}

// ParseShared reads one JWK of type "oct" for encryption. It must have "alg" and
// "kid". A key for dir says its content encryption, as in RFC 7520 §5.6.1, or "dir".
// encs are the content encryptions that it allows: see [ParseDecryption].
func ParseShared(jwk []byte, encs ...ContentEncryption) (*SharedKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if d.Kty != "oct" {
		return nil, errors.New("JWK of a key pair where a shared key is expected: use ParseEncryption or ParseDecryption")
	}
	if err := d.encPurpose("encrypt", "decrypt", "wrapKey", "unwrapKey"); err != nil {
		return nil, err
	}
	if enc := ContentEncryption(d.Alg); enc.Known() {
		d.Alg, d.Enc = string(Direct), []ContentEncryption{enc}
	}
	alg := KeyManagement(d.Alg)
	if _, err := alg.shared(); err != nil {
		return nil, err
	}
	key, err := b64.Decode(nil, d.K)
	if err != nil {
		return nil, fmt.Errorf("%s JWK: \"k\": %w", alg, err)
	}
	return NewShared(alg, key, d.Kid, d.encryptions(encs)...)
}

// MarshalSharedJWK returns the JWK of the key. Whoever has it can decrypt.
func (k *SharedKey) MarshalSharedJWK() ([]byte, error) {
	d := &document{Kty: "oct", Use: "enc", Kid: k.kid, Alg: string(k.alg), Enc: k.encs, K: b64.Encode(k.key)}
	if k.alg == Direct {
		d.Alg, d.Enc = string(k.encs[0]), nil
	}
	return json.Marshal(d)
}

// String returns the algorithm and the key id, never the key.
func (k SharedKey) String() string { return fmt.Sprintf("jwk.SharedKey(%s %s)", k.alg, k.kid) }

// Format prints String under every verb.
func (k SharedKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue returns String.
func (k SharedKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON fails, so that no key is written by accident.
func (k SharedKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("shared keys are not marshalled in passing: call MarshalSharedJWK")
}

func (k *SharedKey) sealed() {}
