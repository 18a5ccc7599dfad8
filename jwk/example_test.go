package jwk_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jotsmith/jotsmith/jwk"
)

func ExampleParsePublic() {
	// The key of RFC 8037, appendix A.2.
	key, err := jwk.ParsePublic([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Algorithm(), key.KeyID() == key.Thumbprint(), key.Thumbprint())
	// Output: EdDSA true kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
}

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

func ExamplePrivateKey_Format() {
	key, _ := jwk.ParsePrivate([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"2026-a",
		"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	fmt.Printf("%v %+v %#v %x\n", key, key, key, key)
	// Output: jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a) jwk.PrivateKey(EdDSA 2026-a)
}
