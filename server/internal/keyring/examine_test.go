package keyring_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func TestExamine(t *testing.T) {
	t.Parallel()
	root := roots(t, keyring.NewRootKey())
	m := newMemory()
	if keys, err := keyring.Examine(m.ring, root); err != nil || keys != nil {
		t.Errorf("no ring: %v, %v", keys, err)
	}
	r := open(t, config(m, root))
	keys, err := keyring.Examine(m.ring, root)
	if err != nil || !slices.Equal(keys, r.List()) {
		t.Errorf("%v, %v, want %v", keys, err, r.List())
	}
	if len(m.acts()) != 1 {
		t.Errorf("examining wrote: %v", m.acts())
	}
	if _, err := keyring.Examine(m.ring, roots(t, keyring.NewRootKey())); !errors.Is(err, keyring.ErrRootKey) {
		t.Errorf("another root key: %v", err)
	}
}

// A ring that is told to look more often performs what is due sooner.
func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		c.Lead, c.Every, c.Poll = 2*time.Second, 5*time.Second, 100*time.Millisecond
		r := open(t, c)
		go r.Run(t.Context())
		first := active(t, r, keyring.Access).ID
		time.Sleep(5*time.Second + 200*time.Millisecond)
		if active(t, r, keyring.Access).ID == first {
			t.Error("it has not rotated in time")
		}
	})
	c := config(newMemory(), roots(t, keyring.NewRootKey()))
	for _, poll := range []time.Duration{-1, keyring.Poll + 1} {
		c.Poll = poll
		if _, err := keyring.Open(t.Context(), c); err == nil {
			t.Errorf("a poll of %v is taken", poll)
		}
	}
}
