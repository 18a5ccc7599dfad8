package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/internal/fetch"
	"github.com/jotsmith/jotsmith/jwt"
)

// FollowerConfig says which feed to follow. URL, Issuer and Keys are required.
type FollowerConfig struct {
	URL      string        // https, or http on loopback
	Issuer   string        // whose feed it is
	Keys     jwt.Keys      // the feed's own keys: never those of access tokens
	Client   *http.Client  // nil: one that dials private addresses only for URL's own origin, and no proxy
	MaxStale time.Duration // how long to answer without a confirmed answer; default 60 s, at least 2 s
	Leeway   time.Duration // as jwt.Policy.Leeway
	MaxFacts int           // default DefaultMax
	Log      *slog.Logger  // nil: slog.Default()

	// OnApply, if set, is called after each document that was accepted, with
	// the local time; it must return soon.
	OnApply func(d *Document, at time.Time)

	// DangerouslyFailOpen lets tokens live until they expire while the feed
	// cannot be read. What is known to be revoked stays refused.
	DangerouslyFailOpen bool
}

// Follower keeps up with an issuer's feed by long-polling and answers for
// tokens without taking a lock. It is the jwt.Revocations of a verifier.
type Follower struct {
	c        FollowerConfig
	url      *url.URL
	verifier *jwt.Verifier
	set      *Set
	ready    chan struct{}
	start    time.Time    // what the monotonic readings below count from
	seen     atomic.Int64 // when the feed was last confirmed, in ns since start; 0: never
	full     atomic.Bool  // the last answer held facts that did not fit
	position atomic.Pointer[Cursor]
	lastErr  atomic.Pointer[error]

	// Of Run alone:
	newest time.Time // the latest IssuedAt accepted
	resync bool      // ask for a snapshot
	known  Cursor    // how far the feed was known to the end
	loaded bool      // ready is closed
	failed int       // in a row
}

const (
	maxDocument = 64 << 20
	maxWait     = 25 * time.Second
	slack       = 20 * time.Second // for the answer itself, above the wait

	// The issuer's nodes may be apart by this much before they stop signing.
	maxDrift = 2 * time.Second

	minBackOff = 100 * time.Millisecond
	maxBackOff = 2 * time.Second
	minPace    = 250 * time.Millisecond // between answers without news, should an issuer not wait

	// An issuer can ask for a longer pause, but not for one in which tokens that
	// were revoked long since would pass, or good ones be refused.
	maxRetryAfter = 15 * time.Second
)

// NewFollower builds a Follower; Run makes it follow.
func NewFollower(c FollowerConfig) (*Follower, error) {
	var faults []error
	if err := fetch.CheckURL(c.URL); err != nil {
		faults = append(faults, fmt.Errorf("URL %w", err))
	}
	if c.MaxStale == 0 {
		c.MaxStale = time.Minute
	}
	if c.MaxStale < 2*time.Second {
		faults = append(faults, fmt.Errorf("MaxStale is %v, must be at least 2s: the feed could not keep up with it", c.MaxStale))
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	set := NewSet(c.MaxFacts)
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: c.Issuer, Audiences: []string{c.Issuer}, Keys: c.Keys, Type: Type,
		Leeway: c.Leeway, MaxSize: maxDocument, CacheSize: -1,
		Revocations: set, // the feed can announce that one of its own keys is revoked
	})
	if err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("revocation: %w", errors.Join(faults...))
	}
	if c.Client == nil {
		if c.Client, err = fetch.Client(c.URL); err != nil {
			return nil, fmt.Errorf("revocation: %w", err)
		}
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("revocation: %w", err)
	}
	f := &Follower{c: c, url: u, verifier: verifier, set: set, ready: make(chan struct{}), start: time.Now()}
	f.position.Store(&Cursor{})
	return f, nil
}

// Check implements jwt.Revocations.
func (f *Follower) Check(t *jwt.Token, _ time.Time) error {
	if err := f.set.find(t); err != nil {
		return err
	}
	if f.full.Load() {
		return fmt.Errorf("%w: the set of %d facts is full, raise MaxFacts", jwt.ErrRevocationUnavailable, f.set.max)
	}
	if f.c.DangerouslyFailOpen {
		return nil
	}
	seen := f.seen.Load()
	if seen == 0 {
		return fmt.Errorf("%w: the feed has not been read yet", jwt.ErrRevocationUnavailable)
	}
	if age := time.Since(f.start) - time.Duration(seen); age > f.c.MaxStale {
		return fmt.Errorf("%w: the feed was last confirmed %v ago, at most %v", jwt.ErrRevocationUnavailable, age.Round(time.Second), f.c.MaxStale)
	}
	return nil
}

// Ready is closed once all that stood in the feed at first is applied.
func (f *Follower) Ready() <-chan struct{} { return f.ready }

// Age is the time since the feed was last confirmed, or since the start.
func (f *Follower) Age() time.Duration {
	return time.Since(f.start) - time.Duration(f.seen.Load())
}

// Position is the place in the feed that has been applied.
func (f *Follower) Position() Cursor { return *f.position.Load() }

// Err tells why the latest try to read the feed failed, nil if it did not.
func (f *Follower) Err() error {
	if err := f.lastErr.Load(); err != nil {
		return *err
	}
	return nil
}

