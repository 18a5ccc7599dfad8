package jwe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// Publish the public half of a key; others encrypt with it what the private half
// alone decrypts.
func Example() {
	private, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "P-256")
	if err != nil {
		log.Fatal(err)
	}
	published, err := json.Marshal(private.Public())
	if err != nil {
		log.Fatal(err)
	}

	// Somebody else:
	public, err := jwk.ParseEncryption(published)
	if err != nil {
		log.Fatal(err)
	}
	text, err := jwe.Encrypt(public, "", "text/plain", []byte("born on 1 April"))
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.NewDecryptionSet(private)
	if err != nil {
		log.Fatal(err)
	}
	got, err := jwe.Decrypt(context.Background(), text, keys)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Header.Algorithm, got.Header.Encryption, got.Header.ContentType)
	fmt.Println(string(got.Plaintext))
	// Output:
	// ECDH-ES+A128KW A256GCM text/plain
	// born on 1 April
}

// Two ends of one system share a key. It allows what it was made for: what
// somebody else has made with another content encryption is refused by name.
func ExampleDecrypt_algorithm() {
	ours, err := jwk.GenerateShared(jwk.A256KW, jwk.A256GCM)
	if err != nil {
		log.Fatal(err)
	}
	text, err := ours.MarshalSharedJWK()
	if err != nil {
		log.Fatal(err)
	}
	other, err := jwk.ParseShared(text, jwk.A128CBCHS256)
	if err != nil {
		log.Fatal(err)
	}
	message, err := jwe.Encrypt(other, "", "", []byte("secret"))
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewDecryptionSet(ours)
	if err != nil {
		log.Fatal(err)
	}
	_, err = jwe.Decrypt(context.Background(), message, keys)
	fmt.Println(err)
	// Output: wrong algorithm: the key allows [A256GCM] only
}

// Whatever was changed, the answer is the same.
func ExampleDecrypt_tampered() {
	key, err := jwk.GenerateShared(jwk.A256KW)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewDecryptionSet(key)
	if err != nil {
		log.Fatal(err)
	}
	message, err := jwe.Encrypt(key, "", "", []byte("secret"))
	if err != nil {
		log.Fatal(err)
	}
	parts := strings.Split(message, ".")
	for i := 1; i < len(parts); i++ {
		changed := append([]string(nil), parts...)
		changed[i] = strings.Map(func(r rune) rune {
			if r == 'A' {
				return 'B'
			}
			return 'A'
		}, parts[i][:4]) + parts[i][4:]
		_, err := jwe.Decrypt(context.Background(), strings.Join(changed, "."), keys)
		fmt.Println(err)
	}
	// Output:
	// decryption failed
	// decryption failed
	// decryption failed
	// decryption failed
}

// One text for two readers. Each of them could write another in its place.
func ExampleEncryptJSON() {
	ada, _ := jwk.GenerateDecryption(jwk.ECDHESA256KW, "X25519")
	bob, _ := jwk.GenerateShared(jwk.A256GCMKW)
	text, err := jwe.EncryptJSON([]jwk.Encrypter{ada.Public(), bob}, "", "", []byte("not secret"), []byte("for two"))
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []jwk.Decrypter{ada, bob} {
		keys, err := jwk.NewDecryptionSet(key)
		if err != nil {
			log.Fatal(err)
		}
		got, err := jwe.DecryptJSON(context.Background(), text, keys)
		fmt.Printf("%s, %s, %v\n", got.Plaintext, got.AdditionalData, err)
	}
	// Output:
	// for two, not secret, <nil>
	// for two, not secret, <nil>
}

// A file that a person keeps, under a password.
func ExampleEncryptWithPassword() {
	password, err := jwk.NewPassword(jwk.PBES2HS512A256KW, "correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	file, err := jwe.EncryptWithPassword(password, "", "application/jwk+json", []byte(`{"kty":"oct"}`))
	if err != nil {
		log.Fatal(err)
	}
	got, err := jwe.DecryptWithPassword(file, password)
	fmt.Println(got.Header.ContentType, string(got.Plaintext), err)
	// Output: application/jwk+json {"kty":"oct"} <nil>
}

// Without any key, a person can see what a text says of itself.
func ExampleInspect() {
	u, err := jwe.Inspect("eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ." +
		"AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ")
	fmt.Println(u.Header, len(u.Ciphertext), err)
	// Output: {"alg":"A128KW","enc":"A128CBC-HS256"} 32 <nil>
}
