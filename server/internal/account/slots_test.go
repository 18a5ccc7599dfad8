package account

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func from(s string) netip.Prefix { return Origin(netip.MustParseAddr(s)) }

// Whoever sends many waits for their own: of two addresses, one with twenty
// waiting and one with two, the two are served among the first four.
func TestDOS03FairByAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, 100)
		s.acquire(t.Context(), from("192.0.2.1"))
		var mu sync.Mutex
		var order []string
		wait := func(who, address string) {
			go func() {
				if err := s.acquire(t.Context(), from(address)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, who)
				mu.Unlock()
				s.release()
			}()
			synctest.Wait()
		}
		for range 20 {
			wait("flood", "203.0.113.7")
		}
		wait("victim", "198.51.100.1")
		wait("victim", "198.51.100.2") // the same /24
		s.release()
		synctest.Wait()
		if len(order) != 22 || !slices.Equal(order[:4], []string{"flood", "victim", "flood", "victim"}) {
			t.Errorf("served in the order %v", order)
		}
		if s.free != 1 || s.room != 100 || len(s.queues) != 0 || len(s.rotated) != 0 {
			t.Errorf("not as it was: %+v", s)
		}
	})
}

func TestDOS03QueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, 3)
		s.acquire(t.Context(), from("192.0.2.1"))
		answers := make(chan error, 10)
		for range 3 {
			go func() { answers <- s.acquire(t.Context(), from("203.0.113.7")) }()
		}
		synctest.Wait()
		if err := s.acquire(t.Context(), from("203.0.113.7")); !errors.Is(err, ErrBusy) {
			t.Fatalf("a fourth that waits: %v", err)
		}
		go func() { answers <- s.acquire(t.Context(), from("198.51.100.1")) }()
		synctest.Wait()
		if err := <-answers; !errors.Is(err, ErrBusy) {
			t.Fatalf("the newest of the longest queue: %v", err)
		}
		if s.room != 0 {
			t.Errorf("%d places are free, want 0", s.room)
		}
		for range 3 {
			s.release()
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		s.release()
		if s.free != 1 || s.room != 3 {
			t.Errorf("not as it was: %+v", s)
		}
	})
}

func TestSlotsOfWhoGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, 3)
		s.acquire(t.Context(), from("192.0.2.1"))
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() { answer <- s.acquire(ctx, from("192.0.2.1")) }()
		synctest.Wait()
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.release()
		if s.free != 1 || s.room != 3 || len(s.queues) != 0 || len(s.rotated) != 0 {
			t.Errorf("not as it was: %+v", s)
		}
	})
}

// Many come, wait, go away and are pushed out at random: no slot is lost, none
// is used twice.
func TestSlotsUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSlots(3, 8)
	var mu sync.Mutex
	running := 0
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%5 == 0 {
				go cancel()
			}
			address := netip.AddrFrom4([4]byte{10, 0, byte(i % 7), 1})
			if s.acquire(ctx, Origin(address)) != nil {
				return
			}
			mu.Lock()
			running++
			if running > 3 {
				t.Error("more than three at once")
			}
			mu.Unlock()
			mu.Lock()
			running--
			mu.Unlock()
			s.release()
		})
	}
	wg.Wait()
	if s.free != 3 || s.room != 8 || len(s.queues) != 0 || len(s.rotated) != 0 {
		t.Errorf("not as it was: %+v", s)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.77":               "192.0.2.0/24",
		"::ffff:192.0.2.77":        "192.0.2.0/24",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::/64",
		"fe80::1%eth0":             "fe80::/64",
		"2001:db8:1:2:ffff:ffff::": "2001:db8:1:2::/64",
	} {
		if got := Origin(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if got := Origin(netip.Addr{}); got.IsValid() {
		t.Errorf("no address: got %s", got)
	}
}
