package jwk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"slices"
)

// cbcHMAC is AES_CBC_HMAC_SHA2 (RFC 7518 §5.2.2): CBC, and then an HMAC over
// everything, of which one half is the tag.
type cbcHMAC struct {
	block   cipher.Block
	macKey  []byte
	newHash func() hash.Hash
	tag     int
}

func newCBC(key []byte) (aead, error) {
	half := len(key) / 2 // the first half is of the MAC, §5.2.2.1 step 1
	block, err := aes.NewCipher(key[half:])
	if err != nil {
		return nil, err
	}
	c := &cbcHMAC{block: block, macKey: key[:half], newHash: sha256.New, tag: half}
	if half == sha512.Size/2 {
		c.newHash = sha512.New
	}
	return c, nil
}

// bitLength is AL of §5.2.2.1, in 64 bits: counted in 32, two headers of which
// one is longer by 2³² bits would pass for each other (CVE-2016-9123).
func bitLength(bytes uint64) [8]byte {
	var al [8]byte
	binary.BigEndian.PutUint64(al[:], bytes*8)
	return al
}

// appendTag appends the tag of aad and text, which is the IV and the ciphertext.
func (c *cbcHMAC) appendTag(dst, aad, text []byte) []byte {
	al := bitLength(uint64(len(aad)))
	mac := hmac.New(c.newHash, c.macKey)
	mac.Write(aad)
	mac.Write(text)
	mac.Write(al[:])
	return mac.Sum(dst)[:len(dst)+c.tag]
}

func (c *cbcHMAC) Seal(dst, _, plaintext, aad []byte) []byte {
	var iv [aes.BlockSize]byte
	rand.Read(iv[:])
	return c.seal(dst, iv[:], plaintext, aad)
}

func (c *cbcHMAC) seal(dst, iv, plaintext, aad []byte) []byte {
	padding := aes.BlockSize - len(plaintext)%aes.BlockSize // PKCS #7, never none
	start := len(dst)
	dst = slices.Grow(dst, len(iv)+len(plaintext)+padding+2*c.tag)
	dst = append(append(dst, iv...), plaintext...)
	for range padding {
		dst = append(dst, byte(padding))
	}
	text := dst[start+len(iv):]
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(text, text)
	return c.appendTag(dst, aad, dst[start:])
}

// Open looks at the tag before it decrypts anything (§5.2.2.2): under a genuine
// tag the padding is what the sender made of it, and nobody else is told.
func (c *cbcHMAC) Open(dst, _, sealed, aad []byte) ([]byte, error) {
	size := len(sealed) - aes.BlockSize - c.tag
	if size < aes.BlockSize || size%aes.BlockSize != 0 {
		return nil, ErrDecryption
	}
	text, tag := sealed[:aes.BlockSize+size], sealed[aes.BlockSize+size:]
	var room [sha512.Size]byte
	if !hmac.Equal(c.appendTag(room[:0], aad, text), tag) {
		return nil, ErrDecryption
	}
	start := len(dst)
	dst = append(dst, text[aes.BlockSize:]...)
	plain := dst[start:]
	cipher.NewCBCDecrypter(c.block, text[:aes.BlockSize]).CryptBlocks(plain, plain)
	padding := int(plain[size-1])
	good := subtle.ConstantTimeLessOrEq(1, padding) & subtle.ConstantTimeLessOrEq(padding, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		counts := subtle.ConstantTimeLessOrEq(i, padding)
		same := subtle.ConstantTimeByteEq(plain[size-i], byte(padding))
		good &= 1 ^ counts | same
	}
	if good != 1 {
		clear(plain)
		return nil, ErrDecryption
	}
	return dst[:len(dst)-padding], nil
}
