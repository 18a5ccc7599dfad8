package jwt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

func newReplayCache(tb testing.TB, limit int) *jwt.ReplayCache {
	tb.Helper()
	c, err := jwt.NewReplayCache(limit)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func singleUse(r jwt.Replays) func(*jwt.Policy) {
	return func(p *jwt.Policy) { p.Now, p.SingleUse = at(start), r }
}

// store is what several processes share. It outlives each of them.
type store struct {
	mu    sync.Mutex
	until map[[32]byte]time.Time
	asked int
	err   error
}

func (s *store) Use(_ context.Context, id [32]byte, now, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return s.err
	}
	if at, ok := s.until[id]; ok && at.After(now) {
		return fmt.Errorf("%w: by somebody", jwt.ErrReplayed)
	}
	s.until[id] = until
	return nil
}

func TestCLM08SingleUse(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, alg)
			v := newVerifier(t, key, singleUse(newReplayCache(t, 10)))
			compact := sign(t, key, goodClaims())
			check(t, v, compact, nil)
			for range 3 {
				check(t, v, compact, jwt.ErrReplayed)
			}
			if v.Cached(compact) {
				t.Error("a token that is good once is kept for a second time")
			}
			// Another token of the same id is the same use; another id is not.
			check(t, v, sign(t, key, goodClaims().with("sub", "acc_ben")), jwt.ErrReplayed)
			check(t, v, sign(t, key, goodClaims().with("jti", "t2")), nil)
			check(t, v, sign(t, key, goodClaims().with("jti", leave)), jwt.ErrMalformed)
		})
	}
	t.Run("two nodes and a restart", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, jwk.ES256)
		shared := &store{until: map[[32]byte]time.Time{}}
		compact := sign(t, key, goodClaims())
		check(t, newVerifier(t, key, singleUse(shared)), compact, nil)
		check(t, newVerifier(t, key, singleUse(shared)), compact, jwt.ErrReplayed)
	})
	t.Run("one issuer's id is not another's", func(t *testing.T) {
		t.Parallel()
		one, two := newKey(t, jwk.ES256), newKey(t, jwk.ES256)
		first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
		first.SingleUse = newReplayCache(t, 10)
		second.SingleUse = first.SingleUse
		v := newVerifierOf(t, first, second)
		for _, want := range []error{nil, jwt.ErrReplayed} {
			check(t, v, sign(t, one, goodClaims()), want)
			check(t, v, sign(t, two, goodClaims().with("iss", otherIssuer)), want)
		}
	})
	t.Run("one kind's id is not another's", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, jwk.ES256)
		shared := newReplayCache(t, 10)
		for _, typ := range []string{"dpop+jwt", "client-authentication+jwt"} {
			v := newVerifier(t, key, singleUse(shared), func(p *jwt.Policy) { p.Type = typ })
			for _, spelling := range []string{typ, "application/" + typ} {
				compact, err := jws.Sign(key, spelling, mustJSON(goodClaims()))
				if err != nil {
					t.Fatal(err)
				}
				want := jwt.ErrReplayed
				if spelling == typ {
					want = nil
				}
				check(t, v, compact, want)
			}
		}
	})
	t.Run("another policy of the same verifier is cached", func(t *testing.T) {
		t.Parallel()
		one, two := newKey(t, jwk.ES256), newKey(t, jwk.ES256)
		first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
		first.SingleUse = newReplayCache(t, 10)
		v := newVerifierOf(t, first, second)
		once, often := sign(t, one, goodClaims()), sign(t, two, goodClaims().with("iss", otherIssuer))
		check(t, v, once, nil)
		check(t, v, often, nil)
		if v.Cached(once) || !v.Cached(often) {
			t.Error("cached the wrong one")
		}
		check(t, v, once, jwt.ErrReplayed)
		check(t, v, often, nil)
	})
}

