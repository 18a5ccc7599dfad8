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
	k := keys{alg: alg}
	if alg[:2] == "HS" {
		secret := make([]byte, 64)
		rand.Read(secret)
		key, err := jwk.NewHMAC(jwk.Algorithm(alg), secret, keyID)
		k.private, k.public, k.signer, k.verifier = secret, secret, key, key
		return k, err
	}
	private, err := generate(alg)
	if err != nil {
		return k, err
	}
	var own *jwk.PrivateKey
	switch key := private.(type) {
	case *rsa.PrivateKey:
		own, err = jwk.NewRSAPrivate(jwk.Algorithm(alg), key, keyID)
	case *ecdsa.PrivateKey:
		own, err = jwk.NewECDSAPrivate(jwk.Algorithm(alg), key, keyID)
	case ed25519.PrivateKey:
		own, err = jwk.NewEd25519Private(jwk.Algorithm(alg), key, keyID)
	}
	if err != nil {
		return k, err
	}
	k.private, k.public, k.signer, k.verifier = private, private.Public(), own, own.Public()
	return k, nil
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
