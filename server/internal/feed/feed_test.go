package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

const issuer = "https://auth.example"

// A memory is a store whose every answer the test decides.
type memory struct {
	mu     sync.Mutex
	facts  []feed.Fact
	head   feed.Head
	now    func() time.Time
	broken error
	reads  int
}

func newMemory() *memory {
	return &memory{head: feed.Head{Epoch: "epoch1"}, now: time.Now}
}

func (m *memory) FeedHead(context.Context) (feed.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, m.broken
}

func (m *memory) FeedSince(_ context.Context, after uint64) ([]feed.Fact, feed.Head, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	var found []feed.Fact
	for _, f := range m.facts {
		if f.Position > after && f.Expires.After(m.now()) {
			found = append(found, f)
		}
	}
	return found, m.head, m.now(), m.broken
}

// end publishes the ends of sessions in one position.
func (m *memory) end(life time.Duration, sessions ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Position++
	for _, s := range sessions {
		m.facts = append(m.facts, feed.Fact{Kind: jwt.SessionFact, Value: s, Expires: m.now().Add(life), Position: m.head.Position})
	}
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// newRing makes a ring on a store of its own, whose lease lasts while now
// stands still.
func newRing(t testing.TB, now func() time.Time) *keyring.Ring {
	t.Helper()
	store, err := sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "ring.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return ringOn(t, store, now)
}

func ringOn(t testing.TB, store keyring.Store, now func() time.Time) *keyring.Ring {
	t.Helper()
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(context.Background(), keyring.Config{
		Store: store, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256}, Now: now,
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func still() time.Time { return time.Unix(1e9, 0) }

func newFeed(t testing.TB, c feed.Config) *feed.Feed {
	t.Helper()
	c.Issuer = issuer
	f, err := feed.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read verifies a document as a follower does.
func read(t testing.TB, ring *keyring.Ring, compact string) *revocation.Document {
	t.Helper()
	v, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuer, Audiences: []string{issuer}, Keys: ring.Keys(keyring.Feed), Type: revocation.Type,
		MaxSize: 1 << 20, CacheSize: -1, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := v.Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	if life := token.ExpiresAt().Sub(token.IssuedAt()); life != time.Minute {
		t.Errorf("a document lives %v", life)
	}
	d, err := revocation.ParseDocument(token)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func answer(t testing.TB, f *feed.Feed, after string, wait time.Duration) string {
	t.Helper()
	compact, err := f.Answer(context.Background(), after, wait)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func entry(sessions ...string) []jwt.Fact {
	all := []jwt.Fact{}
	for _, s := range sessions {
		all = append(all, jwt.NewFact(jwt.SessionFact, issuer, s))
	}
	return all
}

func facts(d *revocation.Document) []jwt.Fact {
	all := []jwt.Fact{}
	for _, e := range d.Entries {
		all = append(all, e.Fact)
	}
	return all
}

func TestConfigReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := feed.New(feed.Config{Poll: time.Hour, Waiters: -1})
	for _, want := range []string{"store", "issuer", "poll"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	m := newMemory()
	m.end(time.Hour, "a", "b")
	m.end(-time.Second, "expired")
	m.end(time.Hour, "c")
	f := newFeed(t, feed.Config{Store: m, Ring: ring})
	tests := []struct {
		name, after string
		snapshot    bool
		from        uint64
		facts       []jwt.Fact
	}{
		{"from nowhere", "", true, 0, entry("a", "b", "c")},
		{"from the beginning", "epoch1.0", false, 0, entry("a", "b", "c")},
		{"after the first", "epoch1.1", false, 1, entry("c")},
		{"what followed has expired", "epoch1.2", false, 2, entry("c")},
		{"at the head", "epoch1.3", false, 3, entry()},
		{"ahead of the head", "epoch1.4", true, 0, entry("a", "b", "c")},
		{"far ahead of the head", "epoch1.9007199254740991", true, 0, entry("a", "b", "c")},
		{"another epoch", "epoch0.3", true, 0, entry("a", "b", "c")},
		{"another epoch, ahead", "epoch0.99", true, 0, entry("a", "b", "c")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := read(t, ring, answer(t, f, tt.after, 0))
			if d.Snapshot != tt.snapshot || d.More || d.From != tt.from || d.To != 3 || d.Epoch != "epoch1" || !slices.Equal(facts(d), tt.facts) {
				t.Errorf("%+v, want snapshot %v from %d with %d facts", d, tt.snapshot, tt.from, len(tt.facts))
			}
		})
	}
	for _, after := range []string{"epoch1", "epoch1.", ".1", "1", "epoch1.-1", "epoch1.01", "epoch1.+1", "epoch1.1.1", "epoch1.x", "e poch.1",
		"epoch1.9007199254740992", "epoch1.18446744073709551616", strings.Repeat("e", 65) + ".1", "\x00.1", "epoch1.1\n"} {
		t.Run(fmt.Sprintf("malformed %q", after), func(t *testing.T) {
			t.Parallel()
			if _, err := f.Answer(t.Context(), after, 0); !errors.Is(err, feed.ErrCursor) {
				t.Errorf("Answer = %v, want ErrCursor", err)
			}
		})
	}
}

func TestEmptyFeed(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	f := newFeed(t, feed.Config{Store: newMemory(), Ring: ring})
	if d := read(t, ring, answer(t, f, "", 0)); !d.Snapshot || d.To != 0 || len(d.Entries) != 0 {
		t.Errorf("%+v, want an empty snapshot", d)
	}
}

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
		if _, err := f.Answer(ctx, "epoch1.0", 20*time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
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
		if _, err := f.Answer(t.Context(), "", 0); !errors.Is(err, fault.ErrUnavailable) {
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
		if _, err := f.Answer(t.Context(), "", 0); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("cut off for 2.5 s: %v", err)
		}
		if _, err := f.Answer(t.Context(), "epoch1.0", 20*time.Second); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("cut off for longer: %v", err)
		}
		m.set(func() { m.broken = nil })
		time.Sleep(time.Second)
		answer(t, f, "", 0)
	})
}

// A node that has not seen yet what another has told looks again, rather than
// to answer that the feed has gone back.
func TestCursorOfANodeThatIsAhead(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	m := newMemory()
	f := newFeed(t, feed.Config{Store: m, Ring: ring})
	if err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.end(time.Hour, "a")
	m.end(time.Hour, "b")
	if d := read(t, ring, answer(t, f, "epoch1.1", 0)); d.Snapshot || d.From != 1 || !slices.Equal(facts(d), entry("b")) {
		t.Errorf("%+v, want the delta from 1", d)
	}
	// A store that was put back within its epoch is told by a snapshot.
	m.set(func() { m.head.Position, m.facts = 1, m.facts[:1] })
	if err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := read(t, ring, answer(t, f, "epoch1.2", 0)); !d.Snapshot || d.To != 1 || !slices.Equal(facts(d), entry("a")) {
		t.Errorf("%+v, want a snapshot at 1", d)
	}
	if f.Local().Len() != 2 {
		t.Errorf("%d facts are known here: a fact was taken back", f.Local().Len())
	}
}

func TestExpiredFactsGo(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.end(10*time.Minute, "short")
		m.end(time.Hour, "long")
		f := newFeed(t, feed.Config{Store: m, Ring: ring})
		defer run(t, f)()
		time.Sleep(9 * time.Minute)
		if d := read(t, ring, answer(t, f, "", 0)); len(d.Entries) != 2 {
			t.Errorf("%d facts before one expires", len(d.Entries))
		}
		for _, later := range []time.Duration{61 * time.Second, 2 * time.Minute} {
			time.Sleep(later)
			for _, after := range []string{"", "epoch1.0", "epoch1.1"} {
				if d := read(t, ring, answer(t, f, after, 0)); d.To != 2 || !slices.Equal(facts(d), entry("long")) {
					t.Errorf("after %q: %+v", after, d)
				}
			}
		}
	})
}

