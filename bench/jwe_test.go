package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"

	"github.com/jotsmith/jotsmith/jwe"
)

var (
	everyKeyManagement = []string{
		"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "A128KW", "A256KW", "A128GCMKW", "A256GCMKW", "dir",
	}
	everyEncryption = []string{"A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"}
)

// Every text of ours is decrypted by every library, and every text of theirs by
// us, in each algorithm with each content encryption.
func TestEncryptionBothWays(t *testing.T) {
	t.Parallel()
	const plaintext = "what only two may read"
	for _, alg := range everyKeyManagement {
		for _, enc := range everyEncryption {
			t.Run(alg+" "+enc, func(t *testing.T) {
				t.Parallel()
				s, err := newSealing(alg, enc)
				if err != nil {
					t.Fatal(err)
				}
				all := openers(s)
				texts := map[string]string{}
				if texts[ours], err = jwe.Encrypt(s.encrypter, "", "", []byte(plaintext)); err != nil {
					t.Fatal(err)
				}
				encrypter, err := jose.NewEncrypter(jose.ContentEncryption(enc), jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: s.public}, nil)
				if err != nil {
					t.Fatal(err)
				}
				message, err := encrypter.Encrypt([]byte(plaintext))
				if err != nil {
					t.Fatal(err)
				}
				if texts["go-jose"], err = message.CompactSerialize(); err != nil {
					t.Fatal(err)
				}
				theirAlg, _ := jwa.LookupKeyEncryptionAlgorithm(alg)
				theirEnc, _ := jwa.LookupContentEncryptionAlgorithm(enc)
				text, err := jwxjwe.Encrypt([]byte(plaintext), jwxjwe.WithKey(theirAlg, s.public), jwxjwe.WithContentEncryption(theirEnc))
				if err != nil {
					t.Fatal(err)
				}
				texts["jwx"] = string(text)
				for from, compact := range texts {
					for _, o := range all {
						if got, err := o.open(compact); err != nil || string(got) != plaintext {
							t.Errorf("%s judges a text of %s: %q, %v\n%s", o.name, from, got, err, compact)
						}
					}
				}
			})
		}
	}
}

// What we decrypt, the others decrypt to the same. What one of them decrypts that
// we do not is of a form that we refuse, and never one that we fail at.
func FuzzDifferentialEncryption(f *testing.F) {
	// The same keys in every process, or no text would be genuine elsewhere.
	bytes32 := make([]byte, 32)
	for i := range bytes32 {
		bytes32[i] = byte(7 * (i + 1))
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes32)
	if err != nil {
		f.Fatal(err)
	}
	var all [][]opener
	for _, k := range []struct {
		alg, enc string
		private  any
	}{{"dir", "A256GCM", bytes32}, {"A128KW", "A128CBC-HS256", bytes32[:16]}, {"A256GCMKW", "A256GCM", bytes32}, {"ECDH-ES", "A128GCM", private}} {
		s, err := sealingOf(k.alg, k.enc, k.private)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, openers(s))
		compact, err := jwe.Encrypt(s.encrypter, "", "JWT", []byte("plaintext"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(compact)
	}
	f.Fuzz(func(t *testing.T, compact string) {
		for _, openers := range all {
			own, err := openers[0].open(compact)
			for _, o := range openers[1:] {
				if err == nil && len(own) == 0 && strings.HasPrefix(o.name, "jwx") {
					continue // jwx decrypts no empty plaintext, not even one of its own
				}
				got, theirs := o.open(compact)
				if err == nil && (theirs != nil || !bytes.Equal(got, own)) {
					t.Errorf("we decrypt to %q, %s to %q, %v:\n%s", own, o.name, got, theirs, compact)
				}
				if err != nil && theirs == nil && errors.Is(err, jwe.ErrDecrypt) {
					t.Errorf("%s decrypts to %q what we fail at:\n%s", o.name, got, compact)
				}
			}
		}
	})
}
