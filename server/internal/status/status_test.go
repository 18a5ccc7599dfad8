package status

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// statusAt reads a list as a verifier does, §8.3: nothing of it is this
// package's.
func statusAt(t *testing.T, bits int, lst string, index int) int {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	set, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if bit := index * bits; bit/8 < len(set) {
		return int(set[bit/8]) >> (bit % 8) & (1<<bits - 1)
	}
	t.Fatalf("index %d is outside of a list of %d bytes", index, len(set))
	return 0
}

// The examples of draft-ietf-oauth-status-list, §4.1, §4.2 and appendix C.1:
// their bytes, and what the reader above finds in their text and in ours.
func TestExamplesOfTheStandard(t *testing.T) {
	t.Parallel()
	long := make([]byte, capacity/8)
	set := []int{0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345}
	for _, i := range set {
		long[i/8] |= 1 << (i % 8)
	}
	for _, tt := range []struct {
		name  string
		set   []byte
		bits  int
		text  string
		ones  []int
		zeros []int
	}{
		{"§4.1, 16 tokens", []byte{0xb9, 0xa3}, 1, "eNrbuRgAAhcBXQ", []int{0, 3, 4, 5, 7, 8, 9, 13, 15}, []int{1, 2, 6, 10, 11, 12, 14}},
		{"§4.1, 12 tokens of 2 bits", []byte{0xc9, 0x44, 0xf9}, 2, "eNo76fITAAPfAgc", []int{0, 5, 7, 8}, []int{2, 4, 6}},
		{"C.1, 1,048,576 tokens", long, 1, "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE" +
			"AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
			"AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA" +
			"A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA" +
			"ACAZC8L2AEb", set, []int{1, 1992, 1994, 1048575}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for by, text := range map[string]string{"theirs": tt.text, "ours": encode(tt.set)} {
				for _, i := range tt.ones {
					if got := statusAt(t, tt.bits, text, i); got != 1 {
						t.Errorf("%s: status %d at %d", by, got, i)
					}
				}
				for _, i := range tt.zeros {
					if got := statusAt(t, tt.bits, text, i); got != 0 {
						t.Errorf("%s: status %d at %d", by, got, i)
					}
				}
			}
		})
	}
}

// A memory is a store whose every answer the test decides.
type memory struct {
	mu      sync.Mutex
	entries map[Slot]Entry
	facts   []string // sessions and subjects
	epoch   string
	reads   int
	broken  error
}

func (m *memory) SaveStatus(_ context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[e.Slot]; ok {
		return errors.New("taken")
	}
	m.entries[e.Slot] = e
	return m.broken
}

func (m *memory) StatusSince(_ context.Context, sessions, apps uint64, revoked func(Slot)) (string, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	for i, f := range m.facts {
		for s, e := range m.entries {
			at := uint64(i + 1)
			if at > sessions && e.Session == f && f != "" || at > apps && e.Session == "" && e.Subject == f {
				revoked(s)
			}
		}
	}
	return m.epoch, uint64(len(m.facts)), m.broken
}

func (m *memory) StatusNamed(_ context.Context, list string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.entries {
		if s.List == list {
			return true, m.broken
		}
	}
	return false, m.broken
}

// keys keeps a ring for one test.
type keys struct{ sealed keyring.Sealed }

func (k *keys) LoadRing(context.Context) (keyring.Sealed, time.Time, error) {
	return k.sealed, time.Now(), nil
}

func (k *keys) SaveRing(_ context.Context, s keyring.Sealed, _ audit.Event, _ ...string) error {
	k.sealed = s
	return nil
}

