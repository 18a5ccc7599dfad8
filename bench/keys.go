package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
)

// keys is one key in every form that a library may ask for. private and public
// are the secret itself for HMAC.
type keys struct {
	alg             string
	private, public any
	signer          jwk.Signer
	verifier        jwk.Verifier
}

const keyID = "bench-2026-01"

func newKeys(alg string) (keys, error) {
	if alg[:2] == "HS" {
		secret := make([]byte, 64)
		rand.Read(secret)
		return keysOf(alg, secret)
	}
	private, err := generate(alg)
	if err != nil {
		return keys{}, err
	}
	return keysOf(alg, private)
}

// keysOf takes a secret, or a private key of the standard library.
func keysOf(alg string, private any) (keys, error) {
	var own *jwk.PrivateKey
	var err error
	switch key := private.(type) {
	case []byte:
		secret, err := jwk.NewHMAC(jwk.Algorithm(alg), key, keyID)
		return keys{alg, key, key, secret, secret}, err
	case *rsa.PrivateKey:
		own, err = jwk.NewRSAPrivate(jwk.Algorithm(alg), key, keyID)
	case *ecdsa.PrivateKey:
		own, err = jwk.NewECDSAPrivate(jwk.Algorithm(alg), key, keyID)
	case ed25519.PrivateKey:
		own, err = jwk.NewEd25519Private(jwk.Algorithm(alg), key, keyID)
	default:
		err = fmt.Errorf("no key is made of %T", private)
	}
	if err != nil {
		return keys{}, err
	}
	return keys{alg, private, private.(crypto.Signer).Public(), own, own.Public()}, nil
}

func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("no key is made for %q", alg)
}
