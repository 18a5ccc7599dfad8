package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func Example() {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject:  "acc_anna",
		Audience: []string{"https://tasks.example.com"},
		Life:     15 * time.Minute,
		Scope:    []string{"tasks:read", "tasks:write"},
		Roles:    []string{"editor"},
	})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer:                      "https://auth.example.com",
		Audiences:                   []string{"https://tasks.example.com"},
		Keys:                        keys,
		DangerouslyIgnoreRevocation: true, // this issuer has no feed
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject(), token.HasRole("editor"), token.HasScope("tasks:delete"))

	_, err = verifier.Verify(context.Background(), compact[:len(compact)-4]+"AAAA")
	fmt.Println(errors.Is(err, jwt.ErrSignature), err)
	// Output:
	// acc_anna true false
	// true signature does not verify
}

func ExampleDecode() {
	key, _ := jwk.Generate(jwk.EdDSA)
	issuer, _ := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	type plan struct {
		Plan  string `json:"plan"`
		Seats int    `json:"seats"`
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute,
		Custom: plan{Plan: "team", Seats: 5},
	})
	if err != nil {
		log.Fatal(err)
	}

	keys, _ := jwk.NewSet(key.Public())
	verifier, _ := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://tasks.example.com"},
		Keys: keys, DangerouslyIgnoreRevocation: true,
	})
	token, err := verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	p, err := jwt.Decode[plan](token)
	fmt.Println(p.Plan, p.Seats, err)
	// Output: team 5 <nil>
}

func ExampleIssuer_Issue_reserved() {
	key, _ := jwk.Generate(jwk.ES256)
	issuer, _ := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	_, err := issuer.Issue(jwt.Claims{
		Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute,
		Custom: map[string]any{"roles": []string{"admin"}},
	})
	fmt.Println(err)
	// Output: jwt claims: reserved name "roles" in Custom
}

func ExampleNewVerifier_faults() {
	_, err := jwt.NewVerifier(jwt.Policy{Issuer: "https://auth.example.com"})
	fmt.Println(err)
	// Output:
	// jwt policy: Keys is nil: give a key set, such as a *jwk.Set
	// Audiences is empty: name this API as its tokens do, or any API's tokens would open it
	// Revocations is nil: revoked tokens would be accepted until they expire
}

func ExampleInspect() {
	u, err := jwt.Inspect("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.")
	fmt.Println(u.Algorithm(), u.Claims(), err)
	// Output: none {"sub":"mallory"} <nil>
}
