package jwk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
)

// wrapIV is the initial value of RFC 3394 §2.2.3.1.
var wrapIV = [8]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// wrapAES is the AES key wrap of RFC 3394 §2.2.1 under block. key has at least
// 16 bytes, in blocks of 8.
func wrapAES(block cipher.Block, key []byte) []byte {
	out := make([]byte, 8+len(key))
	copy(out[8:], key)
	var b [16]byte
	copy(b[:8], wrapIV[:])
	n := uint64(len(key) / 8)
	for j := range uint64(6) {
		for i := range n {
			r := out[8+8*i : 16+8*i]
			copy(b[8:], r)
			block.Encrypt(b[:], b[:])
			copy(r, b[8:])
			t := n*j + i + 1
			binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^t)
		}
	}
	copy(out, b[:8])
	return out
}

// unwrapAES undoes wrapAES (§2.2.2). ok is 1 where wrapped was made under block,
// else 0, and says so in time that is the same for both. wrapped has at least 24
// bytes, in blocks of 8.
func unwrapAES(block cipher.Block, wrapped []byte) (key []byte, ok int) {
	key = make([]byte, len(wrapped)-8)
	copy(key, wrapped[8:])
	var b [16]byte
	copy(b[:8], wrapped)
	n := uint64(len(key) / 8)
	for j := 5; j >= 0; j-- {
		for i := int(n) - 1; i >= 0; i-- {
			t := n*uint64(j) + uint64(i) + 1
			binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^t)
			r := key[8*i : 8*i+8]
			copy(b[8:], r)
			block.Decrypt(b[:], b[:])
			copy(r, b[8:])
		}
	}
	return key, subtle.ConstantTimeCompare(b[:8], wrapIV[:])
}

// unwrapContentKey is unwrapAES for a content key of enc: what was not made under
// block becomes a random key.
func unwrapContentKey(block cipher.Block, enc ContentEncryption, wrapped []byte) (*ContentKey, error) {
	if len(wrapped) != enc.keySize()+8 {
		return nil, ErrDecryption
	}
	key, ok := unwrapAES(block, wrapped)
	return orRandom(enc, key, ok)
}

// orRandom makes a content key of key where ok is 1, else of random bytes, with
// the same work. key has the size of enc's keys.
func orRandom(enc ContentEncryption, key []byte, ok int) (*ContentKey, error) {
	chosen := make([]byte, enc.keySize())
	rand.Read(chosen)
	subtle.ConstantTimeCopy(ok, chosen, key)
	return newContentKey(enc, chosen)
}

// aesKWFamily is AES key wrap (RFC 7518 §4.4) with a key of so many bytes.
type aesKWFamily int

func (f aesKWFamily) size(ContentEncryption) int { return int(f) }

func (aesKWFamily) half(key []byte, _ []ContentEncryption) (sharedHalf, error) {
	block, err := aes.NewCipher(key)
	return aesKW{block}, err
}

type aesKW struct{ block cipher.Block }

func (a aesKW) wrap(content *ContentKey) (WrappedKey, error) {
	return WrappedKey{EncryptedKey: wrapAES(a.block, content.key)}, nil
}

func (a aesKW) unwrap(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	return unwrapContentKey(a.block, enc, w.EncryptedKey)
}
