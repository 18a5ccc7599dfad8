package jwt

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Replays remembers which single-use tokens were used: a [ReplayCache], or a
// store that several processes share. Implementations are safe for concurrent
// use.
type Replays interface {
	// Use notes, until the given time, that the token of this id was used, and
	// returns nil. If that had been noted before and still stands, the error
	// wraps [ErrReplayed]. Any other error is taken for [ErrReplaysUnavailable]
	// and refuses the token. Looking and noting is one step: of several calls with
	// one id at most one returns nil, however many processes make them.
	//
	// The id is a hash of the kind of token ("typ"), its issuer and its "jti", so
	// that one store may serve several verifiers. now is the verifier's time.
	Use(ctx context.Context, id [32]byte, now, until time.Time) error
}

// use notes that t was used. It is the last of all checks, so that a token that
// is refused for another reason is not used up by it.
func (p *policy) use(ctx context.Context, t *Token, now time.Time) error {
	until := time.Unix(t.claims.expires, 0).Add(p.Leeway)
	err := p.SingleUse.Use(ctx, replayID(p.Type, t.claims.issuer, t.claims.id), now, until)
	if err == nil || errors.Is(err, ErrReplayed) || errors.Is(err, ErrReplaysUnavailable) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrReplaysUnavailable, err)
}

// replayID is the SHA-256 of its arguments, each preceded by its length.
func replayID(kind, issuer, id string) [32]byte {
	var room [512]byte
	b := room[:0]
	for _, s := range [...]string{kind, issuer, id} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// ReplayCache is [Replays] in the memory of one process: it knows neither what
// another process has seen nor what was used before it was made. It holds a
// bounded number of tokens, each until the token can no longer be accepted, and
// refuses further ones when it is full. It is safe for concurrent use.
type ReplayCache struct {
	limit int

	mu   sync.Mutex
	used map[[32]byte]struct{}
	ends endings // of used, the next first
	// forgotten is the latest end of what was forgotten. What ends no later may
	// have been used before, which matters only if the clock was set back.
	forgotten int64
}

// maxReplays bounds a [ReplayCache] at about 1.5 GiB.
const maxReplays = 10_000_000

// NewReplayCache makes an empty cache of at most limit tokens, of some 150 bytes
// each. Its limit is how many tokens are used within the life of one.
func NewReplayCache(limit int) (*ReplayCache, error) {
	if limit < 1 || limit > maxReplays {
		return nil, fmt.Errorf("replay cache of %d tokens: between 1 and %d", limit, maxReplays)
	}
	return &ReplayCache{limit: limit, used: make(map[[32]byte]struct{})}, nil
}

// Use implements [Replays].
func (c *ReplayCache) Use(_ context.Context, id [32]byte, now, until time.Time) error {
	end := until.Add(time.Second - 1).Unix() // whole seconds, rounded up
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ends) > 0 && c.ends[0].at <= now.Unix() {
		e := heap.Pop(&c.ends).(ending)
		delete(c.used, e.id)
		c.forgotten = e.at
	}
	if _, ok := c.used[id]; ok {
		return ErrReplayed
	}
	if end <= c.forgotten {
		return fmt.Errorf("%w, perhaps: the clock was set back", ErrReplayed)
	}
	if len(c.used) >= c.limit {
		return fmt.Errorf("%w: it holds %d tokens, and none has expired", ErrReplaysUnavailable, c.limit)
	}
	c.used[id] = struct{}{}
	heap.Push(&c.ends, ending{id, end})
	return nil
}

// ending is when a use may be forgotten, in seconds since the epoch.
type ending struct {
	id [32]byte
	at int64
}

// endings is a heap.
type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
