package jwks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/internal/fetch"
	"github.com/jotsmith/jotsmith/jwk"
)

const (
	maxSize    = 256 << 10
	timeout    = 10 * time.Second
	minAge     = time.Minute // whatever Cache-Control says: not to burden the issuer
	defaultAge = 10 * time.Minute
	maxAge     = time.Hour // whatever Cache-Control says: within it a removed key is trusted no more
	maxBackOff = time.Minute

	missingFor = time.Minute // how long an id that led nowhere causes no further fetch
	maxMissing = 1000        // ids remembered; beyond, the cool-down alone protects the issuer
	maxKeyID   = 256         // bytes of an id worth remembering
)

var errCoolDown = errors.New("the last fetch was a moment ago")

// flight is one fetch, which any number of callers await.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

// fetch waits for the fetch under way or for a new one. Unless forced, none is
// begun within CoolDown of one that failed or that was not forced either. A
// caller who gives up leaves the fetch running for the others, bounded by its
// own time limit.
func (r *Remote) fetch(ctx context.Context, force bool) error {
	f, err := r.begin(force)
	if err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Remote) begin(force bool) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errors.New("closed")
	case r.flight != nil:
		return r.flight, nil
	case !force && !r.tried.IsZero() && time.Since(r.tried) < r.coolDown:
		return nil, errCoolDown
	}
	if !force {
		r.tried = time.Now()
	}
	f := &flight{done: make(chan struct{})}
	r.flight = f
	r.work.Go(func() { r.fly(f) })
	return f, nil
}

func (r *Remote) fly(f *flight) {
	old := r.state.Load()
	st, err := r.get(old)
	if err == nil {
		r.state.Store(st)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight = nil
	switch {
	case r.ctx.Err() != nil:
	case err != nil:
		r.failures++
		r.tried = time.Now()
		r.log.Warn("fetching key set failed", "url", r.url, "error", err, "kept", old != nil)
	default:
		r.failures = 0
		if old == nil || old.set != st.set {
			clear(r.missing)
			r.log.Info("key set loaded", "url", r.url, "keys", st.set.Len())
		}
	}
	// Before the first good answer nobody relies on the set, and whoever asks
	// for a key causes the next try.
	if loaded := r.state.Load(); loaded != nil && !r.closed {
		next := time.Until(loaded.fresh)
		if err != nil {
			next = min(min(r.coolDown, maxBackOff)<<min(r.failures-1, 6), maxBackOff)
		}
		r.schedule(next - rand.N(next/5+1)) // verifiers that started together must not ask together
	}
	f.err = err
	close(f.done)
}

func (r *Remote) schedule(d time.Duration) {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timer = time.AfterFunc(d, func() { _, _ = r.begin(true) })
}

// get performs one fetch and makes of it the next state.
func (r *Remote) get(old *state) (*state, error) {
	q := fetch.Request{
		URL: r.url, Types: []string{"application/json", "application/jwk-set+json"},
		MaxSize: maxSize, Timeout: timeout,
	}
	if old != nil {
		q.ETag = old.etag
	}
	resp, err := fetch.Get(r.ctx, r.client, q)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	st := &state{etag: resp.Header.Get("ETag"), confirmed: now, fresh: now.Add(min(age(resp.Header), r.maxStale/2))}
	if resp.NotModified {
		st.set, st.etag = old.set, old.etag
		return st, nil
	}
	set, err := r.parse(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.url, err)
	}
	// An issuer that verifies nothing is a fault, not a wish: it keeps what it had.
	if set.Len() == 0 {
		return nil, fmt.Errorf("%s holds no key that can be used (RSA keys without \"alg\" need Config.RSAAlgorithm)", r.url)
	}
	if st.set, err = keep(old, set); err != nil {
		return nil, fmt.Errorf("%s: %w", r.url, err)
	}
	return st, nil
}

// keep returns the new set with each key that is unchanged replaced by the one
// already held, and the old set itself if nothing changed.
func keep(old *state, set *jwk.Set) (*jwk.Set, error) {
	if old == nil {
		return set, nil
	}
	keys := make([]jwk.Verifier, 0, set.Len())
	same := 0
	for key := range set.All() {
		if held, err := old.set.Key(context.Background(), key.KeyID()); err == nil && equal(held, key) {
			key = held
			same++
		}
		keys = append(keys, key)
	}
	if same == set.Len() && same == old.set.Len() {
		return old.set, nil
	}
	return jwk.NewSet(keys...)
}

func equal(a, b jwk.Verifier) bool {
	x, ok := a.(*jwk.PublicKey)
	y, also := b.(*jwk.PublicKey)
	return ok && also && x.Equal(y)
}

// age is how long an answer may be used without asking again (RFC 9111 §4.2),
// within this package's own bounds.
func age(h http.Header) time.Duration {
	d := defaultAge
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			if s, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				d = time.Duration(s) * time.Second
			}
		}
	}
	// Age: how long a cache on the way has already held it (RFC 9111 §5.1).
	if s, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		d -= time.Duration(s) * time.Second
	}
	return max(minAge, min(d, maxAge))
}

func (r *Remote) isMissing(kid string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.missing[kid]
	return ok && now.Before(until)
}

func (r *Remote) setMissing(kid string, now time.Time) {
	if len(kid) > maxKeyID {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.missing) >= maxMissing {
		for id, until := range r.missing {
			if !now.Before(until) {
				delete(r.missing, id)
			}
		}
	}
	if len(r.missing) < maxMissing {
		r.missing[strings.Clone(kid)] = now.Add(missingFor)
	}
}
