package keyring_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, announce := range map[string]bool{"a new successor": false, "the announced successor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				r := open(t, config(m, roots(t, keyring.NewRootKey())))
				defer run(t, r)()
				stolen := active(t, r, keyring.Access)
				var waiting keyring.Key
				if announce {
					var err error
					if waiting, err = r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator); err != nil {
						t.Fatal(err)
					}
				}
				next, err := r.Revoke(t.Context(), stolen.ID, operator)
				if err != nil || next.State != keyring.Active || announce && next.ID != waiting.ID {
					t.Fatalf("Revoke = %+v, %v", next, err)
				}
				if s, err := r.Signer(keyring.Access, jwk.ES256); err != nil || s.KeyID() != next.ID {
					t.Errorf("Signer = %v, %v", s, err)
				}
				body, _ := r.JWKS(keyring.Access)
				if strings.Contains(string(body), stolen.ID) {
					t.Error("a revoked key is published")
				}
				if _, err := r.Keys(keyring.Access).Key(t.Context(), stolen.ID); !errors.Is(err, jwk.ErrUnknownKey) {
					t.Errorf("a revoked key verifies: %v", err)
				}
				if published := m.published(); !slices.Equal(published, []string{stolen.ID}) {
					t.Errorf("published %v", published)
				}
				for _, id := range []string{stolen.ID, "nobody"} {
					if _, err := r.Revoke(t.Context(), id, operator); !errors.Is(err, fault.ErrNotFound) {
						t.Errorf("%s again: %v", id, err)
					}
				}
				if e := m.last(); e.Act != "key.revoke" || e.Targets["key"] != stolen.ID || e.Targets["successor"] != next.ID || e.Actor != operator {
					t.Errorf("event %+v", e)
				}
				time.Sleep(48 * time.Hour) // until the row goes
				if got := states(r, keyring.Access); got[keyring.Revoked] != 0 {
					t.Errorf("states %v", got)
				}
			})
		})
	}
}

func TestRevokeMACKey(t *testing.T) {
	t.Parallel()
	m := newMemory()
	r := open(t, config(m, roots(t, keyring.NewRootKey())))
	old := active(t, r, keyring.Refresh)
	next, err := r.Revoke(t.Context(), old.ID, operator)
	if err != nil || next.State != keyring.Active {
		t.Fatalf("Revoke = %+v, %v", next, err)
	}
	if _, ok := r.MACKey(old.ID); ok {
		t.Error("a revoked key still checks refresh tokens")
	}
	if len(m.revoked) > 0 {
		t.Errorf("a MAC key is published: %v", m.revoked)
	}
}

func TestWant(t *testing.T) {
	t.Parallel()
	r := open(t, config(newMemory(), roots(t, keyring.NewRootKey())))
	if _, err := r.Signer(keyring.Access, jwk.EdDSA); err == nil {
		t.Fatal("there is a key already")
	}
	for range 2 {
		if err := r.Want(t.Context(), jwk.EdDSA, jwk.ES256); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Signer(keyring.Access, jwk.EdDSA); err != nil {
		t.Error(err)
	}
	if err := r.Want(t.Context(), jwk.HS256, jwk.HS384, jwk.HS512, "none"); err == nil || strings.Count(err.Error(), "cannot be signed") != 4 {
		t.Errorf("Want = %v", err)
	}
}
