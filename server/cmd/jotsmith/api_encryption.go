package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/wire"
)

// A keyPath names a file with the public key that an API's tokens are encrypted
// for.
type keyPath string

// read answers the key as a JWK; nil where no file is named. A private key goes
// nowhere.
func (p keyPath) read(c *console) (json.RawMessage, error) {
	if p == "" {
		return nil, nil
	}
	text, err := readKeyFile(string(p), c)
	if err != nil {
		return nil, err
	}
	key, err := publicForEncryption(text)
	if err != nil {
		return nil, hint(fmt.Errorf("%s: %w", keyAt(string(p)), err),
			"give the public half of a key pair for encryption, as a JWK that says its \"alg\" or as PEM, which is taken for ECDH-ES or RSA-OAEP-256")
	}
	return json.Marshal(key)
}

func publicForEncryption(text []byte) (*jwk.EncryptionKey, error) {
	if isJWK(text) {
		return jwk.ParseEncryption(text)
	}
	var faults []error
	for _, alg := range []jwk.KeyManagement{jwk.ECDHES, jwk.RSAOAEP256} { // PEM does not say; one fits
		key, err := jwk.ParseEncryptionPEM(alg, "", text)
		if err == nil {
			return key, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// encryptionOf says for whom an API's tokens are encrypted.
func encryptionOf(a wire.API) string {
	switch {
	case a.Opaque:
		return "for this server: opaque to everybody else"
	case len(a.EncryptionKey) == 0:
		return "no"
	}
	key, err := jwk.ParseEncryption(a.EncryptionKey)
	if err != nil {
		return "for a key that this program cannot read"
	}
	return fmt.Sprintf("for the key %s (%s)", key.KeyID(), key.Algorithm())
}
