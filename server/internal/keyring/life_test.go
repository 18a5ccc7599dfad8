package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

func TestKeyLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		c.Lead, c.Every = 24*time.Hour, -1
		r := open(t, c)
		defer run(t, r)()
		first := active(t, r, keyring.Access)

		next, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator)
		if err != nil || next.State != keyring.Announced || next.ActiveAt.Sub(next.CreatedAt) != c.Lead {
			t.Fatalf("Rotate = %+v, %v", next, err)
		}
		body, _ := r.JWKS(keyring.Access)
		for _, id := range []string{first.ID, next.ID} {
			if !strings.Contains(string(body), id) {
				t.Errorf("key %s is not published while %s is announced", id, next.ID)
			}
		}
		time.Sleep(c.Lead - keyring.Poll)
		if got := active(t, r, keyring.Access).ID; got != first.ID {
			t.Errorf("%s signs before its time", got)
		}
		time.Sleep(2 * keyring.Poll)
		if got := active(t, r, keyring.Access).ID; got != next.ID {
			t.Errorf("%s signs, want the successor %s", got, next.ID)
		}
		if s, err := r.Signer(keyring.Access, jwk.ES256); err != nil || s.KeyID() != next.ID {
			t.Errorf("Signer = %v, %v", s, err)
		}
		if got := states(r, keyring.Access); got[keyring.Retiring] != 1 || got[keyring.Active] != 1 {
			t.Errorf("states %v", got)
		}
		if _, err := r.Keys(keyring.Access).Key(t.Context(), first.ID); err != nil {
			t.Errorf("a retiring key does not verify: %v", err)
		}
		time.Sleep(c.AccessRetire)
		if got := states(r, keyring.Access); got[keyring.Retiring] != 1 {
			t.Errorf("states %v: it went before the last lease on it was over", got)
		}
		time.Sleep(keyring.Lease + 2*keyring.Poll)
		if got := states(r, keyring.Access); len(got) != 1 {
			t.Errorf("states %v, want only an active key", got)
		}
		if _, err := r.Keys(keyring.Access).Key(t.Context(), first.ID); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("a key that is gone still verifies: %v", err)
		}
		want := "[keyring.create key.announce key.activate key.gone]"
		if got := fmt.Sprint(m.acts()); got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		if e := m.events[1]; e.Actor != operator || e.Targets["key"] != next.ID {
			t.Errorf("event of the rotation %+v", e)
		}
		if e := m.events[2]; e.Actor.Kind != "system" || e.Targets["retired"] != first.ID {
			t.Errorf("event of the activation %+v", e)
		}
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(t *testing.T, r *keyring.Ring) error
		want map[string]int
		err  error
	}{
		{"announced", func(t *testing.T, r *keyring.Ring) error {
			_, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator)
			return err
		}, map[string]int{keyring.Active: 1, keyring.Announced: 1}, nil},
		{"now", func(t *testing.T, r *keyring.Ring) error {
			before := active(t, r, keyring.Access).ID
			k, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator)
			if k.ID == before || active(t, r, keyring.Access).ID != k.ID {
				t.Errorf("Rotate now answered %s, %s was and %s is active", k.ID, before, active(t, r, keyring.Access).ID)
			}
			return err
		}, map[string]int{keyring.Active: 1, keyring.Retiring: 1}, nil},
		{"twice", func(t *testing.T, r *keyring.Ring) error {
			first, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator)
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator)
			if again.ID != first.ID || !strings.Contains(err.Error(), first.ActiveAt.Format(time.RFC3339)) {
				t.Errorf("Rotate = %v, %v, want the announced key and when it signs", again.ID, err)
			}
			return err
		}, map[string]int{keyring.Active: 1, keyring.Announced: 1}, keyring.ErrAnnounced},
		{"now, while a successor is announced", func(t *testing.T, r *keyring.Ring) error {
			first, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, false, operator)
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Rotate(t.Context(), keyring.Access, jwk.ES256, true, operator)
			if again.ID != first.ID || active(t, r, keyring.Access).ID != first.ID {
				t.Errorf("it is not the announced key that signs now")
			}
			return err
		}, map[string]int{keyring.Active: 1, keyring.Retiring: 1}, nil},
		{"a key that does not exist", func(t *testing.T, r *keyring.Ring) error {
			_, err := r.Rotate(t.Context(), keyring.Access, jwk.RS256, true, operator)
			return err
		}, map[string]int{keyring.Active: 1}, fault.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, config(newMemory(), roots(t, keyring.NewRootKey())))
			if err := tt.do(t, r); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if got := states(r, keyring.Access); !maps.Equal(got, tt.want) {
				t.Errorf("states %v, want %v", got, tt.want)
			}
		})
	}
}

