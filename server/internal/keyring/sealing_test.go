package keyring_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// What was sealed opens for as long as it can come back, whatever rotates
// meanwhile; others are told of keys that will stay, and of no private half.
func TestSealingRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		c.Lead, c.Every = time.Hour, -1
		r := open(t, c)
		defer run(t, r)()
		sealed := func() string {
			t.Helper()
			key, err := r.Sealer()
			if err != nil {
				t.Fatal(err)
			}
			text, err := jwe.Encrypt(key, "", "", []byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		opens := func(r *keyring.Ring, text string) error {
			_, err := jwe.Decrypt(t.Context(), text, r.Opens())
			return err
		}
		published := func() []string {
			t.Helper()
			body, etag := r.JWKS(keyring.Sealing)
			set, err := jwk.ParseEncryptionSet(body)
			if err != nil || etag == "" {
				t.Fatalf("key set %s, %q, %v", body, etag, err)
			}
			if strings.Contains(string(body), `"d"`) {
				t.Errorf("the key set has a private half: %s", body)
			}
			var ids []string
			for k := range set.All() {
				ids = append(ids, k.KeyID())
			}
			return ids
		}
		first, before := sealed(), active(t, r, keyring.Sealing)
		next, err := r.Rotate(t.Context(), keyring.Sealing, keyring.SealingAlgorithm, false, operator)
		if err != nil || next.State != keyring.Announced {
			t.Fatalf("Rotate = %+v, %v", next, err)
		}
		if ids := published(); len(ids) != 2 || ids[0] != before.ID || ids[1] != next.ID {
			t.Errorf("published %v, want the active key and then the announced one", ids)
		}
		time.Sleep(time.Hour + time.Minute)
		second := sealed()
		if ids := published(); len(ids) != 1 || ids[0] != next.ID {
			t.Errorf("published %v, want the active key alone", ids)
		}
		for name, ring := range map[string]*keyring.Ring{"this node": r, "another node": open(t, c)} {
			for which, text := range map[string]string{"retiring": first, "active": second} {
				if err := opens(ring, text); err != nil {
					t.Errorf("%s, %s key: %v", name, which, err)
				}
			}
		}
		if _, err := r.Keys(keyring.Access).Key(t.Context(), next.ID); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("a key that encrypts verifies: %v", err)
		}
		time.Sleep(c.AccessRetire + time.Hour)
		if err := opens(r, first); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("a key that is gone: %v", err)
		}
		third, err := r.Revoke(t.Context(), next.ID, operator)
		if err != nil || third.Purpose != keyring.Sealing || third.State != keyring.Active {
			t.Fatalf("Revoke = %+v, %v", third, err)
		}
		if err := opens(r, second); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("a revoked key: %v", err)
		}
		if len(m.published()) != 0 {
			t.Errorf("the feed says of a key that signs nothing: %v", m.published())
		}
	})
}

// Nothing is sealed by a node that has not read the ring for too long, and a
// row that was changed opens nothing.
func TestSealingLeaseAndRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		r := open(t, c)
		time.Sleep(keyring.Lease + time.Second)
		if _, err := r.Sealer(); !errors.Is(err, keyring.ErrLease) {
			t.Errorf("Sealer = %v", err)
		}
		for i, k := range m.ring.Keys {
			if k.Purpose == keyring.Sealing {
				m.ring.Keys[i].Purpose = keyring.Access
			}
		}
		if _, err := keyring.Open(t.Context(), c); err == nil {
			t.Error("a key of another purpose was taken")
		}
	})
}
