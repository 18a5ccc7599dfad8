package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// counted counts readings, and hangs where it is told to.
type counted struct {
	*memory
	loads atomic.Int64
	hang  chan struct{}
}

func (c *counted) LoadRing(ctx context.Context) (keyring.Sealed, time.Time, error) {
	c.loads.Add(1)
	if c.hang != nil {
		<-c.hang
	}
	return c.memory.LoadRing(ctx)
}

// A key that another node made and uses at once is known as soon as somebody
// presents what it made. Key ids that nobody made cost one reading in a second,
// and a store that hangs costs nobody more than a second.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &counted{memory: newMemory()}
		root := roots(t, keyring.NewRootKey())
		here, there := open(t, config(m, root)), open(t, config(m, root))
		ids := map[string]string{}
		for purpose, alg := range map[string]jwk.Algorithm{keyring.Access: jwk.ES256, keyring.Refresh: jwk.HS256} {
			k, err := there.Rotate(t.Context(), purpose, alg, true, operator)
			if err != nil {
				t.Fatal(err)
			}
			ids[purpose] = k.ID
		}
		if _, ok := here.MACKey(ids[keyring.Refresh]); ok {
			t.Fatal("known already")
		}
		if _, err := here.Keys(keyring.Access).Key(t.Context(), ids[keyring.Access]); err != nil {
			t.Errorf("a key that signs elsewhere: %v", err)
		}
		here.CatchUp(t.Context())
		if _, ok := here.MACKey(ids[keyring.Refresh]); !ok {
			t.Error("a MAC key that signs elsewhere is unknown")
		}

		before := m.loads.Load()
		for second := range 3 {
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					if _, err := here.Keys(keyring.Access).Key(t.Context(), fmt.Sprint("nobody", second, i)); !errors.Is(err, jwk.ErrUnknownKey) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			time.Sleep(time.Second)
		}
		if n := m.loads.Load() - before; n > 3 {
			t.Errorf("%d readings in 3 seconds", n)
		}

		m.hang = make(chan struct{})
		start := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { here.Keys(keyring.Access).Key(t.Context(), "nobody") })
		}
		all.Wait()
		if waited, n := time.Since(start), m.loads.Load()-before; waited > time.Second || n > 4 {
			t.Errorf("waited %v, %d readings", waited, n)
		}
		close(m.hang)
	})
}
