package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/store/postgres"
)

// A peer is one of several nodes on one database.
type peer struct {
	house
	store *postgres.Store
}

// newPeer starts a node that hears of others where woken, and only looks by
// itself where not. stop ends it.
func newPeer(t *testing.T, url string, root []byte, woken bool) (p *peer, stop func()) {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.ParseRootKeys(root)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{
		Store: store, Root: keys, Algorithms: []jwk.Algorithm{jwk.ES256},
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	p = &peer{house: house{ring: ring}, store: store}
	p.feed = newFeed(t, feed.Config{Store: store, Ring: ring})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.feed.Run(ctx) })
	wg.Go(func() { ring.Run(ctx) })
	if woken {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-store.Committed():
					p.feed.Wake()
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		store.Close()
	})
	t.Cleanup(stop)
	return p, stop
}

func (p *peer) publish(t *testing.T, value string) {
	t.Helper()
	f := feed.Fact{Kind: jwt.SessionFact, Value: value, Expires: time.Now().Add(time.Hour)}
	if err := p.store.Publish(context.Background(), f, audit.Event{Act: "session.end", Outcome: audit.OK}); err != nil {
		t.Error(err)
	}
}

func TestNodes(t *testing.T) {
	t.Parallel()
	server := realtest.StartPostgres(t)
	url, root := server.NewDatabase(t), []byte(keyring.NewRootKey())
	a, stopA := newPeer(t, url, root, true)
	b, stopB := newPeer(t, url, root, false)

	t.Run("what one node commits reaches the followers of every node within a second", func(t *testing.T) {
		type told struct {
			follower string
			fact     jwt.Fact
			at       time.Time
		}
		news := make(chan told, 1000)
		for name, p := range map[string]*peer{"a": a, "b": b} {
			s := httptest.NewServer(p)
			defer s.Close()
			f, err := revocation.NewFollower(revocation.FollowerConfig{
				URL: s.URL, Issuer: issuer, Keys: a.ring.Keys(keyring.Feed), Client: http.DefaultClient, Log: slog.New(slog.DiscardHandler),
				OnApply: func(d *revocation.Document, at time.Time) {
					for _, e := range d.Entries {
						news <- told{name, e.Fact, at}
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { f.Run(ctx) })
			defer wg.Wait()
			defer cancel()
			<-f.Ready()
		}
		for n := range 6 {
			value := fmt.Sprint("reach", n)
			[]*peer{a, b}[n%2].publish(t, value)
			answered := time.Now()
			for range 2 {
				got := <-news
				if took := got.at.Sub(answered); got.fact != entry(value)[0] || took > time.Second {
					t.Errorf("committed at node %d, follower of %s knew after %v", n%2, got.follower, took)
				}
			}
		}
	})

	t.Run("whoever follows deltas misses nothing that two nodes commit at once", func(t *testing.T) {
		const each, writers = 15, 4
		at := read(t, a.ring, answer(t, a.feed, "", 0))
		start := revocation.Cursor{Epoch: at.Epoch, Position: at.To}
		var all sync.WaitGroup
		for w := range writers {
			for _, p := range []*peer{a, b} {
				all.Go(func() {
					for n := range each {
						p.publish(t, fmt.Sprintf("race %p %d %d", p, w, n))
					}
				})
			}
		}
		var orders [2][]jwt.Fact
		for i, first := range []*peer{a, b} {
			all.Go(func() {
				// Each answer is asked of the other node than the one before.
				other := map[*peer]*peer{a: b, b: a}
				for cursor, p := start, first; cursor.Position < start.Position+2*each*writers; p = other[p] {
					d := read(t, p.ring, answer(t, p.feed, cursor.String(), 10*time.Second))
					if d.Snapshot || d.From != cursor.Position {
						t.Errorf("at %v came %d to %d, snapshot %v", cursor, d.From, d.To, d.Snapshot)
						return
					}
					orders[i] = append(orders[i], facts(d)...)
					cursor.Position = d.To
				}
			})
		}
		all.Wait()
		distinct := slices.Clone(orders[0])
		slices.SortFunc(distinct, func(a, b jwt.Fact) int { return slices.Compare(a[:], b[:]) })
		if n := len(slices.Compact(distinct)); n != 2*each*writers || len(orders[0]) != n || !slices.Equal(orders[0], orders[1]) {
			t.Errorf("%d facts in one order, %d in the other, %d distinct, want %d", len(orders[0]), len(orders[1]), n, 2*each*writers)
		}
	})

	t.Run("a cursor is good at every node and after a restart of all", func(t *testing.T) {
		if err := a.feed.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := read(t, a.ring, answer(t, a.feed, "", 0))
		cursor := revocation.Cursor{Epoch: at.Epoch, Position: at.To}.String()
		b.publish(t, "while up")
		if d := read(t, b.ring, answer(t, b.feed, cursor, 10*time.Second)); d.Snapshot || d.From != at.To || !slices.Equal(facts(d), entry("while up")) {
			t.Errorf("at the other node: %+v", d)
		}
		stopA()
		stopB()
		a, _ := newPeer(t, url, root, true)
		a.publish(t, "after")
		b, _ := newPeer(t, url, root, true)
		for _, p := range []*peer{a, b} {
			d := read(t, p.ring, answer(t, p.feed, cursor, 10*time.Second))
			for d.To < at.To+2 {
				d = read(t, p.ring, answer(t, p.feed, cursor, 10*time.Second))
			}
			if d.Snapshot || d.From != at.To || !slices.Equal(facts(d), entry("while up", "after")) {
				t.Errorf("after a restart: %+v", d)
			}
		}
	})

	t.Run("the order of commits", func(t *testing.T) { testOrder(t, server) })
}

// The race that loses an entry: one transaction takes a position, a second takes
// the next one and commits, a reader moves to it, and then the first commits. A
// sequence lets it happen, which shows that the test provokes it; the head does
// not.
func testOrder(t *testing.T, server *realtest.Postgres) {
	url := server.NewDatabase(t)
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Log: slog.New(slog.DiscardHandler)}) // makes the tables
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	server.Exec(t, url, `CREATE SEQUENCE sequence`)
	for _, tt := range []struct {
		name, take string
		lost       bool
	}{
		{"by a sequence", `INSERT INTO fact (position, kind, value, before_at, expires_at) VALUES (nextval('sequence'), 2, $1, 0, 0)`, true},
		{"by the head", `WITH head AS (UPDATE feed_head SET n = n + 1 RETURNING n)
			INSERT INTO fact (position, kind, value, before_at, expires_at) SELECT n, 2, $1, 0, 0 FROM head`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.Exec(t, url, `DELETE FROM fact`)
			begin := func() (*pgx.Conn, pgx.Tx) {
				c, err := pgx.Connect(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				tx, err := c.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return c, tx
			}
			c1, first := begin()
			defer c1.Close(context.Background())
			c2, second := begin()
			defer c2.Close(context.Background())
			if _, err := first.Exec(t.Context(), tt.take, "first"); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := second.Exec(t.Context(), tt.take, "second")
				if err == nil {
					err = second.Commit(t.Context())
				}
				done <- err
			}()
			// The reader, who stands where it read last.
			seen, at := map[string]bool{}, int64(0)
			look := func() {
				c3, err := pgx.Connect(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				defer c3.Close(context.Background())
				rows, err := c3.Query(t.Context(), `SELECT value, position FROM fact WHERE position > $1 ORDER BY position`, at)
				if err != nil {
					t.Fatal(err)
				}
				for rows.Next() {
					var value string
					if err := rows.Scan(&value, &at); err != nil {
						t.Fatal(err)
					}
					seen[value] = true
				}
			}
			if tt.lost {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				look()
			} else {
				waitsForALock(t, url)
				look()
				if len(seen) != 0 {
					t.Errorf("before the first has committed %v are seen", seen)
				}
			}
			if err := first.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !tt.lost {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			look()
			if !seen["second"] || seen["first"] == tt.lost {
				t.Errorf("the reader has seen %v; lost: want %v", seen, tt.lost)
			}
		})
	}
}

// waitsForALock returns once somebody waits for another transaction.
func waitsForALock(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for waiting := 0; waiting == 0; {
		if err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}
