// Package jwks gets public keys from an issuer's JWKS endpoint and keeps them
// (RFC 7517 §5). A [Remote] is the jwt.Keys of a verifier:
//
//   - it fetches again when Cache-Control says so, with ETag, in the background;
//   - a failed fetch leaves the last good set in place, until MaxStale;
//   - a token with an unknown key id makes it fetch at most once per CoolDown,
//     however many such tokens come, and remembers ids that led nowhere;
//   - a key that is answered again unchanged stays the same key, so that a
//     verified-token cache survives the fetch; a key that is gone is trusted no
//     more.
//
// It refuses to be led: never a URL from a token, never a redirect to another
// origin, plain http only on loopback, private addresses only for the origin
// that was configured. Secrets and private keys in an answer refuse the answer.
// Package guard builds one from an issuer's metadata by itself.
package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/internal/fetch"
	"github.com/jotsmith/jotsmith/internal/metadata"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// Config says where the keys are. Only URL is required.
type Config struct {
	URL      string        // https, or http on loopback
	Client   *http.Client  // nil: one that dials private addresses only for URL's own origin, and no proxy
	MaxStale time.Duration // how long keys outlive the last confirmed answer; default 24 h, at least 1 min
	CoolDown time.Duration // least time between fetches that unknown key ids cause; default 10 s, at least 1 s
	Log      *slog.Logger  // nil: slog.Default()

	// RSAAlgorithm is what RSA keys without "alg" are for. Some issuers, such as
	// Microsoft Entra ID, publish only such keys and document RS256. Empty: those
	// keys are skipped, since a token would otherwise choose.
	RSAAlgorithm jwk.Algorithm
}

// Remote is a key set that follows its issuer. It is safe for concurrent use.
type Remote struct {
	url      string
	client   *http.Client
	maxStale time.Duration
	coolDown time.Duration
	log      *slog.Logger
	parse    func([]byte) (*jwk.Set, error)

	state atomic.Pointer[state] // nil until the first good answer

	ctx    context.Context // ends at Close
	cancel context.CancelFunc

	mu       sync.Mutex // never held while waiting; known keys never take it
	flight   *flight    // the fetch under way, if any
	tried    time.Time  // when the last one failed, or was caused by an unknown key id
	failures int        // since the last good answer
	missing  map[string]time.Time
	timer    *time.Timer
	closed   bool
	work     sync.WaitGroup
}

// state is what one good answer left. It is immutable.
type state struct {
	set       *jwk.Set
	etag      string
	confirmed time.Time // when the issuer last said that this is the set
	fresh     time.Time // until then the set can also say that a key does not exist
}

// New builds a Remote; the first use or Refresh fetches.
func New(c Config) (*Remote, error) {
	var faults []error
	if err := fetch.CheckURL(c.URL); err != nil {
		faults = append(faults, fmt.Errorf("URL %w", err))
	}
	if c.MaxStale == 0 {
		c.MaxStale = 24 * time.Hour
	}
	if c.MaxStale < time.Minute {
		faults = append(faults, fmt.Errorf("MaxStale is %v, must be at least 1m: a short interruption would refuse every token", c.MaxStale))
	}
	if c.CoolDown == 0 {
		c.CoolDown = 10 * time.Second
	}
	if c.CoolDown < time.Second {
		faults = append(faults, fmt.Errorf("CoolDown is %v, must be at least 1s: anybody can send unknown key ids", c.CoolDown))
	}
	parse := jwk.ParseSet
	if c.RSAAlgorithm != "" {
		parse = func(data []byte) (*jwk.Set, error) { return jwk.ParseSetAssuming(c.RSAAlgorithm, data) }
		if _, err := parse([]byte(`{"keys":[]}`)); err != nil {
			faults = append(faults, fmt.Errorf("RSAAlgorithm: %w", err))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("jwks: %w", errors.Join(faults...))
	}
	if c.Client == nil {
		client, err := fetch.Client(c.URL)
		if err != nil {
			return nil, fmt.Errorf("jwks: %w", err)
		}
		c.Client = client
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	r := &Remote{url: c.URL, client: c.Client, maxStale: c.MaxStale, coolDown: c.CoolDown, log: c.Log, parse: parse, missing: map[string]time.Time{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Discover finds the key set through the issuer's metadata (RFC 8414) and
// fetches it once. The URL in c must be empty.
func Discover(ctx context.Context, issuer string, c Config) (*Remote, error) {
	if c.URL != "" {
		return nil, errors.New("jwks: Discover finds the URL by itself, but one was configured; use New")
	}
	if c.Client == nil {
		client, err := fetch.Client(issuer)
		if err != nil {
			return nil, fmt.Errorf("jwks: issuer %w", err)
		}
		c.Client = client
	}
	m, err := metadata.Fetch(ctx, c.Client, issuer)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	c.URL = m.JWKSURI
	r, err := New(c)
	if err != nil {
		return nil, err
	}
	if err := r.Refresh(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Key returns the key of that id. It answers from memory, save for an unknown
// id, which may wait for one fetch. The errors are jwk.ErrUnknownKey, and
// jwt.ErrKeysUnavailable when there is no set, or none recent enough to tell.
func (r *Remote) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	now := time.Now()
	st := r.usable()
	if st != nil {
		key, err := st.set.Key(ctx, kid)
		if err == nil {
			return key, nil
		}
		if now.Before(st.fresh) && r.isMissing(kid, now) {
			return nil, err
		}
	}
	fetchErr := r.fetch(ctx, false)
	st = r.usable()
	if st == nil {
		return nil, fmt.Errorf("%w: %s: %w", jwt.ErrKeysUnavailable, r.url, orNone(fetchErr))
	}
	key, err := st.set.Key(ctx, kid)
	switch {
	case err == nil:
		return key, nil
	case !now.Before(st.fresh) && fetchErr != nil:
		// A set past its age cannot say that a key does not exist.
		return nil, fmt.Errorf("%w: key id not in the set, which could not be renewed: %w", jwt.ErrKeysUnavailable, fetchErr)
	case fetchErr == nil:
		r.setMissing(kid, now)
	}
	return nil, err
}

// Trusts reports whether this very key is in the present set, and the set not
// older than MaxStale. It takes no lock.
func (r *Remote) Trusts(key jwk.Verifier) bool {
	st := r.usable()
	return st != nil && st.set.Trusts(key)
}

// Refresh fetches now, or waits for the fetch under way.
func (r *Remote) Refresh(ctx context.Context) error {
	if err := r.fetch(ctx, true); err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	return nil
}

// Close ends background work and waits for it. Keys already held are still
// answered, until they are stale.
func (r *Remote) Close() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}

func (r *Remote) usable() *state {
	if st := r.state.Load(); st != nil && time.Since(st.confirmed) < r.maxStale {
		return st
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no set was answered")
	}
	return err
}
