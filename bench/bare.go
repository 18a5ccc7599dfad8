package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

// bare is the cryptography of one algorithm with SHA-256 (Ed25519 aside) and
// nothing else, as a program calls it that has the message and the signature in
// its hands.
type bare struct {
	sign   func(message []byte) []byte
	verify func(message, signature []byte) bool
}

func bareOf(k keys) bare {
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	switch key := k.private.(type) {
	case []byte:
		sum := func(message []byte) []byte {
			mac := hmac.New(sha256.New, key)
			mac.Write(message)
			return mac.Sum(nil)
		}
		return bare{sum, func(message, signature []byte) bool { return hmac.Equal(sum(message), signature) }}
	case *rsa.PrivateKey:
		if k.alg == "PS256" {
			return bare{func(message []byte) []byte {
				digest := sha256.Sum256(message)
				signature, _ := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], pss)
				return signature
			}, func(message, signature []byte) bool {
				digest := sha256.Sum256(message)
				return rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], signature, pss) == nil
			}}
		}
		return bare{func(message []byte) []byte {
			digest := sha256.Sum256(message)
			signature, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
			return signature
		}, func(message, signature []byte) bool {
			digest := sha256.Sum256(message)
			return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) == nil
		}}
	case *ecdsa.PrivateKey:
		return bare{func(message []byte) []byte {
			digest := sha256.Sum256(message)
			signature, _ := ecdsa.SignASN1(rand.Reader, key, digest[:])
			return signature
		}, func(message, signature []byte) bool {
			digest := sha256.Sum256(message)
			return ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature)
		}}
	case ed25519.PrivateKey:
		public := key.Public().(ed25519.PublicKey)
		return bare{func(message []byte) []byte { return ed25519.Sign(key, message) },
			func(message, signature []byte) bool { return ed25519.Verify(public, message, signature) }}
	}
	panic("no such key")
}
