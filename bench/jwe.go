package main

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// sealing is one key for encryption in every form that a library may ask for, and
// a text that each of them decrypts.
type sealing struct {
	alg, enc        string
	encrypter       jwk.Encrypter
	decrypter       jwk.Decrypter
	private, public any // of the standard library; both the key itself for dir and A*KW
}

// sealingNames are what is measured.
var sealingNames = [][2]string{{"dir", "A256GCM"}, {"ECDH-ES+A128KW", "A256GCM"}}

func newSealing(alg, enc string) (sealing, error) {
	switch {
	case jwk.KeyManagement(alg).Symmetric():
		size := map[string]int{"A128": 16, "A256": 32}[alg[:min(4, len(alg))]]
		if alg == "dir" {
			size = map[string]int{"A128GCM": 16, "A256GCM": 32, "A128CBC-HS256": 32, "A256CBC-HS512": 64}[enc]
		}
		key := make([]byte, size)
		rand.Read(key)
		return sealingOf(alg, enc, key)
	case alg == "RSA-OAEP-256":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return sealing{}, err
		}
		return sealingOf(alg, enc, key)
	default:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return sealing{}, err
		}
		return sealingOf(alg, enc, key)
	}
}

// sealingOf takes a shared key, or a private key of the standard library.
func sealingOf(alg, enc string, private any) (sealing, error) {
	name, content := jwk.KeyManagement(alg), jwk.ContentEncryption(enc)
	var own *jwk.DecryptionKey
	var err error
	switch key := private.(type) {
	case []byte:
		shared, err := jwk.NewShared(name, key, keyID, content)
		return sealing{alg, enc, shared, shared, key, key}, err
	case *rsa.PrivateKey:
		own, err = jwk.NewRSADecryption(key, keyID, content)
	case *ecdsa.PrivateKey: // which is what the others take for ECDH too
		agreeing, failed := key.ECDH()
		if failed != nil {
			return sealing{}, failed
		}
		own, err = jwk.NewECDHDecryption(name, agreeing, keyID, content)
	default:
		err = fmt.Errorf("no key is made of %T", private)
	}
	if err != nil {
		return sealing{}, err
	}
	return sealing{alg, enc, own.Public(), own, private, private.(crypto.Signer).Public()}, nil
}

// An opener decrypts a compact serialization with the one key that it has.
type opener struct {
	name string
	open func(compact string) ([]byte, error)
}

func openers(s sealing) []opener {
	set, err := jwk.NewDecryptionSet(s.decrypter)
	check(err)
	algs, encs := []jose.KeyAlgorithm{jose.KeyAlgorithm(s.alg)}, []jose.ContentEncryption{jose.ContentEncryption(s.enc)}
	alg, ok := jwa.LookupKeyEncryptionAlgorithm(s.alg)
	if !ok {
		panic("jwx knows no " + s.alg)
	}
	return []opener{
		{ours, func(compact string) ([]byte, error) {
			d, err := jwe.Decrypt(context.Background(), compact, set)
			return d.Plaintext, err
		}},
		{"go-jose v4", func(compact string) ([]byte, error) {
			m, err := jose.ParseEncryptedCompact(compact, algs, encs)
			if err != nil {
				return nil, err
			}
			return m.Decrypt(s.private)
		}},
		{"jwx v3", func(compact string) ([]byte, error) {
			return jwxjwe.Decrypt([]byte(compact), jwxjwe.WithKey(alg, s.private))
		}},
	}
}

// decryptSubjects are what each library needs for one token of about 700 bytes,
// beside the cryptography alone: for ECDH-ES the agreement and one hash, and for
// both the cipher with its key and the decryption.
func decryptSubjects(alg, enc string) (subjects []*subject) {
	s, err := newSealing(alg, enc)
	check(err)
	claims, err := json.Marshal(theirContent())
	check(err)
	compact, err := jwe.Encrypt(s.encrypter, "", "JWT", claims)
	check(err)
	group := fmt.Sprintf("decrypt %s, %s", alg, enc)
	bare := bareDecryption(s, len(claims))
	subjects = append(subjects, &subject{group: group, name: "bare", run: func(n int) {
		for range n {
			bare()
		}
	}})
	for _, o := range openers(s) {
		subjects = append(subjects, &subject{group: group, name: o.name, run: func(n int) {
			for range n {
				_, err := o.open(compact)
				check(err)
			}
		}})
	}
	return subjects
}

// bareDecryption decrypts a text of size bytes under a header of about 100.
func bareDecryption(s sealing, size int) func() {
	key, aad := make([]byte, 32), make([]byte, 100)
	open := func(key []byte) cipher.AEAD {
		block, err := aes.NewCipher(key)
		check(err)
		a, err := cipher.NewGCM(block)
		check(err)
		return a
	}
	nonce := make([]byte, 12)
	sealed := open(key).Seal(nil, nonce, make([]byte, size), aad)
	decrypt := func() {
		_, err := open(key).Open(nil, nonce, sealed, aad)
		check(err)
	}
	if s.alg == "dir" {
		return decrypt
	}
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	check(err)
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	check(err)
	point := other.PublicKey().Bytes()
	return func() {
		public, err := ecdh.P256().NewPublicKey(point)
		check(err)
		z, err := private.ECDH(public)
		check(err)
		sum := sha256.Sum256(z)
		_, err = aes.NewCipher(sum[:16])
		check(err)
		decrypt()
	}
}