// A token that is refused for anything else is not used up, and the store is not
// even asked.
func TestSingleUseComesLast(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	revocations := &revoked{err: jwt.ErrRevoked}
	used := &store{until: map[[32]byte]time.Time{}}
	v := newVerifier(t, key, singleUse(used), withRevocations(revocations))
	good := sign(t, key, goodClaims())
	for _, c := range []struct {
		compact string
		want    error
	}{
		{good[:len(good)-4] + "AAAA", jwt.ErrSignature},
		{sign(t, key, goodClaims().with("iss", "x")), jwt.ErrIssuer},
		{sign(t, key, goodClaims().with("aud", "x")), jwt.ErrAudience},
		{sign(t, key, goodClaims().with("nbf", start.Unix()+3600)), jwt.ErrNotYetValid},
		{sign(t, key, goodClaims().with("exp", start.Unix()-3600)), jwt.ErrExpired},
		{good, jwt.ErrRevoked},
	} {
		check(t, v, c.compact, c.want)
	}
	if used.asked != 0 {
		t.Errorf("asked %d times", used.asked)
	}
	revocations.err = nil
	check(t, v, good, nil)
	check(t, v, good, jwt.ErrReplayed)
	// Whatever else the store says, the token is not accepted.
	for _, err := range []error{errors.New("connection refused"), fmt.Errorf("%w: full", jwt.ErrReplaysUnavailable), context.DeadlineExceeded} {
		used.err = err
		check(t, v, sign(t, key, goodClaims().with("jti", "t3")), jwt.ErrReplaysUnavailable)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	used.err = ctx.Err()
	if token, err := v.Verify(ctx, sign(t, key, goodClaims().with("jti", "t3"))); token != nil || !errors.Is(err, context.Canceled) || errors.Is(err, jwt.ErrReplaysUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
	used.err = nil
	check(t, v, sign(t, key, goodClaims().with("jti", "t3")), nil)
}

func TestSingleUseConcurrently(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	shared := newReplayCache(t, 1000)
	nodes := []*jwt.Verifier{newVerifier(t, key, singleUse(shared)), newVerifier(t, key, singleUse(shared))}
	var tokens []string
	for i := range 100 {
		tokens = append(tokens, sign(t, key, goodClaims().with("jti", fmt.Sprint(i))))
	}
	var accepted atomic.Int64
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range tokens {
				_, err := nodes[g%2].Verify(context.Background(), tokens[(i+g*13)%len(tokens)])
				switch {
				case err == nil:
					accepted.Add(1)
				case !errors.Is(err, jwt.ErrReplayed):
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := accepted.Load(); n != int64(len(tokens)) {
		t.Errorf("%d of %d tokens were accepted", n, len(tokens))
	}
}

func TestReplayCache(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	id := func(n int) (id [32]byte) {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return id
	}
	after := func(d time.Duration) time.Time { return start.Add(d) }
	c := newReplayCache(t, 3)
	for _, step := range []struct {
		name       string
		id         int
		now, until time.Duration
		want       error
	}{
		{"first", 1, 0, time.Minute, nil},
		{"again", 1, 0, time.Minute, jwt.ErrReplayed},
		{"again, with a later end", 1, 0, time.Hour, jwt.ErrReplayed},
		{"second", 2, 0, 2 * time.Minute, nil},
		{"third", 3, time.Second, 90 * time.Second, nil},
		{"full", 4, 2 * time.Second, time.Minute, jwt.ErrReplaysUnavailable},
		{"full, but this one is known", 3, 2 * time.Second, time.Minute, jwt.ErrReplayed},
		{"full until the last moment", 4, time.Minute - 1, 2 * time.Minute, jwt.ErrReplaysUnavailable},
		{"the first has ended", 4, time.Minute, 2 * time.Minute, nil},
		{"the third has not", 3, time.Minute, 2 * time.Minute, jwt.ErrReplayed},
		{"all have ended", 5, time.Hour, 2 * time.Hour, nil},
		// The clock is set back: what was forgotten does not become good again.
		{"the first revives", 1, 0, time.Minute, jwt.ErrReplayed},
		{"the second revives", 2, 0, 2 * time.Minute, jwt.ErrReplayed},
		{"one that ends later is good", 6, 0, 2*time.Minute + time.Second, nil},
		{"for ever", 7, 0, 290 * 365 * 24 * time.Hour, nil},
	} {
		if err := c.Use(ctx, id(step.id), after(step.now), after(step.until)); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
	}
	for _, limit := range []int{-1, 0, 10_000_001} {
		if c, err := jwt.NewReplayCache(limit); c != nil || err == nil {
			t.Errorf("a cache of %d tokens was made", limit)
		}
	}
	// What has ended is forgotten in time: memory is bounded by the limit.
	const limit = 100
	c = newReplayCache(t, limit)
	for i := range 100 * limit {
		now := after(time.Duration(i) * time.Second)
		if err := c.Use(ctx, id(i), now, now.Add(limit*time.Second)); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// The use is remembered for as long as the token could be accepted, leeway
// included.
func TestCLM08ReplayAtTheLastMoment(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	c := &clock{start}
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.SingleUse = c.Now, newReplayCache(t, 10) })
	compact := sign(t, key, goodClaims())
	check(t, v, compact, nil)
	c.now = start.Add(10*time.Minute + 30*time.Second - 1)
	check(t, v, sign(t, key, goodClaims().with("jti", "t2")), nil)
	check(t, v, compact, jwt.ErrReplayed)
	c.now = start.Add(10*time.Minute + 30*time.Second)
	check(t, v, compact, jwt.ErrExpired)
	c.now = start
	check(t, v, compact, jwt.ErrExpired)
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	good := goodClaims().with("exp", start.Add(time.Hour).Unix())
	ago := func(d time.Duration) object { return good.with("iat", start.Add(-d).Unix()) }
	age := func(p *jwt.Policy) { p.MaxAge, p.Now = 5*time.Minute, at(start) }
	judge(t, []outcome{
		{"just issued", good, nil},
		{"4 minutes old", ago(4 * time.Minute), nil},
		{"5 minutes old, within the leeway", ago(5*time.Minute + 29*time.Second), nil},
		{"5 minutes 30 old", ago(5*time.Minute + 30*time.Second), jwt.ErrExpired},
		{"an hour old", ago(time.Hour), jwt.ErrExpired},
		{"expired though young", good.with("exp", start.Unix()-31), jwt.ErrExpired},
		{"issued ahead", ago(-31 * time.Second), jwt.ErrNotYetValid},
		{"without iat", good.with("iat", leave), jwt.ErrMalformed},
		{"iat of another type", good.with("iat", "1"), jwt.ErrMalformed},
		{"for ever", good.with("exp", 253402300799), nil},
	}, age)
	// A token that is too old by MaxAge is known as expired from then on.
	key := newKey(t, jwk.HS256)
	c := &clock{start}
	v := newVerifier(t, key, age, func(p *jwt.Policy) { p.Now = c.Now })
	compact := sign(t, key, good)
	check(t, v, compact, nil)
	token, _ := v.Verify(context.Background(), compact)
	if !token.ExpiresAt().Equal(start.Add(5 * time.Minute)) {
		t.Errorf("ends at %v", token.ExpiresAt())
	}
	c.now = start.Add(6 * time.Minute)
	check(t, v, compact, jwt.ErrExpired)
	c.now = start.Add(time.Minute)
	check(t, v, compact, jwt.ErrExpired)
	check(t, v, sign(t, key, good.with("iat", start.Unix()+1)), nil)
}

func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	good := goodClaims()
	need := func(names ...string) func(*jwt.Policy) {
		return func(p *jwt.Policy) { p.RequiredClaims = names }
	}
	judge(t, []outcome{
		{"all there", good.with("client_id", "app_x").with("tenant", nil), nil},
		{"registered one missing", good.with("tenant", "t"), jwt.ErrMalformed},
		{"custom one missing", good.with("client_id", "app_x"), jwt.ErrMalformed},
		{"in another case", good.with("client_id", "app_x").with("Tenant", "t"), jwt.ErrMalformed},
		{"nested", good.with("client_id", "app_x").with("x", object{"tenant": 1}), jwt.ErrMalformed},
		{"escaped", `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800,"sub":"s","client_id":"c","\u0074enant":1}`, nil},
	}, need("sub", "client_id", "tenant"))
	key := newKey(t, jwk.HS256)
	_, err := newVerifier(t, key, need("tenant")).Verify(context.Background(), sign(t, key, good))
	if err == nil || err.Error() != `malformed token: claims: no "tenant"` {
		t.Error(err)
	}
	// What the caller does with its slice later changes nothing.
	names := []string{"sub", "x"}
	v := newVerifier(t, key, need(names[:1]...), func(p *jwt.Policy) { p.Now, p.MaxAge = at(start), time.Hour })
	names[0] = "tenant"
	check(t, v, sign(t, key, good), nil)
	if names[1] != "x" {
		t.Error("the caller's slice was written to")
	}
}
