package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// rotating is a key source whose set can be replaced.
type rotating struct {
	set   atomic.Pointer[jwk.Set]
	asked atomic.Int64
}

func (r *rotating) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	r.asked.Add(1)
	return r.set.Load().Key(ctx, kid)
}

func (r *rotating) Trusts(key jwk.Verifier) bool { return r.set.Load().Trusts(key) }

func TestCacheHitsAreChecked(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256).(*jwk.PrivateKey)
	keys := new(rotating)
	keys.set.Store(newSet(t, key.Public()))
	revocations := new(revoked)
	c := &clock{start}
	v := newVerifier(t, key, withRevocations(revocations), func(p *jwt.Policy) { p.Keys, p.Now = keys, c.Now })
	compact := sign(t, key, goodClaims())

	if v.Cached(compact) {
		t.Error("cached before it was verified")
	}
	first, err := v.Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	second, err := v.Verify(context.Background(), strings.Clone(compact))
	if err != nil || second != first || keys.asked.Load() != 1 || !v.Cached(compact) {
		t.Errorf("second time: %v, %d questions for keys", err, keys.asked.Load())
	}
	if revocations.asked != 2 {
		t.Errorf("revocations asked %d times", revocations.asked)
	}
	for i := range len(compact) {
		changed := compact[:i] + string(compact[i]^1) + compact[i+1:]
		if token, err := v.Verify(context.Background(), changed); token != nil || err == nil || v.Cached(changed) {
			t.Fatalf("byte %d changed: accepted", i)
		}
	}

	revocations.err = fmt.Errorf("%w: session", jwt.ErrRevoked)
	check(t, v, compact, jwt.ErrRevoked)
	revocations.err = jwt.ErrRevocationUnavailable
	check(t, v, compact, jwt.ErrRevocationUnavailable)
	revocations.err = nil
	check(t, v, compact, nil)

	// A key that equals the old one but is another is asked for anew.
	twin, err := jwk.ParsePublic(mustJSON(key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	keys.set.Store(newSet(t, twin))
	asked := keys.asked.Load()
	check(t, v, compact, nil)
	if keys.asked.Load() != asked+1 {
		t.Error("the key's replacement was not asked for")
	}
	// One that has left the set no longer counts.
	keys.set.Store(newSet(t))
	check(t, v, compact, jwt.ErrUnknownKey)
	if v.Cached(compact) {
		t.Error("still cached")
	}
	keys.set.Store(newSet(t, twin))
	check(t, v, compact, nil)

	c.now = start.Add(10*time.Minute + 30*time.Second)
	check(t, v, compact, jwt.ErrExpired)
}

// Nothing that is not verified is stored: refused tokens leave no trace.
func TestCacheHoldsOnlyVerified(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	good := sign(t, key, goodClaims())
	forged := good[:len(good)-3] + "AAA"
	for _, compact := range []string{forged, sign(t, key, goodClaims().with("aud", "x")), sign(t, key, goodClaims().with("exp", 1))} {
		for range 3 {
			if _, err := v.Verify(context.Background(), compact); err == nil || v.Cached(compact) {
				t.Errorf("%v, cached %v", err, v.Cached(compact))
			}
		}
	}
	off := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.CacheSize = at(start), -1 })
	check(t, off, good, nil)
	if off.Cached(good) {
		t.Error("cached without a cache")
	}
	// Two policies share nothing.
	check(t, v, good, nil)
	strict := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.Audiences = at(start), []string{"x"} })
	check(t, strict, good, jwt.ErrAudience)
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	const size = 256 << 10
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.CacheSize = at(start), size })
	var tokens []string
	for i := range 2000 {
		tokens = append(tokens, sign(t, key, goodClaims().with("jti", fmt.Sprint(i)).with("pad", strings.Repeat("x", i%500))))
	}
	for _, compact := range tokens {
		check(t, v, compact, nil)
	}
	cached, bytes := 0, 0
	for _, compact := range tokens {
		if v.Cached(compact) {
			cached++
			bytes += len(compact)
		}
	}
	if cached < 50 || bytes > size {
		t.Errorf("%d tokens of %d bytes are cached", cached, bytes)
	}
	// What is too large for a share of the cache is verified each time.
	small := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.CacheSize = at(start), 4<<10 })
	large := sign(t, key, goodClaims().with("pad", strings.Repeat("x", 4<<10)))
	check(t, small, large, nil)
	if small.Cached(large) {
		t.Error("an entry as large as the cache was stored")
	}
	tiny := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.CacheSize = at(start), 1 })
	check(t, tiny, large, nil)
}

func TestCacheConcurrently(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	keys := new(rotating)
	keys.set.Store(newSet(t, verifierOf(key)))
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.Keys, p.CacheSize = at(start), keys, 64<<10 })
	var tokens []string
	for i := range 200 {
		tokens = append(tokens, sign(t, key, goodClaims().with("jti", fmt.Sprint(i))))
	}
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 2000 {
				n := (i*7 + g*31) % len(tokens)
				token, err := v.Verify(context.Background(), tokens[n])
				if g == 0 && i%100 == 0 {
					keys.set.Store(newSet(t, verifierOf(key)))
				}
				if err != nil || token.ID() != fmt.Sprint(n) {
					t.Errorf("%v, %v", token, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestAllocations(t *testing.T) {
	key := newKey(t, jwk.HS256)
	compact := issue(t, key, benchClaims)
	ctx := context.Background()
	warm := newVerifier(t, key, withRevocations(factChecker{}))
	cold := newVerifier(t, key, func(p *jwt.Policy) { p.CacheSize = -1 })
	for _, v := range []*jwt.Verifier{warm, cold} {
		if _, err := v.Verify(ctx, compact); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(v *jwt.Verifier) float64 {
		return testing.AllocsPerRun(200, func() {
			if _, err := v.Verify(ctx, compact); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := verify(warm); n != 0 {
		t.Errorf("%v allocations when warm", n)
	}
	limit := 4.0
	if raceEnabled {
		limit += 4 // the race detector empties pools at random
	}
	if n := verify(cold); n > limit {
		t.Errorf("%v allocations when cold", n)
	}
}

// factChecker looks at what a set of revocations looks at.
type factChecker struct{}

func (factChecker) Check(t *jwt.Token, _ time.Time) error {
	for kind := jwt.SessionFact; kind <= jwt.SubjectFact; kind++ {
		if f, ok := t.Fact(kind); ok && f == (jwt.Fact{}) {
			return errors.New("no fact")
		}
	}
	return nil
}
