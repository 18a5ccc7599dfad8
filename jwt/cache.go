package jwt

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// cache keeps verified tokens by their whole compact string. It is bounded in
// bytes and split into shards, each of which is written under its own lock and
// read without any.
//
// A shard is a table of slots; a token may stand in any of the few slots that
// follow the place of its hash. A slot says its token's hash, so that no other
// token's memory is touched on the way to the one that is asked for.
//
// The hash is that of the text's end, which is the signature's, or the tag's of an
// encrypted token: of genuine tokens, and no others enter, each has its own. It has a random seed of this
// process, so that nobody can aim at a slot. What is found there is compared with
// the whole text.
type cache struct {
	seed    maphash.Seed
	shards  []shard
	longest int // text that a verifier takes at all; longer text is not even looked for
}

// entry is a token and what is needed to find it again. The token that callers
// hold is part of it: one allocation for both.
type entry struct {
	compact string
	policy  *policy     // by which it was verified
	used    atomic.Bool // since the hand last passed
	hash    uint64
	token   Token
}

// slot is written under the lock of its shard. A reader may see the hash of one
// token and the entry of another: the whole text decides.
type slot struct {
	hash  atomic.Uint64
	entry atomic.Pointer[entry]
}

type shard struct {
	slots []slot

	mu    sync.Mutex
	bytes int
	limit int
	hand  int
	_     [64]byte // shards share no cache line
}

const (
	maxShards = 16
	window    = 8  // slots in which a token may stand
	hashed    = 32 // bytes of the text's end, 192 bits of the signature
	// entrySize is what an entry takes beyond its texts, with its slot and the
	// allocator's rounding.
	entrySize = 640
	slotBytes = 1 << 10 // a slot for each so many bytes of the limit
)

func newCache(size, longest int) *cache {
	shards := 1
	for shards < maxShards && size/(2*shards) >= 64<<10 {
		shards *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, shards), longest: longest}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = size / shards
		slots := window
		for slots < s.limit/slotBytes {
			slots *= 2
		}
		s.slots = make([]slot, slots)
	}
	return c
}

func (c *cache) shard(hash uint64) *shard { return &c.shards[hash>>32&uint64(len(c.shards)-1)] }

func (s *shard) slot(hash uint64, i int) *slot {
	return &s.slots[(hash+uint64(i))&uint64(len(s.slots)-1)]
}

func (c *cache) hash(compact string) uint64 {
	return maphash.String(c.seed, compact[max(0, len(compact)-hashed):])
}

// find returns the entry of exactly this text, or nil.
func (c *cache) find(compact string) *entry {
	if len(compact) > c.longest {
		return nil
	}
	hash := c.hash(compact)
	s := c.shard(hash)
	for i := range window {
		slot := s.slot(hash, i)
		if slot.hash.Load() != hash {
			continue
		}
		if e := slot.entry.Load(); e != nil && e.compact == compact {
			if !e.used.Load() {
				e.used.Store(true)
			}
			return e
		}
	}
	return nil
}

// add makes room for e: in its window an empty slot, one of an expired token,
// or one that was not asked for lately.
func (c *cache) add(e *entry, now time.Time) {
	e.hash = c.hash(e.compact)
	s := c.shard(e.hash)
	cost := e.cost()
	if cost > s.limit/4 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var place *slot
	rank := 0
	for i := range window {
		slot := s.slot(e.hash, i)
		old := slot.entry.Load()
		r := 1
		switch {
		case old == nil:
			r = 4
		case old.hash == e.hash && old.compact == e.compact:
			r = 5
		case old.token.claims.expires <= now.Unix():
			r = 3
		case !old.used.Load():
			r = 2
		}
		if r > rank {
			place, rank = slot, r
		}
	}
	s.clear(place)
	for n := 0; s.bytes+cost > s.limit; n++ {
		s.advance(n > len(s.slots))
	}
	s.bytes += cost
	place.entry.Store(e)
	place.hash.Store(e.hash)
}

// remove takes e out, unless another has taken its place.
func (c *cache) remove(e *entry) {
	s := c.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range window {
		if slot := s.slot(e.hash, i); slot.entry.Load() == e {
			s.clear(slot)
			return
		}
	}
}

// advance moves the hand by one slot: what was not used since it last passed
// goes, or anything after a full round.
func (s *shard) advance(anything bool) {
	slot := &s.slots[s.hand]
	s.hand = (s.hand + 1) & (len(s.slots) - 1)
	if e := slot.entry.Load(); e != nil && (!e.used.Swap(false) || anything) {
		s.clear(slot)
	}
}

func (s *shard) clear(slot *slot) {
	if e := slot.entry.Load(); e != nil {
		s.bytes -= e.cost()
		slot.entry.Store(nil)
	}
}

// cost is the number of bytes that e keeps alive.
func (e *entry) cost() int {
	c := &e.token.claims
	return entrySize + len(e.compact) + len(e.token.payload) + 16*(cap(c.audiences)+cap(c.roles)+cap(c.methods))
}
