package keyring_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// A memory keeps a ring as a store does, and lets tests change what is kept,
// refuse to answer, and die before or after a commit.
type memory struct {
	revoked []string
	now     func() time.Time

	mu     sync.Mutex
	ring   keyring.Sealed
	events []audit.Event
	broken error
	save   func(commit func()) error // in the place of a commit, where set
}

func newMemory() *memory {
	return &memory{now: time.Now, ring: keyring.Sealed{StoreID: "store-1"}}
}

func (m *memory) LoadRing(context.Context) (keyring.Sealed, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.ring
	s.Keys = slices.Clone(s.Keys)
	return s, m.now(), m.broken
}

func (m *memory) SaveRing(_ context.Context, s keyring.Sealed, e audit.Event, revoked ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if s.Version != m.ring.Version+1 {
		return fault.ErrChanged
	}
	active := map[string]bool{}
	for _, k := range s.Keys {
		name := k.Purpose + string(k.Algorithm)
		if k.State == keyring.Active && active[name] {
			return errors.New("two active keys of one purpose and algorithm")
		}
		active[name] = active[name] || k.State == keyring.Active
	}
	commit := func() {
		m.ring = s
		m.events = append(m.events, e)
		m.revoked = append(m.revoked, revoked...)
	}
	if m.save != nil {
		return m.save(commit)
	}
	commit()
	return nil
}

// last is the event that was recorded last.
func (m *memory) last() audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[len(m.events)-1]
}

// published are the keys whose revocation was.
func (m *memory) published() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.revoked)
}

func (m *memory) acts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var acts []string
	for _, e := range m.events {
		acts = append(acts, e.Act)
	}
	return acts
}

var operator = audit.Actor{Kind: audit.KindOperator, Name: "root"}

func roots(t *testing.T, lines ...string) keyring.RootKeys {
	t.Helper()
	text := ""
	for _, l := range lines {
		text += l + "\n"
	}
	r, err := keyring.ParseRootKeys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func config(store keyring.Store, root keyring.RootKeys) keyring.Config {
	return keyring.Config{
		Store: store, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256},
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: 7 * 24 * time.Hour,
	}
}

func open(t *testing.T, c keyring.Config) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// states counts the keys of a purpose by state.
func states(r *keyring.Ring, purpose string) map[string]int {
	n := map[string]int{}
	for _, k := range r.List() {
		if k.Purpose == purpose {
			n[k.State]++
		}
	}
	return n
}

func active(t *testing.T, r *keyring.Ring, purpose string) keyring.Key {
	t.Helper()
	for _, k := range r.List() {
		if k.Purpose == purpose && k.State == keyring.Active {
			return k
		}
	}
	t.Fatalf("no active %s key", purpose)
	return keyring.Key{}
}
