// Package jwe encrypts and decrypts JSON Web Encryption (RFC 7516).
//
// What is encrypted is secret and whole, and nothing more: whoever has the
// recipient's public key can have written it. Decryption never authenticates. A
// token that must be both is signed first and then encrypted (RFC 7519 §5.2),
// which package jwt does.
package jwe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// DefaultMaxSize is the size of the serialization, in bytes, that a [Decrypter]
// takes where it does not say otherwise.
const DefaultMaxSize = 16 << 10

var (
	// ErrMalformed means that a text is not a JWE of the strict form, which
	// anybody can see without a key.
	ErrMalformed = errors.New("malformed JWE")
	// ErrAlgorithm means that the header's algorithm or content encryption is
	// not one that the key allows, or not one that exists here.
	ErrAlgorithm = errors.New("wrong algorithm")
	// ErrDecrypt is the one error for everything that fails in decrypting.
	ErrDecrypt = jwk.ErrDecryption
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Keys is where decryption keys come from: [*jwk.DecryptionSet] is one.
type Keys interface {
	// Key returns the key of that id, or an error that wraps
	// [jwk.ErrUnknownKey]. kid is empty where the message names no key; a set of
	// several keys must then return the error.
	Key(ctx context.Context, kid string) (jwk.Decrypter, error)
}

// Decrypted is a JWE that has been decrypted. Anybody can have written it.
type Decrypted struct {
	Header    Header
	Key       jwk.Decrypter // the key that decrypted it
	Plaintext []byte
	// AdditionalData is the "aad" of a JSON serialization: not secret, and
	// covered by the tag.
	AdditionalData []byte
}

// Decrypter decrypts compact serializations. The zero value is ready, and safe for
// concurrent use.
type Decrypter struct {
	// MaxSize is in bytes of the serialization; 0 stands for DefaultMaxSize,
	// which is also the most that a header may have of it.
	MaxSize int
}

// Decrypt decrypts compact with the key of keys that its header names. The errors
// are [ErrMalformed], [ErrAlgorithm], [ErrDecrypt] and what keys.Key returns.
func (d Decrypter) Decrypt(ctx context.Context, compact string, keys Keys) (Decrypted, error) {
	m, err := d.split(compact)
	if err != nil {
		return Decrypted{}, err
	}
	if err := m.header.exists(); err != nil {
		return Decrypted{}, err
	}
	key, err := lookUp(ctx, m.header, keys)
	if err != nil {
		return Decrypted{}, err
	}
	plaintext, err := m.open(key)
	if err != nil {
		return Decrypted{}, err
	}
	return Decrypted{Header: m.header.Header, Key: key, Plaintext: plaintext}, nil
}

// Decrypt decrypts compact, of at most [DefaultMaxSize] bytes, as
// [Decrypter.Decrypt] does.
func Decrypt(ctx context.Context, compact string, keys Keys) (Decrypted, error) {
	return Decrypter{}.Decrypt(ctx, compact, keys)
}

// lookUp returns the key for a header. The key's own algorithms decide.
func lookUp(ctx context.Context, header header, keys Keys) (jwk.Decrypter, error) {
	key, err := keys.Key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key == nil || header.KeyID != "" && key.KeyID() != header.KeyID {
		return nil, fmt.Errorf("%w: the key set answered with another key", jwk.ErrUnknownKey)
	}
	if key.Algorithm() != header.alg() {
		return nil, fmt.Errorf("%w: the key decrypts %s only", ErrAlgorithm, key.Algorithm())
	}
	if !slices.Contains(key.Encryptions(), header.enc()) {
		return nil, fmt.Errorf("%w: the key allows %s only", ErrAlgorithm, key.Encryptions())
	}
	return key, nil
}

// message is what was read of a serialization for one recipient.
type message struct {
	header header
	aad    []byte
	iv     int    // bytes of sealed
	tag    int    // bytes of sealed
	sealed []byte // IV, ciphertext and tag
}

// An unwrapper is a key that has a content key for what stands in a header.
type unwrapper interface {
	UnwrapContentKey(jwk.ContentEncryption, jwk.WrappedKey) (*jwk.ContentKey, error)
}

func (m *message) open(key unwrapper) ([]byte, error) {
	// No shorter tag and no other IV may pass: RFC 7518 §5.2.2.2, §5.3.
	if iv, tag := m.header.enc().Sizes(); m.iv != iv || m.tag != tag {
		return nil, ErrDecrypt
	}
	content, err := key.UnwrapContentKey(m.header.enc(), m.header.wrapped)
	if err != nil {
		return nil, ErrDecrypt
	}
	return content.Open(make([]byte, 0, len(m.sealed)), m.sealed, m.aad)
}

func (d Decrypter) checkSize(n int) error {
	maxSize := d.MaxSize
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	if n > maxSize {
		return malformed("%d bytes, at most %d are taken", n, maxSize)
	}
	return nil
}

// cut takes a compact serialization apart (RFC 7516 §7.1) without looking into
// its parts.
func (d Decrypter) cut(compact string) (parts [5]string, err error) {
	if err := d.checkSize(len(compact)); err != nil {
		return parts, err
	}
	rest := compact
	for i := range 4 {
		var more bool
		if parts[i], rest, more = strings.Cut(rest, "."); !more {
			return parts, malformed("not five parts between dots")
		}
	}
	parts[4] = rest
	switch {
	case strings.IndexByte(rest, '.') >= 0:
		return parts, malformed("not five parts between dots")
	case parts[0] == "":
		return parts, malformed("empty header")
	case len(parts[0]) > DefaultMaxSize:
		return parts, malformed("header of %d bytes, at most %d are taken", len(parts[0]), DefaultMaxSize)
	}
	return parts, nil
}

// split reads a compact serialization.
func (d Decrypter) split(compact string) (m message, err error) {
	parts, err := d.cut(compact)
	if err != nil {
		return m, err
	}
	if m.header, err = decodeHeader(parts[0]); err != nil {
		return m, err
	}
	// One buffer holds the encrypted key, the sealed text and the header that
	// the tag covers.
	buf := make([]byte, 0, b64.DecodedLen(len(compact))+len(parts[0])+len(parts))
	if buf, err = b64.Decode(buf, parts[1]); err != nil {
		return m, malformed("encrypted key: %v", err)
	}
	m.header.wrapped.EncryptedKey = buf
	start := len(buf)
	if buf, err = b64.Decode(buf, parts[2]); err != nil {
		return m, malformed("IV: %v", err)
	}
	m.iv = len(buf) - start
	if buf, err = b64.Decode(buf, parts[3]); err != nil {
		return m, malformed("ciphertext: %v", err)
	}
	end := len(buf)
	if buf, err = b64.Decode(buf, parts[4]); err != nil {
		return m, malformed("tag: %v", err)
	}
	m.tag, m.sealed = len(buf)-end, buf[start:]
	m.aad = append(buf, parts[0]...)[len(buf):]
	return m, nil
}
