package jwe

import (
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// Encrypt returns the compact serialization of plaintext, encrypted for key with
// the first of its content encryptions, under the header {"alg","enc","typ",
// "cty","kid"} and what the algorithm needs. An empty typ or cty is left out; cty
// is "JWT" for a token that has been signed (RFC 7519 §5.2).
func Encrypt(key jwk.Encrypter, typ, cty string, plaintext []byte) (string, error) {
	if key == nil {
		return "", errors.New("no key to encrypt with")
	}
	content, wrapped, err := key.NewContentKey()
	if err != nil {
		return "", fmt.Errorf("encrypting: %w", err)
	}
	h := written{Algorithm: key.Algorithm(), Type: typ, ContentType: cty, KeyID: key.KeyID()}
	return seal(h, content, wrapped, plaintext)
}

func seal(h written, content *jwk.ContentKey, wrapped jwk.WrappedKey, plaintext []byte) (string, error) {
	h.Encryption = content.Encryption()
	h.parameters(wrapped)
	protected, err := h.encode()
	if err != nil {
		return "", err
	}
	sealed := content.Seal(nil, plaintext, []byte(protected))
	iv, tag := content.Encryption().Sizes()
	out := append([]byte(protected), '.')
	out = append(b64.Append(out, wrapped.EncryptedKey), '.')
	out = append(b64.Append(out, sealed[:iv]), '.')
	out = append(b64.Append(out, sealed[iv:len(sealed)-tag]), '.')
	return string(b64.Append(out, sealed[len(sealed)-tag:])), nil
}
