package jwe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/jwk"
)

// EncryptWithPassword returns the compact serialization of plaintext, encrypted
// with password (PBES2, RFC 7518 §4.8): for a file that a person keeps, not for a
// token. It takes about a tenth of a second.
func EncryptWithPassword(password *jwk.Password, typ, cty string, plaintext []byte) (string, error) {
	if password == nil {
		return "", errors.New("no password to encrypt with")
	}
	content, wrapped, err := password.NewContentKey()
	if err != nil {
		return "", fmt.Errorf("encrypting: %w", err)
	}
	return seal(written{Algorithm: password.Algorithm(), Type: typ, ContentType: cty}, content, wrapped, plaintext)
}

// DecryptWithPassword decrypts compact, of at most [DefaultMaxSize] bytes, as
// [Decrypter.DecryptWithPassword] does.
func DecryptWithPassword(compact string, password *jwk.Password) (Decrypted, error) {
	return Decrypter{}.DecryptWithPassword(compact, password)
}

// DecryptWithPassword decrypts compact with password. Fewer than 1,000 and more
// than 1,200,000 iterations are refused before any is done. Key is nil in the
// answer.
func (d Decrypter) DecryptWithPassword(compact string, password *jwk.Password) (Decrypted, error) {
	m, err := d.split(compact)
	if err != nil {
		return Decrypted{}, err
	}
	if password == nil || m.header.alg() != password.Algorithm() || !slices.Contains(password.Encryptions(), m.header.enc()) {
		return Decrypted{}, fmt.Errorf("%w: the password is for another one", ErrAlgorithm)
	}
	plaintext, err := m.open(password)
	if err != nil {
		return Decrypted{}, err
	}
	return Decrypted{Header: m.header.Header, Plaintext: plaintext}, nil
}
