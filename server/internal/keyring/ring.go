package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

const (
	// Poll is how often Run reads the ring, if not told otherwise.
	Poll = 10 * time.Second

	// again is how soon Run reads the ring anew where it could not.
	again = time.Second

	// Lease is how long a node signs after it began to read the ring last.
	// Without one, a node that is cut off would sign with a key that everybody
	// else has retired or revoked.
	Lease = 30 * time.Second
)

var (
	// ErrLease says that the ring has not been read for longer than Lease, so
	// that nothing may be signed. It is a jwt.ErrKeysUnavailable.
	ErrLease = fmt.Errorf("%w: the key ring could not be read for too long to sign with it", jwt.ErrKeysUnavailable)

	// ErrAnnounced says that a successor is announced already.
	ErrAnnounced = errors.New("a successor is announced already")

	// ErrFull says that there are as many keys of a purpose as there may be,
	// until the oldest goes.
	ErrFull = fmt.Errorf("there are %d keys in use, as many as may be, until the oldest goes", maxKeys)
)

// Config is what a ring is opened with.
type Config struct {
	Store      Store
	Root       RootKeys
	Algorithms []jwk.Algorithm // that access tokens are signed with

	// Lead is how long a key is announced before it signs. It must be longer
	// than anybody caches a key set. 0 means 24 h.
	Lead time.Duration
	// Every is the time from one rotation to the next. 0 means 90 days,
	// negative that keys rotate by command only.
	Every time.Duration
	// Poll is how often Run reads the ring. 0 means [Poll]; it may be no
	// longer.
	Poll time.Duration

	// How long a key that signs no more is kept: as long as anything that it
	// signed can be presented. All three are required.
	AccessRetire  time.Duration // longest token life + leeway + max-age of the key set
	FeedRetire    time.Duration // the same of a feed document
	RefreshRetire time.Duration // longest idle limit of a session

	Now func() time.Time // for leases, with a monotonic reading; nil means time.Now
	Log *slog.Logger     // nil means none
}

// A Ring is this node's view of the keys. It may be used by many goroutines.
type Ring struct {
	store Store
	roots RootKeys
	plan  plan
	poll  time.Duration
	now   func() time.Time
	log   *slog.Logger

	reading sync.Mutex // one reader and changer at a time
	catcher catcher
	view    atomic.Pointer[view]
	leased  atomic.Pointer[time.Time] // when the last good reading began
}

// Open reads the ring and performs what is due. Where there is none it makes
// one; of two nodes that make one at the same time, the second reads what the
// first has made and stops with ErrRootKey where its root key does not open
// that.
func Open(ctx context.Context, c Config) (*Ring, error) {
	r, err := newRing(c)
	if err != nil {
		return nil, fmt.Errorf("key ring: %w", err)
	}
	if err := r.renew(ctx); err != nil {
		return nil, fmt.Errorf("opening the key ring: %w", err)
	}
	return r, nil
}

func newRing(c Config) (*Ring, error) {
	r := &Ring{store: c.Store, roots: c.Root, poll: cmp.Or(c.Poll, Poll), now: c.Now, log: c.Log}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if c.Lead == 0 {
		c.Lead = 24 * time.Hour
	}
	if c.Every == 0 {
		c.Every = 90 * 24 * time.Hour
	}
	r.plan = plan{
		slots: []slot{{Feed, FeedAlgorithm}, {Refresh, RefreshAlgorithm}, {Sealing, SealingAlgorithm}},
		lead:  c.Lead,
		every: max(c.Every, 0),
		// What is sealed are access tokens.
		retire: map[string]time.Duration{Access: c.AccessRetire, Feed: c.FeedRetire, Refresh: c.RefreshRetire, Sealing: c.AccessRetire},
	}
	var faults []error
	if c.Store == nil {
		faults = append(faults, errors.New("no store"))
	}
	if len(c.Root.keys) == 0 {
		faults = append(faults, errors.New("no root key"))
	}
	if len(c.Algorithms) == 0 {
		faults = append(faults, errors.New("no algorithm for access tokens"))
	}
	for _, alg := range c.Algorithms {
		if err := signs(alg); err != nil {
			faults = append(faults, err)
		}
		r.plan.slots = append(r.plan.slots, slot{Access, alg})
	}
	if r.poll < 0 || r.poll > Poll {
		faults = append(faults, fmt.Errorf("poll of %v is outside 0 to %v", c.Poll, Poll))
	}
	if c.Lead < 0 {
		faults = append(faults, fmt.Errorf("lead of %v is negative", c.Lead))
	}
	if c.Every > 0 && c.Every <= c.Lead {
		faults = append(faults, fmt.Errorf("a rotation every %v leaves no time for a lead of %v", c.Every, c.Lead))
	}
	for _, purpose := range []string{Access, Feed, Refresh} {
		if r.plan.retire[purpose] <= 0 {
			faults = append(faults, fmt.Errorf("no time for which retired %s keys are kept", purpose))
		}
	}
	return r, errors.Join(faults...)
}

