package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// A house is a real store with an account, a ring and a feed that runs.
type house struct {
	store *sqlite.Store
	ring  *keyring.Ring
	feed  *feed.Feed
	owner account.ID
}

func newHouse(t *testing.T) *house {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{store: store, ring: ringOn(t, store, nil), owner: account.NewID()}
	h.feed = newFeed(t, feed.Config{Store: store, Ring: h.ring})
	a := account.Account{ID: h.owner, Username: "ada", Version: 1}
	if _, err := store.CreateAccount(t.Context(), a, "hash", audit.Event{Act: "account.create", Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { h.feed.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-store.Committed():
				h.feed.Wake()
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		store.Close()
	})
	return h
}

func (h *house) start(t *testing.T) session.ID {
	t.Helper()
	var handle [16]byte
	copy(handle[:], account.NewID()[4:])
	id := session.NewID(handle)
	err := h.store.StartSession(context.Background(), h.owner, func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
		return session.Session{
			ID: id, Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body,
			Generation: 1, MACKey: "00000000", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour),
		}, audit.Event{Act: "session.start", Outcome: audit.OK}, nil
	})
	if err != nil {
		t.Error(err)
	}
	return id
}

func (h *house) end(t *testing.T, sel session.Selection) {
	t.Helper()
	if _, err := h.store.EndSessions(context.Background(), sel, "test", audit.Event{Act: "session.end", Outcome: audit.OK}); err != nil {
		t.Error(err)
	}
}

// ServeHTTP answers as the server's route does.
func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.FormValue("wait"))
	d, err := h.feed.Answer(r.Context(), "", r.FormValue("after"), time.Duration(seconds)*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", revocation.MediaType)
	w.Write(d.Bytes())
}

func (h *house) token(t *testing.T, id session.ID, revocations jwt.Revocations) (verify func() error) {
	t.Helper()
	i, err := h.ring.Issuer(keyring.Access, jwk.ES256, issuer, "")
	if err != nil {
		t.Fatal(err)
	}
	compact, err := i.Issue(jwt.Claims{Subject: string(h.owner), Audience: []string{"https://api.example"}, Life: time.Hour, SessionID: string(id)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{"https://api.example"}, Keys: h.ring.Keys(keyring.Access), Revocations: revocations})
	if err != nil {
		t.Fatal(err)
	}
	return func() error { _, err := v.Verify(context.Background(), compact); return err }
}

// From the commit of an end to the refusal by a follower over HTTP.
func TestFollowerRefusesWhatEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h)
	defer server.Close()
	applied := make(chan *revocation.Document, 100)
	follower, err := revocation.NewFollower(revocation.FollowerConfig{
		URL: server.URL, Issuer: issuer, Keys: h.ring.Keys(keyring.Feed), Log: slog.New(slog.DiscardHandler),
		OnApply: func(d *revocation.Document, _ time.Time) { applied <- d },
	})
	if err != nil {
		t.Fatal(err)
	}
	before := h.start(t)
	h.end(t, session.Selection{ID: before})
	if err := h.feed.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { follower.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	<-follower.Ready()
	<-applied
	if err := h.token(t, before, follower)(); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("ended before the follower came: %v", err)
	}
	for range 20 {
		one, other := h.start(t), h.start(t)
		verify, living := h.token(t, one, follower), h.token(t, other, follower)
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		h.end(t, session.Selection{ID: one})
		if d := <-applied; d.Snapshot || len(d.Entries) != 1 {
			t.Fatalf("applied %+v, want a delta with one fact", d)
		}
		if err := verify(); !errors.Is(err, jwt.ErrRevoked) {
			t.Fatalf("after the delta: %v", err)
		}
		if err := h.token(t, one, h.feed.Local())(); !errors.Is(err, jwt.ErrRevoked) {
			t.Fatalf("on this node: %v", err)
		}
		if err := living(); err != nil {
			t.Fatalf("the other session: %v", err)
		}
	}
}

// While many sessions end at once, whoever follows only deltas misses none, and
// each begins where the one before ended.
func TestDeltasHaveNoGaps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const ends = 60
	ids := make([]session.ID, ends)
	for i := range ids {
		ids[i] = h.start(t)
	}
	d := read(t, h.ring, answer(t, h.feed, "", 0))
	go func() {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := i; n < ends; n += 4 {
					h.end(t, session.Selection{ID: ids[n]})
				}
			})
		}
		wg.Wait()
	}()
	seen := map[jwt.Fact]int{}
	for at := (revocation.Cursor{Epoch: d.Epoch, Position: d.To}); len(seen) < ends; {
		d := read(t, h.ring, answer(t, h.feed, at.String(), 10*time.Second))
		if d.Snapshot || d.From != at.Position || d.To == d.From {
			t.Fatalf("at %v came %d to %d, snapshot %v", at, d.From, d.To, d.Snapshot)
		}
		for _, f := range facts(d) {
			seen[f]++
		}
		at.Position = d.To
	}
	for _, id := range ids {
		if seen[entry(string(id))[0]] != 1 {
			t.Errorf("the end of %s was told %d times", id, seen[entry(string(id))[0]])
		}
	}
}

// A bulk act takes one position.
func TestBulkEndIsOnePosition(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() { h.start(t) })
	}
	wg.Wait()
	at := read(t, h.ring, answer(t, h.feed, "", 0))
	h.end(t, session.Selection{Account: h.owner})
	d := read(t, h.ring, answer(t, h.feed, revocation.Cursor{Epoch: at.Epoch, Position: at.To}.String(), 10*time.Second))
	if h.feed.Stats().Position != 1 || len(d.Entries) != 300 || d.Snapshot {
		t.Errorf("%d to %d with %d facts", d.From, d.To, len(d.Entries))
	}
}

func BenchmarkAnswer(b *testing.B) {
	ring := newRing(b, nil)
	m := newMemory()
	for n := range 1000 {
		m.end(time.Hour, fmt.Sprint(n))
	}
	f := newFeed(b, feed.Config{Store: m, Ring: ring})
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			answer(b, f, "", 0)
		}
	})
}

// What a snapshot of a million facts costs a node: all its pages signed and
// compressed, as once a second at most while followers ask for them.
func BenchmarkSnapshotOfAMillion(b *testing.B) {
	ring := newRing(b, nil)
	m := newMemory()
	for n := range 1_000_000 {
		m.end(time.Hour, fmt.Sprint(n))
	}
	f := newFeed(b, feed.Config{Store: m, Ring: ring})
	if err := f.Look(b.Context()); err != nil {
		b.Fatal(err)
	}
	m.set(func() { m.facts = nil })
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if err := f.Look(b.Context()); err != nil {
			b.Fatal(err)
		}
		<-time.After(1100 * time.Millisecond) // documents are kept for a second
		if err := f.Look(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		after, plain, zipped, pages := "", 0, 0, 0
		for more := true; more; pages++ {
			d, err := f.Answer(b.Context(), "", after, 0)
			if err != nil {
				b.Fatal(err)
			}
			plain, zipped = plain+len(d.Bytes()), zipped+len(d.Gzip())
			after, more = d.Next().String(), d.Next().Position < 1_000_000
		}
		b.ReportMetric(float64(plain)/1e6, "MB")
		b.ReportMetric(float64(zipped)/1e6, "zippedMB")
		b.ReportMetric(float64(pages), "pages")
	}
}
