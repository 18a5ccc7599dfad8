package revocation

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
)

// ErrFull means that facts did not fit. Until the last of them would have
// expired, the set answers every question with jwt.ErrRevocationUnavailable.
var ErrFull = errors.New("revocation set is full")

// DefaultMax is the number of facts a set holds unless told otherwise: about
// 24 MB when full.
const DefaultMax = 1 << 20

// Set holds facts and answers for tokens without taking a lock. It is the
// jwt.Revocations of a verifier that lives in the issuer's own process; one in
// another process has a [Follower].
//
// Facts are hashes, so their first bits spread them evenly over the shards. A
// shard is an immutable sorted list behind an atomic pointer: adding a fact
// copies one shard, some hundred rows even in a set of a million.
type Set struct {
	max    int
	shards [shards]atomic.Pointer[[]row]
	size   atomic.Int64
	lost   atomic.Int64 // Unix second until which facts stand that did not fit

	start time.Time // what the monotonic clock counts from, and
	wall  time.Time // what the wall clock said then

	mu     sync.Mutex // writers
	pruned time.Time
}

const (
	shardBits = 12
	shards    = 1 << shardBits
)

const pruneEvery = time.Minute

// row is an Entry at rest: its times as in a document, 0 for none.
type row struct {
	fact            jwt.Fact
	expires, before uint32
}

func shardOf(f jwt.Fact) int { return int(f[0])<<4 | int(f[1])>>4 }

// NewSet returns a set of at most max facts; 0 means [DefaultMax].
func NewSet(max int) *Set {
	if max <= 0 {
		max = DefaultMax
	}
	now := time.Now()
	return &Set{max: max, start: now, wall: now.Round(0)}
}

// Len returns the number of facts held, expired ones not yet dropped included.
func (s *Set) Len() int { return int(s.size.Load()) }

// Add makes facts stand; when it returns, every later Check sees them. Of a
// fact that stands already the stricter version stands on. The error is
// [ErrFull], and none of the facts was added.
func (s *Set) Add(entries ...Entry) error {
	err := s.add(entries, s.passed(time.Now()))
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range entries {
			until := int64(math.MaxInt64)
			if !e.Expires.IsZero() {
				until = e.Expires.Unix() + 1
			}
			s.lost.Store(max(s.lost.Load(), until))
		}
	}
	return err
}

// passed is now without the time that the clock was only set forward by: facts
// dropped for it would be missed when it is set back.
func (s *Set) passed(now time.Time) time.Time {
	if real := s.wall.Add(now.Sub(s.start)); real.Before(now.Round(0)) {
		return real
	}
	return now.Round(0)
}

// Check implements jwt.Revocations. A fact counts as long as it is held, so a
// clock that jumps revives nothing.
func (s *Set) Check(t *jwt.Token, now time.Time) error {
	if err := s.find(t); err != nil {
		return err
	}
	if lost := s.lost.Load(); lost != 0 && now.Unix() < lost {
		return fmt.Errorf("%w: the set of %d facts is full and could not take all", jwt.ErrRevocationUnavailable, s.max)
	}
	return nil
}

var kinds = [...]struct {
	kind jwt.FactKind
	said string
}{
	{jwt.SessionFact, "its session has ended"},
	{jwt.TokenFact, "the token has been ended"},
	{jwt.KeyFact, "its key has been revoked"},
	{jwt.SubjectFact, "its subject's tokens have been ended"},
}

func (s *Set) find(t *jwt.Token) error {
	for i := range kinds {
		k := &kinds[i]
		// A session ends by its own fact; one about the subject is for tokens
		// that have none, so that a change of password can spare the session
		// that made it.
		if k.kind == jwt.SubjectFact && t.SessionID() != "" {
			continue
		}
		fact, ok := t.Fact(k.kind)
		if !ok {
			continue
		}
		if r := s.get(fact); r != nil && (r.before == 0 || t.IssuedAt().Before(instant(r.before))) {
			return fmt.Errorf("%w: %s", jwt.ErrRevoked, k.said)
		}
	}
	return nil
}

