package jwk

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	publicBlock  = "PUBLIC KEY"
	privateBlock = "PRIVATE KEY"
)

// ParsePublicPEM reads one public key in the PKIX form ("PUBLIC KEY",
// RFC 7468 §13). PEM says neither algorithm nor key id: alg must be given, and
// an empty kid stands for the thumbprint.
func ParsePublicPEM(alg Algorithm, kid string, pem []byte) (*PublicKey, error) {
	der, err := oneBlock(pem, publicBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("malformed public key in the PEM block")
	}
	return newPublic(alg, key, kid)
}

// ParsePrivatePEM reads one private key in the PKCS #8 form ("PRIVATE KEY",
// RFC 7468 §10), not encrypted.
func ParsePrivatePEM(alg Algorithm, kid string, pem []byte) (*PrivateKey, error) {
	der, err := oneBlock(pem, privateBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("malformed private key in the PEM block")
	}
	return newPrivate(alg, key, kid)
}

// hints tell what to do with the other blocks that people have.
var hints = map[string]string{
	"RSA PRIVATE KEY":       "convert it: openssl pkcs8 -topk8 -nocrypt",
	"EC PRIVATE KEY":        "convert it: openssl pkcs8 -topk8 -nocrypt",
	"ENCRYPTED PRIVATE KEY": "it is encrypted, decrypt it first: openssl pkcs8 -in key.pem -nocrypt",
	"RSA PUBLIC KEY":        "convert it: openssl rsa -RSAPublicKey_in -pubout",
	"CERTIFICATE":           "extract its key: openssl x509 -pubkey -noout",
	privateBlock:            "a private key where a public one is expected",
	publicBlock:             "a public key where a private one is expected",
}

func oneBlock(data []byte, want string) ([]byte, error) {
	if len(data) > maxJWK {
		return nil, fmt.Errorf("PEM of %d bytes: at most %d", len(data), maxJWK)
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("no PEM block: -----BEGIN %s----- is expected", want)
	case block.Type != want:
		if hint := hints[block.Type]; hint != "" {
			return nil, fmt.Errorf("PEM block %q instead of %q: %s", block.Type, want, hint)
		}
		return nil, fmt.Errorf("PEM block %q instead of %q", clip(block.Type), want)
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, errors.New("text after the PEM block: one key is expected")
	}
	return block.Bytes, nil
}

// PEM returns the key as a PKIX "PUBLIC KEY" block.
func (k *PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.half.key())
	if err != nil {
		return nil, fmt.Errorf("marshalling the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// PrivatePEM returns the key as a PKCS #8 "PRIVATE KEY" block. Whoever has it
// can sign.
func (k *PrivateKey) PrivatePEM() ([]byte, error) {
	half, err := k.local()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(half.key())
	if err != nil {
		return nil, fmt.Errorf("marshalling the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}
