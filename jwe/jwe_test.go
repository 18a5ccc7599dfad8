package jwe_test

import (
	"strings"
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

// pairs returns keys of every algorithm with every content encryption.
func pairs() (all []pair) {
	for _, enc := range jwk.ContentEncryptions() {
		for _, alg := range jwk.KeyManagements() {
			if alg.Symmetric() {
				k := must(jwk.GenerateShared(alg, enc))
				all = append(all, pair{string(alg) + " " + string(enc), k, k})
				continue
			}
			curves := []string{"P-256", "P-384", "P-521", "X25519"}
			if strings.HasPrefix(string(alg), "RSA") {
				curves = []string{""}
			}
			for _, crv := range curves {
				k := must(jwk.GenerateDecryption(alg, crv, enc))
				all = append(all, pair{strings.TrimSpace(string(alg) + " " + crv + " " + string(enc)), k.Public(), k})
			}
		}
	}
	return all
}

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
