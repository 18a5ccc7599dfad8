package jwe_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pair is a key for each end.
type pair struct {
	name string
	enc  jwk.Encrypter
	dec  jwk.Decrypter
}

// rsaKey is one for all tests: it takes long to make.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func rsaPair(encs ...jwk.ContentEncryption) *jwk.DecryptionKey {
	return must(jwk.NewRSADecryption(rsaKey(), "rsa", encs...))
}

// pairs are keys of every algorithm with every content encryption.
var pairs = sync.OnceValue(func() (all []pair) {
	for _, enc := range jwk.ContentEncryptions() {
		for _, alg := range jwk.KeyManagements() {
			if alg.Symmetric() {
				k := must(jwk.GenerateShared(alg, enc))
				all = append(all, pair{string(alg) + " " + string(enc), k, k})
				continue
			}
			if alg == jwk.RSAOAEP256 {
				k := rsaPair(enc)
				all = append(all, pair{string(alg) + " " + string(enc), k.Public(), k})
				continue
			}
			for _, crv := range []string{"P-256", "P-384", "P-521", "X25519"} {
				k := must(jwk.GenerateDecryption(alg, crv, enc))
				all = append(all, pair{string(alg) + " " + crv + " " + string(enc), k.Public(), k})
			}
		}
	}
	return all
})

func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			keys := must(jwk.NewDecryptionSet(p.dec))
			for _, plaintext := range []string{"", "a", strings.Repeat("b", 16), "Live long and prosper.", strings.Repeat("long ", 2000)} {
				compact, err := jwe.Encrypt(p.enc, "", "JWT", []byte(plaintext))
				if err != nil {
					t.Fatal(err)
				}
				got, err := jwe.Decrypt(t.Context(), compact, keys)
				if err != nil {
					t.Fatalf("%s: %v", compact, err)
				}
				h := got.Header
				if string(got.Plaintext) != plaintext || got.Key != p.dec || h.KeyID != p.dec.KeyID() || h.ContentType != "JWT" ||
					h.Algorithm != string(p.dec.Algorithm()) || h.Encryption != string(p.dec.Encryptions()[0]) {
					t.Fatalf("%+v", got)
				}
			}
		})
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want: %v", err, want)
	}
}
