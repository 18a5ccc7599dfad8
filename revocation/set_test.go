package revocation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
)

func TestSetCheck(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	ic := jwt.IssuerConfig{Issuer: issuerName, Key: key}
	now := time.Now()
	withSession := verified(t, ic, jwt.Claims{SessionID: "s1", ID: "j1", IssuedAt: now})
	without := verified(t, ic, jwt.Claims{ID: "j2", IssuedAt: now})
	issued := without.IssuedAt()
	fact := func(kind jwt.FactKind, value string) Entry { return Entry{Fact: jwt.NewFact(kind, issuerName, value)} }
	before := func(e Entry, at time.Time) Entry { e.Before = at; return e }
	for _, c := range []struct {
		name    string
		entry   Entry
		token   *jwt.Token
		revoked bool
	}{
		{"its session", fact(jwt.SessionFact, "s1"), withSession, true},
		{"another session", fact(jwt.SessionFact, "s2"), withSession, false},
		{"a session, token without one", fact(jwt.SessionFact, ""), without, false},
		{"its id", fact(jwt.TokenFact, "j1"), withSession, true},
		{"another id", fact(jwt.TokenFact, "j1"), without, false},
		{"its key", fact(jwt.KeyFact, key.KeyID()), without, true},
		{"another key", fact(jwt.KeyFact, "k2"), without, false},
		{"its subject", fact(jwt.SubjectFact, "acc_anna"), without, true},
		{"its subject, but it has a session", fact(jwt.SubjectFact, "acc_anna"), withSession, false},
		{"its subject, issued before", before(fact(jwt.SubjectFact, "acc_anna"), issued.Add(time.Second)), without, true},
		{"its subject, within the same second", before(fact(jwt.SubjectFact, "acc_anna"), issued.Add(time.Millisecond)), without, true},
		{"its subject, issued at that time", before(fact(jwt.SubjectFact, "acc_anna"), issued), without, false},
		{"its session, issued at that time", before(fact(jwt.SessionFact, "s1"), issued), withSession, false},
		{"the value of another kind", fact(jwt.TokenFact, "s1"), withSession, false},
		{"the same value of another issuer", Entry{Fact: jwt.NewFact(jwt.SessionFact, "https://other.example", "s1")}, withSession, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := NewSet(0)
			if err := s.Add(c.entry); err != nil {
				t.Fatal(err)
			}
			err := s.Check(c.token, time.Now())
			if errors.Is(err, jwt.ErrRevoked) != c.revoked || (err == nil) == c.revoked {
				t.Errorf("got %v, want revoked: %v", err, c.revoked)
			}
		})
	}
}

// TestSetAgainstModel adds random facts, some of them again, and compares with
// a plain map that follows the documented rule.
func TestSetAgainstModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	s, model := NewSet(0), map[jwt.Fact]row{}
	var known []jwt.Fact
	base := time.Unix(1_700_000_000, 0)
	at := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return base.Add(time.Duration(1+r.IntN(1000)) * time.Hour)
	}
	for range 300 {
		var batch []Entry
		for range r.IntN(50) {
			var f jwt.Fact
			binary.BigEndian.PutUint64(f[:], r.Uint64())
			if len(known) > 0 && r.IntN(3) == 0 {
				f = known[r.IntN(len(known))]
			}
			known = append(known, f)
			e := Entry{f, at(), at()}
			batch = append(batch, e)
			next := row{f, seconds(e.Expires), seconds(e.Before)}
			if old, ok := model[f]; ok {
				if old.expires == 0 || next.expires != 0 && next.expires < old.expires {
					next.expires = old.expires
				}
				if old.before == 0 || next.before != 0 && next.before < old.before {
					next.before = old.before
				}
			}
			model[f] = next
		}
		if err := s.add(batch, base); err != nil {
			t.Fatal(err)
		}
	}
	if s.Len() != len(model) {
		t.Errorf("%d facts, want %d", s.Len(), len(model))
	}
	for f, want := range model {
		if got := s.get(f); got == nil || *got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	later := base.Add(500 * time.Hour)
	s.prune(later)
	stand := 0
	for f, want := range model {
		if want.expires == 0 || int64(want.expires) > later.Unix() {
			stand++
			if s.get(f) == nil {
				t.Fatalf("%v was dropped though it stands", want)
			}
		}
	}
	if s.Len() != stand {
		t.Errorf("%d facts after pruning, want %d", s.Len(), stand)
	}
}

func TestSetFullFailsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(2)
		other := token(t, jwt.Claims{SessionID: "other", Life: time.Hour})
		soon := time.Now().Add(time.Hour)
		if err := s.Add(Entry{Fact: session("a")}, Entry{Fact: session("b"), Expires: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(other, time.Now()); err != nil {
			t.Errorf("exactly full: %v", err)
		}
		if err := s.Add(Entry{Fact: session("a")}); err != nil {
			t.Errorf("a fact that stands already needs no room: %v", err)
		}
		if err := s.Add(Entry{Fact: session("c"), Expires: soon}, Entry{Fact: session("d"), Expires: soon.Add(-time.Minute)}); !errors.Is(err, ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
		if s.get(session("a")) == nil || s.get(session("b")) == nil || s.Len() != 2 {
			t.Error("a full set dropped what stands")
		}
		if err := s.Check(other, time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
			t.Errorf("got %v, want ErrRevocationUnavailable", err)
		}
		revoked := token(t, jwt.Claims{SessionID: "a", Life: time.Hour})
		if err := s.Check(revoked, time.Now()); !errors.Is(err, jwt.ErrRevoked) {
			t.Errorf("what is known stays told: got %v", err)
		}
		// Room appears, but the facts that were lost still stand until soon.
		time.Sleep(2 * time.Minute)
		if err := s.Add(Entry{Fact: session("e")}); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(other, time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
			t.Errorf("a lost fact was forgotten: %v", err)
		}
		time.Sleep(time.Hour)
		if err := s.Check(other, time.Now()); err != nil {
			t.Errorf("no lost fact stands any more: %v", err)
		}
	})
}

