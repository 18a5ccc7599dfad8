package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

// run runs f until the test calls stop, which waits for it.
func run(t *testing.T, f *feed.Feed) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run answered %v", err)
		}
	}
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := newFeed(t, feed.Config{Store: m, Ring: ring, Poll: 100 * time.Millisecond})
		defer run(t, f)()
		synctest.Wait()

		// took lets news come after some time, and says how long an answer took.
		took := func(after string, wait time.Duration, news func()) (time.Duration, *revocation.Document) {
			began := time.Now()
			go func() { time.Sleep(5*time.Second + time.Millisecond); news() }()
			d := read(t, ring, answer(t, f, after, wait))
			took := time.Since(began)
			time.Sleep(time.Minute)
			return took, d
		}
		if d, doc := took("epoch1.0", 20*time.Second, func() { m.end(time.Hour, "a"); f.Wake() }); d != 5*time.Second+time.Millisecond || !slices.Equal(facts(doc), entry("a")) {
			t.Errorf("woken after %v with %+v, want at once", d, doc)
		}
		if d, doc := took("epoch1.1", 20*time.Second, func() { m.end(time.Hour, "b") }); d > 5*time.Second+100*time.Millisecond || !slices.Equal(facts(doc), entry("b")) {
			t.Errorf("found after %v with %+v, want within a poll", d, doc)
		}
		if d, doc := took("epoch1.2", 20*time.Second, func() {}); d != 20*time.Second || doc.From != 2 || doc.To != 2 || doc.Snapshot || time.Since(doc.IssuedAt) > time.Minute+time.Second {
			t.Errorf("without news: %v with %+v, want an empty delta of then", d, doc)
		}
		if d, _ := took("epoch1.2", time.Hour, func() {}); d != feed.MaxWait {
			t.Errorf("waited %v, at most %v", d, feed.MaxWait)
		}
		if d, doc := took("epoch1.1", 20*time.Second, func() {}); d != 0 || !slices.Equal(facts(doc), entry("b")) {
			t.Errorf("behind the head: %v with %+v, want at once", d, doc)
		}
		if d, doc := took("", 20*time.Second, func() {}); d != 0 || !doc.Snapshot {
			t.Errorf("snapshot: %v with %+v, want at once", d, doc)
		}
		if d, doc := took("epoch1.2", 20*time.Second, func() { m.set(func() { m.head = feed.Head{Epoch: "epoch2", Position: 1} }) }); d > 6*time.Second || !doc.Snapshot || doc.Epoch != "epoch2" {
			t.Errorf("a new epoch: %v with %+v, want its snapshot", d, doc)
		}
	})
}

func TestLongPollEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, feed.Config{Store: newMemory(), Ring: ring})
		defer run(t, f)()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := f.Answer(ctx, "", "epoch1.0", 20*time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Answer = %v after %v", err, time.Since(began))
		}
	})
}

func TestWaitersAreBounded(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := newFeed(t, feed.Config{Store: m, Ring: ring, Waiters: 3})
		defer run(t, f)()
		synctest.Wait()
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { answer(t, f, "epoch1.0", 10*time.Second) })
		}
		synctest.Wait()
		if d := read(t, ring, answer(t, f, "epoch1.0", 10*time.Second)); time.Since(began) != 0 || d.To != 0 {
			t.Errorf("one too many waited %v", time.Since(began))
		}
		wg.Wait()
		if time.Since(began) != 10*time.Second {
			t.Errorf("the others waited %v", time.Since(began))
		}
		began = time.Now()
		answer(t, f, "epoch1.0", 10*time.Second)
		if time.Since(began) != 10*time.Second {
			t.Errorf("places are not given back: waited %v", time.Since(began))
		}
	})
}

func TestSignedOnceASecond(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.end(time.Hour, "a")
		f := newFeed(t, feed.Config{Store: m, Ring: ring})
		defer run(t, f)()
		time.Sleep(50 * time.Millisecond)
		for _, after := range []string{"", "epoch1.0", "epoch1.1"} {
			got := make([]string, 50)
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = answer(t, f, after, 0) })
			}
			wg.Wait()
			if n := len(slices.Compact(got)); n != 1 {
				t.Errorf("after %q: %d documents in one second", after, n)
			}
			first := got[0]
			time.Sleep(1100 * time.Millisecond)
			if again := answer(t, f, after, 0); again == first {
				t.Errorf("after %q: the same document a second later", after)
			}
		}
		// More places than are kept are answered too.
		for range 100 {
			m.end(time.Hour, "b")
		}
		if err := f.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := range 100 {
			if d := read(t, ring, answer(t, f, fmt.Sprintf("epoch1.%d", n), 0)); d.From != uint64(n) || d.To != 101 {
				t.Fatalf("%+v, want from %d", d, n)
			}
		}
	})
}

// Whoever is told of a revocation by the feed finds it in the node's own set.
func TestLocalKnowsFirst(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := newFeed(t, feed.Config{Store: m, Ring: ring})
		defer run(t, f)()
		for n := range 20 {
			go func() { time.Sleep(10 * time.Second); m.end(time.Hour, fmt.Sprint("s", n)); f.Wake() }()
			d := read(t, ring, answer(t, f, fmt.Sprintf("epoch1.%d", n), 30*time.Second))
			if d.To != uint64(n+1) || f.Local().Len() != n+1 {
				t.Fatalf("told of %d, %d are known here", d.To, f.Local().Len())
			}
		}
	})
}

// A document says that nothing else is revoked. What cannot be known is not
// said.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := newFeed(t, feed.Config{Store: m, Ring: ring})
		m.set(func() { m.broken = fault.ErrUnavailable })
		if _, err := f.Answer(t.Context(), "", "", 0); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("before the first look: %v", err)
		}
		m.set(func() { m.broken = nil })
		defer run(t, f)()
		synctest.Wait()
		before := read(t, ring, answer(t, f, "", 0)).IssuedAt
		m.set(func() { m.broken = fault.ErrUnavailable })
		time.Sleep(1500 * time.Millisecond)
		if got := read(t, ring, answer(t, f, "", 0)).IssuedAt; got.After(before.Add(time.Second)) {
			t.Errorf("a document of %v, the store answered last at %v", got, before)
		}
		time.Sleep(time.Second)
		if _, err := f.Answer(t.Context(), "", "", 0); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("cut off for 2.5 s: %v", err)
		}
		if _, err := f.Answer(t.Context(), "", "epoch1.0", 20*time.Second); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("cut off for longer: %v", err)
		}
		m.set(func() { m.broken = nil })
		time.Sleep(time.Second)
		answer(t, f, "", 0)
	})
}