// signs says why access tokens cannot be signed with alg: a key set holds public
// keys alone, so what verifies with a shared secret could not be verified by
// anybody, or, where they had the secret, forged by everybody.
func signs(alg jwk.Algorithm) error {
	if alg.Symmetric() || !alg.Known() {
		return fmt.Errorf("access tokens cannot be signed with %q: use an algorithm of key pairs, such as ES256, EdDSA or RS256", alg)
	}
	return nil
}

// Run reads the ring every Config.Poll and performs what is due, until ctx ends. It
// answers the context's error. A reading that fails is logged and tried again;
// signing stops when the lease is over.
func (r *Ring) Run(ctx context.Context) error {
	failing := false
	for wait := r.poll; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		one, cancel := context.WithTimeout(ctx, Poll)
		err := r.renew(one)
		cancel()
		wait = r.poll
		if err != nil {
			wait = min(wait, again) // a store that is back should not find the lease over
		}
		if was := failing; ctx.Err() == nil && was != (err != nil) {
			failing = !was
			if failing {
				r.log.ErrorContext(ctx, "key ring could not be read; signing stops when the lease is over",
					"err", err, "lease_left", Lease-r.sinceRead())
			} else {
				r.log.InfoContext(ctx, "key ring is read again")
			}
		}
	}
}

// renew reads the ring, performs what is due and takes the lease anew.
func (r *Ring) renew(ctx context.Context) error {
	return r.change(ctx, func([]entry, time.Time) (change, bool, error) { return change{}, false, nil })
}

// change reads the ring, performs first what is due and then what act says,
// and leaves the view as it stands afterwards. Each transition is one
// compare-and-swap; where another node was faster, everything is read again.
func (r *Ring) change(ctx context.Context, act func([]entry, time.Time) (change, bool, error)) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	acted := false
	// Each round saves one transition or loses to one of another node. There
	// are fewer than this many even when a ring comes back after years.
	for range 100 {
		began := r.now()
		s, now, err := r.store.LoadRing(ctx)
		if err != nil {
			return err
		}
		v, rewrapped, err := r.unseal(s)
		if err != nil {
			return err
		}
		c, due, err := r.next(v, rewrapped, now)
		acting := err == nil && !due
		if acting {
			r.view.Store(v)
			r.leased.Store(&began)
			if acted {
				return nil
			}
			c, due, err = act(v.entries, now)
		}
		if err != nil || !due {
			return err
		}
		switch err := r.save(ctx, v, c); {
		case errors.Is(err, fault.ErrChanged):
		case err != nil:
			return err
		default:
			acted = acted || acting
			r.log.InfoContext(ctx, c.event.Act, "targets", c.event.Targets)
		}
	}
	return fmt.Errorf("the key ring is never at rest: %w", fault.ErrChanged)
}

// next is the transition that stands before all others: making the ring,
// wrapping it with the newest root key, and what is due by time.
func (r *Ring) next(v *view, rewrapped bool, now time.Time) (change, bool, error) {
	switch {
	case v.version == 0:
		c := change{event: event("keyring.create", Key{})}
		c.event.Targets = map[string]string{"root": v.sealer.rootID}
		for _, s := range r.plan.slots {
			next, _, err := r.plan.add(c.entries, s, now, 0)
			if err != nil {
				return change{}, false, err
			}
			c.entries = next.entries
		}
		return c, true, nil
	case rewrapped:
		c := change{entries: v.entries, event: event("keyring.rewrap", Key{})}
		c.event.Targets = map[string]string{"root": v.sealer.rootID}
		return c, true, nil
	}
	return r.plan.due(v.entries, now)
}

