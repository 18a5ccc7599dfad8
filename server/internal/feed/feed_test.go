package feed_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

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
			if _, err := f.Answer(t.Context(), "", after, 0); !errors.Is(err, feed.ErrCursor) {
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
					if len(d.Entries) > 20_000 && d.To-d.From > 1 {
						t.Errorf("%d facts of %d positions in one document", len(d.Entries), d.To-d.From)
					}
					for _, f := range facts(d) {
						if seen[f] {
							t.Fatal("a fact was told twice")
						}
						seen[f] = true
					}
					position, parts = d.To, parts+1
					if inside := read(t, ring, answer(t, f, fmt.Sprintf("epoch1.%d", d.From+1), 0)); len(inside.Entries) > 4_000 && inside.To-inside.From > 1 {
						t.Errorf("%d facts of %d positions from inside of a page", len(inside.Entries), inside.To-inside.From)
					}
					after = revocation.Cursor{Epoch: d.Epoch, Position: d.To}.String()
				}
				if len(seen) != total || parts > 4 {
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
	if _, err := f.Answer(t.Context(), "", "", 0); !errors.Is(err, keyring.ErrLease) {
		t.Errorf("Answer = %v, want ErrLease", err)
	}
}
