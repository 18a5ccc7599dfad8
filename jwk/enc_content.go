package jwk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
)

// ContentEncryption is the "enc" of a message (RFC 7518 §5.1): what the content
// key does. Each also proves that nothing was changed.
type ContentEncryption string

// The content encryptions that exist here. With a random IV of 96 bits, one key
// may encrypt 2³² messages with A*GCM (NIST SP 800-38D §8.3), which bounds the
// life of a key for dir: all others have a new content key in each message.
const (
	A128GCM      ContentEncryption = "A128GCM" // AES GCM, RFC 7518 §5.3
	A192GCM      ContentEncryption = "A192GCM"
	A256GCM      ContentEncryption = "A256GCM"
	A128CBCHS256 ContentEncryption = "A128CBC-HS256" // AES CBC, then HMAC, RFC 7518 §5.2
	A256CBCHS512 ContentEncryption = "A256CBC-HS512"
)

// contents is every content encryption; size is that of its key, in bytes.
var contents = []struct {
	name          ContentEncryption
	size, iv, tag int
	open          func(key []byte) (aead, error)
}{
	{A128GCM, 16, gcmIV, gcmTag, newGCM},
	{A192GCM, 24, gcmIV, gcmTag, newGCM},
	{A256GCM, 32, gcmIV, gcmTag, newGCM},
	{A128CBCHS256, 32, aes.BlockSize, 16, newCBC},
	{A256CBCHS512, 64, aes.BlockSize, 32, newCBC},
}

const (
	gcmIV         = 12
	gcmTag        = 16
	maxContentKey = 64 // bytes of a content key
)

// ContentEncryptions returns every content encryption of this package.
func ContentEncryptions() []ContentEncryption {
	all := make([]ContentEncryption, len(contents))
	for i, c := range contents {
		all[i] = c.name
	}
	return all
}

// Known reports whether enc is one of the content encryptions of this package.
func (enc ContentEncryption) Known() bool { return enc.keySize() != 0 }

// keySize returns the bytes of a content key, or 0 for what does not exist.
func (enc ContentEncryption) keySize() int {
	for i := range contents {
		if contents[i].name == enc {
			return contents[i].size
		}
	}
	return 0
}

// Sizes returns the bytes that the IV and the authentication tag have, always;
// 0 and 0 for what is no content encryption.
func (enc ContentEncryption) Sizes() (iv, tag int) {
	for i := range contents {
		if contents[i].name == enc {
			return contents[i].iv, contents[i].tag
		}
	}
	return 0, 0
}

// aead is AES in one mode: cipher.AEAD with an IV of its own making in front of
// the ciphertext and the tag behind it.
type aead interface {
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, sealed, additionalData []byte) ([]byte, error)
}

// ContentKey encrypts and decrypts one message, or with dir many. It is safe for
// concurrent use and shows nothing of itself.
type ContentKey struct {
	enc  ContentEncryption
	key  []byte
	aead aead
	// direct marks a key that two have agreed on, which must not be wrapped for
	// a third.
	direct bool
}

func newContentKey(enc ContentEncryption, key []byte) (*ContentKey, error) {
	for i := range contents {
		if c := &contents[i]; c.name == enc && c.size == len(key) {
			a, err := c.open(key)
			if err != nil {
				return nil, err
			}
			return &ContentKey{enc: enc, key: key, aead: a}, nil
		}
	}
	return nil, fmt.Errorf("content key of %d bytes is not one of %q", len(key), clip(string(enc)))
}

// NewContentKey makes a random key for one message: [Encrypter.WrapContentKey]
// gives it to each of several recipients.
func NewContentKey(enc ContentEncryption) (*ContentKey, error) {
	key := make([]byte, enc.keySize())
	rand.Read(key)
	return newContentKey(enc, key)
}

// Encryption returns the content encryption of the key.
func (k *ContentKey) Encryption() ContentEncryption { return k.enc }

// Seal appends to dst a random IV, the ciphertext of plaintext and the tag, which
// covers aad too. The sizes of IV and tag are those of [ContentEncryption.Sizes].
func (k *ContentKey) Seal(dst, plaintext, aad []byte) []byte {
	return k.aead.Seal(dst, nil, plaintext, aad)
}

// Open appends the plaintext of sealed, which is as Seal makes it, to dst. The
// error is [ErrDecryption]. dst must not overlap sealed or aad.
func (k *ContentKey) Open(dst, sealed, aad []byte) ([]byte, error) {
	out, err := k.aead.Open(dst, nil, sealed, aad)
	if err != nil {
		return nil, ErrDecryption
	}
	return out, nil
}

// String returns the content encryption, never the key.
func (k ContentKey) String() string { return fmt.Sprintf("jwk.ContentKey(%s)", k.enc) }

// Format prints String under every verb.
func (k ContentKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// newGCM is AES GCM that makes its IVs itself: the one form that FIPS 140-3 lets
// encrypt, and none can be used twice by a mistake.
func newGCM(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
