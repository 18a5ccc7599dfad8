package jwk_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"

	"github.com/jotsmith/jotsmith/jwk"
)

// Make a key pair, keep the private half, publish the public one.
func Example() {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	secret, err := key.PrivatePEM() // to a file that only its owner can read
	if err != nil {
		log.Fatal(err)
	}
	public, err := json.Marshal(key.Public()) // to anybody
	if err != nil {
		log.Fatal(err)
	}

	signer, err := jwk.ParsePrivatePEM(jwk.ES256, "", secret)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwk.ParsePublic(public)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := signer.AppendSignature(nil, []byte("a message"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verifier.Verify([]byte("a message"), signature))
	fmt.Println(verifier.Verify([]byte("another message"), signature))
	// Output:
	// <nil>
	// signature does not verify
}

func ExampleAlgorithms() {
	for _, alg := range jwk.Algorithms() {
		if alg.Symmetric() {
			fmt.Print(alg, " ")
		}
	}
	fmt.Println()
	// Output: HS256 HS384 HS512
}

// A secret that is too short, or that can be guessed, does not become a key.
func ExampleNewHMAC() {
	_, err := jwk.NewHMAC(jwk.HS256, []byte("secret"), "2026-a")
	fmt.Println(err)
	key, err := jwk.GenerateSecret(jwk.HS256)
	fmt.Println(key.Algorithm(), err)
	// Output:
	// HS256 secret: 6 bytes, at least 32 are needed (RFC 7518 §3.2): make one with GenerateSecret or `openssl rand`
	// HS256 <nil>
}

func ExampleParsePublic() {
	// The key of RFC 8037, appendix A.2.
	key, err := jwk.ParsePublic([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Algorithm(), key.KeyID() == key.Thumbprint(), key.Thumbprint())
	// Output: EdDSA true kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
}

// PEM does not say what a key is for. The caller does, and the key must fit.
func ExampleParsePublicPEM() {
	const pem = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`
	key, err := jwk.ParsePublicPEM(jwk.Ed25519, "2026-a", []byte(pem))
	fmt.Println(key, err)
	_, err = jwk.ParsePublicPEM(jwk.RS256, "2026-a", []byte(pem))
	fmt.Println(err)
	// Output:
	// jwk.PublicKey(Ed25519 2026-a) <nil>
	// RS256 public key: ed25519.PublicKey is not an RSA public key
}

// A key set finds the key that a token names. A token that names none finds a
// key only where there is no choice.
func ExampleNewSet() {
	old, _ := jwk.Generate(jwk.ES256)
	young, _ := jwk.Generate(jwk.ES256)
	set, err := jwk.NewSet(old.Public(), young.Public())
	if err != nil {
		log.Fatal(err)
	}
	key, err := set.Key(context.Background(), young.KeyID())
	fmt.Println(key == jwk.Verifier(young.Public()), err)
	_, err = set.Key(context.Background(), "")
	fmt.Println(err)
	// Output:
	// true <nil>
	// unknown key
}

// A published set may hold keys that are not for us. One that holds what nobody
// should have published is refused.
func ExampleParseSet() {
	const ours = `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	set, err := jwk.ParseSet([]byte(`{"keys":[` + ours + `,{"kty":"OKP","crv":"X25519","kid":"b","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	for key := range set.All() {
		fmt.Println(key)
	}
	_, err = jwk.ParseSet([]byte(`{"keys":[` + ours + `,{"kty":"oct","kid":"c","alg":"HS256","k":"GawgguFyGrWKav7AX4VKUg"}]}`))
	fmt.Println(err)
	// Output:
	// jwk.PublicKey(EdDSA a)
	// key 1 of the set: JWK with private or secret members where a public key is expected: it must not be handed around
}

// kms stands for the client of an HSM or of a key management service: it knows
// the public key, and the private one never leaves the device.
type kms struct{ device *ecdsa.PrivateKey }

func (k kms) Public() crypto.PublicKey { return k.device.Public() }

func (k kms) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.device.Sign(rand, digest, opts) // over the network, with a time limit
}

// A key in an HSM signs like any other, and cannot be written down.
func ExampleFromSigner() {
	device, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	key, err := jwk.FromSigner(jwk.ES384, kms{device}, "hsm-1")
	if err != nil {
		log.Fatal(err)
	}
	signature, err := key.AppendSignature(nil, []byte("a message"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Public().Verify([]byte("a message"), signature), len(signature))
	_, err = key.PrivatePEM()
	fmt.Println(err)
	// Output:
	// <nil> 96
	// the private half is not in this process and cannot be written down
}

// No key shows itself in a log.
func ExamplePrivateKey_Format() {
	key, _ := jwk.ParsePrivate([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"2026-a",
		"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	fmt.Printf("%v %+v %#v %x\n", key, key, key, key)
	// Output: jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a)
}
