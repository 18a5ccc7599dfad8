package jwt_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestRecheck(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	replays, err := jwt.NewReplayCache(10)
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	policy := issuer.Policy("")
	policy.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	policy.SingleUse = replays
	v, err := jwt.NewVerifier(policy)
	if err != nil {
		t.Fatal(err)
	}
	verify := func() (string, *jwt.Token) {
		compact := issuer.Token(jwt.Claims{Life: time.Minute})
		token, err := v.Verify(t.Context(), compact)
		if err != nil {
			t.Fatal(err)
		}
		return compact, token
	}
	compact, token := verify()
	for range 2 { // single use is not used again
		if err := v.Recheck(t.Context(), token); err != nil {
			t.Errorf("a good token: %v", err)
		}
	}
	if err := jotsmithtest.New(t).Verifier("").Recheck(t.Context(), token); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("at a verifier with other keys: %v", err)
	}
	if err := issuer.Verifier("https://other.test").Recheck(t.Context(), token); !errors.Is(err, jwt.ErrAudience) {
		t.Errorf("at a verifier for another audience: %v", err)
	}
	other := jotsmithtest.NewIssuer(t, "https://other.test", jwk.EdDSA)
	third := jotsmithtest.NewIssuer(t, "https://third.test", jwk.EdDSA)
	others, err := jwt.NewVerifier(other.Policy(""), third.Policy(""))
	if err != nil {
		t.Fatal(err)
	}
	if err := others.Recheck(t.Context(), token); !errors.Is(err, jwt.ErrIssuer) {
		t.Errorf("at a verifier of other issuers: %v", err)
	}
	issuer.Revoke(compact)
	if err := v.Recheck(t.Context(), token); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("a revoked token: %v", err)
	}
	_, token = verify()
	later.Store(int64(2 * time.Minute))
	if err := v.Recheck(t.Context(), token); !errors.Is(err, jwt.ErrExpired) {
		t.Errorf("an expired token: %v", err)
	}
}
