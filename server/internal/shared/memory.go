// Package shared keeps what the nodes of a server share and may lose: how
// often somebody has tried something, which tokens were used, and that there is
// news. It is in the memory of one node ([Memory]) and, where several count
// together, in a Redis too ([Redis]). It is not durable and nothing that must
// not be forgotten belongs here (see the stores). It knows nothing of what it
// counts; each consumer declares the interface that it asks for.
package shared

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Memory counts for one node, in memory. The zero value is not ready; see
// [NewMemory].
//
// Each key has a bucket of tokens that fills up again one by one. A bucket is
// one number, the time at which it will be full (the theoretical arrival time
// of the generic cell rate algorithm, ITU-T I.371), and one that is full is as
// good as none.
//
// Memory is bounded and forgets full buckets only: forgetting another would
// give whoever drained it new tries. While there are too many that are not
// full, further keys share a small number of buckets with each other. They are
// then counted more strictly than alone, never less.
type Memory struct {
	now    func() time.Time
	start  time.Time
	seed   [2]maphash.Seed
	shards [shards]shard
}

// shards let that many count at once without waiting for each other.
const shards = 64

// A shard keeps the buckets of some names.
type shard struct {
	mu      sync.Mutex
	max     int
	full    map[key]time.Duration // since start, when the bucket is full
	common  [256 / shards]time.Duration
	sweepAt time.Duration
}

// A key is a hash of a name under random seeds: of fixed size, and nobody can
// make two names collide.
type key [2]uint64

// DefaultBuckets is enough for every bucket that a node's log-ins can keep
// from being full, since each costs a password hash. It takes about 10 MB.
const DefaultBuckets = 1 << 17

// NewMemory keeps at most buckets; 0 means [DefaultBuckets]. A nil now means
// time.Now.
func NewMemory(buckets int, now func() time.Time) *Memory {
	if buckets <= 0 {
		buckets = DefaultBuckets
	}
	if now == nil {
		now = time.Now
	}
	m := &Memory{now: now, start: now(), seed: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	for i := range m.shards {
		m.shards[i].max = max(1, buckets/shards)
		m.shards[i].full = make(map[key]time.Duration)
	}
	return m
}

// Take takes one token out of the bucket of name, which holds burst tokens and
// gets one back each every. Where there is none, nothing is taken and wait
// says when there will be one; else wait is 0. Either way, left is how many
// tokens are in it now. The error is always nil.
func (m *Memory) Take(_ context.Context, name string, burst int, every time.Duration) (left int, wait time.Duration, err error) {
	k := m.key(name)
	s := m.lock(k)
	defer s.mu.Unlock()
	now := m.now().Sub(m.start)
	at, known := s.full[k]
	if !known && !s.room(now) {
		at := &s.common[k[1]%uint64(len(s.common))]
		*at, wait = take(*at, now, burst, every)
		return remaining(*at, now, burst, every), wait, nil
	}
	at, wait = take(at, now, burst, every)
	s.full[k] = at
	return remaining(at, now, burst, every), wait, nil
}

// Wait says what Take would, and takes nothing.
func (m *Memory) Wait(_ context.Context, name string, burst int, every time.Duration) (wait time.Duration, err error) {
	k := m.key(name)
	s := m.lock(k)
	defer s.mu.Unlock()
	now := m.now().Sub(m.start)
	at, known := s.full[k]
	if !known && !s.room(now) {
		at = s.common[k[1]%uint64(len(s.common))]
	}
	_, wait = take(at, now, burst, every)
	return wait, nil
}

// Give puts back a token that was taken from the bucket of name. A token of a
// bucket that is shared stays taken.
func (m *Memory) Give(_ context.Context, name string, every time.Duration) error {
	k := m.key(name)
	s := m.lock(k)
	defer s.mu.Unlock()
	at, known := s.full[k]
	switch {
	case !known:
	case at-every <= m.now().Sub(m.start):
		delete(s.full, k)
	default:
		s.full[k] = at - every
	}
	return nil
}

func (m *Memory) lock(k key) *shard {
	s := &m.shards[k[0]%shards]
	s.mu.Lock()
	return s
}

func take(full, now time.Duration, burst int, every time.Duration) (time.Duration, time.Duration) {
	next := max(full, now) + every
	if wait := next - now - time.Duration(burst)*every; wait > 0 {
		return full, wait
	}
	return next, 0
}

// remaining is how many tokens are in a bucket that is full at the given time.
func remaining(full, now time.Duration, burst int, every time.Duration) int {
	missing := (max(0, full-now) + every - 1) / every
	return max(0, burst-int(missing))
}

// room says whether one more bucket may be kept. It drops the full ones first,
// at most once a second, because it looks at all of them.
func (s *shard) room(now time.Duration) bool {
	if len(s.full) < s.max {
		return true
	}
	if now >= s.sweepAt {
		s.sweepAt = now + time.Second
		for k, at := range s.full {
			if at <= now {
				delete(s.full, k)
			}
		}
	}
	return len(s.full) < s.max
}

func (m *Memory) key(name string) key {
	return key{maphash.String(m.seed[0], name), maphash.String(m.seed[1], name)}
}
