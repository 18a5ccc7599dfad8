// Package shared keeps what the nodes of a server share and may lose: how
// often somebody has tried something. It is not durable and nothing that must
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
	now     func() time.Time
	start   time.Time
	max     int
	seed    [2]maphash.Seed
	mu      sync.Mutex
	full    map[key]time.Duration // since start, when the bucket is full
	common  [256]time.Duration
	sweepAt time.Duration
}

// A key is a hash of a name under random seeds: of fixed size, and nobody can
// make two names collide.
type key [2]uint64

// DefaultBuckets is enough for every bucket that a node's log-ins can keep
// from being full, since each costs a password hash. It takes about 8 MB.
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
	return &Memory{
		now:   now,
		start: now(),
		max:   buckets,
		seed:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		full:  make(map[key]time.Duration),
	}
}

// Take takes one token out of the bucket of name, which holds burst tokens and
// gets one back each every. Where there is none, nothing is taken and wait
// says when there will be one; else wait is 0. The error is always nil.
func (m *Memory) Take(_ context.Context, name string, burst int, every time.Duration) (wait time.Duration, err error) {
	k := m.key(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Sub(m.start)
	at, known := m.full[k]
	if !known && !m.room(now) {
		at := &m.common[k[0]%uint64(len(m.common))]
		*at, wait = take(*at, now, burst, every)
		return wait, nil
	}
	at, wait = take(at, now, burst, every)
	m.full[k] = at
	return wait, nil
}

// Wait says what Take would, and takes nothing.
func (m *Memory) Wait(_ context.Context, name string, burst int, every time.Duration) (wait time.Duration, err error) {
	k := m.key(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Sub(m.start)
	at, known := m.full[k]
	if !known && !m.room(now) {
		at = m.common[k[0]%uint64(len(m.common))]
	}
	_, wait = take(at, now, burst, every)
	return wait, nil
}

// Give puts back a token that was taken from the bucket of name. A token of a
// bucket that is shared stays taken.
func (m *Memory) Give(_ context.Context, name string, every time.Duration) error {
	k := m.key(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	at, known := m.full[k]
	switch {
	case !known:
	case at-every <= m.now().Sub(m.start):
		delete(m.full, k)
	default:
		m.full[k] = at - every
	}
	return nil
}

func take(full, now time.Duration, burst int, every time.Duration) (time.Duration, time.Duration) {
	next := max(full, now) + every
	if wait := next - now - time.Duration(burst)*every; wait > 0 {
		return full, wait
	}
	return next, 0
}

// room says whether one more bucket may be kept. It drops the full ones first,
// at most once a second, because it looks at all of them.
func (m *Memory) room(now time.Duration) bool {
	if len(m.full) < m.max {
		return true
	}
	if now >= m.sweepAt {
		m.sweepAt = now + time.Second
		for k, at := range m.full {
			if at <= now {
				delete(m.full, k)
			}
		}
	}
	return len(m.full) < m.max
}

func (m *Memory) key(name string) key {
	return key{maphash.String(m.seed[0], name), maphash.String(m.seed[1], name)}
}
