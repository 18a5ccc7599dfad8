package keyring_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// Whoever can write the store can break the ring, but not make it trust,
// revive or confuse a key.
func TestChangedStoreIsRefused(t *testing.T) {
	t.Parallel()
	other := newMemory()
	root := roots(t, keyring.NewRootKey())
	open(t, config(other, root))

	tests := []struct {
		name   string
		change func(s *keyring.Sealed)
	}{
		{"another store's id", func(s *keyring.Sealed) { s.StoreID = "store-2" }},
		{"another ring's data key", func(s *keyring.Sealed) { s.WrappedKey = other.ring.WrappedKey }},
		{"another ring's row", func(s *keyring.Sealed) { s.Keys[0] = other.ring.Keys[0] }},
		{"data key changed", func(s *keyring.Sealed) { s.WrappedKey = flip(s.WrappedKey) }},
		{"data key cut", func(s *keyring.Sealed) { s.WrappedKey = s.WrappedKey[:10] }},
		{"data key gone", func(s *keyring.Sealed) { s.WrappedKey = nil }},
		{"version raised", func(s *keyring.Sealed) { s.Version++ }},
		{"version of the rows raised too", func(s *keyring.Sealed) {
			s.Version++
			for i := range s.Keys {
				s.Keys[i].Version++
			}
		}},
		{"blob changed", func(s *keyring.Sealed) { s.Keys[0].Blob = flip(s.Keys[0].Blob) }},
		{"blob cut", func(s *keyring.Sealed) { s.Keys[0].Blob = s.Keys[0].Blob[:20] }},
		{"blob gone", func(s *keyring.Sealed) { s.Keys[0].Blob = nil }},
		{"blobs exchanged", func(s *keyring.Sealed) { s.Keys[0].Blob, s.Keys[1].Blob = s.Keys[1].Blob, s.Keys[0].Blob }},
		{"id", func(s *keyring.Sealed) { s.Keys[0].ID = s.Keys[1].ID }},
		{"purpose", func(s *keyring.Sealed) {
			for i, k := range s.Keys {
				if k.Purpose == keyring.Feed {
					s.Keys[i].Purpose = keyring.Access
				}
			}
		}},
		{"algorithm", func(s *keyring.Sealed) { s.Keys[0].Algorithm = jwk.EdDSA }},
		{"state", func(s *keyring.Sealed) { s.Keys[0].State = keyring.Retiring }},
		{"time of making", func(s *keyring.Sealed) { s.Keys[0].CreatedAt = s.Keys[0].CreatedAt.Add(time.Second) }},
		{"time of activation", func(s *keyring.Sealed) { s.Keys[0].ActiveAt = time.Time{} }},
		{"time of retirement", func(s *keyring.Sealed) { s.Keys[0].RetiredAt = time.Now() }},
		{"time of going", func(s *keyring.Sealed) { s.Keys[0].GoneAt = time.Now().Add(time.Hour) }},
		{"a row twice", func(s *keyring.Sealed) { s.Keys = append(s.Keys, s.Keys...) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			open(t, config(m, root))
			tt.change(&m.ring)
			before := fmt.Sprintf("%x", m.ring)
			if r, err := keyring.Open(t.Context(), config(m, root)); err == nil {
				t.Errorf("opened: %v", r.List())
			}
			if keys, err := keyring.Examine(m.ring, root); err == nil {
				t.Errorf("examined and found good: %v", keys)
			}
			if fmt.Sprintf("%x", m.ring) != before {
				t.Error("a ring that does not open was written over")
			}
		})
	}
}

// An earlier state of a row does not fit into the ring of today.
func TestOldRowIsRefused(t *testing.T) {
	t.Parallel()
	m := newMemory()
	c := config(m, roots(t, keyring.NewRootKey()))
	r := open(t, c)
	first := active(t, r, keyring.Access).ID
	old := m.ring
	if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator); err != nil {
		t.Fatal(err)
	}
	for i, k := range m.ring.Keys {
		for _, o := range old.Keys {
			if k.ID == first && o.ID == first {
				m.ring.Keys[i] = o
			}
		}
	}
	if _, err := keyring.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "put back") {
		t.Errorf("Open = %v, want that the row was put back", err)
	}

	t.Run("nor the whole old ring under a running node", func(t *testing.T) {
		m.ring = old
		if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator); err == nil || !strings.Contains(err.Error(), "went back") {
			t.Errorf("Rotate = %v, want that the ring went back", err)
		}
	})
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func TestWrongRootKey(t *testing.T) {
	t.Parallel()
	m := newMemory()
	right, wrong := roots(t, keyring.NewRootKey()), roots(t, keyring.NewRootKey(), keyring.NewRootKey())
	open(t, config(m, right))
	_, err := keyring.Open(t.Context(), config(m, wrong))
	if !errors.Is(err, keyring.ErrRootKey) {
		t.Fatalf("Open = %v, want ErrRootKey", err)
	}
	for _, id := range append(right.IDs(), wrong.IDs()...) {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("error %q does not name %s", err, id)
		}
	}
}

