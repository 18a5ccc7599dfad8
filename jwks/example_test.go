package jwks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwks"
	"github.com/jotsmith/jotsmith/jwt"
)

// Any issuer that publishes a JWKS will do.
func ExampleNew() {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	published, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=300")
		_ = json.NewEncoder(w).Encode(published)
	}))
	defer issuer.Close()

	keys, err := jwks.New(jwks.Config{URL: issuer.URL + "/.well-known/jwks.json"})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer:                      issuer.URL,
		Audiences:                   []string{"https://tasks.example.com"},
		Keys:                        keys,
		DangerouslyIgnoreRevocation: true, // a JWKS alone tells nothing of revocation
	})
	if err != nil {
		log.Fatal(err)
	}

	signer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuer.URL, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	compact, err := signer.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject())
	// Output: acc_anna
}