// Len is the number of facts held.
func (f *Follower) Len() int { return f.set.Len() }

// Run follows the feed until ctx ends. Failures are logged and tried again; it
// must be called once.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		moved, err := f.poll(ctx)
		f.lastErr.Store(&err)
		var pause time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.failed++
			if f.failed&(f.failed-1) == 0 { // ever more rarely, not to fill the log
				f.c.Log.Warn("following revocations failed", "url", f.c.URL, "error", err, "age", f.Age().Round(time.Millisecond), "tries", f.failed)
			}
			// Half of the pause is random: followers cut off together must not
			// return together.
			pause = min(minBackOff<<min(f.failed, 8), maxBackOff)
			pause = pause/2 + rand.N(pause/2)
			if refused, ok := errors.AsType[*fetch.StatusError](err); ok {
				pause += min(refused.RetryAfter, maxRetryAfter, f.c.MaxStale/4)
			}
		default:
			if f.failed > 0 {
				f.c.Log.Info("following revocations again", "url", f.c.URL, "position", f.Position().String(), "facts", f.Len())
			}
			f.failed = 0
			if !moved {
				pause = minPace - time.Since(began)
			}
		}
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// poll asks once and applies the answer. It reports whether there was news.
func (f *Follower) poll(ctx context.Context) (moved bool, err error) {
	u, query, wait := *f.url, f.url.Query(), time.Duration(0)
	asked := f.Position()
	if f.resync {
		asked = Cursor{}
	}
	if asked != (Cursor{}) {
		// After a failure the first answer must not wait for news: it confirms
		// that there is none.
		if f.failed == 0 {
			wait = min(maxWait, f.c.MaxStale/2).Truncate(time.Second)
		}
		query.Set("after", asked.String())
		query.Set("wait", strconv.Itoa(int(wait/time.Second)))
	}
	u.RawQuery = query.Encode()
	sent := time.Since(f.start)
	resp, err := fetch.Get(ctx, f.c.Client, fetch.Request{URL: u.String(), Types: []string{MediaType}, MaxSize: maxDocument, Timeout: wait + slack})
	if err != nil {
		return false, err
	}
	token, err := f.verifier.Verify(ctx, string(resp.Body))
	if err != nil {
		return false, fmt.Errorf("feed refused: %w", err)
	}
	d, err := ParseDocument(token)
	if err != nil {
		return false, fmt.Errorf("feed refused: %w", err)
	}
	// The answer speaks of a moment between the question and the end of the wait.
	// What it took beyond that, it was held up, and news may have come since.
	return f.apply(d, asked, min(sent+wait, time.Since(f.start)))
}

// apply decides whether a genuine document, which speaks of a moment so
// long after the start, may change what is known.
func (f *Follower) apply(d *Document, asked Cursor, spoken time.Duration) (moved bool, err error) {
	at := f.Position()
	switch {
	// Any signature stays good for a while, so a copy of an old answer must not
	// be taken for news of today.
	case d.IssuedAt.Before(f.newest.Add(-maxDrift)):
		return false, fmt.Errorf("feed refused: issued %v before one already accepted", f.newest.Sub(d.IssuedAt))
	case !d.Snapshot && asked == (Cursor{}):
		return false, errors.New("feed refused: a delta was answered where a snapshot was asked for")
	case !d.Snapshot && (d.Epoch != at.Epoch || d.From != at.Position):
		f.c.Log.Info("delta does not fit, taking a snapshot", "at", at.String(), "from", Cursor{d.Epoch, d.From}.String())
		f.resync = true
		return true, nil
	case !d.More && d.Epoch == f.known.Epoch && d.To < f.known.Position:
		// A store that was restored from a copy counts its positions again from
		// there, and what it says at one that is known already would be missed.
		f.resync = true
		return false, fmt.Errorf("feed refused: it ends at %d, but %d is already known: the issuer's store is behind", d.To, f.known.Position)
	}
	// Facts are only ever added: within an epoch a snapshot holds all that
	// stands, and across epochs what was known before keeps standing.
	// A fact ends when tokens do by the issuer's clock. By the verifier's own,
	// which may be behind it by the leeway, they end later.
	if err := f.set.add(d.Entries, d.IssuedAt.Add(-max(0, f.c.Leeway))); err != nil {
		f.full.Store(true)
		return false, err
	}
	next := Cursor{d.Epoch, d.To}
	moved = next != at
	f.full.Store(false)
	f.resync = false
	f.position.Store(&next)
	// A part of the feed does not confirm what its other parts say.
	if !d.More && (moved || d.IssuedAt.After(f.newest)) {
		f.seen.Store(max(1, int64(spoken)))
	}
	if d.IssuedAt.After(f.newest) {
		f.newest = d.IssuedAt
	}
	if !d.More {
		f.known = next
	}
	if !d.More && !f.loaded {
		f.loaded = true
		f.c.Log.Info("revocations loaded", "url", f.c.URL, "position", next.String(), "facts", f.Len())
		close(f.ready)
	}
	if f.c.OnApply != nil {
		f.c.OnApply(d, time.Now())
	}
	return moved, nil
}