func TestRootKeyRotation(t *testing.T) {
	t.Parallel()
	m := newMemory()
	oldest, newest := keyring.NewRootKey(), keyring.NewRootKey()
	was := open(t, config(m, roots(t, oldest)))
	ids := fmt.Sprint(was.List())

	// Second place: known, not used.
	open(t, config(m, roots(t, oldest, newest)))
	if len(m.acts()) != 1 {
		t.Errorf("a root key in second place changed the ring: %v", m.acts())
	}
	// First place: it wraps from now on.
	r := open(t, config(m, roots(t, newest, oldest)))
	if m.ring.RootKeyID != roots(t, newest).IDs()[0] || m.ring.Version != 2 {
		t.Errorf("the ring is wrapped by %s at version %d", m.ring.RootKeyID, m.ring.Version)
	}
	if fmt.Sprint(r.List()) != ids {
		t.Error("keys changed")
	}
	// The old one can go.
	if fmt.Sprint(open(t, config(m, roots(t, newest))).List()) != ids {
		t.Error("keys changed")
	}
	if _, err := keyring.Open(t.Context(), config(m, roots(t, oldest))); !errors.Is(err, keyring.ErrRootKey) {
		t.Errorf("the old root key alone: %v, want ErrRootKey", err)
	}
}

func TestParseRootKeys(t *testing.T) {
	t.Parallel()
	a, b := keyring.NewRootKey(), keyring.NewRootKey()
	const prefix = "jotsmith-root-key-v1:"
	tests := []struct {
		name, text string
		keys       int
		err        string
	}{
		{"one", a, 1, ""},
		{"two with remarks", "# newest\r\n" + a + "\r\n\n  # oldest\n " + b + " \n", 2, ""},
		{"empty", "", 0, "no root key"},
		{"remarks only", "# none yet\n", 0, "no root key"},
		{"twice", a + "\n" + a, 0, "line 2: root_"},
		{"no prefix", strings.TrimPrefix(a, prefix), 0, "line 1: it does not start with"},
		{"another version", strings.Replace(a, "v1", "v2", 1), 0, "does not start with"},
		{"too short", a[:len(a)-2], 0, "not 32 bytes"},
		{"too long", a + "AA", 0, "not 32 bytes"},
		{"padded", a + "=", 0, "not 32 bytes"},
		{"tail bits", a[:len(a)-1] + "_", 0, "not 32 bytes"},
		{"zeros", prefix + strings.Repeat("A", 43), 0, "all zeros"},
		{"huge", strings.Repeat("#", 20<<10), 0, "at most"},
		{"good, then bad", a + "\nsomething secret", 0, "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := keyring.ParseRootKeys([]byte(tt.text))
			if tt.err == "" && (err != nil || len(r.IDs()) != tt.keys) {
				t.Errorf("ParseRootKeys = %v, %v, want %d keys", r, err, tt.keys)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("ParseRootKeys = %v, want an error with %q", err, tt.err)
			}
			if err != nil && (strings.Contains(err.Error(), "something secret") || strings.Contains(err.Error(), a[len(prefix):])) {
				t.Errorf("the error repeats the line: %v", err)
			}
		})
	}
}

// However they are printed, root keys and rings show ids only.
func TestRootKeysPrintAsIDs(t *testing.T) {
	t.Parallel()
	line := keyring.NewRootKey()
	c := config(newMemory(), roots(t, line))
	r := open(t, c)
	secret, err := keyring.ParseRootKeys([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	encoded := line[len("jotsmith-root-key-v1:"):]
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	decimal := fmt.Sprint(raw[:8])
	spellings := []string{encoded, decimal[1 : len(decimal)-1], fmt.Sprintf("%x", raw[:8])}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{secret, &secret, c, r} {
			text := fmt.Sprintf(verb, v)
			for _, known := range spellings {
				if strings.Contains(text, known) {
					t.Errorf("%s of %T prints the key", verb, v)
				}
			}
		}
	}
	if got := fmt.Sprint(secret); !strings.HasPrefix(got, "root_") {
		t.Errorf("prints as %q", got)
	}
}

func FuzzParseRootKeys(f *testing.F) {
	f.Add([]byte(keyring.NewRootKey()))
	f.Add([]byte("# remark\n" + keyring.NewRootKey() + "\n" + keyring.NewRootKey()))
	f.Add([]byte("jotsmith-root-key-v1:AAAA"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := keyring.ParseRootKeys(text)
		if (err == nil) != (len(r.IDs()) > 0) {
			t.Errorf("ParseRootKeys = %v, %v", r, err)
		}
	})
}
