package jws_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// Compact is what a token is. For one with claims, package jwt does all of this
// and checks issuer, audience and times.
func Example_compact() {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	compact, err := jws.Sign(key, "example+text", []byte("Hello!"))
	if err != nil {
		log.Fatal(err)
	}

	// The other side knows public keys by their ids.
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	v, err := jws.Verify(context.Background(), compact, keys)
	if err != nil {
		log.Fatal(err)
	}
	// Who uses one key for several things tells them apart by their type.
	if v.Header.Type != "example+text" {
		log.Fatal("signed, but something else")
	}
	fmt.Println(v.Payload)

	_, err = jws.Verify(context.Background(), compact+"AAAA", keys)
	fmt.Println(errors.Is(err, jwk.ErrSignature))
	// Output:
	// Hello!
	// true
}

// Two people sign one contract. The verifier says that both must have: what
// arrives has no say in it.
func ExampleJSONVerifier() {
	buyer, _ := jwk.Generate(jwk.ES256)
	seller, _ := jwk.Generate(jwk.Ed25519)
	signer := jws.JSONSigner{Keys: []jwk.Signer{buyer, seller}, Type: "contract"}
	text, err := signer.Sign([]byte("One horse for one kingdom."))
	if err != nil {
		log.Fatal(err)
	}

	keys, _ := jwk.NewSet(buyer.Public(), seller.Public())
	both := jws.JSONVerifier{Signers: keys.Len()}
	v, err := both.Verify(context.Background(), text, keys)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Payload)
	for _, s := range v.Signatures {
		fmt.Println(s.Header.Algorithm, s.Key.KeyID() == buyer.KeyID(), s.Key.KeyID() == seller.KeyID())
	}

	// One signature is not enough, and the buyer's twice is still one.
	alone, _ := jws.JSONSigner{Keys: []jwk.Signer{buyer}, Type: "contract"}.Sign([]byte("One horse for nothing."))
	_, err = both.Verify(context.Background(), alone, keys)
	fmt.Println(err)
	// Output:
	// One horse for one kingdom.
	// ES256 true false
	// Ed25519 false true
	// too few signers: 1 of the keys have signed, 2 must
}

// A signature beside a file: the text holds no payload, and the verifier brings
// it.
func ExampleVerifyDetached() {
	key, _ := jwk.Generate(jwk.Ed25519)
	release := []byte("contents of release-1.0.tar.gz")
	signature, err := jws.SignDetached(key, "release", release)
	if err != nil {
		log.Fatal(err)
	}

	keys, _ := jwk.NewSet(key.Public())
	s, err := jws.VerifyDetached(context.Background(), signature, release, keys)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed with", s.Header.Algorithm, "as", s.Header.Type)

	_, err = jws.VerifyDetached(context.Background(), signature, []byte("contents of something else"), keys)
	fmt.Println(err)
	// Output:
	// signed with Ed25519 as release
	// signature does not verify
}

// The body of an HTTP request, signed as it is: "b64":false saves encoding a
// large body only to hash it. Both sides must have agreed on it.
func ExampleVerifyDetachedUnencoded() {
	// The key and the payload of RFC 7797, section 4.
	key, err := jwk.ParseSecret([]byte(`{"kty":"oct","alg":"HS256","kid":"rfc7797",
		"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`))
	if err != nil {
		log.Fatal(err)
	}
	keys, _ := jwk.NewSet(key)
	const signature = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
	body := []byte("$.02")

	_, err = jws.VerifyDetachedUnencoded(context.Background(), signature, body, keys)
	fmt.Println(err)
	// Who has not asked for it never gets it.
	_, err = jws.VerifyDetached(context.Background(), signature, body, keys)
	fmt.Println(errors.Is(err, jws.ErrMalformed))
	// Output:
	// <nil>
	// true
}

// The payload stands readable in the JSON.
func ExampleJSONSigner_unencoded() {
	key, err := jwk.ParsePrivate([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k",
		"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		log.Fatal(err)
	}
	text, err := jws.JSONSigner{Keys: []jwk.Signer{key}, Unencoded: true}.Sign([]byte("Pay 5 to Bob"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text[:25]))

	keys, _ := jwk.NewSet(key.Public())
	v, err := jws.JSONVerifier{Signers: 1, Unencoded: true}.Verify(context.Background(), text, keys)
	fmt.Println(v.Payload, err)
	// Output:
	// {"payload":"Pay 5 to Bob"
	// Pay 5 to Bob <nil>
}
