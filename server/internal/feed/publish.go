package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

const (
	// MaxWait is the longest that Answer waits for news.
	MaxWait = 30 * time.Second

	// maxAge is how old the last look at the store may be that a document is
	// made from. A document says that nothing else is revoked at its time of
	// issue, so an old look makes no new document.
	maxAge = 2 * time.Second

	// maxLook is how long a look may take before it has failed. Others wait
	// for it.
	maxLook = 5 * time.Second

	pruneEvery = time.Minute
)

// ErrCursor says that what was asked for is no place in any feed.
var ErrCursor = errors.New("malformed cursor")

// Config is what a Feed is made of. Store, Ring and Issuer are required.
type Config struct {
	Store   Store
	Ring    *keyring.Ring
	Issuer  string
	Poll    time.Duration // how often Run looks at the store; 0 means 250 ms
	Waiters int           // how many calls of Answer may wait for news at a time; 0 means 4096
	Streams int           // how many calls of Stream may run at a time; 0 means 1024; one caller has a quarter of each at most
	Log     *slog.Logger  // nil means none
}

// A Feed answers where the revocations of a store stand. It may be used by many
// goroutines.
type Feed struct {
	c       Config
	local   *revocation.Set
	wake    chan struct{}
	waiting places
	streams places

	looking sync.Mutex // one look at a time
	state   atomic.Pointer[state]

	documents documents
}

// A state is what one look at the store found. It is immutable.
type state struct {
	head   Head
	starts []Start
	facts  []fact        // those that stood when last pruned, by position
	pruned time.Time     // in the store's time
	at     time.Time     // the store's time of the look
	seen   time.Time     // ours, with its monotonic reading
	moved  chan struct{} // closed when a newer head is known
}

