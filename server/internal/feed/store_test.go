package feed_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/audit"
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
	starts []feed.Start
	now    func() time.Time
	broken error
	reads  int
}

func newMemory() *memory {
	return &memory{head: feed.Head{Epoch: "epoch1"}, now: time.Now}
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

func (m *memory) FeedStarts(context.Context) ([]feed.Start, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starts, m.broken
}

func (m *memory) Publish(_ context.Context, f feed.Fact, _ audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Position++
	f.Position = m.head.Position
	m.facts = append(m.facts, f)
	return m.broken
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
	d, err := f.Answer(context.Background(), "", after, wait)
	if err != nil {
		t.Fatal(err)
	}
	return string(d.Bytes())
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
