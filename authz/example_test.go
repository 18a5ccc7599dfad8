package authz_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func Example() {
	mayWrite := authz.All(authz.Scope("tasks:write"), authz.Any(authz.Role("editor"), authz.Role("admin")))
	fmt.Println("demands", mayWrite)

	token := verify(jwt.Claims{Scope: []string{"tasks:read"}, Roles: []string{"editor"}})
	fmt.Println(mayWrite.Check(token))
	token = verify(jwt.Claims{Scope: []string{"tasks:write"}, Roles: []string{"editor"}})
	fmt.Println(mayWrite.Check(token))
	// Output:
	// demands scope tasks:write and (role editor or role admin)
	// needs scope tasks:write
	// <nil>
}

// Whose task it is stands in no token.
func ExampleSelf() {
	owner := map[string]string{"7": "acc_anna", "8": "acc_bob"}
	type getTask struct{ ID string }
	mayRead := authz.Any(authz.Role("admin"), authz.Self(func(r getTask, t *jwt.Token) (bool, error) {
		return owner[r.ID] == t.Subject(), nil
	}))
	anna := verify(jwt.Claims{Roles: []string{"editor"}})
	fmt.Println(authz.Check(mayRead, getTask{"7"}, anna))
	fmt.Println(authz.Check(mayRead, getTask{"8"}, anna))
	// Output:
	// <nil>
	// needs role admin or ownership
}

// verify makes a token and verifies it, as an issuer and a guard would.
func verify(c jwt.Claims) *jwt.Token {
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	c.Subject, c.Audience, c.Life = "acc_anna", []string{"https://tasks.example.com"}, time.Minute
	compact, err := issuer.Issue(c)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{Issuer: "https://auth.example.com", Audiences: c.Audience, Keys: keys, DangerouslyIgnoreRevocation: true})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(context.Background(), compact)
	if err != nil {
		log.Fatal(err)
	}
	return token
}
