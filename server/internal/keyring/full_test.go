package keyring_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// However often somebody rotates, the ring never holds more keys than a key set
// may have: nobody could open it any more.
func TestRotationWaitsForTheOldest(t *testing.T) {
	t.Parallel()
	t.Run("by command", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := config(newMemory(), roots(t, keyring.NewRootKey()))
			r := open(t, c)
			var err error
			made := 0
			for ; err == nil && made < 200; made++ {
				_, err = r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator)
			}
			if !errors.Is(err, keyring.ErrFull) || made > 100 {
				t.Fatalf("rotation %d: %v, want ErrFull", made, err)
			}
			if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator); !errors.Is(err, keyring.ErrFull) {
				t.Errorf("announcing: %v, want ErrFull", err)
			}
			if _, err := r.Rotate(t.Context(), keyring.Feed, jwk.ES256, true, operator); err != nil {
				t.Errorf("another purpose: %v", err)
			}
			// What is needed at once is not refused.
			if err := r.Want(t.Context(), jwk.EdDSA); err != nil {
				t.Errorf("another algorithm: %v", err)
			}
			stolen := active(t, r, keyring.Access)
			if next, err := r.Revoke(t.Context(), stolen.ID, operator); err != nil || next.State != keyring.Active {
				t.Errorf("Revoke = %+v, %v", next, err)
			}
			open(t, c)
			time.Sleep(2 * time.Hour) // until the old ones go
			if _, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator); err != nil {
				t.Errorf("once the old ones are gone: %v", err)
			}
		})
	})
	t.Run("by schedule", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := config(newMemory(), roots(t, keyring.NewRootKey()))
			c.Every, c.Lead = 20*time.Second, 10*time.Second
			r := open(t, c)
			defer run(t, r)()
			time.Sleep(35 * time.Minute)
			if _, err := r.Signer(keyring.Access, jwk.ES256); err != nil {
				t.Error(err)
			}
			open(t, c)
		})
	})
}