func (r *Ring) save(ctx context.Context, v *view, c change) error {
	s, err := v.sealer.seal(v.version+1, c.entries)
	if err != nil {
		return err
	}
	return r.store.SaveRing(ctx, s, c.event, c.revoked...)
}

// unseal opens s, or answers the present view where s is no newer. Keys that
// were held before keep their identity, so that what was verified with them
// stays cached.
func (r *Ring) unseal(s Sealed) (v *view, rewrapped bool, err error) {
	held := r.view.Load()
	if held != nil {
		switch {
		case s.StoreID != held.sealer.storeID:
			return nil, false, fmt.Errorf("the store was exchanged: it was %s and is %s", held.sealer.storeID, s.StoreID)
		case s.Version < held.version:
			return nil, false, fmt.Errorf("the key ring went back from version %d to %d", held.version, s.Version)
		case s.Version == held.version:
			return held, false, nil
		}
	}
	if s.Version == 0 {
		sl, err := newSealer(r.roots, s.StoreID)
		return &view{sealer: sl}, false, err
	}
	sl, rewrapped, err := openSealer(r.roots, s)
	if err != nil {
		return nil, false, err
	}
	entries, err := sl.unseal(s)
	if err != nil {
		return nil, false, err
	}
	v, err = newView(held, sl, s.Version, entries)
	return v, rewrapped, err
}

// Want adds algorithms that access tokens are signed with from now on. Each one
// that is new gets a key that signs at once.
func (r *Ring) Want(ctx context.Context, algs ...jwk.Algorithm) error {
	r.reading.Lock()
	var faults []error
	for _, alg := range algs {
		s := slot{Access, alg}
		err := signs(alg)
		switch {
		case err != nil:
			faults = append(faults, err)
		case !slices.Contains(r.plan.slots, s):
			r.plan.slots = append(slices.Clip(r.plan.slots), s)
		}
	}
	r.reading.Unlock()
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("key ring: %w", err)
	}
	if err := r.renew(ctx); err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	return nil
}

// plans says whether the ring has keys for s.
func (r *Ring) plans(s slot) bool {
	r.reading.Lock()
	defer r.reading.Unlock()
	return slices.Contains(r.plan.slots, s)
}

// Rotate makes a successor of the active key and announces it; with now it
// signs at once, and so does one that was announced before. Without now,
// ErrAnnounced says from when on an announced successor signs, with its Key.
// ErrFull, fault.ErrNotFound.
//
// A key that signs at once is unknown to whoever holds a cached key set, until
// they ask again for an unknown key id.
func (r *Ring) Rotate(ctx context.Context, purpose string, alg jwk.Algorithm, now bool, actor audit.Actor) (Key, error) {
	s := slot{purpose, alg}
	if !r.plans(s) {
		return Key{}, fmt.Errorf("rotating: there is no %s key for %q: %w", purpose, alg, fault.ErrNotFound)
	}
	var made Key
	err := r.change(ctx, func(entries []entry, at time.Time) (change, bool, error) {
		i, announced := find(entries, s, Announced)
		var c change
		var err error
		switch {
		case announced && now:
			c = r.plan.activate(entries, i, at)
			made = c.entries[i].Key
		case announced:
			made = entries[i].Key
			return change{}, false, fmt.Errorf("%w: %s signs from %s on", ErrAnnounced, made.ID, made.ActiveAt.Format(time.RFC3339))
		case full(entries, purpose):
			return change{}, false, ErrFull
		case now:
			c, made, err = r.plan.add(entries, s, at, 0)
		default:
			c, made, err = r.plan.add(entries, s, at, r.plan.lead)
		}
		c.event.Actor = actor
		return c, true, err
	})
	if err != nil {
		return made, fmt.Errorf("rotating the %s key: %w", purpose, err)
	}
	return made, nil
}

func (r *Ring) sinceRead() time.Duration { return r.now().Sub(*r.leased.Load()) }