func open(t *testing.T) (*Lists, *memory, *keyring.Ring) {
	t.Helper()
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{
		Store: &keys{keyring.Sealed{StoreID: "store"}}, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256},
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{entries: map[Slot]Entry{}, epoch: "1"}
	l, err := New(Config{
		Store: m, Ring: ring, Issuer: "https://auth.example", URI: "https://auth.example/v1/status/",
		Algorithm: func() jwk.Algorithm { return jwk.ES256 }, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, m, ring
}

func TestList(t *testing.T) {
	t.Parallel()
	l, m, ring := open(t)
	slots, ended := map[string]Slot{}, map[string]bool{}
	for n := range 200 {
		e := l.Take()
		e.Session, e.Expires = fmt.Sprint(n), time.Now().Add(time.Minute)
		slots[e.Session] = e.Slot
		if err := l.Save(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if ended[e.Session] = n%3 == 0; ended[e.Session] {
			m.facts = append(m.facts, e.Session)
		}
	}
	name := slots["0"].List
	first, err := l.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if again, err := l.List(t.Context(), name); err != nil || again.ETag != first.ETag {
				t.Errorf("asked again: %v", err)
			}
		})
	}
	all.Wait()
	if m.reads != 1 {
		t.Errorf("the store was read %d times", m.reads)
	}
	verified, err := jws.Verify(t.Context(), string(first.Compact), ring.Keys(keyring.Access))
	if err != nil || verified.Header.Type != Type {
		t.Fatalf("%v, typ %q", err, verified.Header.Type)
	}
	var c struct {
		Sub           string
		Iat, Exp, TTL int64
		StatusList    struct {
			Bits int
			Lst  string
		} `json:"status_list"`
	}
	if err := json.Unmarshal([]byte(verified.Payload), &c); err != nil {
		t.Fatal(err)
	}
	if now := time.Now().Unix(); c.Sub != l.URI(slots["0"]) || c.Iat > now || c.Iat < now-60 || c.Exp <= now || c.TTL != 30 || c.StatusList.Bits != 1 {
		t.Errorf("%s", verified.Payload)
	}
	for session, s := range slots {
		if got := statusAt(t, 1, c.StatusList.Lst, s.Index) == 1; got != ended[session] || s.List != name {
			t.Errorf("session %s is told as revoked: %v", session, got)
		}
	}
	if strings.Contains(string(first.Compact), "\n") || len(first.Compact) > 2<<10 {
		t.Errorf("a list of 200 takes %d bytes", len(first.Compact))
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	l, m, _ := open(t)
	for _, name := range []string{"", "x", strings.Repeat("A", 15), strings.Repeat("A", 17), "AAAAAAAAAAAAAAA\n", "../../etc/passwd", strings.Repeat("A", 1<<20)} {
		if _, err := l.List(t.Context(), name); !errors.Is(err, fault.ErrNotFound) || m.reads != 0 {
			t.Errorf("%.20q: %v, %d reads", name, err, m.reads)
		}
	}
	unknown := strings.Repeat("A", 16)
	for range 2 { // which is remembered of nobody
		if _, err := l.List(t.Context(), unknown); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
	}
	if m.reads != 0 || len(l.documents.made) != 0 {
		t.Errorf("%d reads, %d kept", m.reads, len(l.documents.made))
	}
	m.broken = fault.ErrUnavailable
	if err := l.Save(t.Context(), l.Take()); !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("saving: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration is taken")
	}
}

// A node asks for what is new alone, and misses nothing of it: an entry of an app
// may come after the fact that concerns it, and a store may be another one.
func TestListsGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, m, ring := open(t)
		save := func(session, subject string) Slot {
			t.Helper()
			e := l.Take()
			e.Session, e.Subject = session, subject
			if err := l.Save(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			return e.Slot
		}
		told := func(s Slot, want int) {
			t.Helper()
			time.Sleep(kept) // until a list is made anew, in the bubble's time
			ring.CatchUp(t.Context())
			d, err := l.List(t.Context(), s.List)
			if err != nil {
				t.Fatal(err)
			}
			payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(string(d.Compact), ".")[1])
			var c struct {
				StatusList struct{ Lst string } `json:"status_list"`
			}
			if err := json.Unmarshal(payload, &c); err != nil {
				t.Fatal(err)
			}
			if got := statusAt(t, 1, c.StatusList.Lst, s.Index); got != want {
				t.Errorf("%v is told as %d, want %d", s, got, want)
			}
		}
		first, app, other := save("first", "ada"), save("", "robot"), save("other", "ada")
		told(first, 0)
		m.facts = append(m.facts, "first")
		told(first, 1)
		m.facts = append(m.facts, "robot")
		told(app, 1)
		after := save("", "robot") // which had been read before
		told(after, 1)
		time.Sleep(2 * late)
		told(first, 1)
		told(other, 0)
		m.facts = append(m.facts, "other")
		told(other, 1)
		if sessions, apps := l.revoked.since(time.Now().Add(2 * late)); sessions != 3 || apps == 0 {
			t.Errorf("what is asked for begins at %d and %d", sessions, apps)
		}

		m.epoch, m.facts = "2", []string{"other", "x", "y", "z"}
		told(other, 1)
		told(first, 0)

		for s := range m.entries { // all have expired
			delete(m.entries, s)
		}
		m.entries[Slot{strings.Repeat("A", 16), 1}] = Entry{}
		told(Slot{strings.Repeat("A", 16), 1}, 0)
		if len(l.revoked.sets) != 0 {
			t.Errorf("%d lists are remembered that nobody names", len(l.revoked.sets))
		}
	})
}

func TestSlotOf(t *testing.T) {
	t.Parallel()
	l := &Lists{}
	e := l.Take()
	if s, ok := SlotOf(e.Token); !ok || s != e.Slot {
		t.Errorf("%q: %v, %v", e.Token, s, ok)
	}
	for _, id := range []string{"", ".", rand.Text(), e.List, e.List + ".", e.List + ".-1", e.List + ".01", e.List + ".1048576", e.List + ".1.1", "x.1"} {
		if s, ok := SlotOf(id); ok {
			t.Errorf("%q: %v", id, s)
		}
	}
}

// Slots repeat neither within a list nor across nodes, and a list is filled to
// a half at most.
func TestSlots(t *testing.T) {
	t.Parallel()
	a, b := &Lists{}, &Lists{}
	seen, lists := map[Slot]bool{}, map[string]int{}
	for range most + 10 {
		s := a.Take().Slot
		if seen[s] || s.Index < 0 || s.Index >= capacity {
			t.Fatalf("%v is given twice", s)
		}
		seen[s] = true
		lists[s.List]++
	}
	if len(lists) != 2 || lists[b.Take().List] != 0 {
		t.Errorf("%v", lists)
	}
}
