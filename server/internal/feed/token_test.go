package feed_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// Ending a token that has ended publishes nothing: whoever repeats it does not
// fill the sets of every follower, nor the audit log.
func TestEndTokenTwice(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	m := newMemory()
	f := newFeed(t, feed.Config{Store: m, Ring: ring})
	issuing, err := ring.Issuer(keyring.Access, jwk.ES256, issuer, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	compact, err := issuing.Issue(jwt.Claims{Subject: "acc_ada", Audience: []string{"https://tasks.example"}, IssuedAt: time.Now(), Life: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{"https://tasks.example"}, Keys: ring.Keys(keyring.Access), DangerouslyIgnoreRevocation: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := v.Verify(t.Context(), compact)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.EndToken(t.Context(), audit.Actor{Kind: audit.KindOperator}, token); err != nil {
			t.Fatal(err)
		}
		// This node's own next answer knows, before it has looked at the store.
		if err := f.Local().Check(token, time.Now()); !errors.Is(err, jwt.ErrRevoked) {
			t.Errorf("the token lives once it was answered that it does not: %v", err)
		}
		if err := f.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Local().Check(token, time.Now()); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("the token lives: %v", err)
	}
	m.set(func() {
		if len(m.facts) != 1 {
			t.Errorf("%d facts", len(m.facts))
		}
	})
}