// What is much is told in parts that lead on from each other, each of which a
// follower can read.
func TestMuchIsToldInParts(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	for _, perPosition := range []int{1, 7000} {
		t.Run(fmt.Sprint(perPosition), func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			const total = 42_000
			for n := 0; n < total; n += perPosition {
				var sessions []string
				for i := range perPosition {
					sessions = append(sessions, fmt.Sprint(n+i))
				}
				m.end(time.Hour, sessions...)
			}
			f := newFeed(t, feed.Config{Store: m, Ring: ring})
			for _, after := range []string{"", "epoch1.0"} {
				seen := map[jwt.Fact]bool{}
				position, parts := uint64(0), 0
				for position < m.head.Position {
					compact := answer(t, f, after, 0)
					d := read(t, ring, compact)
					if d.Snapshot != (after == "") || d.From != position || d.To <= d.From || len(compact) > 1<<20 {
						t.Fatalf("after %q: %d to %d, snapshot %v, %d bytes", after, d.From, d.To, d.Snapshot, len(compact))
					}
					if d.More != (d.To < m.head.Position) {
						t.Errorf("%d to %d of %d, more %v", d.From, d.To, m.head.Position, d.More)
					}
					if most := map[bool]int{true: 20_000, false: 4_000}[d.Snapshot]; len(d.Entries) > most && d.To-d.From > 1 {
						t.Errorf("%d facts of %d positions in one document", len(d.Entries), d.To-d.From)
					}
					for _, f := range facts(d) {
						if seen[f] {
							t.Fatal("a fact was told twice")
						}
						seen[f] = true
					}
					position, parts = d.To, parts+1
					after = revocation.Cursor{Epoch: d.Epoch, Position: d.To}.String()
				}
				if len(seen) != total || parts > 12 {
					t.Errorf("%d facts in %d parts, want %d", len(seen), parts, total)
				}
			}
		})
	}
}

func TestFeedKeyRotation(t *testing.T) {
	t.Parallel()
	ring := newRing(t, nil)
	m := newMemory()
	f := newFeed(t, feed.Config{Store: m, Ring: ring})
	before := answer(t, f, "", 0)
	if _, err := ring.Rotate(t.Context(), keyring.Feed, keyring.FeedAlgorithm, true, audit.Actor{Kind: audit.KindOperator}); err != nil {
		t.Fatal(err)
	}
	m.end(time.Hour, "a")
	if err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, compact := range []string{before, answer(t, f, "", 0)} {
		read(t, ring, compact)
	}
}

func TestNoLeaseNoDocument(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	ring := newRing(t, func() time.Time { return still().Add(time.Duration(passed.Load())) })
	f := newFeed(t, feed.Config{Store: newMemory(), Ring: ring})
	passed.Store(int64(time.Minute))
	if _, err := f.Answer(t.Context(), "", 0); !errors.Is(err, keyring.ErrLease) {
		t.Errorf("Answer = %v, want ErrLease", err)
	}
}
