package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func TestOpenMakesARing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	c := config(m, roots(t, keyring.NewRootKey()))
	c.Algorithms = []jwk.Algorithm{jwk.ES256, jwk.EdDSA}
	r := open(t, c)
	for _, want := range []struct {
		purpose string
		alg     jwk.Algorithm
	}{{keyring.Access, jwk.ES256}, {keyring.Access, jwk.EdDSA}, {keyring.Feed, jwk.ES256}, {keyring.Refresh, jwk.HS256}} {
		if s, err := r.Signer(want.purpose, want.alg); err != nil || s.Algorithm() != want.alg {
			t.Errorf("Signer(%s, %s) = %v, %v", want.purpose, want.alg, s, err)
		}
	}
	if _, err := r.Signer(keyring.Access, jwk.RS256); err == nil {
		t.Error("a signer of an algorithm that nobody asked for")
	}
	mac, err := r.MAC()
	if err != nil || len(mac.KeyID()) != 8 {
		t.Fatalf("MAC() = %v, %v, want a key id of 8 characters", mac, err)
	}
	if again, ok := r.MACKey(mac.KeyID()); !ok || !again.Equal(mac) {
		t.Error("MACKey does not find the active MAC key")
	}
	if got := m.acts(); len(got) != 1 || got[0] != "keyring.create" {
		t.Errorf("events %v, want one keyring.create", got)
	}

	t.Run("reopened, the same keys", func(t *testing.T) {
		again := open(t, c)
		for i, k := range r.List() {
			if again.List()[i] != k {
				t.Errorf("key %d is %v, was %v", i, again.List()[i], k)
			}
		}
		if len(m.acts()) != 1 {
			t.Errorf("reopening wrote: %v", m.acts())
		}
	})
	t.Run("another algorithm is added", func(t *testing.T) {
		c := c
		c.Algorithms = append(c.Algorithms, jwk.RS256)
		again := open(t, c)
		if _, err := again.Signer(keyring.Access, jwk.RS256); err != nil {
			t.Error(err)
		}
	})
}

func TestConfigReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := keyring.Open(t.Context(), keyring.Config{Algorithms: []jwk.Algorithm{jwk.HS256, "none"}, Lead: -1, Every: time.Hour})
	for _, want := range []string{"no store", "no root key", `"HS256"`, `"none"`, "negative", "retired access", "retired feed", "retired refresh"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
}

// Two fresh nodes on an empty store make one ring.
func TestTwoFreshNodesMakeOneRing(t *testing.T) {
	t.Parallel()
	for range 20 {
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		rings := make([]*keyring.Ring, 4)
		var wg sync.WaitGroup
		for i := range rings {
			wg.Go(func() { rings[i], _ = keyring.Open(context.Background(), c) })
		}
		wg.Wait()
		for i, r := range rings {
			if r == nil {
				t.Fatalf("node %d has no ring", i)
			}
			if got, want := fmt.Sprint(r.List()), fmt.Sprint(rings[0].List()); got != want {
				t.Fatalf("node %d has other keys than node 0", i)
			}
		}
		if got := m.acts(); len(got) != 1 {
			t.Fatalf("events %v, want one", got)
		}
	}
}

// A node that loses the race with a root key of its own stops, and says why.
func TestFreshNodeWithAnotherRootKeyStops(t *testing.T) {
	t.Parallel()
	for range 20 {
		m := newMemory()
		own := []keyring.RootKeys{roots(t, keyring.NewRootKey()), roots(t, keyring.NewRootKey())}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range own {
			wg.Go(func() { _, errs[i] = keyring.Open(context.Background(), config(m, own[i])) })
		}
		wg.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		loser := errs[1-winner]
		if errs[winner] != nil || !errors.Is(loser, keyring.ErrRootKey) {
			t.Fatalf("errors %v and %v, want nil and ErrRootKey", errs[winner], loser)
		}
		for _, id := range []string{own[0].IDs()[0], own[1].IDs()[0]} {
			if !strings.Contains(loser.Error(), id) {
				t.Fatalf("error %q does not name root key %s", loser, id)
			}
		}
	}
}

