// Package feed publishes revocations: a gap-free list of facts, each with an
// expiry, in the order in which they were committed. It decides nothing; a
// fact enters the feed only in the transaction of the act that it follows
// from, which for the end of one access token is [Feed.EndToken]. The other end
// is package revocation.
package feed

import (
	"context"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// A Fact is one revocation as it is kept. On the wire it is only a hash.
type Fact struct {
	Kind     jwt.FactKind
	Value    string    // session id, token id, key id or subject
	Before   time.Time // zero: always; else only tokens issued before
	Expires  time.Time // from when on no token can exist that it concerns
	Position uint64
}

// A Head is where the feed stands. Epoch is random, made with the store;
// Position counts the transactions that published something. On the wire other
// numbers stand for positions, see [Start].
type Head struct {
	Epoch    string
	Position uint64
}

// A Start says how positions are told that were taken since a node was started: a
// store that is put back from a copy counts on from there, and what it says at one
// position must not be taken for what the store that was lost had said there. The
// copy's own numbers begin where the time is, beyond all that were told before.
type Start struct {
	After uint64 // the position before the first that the node took
	Added uint64 // to those behind it
}

// MaxStarts is how many starts a store keeps, the latest.
const MaxStarts = 256

// A Store reads the feed. Facts are written by the transactions they follow
// from, which take their position by raising one counter that nobody else can
// raise before they commit, so that positions follow the order of commits
// without gaps.
type Store interface {
	// FeedSince reads, as of one moment, the facts after a position that have
	// not expired, the head, and the time.
	FeedSince(ctx context.Context, after uint64) ([]Fact, Head, time.Time, error)

	// FeedStarts answers by position the starts that are kept, at least those
	// before any head that was read before.
	FeedStarts(ctx context.Context) ([]Start, error)

	// Publish publishes one fact in a position of its own, with the event of
	// the act that it is. Position is set by the store.
	Publish(ctx context.Context, f Fact, e audit.Event) error
}