// A fact that is held counts, whatever the clock says (CLM-05).
func TestCLM05ClockSetForwardAndBack(t *testing.T) {
	t.Parallel()
	s := NewSet(0)
	now := time.Now()
	tok := token(t, jwt.Claims{SessionID: "a"})
	if err := s.Add(Entry{Fact: session("a"), Expires: now.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	for _, shift := range []time.Duration{0, time.Hour, -time.Hour} {
		if err := s.Check(tok, now.Add(shift)); !errors.Is(err, jwt.ErrRevoked) {
			t.Errorf("clock shifted by %v: %v", shift, err)
		}
	}
}

// A clock that is set forward drops no fact, which would be missed when it is
// set back; time that has passed does.
func TestCLM05ClockSetForwardDropsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(0)
		s.wall = s.wall.Add(-time.Hour) // since then the clock was set forward by an hour
		if err := s.Add(Entry{Fact: session("a"), Expires: time.Now().Add(-30 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		held := func() bool {
			time.Sleep(pruneEvery)
			if err := s.Add(entries("b")...); err != nil {
				t.Fatal(err)
			}
			return s.get(session("a")) != nil
		}
		if !held() {
			t.Error("dropped before its time")
		}
		time.Sleep(30 * time.Minute)
		if held() {
			t.Error("held for good")
		}

		s = NewSet(0)
		s.wall = s.wall.Add(time.Hour) // set back by an hour
		if err := s.Add(Entry{Fact: session("a"), Expires: time.Now().Add(30 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		if !held() {
			t.Error("dropped after the clock was set back")
		}
	})
}

// TestAddCopiesOneShard: what one fact costs does not grow with the set.
func TestAddCopiesOneShard(t *testing.T) {
	t.Parallel()
	s := filled(t, 100_000)
	var old [shards]*[]row
	for i := range s.shards {
		old[i] = s.shards[i].Load()
	}
	if err := s.add(entries("one"), s.pruned); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range s.shards {
		if s.shards[i].Load() != old[i] {
			changed++
		}
	}
	if changed != 1 || s.Len() != 100_001 {
		t.Errorf("%d shards changed, %d facts", changed, s.Len())
	}
}

func TestSetConcurrently(t *testing.T) {
	t.Parallel()
	s := NewSet(0)
	if err := s.Add(entries("first")...); err != nil {
		t.Fatal(err)
	}
	first, good := token(t, jwt.Claims{SessionID: "first"}), token(t, jwt.Claims{SessionID: "good"})
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.Check(first, time.Now()); !errors.Is(err, jwt.ErrRevoked) {
					t.Errorf("a fact that stands was missing: %v", err)
					return
				}
				if err := s.Check(good, time.Now()); err != nil {
					t.Errorf("a good token was refused: %v", err)
					return
				}
			}
		})
	}
	for w := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 0))
			for i := range 2000 {
				var f jwt.Fact
				binary.BigEndian.PutUint64(f[:], r.Uint64())
				if err := s.add([]Entry{{Fact: f, Expires: time.Unix(int64(i+1), 0)}}, time.Unix(int64(i/2), 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

func filled(tb testing.TB, n int) *Set {
	tb.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	list := make([]Entry, n)
	for i := range list {
		binary.BigEndian.PutUint64(list[i].Fact[:], r.Uint64())
	}
	s := NewSet(n + 1000)
	if err := s.Add(list...); err != nil {
		tb.Fatal(err)
	}
	return s
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("facts=%d", n), func(b *testing.B) {
			s := filled(b, n)
			v := token(b, jwt.Claims{SessionID: "s1"})
			now := time.Now()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if s.Check(v, now) != nil {
						b.Error("refused")
					}
				}
			})
		})
	}
}

// Facts in turn, so that no lookup finds what the one before left in the
// processor's cache.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("facts=%d", n), func(b *testing.B) {
			s := filled(b, n)
			held := make([]jwt.Fact, 0, n)
			for i := range s.shards {
				for _, r := range s.rows(i) {
					held = append(held, r.fact)
				}
			}
			rand.New(rand.NewPCG(7, 8)).Shuffle(n, func(i, j int) { held[i], held[j] = held[j], held[i] })
			b.ReportAllocs()
			b.ResetTimer()
			found := 0
			for i := range b.N {
				f := held[i%n]
				f[5] ^= byte(i & 1) // every other one is not there
				if s.get(f) != nil {
					found++
				}
			}
			if found != (b.N+1)/2 {
				b.Errorf("%d of %d found", found, b.N)
			}
		})
		b.Run(fmt.Sprintf("map of %d", n), func(b *testing.B) {
			m := map[jwt.Fact]row{}
			s := filled(b, n)
			held := make([]jwt.Fact, 0, n)
			for i := range s.shards {
				for _, r := range s.rows(i) {
					held = append(held, r.fact)
					m[r.fact] = r
				}
			}
			rand.New(rand.NewPCG(7, 8)).Shuffle(n, func(i, j int) { held[i], held[j] = held[j], held[i] })
			b.ResetTimer()
			found := 0
			for i := range b.N {
				f := held[i%n]
				f[5] ^= byte(i & 1)
				if _, ok := m[f]; ok {
					found++
				}
			}
		})
	}
}

func BenchmarkAddToMillion(b *testing.B) {
	s := filled(b, 1_000_000)
	s.max = 1 << 30
	r := rand.New(rand.NewPCG(5, 6))
	b.ReportAllocs()
	for b.Loop() {
		var f jwt.Fact
		binary.BigEndian.PutUint64(f[:], r.Uint64())
		if err := s.add([]Entry{{Fact: f}}, s.pruned); err != nil {
			b.Fatal(err)
		}
	}
}
