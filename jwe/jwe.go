// Package jwe encrypts and decrypts JSON Web Encryption (RFC 7516).
//
// What is encrypted is secret and whole, and nothing more is known of it: whoever
// has the recipient's public key can have written it. Decryption never
// authenticates. A token that must be both is signed first and then encrypted
// (RFC 7519 §5.2), which package jwt does; package jws is the signed envelope.
//
// Each serialization has functions of its own, and none takes what is meant for
// another, whatever arrives:
//
//   - compact, header.key.iv.ciphertext.tag (§7.1), which is what a token is:
//     [Encrypt], [Decrypt], [Decrypter];
//   - JSON, flattened or general with several recipients (§7.2): [EncryptJSON],
//     [DecryptJSON];
//   - compact with a password (RFC 7518 §4.8), for a file that a person keeps:
//     [EncryptWithPassword], [DecryptWithPassword]. Nothing else here ever tries
//     a password, so that nobody can have a server do its iterations.
//
// The key decides how it is used: a key of package jwk carries its one key
// management ("alg") and the content encryptions ("enc") that it allows, and a
// header that says another is refused. Keys in a header are never looked at.
//
// Which algorithm? ECDH-ES+A128KW on P-256 with A256GCM where others must
// encrypt: every library knows it. RSA-OAEP-256 is for systems that have RSA keys.
// A256KW is for two ends of one system, which share a key; dir saves the wrapped
// key in the token, but its key must be replaced before 2³² messages.
//
// What is refused, always: RSA1_5, whose padding can be asked for the plaintext;
// "zip", since a few bytes become a gigabyte and lengths tell of content; "crit",
// since no extension exists here; base64url with more than one spelling, duplicate
// members, IVs and tags of other sizes, points off the curve, encrypted keys where
// none belongs. HPKE is not here yet, nor are keys of 192 bits in a key wrap.
//
// Failing to decrypt is one error, [ErrDecrypt], whatever it was that failed, and
// takes one time: a key that does not unwrap becomes a random one, with which the
// tag is then found wrong (RFC 7516 §11.5), and no padding is looked at before the
// tag. [ErrMalformed] and [ErrAlgorithm] tell only what everybody can see.
//
// Whoever sees a message learns how long the plaintext is, to the byte with A*GCM.
//
// All of this works in Go's FIPS 140-3 mode. Where nothing else is allowed
// (GODEBUG=fips140=only) X25519 and RSA-OAEP are not.
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
