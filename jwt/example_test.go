package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
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

// An API that takes tokens of its own issuer and of a partner's. Each has its own
// keys, audience and rules, and neither can speak for the other.
func ExampleNewVerifier_severalIssuers() {
	own, ownKeys := newIssuer("https://auth.example.com", jwk.ES256)
	partner, partnerKeys := newIssuer("https://login.partner.example", jwk.RS256)
	verifier, err := jwt.NewVerifier(
		jwt.Policy{
			Issuer:                      "https://auth.example.com",
			Audiences:                   []string{"https://tasks.example.com"},
			Keys:                        ownKeys,
			DangerouslyIgnoreRevocation: true, // this issuer has no feed
		},
		jwt.Policy{
			Issuer:                      "https://login.partner.example",
			Audiences:                   []string{"tasks"},
			Keys:                        partnerKeys,
			Algorithms:                  []jwk.Algorithm{jwk.RS256}, // whatever else the partner puts into its key set
			RequiredClaims:              []string{"sub", "client_id"},
			MaxAge:                      time.Hour, // however long the partner lets them live
			DangerouslyIgnoreRevocation: true,
		},
	)
	if err != nil {
		log.Fatal(err)
	}

	compact, err := own.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject(), "of", token.Issuer()) // a principal is both

	compact, err = partner.Issue(jwt.Claims{Subject: "acc_anna", ClientID: "app_x", Audience: []string{"tasks"}, Life: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	token, err = verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject(), "of", token.Issuer())

	stranger, _ := newIssuer("https://stranger.example", jwk.ES256)
	compact, err = stranger.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"tasks"}, Life: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(context.Background(), compact)
	fmt.Println(err)
	// Output:
	// acc_anna of https://auth.example.com
	// acc_anna of https://login.partner.example
	// wrong issuer: "iss" is none of the 2 issuers
}

// newIssuer makes an issuer with a new key, and its key set.
func newIssuer(name string, alg jwk.Algorithm) (*jwt.Issuer, *jwk.Set) {
	key, err := jwk.Generate(alg)
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: name, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	return issuer, keys
}

// A token that is good for one call, such as a link that confirms an order.
func ExampleReplayCache() {
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://shop.example.com", Key: key, Type: "order-confirmation+jwt"})
	if err != nil {
		log.Fatal(err)
	}
	compact, err := issuer.Issue(jwt.Claims{Subject: "order_7", Audience: []string{"https://shop.example.com"}, Life: time.Hour})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	used, err := jwt.NewReplayCache(100_000) // in this process; several need a store that they share
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://shop.example.com", Audiences: []string{"https://shop.example.com"}, Keys: keys,
		Type:                        "order-confirmation+jwt", // no access token passes for one, and none of these for an access token
		SingleUse:                   used,
		DangerouslyIgnoreRevocation: true, // being used is the only end that it has before its time
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		_, err = verifier.Verify(context.Background(), compact)
		fmt.Println(errors.Is(err, jwt.ErrReplayed), err)
	}
	// Output:
	// false <nil>
	// true token used before
}

// Keys change while tokens live: the set holds the old key beside the new one
// until the last token of the old one has expired.
func ExamplePolicy_keySet() {
	old, _ := jwk.Generate(jwk.ES256)
	young, _ := jwk.Generate(jwk.EdDSA)
	published, err := json.Marshal(mustSet(old.Public(), young.Public())) // what a JWKS endpoint serves
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.ParseSet(published)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://tasks.example.com"},
		Keys: keys, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []*jwk.PrivateKey{old, young} {
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
		if err != nil {
			log.Fatal(err)
		}
		compact, err := issuer.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute})
		if err != nil {
			log.Fatal(err)
		}
		token, err := verifier.Verify(context.Background(), compact)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(token.Algorithm(), token.KeyID() == key.KeyID())
	}
	// Output:
	// ES256 true
	// EdDSA true
}

// The API makes the key pair and hands out its public half; the issuer encrypts
// with it what it has signed. The API then takes encrypted tokens and no others.
func ExampleIssuer_encrypted() {
	api, _ := jwk.GenerateDecryption(jwk.ECDHESA128KW, "P-256")
	decryption, _ := jwk.NewDecryptionSet(api)

	key, _ := jwk.Generate(jwk.ES256)
	issuer, _ := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key, Seal: api.Public()})
	compact, _ := issuer.Issue(jwt.Claims{
		Subject: "acc_anna", Audience: []string{"https://clinic.example.com"}, Life: time.Minute,
		Custom: map[string]any{"birthdate": "1990-01-01"},
	})

	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://clinic.example.com"},
		Keys: mustSet(key.Public()), Decryption: decryption, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(context.Background(), compact)
	fmt.Println(strings.Count(compact, "."), token.Subject(), err)

	plain, _ := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	compact, _ = plain.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"https://clinic.example.com"}, Life: time.Minute})
	_, err = verifier.Verify(context.Background(), compact)
	fmt.Println(err)
	// Output:
	// 4 acc_anna <nil>
	// malformed token: encryption: not five parts between dots
}

// Claims that everybody can read who holds the token, once for each name.
func ExampleIssuerConfig_onSensitive() {
	key, _ := jwk.Generate(jwk.ES256)
	issuer, _ := jwt.NewIssuer(jwt.IssuerConfig{
		Issuer: "https://auth.example.com", Key: key,
		OnSensitive: func(claim string) { fmt.Println("in clear:", claim) },
	})
	for range 2 {
		_, _ = issuer.Issue(jwt.Claims{
			Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: time.Minute,
			Custom: map[string]any{"email": "anna@example.com", "plan": "team"},
		})
	}
	// Output: in clear: email
}

func mustSet(keys ...jwk.Verifier) *jwk.Set {
	set, err := jwk.NewSet(keys...)
	if err != nil {
		log.Fatal(err)
	}
	return set
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
