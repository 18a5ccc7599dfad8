package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// In the issuer's own process a Set is all that revocation needs.
func ExampleSet() {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	token, err := issuer.Issue(jwt.Claims{
		Subject: "acc_anna", Audience: []string{"https://tasks.example.com"}, Life: 15 * time.Minute, SessionID: "s1",
	})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	revoked := revocation.NewSet(0)
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://tasks.example.com"}, Keys: keys, Revocations: revoked,
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(context.Background(), token)
	fmt.Println(err)

	err = revoked.Add(revocation.Entry{
		Fact:    jwt.NewFact(jwt.SessionFact, "https://auth.example.com", "s1"),
		Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(context.Background(), token)
	fmt.Println(errors.Is(err, jwt.ErrRevoked), err)
	// Output:
	// <nil>
	// true token revoked: its session has ended
}

// Another process follows the issuer's feed. Package guard does all this.
func ExampleFollower() {
	var feedKeys jwt.Keys // a jwks.Remote of the feed's own key set
	follower, err := revocation.NewFollower(revocation.FollowerConfig{
		URL:    "https://auth.example.com/v1/revocations",
		Issuer: "https://auth.example.com",
		Keys:   feedKeys,
	})
	if err != nil {
		fmt.Println("keys are required:", err != nil)
		return
	}
	go follower.Run(context.Background())
	<-follower.Ready()
	// Output: keys are required: true
}