func TestLeaseExpiryStopsSigning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		r := open(t, config(m, roots(t, keyring.NewRootKey())))
		stop := run(t, r)
		defer stop()
		kid := active(t, r, keyring.Access).ID

		time.Sleep(time.Hour)
		if _, err := r.Signer(keyring.Access, jwk.ES256); err != nil {
			t.Fatalf("after an hour of good readings: %v", err)
		}
		m.mu.Lock()
		m.broken = fault.ErrUnavailable
		m.mu.Unlock()
		time.Sleep(keyring.Lease - keyring.Poll)
		if _, err := r.Signer(keyring.Access, jwk.ES256); err != nil {
			t.Errorf("while the lease lasts: %v", err)
		}
		time.Sleep(keyring.Poll + time.Second)
		if _, err := r.Signer(keyring.Access, jwk.ES256); !errors.Is(err, keyring.ErrLease) {
			t.Errorf("Signer after the lease: %v, want ErrLease", err)
		}
		if _, err := r.MAC(); !errors.Is(err, keyring.ErrLease) {
			t.Errorf("MAC after the lease: %v, want ErrLease", err)
		}
		if _, err := r.Issuer(keyring.Access, jwk.ES256, "https://i", ""); !errors.Is(err, keyring.ErrLease) {
			t.Errorf("Issuer after the lease: %v, want ErrLease", err)
		}
		if _, err := r.Keys(keyring.Access).Key(t.Context(), kid); err != nil {
			t.Errorf("verifying needs no lease: %v", err)
		}
		m.mu.Lock()
		m.broken = nil
		m.mu.Unlock()
		time.Sleep(2 * time.Second) // far less than a poll
		if _, err := r.Signer(keyring.Access, jwk.ES256); err != nil {
			t.Errorf("once the store is back: %v", err)
		}
	})
}

// run runs r until stop is called, which waits for it.
func run(t *testing.T, r *keyring.Ring) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run answered %v", err)
		}
	}
}

func TestKeysKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	m := newMemory()
	c := config(m, roots(t, keyring.NewRootKey()))
	r := open(t, c)
	keys := r.Keys(keyring.Access)
	kid := active(t, r, keyring.Access).ID
	before, err := keys.Key(t.Context(), kid)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator); err != nil {
			t.Fatal(err)
		}
	}
	after, err := keys.Key(t.Context(), kid)
	if err != nil || after != before {
		t.Errorf("the key is another object after a rotation (%v)", err)
	}
	if !keys.Trusts(before) {
		t.Error("a key that was held before is not trusted any more")
	}
	other, err := open(t, c).Keys(keyring.Access).Key(t.Context(), kid)
	if err != nil || keys.Trusts(other) {
		t.Errorf("an equal key of another ring counts as the same (%v)", err)
	}
	if keys.Trusts(nil) || r.Keys(keyring.Feed).Trusts(before) {
		t.Error("trusts no key, or one of another purpose")
	}
}

// It is asked for every request.
func TestTrustsAllocatesNothing(t *testing.T) {
	r := open(t, config(newMemory(), roots(t, keyring.NewRootKey())))
	keys := r.Keys(keyring.Access)
	key, err := keys.Key(t.Context(), active(t, r, keyring.Access).ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { keys.Trusts(key) }); n != 0 {
		t.Errorf("Trusts allocates %v times", n)
	}
}

func TestJWK07PublishedKeysArePublic(t *testing.T) {
	t.Parallel()
	c := config(newMemory(), roots(t, keyring.NewRootKey()))
	c.Algorithms = []jwk.Algorithm{jwk.ES256, jwk.EdDSA, jwk.RS256}
	r := open(t, c)
	access, tag := r.JWKS(keyring.Access)
	set, err := jwk.ParseSet(access)
	if err != nil || set.Len() != 3 {
		t.Fatalf("ParseSet: %v", err)
	}
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"k"`, `"oct"`} {
		if strings.Contains(string(access), private) {
			t.Errorf("the public key set has a member %s", private)
		}
	}
	feed, feedTag := r.JWKS(keyring.Feed)
	if string(feed) == string(access) || tag == feedTag || len(tag) < 10 {
		t.Errorf("key sets of two purposes: tags %s and %s", tag, feedTag)
	}
	if body, tag := r.JWKS(keyring.Refresh); body != nil || tag != "" {
		t.Errorf("JWKS of MAC keys: %s", body)
	}
	mac, _ := r.MAC()
	if _, err := r.Keys(keyring.Refresh).Key(t.Context(), mac.KeyID()); !errors.Is(err, jwk.ErrUnknownKey) {
		t.Errorf("a MAC key is handed out as a key that verifies: %v", err)
	}
	if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator); err != nil {
		t.Fatal(err)
	}
	if _, moved := r.JWKS(keyring.Access); moved == tag {
		t.Error("the entity tag stays when a key is announced")
	}
}