// Nodes that rotate at the same time leave one active key, and lose none.
func TestRotateRace(t *testing.T) {
	t.Parallel()
	m := newMemory()
	c := config(m, roots(t, keyring.NewRootKey()))
	rings := []*keyring.Ring{open(t, c), open(t, c)}
	var wg sync.WaitGroup
	made := make(chan string, 40)
	for i := range 40 {
		wg.Go(func() {
			k, err := rings[i%2].Rotate(context.Background(), keyring.Feed, keyring.FeedAlgorithm, true, operator)
			if err != nil {
				t.Error(err)
			}
			made <- k.ID
		})
	}
	wg.Wait()
	close(made)
	r := open(t, c)
	if got := states(r, keyring.Feed); got[keyring.Active] != 1 || got[keyring.Retiring] != 40 {
		t.Errorf("states %v, want one active and 40 retiring", got)
	}
	for id := range made {
		if _, err := r.Keys(keyring.Feed).Key(t.Context(), id); err != nil {
			t.Errorf("key %s was answered and is lost", id)
		}
	}
}

// A node that dies before or after any commit leaves a ring that opens, signs,
// and verifies all that was signed.
func TestDyingBetweenStepsLosesNoKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errDied := errors.New("died")
		random := rand.New(rand.NewPCG(1, 2))
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		c.Lead, c.Every = time.Hour, 3*time.Hour
		signed := map[string]time.Time{}
		for range 300 {
			die := random.IntN(3)
			m.save = func(commit func()) error {
				if die == 1 {
					return errDied
				}
				commit()
				if die == 2 {
					return errDied
				}
				return nil
			}
			r, err := keyring.Open(t.Context(), c)
			if err == nil {
				if s, err := r.Signer(keyring.Access, jwk.ES256); err != nil {
					t.Fatal(err)
				} else {
					signed[s.KeyID()] = time.Now()
				}
				for id, last := range signed {
					_, err := r.Keys(keyring.Access).Key(t.Context(), id)
					if time.Since(last) < c.AccessRetire && err != nil {
						t.Fatalf("key %s signed %v ago and is lost", id, time.Since(last))
					}
				}
			} else if !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(20)) * time.Minute)
		}
		if len(signed) < 10 {
			t.Errorf("only %d keys ever signed", len(signed))
		}
	})
}

// Verifiers that ask for the key set only once in its max-age, each at another
// time, and never ask again for an unknown key: months of planned rotations
// fail none of them.
func TestJWK04PlannedRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const maxAge, tokenLife = time.Hour, 15 * time.Minute
		m := newMemory()
		c := config(m, roots(t, keyring.NewRootKey()))
		c.Lead, c.Every = maxAge+time.Minute, 6*time.Hour
		c.AccessRetire = tokenLife + 10*time.Minute + maxAge
		nodes := []*keyring.Ring{open(t, c), open(t, c)}
		for _, r := range nodes {
			defer run(t, r)()
			time.Sleep(3 * time.Second)
		}
		caches := make([]*jwk.Set, 3)
		type token struct {
			kid       string
			signature []byte
			until     time.Time
		}
		var tokens []token
		seen := map[string]bool{}
		message := []byte("message")
		for minute := range 3 * 24 * 60 {
			for i := range caches {
				if minute%60 == i*20 {
					body, _ := nodes[i%2].JWKS(keyring.Access)
					var err error
					if caches[i], err = jwk.ParseSet(body); err != nil {
						t.Fatal(err)
					}
				}
			}
			if minute < 60 {
				time.Sleep(time.Minute)
				continue
			}
			if minute%5 == 0 {
				s, err := nodes[minute%2].Signer(keyring.Access, jwk.ES256)
				if err != nil {
					t.Fatal(err)
				}
				signature, _ := s.AppendSignature(nil, message)
				tokens = append(tokens, token{s.KeyID(), signature, time.Now().Add(tokenLife)})
				seen[s.KeyID()] = true
			}
			for len(tokens) > 0 && tokens[0].until.Before(time.Now()) {
				tokens = tokens[1:]
			}
			for _, tok := range tokens {
				k, err := caches[minute%3].Key(t.Context(), tok.kid)
				if err != nil {
					t.Fatalf("minute %d: verifier %d does not know %s", minute, minute%3, tok.kid)
				}
				if minute%15 == 0 && k.Verify(message, tok.signature) != nil {
					t.Fatalf("minute %d: signature", minute)
				}
			}
			time.Sleep(time.Minute)
		}
		if len(seen) < 10 {
			t.Errorf("only %d keys signed in three days", len(seen))
		}
	})
}
