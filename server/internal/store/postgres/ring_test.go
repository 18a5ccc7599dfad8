package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// What many nodes do to one ring, each with connections of its own.
func TestRings(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	url := p.NewDatabase(t)
	var nodes []*Store
	for range 4 {
		nodes = append(nodes, open(t, Config{URL: url}))
	}
	operator := audit.Actor{Kind: audit.KindOperator, Name: "root"}
	roots := func() keyring.RootKeys { return must(keyring.ParseRootKeys([]byte(keyring.NewRootKey()))) }
	config := func(s *Store, root keyring.RootKeys) keyring.Config {
		return keyring.Config{Store: s, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256}, Every: -1,
			AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour}
	}
	empty := func() { p.Exec(t, url, `DELETE FROM ring_key`, `DELETE FROM ring`) }
	// everywhere opens a ring on each node at the same moment.
	everywhere := func(root func() keyring.RootKeys) (rings []*keyring.Ring, errs []error) {
		rings, errs = make([]*keyring.Ring, len(nodes)), make([]error, len(nodes))
		start := make(chan struct{})
		var all sync.WaitGroup
		for i, s := range nodes {
			c := config(s, root())
			all.Go(func() {
				<-start
				rings[i], errs[i] = keyring.Open(t.Context(), c)
			})
		}
		close(start)
		all.Wait()
		return rings, errs
	}
	ids := func(r *keyring.Ring) map[string]string {
		all := map[string]string{}
		for _, k := range r.List() {
			all[k.Purpose+" "+k.ID] = k.State
		}
		return all
	}

	t.Run("fresh nodes on an empty store make one ring", func(t *testing.T) {
		for range 10 {
			empty()
			root := roots()
			rings, errs := everywhere(func() keyring.RootKeys { return root })
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			for _, r := range rings {
				if got, want := ids(r), ids(rings[0]); len(got) != 4 || !maps.Equal(got, want) {
					t.Fatalf("rings %v and %v", got, want)
				}
			}
		}
	})
	t.Run("of fresh nodes with root keys of their own one makes the ring and the others stop", func(t *testing.T) {
		for range 5 {
			empty()
			_, errs := everywhere(roots)
			made := 0
			for _, err := range errs {
				if err == nil {
					made++
				} else if !errors.Is(err, keyring.ErrRootKey) {
					t.Error(err)
				}
			}
			if made != 1 {
				t.Fatalf("%d rings: %v", made, errs)
			}
		}
	})
	t.Run("nodes rotate at once, and one key is active", func(t *testing.T) {
		empty()
		root := roots()
		rings, errs := everywhere(func() keyring.RootKeys { return root })
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var looking, all sync.WaitGroup
		looks := 0
		looking.Go(func() {
			c, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close(context.Background())
			for ; ctx.Err() == nil; looks++ {
				var n, slots int
				err := c.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT purpose || algorithm) FROM ring_key WHERE state = 'active'`).Scan(&n, &slots)
				if err != nil || n != 4 || slots != 4 {
					t.Errorf("%d active keys for %d purposes, %v", n, slots, err)
					return
				}
			}
		})
		var mu sync.Mutex
		made := map[string]bool{}
		for _, r := range rings {
			all.Go(func() {
				for n := range 6 {
					purpose, alg := keyring.Access, jwk.ES256
					if n%2 == 1 {
						purpose, alg = keyring.Refresh, keyring.RefreshAlgorithm
					}
					k, err := r.Rotate(t.Context(), purpose, alg, true, operator)
					switch {
					case errors.Is(err, keyring.ErrFull), errors.Is(err, fault.ErrChanged):
					case err != nil:
						t.Error(err)
					default:
						mu.Lock()
						if made[k.ID] {
							t.Errorf("%s was made twice", k.ID)
						}
						made[k.ID] = true
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		stop()
		looking.Wait()
		if len(made) < 6 || looks < 10 {
			t.Errorf("%d keys were made, looked %d times", len(made), looks)
		}
		want := ids(must(keyring.Open(t.Context(), config(nodes[0], root))))
		for _, r := range rings {
			r.CatchUp(t.Context())
			if got := ids(r); !maps.Equal(got, want) {
				t.Errorf("rings %v and %v", got, want)
			}
		}
	})
	t.Run("a node that slept through rotations catches up before it signs", func(t *testing.T) {
		empty()
		root := roots()
		var ahead atomic.Int64
		c := config(nodes[1], root)
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		awake, asleep := must(keyring.Open(t.Context(), config(nodes[0], root))), must(keyring.Open(t.Context(), c))
		old, err := asleep.Signer(keyring.Access, jwk.ES256)
		if err != nil {
			t.Fatal(err)
		}
		stolen := old.KeyID()
		next, err := awake.Revoke(t.Context(), stolen, operator)
		if err != nil {
			t.Fatal(err)
		}
		mac := must(awake.Rotate(t.Context(), keyring.Refresh, keyring.RefreshAlgorithm, true, operator))
		ahead.Store(int64(keyring.Lease + time.Second))
		for _, sign := range []func() error{
			func() error { _, err := asleep.Signer(keyring.Access, jwk.ES256); return err },
			func() error {
				_, err := asleep.Issuer(keyring.Access, jwk.ES256, "https://i.example", "JWT")
				return err
			},
			func() error { _, err := asleep.MAC(); return err },
			func() error { _, err := asleep.Sealer(); return err },
		} {
			if err := sign(); !errors.Is(err, keyring.ErrLease) {
				t.Errorf("with a lease that is over: %v", err)
			}
		}
		asleep.CatchUp(t.Context())
		signer, err := asleep.Signer(keyring.Access, jwk.ES256)
		if err != nil || signer.KeyID() != next.ID {
			t.Errorf("it signs with %v, %v, and not with %s", signer, err, next.ID)
		}
		if m, err := asleep.MAC(); err != nil || m.KeyID() != mac.ID {
			t.Errorf("it MACs with %v, %v, and not with %s", m, err, mac.ID)
		}
		if _, err := asleep.Keys(keyring.Access).Key(t.Context(), stolen); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("what was revoked verifies: %v", err)
		}
		facts, _, _, err := nodes[2].FeedSince(t.Context(), 0)
		if err != nil || len(facts) == 0 || facts[len(facts)-1].Value != stolen {
			t.Errorf("%v, %v", facts, fmt.Sprint(err))
		}
	})
	t.Run("a node that is cut off from the database signs until its lease is over, and again when it has read the ring", func(t *testing.T) {
		empty()
		root := roots()
		road := newRoad(t, p.Port)
		cut := open(t, Config{URL: strings.Replace(url, fmt.Sprint(":", p.Port), fmt.Sprint(":", road.port), 1)})
		var ahead atomic.Int64
		c := config(cut, root)
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		off, there := must(keyring.Open(t.Context(), c)), must(keyring.Open(t.Context(), config(nodes[0], root)))
		release := road.hold()
		defer release()
		old, err := off.Signer(keyring.Access, jwk.ES256)
		if err != nil {
			t.Errorf("within the lease: %v", err)
		}
		next := must(there.Revoke(t.Context(), old.KeyID(), operator))
		ahead.Store(int64(keyring.Lease + time.Second))
		off.CatchUp(t.Context())
		if _, err := off.Signer(keyring.Access, jwk.ES256); !errors.Is(err, keyring.ErrLease) {
			t.Errorf("cut off for longer than the lease: %v", err)
		}
		release()
		for end := time.Now().Add(30 * time.Second); ; {
			off.CatchUp(t.Context())
			s, err := off.Signer(keyring.Access, jwk.ES256)
			if err == nil && s.KeyID() == next.ID {
				return
			}
			if err == nil || !errors.Is(err, keyring.ErrLease) || time.Now().After(end) {
				t.Fatalf("it signs with %v, %v, and not with %s", s, err, next.ID)
			}
			<-time.After(20 * time.Millisecond)
		}
	})
	t.Run("whoever writes to the tables plants no key and changes none", func(t *testing.T) {
		root := roots()
		for name, change := range map[string]string{
			"its state":      `UPDATE ring_key SET state = 'retiring' WHERE purpose = 'access'`,
			"its id":         `UPDATE ring_key SET id = 'planted' WHERE purpose = 'access'`,
			"its algorithm":  `UPDATE ring_key SET algorithm = 'ES384' WHERE purpose = 'access'`,
			"its purpose":    `UPDATE ring_key SET purpose = 'refresh' WHERE purpose = 'feed'`,
			"another's blob": `UPDATE ring_key SET blob = (SELECT blob FROM ring_key WHERE purpose = 'feed') WHERE purpose = 'access'`,
			"its version":    `UPDATE ring_key SET version = version + 1 WHERE purpose = 'access'`,
		} {
			empty()
			must(keyring.Open(t.Context(), config(nodes[0], root)))
			p.Exec(t, url, change)
			if _, err := keyring.Open(t.Context(), config(nodes[1], root)); err == nil {
				t.Errorf("%s was changed, and the ring opens", name)
			}
		}
	})
}