func (s *Set) get(fact jwt.Fact) *row {
	p := s.shards[shardOf(fact)].Load()
	if p == nil {
		return nil
	}
	rows := *p
	// By the first eight bytes; the few facts that share them are looked at one
	// by one. Those of hashes are spread evenly, so the place is near where that
	// puts it, and a binary search has only the surroundings left.
	want := prefix(fact)
	low, high := 0, len(rows)
	near, _ := bits.Mul64(want<<shardBits, uint64(high))
	for step := 4; ; step *= 2 {
		if below := int(near) - step; below > low && prefix(rows[below].fact) < want {
			low = below + 1
		} else if below > low {
			high = below
			continue
		}
		if above := int(near) + step; above < high && prefix(rows[above].fact) >= want {
			high = above
		} else if above < high {
			low = above + 1
			continue
		}
		break
	}
	for low < high {
		if mid := int(uint(low+high) >> 1); prefix(rows[mid].fact) < want {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for ; low < len(rows) && prefix(rows[low].fact) == want; low++ {
		if rows[low].fact == fact {
			return &rows[low]
		}
	}
	return nil
}

func prefix(f jwt.Fact) uint64 { return binary.BigEndian.Uint64(f[:8]) }

// add adds all or, when they do not fit beside what stands at now, none.
func (s *Set) add(entries []Entry, now time.Time) error {
	fresh := sorted(entries)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := now.Sub(s.pruned); d >= pruneEvery || d < 0 {
		s.prune(now)
	}
	if s.merge(fresh) {
		return nil
	}
	s.prune(now)
	if s.merge(fresh) {
		return nil
	}
	return fmt.Errorf("%w: %d facts, at most %d", ErrFull, s.Len(), s.max)
}

// merge adds sorted rows, each fact once, shard by shard, unless they do not fit.
func (s *Set) merge(fresh []row) bool {
	size := s.Len()
	for i := range fresh {
		if s.get(fresh[i].fact) == nil {
			size++
		}
	}
	if size > s.max {
		return false
	}
	for len(fresh) > 0 {
		n, end := shardOf(fresh[0].fact), 1
		for end < len(fresh) && shardOf(fresh[end].fact) == n {
			end++
		}
		rows := union(s.rows(n), fresh[:end])
		s.shards[n].Store(&rows)
		fresh = fresh[end:]
	}
	s.size.Store(int64(size))
	return true
}

func (s *Set) prune(now time.Time) {
	s.pruned = now
	size := 0
	for n := range s.shards {
		old := s.rows(n)
		keep := 0
		for i := range old {
			if !old[i].expired(now) {
				keep++
			}
		}
		size += keep
		switch {
		case keep == len(old):
		case keep == 0:
			s.shards[n].Store(nil)
		default:
			rows := make([]row, 0, keep)
			for i := range old {
				if !old[i].expired(now) {
					rows = append(rows, old[i])
				}
			}
			s.shards[n].Store(&rows)
		}
	}
	s.size.Store(int64(size))
}

func (s *Set) rows(n int) []row {
	if p := s.shards[n].Load(); p != nil {
		return *p
	}
	return nil
}

func (r *row) expired(now time.Time) bool {
	return r.expires != 0 && int64(r.expires) <= now.Unix()
}

// sorted returns the entries as rows in order, each fact once.
func sorted(entries []Entry) []row {
	rows := make([]row, len(entries))
	for i, e := range entries {
		rows[i] = row{e.Fact, seconds(e.Expires), seconds(e.Before)}
	}
	slices.SortFunc(rows, compare)
	n := 0
	for _, r := range rows {
		if n > 0 && rows[n-1].fact == r.fact {
			rows[n-1] = stricter(rows[n-1], r)
			continue
		}
		rows[n] = r
		n++
	}
	return rows[:n]
}

func compare(a, b row) int { return bytes.Compare(a.fact[:], b.fact[:]) }

func union(a, b []row) []row {
	out := make([]row, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch compare(a[0], b[0]) {
		case -1:
			out, a = append(out, a[0]), a[1:]
		case +1:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, stricter(a[0], b[0])), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// stricter joins two versions of one fact. The later time is the stricter one,
// and none at all, 0, is stricter than any.
func stricter(a, b row) row {
	return row{a.fact, later(a.expires, b.expires), later(a.before, b.before)}
}

func later(x, y uint32) uint32 {
	if x == 0 || y == 0 {
		return 0
	}
	return max(x, y)
}
