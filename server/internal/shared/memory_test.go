package shared

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(0, nil)
		take := func() time.Duration {
			_, wait, _ := m.Take(t.Context(), "k", 3, time.Minute)
			return wait
		}
		for i := range 3 {
			if wait := take(); wait != 0 {
				t.Fatalf("token %d: wait %v", i, wait)
			}
		}
		if wait := take(); wait != time.Minute {
			t.Fatalf("empty bucket: wait %v, want 1m", wait)
		}
		if wait, _ := m.Wait(t.Context(), "k", 3, time.Minute); wait != time.Minute {
			t.Fatalf("asking an empty bucket: wait %v, want 1m", wait)
		}
		for range 10 {
			if wait, _ := m.Wait(t.Context(), "unused", 3, time.Minute); wait != 0 {
				t.Fatalf("asking took a token: wait %v", wait)
			}
		}
		if _, wait, _ := m.Take(t.Context(), "other", 3, time.Minute); wait != 0 {
			t.Fatalf("another bucket: wait %v", wait)
		}
		time.Sleep(time.Minute - 1)
		if wait := take(); wait != 1 {
			t.Fatalf("a moment too early: wait %v", wait)
		}
		time.Sleep(1 * time.Nanosecond)
		if wait := take(); wait != 0 {
			t.Fatalf("after the time that was told: wait %v", wait)
		}
		m.Give(t.Context(), "k", time.Minute)
		if wait := take(); wait != 0 {
			t.Fatalf("after one was given back: wait %v", wait)
		}
		time.Sleep(time.Hour)
		for i := range 3 {
			if wait := take(); wait != 0 {
				t.Fatalf("full again, token %d: wait %v", i, wait)
			}
		}
		if wait := take(); wait == 0 {
			t.Fatal("a bucket became larger while it was not used")
		}
	})
}

func TestGiveNeverOverfills(t *testing.T) {
	t.Parallel()
	m := NewMemory(0, nil)
	for range 5 {
		m.Give(t.Context(), "k", time.Minute)
	}
	taken := 0
	for range 10 {
		if _, wait, _ := m.Take(t.Context(), "k", 3, time.Minute); wait == 0 {
			taken++
		}
	}
	if taken != 3 {
		t.Errorf("%d tokens taken out of a bucket of 3", taken)
	}
}

// Of a thousand at once exactly as many pass as there are tokens.
func TestBRT02Atomic(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m := NewMemory(0, func() time.Time { return now })
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, wait, _ := m.Take(context.Background(), "k", 10, time.Minute); wait == 0 {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 10 {
		t.Errorf("%d passed, want 10", passed.Load())
	}
}

func TestBRT04BoundedMemory(t *testing.T) {
	t.Parallel()
	const bound = 1000
	now := time.Now()
	m := NewMemory(bound, func() time.Time { return now })
	hot := func() time.Duration { _, wait, _ := m.Take(t.Context(), "victim", 2, time.Hour); return wait }
	hot()
	hot()
	denied := 0
	for i := range 1_000_000 {
		if _, wait, _ := m.Take(t.Context(), strconv.Itoa(i), 2, time.Hour); wait != 0 {
			denied++
		}
	}
	if n := kept(m); n > bound {
		t.Errorf("%d buckets are kept, at most %d", n, bound)
	}
	if hot() == 0 {
		t.Error("a flood of names made an empty bucket full again")
	}
	if most := bound + 2*shards*len(m.shards[0].common); 1_000_000-denied > most {
		t.Errorf("%d new names passed, at most %d", 1_000_000-denied, most)
	}
	now = now.Add(3 * time.Hour)
	if _, wait, _ := m.Take(t.Context(), "after", 2, time.Hour); wait != 0 || kept(m) > bound-bound/shards+1 {
		t.Errorf("when all buckets are full again: wait %v, %d kept", wait, kept(m))
	}
}

func kept(m *Memory) (n int) {
	for i := range m.shards {
		n += len(m.shards[i].full)
	}
	return n
}

// What is left is told with each token, and grows with time.
func TestLeft(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m := NewMemory(0, func() time.Time { return now })
	for i, want := range []int{2, 1, 0, 0} {
		if left, _, _ := m.Take(t.Context(), "k", 3, time.Minute); left != want {
			t.Errorf("after %d: %d left, want %d", i+1, left, want)
		}
	}
	now = now.Add(90 * time.Second)
	if left, wait, _ := m.Take(t.Context(), "k", 3, time.Minute); left != 0 || wait != 0 {
		t.Errorf("a minute and a half later: %d left, wait %v", left, wait)
	}
	now = now.Add(time.Hour)
	if left, _, _ := m.Take(t.Context(), "k", 3, time.Minute); left != 2 {
		t.Errorf("full again: %d left", left)
	}
}

func BenchmarkTake(b *testing.B) {
	m := NewMemory(0, nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Take(b.Context(), "strict\x00alice\x00192.0.2.0/24", 10, time.Nanosecond)
		}
	})
}