// New checks c. It reads nothing: see [Feed.Look] and [Feed.Run].
func New(c Config) (*Feed, error) {
	if c.Poll == 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Waiters == 0 {
		c.Waiters = 4096
	}
	if c.Streams == 0 {
		c.Streams = 1024
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if c.Store == nil || c.Ring == nil {
		faults = append(faults, errors.New("store and key ring are required"))
	}
	if c.Issuer == "" {
		faults = append(faults, errors.New("an issuer is required"))
	}
	if c.Poll < 0 || c.Poll >= maxAge || c.Waiters < 0 || c.Streams < 0 {
		faults = append(faults, fmt.Errorf("poll of %v is outside 0 to %v, or waiters or streams are negative", c.Poll, maxAge))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("feed: %w", errors.Join(faults...))
	}
	return &Feed{
		c: c, local: revocation.NewSet(0), wake: make(chan struct{}, 1),
		waiting: newPlaces(c.Waiters), streams: newPlaces(c.Streams),
	}, nil
}

// Local is this node's own view, for verifiers in its process. It holds what
// the last look found, and is empty before the first.
func (f *Feed) Local() *revocation.Set { return f.local }

// Wake makes Run look at once, as after a commit.
func (f *Feed) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run looks at the store every Poll and when woken, until ctx ends. It answers
// the context's error.
func (f *Feed) Run(ctx context.Context) error {
	tick := time.NewTicker(f.c.Poll)
	defer tick.Stop()
	failing := false
	for {
		err := f.Look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if (err != nil) != failing {
			failing = err != nil
			f.c.Log.WarnContext(ctx, "reading revocations", "failing", failing, "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// Look reads what is new in the store, first for Local and then for those who
// wait.
func (f *Feed) Look(ctx context.Context) error {
	f.looking.Lock()
	defer f.looking.Unlock()
	return f.look(ctx)
}

// look is Look for who holds f.looking.
func (f *Feed) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxLook)
	defer cancel()
	old := f.state.Load()
	if old == nil {
		old = &state{moved: make(chan struct{})}
	}
	seen := time.Now() // before the read: a state is rather older than it says
	found, head, at, err := f.c.Store.FeedSince(ctx, old.head.Position)
	if err == nil && old.head.Epoch != "" && (head.Epoch != old.head.Epoch || head.Position < old.head.Position) {
		// Another life of the store. Its facts begin anew.
		f.c.Log.WarnContext(ctx, "the feed has begun anew", "was", old.head, "is", head)
		old = &state{moved: old.moved}
		found, head, at, err = f.c.Store.FeedSince(ctx, 0)
	}
	starts := old.starts
	if err == nil && head != old.head {
		starts, err = f.c.Store.FeedStarts(ctx)
	}
	if err != nil {
		return fmt.Errorf("reading the feed: %w", err)
	}
	fresh := make([]revocation.Entry, len(found))
	for i, from := range found {
		fresh[i] = f.entry(from)
	}
	if err := f.local.Add(fresh...); err != nil {
		// The set refuses everything from now on, rather than to miss one.
		f.c.Log.ErrorContext(ctx, "this node's revocations do not fit", "err", err)
	}
	next := &state{head: head, starts: starts, facts: old.facts, pruned: old.pruned, at: at, seen: seen, moved: old.moved}
	if at.Sub(next.pruned) > pruneEvery {
		next.facts = slices.DeleteFunc(slices.Clone(next.facts), func(e fact) bool { return !e.stands(at) })
		next.pruned = at
	}
	for i, from := range found {
		// States share what they have in common: each is a longer slice of the
		// same array, and only the newest is ever appended to.
		next.facts = append(next.facts, newFact(fresh[i], from.Position))
	}
	if head != old.head {
		next.moved = make(chan struct{})
	}
	f.state.Store(next)
	if next.moved != old.moved {
		close(old.moved)
	}
	return nil
}

func (f *Feed) entry(from Fact) revocation.Entry {
	return revocation.Entry{
		Fact:    jwt.NewFact(from.Kind, f.c.Issuer, from.Value),
		Expires: from.Expires, Before: from.Before,
	}
}

// current answers a state that is no older than maxAge.
func (f *Feed) current(ctx context.Context) (*state, error) {
	if s := f.state.Load(); s != nil && time.Since(s.seen) < maxAge {
		return s, nil
	}
	f.looking.Lock()
	defer f.looking.Unlock()
	// Somebody else may have looked while we waited for the lock.
	if s := f.state.Load(); s != nil && time.Since(s.seen) < maxAge {
		return s, nil
	}
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	return f.state.Load(), nil
}

// Answer answers a [Document]: after a place, as an earlier document named it,
// what followed; where nothing has followed yet, it waits for that and then
// answers an empty delta. Without a place, and for one that this feed does not
// know, it is a snapshot. Either may lead only part of the way where there is
// much. ErrCursor, and errors of the store and the key ring.
//
// Who asks is counted, but for nobody ("") by name: when too many wait already,
// or too many of theirs, it answers at once.
func (f *Feed) Answer(ctx context.Context, who, after string, wait time.Duration) (*Document, error) {
	cursor, err := parse(after)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if f.waiting.take(who) == nil {
			defer f.waiting.leave(who)
		} else {
			wait = 0
		}
	}
	return f.next(ctx, cursor, min(wait, MaxWait))
}

// next answers what follows a place, and waits for it.
func (f *Feed) next(ctx context.Context, cursor revocation.Cursor, wait time.Duration) (*Document, error) {
	s, err := f.current(ctx)
	if err != nil {
		return nil, err
	}
	if cursor.Epoch == s.head.Epoch && cursor.Position > s.told(s.head.Position) {
		// Another node may have told of what this one has not seen yet.
		if err := f.Look(ctx); err != nil {
			return nil, err
		}
		s = f.state.Load()
	}
	if at, known := s.place(cursor); known && at == s.head.Position && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-s.moved:
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if s, err = f.current(ctx); err != nil {
			return nil, err
		}
	}
	return f.document(s, cursor)
}
