package account

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// ErrBusy says that too many passwords wait to be hashed.
var ErrBusy = errors.New("too many log-ins at once")

// slots bounds how many hashes run at once, each of which holds a core and
// tens of megabytes. Who must wait is queued by address; the queues take turns,
// and where all places are taken the longest queue gives up its newest, so
// that whoever sends many waits for their own.
type slots struct {
	mu      sync.Mutex
	free    int
	room    int // places to wait that are left
	queues  map[netip.Prefix][]*waiter
	rotated []netip.Prefix // those with a queue, the next one first
}

// A waiter's channel gets nil with a slot, or ErrBusy with its place.
type waiter struct{ answer chan error }

// load answers how many slots are taken and how many wait for one.
func (s *slots) load(all, queue int) (busy, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all - s.free, queue - s.room
}

func newSlots(n, queue int) *slots {
	return &slots{free: n, room: queue, queues: make(map[netip.Prefix][]*waiter)}
}

// acquire waits for a slot. ErrBusy where there is no place to wait, or what
// ctx ended with.
func (s *slots) acquire(ctx context.Context, from netip.Prefix) error {
	defer timing.Start(ctx, timing.Queue).End()
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	if s.room == 0 && !s.displace(from) {
		s.mu.Unlock()
		return ErrBusy
	}
	s.room--
	if len(s.queues[from]) == 0 {
		s.rotated = append(s.rotated, from)
	}
	w := &waiter{make(chan error, 1)}
	s.queues[from] = append(s.queues[from], w)
	s.mu.Unlock()

	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-w.answer: // in the same moment
		if err == nil {
			s.pass()
		}
	default:
		s.remove(from, slices.Index(s.queues[from], w))
	}
	return context.Cause(ctx)
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to the next queue in turn, or frees it.
func (s *slots) pass() {
	if len(s.rotated) == 0 {
		s.free++
		return
	}
	from := s.rotated[0]
	s.rotated = append(s.rotated[1:], from)
	w := s.queues[from][0]
	s.remove(from, 0)
	w.answer <- nil
}

// displace takes the place of the newest in the longest queue, where that one
// would still be no shorter than the newcomer's.
func (s *slots) displace(newcomer netip.Prefix) bool {
	longest := newcomer
	for from, q := range s.queues {
		if len(q) > len(s.queues[longest]) {
			longest = from
		}
	}
	q := s.queues[longest]
	if len(q) <= len(s.queues[newcomer])+1 {
		return false
	}
	w := q[len(q)-1]
	s.remove(longest, len(q)-1)
	w.answer <- ErrBusy
	return true
}

func (s *slots) remove(from netip.Prefix, i int) {
	s.room++
	s.queues[from] = slices.Delete(s.queues[from], i, i+1)
	if len(s.queues[from]) == 0 {
		delete(s.queues, from)
		at := slices.Index(s.rotated, from)
		s.rotated = slices.Delete(s.rotated, at, at+1)
	}
}
